#include "link/crypto.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/platform.h>
#include <mbedtls/sha256.h>
#include <psa/crypto.h>

#include "base/assert.h"
#include "base/err.h"

static struct fk_heap *crypto_heap;
static struct fk_crypto_source *source;
static unsigned users;

static bool holds(const struct fk_heap *heap, const void *p) {
    const uintptr_t at = (uintptr_t)p, base = (uintptr_t)heap->base;
    return at >= base && at - base < heap->size;
}

static void *heap_calloc(size_t count, size_t size) {
    return fk_heap_calloc(fk_crypto_heap_of(source), count, size);
}

static void heap_free(void *p) {
    struct fk_heap *heap = fk_crypto_heap_of(source);
    fk_heap_free(p == NULL || holds(heap, p) ? heap : crypto_heap, p);
}

void fk_crypto_use_heap(struct fk_heap *heap) {
    FK_ASSERT(users == 0);
    crypto_heap = heap;
    mbedtls_platform_set_calloc_free(heap_calloc, heap_free);
}

struct fk_heap *fk_crypto_heap(void) {
    return crypto_heap;
}

struct fk_heap *fk_crypto_heap_of(const struct fk_crypto_source *s) {
    return s != NULL && s->heap != NULL ? s->heap : crypto_heap;
}

int fk_crypto_start(void) {
    if (crypto_heap == NULL) {
        return FK_E_CONFIG;
    }
    /* Without a generator of its own, all that PSA's start can want is memory. */
    if (users == 0 && psa_crypto_init() != PSA_SUCCESS) {
        mbedtls_psa_crypto_free();
        return FK_E_NOMEM;
    }
    users++;
    return 0;
}

void fk_crypto_stop(void) {
    FK_ASSERT(users > 0);
    users--;
    if (users == 0) {
        mbedtls_psa_crypto_free();
    }
}

struct fk_crypto_source *fk_crypto_swap(struct fk_crypto_source *s) {
    struct fk_crypto_source *former = source;
    source = s;
    return former;
}

void fk_crypto_sha256(const void *bytes, size_t len, uint8_t out[32]) {
    const int ret = mbedtls_sha256(bytes, len, out, 0);
    FK_ASSERT(ret == 0); /* only what computes it in hardware can fail */
}

static bool fill(void *out, size_t len) {
    if (source == NULL) {
        return false;
    }
    /* Once refused, always refused: a key must not be half made of a later, luckier call. */
    if (source->failed || source->entropy(source->ctx, out, len) != 0) {
        source->failed = true;
        return false;
    }
    return true;
}

int fk_crypto_random(void *ctx, unsigned char *out, size_t len) {
    (void)ctx;
    return fill(out, len) ? 0 : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}

/* PSA's own use of randomness, MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG. */
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t output_size,
                                             size_t *output_length) {
    (void)context;
    *output_length = 0;
    if (!fill(output, output_size)) {
        return PSA_ERROR_INSUFFICIENT_ENTROPY;
    }
    *output_length = output_size;
    return PSA_SUCCESS;
}
