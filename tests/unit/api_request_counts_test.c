/* Requests by method and code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "api/request_counts.h"

static struct fk_request_counts c;

static uint32_t count_of(enum fk_request_method method, int code) {
    for (unsigned i = 0; i < FK_REQUEST_COUNTS_ROWS; i++)
        if (c.rows[i].count > 0 && c.rows[i].method == method && c.rows[i].code == code)
            return c.rows[i].count;
    return 0;
}

static void told_apart(void **state) {
    (void)state;
    memset(&c, 0, sizeof c);
    fk_request_counts_add(&c, FK_METHOD_GET, 200, true, 5);
    fk_request_counts_add(&c, FK_METHOD_PATCH, 200, true, 6);
    fk_request_counts_add(&c, FK_METHOD_PATCH, 200, true, 7);
    fk_request_counts_add(&c, FK_METHOD_PATCH, 409, true, 8001);
    assert_int_equal(count_of(FK_METHOD_GET, 200), 1);
    assert_int_equal(count_of(FK_METHOD_PATCH, 200), 2);
    assert_int_equal(count_of(FK_METHOD_PATCH, 409), 1);
    assert_int_equal(c.other, 0);
    assert_int_equal(c.latencies[FK_METHOD_GET].counts[0], 1);
    assert_int_equal(c.latencies[FK_METHOD_PATCH].counts[1], 2);
    assert_int_equal(c.latencies[FK_METHOD_PATCH].counts[FK_HISTOGRAM_BOUNDS], 1);
}

/* Without an answer there is no time to the answer; a watch's says nothing. */
static void untimed(void **state) {
    (void)state;
    memset(&c, 0, sizeof c);
    fk_request_counts_add(&c, FK_METHOD_GET, -3, true, 10000);
    fk_request_counts_add(&c, FK_METHOD_GET, -7, true, 10000);
    fk_request_counts_add(&c, FK_METHOD_GET, 70000, true, 1);
    fk_request_counts_add(&c, FK_METHOD_GET, 200, false, 600000);
    assert_int_equal(count_of(FK_METHOD_GET, 0), 3);
    assert_int_equal(count_of(FK_METHOD_GET, 200), 1);
    assert_int_equal(fk_histogram_total(&c.latencies[FK_METHOD_GET]), 0);
}

static void a_full_table(void **state) {
    (void)state;
    memset(&c, 0, sizeof c);
    for (int i = 0; i < FK_REQUEST_COUNTS_ROWS; i++)
        fk_request_counts_add(&c, FK_METHOD_POST, 400 + i, true, 1);
    assert_int_equal(c.other, 0);
    fk_request_counts_add(&c, FK_METHOD_POST, 500, true, 1);
    fk_request_counts_add(&c, FK_METHOD_PUT, 400, true, 1);
    assert_int_equal(c.other, 2);
    fk_request_counts_add(&c, FK_METHOD_POST, 400, true, 1);
    assert_int_equal(count_of(FK_METHOD_POST, 400), 2);
    assert_int_equal(fk_histogram_total(&c.latencies[FK_METHOD_PUT]), 1);
}

/* A count that wraps does not free its row. */
static void wrapped(void **state) {
    (void)state;
    memset(&c, 0, sizeof c);
    fk_request_counts_add(&c, FK_METHOD_GET, 200, true, 1);
    fk_request_counts_add(&c, FK_METHOD_GET, 404, true, 1);
    c.rows[0].count = UINT32_MAX;
    fk_request_counts_add(&c, FK_METHOD_GET, 200, true, 1);
    assert_int_equal(count_of(FK_METHOD_GET, 200), 1);
    assert_int_equal(count_of(FK_METHOD_GET, 404), 1);
}

static void names(void **state) {
    (void)state;
    static const char *const want[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
    for (unsigned i = 0; i < FK_REQUEST_METHODS; i++)
        assert_string_equal(fk_request_method_name((enum fk_request_method)i), want[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_apart), cmocka_unit_test(untimed), cmocka_unit_test(a_full_table),
        cmocka_unit_test(wrapped),    cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
