#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/err.h"
#include "support/guard.h"

#define LAST_S INT64_C(253402300799)
#define UNTOUCHED INT64_C(-12345)

/* Days counted one by one, with the calendar's rule written out once more. */
static void every_day_until_9999(void **state) {
    (void)state;
    struct fk_civil want = {1970, 1, 1, 0, 0, 0};
    static const int32_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int64_t day = 0; day * 86400 <= LAST_S; day++) {
        struct fk_civil c;
        int64_t back = UNTOUCHED;
        const int64_t unix_s = day * 86400 + day % 86400;
        fk_date_from_unix(unix_s, &c);
        assert_true(c.year == want.year && c.month == want.month && c.day == want.day);
        assert_int_equal(fk_date_to_unix(&c, &back), 0);
        assert_true(back == unix_s);
        const bool leap = want.year % 400 == 0 || (want.year % 4 == 0 && want.year % 100 != 0);
        const int32_t length = lengths[want.month - 1] + (leap && want.month == 2);
        if (++want.day > length) {
            want.day = 1;
            want.month++;
        }
        if (want.month > 12) {
            want.month = 1;
            want.year++;
        }
    }
    assert_int_equal(want.year, 10000);
}

static void fields_out_of_range(void **state) {
    (void)state;
    static const struct {
        struct fk_civil civil;
        int result;
        int64_t unix_s;
    } rows[] = {
        {{1970, 1, 1, 0, 0, 0}, 0, 0},
        {{2000, 2, 29, 23, 59, 59}, 0, 951868799},
        {{2024, 2, 29, 0, 0, 0}, 0, 1709164800},
        {{2016, 12, 31, 23, 59, 60}, 0, 1483228799}, /* the leap second counts as 59 */
        {{9999, 12, 31, 23, 59, 59}, 0, LAST_S},
        {{2100, 2, 29, 0, 0, 0}, FK_E_RANGE, UNTOUCHED},
        {{2025, 2, 29, 0, 0, 0}, FK_E_RANGE, UNTOUCHED},
        {{2025, 4, 31, 0, 0, 0}, FK_E_RANGE, UNTOUCHED},
        {{1969, 12, 31, 23, 59, 59}, FK_E_RANGE, UNTOUCHED},
        {{10000, 1, 1, 0, 0, 0}, FK_E_RANGE, UNTOUCHED},
        {{2025, 0, 1, 0, 0, 0}, FK_E_RANGE, UNTOUCHED},
        {{2025, 13, 1, 0, 0, 0}, FK_E_RANGE, UNTOUCHED},
        {{2025, 1, 0, 0, 0, 0}, FK_E_RANGE, UNTOUCHED},
        {{2025, 1, 1, -1, 0, 0}, FK_E_RANGE, UNTOUCHED},
        {{2025, 1, 1, 24, 0, 0}, FK_E_RANGE, UNTOUCHED},
        {{2025, 1, 1, 0, 60, 0}, FK_E_RANGE, UNTOUCHED},
        {{2025, 1, 1, 0, -1, 0}, FK_E_RANGE, UNTOUCHED},
        {{2025, 1, 1, 0, 0, 61}, FK_E_RANGE, UNTOUCHED},
        {{2025, 1, 1, 0, 0, -1}, FK_E_RANGE, UNTOUCHED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t unix_s = UNTOUCHED;
        assert_int_equal(fk_date_to_unix(&rows[i].civil, &unix_s), rows[i].result);
        assert_true(unix_s == rows[i].unix_s);
    }
}

typedef int parse(struct fk_bytes text, int64_t *value);

static void expect(parse *f, const char *text, int result, int64_t value) {
    struct guard g = guard_copy(fk_bytes_str(text));
    int64_t got = UNTOUCHED;
    print_message("\"%s\"\n", text);
    assert_int_equal(f(guard_bytes(&g), &got), result);
    assert_true(got == (result == 0 ? value : UNTOUCHED));
    guard_free(&g);
}

/* No beginning of a date is a date, and no byte behind its end is read. */
static void expect_whole_only(parse *f, const char *text) {
    for (size_t len = 0; len < strlen(text); len++) {
        struct guard g = guard_copy(fk_bytes(text, len));
        int64_t got = UNTOUCHED;
        assert_int_equal(f(guard_bytes(&g), &got), FK_E_PARSE);
        assert_true(got == UNTOUCHED);
        guard_free(&g);
    }
}

static void http_dates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int result;
        int64_t unix_s;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0, 784111777}, /* RFC 9110's example */
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0, 0},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 0, LAST_S},
        {"Xyz, 06 Nov 1994 08:49:37 GMT", 0, 784111777}, /* the day's name is not looked at */
        {"Sun, 31 Nov 1994 08:49:37 GMT", FK_E_RANGE, 0},
        {"Sun, 06 Nov 1969 08:49:37 GMT", FK_E_RANGE, 0},
        {"Sun, 06 nov 1994 08:49:37 GMT", FK_E_PARSE, 0},
        {"Sun, 06 Nov 1994 08:49:37 UTC", FK_E_PARSE, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", FK_E_PARSE, 0},
        {"Sun, 6 Nov 1994 08:49:37 GMT", FK_E_PARSE, 0},
        {"Sun,  6 Nov 1994 08:49:37 GMT", FK_E_PARSE, 0},
        {"Sunday, 06-Nov-94 08:49:37 GMT", FK_E_PARSE, 0}, /* obsolete forms */
        {"Sun Nov  6 08:49:37 1994", FK_E_PARSE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(fk_date_parse_http, rows[i].text, rows[i].result, rows[i].unix_s);
    expect_whole_only(fk_date_parse_http, rows[0].text);
}

static void rfc3339_dates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int result;
        int64_t unix_us;
    } rows[] = {
        {"2026-07-01T12:34:56Z", 0, 1782909296000000},
        {"2026-07-01T12:34:56.1Z", 0, 1782909296100000},
        {"2026-07-01T12:34:56.000001Z", 0, 1782909296000001},
        {"2026-07-01T12:34:56.123456999999999999Z", 0, 1782909296123456},
        {"2026-07-01T14:34:56+02:00", 0, 1782909296000000},
        {"2026-07-01T12:04:56.5-00:30", 0, 1782909296500000},
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1970-01-01T01:00:00+01:00", 0, 0},
        {"9999-12-31T23:59:59.999999Z", 0, LAST_S * 1000000 + 999999},
        /* Inside the years as written, outside in UTC. */
        {"1970-01-01T00:59:59+01:00", FK_E_RANGE, 0},
        {"9999-12-31T23:59:59-00:01", FK_E_RANGE, 0},
        {"2026-02-30T12:34:56Z", FK_E_RANGE, 0},
        {"1969-12-31T23:59:59Z", FK_E_RANGE, 0},
        {"2026-07-01T24:00:00Z", FK_E_RANGE, 0},
        {"2026-07-01T12:34:56+24:00", FK_E_PARSE, 0},
        {"2026-07-01T12:34:56+00:60", FK_E_PARSE, 0},
        {"2026-07-01T12:34:56.Z", FK_E_PARSE, 0},
        {"2026-07-01T12:34:56z", FK_E_PARSE, 0},
        {"2026-07-01t12:34:56Z", FK_E_PARSE, 0},
        {"2026-07-01 12:34:56Z", FK_E_PARSE, 0},
        {"2026-07-01T12:34:56Z ", FK_E_PARSE, 0},
        {"2026-7-01T12:34:56Z", FK_E_PARSE, 0},
        {"12026-07-01T12:34:56Z", FK_E_PARSE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(fk_date_parse_rfc3339, rows[i].text, rows[i].result, rows[i].unix_us);
    expect_whole_only(fk_date_parse_rfc3339, rows[2].text);
    expect_whole_only(fk_date_parse_rfc3339, rows[4].text);
}

static void written_dates(void **state) {
    (void)state;
    static const struct {
        int64_t unix_us;
        const char *seconds, *micros;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
        {1782909296000001, "2026-07-01T12:34:56Z", "2026-07-01T12:34:56.000001Z"},
        {1782909296999999, "2026-07-01T12:34:56Z", "2026-07-01T12:34:56.999999Z"},
        {LAST_S * 1000000, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000Z"},
        {INT64_MAX, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.775807Z"},
        {-1, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
        {FK_WALL_UNKNOWN, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char buf[40];
        struct fk_writer w;
        fk_writer_init(&w, buf, sizeof buf);
        fk_date_put_seconds(&w, rows[i].unix_us);
        assert_int_equal(fk_writer_finish(&w), 0);
        assert_string_equal(buf, rows[i].seconds);
        fk_writer_init(&w, buf, sizeof buf);
        fk_date_put_micros(&w, rows[i].unix_us);
        assert_int_equal(fk_writer_finish(&w), 0);
        assert_string_equal(buf, rows[i].micros);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_until_9999), cmocka_unit_test(fields_out_of_range),
        cmocka_unit_test(http_dates),           cmocka_unit_test(rfc3339_dates),
        cmocka_unit_test(written_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
