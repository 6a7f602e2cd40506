/* /logs/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/house.h"

static struct house h;

static void index_page(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/logs/"), 200);
    assert_string_equal(h.content_type, "text/html; charset=utf-8");
    assert_non_null(strstr(h.body, "<a href=\"femtokubelet.log\">femtokubelet.log</a>"));
    assert_int_equal(house_ask(&h, "/logs"), 200);
}

/* Whole lines, the oldest first, as many as the ring holds. */
static void the_log(void **state) {
    (void)state;
    static const char line[] = "I lease renewed renewals=360\n";
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/logs/femtokubelet.log"), 200);
    assert_string_equal(h.content_type, "text/plain; charset=utf-8");
    assert_int_equal(h.len, sizeof h.ring_bytes / (sizeof line - 1) * (sizeof line - 1));
    for (size_t at = 0; at < h.len; at += sizeof line - 1)
        assert_memory_equal(h.body + at, line, sizeof line - 1);
}

static void an_empty_log(void **state) {
    (void)state;
    house_hour(&h);
    fk_log_ring_init(&h.ring, h.ring_bytes, sizeof h.ring_bytes);
    assert_int_equal(house_ask(&h, "/logs/femtokubelet.log"), 200);
    assert_int_equal(h.len, 0);
}

/* Lines that come while it is being read do not make it endless, and the log may lap the reader. */
static void written_while_read(void **state) {
    (void)state;
    for (unsigned lines = 1; lines < 60; lines++) {
        house_hour(&h);
        assert_int_equal(house_ask(&h, "/logs/femtokubelet.log"), 200);
        uint32_t cursor = 0, pieces = 0;
        char piece[FK_HTTP1_ITEM_MAX];
        struct fk_writer w;
        do {
            fk_writer_init(&w, piece, sizeof piece);
            for (unsigned i = 0; i < lines; i++) fk_log_ring_add(&h.ring, "a line more\n", 12);
            assert_true(++pieces < 10);
        } while (h.exchange.items(&h.exchange, &cursor, &w));
    }
}

/* The ring's count of bytes wraps at 2^32. */
static void counts_that_wrap(void **state) {
    (void)state;
    house_hour(&h);
    h.ring.written = 100;
    assert_int_equal(house_ask(&h, "/logs/femtokubelet.log"), 200);
    assert_true(h.len > 900);
}

static void nothing_else(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/logs/syslog"), 404);
    assert_int_equal(house_ask(&h, "/logs/femtokubelet.log/"), 404);
    assert_int_equal(house_ask(&h, "/logs/femtokubelet.lo"), 404);
    h.house.ring = NULL;
    assert_int_equal(house_ask(&h, "/logs/"), 404);
    assert_int_equal(house_ask(&h, "/logs/femtokubelet.log"), 404);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_page),       cmocka_unit_test(the_log),
        cmocka_unit_test(an_empty_log),     cmocka_unit_test(written_while_read),
        cmocka_unit_test(counts_that_wrap), cmocka_unit_test(nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
