/* wire/h2_client against a real server session (support/h2_peer) and against scripts of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/err.h"
#include "opts.h"
#include "support/h2_peer.h"

void fk_assert_failed(const char *file, int line) {
    mock_assert(0, "FK_ASSERT", file, line);
    abort();
}

/* ---- the rig: a client, its heap, its events as text, and a server -------------------------- */

struct rig {
    _Alignas(8) uint8_t memory[65536];
    struct fk_heap heap;
    struct fk_h2 h;
    struct h2_peer peer;
    char log[8192]; /* "H<id> <status> <date> <retry> <content>;" "D<id>+<len>;" "E<id> <err>;" */
    size_t log_len;
    int32_t data_of; /* data events in a row are one D */
    size_t data_len;
    size_t received[64]; /* by stream id, for the pattern */
    uint32_t grant;      /* in the head handler, when the status is not 2xx */
    int32_t cancel_in_head, cancel_in_data;
    const struct h2_peer_reply *reply; /* to every request */
    size_t body_len;                   /* of requests that have one */
};

static struct rig rig; /* too large for the stack */

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(rig.log + rig.log_len, sizeof rig.log - rig.log_len, format, args);
    va_end(args);
    rig.log_len += (size_t)len;
    assert_true(rig.log_len < sizeof rig.log);
}

static void flush_data(void) {
    if (rig.data_of != 0) note("D%d+%zu;", rig.data_of, rig.data_len);
    rig.data_of = 0;
    rig.data_len = 0;
}

static void on_head(void *ctx, int32_t stream, const struct fk_h2_head *head) {
    struct rig *r = ctx;
    flush_data();
    note("H%d %d %lld %d %d;", stream, head->status, (long long)head->date_s,
         (int)head->retry_after_s, (int)head->content);
    if (r->grant > 0 && head->status >= 300)
        assert_int_equal(fk_h2_grant(&r->h, stream, r->grant), 0);
    if (r->cancel_in_head == stream) fk_h2_cancel(&r->h, stream);
}

static void on_data(void *ctx, int32_t stream, struct fk_bytes piece) {
    struct rig *r = ctx;
    assert_true(piece.len > 0);
    size_t *at = &r->received[stream];
    for (size_t i = 0; i < piece.len; i++)
        if (piece.p[i] != h2_peer_pattern((*at)++)) fail_msg("byte %zu of the body", *at - 1);
    if (r->data_of != stream) flush_data();
    r->data_of = stream;
    r->data_len += piece.len;
    if (r->cancel_in_data == stream) fk_h2_cancel(&r->h, stream);
}

static void on_end(void *ctx, int32_t stream, int err) {
    (void)ctx;
    flush_data();
    note("E%d %d;", stream, err);
}
static void on_pong(void *ctx) {
    (void)ctx;
    flush_data();
    note("pong;");
}
static void on_goaway(void *ctx) {
    (void)ctx;
    flush_data();
    note("goaway;");
}
static const struct fk_h2_events events = {on_head, on_data, on_end, on_pong, on_goaway};

static void put_body(const void *ctx, struct fk_writer *w) {
    const struct rig *r = ctx;
    for (size_t i = 0; i < r->body_len; i++) fk_put_char(w, (char)h2_peer_pattern(i));
}

static const struct fk_h2_header no_headers[1];

static struct fk_h2_request get(uint32_t window) {
    return (struct fk_h2_request){
        .method = "GET",
        .scheme = "https",
        .authority = "10.0.0.1:6443",
        .path = "/api/v1/nodes/board-1",
        .path_repeats = true,
        .headers = no_headers,
        .window = window,
    };
}

static struct fk_h2_request patch(uint32_t window, size_t body_len) {
    struct fk_h2_request r = get(window);
    r.method = "PATCH";
    r.body = put_body;
    r.body_ctx = &rig;
    rig.body_len = body_len;
    return r;
}

static void answer(void *ctx, struct h2_peer *p, struct h2_peer_stream *s) {
    const struct rig *r = ctx;
    if (r->reply != NULL && !s->reset) h2_peer_reply(p, s->id, r->reply);
}

static void open_client(size_t heap_size) {
    rig.log_len = 0;
    rig.log[0] = '\0';
    rig.data_of = 0;
    memset(rig.received, 0, sizeof rig.received);
    rig.grant = 0;
    rig.cancel_in_head = rig.cancel_in_data = 0;
    rig.reply = NULL;
    fk_heap_init(&rig.heap, rig.memory, heap_size);
    assert_int_equal(fk_h2_open(&rig.h, &rig.heap, &events, &rig), 0);
}

static void start(void) {
    open_client(sizeof rig.memory);
    rig.peer.asked = answer;
    rig.peer.ctx = &rig;
    h2_peer_open(&rig.peer, NULL, 0);
}

static void run(void) { assert_int_equal(h2_peer_run(&rig.peer, &rig.h, 4096), 0); }

static int32_t submit(struct fk_h2_request request) {
    const int32_t id = fk_h2_submit(&rig.h, &request);
    assert_true(id > 0);
    return id;
}

static void expect_log(const char *expected) {
    flush_data();
    assert_string_equal(rig.log, expected);
    rig.log_len = 0;
    rig.log[0] = '\0';
}

/* Closes, and no byte of the heap stays behind. */
static void close_client(void) {
    fk_h2_close(&rig.h);
    flush_data();
    assert_int_equal(rig.heap.used_bytes, 0);
    fk_h2_close(&rig.h);
}

static void stop(void) {
    close_client();
    expect_log("");
    h2_peer_close(&rig.peer);
}

/* ---- scripts of bytes -------------------------------------------------------------------- */

struct script {
    uint8_t bytes[32768];
    size_t len;
};
static struct script script;

static void put_frame(uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
                      size_t len) {
    uint8_t *to = script.bytes + script.len;
    assert_true(script.len + 9 + len <= sizeof script.bytes);
    const uint8_t head[9] = {(uint8_t)(len >> 16),
                             (uint8_t)(len >> 8),
                             (uint8_t)len,
                             type,
                             flags,
                             (uint8_t)(stream >> 24),
                             (uint8_t)(stream >> 16),
                             (uint8_t)(stream >> 8),
                             (uint8_t)stream};
    memcpy(to, head, sizeof head);
    if (len > 0) memcpy(to + sizeof head, payload, len);
    script.len += sizeof head + len;
}

/* A literal field, not indexed; lengths below 127. Returns where the next one goes. */
static uint8_t *put_field(uint8_t *to, const char *name, const char *value) {
    const size_t name_len = strlen(name);
    const size_t value_len = strlen(value);
    assert_true(name_len < 127 && value_len < 127);
    *to++ = 0;
    *to++ = (uint8_t)name_len;
    memcpy(to, name, name_len);
    to += name_len;
    *to++ = (uint8_t)value_len;
    memcpy(to, value, value_len);
    return to + value_len;
}

/* Our table is smaller than HPACK's default, so a server's first header block behind its SETTINGS
 * acknowledgement must say so (RFC 7541 §4.2); any block may. */
static uint8_t *put_table_size(uint8_t *to) {
    *to++ = 0x20 | 31;
    size_t rest = FK_H2_DECODE_TABLE - 31;
    for (; rest >= 128; rest >>= 7) *to++ = (uint8_t)(rest | 128);
    *to++ = (uint8_t)rest;
    return to;
}

static void put_head(uint32_t stream, const char *status, uint8_t flags) {
    uint8_t block[64];
    const uint8_t *end = put_field(put_table_size(block), ":status", status);
    put_frame(NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream, block,
              (size_t)(end - block));
}

static void put_preface(void) {
    script.len = 0;
    put_frame(NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    put_frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
}

static void drain(void) {
    uint8_t buf[1024];
    while (fk_h2_pull(&rig.h, buf, sizeof buf) > 0) {
    }
    assert_false(fk_h2_pending(&rig.h));
}

static int feed_script(void) {
    const int err = fk_h2_feed(&rig.h, fk_bytes(script.bytes, script.len));
    script.len = 0;
    return err;
}

/* A client with `streams` requests under way, connected to nobody. */
static void start_raw(int streams, uint32_t window) {
    open_client(sizeof rig.memory);
    drain();
    put_preface();
    assert_int_equal(feed_script(), 0);
    for (int i = 0; i < streams; i++) (void)submit(get(window));
    drain();
}

/* ---- connection --------------------------------------------------------------------------- */

static void opens_with_our_settings(void **state) {
    (void)state;
    open_client(sizeof rig.memory);
    uint8_t buf[256];
    assert_true(fk_h2_pending(&rig.h));
    const int len = fk_h2_pull(&rig.h, buf, sizeof buf);
    static const uint8_t expected[] = {
        0,
        0,
        36,
        4,
        0,
        0,
        0,
        0,
        0, /* SETTINGS */
        0,
        1,
        0,
        0,
        FK_H2_DECODE_TABLE >> 8,
        FK_H2_DECODE_TABLE & 255,
        0,
        2,
        0,
        0,
        0,
        0, /* ENABLE_PUSH 0 */
        0,
        3,
        0,
        0,
        0,
        0, /* MAX_CONCURRENT_STREAMS 0 */
        0,
        4,
        0,
        0,
        0,
        0, /* INITIAL_WINDOW_SIZE 0 */
        0,
        6,
        0,
        0,
        16,
        0, /* MAX_HEADER_LIST_SIZE 4096 */
        0,
        9,
        0,
        0,
        0,
        1, /* NO_RFC7540_PRIORITIES */
    };
    assert_int_equal(len, 24 + sizeof expected);
    assert_memory_equal(buf, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    assert_memory_equal(buf + 24, expected, sizeof expected);
    assert_false(rig.h.settled);
    put_preface();
    assert_int_equal(feed_script(), 0);
    assert_true(rig.h.settled);
    close_client();
    expect_log("");
}

static void zeroed_struct_is_closed(void **state) {
    (void)state;
    struct fk_h2 h = {0};
    const struct fk_h2_request request = get(0);
    fk_h2_close(&h);
    fk_h2_goodbye(&h);
    fk_h2_cancel(&h, 1);
    assert_int_equal(fk_h2_submit(&h, &request), FK_E_CLOSED);
    assert_int_equal(fk_h2_grant(&h, 1, 1), FK_E_CLOSED);
    assert_int_equal(fk_h2_ping(&h), FK_E_CLOSED);
    assert_int_equal(fk_h2_feed(&h, fk_bytes("x", 1)), FK_E_CLOSED);
    assert_int_equal(fk_h2_pull(&h, &h, 1), 0);
    assert_false(fk_h2_pending(&h));
}

static void pings_and_pongs(void **state) {
    (void)state;
    start();
    run();
    assert_int_equal(fk_h2_ping(&rig.h), 0);
    assert_int_equal(nghttp2_submit_ping(rig.peer.session, 0, NULL), 0);
    run();
    expect_log("pong;");
    assert_int_equal(rig.peer.pings, 1);
    assert_int_equal(rig.peer.pongs, 1);
    stop();
}

static void says_goodbye(void **state) {
    (void)state;
    start();
    rig.reply = &(struct h2_peer_reply){.status = "200"};
    const int32_t id = submit(get(0));
    fk_h2_goodbye(&rig.h);
    const struct fk_h2_request request = get(0);
    assert_int_equal(fk_h2_submit(&rig.h, &request), FK_E_CLOSED);
    run();
    assert_int_equal(rig.peer.goaway_code, NGHTTP2_NO_ERROR);
    assert_int_equal(id, 1);
    expect_log("H1 200 -1 -1 0;E1 0;");
    stop();
}

/* ---- requests ----------------------------------------------------------------------------- */

static void sends_what_it_was_given(void **state) {
    (void)state;
    start();
    const struct fk_h2_header headers[] = {
        {fk_bytes_str("accept"), fk_bytes_str("application/json"), false},
        {fk_bytes_str("authorization"), fk_bytes_str("Bearer abc"), true},
    };
    struct fk_h2_request request = get(0);
    request.headers = headers;
    request.header_count = 2;
    request.path_repeats = false;
    (void)submit(request);
    run();
    assert_string_equal(h2_peer_stream(&rig.peer, 1)->head,
                        ":method: GET\n:scheme: https\n:authority: 10.0.0.1:6443\n"
                        "!:path: /api/v1/nodes/board-1\naccept: application/json\n"
                        "!authorization: Bearer abc\n");
    (void)submit(get(0));
    run();
    assert_string_equal(h2_peer_stream(&rig.peer, 3)->head,
                        ":method: GET\n:scheme: https\n:authority: 10.0.0.1:6443\n"
                        ":path: /api/v1/nodes/board-1\n");
    fk_h2_close(&rig.h);
    expect_log("E3 -1;E1 -1;");
    h2_peer_close(&rig.peer);
}

static void too_many_headers_are_a_mistake(void **state) {
    (void)state;
    start();
    struct fk_h2_request request = get(0);
    request.header_count = FK_H2_REQUEST_HEADERS + 1;
    expect_assert_failure(fk_h2_submit(&rig.h, &request));
    stop();
}

/* Bodies of each length around what fits one frame, pulled in pieces of several sizes. */
static void bodies_of_every_length(void **state) {
    (void)state;
    static const size_t steps[] = {1, 7, 1024, 4096};
    static const size_t around[] = {0, 1024, 2048, 3072};
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        for (size_t a = 0; a < sizeof around / sizeof around[0]; a++) {
            for (size_t len = around[a] < 3 ? 0 : around[a] - 3; len < around[a] + 4; len++) {
                start();
                rig.reply = &(struct h2_peer_reply){.status = "200"};
                (void)submit(patch(0, len));
                assert_int_equal(h2_peer_run(&rig.peer, &rig.h, steps[s]), 0);
                const struct h2_peer_stream *asked = h2_peer_stream(&rig.peer, 1);
                assert_true(asked->ended);
                assert_int_equal(asked->body_len, len);
                for (size_t i = 0; i < len; i++)
                    assert_int_equal(asked->body[i], h2_peer_pattern(i));
                expect_log("H1 200 -1 -1 0;E1 0;");
                stop();
            }
        }
    }
}

/* HEADERS, WINDOW_UPDATE and DATA with END_STREAM on the last leave with one pull. */
static void one_request_is_one_pull(void **state) {
    (void)state;
    start();
    run();
    (void)submit(patch(768, 100));
    uint8_t buf[1024];
    const int len = fk_h2_pull(&rig.h, buf, sizeof buf);
    assert_false(fk_h2_pending(&rig.h));
    const int head_len = buf[2];
    assert_int_equal(buf[3], NGHTTP2_HEADERS);
    const uint8_t *window = buf + 9 + head_len;
    assert_memory_equal(window, "\x00\x00\x04\x08\x00\x00\x00\x00\x01\x00\x00\x03\x00", 13);
    assert_memory_equal(window + 13, "\x00\x00\x64\x00\x01\x00\x00\x00\x01", 9);
    assert_int_equal(len, 9 + head_len + 13 + 9 + 100);
    assert_int_equal(fk_h2_pull(&rig.h, buf, sizeof buf), 0);
    close_client();
    expect_log("E1 -1;");
    h2_peer_close(&rig.peer);
}

/* A token of half a frame buffer and more: the header block goes on in CONTINUATION. */
static void long_header_block(void **state) {
    (void)state;
    char token[3000];
    memset(token, '~', sizeof token); /* 13 bits in Huffman's code: sent as it is */
    start();
    const struct fk_h2_header header = {fk_bytes_str("authorization"),
                                        fk_bytes(token, sizeof token), true};
    struct fk_h2_request request = patch(64, 10);
    request.headers = &header;
    request.header_count = 1;
    rig.reply = &(struct h2_peer_reply){.status = "200", .body_len = 100};
    (void)submit(request);
    assert_int_equal(h2_peer_run(&rig.peer, &rig.h, 100), 0);
    assert_int_equal(h2_peer_stream(&rig.peer, 1)->body_len, 10);
    expect_log("H1 200 -1 -1 0;D1+100;E1 0;");
    stop();
}

/* ---- replies and windows ------------------------------------------------------------------ */

static void unwanted_body_is_never_sent(void **state) {
    (void)state;
    start();
    rig.reply = &(struct h2_peer_reply){.status = "200", .body_len = 5000};
    (void)submit(patch(0, 50));
    run();
    const struct h2_peer_stream *asked = h2_peer_stream(&rig.peer, 1);
    assert_int_equal(asked->reply_sent, 0);
    assert_true(asked->reset);
    assert_int_equal(asked->reset_code, NGHTTP2_NO_ERROR);
    expect_log("H1 200 -1 -1 0;E1 0;");
    stop();
}

/* Reset with the next request, in the same pull; ended for us with its head all the same. */
static void a_lingering_stream_is_reset_with_the_next_request(void **state) {
    (void)state;
    start();
    rig.reply = &(struct h2_peer_reply){.status = "200", .body_len = 400};
    struct fk_h2_request request = patch(0, 50);
    request.lingers = true;
    (void)submit(request);
    run();
    expect_log("H1 200 -1 -1 0;E1 0;");
    assert_false(h2_peer_stream(&rig.peer, 1)->reset);
    assert_false(fk_h2_pending(&rig.h));
    (void)submit(request);
    uint8_t buf[1024];
    const int len = fk_h2_pull(&rig.h, buf, sizeof buf);
    assert_int_equal(fk_h2_pull(&rig.h, buf + len, 1), 0);
    assert_int_equal(h2_peer_feed(&rig.peer, fk_bytes(buf, (size_t)len)), 0);
    assert_int_equal(h2_peer_stream(&rig.peer, 1)->reset_code, NGHTTP2_NO_ERROR);
    assert_true(h2_peer_stream(&rig.peer, 1)->reset && h2_peer_stream(&rig.peer, 3)->ended);
    run();
    expect_log("H3 200 -1 -1 0;E3 0;");
    stop();
}

/* The server may do that itself, or answer without a body: then nothing is left to be reset. */
static void a_lingering_stream_may_end_otherwise(void **state) {
    (void)state;
    for (size_t body_len = 0; body_len <= 400; body_len += 400) {
        start();
        rig.reply = &(struct h2_peer_reply){.status = "200", .body_len = body_len};
        struct fk_h2_request request = patch(0, 50);
        request.lingers = true;
        (void)submit(request);
        run();
        if (body_len > 0) h2_peer_reset(&rig.peer, 1, NGHTTP2_CANCEL);
        run();
        expect_log("H1 200 -1 -1 0;E1 0;");
        (void)submit(request);
        run();
        assert_false(h2_peer_stream(&rig.peer, 1)->reset);
        expect_log("H3 200 -1 -1 0;E3 0;");
        stop();
    }
}

/* Also while the server has not acknowledged our SETTINGS, when nghttp2 counts from 65535. */
static void granted_window_is_kept_open(void **state) {
    (void)state;
    start();
    rig.reply = &(struct h2_peer_reply){.status = "200", .body_len = 1 << 20};
    (void)submit(get(768));
    uint8_t buf[8192];
    for (int i = 0; i < 4000 && rig.h.streams != NULL; i++) {
        const int out = fk_h2_pull(&rig.h, buf, sizeof buf);
        assert_int_equal(h2_peer_feed(&rig.peer, fk_bytes(buf, (size_t)out)), 0);
        const struct h2_peer_stream *asked = h2_peer_stream(&rig.peer, 1);
        const size_t before = asked->reply_sent;
        const size_t in = h2_peer_pull(&rig.peer, buf, sizeof buf);
        assert_true(asked->reply_sent - before <= 768);
        assert_int_equal(fk_h2_feed(&rig.h, fk_bytes(buf, in)), 0);
    }
    assert_int_equal(rig.received[1], 1 << 20);
    expect_log("H1 200 -1 -1 0;D1+1048576;E1 0;");
    assert_true(rig.heap.peak_bytes < 8192);
    stop();
}

static void error_head_then_grant(void **state) {
    (void)state;
    start();
    static const char *const json[] = {"content-type", "application/json", NULL};
    rig.grant = 768;
    rig.reply = &(struct h2_peer_reply){.status = "409", .fields = json, .body_len = 3000};
    (void)submit(patch(0, 50));
    run();
    expect_log("H1 409 -1 -1 1;D1+3000;E1 0;");
    assert_false(h2_peer_stream(&rig.peer, 1)->reset);
    assert_int_equal(fk_h2_grant(&rig.h, 1, 768), FK_E_CLOSED);
    stop();
}

static void second_grant_changes_nothing(void **state) {
    (void)state;
    start_raw(1, 10);
    assert_int_equal(fk_h2_grant(&rig.h, 1, 700), 0);
    assert_false(fk_h2_pending(&rig.h));
    close_client();
    expect_log("E1 -1;");
}

/* The server's window or number of streams is used up: the body, or the request, waits. */
static void body_waits_for_the_servers_window(void **state) {
    (void)state;
    open_client(sizeof rig.memory);
    rig.peer.asked = answer;
    rig.peer.ctx = &rig;
    const nghttp2_settings_entry small = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100};
    h2_peer_open(&rig.peer, &small, 1);
    rig.reply = &(struct h2_peer_reply){.status = "200"};
    run();
    (void)submit(patch(0, 3000));
    run(); /* the peer's session grants more as it consumes */
    assert_int_equal(h2_peer_stream(&rig.peer, 1)->body_len, 3000);
    expect_log("H1 200 -1 -1 0;E1 0;");
    stop();
}

static void settings_shrink_and_grow(void **state) {
    (void)state;
    start();
    rig.reply = &(struct h2_peer_reply){.status = "200"};
    run();
    const nghttp2_settings_entry none[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0},
                                           {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}};
    assert_int_equal(nghttp2_submit_settings(rig.peer.session, 0, none, 2), 0);
    run();
    (void)submit(patch(0, 1500));
    const struct fk_h2_request request = get(0);
    assert_int_equal(fk_h2_submit(&rig.h, &request), FK_E_BUSY);
    run();
    assert_int_equal(h2_peer_stream(&rig.peer, 1)->body_len, 0);
    expect_log("");
    const nghttp2_settings_entry much = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1000};
    assert_int_equal(nghttp2_submit_settings(rig.peer.session, 0, &much, 1), 0);
    run();
    assert_int_equal(h2_peer_stream(&rig.peer, 1)->body_len, 1500);
    expect_log("H1 200 -1 -1 0;E1 0;");
    (void)submit(get(0));
    run();
    expect_log("H3 200 -1 -1 0;E3 0;");
    stop();
}

static void lowered_concurrency_makes_requests_wait(void **state) {
    (void)state;
    start_raw(0, 0);
    (void)submit(get(0));
    (void)submit(get(0));
    put_frame(NGHTTP2_SETTINGS, 0, 0, "\x00\x03\x00\x00\x00\x01", 6);
    assert_int_equal(feed_script(), 0);
    drain(); /* sends the first only */
    put_head(1, "204", NGHTTP2_FLAG_END_STREAM);
    put_head(3, "204", NGHTTP2_FLAG_END_STREAM); /* not asked yet: breaks the rules */
    assert_int_equal(feed_script(), FK_E_PROTO);
    expect_log("H1 204 -1 -1 0;E1 0;");
    close_client();
    expect_log("E3 -1;");
}

static void reply_before_the_request_is_complete(void **state) {
    (void)state;
    start_raw(0, 0);
    put_frame(NGHTTP2_SETTINGS, 0, 0, "\x00\x04\x00\x00\x00\x0a", 6); /* window of 10 */
    assert_int_equal(feed_script(), 0);
    (void)submit(patch(500, 100));
    drain();
    put_head(1, "413", 0);
    put_frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "\x00\x01\x02", 3);
    assert_int_equal(feed_script(), 0);
    expect_log("H1 413 -1 -1 0;D1+3;E1 0;");
    uint8_t buf[64]; /* the rest of the request is given up: */
    const int len = fk_h2_pull(&rig.h, buf, sizeof buf);
    assert_int_equal(len, 13);
    assert_memory_equal(buf, "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x00", 13);
    close_client();
    expect_log("");
}

struct head_row {
    const char *status;
    const char *name, *value;
    const char *event;
};

static void heads_are_read(void **state) {
    (void)state;
    static const struct head_row rows[] = {
        {"200", "x", "y", "H1 200 -1 -1 0;"},
        {"599", "x", "y", "H1 599 -1 -1 0;"},
        {"200", "date", "Sun, 06 Nov 1994 08:49:37 GMT", "H1 200 784111777 -1 0;"},
        {"200", "date", "Sunday, 06-Nov-94 08:49:37 GMT", "H1 200 -1 -1 0;"},
        {"200", "date", "", "H1 200 -1 -1 0;"},
        {"429", "retry-after", "0", "H1 429 -1 0 0;"},
        {"429", "retry-after", "86400", "H1 429 -1 86400 0;"},
        {"429", "retry-after", "86401", "H1 429 -1 86400 0;"},
        {"429", "retry-after", "99999999999999999999", "H1 429 -1 86400 0;"},
        {"429", "retry-after", "-1", "H1 429 -1 -1 0;"},
        {"429", "retry-after", "1.5", "H1 429 -1 -1 0;"},
        {"429", "retry-after", "", "H1 429 -1 -1 0;"},
        {"429", "retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", "H1 429 -1 -1 0;"},
        {"200", "content-type", "application/json", "H1 200 -1 -1 1;"},
        {"200", "content-type", "application/json; charset=utf-8", "H1 200 -1 -1 1;"},
        {"200", "content-type", "Application/JSON ;a=b", "H1 200 -1 -1 1;"},
        {"200", "content-type", "application/json-patch+json", "H1 200 -1 -1 0;"},
        {"200", "content-type", "application/jso", "H1 200 -1 -1 0;"},
        {"200", "content-type", "", "H1 200 -1 -1 0;"},
        {"200", "content-type", "application/vnd.kubernetes.protobuf", "H1 200 -1 -1 2;"},
        {"200", "content-type", "application/vnd.kubernetes.protobuf;stream=watch",
         "H1 200 -1 -1 2;"},
        {"200", "content-type", "text/html; charset=utf-8", "H1 200 -1 -1 3;"},
        {"200", "content-type", "text/plain", "H1 200 -1 -1 0;"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        const char *const fields[] = {rows[i].name, rows[i].value, NULL};
        rig.reply = &(struct h2_peer_reply){.status = rows[i].status, .fields = fields};
        (void)submit(get(0));
        run();
        char expected[64];
        (void)snprintf(expected, sizeof expected, "%sE1 0;", rows[i].event);
        expect_log(expected);
        stop();
    }
}

/* A status that is none resets its stream; the connection lives. */
static void bad_heads_end_their_stream(void **state) {
    (void)state;
    static const char *const bad[] = {"600", "999", "000", "99", "2000", "2x0", "", "-20", "101"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        start_raw(2, 100);
        put_head(1, bad[i], 0);
        put_head(3, "200", NGHTTP2_FLAG_END_STREAM);
        assert_int_equal(feed_script(), 0);
        drain(); /* nghttp2 reports its own resets when they are sent */
        flush_data();
        assert_non_null(strstr(rig.log, "E1 -16;"));
        assert_non_null(strstr(rig.log, "H3 200 -1 -1 0;E3 0;"));
        close_client();
    }
}

static void interim_heads_are_skipped(void **state) {
    (void)state;
    start();
    (void)submit(patch(100, 5));
    run();
    for (int i = 0; i < 3; i++)
        h2_peer_reply(&rig.peer, 1, &(struct h2_peer_reply){.status = "103", .interim = true});
    h2_peer_reply(&rig.peer, 1, &(struct h2_peer_reply){.status = "201", .body_len = 5});
    run();
    expect_log("H1 201 -1 -1 0;D1+5;E1 0;");
    stop();
}

static void trailers_are_ignored(void **state) {
    (void)state;
    start_raw(1, 100);
    put_head(1, "200", 0);
    put_frame(NGHTTP2_DATA, 0, 1, "\x00\x01", 2);
    uint8_t block[64];
    const uint8_t *end = put_field(put_table_size(block), "date", "Sun, 06 Nov 1994 08:49:37 GMT");
    put_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_END_HEADERS, 1, block,
              (size_t)(end - block));
    assert_int_equal(feed_script(), 0);
    expect_log("H1 200 -1 -1 0;D1+2;E1 0;");
    close_client();
}

static void padding_counts_but_is_not_reported(void **state) {
    (void)state;
    start_raw(1, 100);
    put_head(1, "200", 0);
    uint8_t padded[] = {3, 0, 1, 2, 3, 0, 0, 0};
    put_frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, padded, sizeof padded);
    put_frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_END_STREAM, 1, "\x02\x00\x00", 3);
    assert_int_equal(feed_script(), 0);
    expect_log("H1 200 -1 -1 0;D1+4;E1 0;");
    close_client();
}

/* Data beyond the window is not reported, not even before our SETTINGS are acknowledged. */
static void overrun_window_ends_the_stream(void **state) {
    (void)state;
    for (int acked = 0; acked < 2; acked++) {
        open_client(sizeof rig.memory);
        put_frame(NGHTTP2_SETTINGS, 0, 0, NULL, 0);
        if (acked != 0) put_frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
        (void)submit(get(10));
        drain();
        put_head(1, "200", 0);
        put_frame(NGHTTP2_DATA, 0, 1, "\x00\x01\x02\x03\x04", 5);
        assert_int_equal(feed_script(), 0);
        put_frame(NGHTTP2_DATA, 0, 1, "\x05\x06\x07\x08\x09\x0a", 6);
        assert_int_equal(feed_script(), 0);
        expect_log("H1 200 -1 -1 0;D1+5;E1 -16;");
        close_client();
    }
}

/* Name, value and 32 for each field: exactly the bound is fine, one more ends the stream. */
static void header_list_at_its_bound(void **state) {
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        start();
        static char filler[FK_H2_HEADERS_MAX];
        const size_t len = FK_H2_HEADERS_MAX - (7 + 3 + 32) - (1 + 32) + extra;
        memset(filler, 'a', len);
        filler[len] = '\0';
        const char *const fields[] = {"f", filler, NULL};
        rig.reply = &(struct h2_peer_reply){.status = "200", .fields = fields};
        (void)submit(get(0));
        run();
        expect_log(extra == 0 ? "H1 200 -1 -1 0;E1 0;" : "E1 -18;");
        rig.reply = &(struct h2_peer_reply){.status = "200"};
        (void)submit(get(0));
        run();
        expect_log("H3 200 -1 -1 0;E3 0;");
        stop();
    }
}

/* ---- ends --------------------------------------------------------------------------------- */

static void cancel_in_each_state(void **state) {
    (void)state;
    start(); /* queued: not a byte of it is sent */
    run();
    const uint64_t sent = rig.peer.bytes_in;
    fk_h2_cancel(&rig.h, submit(patch(10, 10)));
    expect_log("E1 -9;");
    run();
    assert_int_equal(rig.peer.bytes_in, sent);
    fk_h2_cancel(&rig.h, 1); /* nothing */
    fk_h2_cancel(&rig.h, 77);

    const int32_t asked = submit(get(10)); /* no head yet */
    run();
    fk_h2_cancel(&rig.h, asked);
    expect_log("E3 -9;");
    run();
    assert_int_equal(h2_peer_stream(&rig.peer, 3)->reset_code, NGHTTP2_CANCEL);

    rig.reply = &(struct h2_peer_reply){.status = "200", .body_len = 30};
    rig.cancel_in_head = submit(get(10));
    run();
    expect_log("H5 200 -1 -1 0;E5 0;");
    assert_int_equal(h2_peer_stream(&rig.peer, 5)->reset_code, NGHTTP2_NO_ERROR);

    rig.cancel_in_data = submit(get(10));
    run();
    expect_log("H7 200 -1 -1 0;D7+10;E7 0;");
    stop();
}

static void cancel_while_a_frame_is_half_sent(void **state) {
    (void)state;
    start();
    run();
    for (size_t cut = 1; cut < 200; cut++) {
        uint8_t buf[256];
        const int32_t id = submit(patch(10, 150));
        const int len = fk_h2_pull(&rig.h, buf, cut);
        assert_int_equal(h2_peer_feed(&rig.peer, fk_bytes(buf, (size_t)len)), 0);
        fk_h2_cancel(&rig.h, id);
        run();
        rig.log_len = 0;
        assert_int_equal(nghttp2_session_want_read(rig.peer.session), 1); /* no error there */
    }
    assert_int_equal(rig.peer.goaway_code, UINT32_MAX);
    rig.log[0] = '\0';
    stop();
}

static void resets_by_the_server(void **state) {
    (void)state;
    static const struct {
        uint32_t code;
        int err;
    } rows[] = {
        {NGHTTP2_NO_ERROR, FK_E_RESET},          {NGHTTP2_CANCEL, FK_E_RESET},
        {NGHTTP2_REFUSED_STREAM, FK_E_REFUSED},  {NGHTTP2_INTERNAL_ERROR, FK_E_RESET},
        {NGHTTP2_ENHANCE_YOUR_CALM, FK_E_RESET}, {0xdeadbeef, FK_E_RESET},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        (void)submit(patch(10, 10));
        run();
        h2_peer_reset(&rig.peer, 1, rows[i].code);
        run();
        char expected[32];
        (void)snprintf(expected, sizeof expected, "E1 %d;", rows[i].err);
        expect_log(expected);
        stop();
    }
}

static void goaway_lets_known_streams_finish(void **state) {
    (void)state;
    start();
    (void)submit(get(10));
    (void)submit(get(10));
    run();
    (void)submit(get(10)); /* queued, not sent */
    h2_peer_goaway(&rig.peer, 1, NGHTTP2_NO_ERROR);
    uint8_t buf[4096];
    const size_t len = h2_peer_pull(&rig.peer, buf, sizeof buf);
    assert_int_equal(fk_h2_feed(&rig.h, fk_bytes(buf, len)), 0);
    expect_log("goaway;E5 -8;E3 -8;");
    assert_true(rig.h.draining);
    const struct fk_h2_request request = get(0);
    assert_int_equal(fk_h2_submit(&rig.h, &request), FK_E_CLOSED);
    h2_peer_reply(&rig.peer, 1, &(struct h2_peer_reply){.status = "200", .body_len = 20});
    h2_peer_goaway(&rig.peer, 1, NGHTTP2_NO_ERROR); /* again: not news */
    run();
    expect_log("H1 200 -1 -1 0;D1+20;E1 0;");
    assert_int_equal(rig.peer.requests, 2);
    stop();
}

static void goaway_without_streams(void **state) {
    (void)state;
    start();
    run();
    h2_peer_goaway(&rig.peer, 0, NGHTTP2_ENHANCE_YOUR_CALM);
    run();
    expect_log("goaway;");
    put_frame(0x77, 0, 0, "abc", 3); /* what comes afterwards is ignored */
    assert_int_equal(feed_script(), 0);
    stop();
}

static void goaway_may_not_rise(void **state) {
    (void)state;
    start_raw(2, 10);
    put_frame(NGHTTP2_GOAWAY, 0, 0, "\x00\x00\x00\x01\x00\x00\x00\x00", 8);
    put_frame(NGHTTP2_GOAWAY, 0, 0, "\x00\x00\x00\x03\x00\x00\x00\x00", 8);
    assert_int_equal(feed_script(), 0); /* draining: known with the pull of our GOAWAY */
    drain();
    assert_int_equal(rig.h.fatal, FK_E_PROTO);
    close_client();
    expect_log("goaway;E3 -8;E1 -1;");
}

static void close_ends_every_stream(void **state) {
    (void)state;
    start();
    (void)submit(get(10));
    (void)submit(patch(0, 10));
    run();
    (void)submit(get(10));
    close_client();
    expect_log("E5 -1;E3 -1;E1 -1;");
    h2_peer_close(&rig.peer);
}

/* ---- handlers that do things ---------------------------------------------------------------- */

static struct { int ends, submits; } busy;

static void busy_head(void *ctx, int32_t stream, const struct fk_h2_head *head) {
    (void)ctx, (void)head;
    if (stream == 1) fk_h2_cancel(&rig.h, 3);
}
static void busy_data(void *ctx, int32_t stream, struct fk_bytes piece) {
    (void)ctx, (void)stream, (void)piece;
}
static void busy_end(void *ctx, int32_t stream, int err) {
    (void)ctx, (void)stream, (void)err;
    busy.ends++;
    const struct fk_h2_request request = get(0);
    if (fk_h2_submit(&rig.h, &request) > 0) busy.submits++;
}
static void busy_plain(void *ctx) {
    (void)ctx;
    fk_h2_cancel(&rig.h, rig.h.streams != NULL ? 1 : 0);
}

/* The end of each request submits the next; close, of all places, must come to an end. */
static void handlers_may_submit_and_cancel(void **state) {
    (void)state;
    static const struct fk_h2_events events_busy = {busy_head, busy_data, busy_end, busy_plain,
                                                    busy_plain};
    memset(&busy, 0, sizeof busy);
    open_client(sizeof rig.memory);
    rig.h.events = &events_busy;
    (void)submit(get(10));
    (void)submit(get(10));
    drain();
    put_preface();
    put_head(1, "200", 0); /* cancels 3, whose end submits 5 */
    put_frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "\x00", 1);
    assert_int_equal(feed_script(), 0);
    assert_int_equal(busy.submits, 2);
    drain();
    fk_h2_close(&rig.h);
    assert_int_equal(busy.ends, 4);
    assert_int_equal(busy.submits, 2);
    assert_int_equal(rig.heap.used_bytes, 0);
}

/* ---- how the bytes are cut ------------------------------------------------------------------ */

/* What a server says to three requests: interim and error heads, data, trailers, PING. */
static void put_conversation(void) {
    put_preface();
    put_head(1, "103", 0);
    uint8_t block[128];
    uint8_t *end = put_field(put_table_size(block), ":status", "200");
    end = put_field(end, "date", "Sun, 06 Nov 1994 08:49:37 GMT");
    const size_t half = (size_t)(end - block) / 2;
    put_frame(NGHTTP2_HEADERS, 0, 1, block, half);
    put_frame(NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, block + half,
              (size_t)(end - block) - half);
    put_frame(NGHTTP2_DATA, 0, 1, "\x00\x01\x02", 3);
    put_frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8);
    put_head(3, "204", NGHTTP2_FLAG_END_STREAM);
    put_frame(NGHTTP2_WINDOW_UPDATE, 0, 0, "\x00\x00\x00\x09", 4);
    put_frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x02\x03\x04\x00\x00", 5);
    put_frame(0xbe, 0xff, 9, "unknown", 7);
    put_frame(NGHTTP2_RST_STREAM, 0, 5, "\x00\x00\x00\x07", 4);
    put_frame(NGHTTP2_DATA, 0, 1, NULL, 0);
    end = put_field(block, "grpc-status", "0");
    put_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_END_HEADERS, 1, block,
              (size_t)(end - block));
    put_frame(NGHTTP2_GOAWAY, 0, 0,
              "\x7f\xff\xff\xff\x00\x00\x00\x00"
              "bye",
              11);
}
#define CONVERSATION "H1 200 784111777 -1 0;D1+3;pong;H3 204 -1 -1 0;E3 0;D1+2;E5 -8;E1 0;goaway;"

static void start_conversation(void) {
    open_client(sizeof rig.memory);
    for (int i = 0; i < 3; i++) (void)submit(get(100));
    assert_int_equal(fk_h2_ping(&rig.h), 0);
    drain();
    put_conversation();
}

static void converse(size_t first, size_t step) {
    start_conversation();
    for (size_t at = 0, len = first; at < script.len; at += len, len = step) {
        if (len > script.len - at) len = script.len - at;
        assert_int_equal(fk_h2_feed(&rig.h, fk_bytes(script.bytes + at, len)), 0);
        drain();
    }
    expect_log(CONVERSATION);
    close_client();
    expect_log("");
}

static void every_split_tells_the_same(void **state) {
    (void)state;
    start_conversation();
    const size_t len = script.len;
    close_client();
    converse(len, len);
    converse(1, 1);
    for (size_t first = 1; first < len; first++) converse(first, len);
}

/* Cut off anywhere: each stream ends once, nothing stays in the heap. */
static void cut_at_every_byte(void **state) {
    (void)state;
    start_conversation();
    const size_t whole = script.len;
    close_client();
    for (size_t len = 0; len < whole; len++) {
        start_conversation();
        uint8_t *exact = malloc(len > 0 ? len : 1); /* so that reading on is noticed */
        assert_non_null(exact);
        memcpy(exact, script.bytes, len);
        assert_int_equal(fk_h2_feed(&rig.h, fk_bytes(exact, len)), 0);
        free(exact);
        if (len % 2 == 0) drain();
        close_client();
        for (int id = 1; id <= 5; id += 2) {
            char end[8];
            (void)snprintf(end, sizeof end, "E%d ", id);
            const char *at = strstr(rig.log, end);
            assert_non_null(at);
            assert_null(strstr(at + 1, end));
        }
    }
}

/* ---- floods and broken rules ---------------------------------------------------------------- */

static void put_settings(void) { put_frame(NGHTTP2_SETTINGS, 0, 0, NULL, 0); }
static void put_ping(void) { put_frame(NGHTTP2_PING, 0, 0, "12345678", 8); }
static void put_empty_data(void) { put_frame(NGHTTP2_DATA, 0, 3, NULL, 0); }
static void put_interim(void) { put_head(1, "100", 0); }
static void put_unknown(void) { put_frame(0x99, 0, 0, "abcdefgh", 8); }
static void put_priority(void) { put_frame(NGHTTP2_PRIORITY, 0, 7, "\x00\x00\x00\x01\x10", 5); }
static void put_promise(void) {
    put_frame(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, "\x00\x00\x00\x02\x82", 5);
}
static void put_continuations(void) {
    put_frame(NGHTTP2_HEADERS, 0, 1, NULL, 0);
    for (int i = 0; i < 100; i++) put_frame(NGHTTP2_CONTINUATION, 0, 1, NULL, 0);
}
static void put_late_data(void) { put_frame(NGHTTP2_DATA, 0, 5, "abc", 3); }

struct flood_row {
    const char *name;
    void (*put)(void);
    int err; /* what becomes of the connection when we do not get to send anything */
};

static void floods_are_bounded(void **state) {
    (void)state;
    static const struct flood_row rows[] = {
        {"settings", put_settings, FK_E_PROTO},
        {"ping", put_ping, FK_E_PROTO},
        {"empty data", put_empty_data, 0},
        {"interim heads", put_interim, 0},
        {"unknown frames", put_unknown, 0},
        {"priority", put_priority, 0},
        {"push promise", put_promise, FK_E_PROTO},
        {"continuation", put_continuations, FK_E_PROTO},
        {"data of a cancelled stream", put_late_data, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start_raw(3, 100);
        put_head(3, "200", 0);
        assert_int_equal(feed_script(), 0);
        fk_h2_cancel(&rig.h, 5);
        const uint32_t before = rig.heap.used_bytes;
        rig.heap.peak_bytes = before;
        int err = 0;
        for (int n = 0; n < 2000 && err == 0; n++) {
            rows[i].put();
            err = feed_script();
        }
        if (err != rows[i].err) fail_msg("%s: %d", rows[i].name, err);
        if (rig.heap.peak_bytes > before + 4096) fail_msg("%s: heap", rows[i].name);
        drain();
        rig.log_len = 0;
        close_client();
    }
    rig.log[0] = '\0';
}

/* A server that pings a lot, but lets us answer, is served. */
static void many_pings_are_answered(void **state) {
    (void)state;
    start_raw(1, 10);
    for (int n = 0; n < 200; n++) {
        put_ping();
        put_settings();
        assert_int_equal(feed_script(), 0);
        drain();
    }
    close_client();
    expect_log("E1 -1;");
}

static void broken_rules_end_the_connection(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
        {"\x00\x00\x08\x06\x00\x00\x00\x00\x00"
         "12345678",
         17},                                        /* PING before SETTINGS */
        {"\x00\x00\x00\x04\x00\x00\x00\x00\x01", 9}, /* SETTINGS of a stream */
        {"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
         "\x00\x00\x01\x01\x04\x00\x00\x00\x01"
         "\xff",
         19},
        {"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
         "\x00\x00\x00\x09\x04\x00\x00\x00\x01",
         18},
        {"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
         "\x00\x40\x01\x00\x00\x00\x00\x00\x01",
         18},
        {"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
         "\x00\x00\x01\x00\x00\x00\x00\x00\x01"
         "a",
         19},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_client(sizeof rig.memory);
        (void)submit(get(100));
        drain();
        assert_int_equal(fk_h2_feed(&rig.h, fk_bytes(rows[i].bytes, rows[i].len)), FK_E_PROTO);
        assert_int_equal(rig.h.fatal, FK_E_PROTO);
        const struct fk_h2_request request = get(0);
        assert_int_equal(fk_h2_submit(&rig.h, &request), FK_E_PROTO);
        assert_int_equal(fk_h2_ping(&rig.h), FK_E_PROTO);
        assert_int_equal(fk_h2_feed(&rig.h, fk_bytes("x", 1)), FK_E_PROTO);
        uint8_t buf[256];
        const int len = fk_h2_pull(&rig.h, buf, sizeof buf); /* a GOAWAY, and whatever was queued */
        assert_true(len >= 17);
        close_client();
        assert_int_equal(rig.h.fatal, FK_E_PROTO);
        expect_log("E1 -1;");
    }
}

/* The server's table sizes, small, zero, back and large, while requests go on. */
static void header_table_sizes_change(void **state) {
    (void)state;
    start();
    rig.reply = &(struct h2_peer_reply){.status = "200"};
    static const uint32_t sizes[] = {4096, 0, 100, 65536, 0, 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, sizes[i]};
        assert_int_equal(nghttp2_submit_settings(rig.peer.session, 0, &entry, 1), 0);
        (void)submit(get(0));
        run();
        (void)submit(patch(0, 3));
        run();
    }
    assert_int_equal(rig.peer.requests, 12);
    assert_int_equal(rig.peer.goaway_code, UINT32_MAX);
    assert_non_null(strstr(rig.log, "E23 0;"));
    rig.log_len = 0;
    rig.log[0] = '\0';
    stop();
}

/* ---- what it costs -------------------------------------------------------------------------- */

static void put_lease(const void *ctx, struct fk_writer *w) {
    const unsigned *n = ctx;
    fk_put_str(w, "{\"spec\":{\"renewTime\":\"2026-07-01T12:34:");
    fk_put_padded(w, *n % 60, 2);
    fk_put_str(w, ".000001Z\"}}");
}

/* Not a test of figures, but their source: a Lease renewal in the steady state, without TLS. */
static void measures_a_lease_renewal(void **state) {
    (void)state;
    start();
    char date[] = "Wed, 01 Jul 2026 12:34:00 GMT";
    char audit[] = "00000000-6b0c-4d6e-9a3f-1f1f5a2b7c11";
    const char *const fields[] = {"audit-id",
                                  audit,
                                  "cache-control",
                                  "no-cache, private",
                                  "content-type",
                                  "application/vnd.kubernetes.protobuf",
                                  "x-kubernetes-pf-flowschema-uid",
                                  "40c5e9ad-ea16-4a7b-b4c8-8ee2bb6f0d3b",
                                  "x-kubernetes-pf-prioritylevel-uid",
                                  "b0a1c8cf-0b2a-4c1c-9b5e-3a2e0c6c1d2f",
                                  "content-length",
                                  "411",
                                  "date",
                                  date,
                                  NULL};
    rig.reply = &(struct h2_peer_reply){.status = "200", .fields = fields, .body_len = 411};
    unsigned n = 0;
    const struct fk_h2_header headers[] = {
        {fk_bytes_str("accept"), fk_bytes_str("application/vnd.kubernetes.protobuf"), false},
        {fk_bytes_str("content-type"), fk_bytes_str("application/merge-patch+json"), false},
        {fk_bytes_str("user-agent"), fk_bytes_str("femtokubelet/0.1"), false},
    };
    const struct fk_h2_request request = {
        .method = "PATCH",
        .scheme = "https",
        .authority = "10.0.0.1:6443",
        .path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/board-01",
        .path_repeats = true,
        .headers = headers,
        .header_count = 3,
        .body = put_lease,
        .body_ctx = &n,
    };
    uint64_t in = 0, out = 0;
    const unsigned warm = 100, count = 100;
    for (; n < warm + count; n++) {
        if (n == warm) {
            in = rig.peer.bytes_out;
            out = rig.peer.bytes_in;
        }
        (void)snprintf(audit, 9, "%08x", n * 2654435761u);
        audit[8] = '-';
        date[23] = (char)('0' + n % 60 / 10);
        date[24] = (char)('0' + n % 10);
        assert_true(fk_h2_submit(&rig.h, &request) > 0);
        run();
        rig.log_len = 0;
    }
    printf("[ MEASURE  ] lease renewal without TLS: %.1f B out, %.1f B in; "
           "heap %u used, %u peak (tables %d decode, %d encode)\n",
           (double)(rig.peer.bytes_in - out) / count, (double)(rig.peer.bytes_out - in) / count,
           rig.heap.used_bytes, rig.heap.peak_bytes, FK_H2_DECODE_TABLE, FK_H2_ENCODE_TABLE);
    assert_true(rig.peer.bytes_in - out <= count * 160);
    rig.log[0] = '\0';
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_with_our_settings),
        cmocka_unit_test(zeroed_struct_is_closed),
        cmocka_unit_test(pings_and_pongs),
        cmocka_unit_test(says_goodbye),
        cmocka_unit_test(sends_what_it_was_given),
        cmocka_unit_test(too_many_headers_are_a_mistake),
        cmocka_unit_test(bodies_of_every_length),
        cmocka_unit_test(one_request_is_one_pull),
        cmocka_unit_test(long_header_block),
        cmocka_unit_test(unwanted_body_is_never_sent),
        cmocka_unit_test(a_lingering_stream_is_reset_with_the_next_request),
        cmocka_unit_test(a_lingering_stream_may_end_otherwise),
        cmocka_unit_test(granted_window_is_kept_open),
        cmocka_unit_test(error_head_then_grant),
        cmocka_unit_test(second_grant_changes_nothing),
        cmocka_unit_test(body_waits_for_the_servers_window),
        cmocka_unit_test(settings_shrink_and_grow),
        cmocka_unit_test(lowered_concurrency_makes_requests_wait),
        cmocka_unit_test(reply_before_the_request_is_complete),
        cmocka_unit_test(heads_are_read),
        cmocka_unit_test(bad_heads_end_their_stream),
        cmocka_unit_test(interim_heads_are_skipped),
        cmocka_unit_test(trailers_are_ignored),
        cmocka_unit_test(padding_counts_but_is_not_reported),
        cmocka_unit_test(overrun_window_ends_the_stream),
        cmocka_unit_test(header_list_at_its_bound),
        cmocka_unit_test(cancel_in_each_state),
        cmocka_unit_test(cancel_while_a_frame_is_half_sent),
        cmocka_unit_test(resets_by_the_server),
        cmocka_unit_test(goaway_lets_known_streams_finish),
        cmocka_unit_test(goaway_without_streams),
        cmocka_unit_test(goaway_may_not_rise),
        cmocka_unit_test(close_ends_every_stream),
        cmocka_unit_test(handlers_may_submit_and_cancel),
        cmocka_unit_test(every_split_tells_the_same),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(floods_are_bounded),
        cmocka_unit_test(many_pings_are_answered),
        cmocka_unit_test(broken_rules_end_the_connection),
        cmocka_unit_test(header_table_sizes_change),
        cmocka_unit_test(measures_a_lease_renewal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
