#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/writer.h"
#include "support/guard.h"

_Noreturn void fk_assert_failed(const char *file, int line) {
    mock_assert(0, "FK_ASSERT", file, line);
    abort();
}

/* A document that uses every kind of put. */
static void document(struct fk_writer *w) {
    fk_put_str(w, "begin ");
    fk_put_char(w, '|');
    fk_put_u64(w, 0);
    fk_put_char(w, ' ');
    fk_put_u64(w, UINT64_MAX);
    fk_put(w, NULL, 0); /* an empty view has no address */
    fk_put_char(w, ' ');
    fk_put_i64(w, INT64_MIN);
    fk_put_i64(w, INT64_MAX);
    fk_put_padded(w, 7, 3);
    fk_put_padded(w, 1234, 3);
    fk_put_padded(w, 1, 20);
    fk_put(w, "end", 3);
}
static const char text[] = "begin |0 18446744073709551615 -92233720368547758089223372036854775807"
                           "007123400000000000000000001end";
#define LEN (sizeof text - 1)

/* Every capacity: what fits is kept, the rest is FK_E_NOMEM; nothing is written past the end. */
static void keeps_what_fits(void **state) {
    (void)state;
    for (size_t cap = 0; cap <= LEN + 2; cap++) {
        struct guard g = guard_new(cap);
        struct fk_writer w;
        fk_writer_init(&w, (char *)g.p, cap);
        document(&w);
        assert_int_equal(w.len, LEN);
        assert_int_equal(w.err, cap < LEN ? FK_E_NOMEM : 0);
        assert_int_equal(fk_writer_kept(&w), cap < LEN ? cap : LEN);
        assert_memory_equal(g.p, text, fk_writer_kept(&w));
        guard_free(&g);
    }
}

/* Every window, at every offset and of every size, is the same part of the whole document. */
static void windows_are_parts_of_the_whole(void **state) {
    (void)state;
    for (size_t cap = 0; cap <= LEN + 2; cap++) {
        struct guard g = guard_new(cap);
        for (size_t skip = 0; skip <= LEN + 2; skip++) {
            struct fk_writer w;
            fk_writer_window(&w, (char *)g.p, cap, skip);
            document(&w);
            const size_t rest = skip < LEN ? LEN - skip : 0;
            const size_t kept = rest < cap ? rest : cap;
            assert_int_equal(w.len, LEN);
            assert_int_equal(w.err, 0);
            assert_int_equal(fk_writer_kept(&w), kept);
            if (kept > 0) assert_memory_equal(g.p, text + skip, kept);
        }
        guard_free(&g);
    }
}

static void measures_without_a_buffer(void **state) {
    (void)state;
    struct fk_writer w;
    fk_writer_window(&w, NULL, 0, 0);
    document(&w);
    assert_int_equal(w.len, LEN);
    assert_int_equal(w.err, 0);
    assert_int_equal(fk_writer_kept(&w), 0);
}

static void finish_puts_a_zero(void **state) {
    (void)state;
    for (size_t cap = 1; cap <= LEN + 2; cap++) {
        struct guard g = guard_new(cap);
        struct fk_writer w;
        fk_writer_init(&w, (char *)g.p, cap);
        document(&w);
        const bool fits = cap > LEN;
        assert_int_equal(fk_writer_finish(&w), fits ? 0 : FK_E_NOMEM);
        assert_int_equal(strlen((char *)g.p), fits ? LEN : cap - 1);
        assert_memory_equal(g.p, text, fits ? LEN : cap - 1);
        guard_free(&g);
    }
}

static void finish_asserts_a_whole_document(void **state) {
    (void)state;
    char buf[4];
    struct fk_writer w;
    fk_writer_init(&w, buf, 0);
    expect_assert_failure(fk_writer_finish(&w));
    fk_writer_window(&w, buf, sizeof buf, 0);
    expect_assert_failure(fk_writer_finish(&w));
}

static void the_first_error_stays(void **state) {
    (void)state;
    char buf[4];
    struct fk_writer w;
    fk_writer_init(&w, buf, sizeof buf);
    w.err = FK_E_RANGE;
    document(&w);
    assert_int_equal(fk_writer_finish(&w), FK_E_RANGE);
}

static void views(void **state) {
    (void)state;
    const struct fk_bytes none = fk_bytes(NULL, 0);
    assert_true(fk_bytes_is(none, ""));
    assert_true(fk_bytes_starts(none, ""));
    assert_false(fk_bytes_is(none, "a"));
    assert_false(fk_bytes_starts(fk_bytes_str("ab"), "abc"));
    assert_true(fk_bytes_starts(fk_bytes_str("abc"), "ab"));
    assert_false(fk_bytes_is(fk_bytes_str("abc"), "ab"));
    assert_true(fk_bytes_is(fk_bytes_str("abc"), "abc"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_fits),
        cmocka_unit_test(windows_are_parts_of_the_whole),
        cmocka_unit_test(measures_without_a_buffer),
        cmocka_unit_test(finish_puts_a_zero),
        cmocka_unit_test(finish_asserts_a_whole_document),
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
