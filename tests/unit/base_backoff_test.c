#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "base/err.h"

/* The delay doubles up to its bound; each is taken more or less a quarter. */
static void doubles_with_jitter(void **state) {
    (void)state;
    static const uint32_t delays[] = {200, 400, 800, 1600, 3200, 6400, 7000, 7000};
    struct fk_rng rng;
    struct fk_backoff b;
    fk_backoff_init(&b, 200, 7000);
    uint32_t lowest = UINT32_MAX, highest = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        fk_rng_seed(&rng, seed);
        fk_backoff_reset(&b);
        for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
            const uint32_t wait = fk_backoff_next(&b, &rng);
            assert_in_range(wait, delays[i] - delays[i] / 4, delays[i] + delays[i] / 4);
            if (i == 0 && wait < lowest) lowest = wait;
            if (i == 0 && wait > highest) highest = wait;
        }
    }
    assert_true(lowest < 160 && highest > 240); /* nearly the whole range comes up */
}

static void extremes(void **state) {
    (void)state;
    struct fk_rng rng;
    fk_rng_seed(&rng, 1);
    struct fk_backoff b;
    fk_backoff_init(&b, 1, 1);
    for (int i = 0; i < 100; i++) assert_int_equal(fk_backoff_next(&b, &rng), 1);
    const uint32_t max = (1u << 30) - 1;
    fk_backoff_init(&b, max, max);
    for (int i = 0; i < 100; i++)
        assert_in_range(fk_backoff_next(&b, &rng), max - max / 4, max + max / 4);
    fk_backoff_init(&b, 3, 4); /* the bound is no power of the first delay */
    (void)fk_backoff_next(&b, &rng);
    assert_int_equal(b.next_ms, 4);
}

static void numbers_repeat_with_their_seed(void **state) {
    (void)state;
    struct fk_rng a, b, other;
    fk_rng_seed(&a, 42);
    fk_rng_seed(&b, 42);
    fk_rng_seed(&other, 43);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        const uint32_t value = fk_rng_u32(&a);
        assert_int_equal(value, fk_rng_u32(&b));
        if (value == fk_rng_u32(&other)) same++;
    }
    assert_true(same < 3);
}

static void numbers_keep_below_their_bound(void **state) {
    (void)state;
    struct fk_rng r;
    fk_rng_seed(&r, 7);
    unsigned counts[5] = {0};
    for (int i = 0; i < 5000; i++) counts[fk_rng_below(&r, 5)]++;
    for (size_t i = 0; i < 5; i++) assert_in_range(counts[i], 850, 1150);
    assert_int_equal(fk_rng_below(&r, 1), 0);
}

/* Every code has a text of its own. */
static void errors_have_texts(void **state) {
    (void)state;
    int known = 0;
    for (int err = 0; err > -64; err--) {
        if (strcmp(fk_err_text(err), "unknown error") == 0) continue;
        known++;
        for (int other = 0; other > err; other--)
            assert_string_not_equal(fk_err_text(err), fk_err_text(other));
    }
    assert_true(known >= 17);
    assert_string_equal(fk_err_text(1), "unknown error");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_with_jitter),
        cmocka_unit_test(extremes),
        cmocka_unit_test(numbers_repeat_with_their_seed),
        cmocka_unit_test(numbers_keep_below_their_bound),
        cmocka_unit_test(errors_have_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
