/* Log lines: one line each whatever is in them, and JSON that is JSON however long it gets. */
#include "linux/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define WALL_US INT64_C(1795266855123999) /* 2026-11-21T13:14:15.123999Z */

static const char *format(bool json, enum fk_level level, const struct fk_kv *kvs, size_t count) {
    static char buf[FK_LOG_LINE_MAX + 1];
    const struct fk_log_line line = {WALL_US, level, "connected to the \"API\" server", kvs, count};
    buf[fk_log_format(buf, FK_LOG_LINE_MAX, json, &line)] = '\0';
    return buf;
}

static const struct fk_kv kvs[] = {
    {"server", "127.0.0.1:6443", 0},
    {"connects", NULL, -1},
    {"empty", "", 0},
    {"spaced", "a b", 0},
    {"odd", "\x1b[2J\n\"\\\x7f\xc3\xa4=", 0},
};

static void text(void **state) {
    (void)state;
    assert_string_equal(format(false, FK_INFO, kvs, 5),
                        "2026-11-21T13:14:15.123Z INFO  connected to the \"API\" server "
                        "server=127.0.0.1:6443 connects=-1 spaced=\"a b\" "
                        "odd=\"\\x1b[2J\\n\\\"\\\\\\x7f\\xc3\\xa4=\"\n");
    assert_non_null(strstr(format(false, FK_ERROR, kvs, 1), "Z ERROR connected"));
    assert_non_null(strstr(format(false, FK_WARN, kvs, 1), "Z WARN  connected"));
    assert_non_null(strstr(format(false, FK_DEBUG, kvs, 1), "Z DEBUG connected"));
}

static void json(void **state) {
    (void)state;
    assert_string_equal(format(true, FK_INFO, kvs, 5),
                        "{\"ts\":\"2026-11-21T13:14:15.123Z\",\"level\":\"INFO\","
                        "\"msg\":\"connected to the \\\"API\\\" server\","
                        "\"server\":\"127.0.0.1:6443\",\"connects\":-1,\"spaced\":\"a b\","
                        "\"odd\":\"\\u001b[2J\\n\\\"\\\\\x7f\xc3\xa4=\"}\n");
}

static void a_pair_that_does_not_fit_is_left_out_whole(void **state) {
    (void)state;
    static char large[FK_LOG_LINE_MAX];
    memset(large, 'x', sizeof large - 1);
    const struct fk_kv some[] = {FK_INT("first", 1), FK_STR("large", large), FK_INT("last", 2)};
    for (int as_json = 0; as_json < 2; as_json++) {
        const char *line = format(as_json != 0, FK_INFO, some, 3);
        assert_non_null(strstr(line, as_json ? "\"first\":1,\"last\":2}\n" : " first=1 last=2\n"));
        assert_null(strstr(line, "large"));
    }
}

/* At every size a line ends as it should, and stays in its buffer. */
static void every_size(void **state) {
    (void)state;
    for (size_t cap = 129; cap < 400; cap++) {
        char buf[401];
        memset(buf, '#', sizeof buf);
        const struct fk_log_line line = {WALL_US, FK_INFO, "m", kvs, 5};
        size_t len = fk_log_format(buf, cap, true, &line);
        assert_true(len <= cap && buf[len - 1] == '\n' && buf[len - 2] == '}' && buf[cap] == '#');
        len = fk_log_format(buf, cap, false, &line);
        assert_true(len <= cap && buf[len - 1] == '\n' && buf[cap] == '#');
    }
}

static void goes_out_in_one_piece_at_its_level(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct fk_log log;
    struct fk_log_sink sink = {.fd = ends[1], .json = false};
    fk_log_sink_init(&log, &sink, FK_INFO);
    fk_log(&log, FK_DEBUG, "unheard", FK_INT("n", 1));
    fk_log(&log, FK_WARN, "heard", FK_INT("n", 2));
    char buf[128];
    const ssize_t len = read(ends[0], buf, sizeof buf - 1);
    assert_true(len > 0);
    buf[len] = '\0';
    assert_string_equal(buf + strlen("2026-11-21T13:14:15.123Z"), " WARN  heard n=2\n");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text),
        cmocka_unit_test(json),
        cmocka_unit_test(a_pair_that_does_not_fit_is_left_out_whole),
        cmocka_unit_test(every_size),
        cmocka_unit_test(goes_out_in_one_piece_at_its_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
