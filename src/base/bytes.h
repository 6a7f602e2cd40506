/* A view of bytes that somebody else owns. */
#ifndef FK_BASE_BYTES_H
#define FK_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fk_bytes {
    const uint8_t *p; /* may be NULL when len is 0 */
    size_t len;
};

static inline struct fk_bytes fk_bytes(const void *p, size_t len) {
    return (struct fk_bytes){(const uint8_t *)p, len};
}

/* The view of a zero-terminated string, the zero left out. */
static inline struct fk_bytes fk_bytes_str(const char *s) { return fk_bytes(s, strlen(s)); }

static inline bool fk_bytes_is(struct fk_bytes b, const char *s) {
    const size_t len = strlen(s);
    return b.len == len && (len == 0 || memcmp(b.p, s, len) == 0);
}

static inline bool fk_bytes_starts(struct fk_bytes b, const char *s) {
    const size_t len = strlen(s);
    return b.len >= len && (len == 0 || memcmp(b.p, s, len) == 0);
}

#endif
