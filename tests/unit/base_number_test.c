/* Numbers at their bounds, and what is none. */
#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"

static void bounds(void **state) {
    (void)state;
    uint64_t n = 7;
    assert_int_equal(fk_number_parse("0", 0, 9, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(fk_number_parse("0009", 0, 9, &n), 0);
    assert_int_equal(n, 9);
    assert_int_equal(fk_number_parse("18446744073709551615", 0, UINT64_MAX, &n), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(fk_number_parse("18446744073709551616", 0, UINT64_MAX, &n), FK_E_RANGE);
    assert_int_equal(fk_number_parse("10", 0, 9, &n), FK_E_RANGE);
    assert_int_equal(fk_number_parse("3", 4, 9, &n), FK_E_RANGE);
    assert_true(n == UINT64_MAX); /* left alone */
}

static void no_numbers(void **state) {
    (void)state;
    static const char *const rows[] = {"", "0x1", "-1", "+1", " 1", "1 ", "1.0", "1e3", "/", ":"};
    uint64_t n = 7;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fk_number_parse(rows[i], 0, 9, &n) != FK_E_PARSE) fail_msg("\"%s\"", rows[i]);
    assert_int_equal(n, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds),
        cmocka_unit_test(no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
