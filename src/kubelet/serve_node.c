/* /pods and /runningpods/, /spec, /configz: what the node is and runs, as the kubelet tells it. */
#include "kubelet/serve.h"

/* ---- /pods --------------------------------------------------------------------------------------
 */

static bool pods_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    (void)ctx;
    if ((*cursor)++ > 0) return false;
    fk_put_str(w, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[]}");
    return true;
}

/* v1.PodList. Upstream writes null for no items; [] says the same, and spares scripts a case. */
int fk_serve_pods(struct fk_exchange *x) {
    if (x->rest[0] != '\0') return fk_serve_refuse(x, 404, "the list of pods has nothing below it");
    return fk_serve_ok(x, FK_SERVE_JSON, pods_items);
}

/* ---- /spec --------------------------------------------------------------------------------------
 */

static bool spec_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    const struct fk_exchange *x = ctx;
    const struct fk_system_info *system = &x->house->node->config->system;
    struct fk_port_figures f;
    struct fk_json j;
    if ((*cursor)++ > 0) return false;
    (void)fk_serve_figures(x, &f);
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_i64(&j, "num_cores", 1); /* we use one, whatever there is */
    if (f.cpu_mhz > 0) fk_json_i64(&j, "cpu_frequency_khz", (int64_t)f.cpu_mhz * 1000);
    if (f.memory_total_bytes > 0) fk_json_i64(&j, "memory_capacity", (int64_t)f.memory_total_bytes);
    fk_json_str(&j, "machine_id", system->machine_id);
    fk_json_str(&j, "system_uuid", system->system_uuid);
    fk_json_str(&j, "boot_id", system->boot_id);
    fk_json_object_end(&j);
    return true;
}

/* cAdvisor's v1.MachineInfo: the fields that are known. */
int fk_serve_spec(struct fk_exchange *x) { return fk_serve_ok(x, FK_SERVE_JSON, spec_items); }

/* ---- /configz -----------------------------------------------------------------------------------
 */

static void put_units(struct fk_writer *w, uint64_t count, const char *unit) {
    fk_put_u64(w, count);
    fk_put_str(w, unit);
}

/* Seconds with what is below them: "1", "1.5", "0.001". */
static void put_seconds(struct fk_writer *w, uint32_t ms) {
    uint32_t part = ms % 1000;
    unsigned digits = 3;
    fk_put_u64(w, ms / 1000);
    if (part == 0) return;
    for (; part % 10 == 0; digits--) part /= 10;
    fk_put_char(w, '.');
    fk_put_padded(w, part, digits);
}

/* metav1.Duration, as Go's time.Duration writes itself: "1m40s", "1.5s", "200ms". */
static void put_duration(struct fk_json *j, const char *key, uint32_t ms) {
    fk_json_text(j, key);
    if (ms >= 3600000) put_units(j->w, ms / 3600000, "h");
    if (ms >= 60000) put_units(j->w, ms / 60000 % 60, "m");
    if (ms > 0 && ms < 1000) {
        put_units(j->w, ms, "ms");
    } else {
        put_seconds(j->w, ms % 60000);
        fk_put_char(j->w, 's');
    }
    fk_json_text_end(j);
}

static void put_authentication(struct fk_json *j, const struct fk_authn *authn) {
    fk_json_object(j, "authentication");
    fk_json_object(j, "webhook");
    fk_json_bool(j, "enabled", true);
    if (authn != NULL) put_duration(j, "cacheTTL", authn->hit_ms);
    fk_json_object_end(j);
    fk_json_object(j, "anonymous");
    fk_json_bool(j, "enabled", false);
    fk_json_object_end(j);
    fk_json_object_end(j);
}

static void put_authorization(struct fk_json *j, const struct fk_authz *authz) {
    fk_json_object(j, "authorization");
    fk_json_str(j, "mode", "Webhook");
    if (authz != NULL) {
        fk_json_object(j, "webhook");
        put_duration(j, "cacheAuthorizedTTL", authz->allowed_ms);
        put_duration(j, "cacheUnauthorizedTTL", authz->denied_ms);
        fk_json_object_end(j);
    }
    fk_json_object_end(j);
}

static void put_kubelet(const struct fk_exchange *x, struct fk_json *j) {
    const struct fk_house *house = x->house;
    const struct fk_node_config *config = house->node->config;
    fk_json_bool(j, "enableServer", true);
    if (config->kubelet_port > 0) fk_json_i64(j, "port", config->kubelet_port);
    put_authentication(j, house->authn);
    put_authorization(j, house->authz);
    fk_json_i64(j, "healthzPort", 0); /* no other port: health is told on this one */
    put_duration(j, "nodeStatusUpdateFrequency", house->node->status.period_ms);
    put_duration(j, "nodeStatusReportFrequency", config->status_report_ms);
    fk_json_i64(j, "nodeLeaseDurationSeconds", config->lease_duration_s);
    fk_json_bool(j, "enableDebuggingHandlers", false); /* no exec, no run */
    fk_json_str(j, "kind", "KubeletConfiguration");
    fk_json_str(j, "apiVersion", "kubelet.config.k8s.io/v1beta1");
}

static bool configz_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    struct fk_json j;
    if ((*cursor)++ > 0) return false;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_object(&j, "kubeletconfig");
    put_kubelet(ctx, &j);
    fk_json_object_end(&j);
    fk_json_object_end(&j);
    return true;
}

/* Only what this kubelet has: a field that is not there has no meaning here. */
int fk_serve_configz(struct fk_exchange *x) { return fk_serve_ok(x, FK_SERVE_JSON, configz_items); }
