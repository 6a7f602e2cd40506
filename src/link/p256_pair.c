#include "link/p256_pair.h"

#include <stdbool.h>
#include <string.h>

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>

/* p256-m.h is not on our include path. */
int p256_gen_keypair(uint8_t priv[32], uint8_t pub[64]);
int p256_public_from_private(uint8_t pub[64], const uint8_t priv[32]);

static struct {
    uint8_t priv[32];
    uint8_t pub[64];
    bool there;
} last;

static void forget(void) { mbedtls_platform_zeroize(&last, sizeof last); }

int fk_p256_gen_keypair(uint8_t priv[32], uint8_t pub[64]) {
    forget();
    const int ret = p256_gen_keypair(priv, pub);
    if (ret != 0) return ret;
    memcpy(last.priv, priv, sizeof last.priv);
    memcpy(last.pub, pub, sizeof last.pub);
    last.there = true;
    return 0;
}

int fk_p256_public_from_private(uint8_t pub[64], const uint8_t priv[32]) {
    if (!last.there || mbedtls_ct_memcmp(priv, last.priv, sizeof last.priv) != 0)
        return p256_public_from_private(pub, priv);
    memcpy(pub, last.pub, sizeof last.pub);
    forget();
    return 0;
}
