#include "support/watch_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PART_MAX 40000

struct part {
    uint8_t p[PART_MAX];
    size_t len;
};

static void put_varint(struct part *pb, uint64_t value) {
    for (; value >= 0x80; value >>= 7) pb->p[pb->len++] = (uint8_t)(value | 0x80);
    pb->p[pb->len++] = (uint8_t)value;
}

static void put_field(struct part *pb, unsigned field, const void *bytes, size_t len) {
    put_varint(pb, field << 3 | 2);
    put_varint(pb, len);
    assert_true(pb->len + len <= PART_MAX);
    if (len > 0) memcpy(pb->p + pb->len, bytes, len);
    pb->len += len;
}

static void put_text(struct part *pb, unsigned field, const char *text) {
    put_field(pb, field, text, strlen(text));
}

/* "k8s\0" and runtime.Unknown around an object. */
static void put_envelope(struct part *out, const char *kind, const struct part *object) {
    struct part type = {.len = 0};
    put_text(&type, 1, "v1");
    put_text(&type, 2, kind);
    memcpy(out->p + out->len, "k8s", 4);
    out->len += 4;
    put_field(out, 1, type.p, type.len);
    put_field(out, 2, object->p, object->len);
    put_text(out, 3, "");
    put_text(out, 4, "");
}

static void put_object(struct part *out, const struct watch_case_object *object) {
    static struct part entry; /* large */
    struct part meta = {.len = 0};
    put_text(&meta, 1, "rack-1");
    put_text(&meta, 3, "default");
    if (object->uid != NULL) put_text(&meta, 5, object->uid);
    if (object->version != NULL) put_text(&meta, 6, object->version);
    put_field(out, 1, meta.p, meta.len);
    for (const char *const *d = object->data; d != NULL && *d != NULL; d += 2) {
        entry.len = 0;
        put_text(&entry, 1, d[0]);
        put_text(&entry, 2, d[1]);
        put_field(out, 2, entry.p, entry.len);
    }
    entry.len = 0;
    put_text(&entry, 1, "log_level"); /* binaryData: does not count */
    put_text(&entry, 2, "loud");
    put_field(out, 3, entry.p, entry.len);
}

static struct fk_bytes into(uint8_t *buf, const struct part *part) {
    memcpy(buf, part->p, part->len);
    return fk_bytes(buf, part->len);
}

struct fk_bytes watch_case_list(uint8_t *buf, const char *version,
                                const struct watch_case_object *object) {
    static struct part out, list, item;
    struct part meta = {.len = 0};
    out.len = list.len = item.len = 0;
    put_text(&meta, 2, version);
    put_field(&list, 1, meta.p, meta.len);
    if (object != NULL) {
        put_object(&item, object);
        put_field(&list, 2, item.p, item.len);
    }
    put_envelope(&out, "ConfigMapList", &list);
    return into(buf, &out);
}

/* The event around what a runtime.Unknown was made of. */
static struct fk_bytes event(uint8_t *buf, const char *type, const char *kind,
                             const struct part *object) {
    static struct part envelope, raw, whole;
    envelope.len = raw.len = 0;
    whole.len = 4;
    put_envelope(&envelope, kind, object);
    put_field(&raw, 1, envelope.p, envelope.len);
    put_text(&whole, 1, type);
    put_field(&whole, 2, raw.p, raw.len);
    for (int i = 0; i < 4; i++) whole.p[i] = (uint8_t)((whole.len - 4) >> (24 - 8 * i));
    return into(buf, &whole);
}

struct fk_bytes watch_case_event(uint8_t *buf, const char *type,
                                 const struct watch_case_object *object) {
    static struct part part;
    part.len = 0;
    put_object(&part, object);
    return event(buf, type, "ConfigMap", &part);
}

struct fk_bytes watch_case_error(uint8_t *buf, unsigned code) {
    struct part status = {.len = 0};
    put_text(&status, 1, "");
    put_text(&status, 2, "Failure");
    put_text(&status, 3, "too old resource version: 1 (639)");
    put_text(&status, 4, "Expired");
    put_varint(&status, 6 << 3);
    put_varint(&status, code);
    return event(buf, "ERROR", "Status", &status);
}

struct fk_bytes watch_case_golden(uint8_t *buf, size_t cap, const char *name) {
    char path[100];
    snprintf(path, sizeof path, "golden/api/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t len = fread(buf, 1, cap, file);
    assert_true(len > 0 && len < cap);
    fclose(file);
    return fk_bytes(buf, len);
}

struct fk_bytes watch_case_next(struct fk_bytes *stream) {
    assert_true(stream->len >= 4);
    const uint8_t *p = stream->p;
    const size_t len =
        4 + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | (size_t)p[3]);
    assert_true(len <= stream->len);
    *stream = fk_bytes(p + len, stream->len - len);
    return fk_bytes(p, len);
}
