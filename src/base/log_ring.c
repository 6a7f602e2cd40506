#include "base/log_ring.h"

void fk_log_ring_init(struct fk_log_ring *r, void *buf, size_t size) {
    *r = (struct fk_log_ring){.buf = buf, .size = (uint32_t)size};
}

/* The byte that is `back` bytes older than the next one, 1 to held. */
static char byte(const struct fk_log_ring *r, uint32_t back) {
    return r->buf[r->at >= back ? r->at - back : r->at + r->size - back];
}

/* Puts len bytes, which fit between r->at and the end of buf. */
static void put(struct fk_log_ring *r, const char *text, uint32_t len) {
    const uint32_t room = r->size - r->held;
    if (len > room) { /* the oldest go */
        r->cut = byte(r, r->held - (len - room) + 1) != '\n';
        r->held -= len - room;
    }
    memcpy(r->buf + r->at, text, len);
    r->at = r->at + len == r->size ? 0 : r->at + len;
    r->held += len;
    r->written += len;
}

void fk_log_ring_add(struct fk_log_ring *r, const char *text, size_t len) {
    if (r->size == 0) return;
    while (len > 0) {
        const uint32_t room = r->size - r->at;
        const uint32_t piece = len < room ? (uint32_t)len : room;
        put(r, text, piece);
        text += piece;
        len -= piece;
    }
}

uint32_t fk_log_ring_first(const struct fk_log_ring *r) {
    uint32_t back = r->held;
    if (!r->cut) return r->written - back;
    while (back > 0 && byte(r, back) != '\n') back--;
    return r->written - (back > 0 ? back - 1 : 0);
}

size_t fk_log_ring_read(const struct fk_log_ring *r, uint32_t *cursor, char *out, size_t cap) {
    if (r->written - *cursor > r->held) *cursor = fk_log_ring_first(r);
    uint32_t back = r->written - *cursor;
    size_t len = 0;
    for (; back > 0 && len < cap; back--) out[len++] = byte(r, back);
    *cursor += (uint32_t)len;
    return len;
}
