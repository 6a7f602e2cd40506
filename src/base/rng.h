/* Numbers for jitter: small, fast, reproducible from a seed. Not for keys. PCG32 (O'Neill 2014). */
#ifndef FK_BASE_RNG_H
#define FK_BASE_RNG_H

#include <stdint.h>

struct fk_rng {
    uint64_t state;
};

static inline void fk_rng_seed(struct fk_rng *r, uint64_t seed) {
    /* One step, as the reference does: without it, seeds that differ by little (nodes numbered from
     * 0) would begin with the same number, and all wait equally long. */
    r->state = (seed + UINT64_C(1442695040888963407)) * UINT64_C(6364136223846793005) +
               UINT64_C(1442695040888963407);
}

static inline uint32_t fk_rng_u32(struct fk_rng *r) {
    const uint64_t old = r->state;
    r->state = old * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    const uint32_t mixed = (uint32_t)(((old >> 18) ^ old) >> 27);
    const uint32_t turn = (uint32_t)(old >> 59);
    return mixed >> turn | mixed << (-turn & 31);
}

/* 0 to bound - 1; bound > 0. The bias of the remainder does not matter for jitter. */
static inline uint32_t fk_rng_below(struct fk_rng *r, uint32_t bound) {
    return fk_rng_u32(r) % bound;
}

#endif
