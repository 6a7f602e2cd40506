/* /stats/summary: stats/v1alpha1 Summary (k8s.io/kubelet/pkg/apis/stats/v1alpha1), the node alone.
 *
 * usageNanoCores is the rate since the older of the node's last two looks at its conditions: over
 * 10 to 20 s as a rule, whoever asks how often. As long as there were no two looks, since the
 * start. */
#include "kubelet/serve.h"

/* Nanoseconds of a processor per second. Never 0, which would say that nothing is known. */
static int64_t nano_cores(const struct fk_exchange *x, uint64_t cpu_us) {
    const struct fk_cpu_sample *since = &x->house->node->cpu[0];
    const uint64_t ms = x->now.mono_ms > since->at_ms ? x->now.mono_ms - since->at_ms : 1;
    const uint64_t us = cpu_us > since->cpu_us ? cpu_us - since->cpu_us : 1;
    const uint64_t nano = us / ms * 1000000 + us % ms * 1000000 / ms;
    return nano > 0 ? (int64_t)nano : 1;
}

static void put_cpu(const struct fk_exchange *x, const struct fk_port_figures *f,
                    struct fk_json *j) {
    const uint64_t cpu_us = fk_serve_cpu_us(f);
    fk_json_object(j, "cpu");
    fk_json_time(j, "time", x->now.wall_us);
    fk_json_i64(j, "usageNanoCores", nano_cores(x, cpu_us));
    fk_json_i64(j, "usageCoreNanoSeconds", (int64_t)(cpu_us * 1000));
    fk_json_object_end(j);
}

static void put_memory(const struct fk_exchange *x, const struct fk_port_figures *f,
                       struct fk_json *j) {
    const uint64_t total = f->memory_total_bytes, working = f->memory_working_bytes;
    if (working == 0) return;
    fk_json_object(j, "memory");
    fk_json_time(j, "time", x->now.wall_us);
    if (total > working) fk_json_i64(j, "availableBytes", (int64_t)(total - working));
    fk_json_i64(j, "usageBytes", (int64_t)working);
    fk_json_i64(j, "workingSetBytes", (int64_t)working);
    fk_json_i64(j, "rssBytes", (int64_t)working);
    fk_json_object_end(j);
}

/* One item: its parts belong to one moment. */
static bool items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    const struct fk_exchange *x = ctx;
    struct fk_port_figures f;
    struct fk_json j;
    if ((*cursor)++ > 0) return false;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_object(&j, "node");
    fk_json_str(&j, "nodeName", x->house->node->config->name);
    fk_json_time(&j, "startTime", fk_serve_started_us(x));
    if (fk_serve_figures(x, &f)) {
        put_cpu(x, &f, &j);
        put_memory(x, &f, &j);
    }
    fk_json_object_end(&j);
    fk_json_array(&j, "pods");
    fk_json_array_end(&j);
    fk_json_object_end(&j);
    return true;
}

int fk_serve_stats_summary(struct fk_exchange *x) {
    if (x->now.wall_us == FK_WALL_UNKNOWN)
        return fk_serve_refuse(x, 503, "the time is not known before the API server has told it");
    return fk_serve_ok(x, FK_SERVE_JSON, items);
}
