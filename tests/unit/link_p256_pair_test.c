/* link/p256_pair: the public key of a new pair is not computed twice, and any other is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "link/p256_pair.h"

/* In p256-m's place: keys that are easy to tell, and counts. */
static unsigned made, computed;
static int made_ret;

int p256_gen_keypair(uint8_t priv[32], uint8_t pub[64]);
int p256_public_from_private(uint8_t pub[64], const uint8_t priv[32]);

int p256_gen_keypair(uint8_t priv[32], uint8_t pub[64]) {
    made++;
    memset(priv, (int)made, 32);
    memset(pub, (int)(0x80 + made), 64);
    return made_ret;
}

int p256_public_from_private(uint8_t pub[64], const uint8_t priv[32]) {
    computed++;
    memset(pub, 0x80 + priv[0], 64);
    return 0;
}

static int setup(void **state) {
    (void)state;
    made = computed = 0;
    made_ret = 0;
    return 0;
}

static void expect(uint8_t number, unsigned computations) {
    uint8_t priv[32], pub[64], want[64];
    memset(priv, number, sizeof priv);
    memset(want, 0x80 + number, sizeof want);
    assert_int_equal(fk_p256_public_from_private(pub, priv), 0);
    assert_memory_equal(pub, want, sizeof want);
    assert_int_equal(computed, computations);
}

static void a_new_pair_is_known_once(void **state) {
    (void)state;
    uint8_t priv[32], pub[64];
    assert_int_equal(fk_p256_gen_keypair(priv, pub), 0);
    expect(1, 0);
    expect(1, 1); /* it was wiped */
}

static void another_key_is_computed(void **state) {
    (void)state;
    uint8_t priv[32], pub[64];
    assert_int_equal(fk_p256_gen_keypair(priv, pub), 0);
    expect(7, 1);
    expect(1, 1); /* the new one is still known */
}

static void keys_that_differ_in_one_byte_are_others(void **state) {
    (void)state;
    for (size_t i = 0; i < 32; i++) {
        uint8_t priv[32], pub[64];
        computed = 0;
        assert_int_equal(fk_p256_gen_keypair(priv, pub), 0);
        priv[i] ^= 0x40;
        assert_int_equal(fk_p256_public_from_private(pub, priv), 0);
        assert_int_equal(computed, 1);
    }
}

static void only_the_last_pair_is_kept(void **state) {
    (void)state;
    uint8_t priv[32], pub[64];
    assert_int_equal(fk_p256_gen_keypair(priv, pub), 0);
    assert_int_equal(fk_p256_gen_keypair(priv, pub), 0);
    expect(1, 1);
    expect(2, 1);
}

static void a_pair_that_failed_is_not_kept(void **state) {
    (void)state;
    uint8_t priv[32], pub[64];
    assert_int_equal(fk_p256_gen_keypair(priv, pub), 0);
    made_ret = -1;
    assert_int_equal(fk_p256_gen_keypair(priv, pub), -1);
    expect(2, 1);
    expect(1, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_pair_is_known_once, setup),
        cmocka_unit_test_setup(another_key_is_computed, setup),
        cmocka_unit_test_setup(keys_that_differ_in_one_byte_are_others, setup),
        cmocka_unit_test_setup(only_the_last_pair_is_kept, setup),
        cmocka_unit_test_setup(a_pair_that_failed_is_not_kept, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
