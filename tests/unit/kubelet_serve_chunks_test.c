/* Endpoints' documents on their way out through wire/http1_server: in chunks, as they fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/house.h"

static struct house h;
static struct fk_http1 http;

/* Asks and begins the answer. */
static void ask(const char *target) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: board-1\r\n\r\n";
    assert_int_equal(house_ask(&h, target), 200);
    static char buf[FK_HTTP1_BUF];
    fk_http1_begin(&http);
    fk_http1_lend(&http, buf);
    assert_int_equal(fk_http1_feed(&http, fk_bytes(request, sizeof request - 1)),
                     sizeof request - 1);
    assert_int_equal(http.state, FK_HTTP1_ASKED);
    const struct fk_http1_answer answer = {.status = 200,
                                           .content_type = h.exchange.content_type,
                                           .items = h.exchange.items,
                                           .ctx = &h.exchange};
    fk_http1_answer(&http, &answer);
}

static char raw[2 * sizeof h.body];

/* What is sent until the answer is out or breaks off, `step` bytes at a time. */
static size_t pull(size_t step) {
    size_t len = 0;
    for (;;) {
        const struct fk_bytes piece = fk_http1_pull(&http);
        if (piece.len == 0) break;
        const size_t some = piece.len < step ? piece.len : step;
        assert_true(len + some < sizeof raw);
        memcpy(raw + len, piece.p, some);
        len += some;
        fk_http1_taken(&http, some);
    }
    raw[len] = '\0';
    return len;
}

/* RFC 9112 7.1; returns the body's length, in place of the chunks. */
static size_t unchunk(void) {
    char *from = strstr(raw, "\r\n\r\n"), *to = raw;
    assert_non_null(from);
    from += 4;
    for (;;) {
        char *end;
        const size_t size = strtoul(from, &end, 16);
        assert_true(end > from && strncmp(end, "\r\n", 2) == 0);
        if (size == 0) break;
        memmove(to, end + 2, size);
        to += size;
        from = end + 2 + size;
        assert_memory_equal(from, "\r\n", 2);
        from += 2;
    }
    return (size_t)(to - raw);
}

static void whole_documents(void **state) {
    (void)state;
    static const char *const targets[] = {
        "/metrics",
        "/metrics/resource",
        "/metrics/cadvisor",
        "/metrics/probes",
        "/stats/summary",
        "/pods",
        "/spec",
        "/configz",
        "/logs/",
        "/logs/femtokubelet.log",
        "/healthz?verbose",
        "/readyz",
        "/femto/status",
        "/femto/memory",
        "/femto/memory?format=json",
        "/femto/gpio",
        "/femto/led",
        "/femto/memory?length=0",
        "/femto/memory?offset=0x3ff",
    };
    house_hour(&h);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        for (size_t step = 1; step < 5000; step += 777) {
            ask(targets[i]);
            (void)pull(step);
            assert_int_equal(http.state, FK_HTTP1_IDLE);
            assert_int_equal(unchunk(), h.len);
            assert_memory_equal(raw, h.body, h.len);
        }
    }
}

/* The memory changed amid the answer: no last chunk, so that the client knows. */
static void memory_that_changes(void **state) {
    (void)state;
    house_hour(&h);
    ask("/femto/memory?format=json");
    const struct fk_bytes first = fk_http1_pull(&http);
    assert_true(first.len > 0);
    h.configmaps.writes++;
    const size_t len = pull(5000);
    assert_int_equal(http.state, FK_HTTP1_OVER);
    assert_true(len > 0);
    assert_null(strstr(raw, "\r\n0\r\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_documents),
        cmocka_unit_test(memory_that_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
