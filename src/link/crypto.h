/* What is process-wide in Mbed TLS: its heap, PSA, and PSA's random generator.
 *
 * Mbed TLS takes memory through two global function pointers and PSA takes random bytes from one
 * global function, so this file has the only mutable globals of src/. Whoever calls into Mbed TLS
 * (a TLS client, a server, a certificate request) names its source of randomness for the length of
 * the call. One thread only. */
#ifndef FK_LINK_CRYPTO_H
#define FK_LINK_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"

struct fk_crypto_source {
    int (*entropy)(void *ctx, void *buf, size_t len); /* 0, or FK_E_ENTROPY */
    void *ctx;
    bool failed;          /* set when entropy refused; the owner clears it */
    struct fk_heap *heap; /* whose memory it is; NULL: fk_crypto_use_heap's */
};

/* Mbed TLS's calloc and free from now on, for every source that names no heap of its own. Memory
 * goes back to the heap in whose range it lies: that of the source now set, or this one. So what a
 * source with a heap of its own has made is freed under a source with that heap. Nothing of Mbed
 * TLS may be in use at the change; the heap must stay. */
void fk_crypto_use_heap(struct fk_heap *heap);
struct fk_heap *fk_crypto_heap(void); /* NULL before */

/* That of s, or what fk_crypto_use_heap was given. */
struct fk_heap *fk_crypto_heap_of(const struct fk_crypto_source *s);

/* Starts PSA with the first user, and ends it (giving its memory back) with the last. Returns 0,
 * FK_E_NOMEM or FK_E_CONFIG (no heap). A source must be set. */
int fk_crypto_start(void);
void fk_crypto_stop(void);

/* Random bytes come from s until the next call; NULL: there are none. Returns the former source,
 * to be put back. */
struct fk_crypto_source *fk_crypto_swap(struct fk_crypto_source *s);

/* Of bytes, SHA-256 (FIPS 180-4). For keys of caches and names of objects. */
void fk_crypto_sha256(const void *bytes, size_t len, uint8_t out[32]);

/* Mbed TLS's f_rng over the current source; ctx is not used. */
int fk_crypto_random(void *ctx, unsigned char *out, size_t len);

#endif
