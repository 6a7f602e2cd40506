/* link/crypto: a source of randomness that failed once is not asked again; each source takes memory
 * of its own heap. */
#include "link/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/platform.h>
#include <psa/crypto.h>

#include "base/err.h"

struct dice {
    unsigned calls;
    unsigned fails_at; /* the call that fails; 0: none */
};

static int roll(void *ctx, void *buf, size_t len) {
    struct dice *d = ctx;
    d->calls++;
    memset(buf, 0x5A, len);
    return d->calls == d->fails_at ? FK_E_ENTROPY : 0;
}

static void a_failure_stays(void **state) {
    (void)state;
    struct dice d = {.fails_at = 2};
    struct fk_crypto_source source = {.entropy = roll, .ctx = &d};
    struct fk_crypto_source *former = fk_crypto_swap(&source);
    unsigned char out[4] = {0};
    assert_int_equal(fk_crypto_random(NULL, out, sizeof out), 0);
    assert_int_equal(out[3], 0x5A);
    assert_true(fk_crypto_random(NULL, out, sizeof out) != 0);
    assert_true(source.failed);
    for (int i = 0; i < 3; i++) {
        assert_true(fk_crypto_random(NULL, out, sizeof out) != 0);
        size_t len = sizeof out;
        assert_int_equal(mbedtls_psa_external_get_random(NULL, out, sizeof out, &len),
                         PSA_ERROR_INSUFFICIENT_ENTROPY);
        assert_int_equal(len, 0);
    }
    assert_int_equal(d.calls, 2);
    source.failed = false; /* as each new connection begins */
    assert_int_equal(fk_crypto_random(NULL, out, sizeof out), 0);
    assert_ptr_equal(fk_crypto_swap(former), &source);
}

static void nobodys_randomness_is_none(void **state) {
    (void)state;
    struct fk_crypto_source *former = fk_crypto_swap(NULL);
    unsigned char out[4];
    assert_true(fk_crypto_random(NULL, out, sizeof out) != 0);
    (void)fk_crypto_swap(former);
}

/* ---- Heaps ------------------------------------------------------------------------------------
 */

static _Alignas(8) uint8_t common_bytes[4096], own_bytes[1024];
static struct fk_heap common, own;

static int heaps_setup(void **state) {
    (void)state;
    fk_heap_init(&common, common_bytes, sizeof common_bytes);
    fk_heap_init(&own, own_bytes, sizeof own_bytes);
    fk_crypto_use_heap(&common);
    return 0;
}

static void a_source_takes_of_its_own_heap(void **state) {
    (void)state;
    struct fk_crypto_source mine = {.heap = &own}, anybody = {0};
    assert_ptr_equal(fk_crypto_heap_of(NULL), &common);
    assert_ptr_equal(fk_crypto_heap_of(&anybody), &common);
    assert_ptr_equal(fk_crypto_heap_of(&mine), &own);

    void *before = mbedtls_calloc(1, 100); /* nobody is set */
    struct fk_crypto_source *former = fk_crypto_swap(&mine);
    assert_int_equal(own.used_bytes, 0);
    void *of_mine = mbedtls_calloc(10, 10);
    assert_true(own.used_bytes >= 100);
    const uint32_t level = common.used_bytes;
    mbedtls_free(NULL);
    mbedtls_free(before); /* goes back to where it lies */
    assert_true(common.used_bytes < level);
    mbedtls_free(of_mine);
    assert_int_equal(own.used_bytes, 0);
    assert_int_equal(common.used_bytes, 0);

    (void)fk_crypto_swap(&anybody);
    void *of_common = mbedtls_calloc(1, 2000);
    assert_int_equal(own.used_bytes, 0);
    mbedtls_free(of_common);
    (void)fk_crypto_swap(former);
}

static void a_full_heap_does_not_take_of_the_other(void **state) {
    (void)state;
    struct fk_crypto_source mine = {.heap = &own};
    struct fk_crypto_source *former = fk_crypto_swap(&mine);
    assert_null(mbedtls_calloc(1, sizeof own_bytes));
    assert_int_equal(own.failures, 1);
    assert_int_equal(common.failures, 0);
    assert_int_equal(common.used_bytes, 0);
    (void)fk_crypto_swap(former);
}

static void keys_take_of_the_heap_that_is_set(void **state) {
    (void)state;
    struct fk_crypto_source mine = {.heap = &own};
    struct fk_crypto_source *former = fk_crypto_swap(&mine);
    assert_int_equal(fk_crypto_start(), 0);
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_HMAC);
    psa_key_id_t key;
    assert_int_equal(psa_import_key(&attributes, (const uint8_t *)"key", 3, &key), PSA_SUCCESS);
    assert_true(own.used_bytes > 0);
    assert_int_equal(common.used_bytes, 0); /* nothing of PSA's own stays behind in either */
    assert_int_equal(psa_destroy_key(key), PSA_SUCCESS);
    assert_int_equal(own.used_bytes, 0);
    fk_crypto_stop();
    (void)fk_crypto_swap(former);
}

/* ---- SHA-256 ----------------------------------------------------------------------------------
 */

static void sha256_is_that_of_fips_180_4(void **state) {
    (void)state;
    const struct {
        const char *text;
        uint8_t first[4], last[4];
    } rows[] = {
        {"", {0xe3, 0xb0, 0xc4, 0x42}, {0x78, 0x52, 0xb8, 0x55}},
        {"abc", {0xba, 0x78, 0x16, 0xbf}, {0xf2, 0x00, 0x15, 0xad}},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         {0x24, 0x8d, 0x6a, 0x61},
         {0x19, 0xdb, 0x06, 0xc1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t digest[32];
        fk_crypto_sha256(rows[i].text, strlen(rows[i].text), digest);
        assert_memory_equal(digest, rows[i].first, 4);
        assert_memory_equal(digest + 28, rows[i].last, 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_stays),
        cmocka_unit_test(nobodys_randomness_is_none),
        cmocka_unit_test_setup(a_source_takes_of_its_own_heap, heaps_setup),
        cmocka_unit_test_setup(a_full_heap_does_not_take_of_the_other, heaps_setup),
        cmocka_unit_test_setup(keys_take_of_the_heap_that_is_set, heaps_setup),
        cmocka_unit_test(sha256_is_that_of_fips_180_4),
    };
    return cmocka_run_group_tests_name("link_crypto", tests, NULL, NULL);
}
