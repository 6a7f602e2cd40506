/* One HTTP/1.1 connection: bytes in, what is shown of them; answers in, bytes out. Each request
 * runs whole, byte by byte and at every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "wire/http1_server.h"

#define HOST "Host: h\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

/* ---- the client ------------------------------------------------------------------------------ */

struct client {
    struct fk_http1 http;
    char buf[FK_HTTP1_BUF];
    struct fk_http1_answer answer; /* how everything is answered that is not refused */
    char shown[4096];              /* what was asked, one after the other */
    char got[16384];               /* what was answered */
    size_t got_len;
    unsigned pulls;
};

static void begin(struct client *c) {
    memset(c, 0, sizeof *c);
    memset(&c->http, 0xa5, sizeof c->http);
    memset(c->buf, 0xa5, sizeof c->buf);
    c->answer.status = 200;
    fk_http1_begin(&c->http);
    fk_http1_lend(&c->http, c->buf);
}

static void note(struct client *c, const char *text) {
    assert_true(strlen(c->shown) + strlen(text) < sizeof c->shown);
    strcat(c->shown, text);
}

static void note_request(struct client *c) {
    const struct fk_http1_request *r = &c->http.request;
    char line[sizeof c->shown];
    if (c->http.refused != 0) {
        assert_non_null(c->http.why);
        snprintf(line, sizeof line, "%d", c->http.refused);
    } else {
        assert_null(c->http.why);
        snprintf(line, sizeof line, "%s %s%s%s%s%s%s%s", fk_http1_method_name(r->method), r->path,
                 r->query[0] == '\0' ? "" : "?", r->query, r->has_token ? " token=" : "", r->token,
                 r->has_other_authorization ? " other" : "", r->keep_alive ? "" : " close");
    }
    note(c, line);
}

/* Sends all of the answer, `step` bytes at a time. */
static void pull_all(struct client *c, size_t step) {
    while (c->http.state == FK_HTTP1_ANSWERING) {
        const struct fk_bytes out = fk_http1_pull(&c->http);
        if (out.len == 0) break;
        assert_true(out.len <= FK_HTTP1_BUF);
        const size_t len = out.len < step ? out.len : step;
        assert_true(c->got_len + len < sizeof c->got);
        memcpy(c->got + c->got_len, out.p, len);
        c->got_len += len;
        c->pulls++;
        fk_http1_taken(&c->http, len);
    }
    c->got[c->got_len] = '\0';
}

static bool holds(const struct client *c, const char *secret) {
    for (size_t i = 0; i + strlen(secret) <= sizeof c->buf; i++)
        if (memcmp(c->buf + i, secret, strlen(secret)) == 0) return true;
    return false;
}

static void answer(struct client *c, size_t step) {
    struct fk_http1_answer a = c->answer;
    if (c->http.refused != 0) a.status = c->http.refused;
    fk_http1_answer(&c->http, &a);
    assert_false(holds(c, "secret"));
    assert_string_equal(c->http.request.token, "");
    pull_all(c, step);
}

/* Sends one piece, from memory of its exact size; answers what is asked. */
static void send_piece(struct client *c, const char *p, size_t len) {
    if (len == 0) return;
    char *piece = malloc(len);
    assert_non_null(piece);
    memcpy(piece, p, len);
    const size_t taken = fk_http1_feed(&c->http, fk_bytes(piece, len));
    free(piece);
    assert_true(taken <= len);
    if (c->http.state != FK_HTTP1_ASKED) return;
    note_request(c);
    answer(c, SIZE_MAX);
    note(c, c->http.state == FK_HTTP1_IDLE ? "; " : "");
    if (taken < len) assert_int_not_equal(c->http.state, FK_HTTP1_IDLE);
}

static void send_cut(struct client *c, struct fk_bytes request, size_t cut) {
    begin(c);
    send_piece(c, (const char *)request.p, cut);
    send_piece(c, (const char *)request.p + cut, request.len - cut);
    if (c->http.state == FK_HTTP1_READING) note(c, "...");
}

static void expect_bytes(struct fk_bytes request, const char *shown) {
    static struct client c;
    for (size_t cut = 0; cut <= request.len; cut++) {
        send_cut(&c, request, cut);
        assert_string_equal(c.shown, shown);
    }
    begin(&c);
    for (size_t i = 0; i < request.len; i++) send_piece(&c, (const char *)request.p + i, 1);
    if (c.http.state == FK_HTTP1_READING) note(&c, "...");
    assert_string_equal(c.shown, shown);
}

struct row {
    const char *request, *shown;
};

static void expect_rows(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) expect_bytes(fk_bytes_str(rows[i].request), rows[i].shown);
}
#define EXPECT(rows) expect_rows(rows, sizeof rows / sizeof *rows)

/* ---- what is asked --------------------------------------------------------------------------- */

static void requests(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"G", "..."},
        {GET "\r\n", "GET /; "},
        {"\r\n\r\n" GET "\r\n", "GET /; "}, /* RFC 9112 2.2 */
        {GET "Connection: close\r\n\r\n", "GET / close"},
        {GET "Connection: keep-alive, Close\r\n\r\n", "GET / close"},
        {GET "Connection: x\r\nConnection: close\r\n\r\n", "GET / close"},
        {"GET / HTTP/1.0\r\n\r\n", "GET / close"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / close"},
        {"HEAD /a HTTP/1.1\r\n" HOST "\r\n", "HEAD /a; "},
        {"PUT /a HTTP/1.1\r\n" HOST "\r\n", "PUT /a; "},
        {"PATCH /a HTTP/1.1\r\n" HOST "\r\n", "PATCH /a; "},
        {"DELETE /a HTTP/1.1\r\n" HOST "\r\n", "DELETE /a; "},
        {"OPTIONS /a HTTP/1.1\r\n" HOST "\r\n", "OPTIONS /a; "},
        {"BREW /a HTTP/1.1\r\n" HOST "\r\n", "501"},
        {"GETS /a HTTP/1.1\r\n" HOST "\r\n", "501"},
        {"get /a HTTP/1.1\r\n" HOST "\r\n", "501"},
        {"PURGE /a HTTP/1.1\r\n" HOST "\r\n", "501"},
        {"TRACE /a HTTP/1.1\r\n" HOST "\r\n", "501"},
        {"CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", "501"},
        {"\x16\x03\x01", "400"}, /* TLS within TLS */
        {"GET\t/ HTTP/1.1\r\n" HOST "\r\n", "400"},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", "400"},
        {"GET /  HTTP/1.1\r\n" HOST "\r\n", "400"},
    };
    EXPECT(rows);
}

static void versions(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"GET /\r\n", "400"}, /* 0.9 */
        {"OPTIONS / RTSP/1.0\r\n" HOST "\r\n", "400"},
        {"GET / HTTP/1.2\r\n" HOST "\r\n", "505"},
        {"GET / HTTP/0.9\r\n" HOST "\r\n", "505"},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", "505"},
        {"GET / HTTP/3.0\r\n" HOST "\r\n", "505"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
        {"GET / HTTX/1.1\r\n" HOST "\r\n", "400"},
        {"GET / ICE/1.0\r\n" HOST "\r\n", "400"},
        {"GET / http/1.1\r\n" HOST "\r\n", "400"},
        {"GET / HTTP/1.10\r\n" HOST "\r\n", "400"},
        {"GET / HTTP/1.1 \r\n" HOST "\r\n", "400"},
    };
    EXPECT(rows);
}

static void expect_target(const char *target, const char *shown) {
    char request[256];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "\r\n", target);
    expect_bytes(fk_bytes_str(request), shown);
}

static void targets(void **state) {
    (void)state;
    static const char *const good[] = {
        "/",
        "/metrics/cadvisor",
        "/runningpods/",
        "/...",
        "/.a",
        "/..a",
        "/a..",
        "/a?b?c",
        "/a?//..%00",
        "/%41",
        "/%c3%a9",
        "/a;b=c,d",
        "/a?match[]=%7b%7d",
    };
    static const char *const bad[] = {
        "//",          "/a//b",       "/.",       "/..",     "/./a",      "/../a",   "/a/.",
        "/a/..",       "/a/../b",     "/a/./b",   "/%2e",    "/%2E%2e/a", "/a%2fb",  "/a%2Fb",
        "/a%5cb",      "/%00",        "/%0a",     "/%7f",    "/%",        "/%4",     "/%zz",
        "/%4g",        "/\\",         "/#a",      "/a?b#c",  "/{}",       "/\"",     "/\x7f",
        "/\xc3\xa9",   "/a?\xc3\xa9", "?a",       "a/b",     "*",         "http://", "http:///a",
        "http://u@h/", "http://h#a",  "ftp://h/", "http:/a",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char shown[64];
        snprintf(shown, sizeof shown, "GET %s; ", good[i]);
        expect_target(good[i], shown);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) expect_target(bad[i], "400");
    expect_target("http://host:10250/a?b", "GET /a?b; ");
    expect_target("https://[::1]:10250/a?b", "GET /a?b; ");
    expect_target("https://host", "GET /; ");
    expect_target("https://host?a=b", "GET /?a=b; ");
    expect_target("https://host//", "400");
    expect_target("/a?", "GET /a; ");
    static const struct row rows[] = {{"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "400"}};
    EXPECT(rows);
}

static void hosts(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHos: a\r\nHostt: a\r\n\r\n", "400"},
        {GET HOST "\r\n", "400"},
        {GET "hOST: h\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nhoST:h\r\n\r\n", "GET /; "},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET /; "},
        {"GET / HTTP/1.1\r\nHost: \t [fe80::1]:10250 \t\r\n\r\n", "GET /; "},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "400"},
        {"GET http://h/ HTTP/1.1\r\n\r\n", "400"},
        {"GET / HTTP/1.0\r\n" HOST HOST "\r\n", "400"},
    };
    EXPECT(rows);
}

static void authorization(void **state) {
    (void)state;
    static const struct row rows[] = {
        {GET "Authorization: Bearer secret.A-_~+/=\r\n\r\n", "GET / token=secret.A-_~+/=; "},
        {GET "authorization:bEARER   secret  \t\r\n\r\n", "GET / token=secret; "},
        {GET "Authorization: Bearer\r\n\r\n", "GET / token=; "},
        {GET "Authorization: Bearer \r\n\r\n", "GET / token=; "},
        {"GET /a?b HTTP/1.1\r\nAuthorization: Bearer secret\r\n" HOST "\r\n",
         "GET /a?b token=secret; "},
        {GET "Authorization: Basic secret\r\n\r\n", "GET / other; "},
        {GET "Authorization: Bearersecret\r\n\r\n", "GET / other; "},
        {GET "Authorization:\r\n\r\n", "GET / other; "},
        {GET "Proxy-Authorization: Bearer secret\r\nAuthorizatio: Bearer secret\r\n\r\n",
         "GET /; "},
        {GET "Authorization: Bearer secret secret\r\n\r\n", "400"},
        {GET "Authorization: Bearer \xc3\xa9secret\r\n\r\n", "400"},
        {GET "Authorization: Bearer secret\r\nAuthorization: Bearer secret\r\n\r\n", "400"},
        {GET "Authorization: Basic secret\r\nAuthorization: Bearer secret\r\n\r\n", "400"},
    };
    EXPECT(rows);
}

/* No more of it than the token, while that is needed; and nothing once the answer begins, wherever
 * in the buffer it was. */
static void secrets_are_wiped(void **state) {
    (void)state;
    static struct client c;
    begin(&c);
    static const char basic[] = GET "Authorization: Basic secret\r\n\r\n";
    assert_int_equal(fk_http1_feed(&c.http, fk_bytes_str(basic)), sizeof basic - 1);
    assert_int_equal(c.http.state, FK_HTTP1_ASKED);
    assert_false(holds(&c, "secret"));

    char request[FK_HTTP1_BUF];
    const int len =
        snprintf(request, sizeof request, GET "Authorization: Bearer %01500dsecret\r\n\r\n", 0);
    begin(&c);
    assert_int_equal(fk_http1_feed(&c.http, fk_bytes(request, (size_t)len)), len);
    assert_true(holds(&c, "secret"));
    answer(&c, SIZE_MAX);
    assert_false(holds(&c, "secret"));
    begin(&c); /* amid the request */
    assert_int_equal(fk_http1_feed(&c.http, fk_bytes(request, (size_t)len - 1)), len - 1);
    assert_true(holds(&c, "secret"));
    answer(&c, SIZE_MAX);
    assert_false(holds(&c, "secret"));
}

/* One connection, one request after the other: nothing of the first is left in the second. */
static void requests_one_after_the_other(void **state) {
    (void)state;
    static struct client c;
    begin(&c);
    static const char *const requests[] = {
        "GET /a?b HTTP/1.1\r\n" HOST "Authorization: Bearer secret\r\n\r\n",
        "POST /c HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc",
        CHUNKED "0\r\n\r\n",
        GET "\r\n",
        "GET / HTTP/1.1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        send_piece(&c, requests[i], strlen(requests[i]));
    assert_string_equal(c.shown, "GET /a?b token=secret; POST /c; POST /; GET /; 400");
}

/* ---- where a request ends -------------------------------------------------------------------- */

static void bodies(void **state) {
    (void)state;
    static const struct row rows[] = {
        {POST "Content-Length: 0\r\n\r\n", "POST /; "},
        {POST "Content-Length: 3 \r\n\r\nabc", "POST /; "},
        {POST "Content-Length: 3\r\n\r\nab", "..."},
        {GET "Content-Length: 3\r\n\r\nabc", "GET /; "},
        {CHUNKED "0\r\n\r\n", "POST /; "},
        {CHUNKED "3\r\nabc\r\n0\r\n\r\n", "POST /; "},
        {CHUNKED "0003\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "POST /; "},
        {CHUNKED "0\r\nHost: x\r\nAuthorization: Bearer secret\r\n\r\n", "POST /; "}, /* trailers */
        {POST "Transfer-Encoding: \t CHUNKED \r\n\r\n0\r\n\r\n", "POST /; "},
        {CHUNKED "0\r\nHost: a b\r\n\r\n", "POST /; "},
        {"POST / HTTP/1.1\r\nHost: h \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST /; "},
        {CHUNKED "0\r\n", "..."},
        {POST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", "POST / close"},
        {POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", "POST / close"},
        {POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", "POST /; "},
        {GET "Expect: 100-continue\r\n\r\n", "GET /; "},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nab", "..."},
    };
    EXPECT(rows);
}

/* Nobody here changes protocols; what follows is no tunnel but the next request. */
static void upgrades_are_ignored(void **state) {
    (void)state;
    static const struct row rows[] = {
        {GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET /; "},
        {POST "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 3\r\n\r\nabc",
         "POST /; "},
        {GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n",
         "GET /; "},
        {GET "Upgrade: TLS/1.0\r\n\r\n", "GET /; "},
    };
    EXPECT(rows);
}

/* What two readers could understand differently. */
static void smuggling(void **state) {
    (void)state;
    static const struct row rows[] = {
        {POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", "400"},
        {POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\na", "400"},
        {POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
        {POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", "400"},
        {POST "Content-Length: 1\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", "400"},
        {POST "Content-Length: +1\r\n\r\na", "400"},
        {POST "Content-Length: -1\r\n\r\na", "400"},
        {POST "Content-Length: 1, 1\r\n\r\na", "400"},
        {POST "Content-Length: 1 1\r\n\r\na", "400"},
        {POST "Content-Length: 0x1\r\n\r\na", "400"},
        {POST "Content-Length:\r\n\r\na", "400"},
        {POST "Content-Length: 18446744073709551617\r\n\r\na", "413"},
        {POST "Content-Length : 1\r\n\r\na", "400"},
        {POST "Content-Length\t: 1\r\n\r\na", "400"},
        {POST "Content Length: 1\r\n\r\na", "400"},
        {POST "Transfer-Encoding: gzip\r\n\r\n", "501"},
        {POST "Transfer-Encoding: identity\r\n\r\n", "501"},
        {POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501"},
        {POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", "501"},
        {POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
        {POST "Transfer-Encoding: gzip,chunked\r\n\r\n0\r\n\r\n", "501"},
        {POST "Transfer-Encoding: chunked, gzip\r\n\r\n", "501"},
        {POST "Transfer-Encoding: chunked,chunked\r\n\r\n", "501"},
        {POST "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", "501"},
        {POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", "501"},
        {POST "Transfer-Encoding:\r\n\r\n", "501"},
        {POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", "400"},
        {POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "400"},
        {POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400"},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "400"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
        {CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"}, /* as trailers */
        {CHUNKED "0\r\nA: b\r\ntransfer-encoding: gzip\r\n\r\n", "400"},
        {CHUNKED "0\r\nContent-Length: 1\r\n\r\n", "400"},
    };
    EXPECT(rows);
}

static void chunk_sizes(void **state) {
    (void)state;
    static const char *const bad[] = {
        "+1\r\na\r\n",  "-1\r\na\r\n",
        "0x1\r\na\r\n", "1 \r\na\r\n",
        " 1\r\na\r\n",  "1\na\r\n",
        "1\r\na\n",     "1\r\nab\r\n",
        "2\r\na\r\n",   "\r\n",
        "g\r\n",        "1;a\nb\r\na\r\n",
        "1\ra\r\n",     "10000000000000001\r\n",
        "1;\r\x01\r\n", "1;a\r\na\r\n", /* an extension, which RFC 9112 7.1.1 would ignore */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char request[256];
        snprintf(request, sizeof request, CHUNKED "%s0\r\n\r\n", bad[i]);
        expect_bytes(fk_bytes_str(request), "400");
    }
}

static void line_ends_and_folds(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"GET / HTTP/1.1\n" HOST "\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: h\n\r\n", "400"},
        {GET "\n", "400"},
        {GET "\r\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: h\rA: b\r\n\r\n", "400"},
        {GET " A: b\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\n A: b\r\n" HOST "\r\n", "400"},
        {GET "A: b\r\n\tc\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost\r\n\r\n", "400"},
        {GET ": b\r\n\r\n", "400"},
        {GET "A(: b\r\n\r\n", "400"},
        {GET "A: b\x01\r\n\r\n", "400"},
        {GET "A: b\x7f\r\n\r\n", "400"},
    };
    EXPECT(rows);
    static const char zero[] = GET "A: b\0c\r\n\r\n",
                      zero_in_path[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
    expect_bytes(fk_bytes(zero, sizeof zero - 1), "400");
    expect_bytes(fk_bytes(zero_in_path, sizeof zero_in_path - 1), "400");
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* A text of len bytes, the caller's to free. */
static char *text_of(char c, size_t len) {
    char *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, c, len);
    text[len] = '\0';
    return text;
}

/* Head, len bytes of c, tail: whole, halved and byte by byte. */
static void expect_filled(const char *head, char c, size_t len, const char *tail, int refused) {
    static struct client client;
    const size_t size = strlen(head) + len + strlen(tail);
    char *fill = text_of(c, len), *request = malloc(size + 1);
    assert_non_null(request);
    snprintf(request, size + 1, "%s%s%s", head, fill, tail);
    const size_t steps[] = {size, size / 2, 1};
    for (unsigned i = 0; i < 3; i++) {
        begin(&client);
        for (size_t at = 0; at < size; at += steps[i])
            send_piece(&client, request + at, size - at < steps[i] ? size - at : steps[i]);
        if (refused != 0) assert_int_equal(atoi(client.shown), refused);
        else assert_int_equal(client.http.state, FK_HTTP1_IDLE);
    }
    free(fill);
    free(request);
}

static void the_longest_target(void **state) {
    (void)state;
    const char *const tail = " HTTP/1.1\r\n" HOST "\r\n";
    expect_filled("GET /", 'a', FK_HTTP1_TARGET_MAX - 1, tail, 0);
    expect_filled("GET /", 'a', FK_HTTP1_TARGET_MAX, tail, 414);
    expect_filled("GET /?", 'a', FK_HTTP1_TARGET_MAX - 2, tail, 0);
    expect_filled("GET /?", 'a', FK_HTTP1_TARGET_MAX - 1, tail, 414);
}

static void the_longest_head(void **state) {
    (void)state;
    const size_t rest = strlen(GET "A: \r\n\r\n");
    expect_filled(GET "A: ", 'a', FK_HTTP1_HEAD_MAX - rest, "\r\n\r\n", 0);
    expect_filled(GET "A: ", 'a', FK_HTTP1_HEAD_MAX - rest + 1, "\r\n\r\n", 431);
    expect_filled(GET "", 'a', FK_HTTP1_HEAD_MAX, ":", 431); /* a name */
    expect_filled(GET "A:", ' ', FK_HTTP1_HEAD_MAX, "", 431);
    expect_filled("", '\n', FK_HTTP1_HEAD_MAX, GET, 431);
}

/* The target "/", its zero, the token, its zero. */
static void the_longest_token(void **state) {
    (void)state;
    const size_t max = FK_HTTP1_BUF - 3 - strlen("Bearer ");
    expect_filled(GET "Authorization: Bearer ", 't', max, "\r\n\r\n", 0);
    expect_filled(GET "Authorization: Bearer ", 't', max + 1, "\r\n\r\n", 431);
    expect_filled(GET "Authorization: Basic ", 't', FK_HTTP1_BUF, "\r\n\r\n", 431);
    /* Headers behind it: those that are looked at need room as well. */
    const char *const bearer = GET "Authorization: Bearer ";
    expect_filled(bearer, 't', max, "\r\nAccept: a\r\n\r\n", 0);
    expect_filled(bearer, 't', max, "\r\nConnection:\r\n\r\n", 431);
    expect_filled(bearer, 't', max - 1, "\r\nConnection:\r\n\r\n", 0);
    expect_filled(bearer, 't', max - 6, "\r\nConnection: x,y,z\r\n\r\n", 0);
    expect_filled(bearer, 't', max - 5, "\r\nConnection: x,y,z\r\n\r\n", 431);
}

static void the_largest_body(void **state) {
    (void)state;
    char head[128];
    snprintf(head, sizeof head, POST "Content-Length: %u\r\n\r\n", (unsigned)FK_HTTP1_BODY_MAX);
    expect_filled(head, 'b', FK_HTTP1_BODY_MAX, "", 0);
    const char *const tail = "\r\n0\r\n\r\n";
    const size_t most = FK_HTTP1_BODY_MAX - strlen("xxx\r\n") - strlen(tail);
    snprintf(head, sizeof head, CHUNKED "%zx\r\n", most);
    expect_filled(head, 'b', most, tail, 0);
    snprintf(head, sizeof head, CHUNKED "%zx\r\n", most + 1);
    expect_filled(head, 'b', most + 1, tail, 413);
    expect_filled(CHUNKED, '0', FK_HTTP1_BODY_MAX, "1\r\n", 413);       /* a size */
    expect_filled(CHUNKED "0\r\nA: ", 'e', FK_HTTP1_BODY_MAX, "", 413); /* a trailer */
}

/* The answer is out, and the client still sends: it is heard out, up to a bound. */
static void a_body_too_large_is_dropped(void **state) {
    (void)state;
    static struct client c;
    static const size_t steps[] = {1, 7, 100000};
    for (unsigned i = 0; i < 3; i++) {
        begin(&c);
        char request[128];
        const size_t len = FK_HTTP1_BODY_MAX + 1;
        snprintf(request, sizeof request, POST "Content-Length: %zu\r\n\r\nabc", len);
        send_piece(&c, request, strlen(request));
        assert_string_equal(c.shown, "413");
        assert_non_null(strstr(c.got, "Connection: close\r\n"));
        char *body = text_of('b', len);
        size_t left = len - 3;
        while (c.http.state == FK_HTTP1_DRAINING) {
            const size_t step = left + 9 < steps[i] ? left + 9 : steps[i];
            const size_t taken = fk_http1_feed(&c.http, fk_bytes(body, step < len ? step : len));
            assert_true(taken > 0 && taken <= left);
            left -= taken;
        }
        assert_int_equal(left, 0);
        assert_int_equal(c.http.state, FK_HTTP1_OVER);
        free(body);
    }
    begin(&c);
    send_piece(&c, POST "Content-Length: 10000000\r\n\r\n",
               strlen(POST "Content-Length: 10000000\r\n\r\n"));
    size_t dropped = 0;
    while (c.http.state == FK_HTTP1_DRAINING)
        dropped += fk_http1_feed(&c.http, fk_bytes(c.got, 1000));
    assert_int_equal(dropped, 4 * FK_HTTP1_BODY_MAX);
    static const struct row rows[] = {
        /* who waits for a 100 sends nothing */
        {POST "Expect: 100-continue\r\nContent-Length: 10000000\r\n\r\n", "413"}};
    EXPECT(rows);
    begin(&c);
    send_piece(&c, rows[0].request, strlen(rows[0].request));
    assert_int_equal(c.http.state, FK_HTTP1_OVER);
}

/* ---- time runs out, or bytes come too early ----------------------------------------------------
 */

static void cut_at_every_byte(void **state) {
    (void)state;
    static const char request[] = "POST /a?b HTTP/1.1\r\n" HOST "Authorization: Bearer secret\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    static struct client c;
    for (size_t cut = 0; cut < sizeof request - 1; cut++) {
        begin(&c);
        send_piece(&c, request, cut);
        assert_int_equal(c.http.state, cut == 0 ? FK_HTTP1_IDLE : FK_HTTP1_READING);
        c.answer.status = 408;
        answer(&c, 1);
        assert_int_equal(c.http.state, FK_HTTP1_OVER);
        assert_memory_equal(c.got, "HTTP/1.1 408 Request Timeout\r\n", 30);
        assert_non_null(strstr(c.got, "Connection: close\r\n"));
        assert_int_equal(fk_http1_feed(&c.http, fk_bytes_str(request)), 0);
        assert_int_equal(fk_http1_pull(&c.http).len, 0);

        begin(&c); /* the client goes away instead */
        send_piece(&c, request, cut);
        assert_ptr_equal(fk_http1_give_back(&c.http), c.buf);
        assert_null(fk_http1_give_back(&c.http));
        fk_http1_begin(&c.http);
        assert_false(holds(&c, "secret"));
        assert_int_equal(c.http.state, FK_HTTP1_IDLE);
    }
}

static void pipelining(void **state) {
    (void)state;
    static struct client c;
    static const char two[] = GET "\r\n" GET "\r\n";
    const size_t first = sizeof two / 2;
    begin(&c);
    assert_int_equal(fk_http1_feed(&c.http, fk_bytes(two, sizeof two - 1)), first);
    assert_true(c.http.request.keep_alive);
    answer(&c, SIZE_MAX);
    assert_int_equal(c.http.state, FK_HTTP1_OVER);
    assert_non_null(strstr(c.got, "Connection: close\r\n"));

    begin(&c); /* the second comes while the first waits for its answer */
    assert_int_equal(fk_http1_feed(&c.http, fk_bytes(two, first)), first);
    assert_int_equal(fk_http1_feed(&c.http, fk_bytes(two, first)), 0);
    answer(&c, SIZE_MAX);
    assert_int_equal(c.http.state, FK_HTTP1_OVER);
}

/* ---- answers --------------------------------------------------------------------------------- */

struct items {
    const size_t *lens; /* ends with SIZE_MAX */
    unsigned calls;
};

/* Item i is len bytes of the letter i. */
static bool next_item(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    const struct items *items = ctx;
    const size_t len = items->lens[*cursor];
    if (len == SIZE_MAX) return false;
    for (size_t i = 0; i < len; i++) fk_put_char(w, (char)('a' + *cursor % 26));
    (*cursor)++;
    return true;
}

/* Takes the chunks apart; returns the body's length, SIZE_MAX: the last one is missing. */
static size_t dechunk(const char *p, const char *end, char *body) {
    size_t len = 0;
    for (;;) {
        if (end - p < 5) return SIZE_MAX;
        char *after;
        const size_t size = strtoul(p, &after, 16);
        assert_memory_equal(after, "\r\n", 2);
        p = after + 2;
        if (size == 0) {
            assert_int_equal(end - p, 2);
            assert_memory_equal(p, "\r\n", 2);
            return len;
        }
        assert_true((size_t)(end - p) >= size + 2);
        memcpy(body + len, p, size);
        len += size;
        p += size;
        assert_memory_equal(p, "\r\n", 2);
        p += 2;
    }
}

static void ask(struct client *c, const char *request, const size_t *lens, size_t step) {
    static struct items items;
    begin(c);
    items = (struct items){lens, 0};
    c->answer = (struct fk_http1_answer){
        .status = 200, .content_type = "text/plain", .items = next_item, .ctx = &items};
    assert_int_equal(fk_http1_feed(&c->http, fk_bytes_str(request)), strlen(request));
    answer(c, step);
}

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                           "Transfer-Encoding: chunked\r\nCache-Control: no-store\r\n"
                           "X-Content-Type-Options: nosniff\r\n\r\n";

static void a_short_answer(void **state) {
    (void)state;
    static struct client c;
    static const size_t lens[] = {5, 0, 3, SIZE_MAX}, none[] = {SIZE_MAX}, empty[] = {0, SIZE_MAX};
    char want[sizeof head + 64];
    snprintf(want, sizeof want, "%s0008\r\naaaaaccc\r\n0\r\n\r\n", head);
    ask(&c, GET "\r\n", lens, SIZE_MAX);
    assert_string_equal(c.got, want);
    assert_int_equal(c.pulls, 1);
    assert_int_equal(c.http.state, FK_HTTP1_IDLE);
    ask(&c, GET "\r\n", lens, 1);
    assert_string_equal(c.got, want);

    snprintf(want, sizeof want, "%s0\r\n\r\n", head);
    ask(&c, GET "\r\n", none, SIZE_MAX);
    assert_string_equal(c.got, want);
    ask(&c, GET "\r\n", empty, SIZE_MAX);
    assert_string_equal(c.got, want);
    ask(&c, "HEAD / HTTP/1.1\r\n" HOST "\r\n", lens, SIZE_MAX);
    assert_string_equal(c.got, head);
    assert_int_equal(c.http.state, FK_HTTP1_IDLE);
}

static void to_http_1_0(void **state) {
    (void)state;
    static struct client c;
    static const size_t lens[] = {1000, 1000, 1000, SIZE_MAX};
    ask(&c, "GET / HTTP/1.0\r\n\r\n", lens, 11);
    assert_null(strstr(c.got, "chunked"));
    assert_non_null(strstr(c.got, "Connection: close\r\n"));
    const char *body = strstr(c.got, "\r\n\r\n") + 4;
    assert_int_equal(strlen(body), 3000);
    assert_int_equal(c.http.state, FK_HTTP1_OVER);
}

/* Heads, word for word. */
static void heads(void **state) {
    (void)state;
    static const struct {
        struct fk_http1_answer answer;
        const char *got;
    } rows[] = {
        {{.status = 405, .allow = "GET, HEAD"},
         "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nAllow: GET, HEAD\r\n"},
        {{.status = 503, .retry_after_s = 10, .close = true},
         "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n"
         "Retry-After: 10\r\n"},
        {{.status = 599}, "HTTP/1.1 599 \r\nContent-Length: 0\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct client c;
        char want[512];
        begin(&c);
        c.answer = rows[i].answer;
        send_piece(&c, GET "\r\n", strlen(GET "\r\n"));
        snprintf(want, sizeof want, "%s%s", rows[i].got,
                 "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n");
        assert_string_equal(c.got, want);
        assert_int_equal(c.http.state, rows[i].answer.close ? FK_HTTP1_OVER : FK_HTTP1_IDLE);
    }
    static const int named[] = {200, 400, 401, 403, 404, 405, 408, 413,
                                414, 429, 431, 500, 501, 503, 505};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        static struct client c;
        begin(&c);
        c.answer.status = named[i];
        send_piece(&c, GET "\r\n", strlen(GET "\r\n"));
        assert_int_equal(atoi(c.got + 9), named[i]);
        assert_true(c.got[13] >= 'A' && c.got[13] <= 'Z');
    }
}

/* Items of every length around the edges: each is there once, in order, in as few pieces as the
 * buffer allows. */
static void items_of_every_size(void **state) {
    (void)state;
    static struct client c;
    static char body[8192];
    for (size_t len = 1; len <= FK_HTTP1_ITEM_MAX; len += len < FK_HTTP1_ITEM_MAX - 9 ? 7 : 1) {
        const size_t lens[] = {len, 1, len, len, 2, FK_HTTP1_ITEM_MAX, SIZE_MAX};
        ask(&c, GET "\r\n", lens, SIZE_MAX);
        assert_int_equal(c.http.state, FK_HTTP1_IDLE);
        const size_t got = dechunk(c.got + sizeof head - 1, c.got + c.got_len, body);
        assert_int_equal(got, 3 * len + 3 + FK_HTTP1_ITEM_MAX);
        size_t at = 0;
        for (unsigned i = 0; lens[i] != SIZE_MAX; i++)
            for (size_t k = 0; k < lens[i]; k++) assert_int_equal(body[at++], 'a' + (int)i);
        assert_true(c.pulls <= c.got_len / (FK_HTTP1_BUF - FK_HTTP1_ITEM_MAX) + 1);
    }
}

/* Without the last chunk, so that the client knows. */
static void an_item_too_large(void **state) {
    (void)state;
    static struct client c;
    static char body[8192];
    static const size_t lens[] = {3, FK_HTTP1_ITEM_MAX + 1, SIZE_MAX}, first[] = {5000, SIZE_MAX};
    ask(&c, GET "\r\n", lens, SIZE_MAX);
    assert_int_equal(c.http.state, FK_HTTP1_OVER);
    assert_int_equal(dechunk(c.got + sizeof head - 1, c.got + c.got_len, body), SIZE_MAX);
    ask(&c, GET "\r\n", first, 1);
    assert_int_equal(c.http.state, FK_HTTP1_OVER);
    assert_string_equal(c.got, head);
}

static void a_head_too_large(void **state) {
    (void)state;
    static struct client c;
    char *type = text_of('t', FK_HTTP1_BUF);
    begin(&c);
    static const size_t lens[] = {3, SIZE_MAX};
    static struct items items;
    items.lens = lens;
    c.answer = (struct fk_http1_answer){
        .status = 200, .content_type = type, .items = next_item, .ctx = &items};
    send_piece(&c, GET "\r\n", strlen(GET "\r\n"));
    assert_int_equal(c.http.state, FK_HTTP1_OVER);
    assert_int_equal(c.got_len, 0);

    /* Heads that leave little or no room for what follows. */
    for (size_t len = FK_HTTP1_BUF - 200; len < FK_HTTP1_BUF; len++) {
        type[len] = '\0';
        static struct client d;
        begin(&d);
        d.answer = c.answer;
        send_piece(&d, GET "\r\n", strlen(GET "\r\n"));
        if (d.http.state == FK_HTTP1_OVER) {
            assert_int_equal(d.got_len, 0);
        } else {
            assert_int_equal(d.http.state, FK_HTTP1_IDLE);
            assert_string_equal(strstr(d.got, "\r\n\r\n") + 4, "0003\r\naaa\r\n0\r\n\r\n");
        }
        type[len] = 't';
    }
    free(type);
}

/* ---- queries --------------------------------------------------------------------------------- */

static void queries(void **state) {
    (void)state;
    static const struct {
        const char *query, *name, *value; /* NULL: as result says */
        int result;
    } rows[] = {
        {"a=b", "a", "b", 0},
        {"a=b&c=d", "c", "d", 0},
        {"a=b&a=c", "a", "b", 0},
        {"ab=c&a=d", "a", "d", 0},
        {"a", "a", "", 0},
        {"a&b", "a", "", 0},
        {"a=", "a", "", 0},
        {"a==b", "a", "=b", 0},
        {"&&a=b", "a", "b", 0},
        {"a=%41%c3%a9+b%2Bc%26", "a", "A\xc3\xa9 b+c&", 0},
        {"a=1234567", "a", "1234567", 0},
        {"a=12345678", "a", NULL, FK_E_RANGE},
        {"a=%31%31%31%31%31%31%31%31", "a", NULL, FK_E_RANGE},
        {"", "a", NULL, -1},
        {"b=a", "a", NULL, -1},
        {"xa=b", "a", NULL, -1},
        {"a=%", "a", NULL, FK_E_PARSE},
        {"a=%4", "a", NULL, FK_E_PARSE},
        {"a=%4&b", "a", NULL, FK_E_PARSE},
        {"a=%zz", "a", NULL, FK_E_PARSE},
        {"a=b%00", "a", NULL, FK_E_PARSE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[12];
        char *query = strdup(rows[i].query); /* its end is guarded */
        const bool tight = rows[i].result == FK_E_RANGE || strlen(rows[i].query) == 9;
        const int got = fk_http1_query(query, rows[i].name, out, tight ? 8 : sizeof out);
        free(query);
        if (rows[i].value == NULL) {
            assert_int_equal(got, rows[i].result);
            continue;
        }
        assert_int_equal(got, strlen(rows[i].value));
        assert_string_equal(out, rows[i].value);
    }
    char one[1];
    assert_int_equal(fk_http1_query("a=", "a", one, 1), 0);
    assert_int_equal(fk_http1_query("a=b", "a", one, 1), FK_E_RANGE);
    assert_int_equal(fk_http1_query("a", "a", one, 0), FK_E_RANGE);
}

static void method_names(void **state) {
    (void)state;
    assert_string_equal(fk_http1_method_name(FK_HTTP1_GET), "GET");
    assert_string_equal(fk_http1_method_name(FK_HTTP1_OPTIONS), "OPTIONS");
    assert_string_equal(fk_http1_method_name(FK_HTTP1_METHODS), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(versions),
        cmocka_unit_test(targets),
        cmocka_unit_test(hosts),
        cmocka_unit_test(authorization),
        cmocka_unit_test(secrets_are_wiped),
        cmocka_unit_test(requests_one_after_the_other),
        cmocka_unit_test(bodies),
        cmocka_unit_test(upgrades_are_ignored),
        cmocka_unit_test(smuggling),
        cmocka_unit_test(chunk_sizes),
        cmocka_unit_test(line_ends_and_folds),
        cmocka_unit_test(the_longest_target),
        cmocka_unit_test(the_longest_head),
        cmocka_unit_test(the_longest_token),
        cmocka_unit_test(the_largest_body),
        cmocka_unit_test(a_body_too_large_is_dropped),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(pipelining),
        cmocka_unit_test(a_short_answer),
        cmocka_unit_test(to_http_1_0),
        cmocka_unit_test(heads),
        cmocka_unit_test(items_of_every_size),
        cmocka_unit_test(an_item_too_large),
        cmocka_unit_test(a_head_too_large),
        cmocka_unit_test(queries),
        cmocka_unit_test(method_names),
    };
    return cmocka_run_group_tests_name("wire/http1_server", tests, NULL, NULL);
}
