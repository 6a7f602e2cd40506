/* link/drbg: the standard's bytes, and none without a seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "link/crypto.h"
#include "link/drbg.h"

static _Alignas(8) uint8_t memory[2048];
static struct fk_heap heap;

static int setup(void **state) {
    (void)state;
    fk_heap_init(&heap, memory, sizeof memory);
    fk_crypto_use_heap(&heap);
    return 0;
}

static const uint8_t seed[FK_DRBG_SEED_MIN] = "a seed of thirty-two bytes, all";

static void nothing_comes_without_a_seed(void **state) {
    (void)state;
    struct fk_drbg d = {0};
    uint8_t out[8] = {0};
    assert_int_equal(fk_drbg_fill(&d, out, sizeof out), FK_E_ENTROPY);
    assert_int_equal(fk_drbg_seed(&d, seed, FK_DRBG_SEED_MIN - 1), FK_E_ENTROPY);
    assert_int_equal(fk_drbg_fill(&d, out, sizeof out), FK_E_ENTROPY);
}

/* SP 800-90A HMAC_DRBG: K = 0, V = 1…, update with the seed; computed with Python's hmac. */
static void gives_the_bytes_of_the_standard(void **state) {
    (void)state;
    static const uint8_t want[] = {
        0x26, 0xb6, 0xe9, 0x12, 0x7d, 0xc5, 0x4b, 0xdc, 0xf4, 0x38, 0x9f, 0x9e, 0x90, 0x34,
        0xef, 0x56, 0x1a, 0x62, 0xeb, 0x22, 0x52, 0x61, 0x62, 0x1a, 0x70, 0x1b, 0xac, 0xeb,
        0xb7, 0xc2, 0xd6, 0x77, 0x2b, 0xc6, 0x35, 0x2c, 0xd7, 0xcb, 0x70, 0xa5,
    };
    struct fk_drbg d = {0};
    uint8_t out[sizeof want];
    assert_int_equal(fk_drbg_seed(&d, seed, sizeof seed), 0);
    assert_int_equal(fk_drbg_fill(&d, out, sizeof out), 0);
    assert_memory_equal(out, want, sizeof want);
    mbedtls_hmac_drbg_free(&d.hmac);
}

static void long_requests_are_split(void **state) {
    (void)state;
    static uint8_t out[MBEDTLS_HMAC_DRBG_MAX_REQUEST + 1];
    struct fk_drbg d = {0};
    assert_int_equal(fk_drbg_seed(&d, seed, sizeof seed), 0);
    assert_int_equal(fk_drbg_fill(&d, out, sizeof out), 0);
    uint8_t other[sizeof seed];
    assert_int_equal(fk_drbg_fill(&d, other, sizeof other), 0);
    assert_memory_not_equal(out, other, sizeof other);
    mbedtls_hmac_drbg_free(&d.hmac);
}

static void running_out_of_memory_is_said(void **state) {
    (void)state;
    fk_heap_init(&heap, memory, 128);
    struct fk_drbg d = {0};
    uint8_t out[8];
    assert_int_equal(fk_drbg_seed(&d, seed, sizeof seed), FK_E_NOMEM);
    assert_int_equal(fk_drbg_fill(&d, out, sizeof out), FK_E_ENTROPY);
    assert_int_equal(heap.used_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_comes_without_a_seed, setup),
        cmocka_unit_test_setup(gives_the_bytes_of_the_standard, setup),
        cmocka_unit_test_setup(long_requests_are_split, setup),
        cmocka_unit_test_setup(running_out_of_memory_is_said, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
