/* base/heap: blocks never overlap, nothing is lost, and running out is an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/rng.h"

void fk_assert_failed(const char *file, int line) {
    mock_assert(0, "FK_ASSERT", file, line);
    abort();
}

#define SIZE 4096
static _Alignas(8) uint8_t memory[SIZE + 64];
static struct fk_heap heap;

static void start(size_t size) {
    memset(memory, 0xa5, sizeof memory);
    fk_heap_init(&heap, memory, size);
}

/* A fresh heap again: one block, all of it. */
static void expect_empty(size_t size) {
    assert_int_equal(heap.used_bytes, 0);
    assert_int_equal(fk_heap_largest(&heap), (size & ~(size_t)7) - 8);
}

static void starts_as_one_block(void **state) {
    (void)state;
    for (size_t size = 64; size < 80; size++) {
        start(size);
        expect_empty(size);
        assert_int_equal(heap.peak_bytes, 0);
        const uint32_t largest = fk_heap_largest(&heap);
        assert_null(fk_heap_alloc(&heap, largest + 1));
        void *p = fk_heap_alloc(&heap, largest);
        assert_ptr_equal(p, memory + 8);
        memset(p, 0, largest);
        assert_int_equal(heap.used_bytes, largest + 8);
        assert_int_equal(heap.free_head, FK_HEAP_NONE);
        assert_int_equal(fk_heap_largest(&heap), 0);
        assert_null(fk_heap_alloc(&heap, 0));
        fk_heap_free(&heap, p);
        expect_empty(size);
        assert_int_equal(memory[size], 0xa5); /* and nothing behind it was touched */
    }
}

static void mistakes_are_noticed(void **state) {
    (void)state;
    start(SIZE);
    expect_assert_failure(fk_heap_init(&heap, memory + 4, SIZE));
    expect_assert_failure(fk_heap_init(&heap, memory, 63));
    start(SIZE);
    void *a = fk_heap_alloc(&heap, 100);
    void *b = fk_heap_alloc(&heap, 100);
    void *c = fk_heap_alloc(&heap, 100);
    uint8_t outside = 0;
    expect_assert_failure(fk_heap_free(&heap, &outside));
    fk_heap_free(&heap, b);
    expect_assert_failure(fk_heap_free(&heap, b));
    fk_heap_free(&heap, a);
    expect_assert_failure(fk_heap_free(&heap, a));
    expect_assert_failure(fk_heap_free(&heap, b)); /* merged into a meanwhile */
    expect_assert_failure((void)fk_heap_realloc(&heap, b, 5));
    fk_heap_free(&heap, c);
    expect_assert_failure(fk_heap_free(&heap, c)); /* merged on both sides */
    fk_heap_free(&heap, NULL);
    expect_empty(SIZE);
}

static void odd_sizes(void **state) {
    (void)state;
    start(SIZE);
    static const size_t absurd[] = {SIZE,     SIZE - 7,     SIZE + 1,     (size_t)1 << 31,
                                    SIZE_MAX, SIZE_MAX - 7, SIZE_MAX - 8, SIZE_MAX / 2};
    uint32_t failures = 0;
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++, failures++) {
        assert_int_equal(heap.failures, failures);
        assert_null(fk_heap_alloc(&heap, absurd[i]));
    }
    assert_null(fk_heap_calloc(&heap, SIZE_MAX / 2, 3));
    assert_null(fk_heap_calloc(&heap, 3, SIZE_MAX / 2));
    assert_null(fk_heap_calloc(&heap, SIZE / 2, 2));
    assert_int_equal(heap.failures, failures + 3);
    assert_int_equal(heap.allocations, 0);

    void *nothing = fk_heap_alloc(&heap, 0);
    void *none = fk_heap_calloc(&heap, 0, 5);
    assert_non_null(nothing);
    assert_non_null(none);
    assert_ptr_not_equal(nothing, none);
    fk_heap_free(&heap, nothing);
    fk_heap_free(&heap, none);
    assert_int_equal(heap.allocations, 2);
    expect_empty(SIZE);
}

static void calloc_clears(void **state) {
    (void)state;
    start(SIZE);
    uint8_t *p = fk_heap_calloc(&heap, 13, 7);
    for (size_t i = 0; i < 91; i++) assert_int_equal(p[i], 0);
    fk_heap_free(&heap, p);
}

static void realloc_keeps_what_was_there(void **state) {
    (void)state;
    start(SIZE);
    uint8_t *p = fk_heap_realloc(&heap, NULL, 20);
    for (uint8_t i = 0; i < 20; i++) p[i] = i;
    assert_ptr_equal(fk_heap_realloc(&heap, p, 5), p); /* smaller: in place */
    void *wall = fk_heap_alloc(&heap, 8);
    uint8_t *moved = fk_heap_realloc(&heap, p, 200);
    assert_ptr_not_equal(moved, p);
    for (uint8_t i = 0; i < 20; i++) assert_int_equal(moved[i], i);
    assert_null(fk_heap_realloc(&heap, moved, SIZE)); /* and the old block stays */
    for (uint8_t i = 0; i < 20; i++) assert_int_equal(moved[i], i);
    assert_int_equal(heap.failures, 1);
    fk_heap_free(&heap, wall);
    fk_heap_free(&heap, moved);
    expect_empty(SIZE);
}

/* The smallest hole that fits is taken, so that large ones stay large. */
static void takes_the_best_fit(void **state) {
    (void)state;
    start(SIZE);
    void *holes[4], *walls[4];
    static const size_t sizes[4] = {400, 100, 200, 104};
    for (int i = 0; i < 4; i++) {
        holes[i] = fk_heap_alloc(&heap, sizes[i]);
        walls[i] = fk_heap_alloc(&heap, 16);
    }
    for (int i = 0; i < 4; i++) fk_heap_free(&heap, holes[i]);
    assert_ptr_equal(fk_heap_alloc(&heap, 190), holes[2]);
    assert_ptr_equal(fk_heap_alloc(&heap, 201), holes[0]); /* leaves the rest of it as a hole */
    void *small[2] = {fk_heap_alloc(&heap, 97), fk_heap_alloc(&heap, 98)};
    assert_true((small[0] == holes[1] && small[1] == holes[3]) ||
                (small[0] == holes[3] && small[1] == holes[1]));
    for (int i = 0; i < 4; i++) fk_heap_free(&heap, walls[i]);
    fk_heap_free(&heap, small[0]);
    fk_heap_free(&heap, small[1]);
    fk_heap_free(&heap, holes[2]);
    fk_heap_free(&heap, holes[0]);
    expect_empty(SIZE);
}

/* Every other block free: half the heap is free, and nothing larger than one block fits. */
static void fragmentation_and_back(void **state) {
    (void)state;
    start(SIZE);
    void *blocks[SIZE / 32];
    const size_t count = SIZE / 32;
    for (size_t i = 0; i < count; i++) blocks[i] = fk_heap_alloc(&heap, 24);
    assert_int_equal(heap.used_bytes, SIZE);
    assert_null(fk_heap_alloc(&heap, 1));
    for (size_t i = 0; i < count; i += 2) fk_heap_free(&heap, blocks[i]);
    assert_int_equal(heap.used_bytes, SIZE / 2);
    assert_int_equal(fk_heap_largest(&heap), 24);
    assert_null(fk_heap_alloc(&heap, 25));
    for (size_t i = 1; i < count; i += 2) fk_heap_free(&heap, blocks[i]);
    expect_empty(SIZE);
    assert_int_equal(heap.peak_bytes, SIZE);
    assert_int_equal(heap.failures, 2);
}

/* ---- a model: what is alive, and what stands in it ------------------------------------------ */

#define LIVE 64
struct live {
    uint8_t *p;
    size_t len;
    uint8_t fill;
};

static void check_content(const struct live *l, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (l->p[i] != l->fill) fail_msg("byte %zu of a block of %zu", i, l->len);
}

static void check_all(const struct live *live) {
    size_t bytes = 0;
    for (size_t i = 0; i < LIVE; i++) {
        if (live[i].p == NULL) continue;
        assert_int_equal((uintptr_t)live[i].p & 7u, 0);
        assert_true(live[i].p >= memory + 8 && live[i].p + live[i].len <= memory + SIZE);
        check_content(&live[i], live[i].len);
        bytes += live[i].len + 8;
    }
    assert_true(heap.used_bytes >= bytes && heap.used_bytes <= heap.peak_bytes);
    assert_true(heap.peak_bytes <= SIZE);
    const uint32_t largest = fk_heap_largest(&heap);
    assert_true(largest == 0 || heap.used_bytes + largest + 8 <= SIZE);
}

static void one_step(struct live *l, struct fk_rng *rng) {
    const size_t len = fk_rng_below(rng, 8) == 0 ? fk_rng_below(rng, 1500) : fk_rng_below(rng, 150);
    const bool fits = len <= fk_heap_largest(&heap) && fk_heap_largest(&heap) > 0;
    if (l->p == NULL) {
        l->p = fk_heap_alloc(&heap, len);
        assert_int_equal(l->p != NULL, fits);
        l->len = len;
    } else if (fk_rng_below(rng, 3) == 0) {
        uint8_t *p = fk_heap_realloc(&heap, l->p, len);
        assert_true(p != NULL || (!fits && len > l->len));
        if (p == NULL) return;
        l->p = p;
        check_content(l, len < l->len ? len : l->len);
        l->len = len;
    } else {
        fk_heap_free(&heap, l->p);
        l->p = NULL;
    }
    l->fill = (uint8_t)fk_rng_u32(rng);
    if (l->p != NULL) memset(l->p, l->fill, l->len);
}

static void random_use_agrees_with_a_model(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fk_rng rng;
        fk_rng_seed(&rng, seed);
        struct live live[LIVE] = {0};
        start(SIZE);
        for (int step = 0; step < 5000; step++) {
            one_step(&live[fk_rng_below(&rng, LIVE)], &rng);
            check_all(live);
        }
        assert_true(heap.failures > 0);
        for (size_t i = 0; i < LIVE; i++) fk_heap_free(&heap, live[i].p);
        expect_empty(SIZE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_as_one_block),
        cmocka_unit_test(mistakes_are_noticed),
        cmocka_unit_test(odd_sizes),
        cmocka_unit_test(calloc_clears),
        cmocka_unit_test(realloc_keeps_what_was_there),
        cmocka_unit_test(takes_the_best_fit),
        cmocka_unit_test(fragmentation_and_back),
        cmocka_unit_test(random_use_agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
