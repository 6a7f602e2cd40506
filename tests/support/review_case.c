#include "support/review_case.h"

static void put_varint(struct review_message *m, uint64_t value) {
    for (; value >= 0x80; value >>= 7) m->p[m->len++] = (uint8_t)(value | 0x80);
    m->p[m->len++] = (uint8_t)value;
}

void review_bytes(struct review_message *m, unsigned field, struct fk_bytes bytes) {
    put_varint(m, field << 3 | 2);
    put_varint(m, bytes.len);
    if (bytes.len > 0) memcpy(m->p + m->len, bytes.p, bytes.len);
    m->len += bytes.len;
}

void review_text(struct review_message *m, unsigned field, const char *text) {
    review_bytes(m, field, fk_bytes_str(text));
}

void review_number(struct review_message *m, unsigned field, uint64_t value) {
    put_varint(m, (uint64_t)field << 3);
    put_varint(m, value);
}

struct fk_bytes review_reply(uint8_t *buf, const struct review_message *status) {
    struct review_message object = {.len = 0}, unknown = {.len = 0};
    review_bytes(&object, 3, fk_bytes(status->p, status->len));
    review_bytes(&unknown, 2, fk_bytes(object.p, object.len));
    memcpy(buf, "k8s", 4);
    memcpy(buf + 4, unknown.p, unknown.len);
    return fk_bytes(buf, 4 + unknown.len);
}

struct fk_bytes review_token(uint8_t *buf, const char *name, const char *uid,
                             const char *const *groups) {
    struct review_message user = {.len = 0}, status = {.len = 0};
    review_text(&user, 1, name);
    review_text(&user, 2, uid);
    for (; *groups != NULL; groups++) review_text(&user, 3, *groups);
    review_number(&status, 1, 1);
    review_bytes(&status, 2, fk_bytes(user.p, user.len));
    return review_reply(buf, &status);
}

struct fk_bytes review_no_token(uint8_t *buf) {
    struct review_message status = {.len = 0};
    review_number(&status, 1, 0);
    review_bytes(&status, 2, fk_bytes("\x0A\x00\x12\x00", 4)); /* a user of empty texts */
    review_text(&status, 3, "invalid bearer token");
    return review_reply(buf, &status);
}

struct fk_bytes review_access(uint8_t *buf, bool allowed) {
    struct review_message status = {.len = 0};
    review_number(&status, 1, allowed ? 1 : 0);
    review_number(&status, 4, 0);
    return review_reply(buf, &status);
}

/* FNV-1a, four times from different beginnings. */
void review_sha256(const void *bytes, size_t len, uint8_t out[32]) {
    const uint8_t *p = bytes;
    for (size_t word = 0; word < 4; word++) {
        uint64_t hash = UINT64_C(0xCBF29CE484222325) + word;
        for (size_t i = 0; i < len; i++) hash = (hash ^ p[i]) * UINT64_C(0x100000001B3);
        memcpy(out + 8 * word, &hash, sizeof hash);
    }
}
