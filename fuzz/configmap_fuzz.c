/* A ConfigMap's values, cut anywhere: the same verdict, the same words, the same bytes. The first
 * byte chooses the cut; then keys and values, each ended by a zero. What is no such thing is read
 * as the document that a port kept, its checksum made right. */
#include "base/assert.h"
#include "base/crc32.h"
#include "base/err.h"
#include "base/log.h"
#include "kubelet/configmap.h"

struct outcome {
    struct fk_configmap_parse parse;
    uint8_t memory[FK_MEMORY_BYTES];
    char why[2 * FK_MESSAGE_MAX];
};

static void check_options(uint8_t set, const struct fk_options *o) {
    if ((set & FK_SET_LOG_LEVEL) != 0) FK_ASSERT(o->log_level <= FK_DEBUG);
    if ((set & FK_SET_LED_BRIGHTNESS) != 0) FK_ASSERT(o->led_brightness <= 100);
    if ((set & FK_SET_STATUS_PERIOD) == 0) return;
    FK_ASSERT(o->status_period_ms >= FK_STATUS_PERIOD_MIN_MS);
    FK_ASSERT(o->status_period_ms <= FK_STATUS_PERIOD_MAX_MS);
}

static void feed(struct fk_configmap_parse *p, bool key, struct fk_bytes text, size_t step) {
    while (text.len > 0) {
        const size_t len = text.len < step ? text.len : step;
        if (key) (void)fk_configmap_parse_key(p, fk_bytes(text.p, len));
        else fk_configmap_parse_value(p, fk_bytes(text.p, len));
        text = fk_bytes(text.p + len, text.len - len);
    }
    if (!key) fk_configmap_parse_value(p, text);
    else if (!fk_configmap_parse_key(p, text)) FK_ASSERT(strlen(p->key) < sizeof p->key);
}

static void judge(struct outcome *o) {
    struct fk_writer why;
    memset(o->memory, 0xA5, sizeof o->memory);
    fk_writer_init(&why, o->why, sizeof o->why);
    if (fk_configmap_parse_good(&o->parse)) {
        fk_configmap_parse_commit(&o->parse, o->memory);
        check_options(o->parse.set, &o->parse.options);
    } else {
        fk_configmap_parse_why(&o->parse, &why);
        FK_ASSERT(why.len > 0 && why.len < FK_MESSAGE_MAX);
        for (size_t i = 0; i < why.len; i++) FK_ASSERT(o->why[i] >= ' ' && o->why[i] <= '~');
    }
    FK_ASSERT(fk_writer_finish(&why) == 0);
}

static void parse(struct fk_bytes bytes, size_t step, struct outcome *o) {
    fk_configmap_parse_begin(&o->parse);
    bool key = true;
    while (bytes.len > 0) {
        const uint8_t *zero = memchr(bytes.p, 0, bytes.len);
        const size_t len = zero == NULL ? bytes.len : (size_t)(zero - bytes.p);
        feed(&o->parse, key, fk_bytes(bytes.p, len), step);
        const size_t used = zero == NULL ? len : len + 1;
        bytes = fk_bytes(bytes.p + used, bytes.len - used);
        key = !key;
    }
    judge(o);
}

static void drop(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    (void)ctx, (void)level, (void)message, (void)kvs, (void)count;
}

static int recall(void *ctx, void *buf, size_t cap) {
    const struct fk_bytes *kept = ctx;
    if (kept->len > cap || kept->len < 4) return 0;
    uint8_t *p = buf;
    memcpy(p, kept->p, kept->len);
    const uint32_t crc = fk_crc32(0, p, kept->len - 4);
    for (int i = 0; i < 4; i++) p[kept->len - 4 + (size_t)i] = (uint8_t)(crc >> 8 * i);
    return (int)kept->len;
}

static void read_kept(struct fk_bytes bytes) {
    static struct fk_configmaps c;
    static const struct fk_log quiet = {FK_DEBUG, NULL, drop};
    static const struct fk_port_ops ops = {.recall = recall};
    static const struct fk_options defaults = {FK_INFO, 100, 10000};
    const struct fk_port port = {&ops, &bytes};
    const struct fk_duty_env env = {NULL, &quiet, NULL};
    static struct fk_heap heap;
    static _Alignas(8) uint8_t memory[sizeof(union fk_configmap_work) + 64];
    fk_heap_init(&heap, memory, sizeof memory);
    fk_configmaps_init(&c, &env, &port, &heap, NULL, &defaults, "a/b,default/rack-1");
    check_options(7, &c.options);
    for (uint8_t i = 0; i < c.count; i++) {
        FK_ASSERT(memchr(c.all[i].uid, 0, sizeof c.all[i].uid) != NULL);
        FK_ASSERT(memchr(c.all[i].resource_version, 0, sizeof c.all[i].resource_version) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (len == 0) return 0;
    static struct outcome whole, cut, single;
    const struct fk_bytes bytes = fk_bytes(data + 1, len - 1);
    parse(bytes, len, &whole);
    parse(bytes, 1 + data[0] / 8u, &cut);
    parse(bytes, 1, &single);
    FK_ASSERT(whole.parse.fault == cut.parse.fault && whole.parse.fault == single.parse.fault);
    FK_ASSERT(strcmp(whole.why, cut.why) == 0 && strcmp(whole.why, single.why) == 0);
    FK_ASSERT(memcmp(whole.memory, cut.memory, sizeof whole.memory) == 0);
    FK_ASSERT(memcmp(whole.memory, single.memory, sizeof whole.memory) == 0);
    read_kept(bytes);
    return 0;
}
