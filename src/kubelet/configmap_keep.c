#include "kubelet/configmap_keep.h"

#include "base/crc32.h"
#include "base/err.h"
#include "kubelet/configmap.h"

#define HEAD 8
#define TAIL 4

/* Where in an entry. */
enum { AT_REF = 0, AT_SET = 4, AT_LEVEL, AT_BRIGHTNESS, AT_TURN, AT_PERIOD, AT_UID = 12 };
enum { AT_VERSION = AT_UID + FK_UID_MAX + 1 };

_Static_assert(FK_CONFIGMAP_DOCUMENT <= FK_PORT_KEEP_MAX, "the port keeps no more");
_Static_assert(FK_MEMORY_BYTES <= UINT16_MAX, "its length is two bytes of the document");

static const uint8_t magic[4] = {'F', 'K', 'C', 1};

static void put_u32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}
static uint32_t get_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static void put_u16(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}
static uint32_t get_u16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }

static uint32_t ref_crc(const struct fk_configmap *m) { return fk_crc32(0, m->ref, m->ref_len); }

/* How many changed before this one. */
static uint8_t rank(const struct fk_configmaps *c, const struct fk_configmap *m) {
    uint8_t before = 0;
    for (uint8_t i = 0; i < c->count; i++)
        if (c->all[i].turn < m->turn) before++;
    return before;
}

static void put_entry(const struct fk_configmaps *c, const struct fk_configmap *m, uint8_t *p) {
    memset(p, 0, FK_CONFIGMAP_ENTRY);
    put_u32(p + AT_REF, ref_crc(m));
    p[AT_SET] = m->set;
    p[AT_LEVEL] = m->options.log_level;
    p[AT_BRIGHTNESS] = m->options.led_brightness;
    p[AT_TURN] = rank(c, m);
    put_u32(p + AT_PERIOD, m->options.status_period_ms);
    memcpy(p + AT_UID, m->uid, strlen(m->uid));
    memcpy(p + AT_VERSION, m->resource_version, strlen(m->resource_version));
}

size_t fk_configmap_keep_write(struct fk_configmaps *c) {
    uint8_t *p = c->work->document;
    memcpy(p, magic, sizeof magic);
    put_u16(p + 4, FK_MEMORY_BYTES);
    put_u16(p + 6, c->count);
    memcpy(p + HEAD, c->memory, FK_MEMORY_BYTES);
    size_t len = HEAD + FK_MEMORY_BYTES;
    for (uint8_t i = 0; i < c->count; i++, len += FK_CONFIGMAP_ENTRY)
        put_entry(c, &c->all[i], p + len);
    put_u32(p + len, fk_crc32(0, p, len));
    return len + TAIL;
}

static bool entry_good(const uint8_t *p) {
    const uint32_t period_ms = get_u32(p + AT_PERIOD);
    if (p[AT_VERSION - 1] != 0 || p[FK_CONFIGMAP_ENTRY - 1] != 0) return false;
    if ((p[AT_SET] & FK_SET_LOG_LEVEL) != 0 && p[AT_LEVEL] > FK_DEBUG) return false;
    if ((p[AT_SET] & FK_SET_LED_BRIGHTNESS) != 0 && p[AT_BRIGHTNESS] > 100) return false;
    return (p[AT_SET] & FK_SET_STATUS_PERIOD) == 0 ||
           (period_ms >= FK_STATUS_PERIOD_MIN_MS && period_ms <= FK_STATUS_PERIOD_MAX_MS);
}

static void take_entry(struct fk_configmap *m, const uint8_t *p) {
    m->set = p[AT_SET];
    m->options = (struct fk_options){.log_level = p[AT_LEVEL],
                                     .led_brightness = p[AT_BRIGHTNESS],
                                     .status_period_ms = get_u32(p + AT_PERIOD)};
    m->turn = p[AT_TURN] + 1u;
    memcpy(m->uid, p + AT_UID, sizeof m->uid);
    memcpy(m->resource_version, p + AT_VERSION, sizeof m->resource_version);
}

static bool good(const uint8_t *p, size_t len) {
    if (len < HEAD + TAIL || memcmp(p, magic, sizeof magic) != 0) return false;
    const size_t entries = HEAD + get_u16(p + 4);
    if (len != entries + get_u16(p + 6) * FK_CONFIGMAP_ENTRY + TAIL) return false;
    if (get_u32(p + len - TAIL) != fk_crc32(0, p, len - TAIL)) return false;
    for (size_t at = entries; at < len - TAIL; at += FK_CONFIGMAP_ENTRY)
        if (!entry_good(p + at)) return false;
    return true;
}

int fk_configmap_keep_read(struct fk_configmaps *c, size_t len) {
    const uint8_t *p = c->work->document;
    if (!good(p, len)) return FK_E_PARSE;
    const size_t memory_len = get_u16(p + 4);
    memcpy(c->memory, p + HEAD, memory_len < FK_MEMORY_BYTES ? memory_len : FK_MEMORY_BYTES);
    for (size_t at = HEAD + memory_len; at < len - TAIL; at += FK_CONFIGMAP_ENTRY)
        for (uint8_t i = 0; i < c->count; i++)
            if (get_u32(p + at + AT_REF) == ref_crc(&c->all[i])) take_entry(&c->all[i], p + at);
    return 0;
}
