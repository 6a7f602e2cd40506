#include "support/duty_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

const struct fk_node_config duty_case_config = {
    .name = "board-1",
    .hostname = "board-1",
    .system = {.machine_id = "m",
               .system_uuid = "",
               .boot_id = "b",
               .kernel_version = "none",
               .os_image = "femtokubelet",
               .container_runtime = "none://0.1.0",
               .kubelet_version = "v1.36.0+femtokubelet.0.1.0",
               .operating_system = "none",
               .architecture = "armv6m"},
    .labels = {{"example.com/site", "roof"}},
    .label_count = 1,
    .taints = {{"femtokubelet.dev/node", "true", "NoSchedule"}},
    .taint_count = 1,
    .resources = {{"cpu", "240m"}, {"memory", "320Ki"}, {"pods", "0"}},
    .resource_count = 3,
    .lease_duration_s = 40,
    .lease_renew_ms = 10000,
    .status_update_ms = 10000,
    .status_report_ms = 300000,
};

static void drop(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    (void)ctx, (void)level, (void)message, (void)kvs, (void)count;
}
const struct fk_log duty_case_log = {FK_DEBUG, NULL, drop};

struct fk_duty_env duty_case_env(struct fk_rng *rng) {
    fk_rng_seed(rng, 1);
    return (struct fk_duty_env){&duty_case_config, &duty_case_log, rng};
}

static const char *verb_text(enum fk_verb verb) {
    static const char *const texts[] = {
        "GET", "POST", "PUT", "DELETE", "PATCH-MERGE", "PATCH-STRATEGIC", "PATCH-JSON"};
    return texts[verb];
}

/* The document in one piece, and again in windows of each width: the bytes must be the same. */
static void write_document(struct duty_case *d) {
    d->document[0] = '\0';
    if (d->request.document == NULL) return;
    struct fk_writer w;
    fk_writer_init(&w, d->document, sizeof d->document);
    d->request.document(d->request.owner, &w);
    assert_int_equal(fk_writer_finish(&w), 0);
    for (size_t width = 1; width < 70; width += 13) {
        char piece[70];
        for (size_t at = 0; at < w.len; at += width) {
            struct fk_writer window;
            fk_writer_window(&window, piece, width, at);
            d->request.document(d->request.owner, &window);
            assert_int_equal(window.len, w.len);
            assert_memory_equal(piece, d->document + at, fk_writer_kept(&window));
        }
    }
}

bool duty_case_ask(struct duty_case *d) {
    if (d->ops->due(d->self) > d->now.mono_ms) return false;
    memset(&d->request, 0, sizeof d->request);
    if (!d->ops->request(d->self, d->now, &d->request)) return false;
    assert_true(d->ops->due(d->self) == FK_NEVER); /* one request at a time */
    write_document(d);
    snprintf(d->line, sizeof d->line, "%s %s", verb_text(d->request.verb), d->request.path);
    return true;
}

void duty_case_answer(struct duty_case *d, int status, enum fk_reason reason,
                      struct fk_bytes body) {
    for (size_t i = 0; i < body.len && d->request.wants_body; i++)
        d->request.reply->body(d->request.owner, fk_bytes(body.p + i, 1));
    const struct fk_response response = {.status = status, .reason = reason, .message = ""};
    d->request.reply->response(d->request.owner, d->now, &response);
}

void duty_case_pass(struct duty_case *d, uint64_t ms) {
    d->now.mono_ms += ms;
    if (d->now.wall_us != FK_WALL_UNKNOWN) d->now.wall_us += (int64_t)(ms * 1000);
}

/* ---- protobuf, the few shapes needed --------------------------------------------------------- */

struct pb {
    uint8_t *p;
    size_t len;
};

static void put_varint(struct pb *pb, uint64_t value) {
    for (; value >= 0x80; value >>= 7) pb->p[pb->len++] = (uint8_t)(value | 0x80);
    pb->p[pb->len++] = (uint8_t)value;
}
static void put_field(struct pb *pb, unsigned field, const void *bytes, size_t len) {
    put_varint(pb, field << 3 | 2);
    put_varint(pb, len);
    if (len > 0) memcpy(pb->p + pb->len, bytes, len);
    pb->len += len;
}
static void put_text(struct pb *pb, unsigned field, const char *text) {
    put_field(pb, field, text, strlen(text));
}
static void put_number(struct pb *pb, unsigned field, int64_t value) {
    put_varint(pb, field << 3);
    put_varint(pb, (uint64_t)value);
}

/* "k8s\0" and runtime.Unknown around an object. */
static struct fk_bytes envelope(uint8_t *buf, const struct pb *object) {
    struct pb out = {buf, 0};
    memcpy(buf, "k8s", 4);
    out.len = 4;
    put_field(&out, 2, object->p, object->len);
    return fk_bytes(buf, out.len);
}

struct fk_bytes duty_case_node(uint8_t *buf, const char *uid, const char *condition_type,
                               const char *condition_status, int64_t transition_s) {
    uint8_t a[512], b[512], c[512], e[512];
    struct pb object = {a, 0}, part = {b, 0}, condition = {c, 0}, time = {e, 0};
    put_text(&part, 5, uid);
    put_field(&object, 1, part.p, part.len);
    if (condition_type != NULL) {
        put_number(&time, 1, transition_s);
        put_text(&condition, 1, condition_type);
        put_text(&condition, 2, condition_status);
        put_field(&condition, 4, time.p, time.len);
        part.len = 0;
        put_field(&part, 4, condition.p, condition.len);
        put_field(&object, 3, part.p, part.len);
    }
    return envelope(buf, &object);
}

struct fk_bytes duty_case_lease(uint8_t *buf, const char *holder, int64_t renew_s,
                                int32_t renew_nanos) {
    uint8_t a[512], b[512], c[512];
    struct pb object = {a, 0}, spec = {b, 0}, time = {c, 0};
    put_number(&time, 1, renew_s);
    put_number(&time, 2, renew_nanos);
    put_text(&spec, 1, holder);
    put_number(&spec, 2, 40);
    put_field(&spec, 4, time.p, time.len);
    put_field(&object, 2, spec.p, spec.len);
    return envelope(buf, &object);
}
