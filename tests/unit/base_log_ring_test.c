/* The most recent lines: against a history that forgets nothing. */
#include "base/log_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/guard.h"

#define SIZE 64

struct world {
    struct fk_log_ring ring;
    struct guard memory;
    char history[4096];
    uint32_t len;
};

static void begin(struct world *w, size_t size) {
    w->len = 0;
    w->memory = guard_new(size);
    fk_log_ring_init(&w->ring, w->memory.p, size);
}

static void add(struct world *w, const char *text) {
    const size_t len = strlen(text);
    memcpy(w->history + w->len, text, len);
    w->len += (uint32_t)len;
    fk_log_ring_add(&w->ring, text, len);
}

/* Where the oldest line begins that is whole within the last SIZE bytes. */
static uint32_t oldest(const struct world *w) {
    uint32_t at = w->len > SIZE ? w->len - SIZE : 0;
    while (at > 0 && at < w->len && w->history[at - 1] != '\n') at++;
    return at;
}

/* All that is there, read in pieces of `step` bytes. */
static void expect_tail(const struct world *w, size_t step) {
    uint32_t cursor = fk_log_ring_first(&w->ring), at = oldest(w);
    assert_int_equal(w->ring.written - cursor, w->len - at);
    for (;;) {
        char out[SIZE];
        const size_t got = fk_log_ring_read(&w->ring, &cursor, out, step);
        if (got == 0) break;
        assert_true(got <= step);
        assert_memory_equal(out, w->history + at, got);
        at += (uint32_t)got;
    }
    assert_int_equal(at, w->len);
    assert_int_equal(cursor, w->ring.written);
}

static void empty(void **state) {
    (void)state;
    struct world w;
    begin(&w, SIZE);
    uint32_t cursor = fk_log_ring_first(&w.ring);
    char out[4];
    assert_int_equal(cursor, 0);
    assert_int_equal(fk_log_ring_read(&w.ring, &cursor, out, sizeof out), 0);
    fk_log_ring_add(&w.ring, "", 0);
    assert_int_equal(w.ring.written, 0);
    guard_free(&w.memory);
}

static void of_no_size(void **state) {
    (void)state;
    struct fk_log_ring ring;
    fk_log_ring_init(&ring, NULL, 0);
    fk_log_ring_add(&ring, "a\n", 2);
    uint32_t cursor = 0;
    char out[4];
    assert_int_equal(fk_log_ring_read(&ring, &cursor, out, sizeof out), 0);
}

/* Lines of all lengths, so that the seam passes through every place. */
static void the_newest_lines_stay(void **state) {
    (void)state;
    for (unsigned longest = 1; longest < SIZE; longest += 3) {
        struct world w;
        begin(&w, SIZE);
        for (unsigned i = 0; i < 60; i++) {
            char line[SIZE + 1];
            const unsigned len = (i * 7) % longest + 1;
            memset(line, 'a' + (int)(i % 26), len);
            memcpy(line + len - 1, "\n", 2);
            add(&w, line);
            expect_tail(&w, SIZE);
            expect_tail(&w, 1);
            expect_tail(&w, 7);
        }
        guard_free(&w.memory);
    }
}

/* A line that begins exactly with the oldest byte is whole; one byte more, and it is not. */
static void edge_of_a_line(void **state) {
    (void)state;
    struct world w;
    begin(&w, SIZE);
    add(&w, "gone\n");
    for (unsigned i = 0; i < SIZE / 8; i++) add(&w, "1234567\n");
    assert_int_equal(fk_log_ring_first(&w.ring), 5);
    expect_tail(&w, SIZE);
    add(&w, "x");
    assert_int_equal(fk_log_ring_first(&w.ring), 5 + 8);
    expect_tail(&w, SIZE);
    guard_free(&w.memory);
}

/* The end of a line larger than the ring is no line; what follows it is. */
static void a_line_larger_than_the_ring(void **state) {
    (void)state;
    struct world w;
    begin(&w, SIZE);
    for (unsigned i = 0; i < 20; i++) {
        add(&w, "0123456789");
        expect_tail(&w, SIZE);
    }
    add(&w, "\nthen this\n");
    expect_tail(&w, SIZE);
    char out[SIZE];
    uint32_t cursor = fk_log_ring_first(&w.ring);
    assert_int_equal(fk_log_ring_read(&w.ring, &cursor, out, sizeof out), 10);
    assert_memory_equal(out, "then this\n", 10);

    char large[3 * SIZE + 1];
    memset(large, '-', 3 * SIZE);
    memcpy(large + 3 * SIZE - 6, "\nlast\n", 7);
    add(&w, large);
    expect_tail(&w, SIZE);
    guard_free(&w.memory);
}

/* A reader goes on where it was; whom the writer overtook goes on with a whole line. */
static void reading_while_written(void **state) {
    (void)state;
    struct world w;
    begin(&w, SIZE);
    char out[SIZE];
    uint32_t cursor = fk_log_ring_first(&w.ring);
    add(&w, "one\ntwo\n");
    assert_int_equal(fk_log_ring_read(&w.ring, &cursor, out, 5), 5);
    add(&w, "three\n");
    assert_int_equal(fk_log_ring_read(&w.ring, &cursor, out, sizeof out), 9);
    assert_memory_equal(out, "wo\nthree\n", 9);
    assert_int_equal(fk_log_ring_read(&w.ring, &cursor, out, sizeof out), 0);
    add(&w, "four\n");
    assert_int_equal(fk_log_ring_read(&w.ring, &cursor, out, 2), 2);
    for (unsigned i = 0; i < 9; i++) add(&w, "0123456\n");
    add(&w, "end\n");
    assert_int_equal(fk_log_ring_read(&w.ring, &cursor, out, sizeof out), 7 * 8 + 4);
    assert_memory_equal(out, "0123456\n", 8);
    assert_memory_equal(out + 7 * 8, "end\n", 4);
    guard_free(&w.memory);
}

/* A cursor that was never ours is as one that was overtaken. */
static void a_foreign_cursor(void **state) {
    (void)state;
    struct world w;
    begin(&w, SIZE);
    add(&w, "line\n");
    char out[SIZE];
    uint32_t cursor = 1000;
    assert_int_equal(fk_log_ring_read(&w.ring, &cursor, out, sizeof out), 5);
    guard_free(&w.memory);
}

/* The count of bytes wraps after 4 GB, and the size need not divide it. */
static void the_count_wraps(void **state) {
    (void)state;
    static const size_t sizes[] = {SIZE, 61};
    for (unsigned i = 0; i < 2; i++) {
        struct world w;
        begin(&w, sizes[i]);
        w.ring.written = UINT32_MAX - 20;
        uint32_t cursor = w.ring.written;
        for (unsigned k = 0; k < 8; k++) {
            char out[8];
            add(&w, "0123456\n");
            assert_int_equal(fk_log_ring_read(&w.ring, &cursor, out, sizeof out), 8);
            assert_memory_equal(out, "0123456\n", 8);
        }
        assert_int_equal(cursor, (uint32_t)(UINT32_MAX - 20 + 64u));
        guard_free(&w.memory);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(of_no_size),
        cmocka_unit_test(the_newest_lines_stay),
        cmocka_unit_test(edge_of_a_line),
        cmocka_unit_test(a_line_larger_than_the_ring),
        cmocka_unit_test(reading_while_written),
        cmocka_unit_test(a_foreign_cursor),
        cmocka_unit_test(the_count_wraps),
    };
    return cmocka_run_group_tests_name("base/log_ring", tests, NULL, NULL);
}
