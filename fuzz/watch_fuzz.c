/* What an API server answers to a list or a watch of a ConfigMap, cut anywhere: the same objects
 * applied, the same place to go on from, and never half of one. The first byte chooses list or
 * watch (lowest bit) and the cut. */
#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "kubelet/configmap.h"

static void drop(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    (void)ctx, (void)level, (void)message, (void)kvs, (void)count;
}

static const struct fk_port_ops ops = {.keep = NULL};
static const struct fk_log quiet = {FK_DEBUG, NULL, drop};
static const struct fk_options defaults = {FK_INFO, 100, 10000};
static const struct fk_node_config config = {.name = "femto-0"};
static const char empty_list[] = "k8s\0\x12\x07\x0A\x05\x12\x03"
                                 "100";

static void answer(struct fk_configmap *m, struct fk_request *request, struct fk_bytes bytes,
                   size_t step, int status) {
    const struct fk_now now = {1000000, FK_WALL_UNKNOWN};
    FK_ASSERT(fk_configmap_ops.request(m, now, request));
    while (bytes.len > 0 && (request->over == NULL || !*request->over)) {
        const size_t len = bytes.len < step ? bytes.len : step;
        request->reply->body(request->owner, fk_bytes(bytes.p, len));
        bytes = fk_bytes(bytes.p + len, bytes.len - len);
    }
    const struct fk_response response = {.status = status, .message = ""};
    request->reply->response(request->owner, now, &response);
    FK_ASSERT(fk_configmap_ops.due(m) != FK_NEVER);
}

static void run(struct fk_configmaps *c, struct fk_bytes bytes, bool watch, size_t step) {
    struct fk_rng rng;
    fk_rng_seed(&rng, 1);
    const struct fk_duty_env env = {&config, &quiet, &rng};
    const struct fk_port port = {&ops, NULL};
    struct fk_request request;
    static struct fk_heap heap;
    static _Alignas(8) uint8_t memory[sizeof(union fk_configmap_work) + 64];
    fk_heap_init(&heap, memory, sizeof memory);
    fk_configmaps_init(c, &env, &port, &heap, NULL, &defaults, "default/rack-1");
    struct fk_configmap *m = &c->all[0];
    if (watch) answer(m, &request, fk_bytes(empty_list, sizeof empty_list - 1), 100, 200);
    FK_ASSERT(m->watch.watching == watch);
    answer(m, &request, bytes, step, 200);
    FK_ASSERT(c->parsing == NULL && heap.used_bytes == 0);
    FK_ASSERT(strlen(m->watch.resource_version) <= FK_RESOURCE_VERSION_MAX);
    FK_ASSERT(strlen(m->uid) <= FK_UID_MAX);
    FK_ASSERT(strlen(m->why) < FK_MESSAGE_MAX);
    if (m->state == FK_CONFIGMAP_APPLIED) FK_ASSERT(m->uid[0] != '\0' && m->why[0] == '\0');
    if (m->state == FK_CONFIGMAP_REFUSED) FK_ASSERT(m->why[0] != '\0');
    (void)fk_configmaps_step(c, (struct fk_now){1000000, FK_WALL_UNKNOWN});
}

static void same(const struct fk_configmaps *a, const struct fk_configmaps *b) {
    const struct fk_configmap *m = &a->all[0], *n = &b->all[0];
    FK_ASSERT(memcmp(a->memory, b->memory, sizeof a->memory) == 0);
    FK_ASSERT(a->options.log_level == b->options.log_level);
    FK_ASSERT(a->options.led_brightness == b->options.led_brightness);
    FK_ASSERT(a->options.status_period_ms == b->options.status_period_ms);
    FK_ASSERT(m->state == n->state && m->applied == n->applied && m->refused == n->refused);
    FK_ASSERT(strcmp(m->why, n->why) == 0 && strcmp(m->uid, n->uid) == 0);
    FK_ASSERT(strcmp(m->resource_version, n->resource_version) == 0);
    FK_ASSERT(m->watch.watching == n->watch.watching && m->watch.events == n->watch.events);
    if (m->watch.watching)
        FK_ASSERT(strcmp(m->watch.resource_version, n->watch.resource_version) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (len == 0) return 0;
    static struct fk_configmaps whole, cut, single;
    const struct fk_bytes bytes = fk_bytes(data + 1, len - 1);
    const bool watch = (data[0] & 1) != 0;
    run(&whole, bytes, watch, len);
    run(&cut, bytes, watch, 1 + data[0] / 2u);
    run(&single, bytes, watch, 1);
    same(&whole, &cut);
    same(&whole, &single);
    return 0;
}
