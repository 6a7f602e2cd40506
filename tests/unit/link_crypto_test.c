/* link/crypto: a source of randomness that failed once is not asked again. */
#include "link/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_stays),
        cmocka_unit_test(nobodys_randomness_is_none),
    };
    return cmocka_run_group_tests_name("link_crypto", tests, NULL, NULL);
}
