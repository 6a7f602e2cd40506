#include "link/drbg.h"

#include "base/assert.h"
#include "base/err.h"

int fk_drbg_seed(struct fk_drbg *d, const void *seed, size_t len) {
    FK_ASSERT(!d->seeded);
    if (len < FK_DRBG_SEED_MIN) return FK_E_ENTROPY;
    mbedtls_hmac_drbg_init(&d->hmac);
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    if (mbedtls_hmac_drbg_seed_buf(&d->hmac, sha256, seed, len) != 0) {
        mbedtls_hmac_drbg_free(&d->hmac);
        return FK_E_NOMEM;
    }
    d->seeded = true;
    return 0;
}

int fk_drbg_fill(struct fk_drbg *d, void *buf, size_t len) {
    uint8_t *p = buf;
    if (!d->seeded) return FK_E_ENTROPY;
    while (len > 0) {
        const size_t part =
            len < MBEDTLS_HMAC_DRBG_MAX_REQUEST ? len : MBEDTLS_HMAC_DRBG_MAX_REQUEST;
        if (mbedtls_hmac_drbg_random(&d->hmac, p, part) != 0) return FK_E_ENTROPY;
        p += part;
        len -= part;
    }
    return 0;
}
