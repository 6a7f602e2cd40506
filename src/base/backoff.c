#include "base/backoff.h"

uint32_t fk_backoff_next(struct fk_backoff *b, struct fk_rng *rng) {
    const uint32_t delay = b->next_ms == 0 ? b->min_ms : b->next_ms;
    b->next_ms = delay > b->max_ms / 2 ? b->max_ms : delay * 2;
    const uint32_t quarter = delay / 4;
    return delay - quarter + fk_rng_below(rng, 2 * quarter + 1);
}
