/* Random bytes out of a seed: HMAC_DRBG with SHA-256 (NIST SP 800-90A §10.1.2), by Mbed TLS. For
 * boards whose source of entropy is slow or given once; the seed decides everything that follows,
 * so it must be secret, fresh at each start and of 32 bytes or more. Takes about 350 bytes of Mbed
 * TLS's heap, which must be there already (fk_tls_use_heap). */
#ifndef FK_LINK_DRBG_H
#define FK_LINK_DRBG_H

#include <stdbool.h>

#include <mbedtls/hmac_drbg.h>

#define FK_DRBG_SEED_MIN 32 /* bytes */

struct fk_drbg {
    mbedtls_hmac_drbg_context hmac;
    bool seeded;
};

/* 0; FK_E_ENTROPY: the seed is too short; FK_E_NOMEM. A zeroed struct is one not seeded yet; once
 * it is seeded, seeding again mixes nothing in and is an assertion. */
int fk_drbg_seed(struct fk_drbg *d, const void *seed, size_t len);

/* As port.h's entropy: 0, or FK_E_ENTROPY while not seeded. */
int fk_drbg_fill(struct fk_drbg *d, void *buf, size_t len);

#endif
