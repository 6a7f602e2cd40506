/* Exponential backoff with jitter: how long to wait before the next try. */
#ifndef FK_BASE_BACKOFF_H
#define FK_BASE_BACKOFF_H

#include "base/rng.h"

struct fk_backoff {
    uint32_t min_ms, max_ms; /* 0 < min_ms <= max_ms < 2^30 */
    uint32_t next_ms;        /* 0: min_ms is next */
};

static inline void fk_backoff_init(struct fk_backoff *b, uint32_t min_ms, uint32_t max_ms) {
    *b = (struct fk_backoff){min_ms, max_ms, 0};
}

static inline void fk_backoff_reset(struct fk_backoff *b) { b->next_ms = 0; }

/* Milliseconds to wait now: the current delay, more or less a quarter; the next is twice as long,
 * up to max_ms. */
uint32_t fk_backoff_next(struct fk_backoff *b, struct fk_rng *rng);

#endif
