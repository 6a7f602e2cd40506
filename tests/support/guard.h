/* Bytes that end where an unreadable page begins: one byte read too far ends the test. */
#ifndef FK_TESTS_SUPPORT_GUARD_H
#define FK_TESTS_SUPPORT_GUARD_H

#include "base/bytes.h"

struct guard {
    uint8_t *p; /* len bytes, writable */
    size_t len;
    void *map;
    size_t map_len;
};

struct guard guard_new(size_t len);
struct guard guard_copy(struct fk_bytes bytes);
void guard_free(struct guard *g);

/* A file of tests/golden, for example "api/node.pb"; a missing one fails the test. */
struct guard guard_golden(const char *name);

static inline struct fk_bytes guard_bytes(const struct guard *g) { return fk_bytes(g->p, g->len); }

#endif
