/* Buckets with bounds, and a sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/histogram.h"

static const uint32_t bounds[FK_HISTOGRAM_BOUNDS] = {1, 10, 100, 1000, 10000, UINT32_MAX};

/* A bound belongs to its bucket, as Prometheus' le has it. */
static void edges(void **state) {
    (void)state;
    static const struct {
        uint64_t value;
        unsigned bucket;
    } rows[] = {
        {0, 0},          {1, 0},          {2, 1},
        {10, 1},         {11, 2},         {10000, 4},
        {10001, 5},      {UINT32_MAX, 5}, {UINT64_C(1) + UINT32_MAX, 6},
        {UINT64_MAX, 6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fk_histogram h = {0};
        fk_histogram_add(&h, bounds, rows[i].value);
        assert_int_equal(h.counts[rows[i].bucket], 1);
        assert_int_equal(fk_histogram_total(&h), 1);
        assert_true(h.sum == rows[i].value);
    }
}

static void counts_and_sum(void **state) {
    (void)state;
    struct fk_histogram h = {0};
    assert_int_equal(fk_histogram_total(&h), 0);
    for (unsigned i = 0; i < 20; i++) fk_histogram_add(&h, bounds, i);
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[1], 9);
    assert_int_equal(h.counts[2], 9);
    assert_int_equal(fk_histogram_total(&h), 20);
    assert_int_equal(h.sum, 190);
}

/* One that is full begins anew whole, with the value that did not fit. */
static void full(void **state) {
    (void)state;
    struct fk_histogram h = {.sum = 5, .counts = {UINT32_MAX, 7}};
    fk_histogram_add(&h, bounds, 2);
    assert_int_equal(h.counts[1], 8);
    fk_histogram_add(&h, bounds, 1);
    assert_int_equal(h.counts[0], 1);
    assert_int_equal(fk_histogram_total(&h), 1);
    assert_int_equal(h.sum, 1);

    h = (struct fk_histogram){.sum = UINT64_MAX - 3, .counts = {1}};
    fk_histogram_add(&h, bounds, 3);
    assert_true(h.sum == UINT64_MAX);
    fk_histogram_add(&h, bounds, 1);
    assert_int_equal(h.sum, 1);
    assert_int_equal(fk_histogram_total(&h), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges),
        cmocka_unit_test(counts_and_sum),
        cmocka_unit_test(full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
