/* The API client against an HTTP/2 server session in memory: the connection's life, each request
 * answered exactly once, errors read, a silent peer noticed. Virtual time. */
#include "api/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"
#include "support/h2_peer.h"
#include "support/mem_pipe.h"

#define DATE "Fri, 19 Jun 2026 12:00:00 GMT"
#define HEAP_BYTES 65536

struct asked {
    int responses;
    struct fk_response last;
    char message[FK_MESSAGE_MAX];
    size_t body_len;
    size_t largest; /* piece of it */
    size_t enough;  /* bytes of a watch's body; 0: never */
    bool over;
};

struct fixture {
    struct mem_pipe wire;
    struct h2_peer peer;
    struct fk_client client;
    struct fk_heap heap;
    _Alignas(8) uint8_t memory[HEAP_BYTES];
    uint64_t now_ms;
    struct asked asked[8];
};

static void on_body(void *owner, struct fk_bytes piece) {
    struct asked *a = owner;
    a->body_len += piece.len;
    if (piece.len > a->largest) a->largest = piece.len;
    if (a->enough > 0 && a->body_len >= a->enough) a->over = true;
}
static void on_response(void *owner, struct fk_now now, const struct fk_response *response) {
    struct asked *a = owner;
    (void)now;
    a->responses++;
    a->last = *response;
    snprintf(a->message, sizeof a->message, "%s", response->message);
}
static const struct fk_reply_ops reply = {on_body, on_response};

static void document(const void *owner, struct fk_writer *w) {
    (void)owner;
    fk_put_str(w, "{\"spec\":{}}");
}

static struct fixture *begin(void) {
    static struct fixture f; /* too large for the stack */
    memset(&f, 0, sizeof f);
    mem_pipe_init(&f.wire);
    fk_heap_init(&f.heap, f.memory, sizeof f.memory);
    const struct fk_client_config config = {
        .pipe = mem_pipe_near(&f.wire),
        .authority = "server:6443",
        .user_agent = "test/1",
        .authorization = "Bearer secret",
        .heap = &f.heap,
        .log = &duty_case_log,
        .seed = 7,
    };
    fk_client_init(&f.client, &config);
    f.now_ms = 1000;
    return &f;
}

static void end(struct fixture *f) {
    h2_peer_close(&f->peer);
    while (!fk_client_shutdown(&f->client, f->now_ms)) {
    }
    assert_int_equal(f->heap.used_bytes, 0);
}

/* Until nothing moves. */
static void settle(struct fixture *f) {
    for (int i = 0; i < 10000; i++) {
        const bool client = fk_client_step(&f->client, f->now_ms);
        const bool peer = h2_peer_serve(&f->peer, &f->wire);
        if (!client && !peer) return;
    }
    fail_msg("never quiet");
}

/* Jumps to the client's own deadlines until ms have passed. */
static void pass(struct fixture *f, uint64_t ms) {
    const uint64_t until_ms = f->now_ms + ms;
    for (int i = 0; i < 10000 && f->now_ms < until_ms; i++) {
        const uint64_t due_ms = fk_client_due(&f->client);
        f->now_ms = fk_sooner(due_ms > f->now_ms ? due_ms : f->now_ms + 1, until_ms);
        settle(f);
    }
    assert_int_equal(f->now_ms, until_ms);
}

static void ask(struct fixture *f, struct asked *a, bool wants_body) {
    struct fk_request request = {.verb = FK_PATCH_MERGE,
                                 .path = "/apis/x",
                                 .wants_body = wants_body,
                                 .document = document,
                                 .reply = &reply,
                                 .owner = a};
    assert_int_equal(fk_client_submit(&f->client, &request), 0);
    settle(f);
}

static int32_t last_stream(struct fixture *f) {
    int32_t last = 0;
    for (size_t i = 0; i < H2_PEER_STREAMS; i++)
        if (f->peer.streams[i].id > last) last = f->peer.streams[i].id;
    return last;
}

static void answer(struct fixture *f, const char *status, const char *const *fields,
                   const char *body) {
    const struct h2_peer_reply r = {.status = status,
                                    .fields = fields,
                                    .body = (const uint8_t *)body,
                                    .body_len = body == NULL ? 0 : strlen(body)};
    h2_peer_reply(&f->peer, last_stream(f), &r);
    settle(f);
}

static const char *const dated[] = {"date", DATE, NULL};

/* ---- tests ----------------------------------------------------------------------------------- */

static void connects_and_sends_what_kubernetes_wants(void **state) {
    (void)state;
    struct fixture *f = begin();
    assert_false(fk_client_ready(&f->client));
    settle(f);
    assert_true(fk_client_ready(&f->client));
    ask(f, &f->asked[0], false);
    const struct h2_peer_stream *s = h2_peer_stream(&f->peer, 1);
    assert_non_null(s);
    assert_non_null(strstr(s->head, ":method: PATCH\n"));
    assert_non_null(strstr(s->head, ":path: /apis/x\n"));
    assert_non_null(strstr(s->head, ":authority: server:6443\n"));
    assert_non_null(strstr(s->head, "accept: application/vnd.kubernetes.protobuf\n"));
    assert_non_null(strstr(s->head, "content-type: application/merge-patch+json\n"));
    assert_non_null(strstr(s->head, "!authorization: Bearer secret\n")); /* never indexed */
    assert_memory_equal(s->body, "{\"spec\":{}}", s->body_len);
    answer(f, "200", dated, "0123456789");
    assert_int_equal(f->asked[0].responses, 1);
    assert_int_equal(f->asked[0].last.status, 200);
    assert_int_equal(f->asked[0].body_len, 0); /* not wanted: not sent */
    assert_true(fk_client_now(&f->client, f->now_ms).wall_us == INT64_C(1781870400000000));
    end(f);
}

static void a_wanted_body_arrives_whole(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    ask(f, &f->asked[0], true);
    const struct h2_peer_reply r = {.status = "200", .fields = dated, .body_len = 100000};
    h2_peer_reply(&f->peer, 1, &r);
    settle(f);
    assert_int_equal(f->asked[0].last.status, 200);
    assert_int_equal(f->asked[0].body_len, 100000);
    end(f);
}

/* Asked for PartialObjectMetadata alone, an API server writes its errors as JSON, whose reason we
 * do not read: AlreadyExists would be lost. So the plain type stands behind it. */
static void metadata_is_asked_for_with_errors_in_protobuf(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    const struct fk_request request = {.verb = FK_GET,
                                       .path = "/api/v1/nodes/x",
                                       .metadata_only = true,
                                       .reply = &reply,
                                       .owner = &f->asked[0]};
    assert_int_equal(fk_client_submit(&f->client, &request), 0);
    settle(f);
    const char expected[] = "accept: application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;"
                            "g=meta.k8s.io;v=v1,application/vnd.kubernetes.protobuf\n";
    assert_non_null(strstr(h2_peer_stream(&f->peer, 1)->head, expected));
    end(f);
}

static void slots_are_bounded_and_free_again(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    for (int i = 0; i < FK_REQUESTS_MAX; i++) ask(f, &f->asked[i], false);
    assert_false(fk_client_ready(&f->client));
    struct fk_request request = {
        .verb = FK_GET, .path = "/", .reply = &reply, .owner = &f->asked[7]};
    assert_int_equal(fk_client_submit(&f->client, &request), FK_E_BUSY);
    answer(f, "200", dated, NULL);
    assert_true(fk_client_ready(&f->client));
    assert_int_equal(fk_client_submit(&f->client, &request), 0);
    assert_int_equal(f->asked[7].responses, 0);
    end(f);
    assert_int_equal(f->asked[7].responses, 1); /* the end answers what was under way */
    assert_int_equal(f->asked[7].last.status, FK_E_CANCELLED);
}

static void submit_without_a_connection_is_refused(void **state) {
    (void)state;
    struct fixture *f = begin();
    struct fk_request request = {
        .verb = FK_GET, .path = "/", .reply = &reply, .owner = &f->asked[0]};
    assert_int_equal(fk_client_submit(&f->client, &request), FK_E_CLOSED);
    assert_int_equal(f->asked[0].responses, 0);
}

struct error_row {
    const char *status, *content_type, *retry_after, *body, *message;
    int expected;
    uint32_t retry_after_ms;
};

static void errors_are_read_for_the_operator(void **state) {
    (void)state;
    static const struct error_row rows[] = {
        {"403", "application/json", NULL, "{\"message\":\"no\"}", "no", 403, 0},
        {"429", "text/plain", "7", "Too many requests", "Too many requests", 429, 7000},
        {"502", "text/html", NULL, "<html><title>Bad gateway</title></html>", "HTML", 502, 0},
        {"500", "text/plain", NULL, NULL, "", 500, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int wants_body = 0; wants_body < 2; wants_body++) {
            struct fixture *f = begin();
            settle(f);
            ask(f, &f->asked[0], wants_body != 0);
            const char *const fields[] = {"content-type", rows[i].content_type,
                                          rows[i].retry_after == NULL ? NULL : "retry-after",
                                          rows[i].retry_after, NULL};
            answer(f, rows[i].status, fields, rows[i].body);
            assert_int_equal(f->asked[0].responses, 1);
            assert_int_equal(f->asked[0].last.status, rows[i].expected);
            assert_int_equal(f->asked[0].last.retry_after_ms, rows[i].retry_after_ms);
            assert_int_equal(f->asked[0].body_len, 0);
            if (strstr(f->asked[0].message, rows[i].message) == NULL)
                fail_msg("row %zu: %s", i, f->asked[0].message);
            end(f);
        }
    }
}

#define LONG_ERROR 1000 /* bytes: more than one window, so that the bodies come in turns */

static const char *pad(char buf[LONG_ERROR + 1], const char *text) {
    memset(buf, '.', LONG_ERROR);
    memcpy(buf, text, strlen(text));
    buf[LONG_ERROR] = '\0';
    return buf;
}

/* One error body is read at a time. The other is let go, and its request still answered. */
static void two_errors_at_once_do_not_mix(void **state) {
    (void)state;
    char first[LONG_ERROR + 1], second[LONG_ERROR + 1];
    for (int wants_body = 0; wants_body < 2; wants_body++) {
        struct fixture *f = begin();
        settle(f);
        ask(f, &f->asked[0], wants_body != 0);
        ask(f, &f->asked[1], wants_body != 0);
        const struct h2_peer_reply a = {.status = "403",
                                        .body = (const uint8_t *)pad(first, "the first"),
                                        .body_len = LONG_ERROR};
        const struct h2_peer_reply b = {.status = "500",
                                        .body = (const uint8_t *)pad(second, "the second"),
                                        .body_len = LONG_ERROR};
        h2_peer_reply(&f->peer, 1, &a);
        h2_peer_reply(&f->peer, 3, &b); /* its head comes before the first's body */
        settle(f);
        assert_int_equal(f->asked[0].responses, 1);
        assert_int_equal(f->asked[0].last.status, 403);
        assert_memory_equal(f->asked[0].message, "the first...", strlen("the first..."));
        assert_int_equal(f->asked[1].responses, 1);
        assert_int_equal(f->asked[1].last.status, 500);
        assert_string_equal(f->asked[1].message, "");
        ask(f, &f->asked[2], wants_body != 0); /* and the next one is read again */
        answer(f, "502", NULL, "the third");
        assert_string_equal(f->asked[2].message, "the third");
        end(f);
    }
}

/* The first one's body is half here when the second comes. */
static void an_error_half_read_is_left_alone(void **state) {
    (void)state;
    for (int wants_body = 0; wants_body < 2; wants_body++) {
        struct fixture *f = begin();
        settle(f);
        ask(f, &f->asked[0], wants_body != 0);
        ask(f, &f->asked[1], wants_body != 0);
        const struct h2_peer_reply a = {.status = "403",
                                        .body = (const uint8_t *)"the first, ",
                                        .body_len = 11,
                                        .body_held = 2};
        h2_peer_reply(&f->peer, 1, &a);
        settle(f);
        answer(f, "500", NULL, "the second"); /* of stream 3 */
        assert_int_equal(f->asked[0].responses, 0);
        assert_int_equal(f->asked[1].last.status, 500);
        assert_string_equal(f->asked[1].message, "");
        h2_peer_reset(&f->peer, 1, NGHTTP2_INTERNAL_ERROR);
        settle(f);
        assert_int_equal(f->asked[0].last.status, 403);
        assert_string_equal(f->asked[0].message, "the first");
        end(f);
    }
}

static void a_ten_megabyte_error_costs_one_window(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    ask(f, &f->asked[0], false);
    const uint64_t before = f->peer.bytes_out;
    const struct h2_peer_reply r = {.status = "500", .fields = dated, .body_len = 10u << 20};
    h2_peer_reply(&f->peer, 1, &r);
    settle(f);
    assert_int_equal(f->asked[0].last.status, 500);
    /* the window is opened again while the first bytes are read, so a little more than one */
    assert_in_range(f->peer.bytes_out - before, 1, 2 * FK_ERROR_BODY_MAX + 300);
    assert_true(fk_client_ready(&f->client));
    end(f);
}

static void a_lost_connection_answers_everything_once(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    for (int i = 0; i < 3; i++) ask(f, &f->asked[i], i == 1);
    f->wire.dead = true;
    settle(f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(f->asked[i].responses, 1);
        assert_int_equal(f->asked[i].last.status, FK_E_RESET);
    }
    assert_int_equal(f->client.state, FK_LINK_DOWN);
    assert_int_equal(f->heap.used_bytes, 0);
    f->wire.dead = false;
    pass(f, 300); /* the first reconnect comes after 150 to 250 ms */
    assert_true(fk_client_ready(&f->client));
    assert_int_equal(f->client.stats.connects, 2);
    end(f);
}

static void reconnects_back_off_and_are_counted(void **state) {
    (void)state;
    struct fixture *f = begin();
    f->wire.open_err = FK_E_UNREACHABLE;
    settle(f);
    pass(f, 60000);
    /* 0.2 0.4 0.8 1.6 3.2 6.4 8 8 … seconds, more or less a quarter */
    assert_in_range(f->client.stats.connect_tries, 9, 16);
    f->wire.open_err = 0;
    pass(f, FK_RECONNECT_MAX_MS * 5 / 4);
    assert_true(fk_client_ready(&f->client));
    assert_int_equal(f->client.stats.connects, 1);
    end(f);
}

static void a_hurried_reconnect_is_due_at_once(void **state) {
    (void)state;
    struct fixture *f = begin();
    f->wire.open_err = FK_E_UNREACHABLE;
    settle(f);
    pass(f, 60000);
    const uint32_t tries = f->client.stats.connect_tries;
    assert_true(fk_client_due(&f->client) > f->now_ms);
    fk_client_hurry(&f->client, f->now_ms);
    assert_int_equal(fk_client_due(&f->client), f->now_ms);
    settle(f);
    assert_int_equal(f->client.stats.connect_tries, tries + 1);
    /* it failed again, and the delay is still a long one */
    assert_true(fk_client_due(&f->client) >= f->now_ms + FK_RECONNECT_MAX_MS * 3 / 4);
    f->wire.open_err = 0;
    fk_client_hurry(&f->client, f->now_ms);
    settle(f);
    assert_true(fk_client_ready(&f->client));
    const uint64_t due_ms = fk_client_due(&f->client);
    fk_client_hurry(&f->client, f->now_ms); /* nothing to hurry */
    assert_int_equal(fk_client_due(&f->client), due_ms);
    end(f);
}

static void a_forgotten_time_is_told_anew(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    ask(f, &f->asked[0], false);
    answer(f, "200", dated, NULL);
    assert_true(fk_client_now(&f->client, f->now_ms).wall_us != FK_WALL_UNKNOWN);
    fk_client_forget_time(&f->client);
    assert_true(fk_client_now(&f->client, f->now_ms).wall_us == FK_WALL_UNKNOWN);
    ask(f, &f->asked[1], false);
    answer(f, "200", dated, NULL);
    assert_true(fk_client_now(&f->client, f->now_ms).wall_us != FK_WALL_UNKNOWN);
    end(f);
}

static void a_dropped_connection_answers_with_the_reason(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    ask(f, &f->asked[0], false);
    fk_client_drop(&f->client, f->now_ms, FK_E_CERT);
    assert_int_equal(f->asked[0].responses, 1);
    assert_int_equal(f->asked[0].last.status, FK_E_CERT);
    assert_int_equal(f->client.state, FK_LINK_DOWN);
    assert_int_equal(f->heap.used_bytes, 0);
    const uint64_t due_ms = fk_client_due(&f->client);
    assert_true(due_ms > f->now_ms);
    fk_client_drop(&f->client, f->now_ms, FK_E_CERT); /* nothing left to drop */
    assert_int_equal(fk_client_due(&f->client), due_ms);
    end(f);
}

struct settled_row {
    uint64_t stood_ms; /* when the answer comes, since the connection was begun */
    const char *status;
    bool settled; /* the next reconnect is a quick one */
};

/* What makes a connection count as good: an answer by a server that can serve, and not right at the
 * beginning. */
static void only_a_good_connection_is_come_back_to_at_once(void **state) {
    (void)state;
    static const struct settled_row rows[] = {
        {0, "200", false},
        {FK_RECONNECT_MAX_MS - 1, "200", false},
        {FK_RECONNECT_MAX_MS, "200", true},
        {FK_RECONNECT_MAX_MS, "404", true},
        {FK_RECONNECT_MAX_MS, "499", true},
        {FK_RECONNECT_MAX_MS, "429", false},
        {FK_RECONNECT_MAX_MS, "500", false},
        {FK_RECONNECT_MAX_MS, "503", false},
        {3600000, "200", true},
        {3600000, "503", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = begin();
        f->wire.open_err = FK_E_UNREACHABLE;
        settle(f);
        pass(f, 60000); /* the delay has grown to its cap */
        f->wire.open_err = 0;
        while (!fk_client_ready(&f->client)) pass(f, 1);
        pass(f, rows[i].stood_ms - (f->now_ms - f->client.opened_ms));
        ask(f, &f->asked[0], false);
        answer(f, rows[i].status, dated, NULL);
        assert_int_equal(f->asked[0].responses, 1);
        f->wire.dead = true;
        settle(f);
        const uint64_t wait_ms = f->client.retry_ms - f->now_ms;
        if (rows[i].settled) assert_in_range(wait_ms, 150, 250);
        else assert_in_range(wait_ms, FK_RECONNECT_MAX_MS * 3 / 4, FK_RECONNECT_MAX_MS * 5 / 4);
        end(f);
    }
}

static void a_connection_that_never_works_keeps_backing_off(void **state) {
    (void)state;
    struct fixture *f = begin();
    for (int i = 0; i < 40; i++) { /* SETTINGS arrive, the first request kills it */
        settle(f);
        if (fk_client_ready(&f->client)) {
            ask(f, &f->asked[0], false);
            f->wire.dead = true;
            settle(f);
            f->wire.dead = false;
        }
        pass(f, 1000);
    }
    assert_in_range(f->client.stats.connect_tries, 6, 13);
    end(f);
}

static void silence_is_noticed_by_a_ping(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    pass(f, 100000);
    assert_int_equal(f->peer.pings, 0); /* nothing asked: nothing sent */
    f->wire.to_near.silent = true;
    ask(f, &f->asked[0], false);
    const uint64_t asked_ms = f->now_ms;
    pass(f, FK_PING_AFTER_MS - 1);
    assert_int_equal(f->peer.pings, 0);
    pass(f, 1);
    assert_int_equal(f->peer.pings, 1);
    pass(f, FK_PING_TIMEOUT_MS - 1);
    assert_int_equal(f->asked[0].responses, 0);
    pass(f, 1);
    assert_int_equal(f->asked[0].responses, 1);
    assert_int_equal(f->asked[0].last.status, FK_E_TIMEOUT);
    assert_int_equal(f->client.stats.silent_peers, 1);
    assert_int_equal(f->now_ms - asked_ms, FK_PING_AFTER_MS + FK_PING_TIMEOUT_MS);
    f->wire.to_near.silent = false;
    end(f);
}

static void a_slow_server_is_not_a_dead_one(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    ask(f, &f->asked[0], false);
    pass(f, FK_REQUEST_TIMEOUT_MS - 1);
    assert_int_equal(f->asked[0].responses, 0);
    assert_in_range(f->peer.pings, 2, 8);
    pass(f, 1); /* but one request has its limit */
    assert_int_equal(f->asked[0].last.status, FK_E_TIMEOUT);
    assert_true(h2_peer_stream(&f->peer, 1)->reset);
    assert_true(fk_client_ready(&f->client));
    assert_int_equal(f->client.stats.connects, 1);
    end(f);
}

/* Stepped at its own deadlines alone, the client keeps them: none is left out of due. */
static void a_request_ends_at_its_limit_by_due_alone(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    ask(f, &f->asked[0], false);
    const uint64_t asked_ms = f->now_ms;
    while (f->asked[0].responses == 0) {
        assert_true(fk_client_due(&f->client) > f->now_ms);
        f->now_ms = fk_client_due(&f->client);
        assert_true(f->now_ms <= asked_ms + FK_REQUEST_TIMEOUT_MS);
        settle(f);
    }
    assert_int_equal(f->now_ms, asked_ms + FK_REQUEST_TIMEOUT_MS);
    assert_int_equal(f->asked[0].last.status, FK_E_TIMEOUT);
    assert_true(fk_client_due(&f->client) == FK_NEVER);
    end(f);
}

struct stalled_row {
    const char *status;
    size_t body_len, body_held;
    int expected;
};

/* The server lives, but the rest of the reply never comes. */
static void a_reply_that_stalls_is_no_success(void **state) {
    (void)state;
    static const struct stalled_row rows[] = {
        {"200", 1000, 1000, FK_E_TIMEOUT}, /* a head, then nothing */
        {"200", 1000, 500, FK_E_TIMEOUT},
        {"201", 1000, 1, FK_E_TIMEOUT},
        {"200", 5000, 1, FK_E_TIMEOUT},
        {"500", 700, 700, 500}, /* an error is one, body or not */
        {"403", 700, 100, 403},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = begin();
        settle(f);
        ask(f, &f->asked[0], true);
        const struct h2_peer_reply r = {.status = rows[i].status,
                                        .fields = dated,
                                        .body_len = rows[i].body_len,
                                        .body_held = rows[i].body_held};
        h2_peer_reply(&f->peer, 1, &r);
        settle(f);
        pass(f, FK_REQUEST_TIMEOUT_MS - 1);
        assert_int_equal(f->asked[0].responses, 0);
        pass(f, 1);
        assert_int_equal(f->asked[0].responses, 1);
        assert_int_equal(f->asked[0].last.status, rows[i].expected);
        if (rows[i].expected < 0)
            assert_int_equal(f->asked[0].body_len, rows[i].body_len - rows[i].body_held);
        assert_int_equal(f->client.stats.failures, rows[i].expected < 0);
        assert_true(h2_peer_stream(&f->peer, 1)->reset);
        assert_true(fk_client_ready(&f->client));
        end(f);
    }
}

static void a_handshake_that_hangs_is_given_up(void **state) {
    (void)state;
    struct fixture *f = begin();
    f->wire.to_near.silent = true;
    settle(f);
    pass(f, FK_CONNECT_TIMEOUT_MS - 1);
    assert_int_equal(f->client.state, FK_LINK_CONNECTING);
    pass(f, 1);
    assert_int_equal(f->client.state, FK_LINK_DOWN);
    f->wire.to_near.silent = false;
    pass(f, 1000);
    assert_true(fk_client_ready(&f->client));
    end(f);
}

static void goaway_lets_requests_finish_and_connects_anew(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    ask(f, &f->asked[0], false);
    h2_peer_goaway(&f->peer, 1, NGHTTP2_NO_ERROR);
    settle(f);
    assert_int_equal(f->client.state, FK_LINK_DRAINING);
    assert_false(fk_client_ready(&f->client));
    answer(f, "200", dated, NULL);
    assert_int_equal(f->asked[0].last.status, 200);
    pass(f, 300);
    assert_true(fk_client_ready(&f->client));
    assert_int_equal(f->client.stats.connects, 2);
    end(f);
}

static void a_reset_stream_is_a_failure_of_that_request(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    ask(f, &f->asked[0], false);
    h2_peer_reset(&f->peer, 1, NGHTTP2_REFUSED_STREAM);
    settle(f);
    assert_int_equal(f->asked[0].last.status, FK_E_REFUSED);
    ask(f, &f->asked[1], false);
    h2_peer_reset(&f->peer, 3, NGHTTP2_INTERNAL_ERROR);
    settle(f);
    assert_int_equal(f->asked[1].last.status, FK_E_RESET);
    assert_int_equal(f->client.stats.connects, 1);
    end(f);
}

/* Whether what requests refer to, the token above all, may be changed; and when it should be. */
static void tells_when_the_token_may_change_and_when_it_is_refused(void **state) {
    (void)state;
    struct fixture *f = begin();
    assert_true(fk_client_idle(&f->client));
    settle(f);
    ask(f, &f->asked[0], false);
    assert_false(fk_client_idle(&f->client)); /* until it is answered */
    answer(f, "200", dated, NULL);
    assert_true(fk_client_idle(&f->client));
    assert_int_equal(f->client.stats.unauthorized, 0);
    ask(f, &f->asked[1], false);
    answer(f, "401", dated, NULL);
    assert_int_equal(f->asked[1].last.status, 401);
    assert_int_equal(f->client.stats.unauthorized, 1);
    assert_true(fk_client_idle(&f->client));
    ask(f, &f->asked[2], false);
    f->wire.dead = true;
    settle(f);
    assert_true(fk_client_idle(&f->client));
    assert_int_equal(f->client.stats.unauthorized, 1);
    end(f);
}

/* Nobody will take the rest of the goodbye: there is nothing to wait for. */
static void a_goodbye_ends_with_the_connection(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    ask(f, &f->asked[0], false);
    f->wire.to_far.room = 10;
    assert_false(fk_client_shutdown(&f->client, f->now_ms));
    assert_false(fk_client_shutdown(&f->client, f->now_ms));
    assert_true(fk_client_wants_write(&f->client));
    f->wire.dead = true;
    assert_true(fk_client_shutdown(&f->client, f->now_ms));
    assert_int_equal(f->asked[0].last.status, FK_E_CANCELLED);
    end(f);
}

/* After its head and some of its body: what arrived is not the object. */
static void a_reply_reset_in_its_middle_is_no_success(void **state) {
    (void)state;
    static const struct {
        const char *status;
        uint32_t code;
        int expected;
    } rows[] = {
        {"200", NGHTTP2_INTERNAL_ERROR, FK_E_RESET},
        {"200", NGHTTP2_NO_ERROR, FK_E_RESET},
        {"201", NGHTTP2_REFUSED_STREAM, FK_E_REFUSED},
        {"500", NGHTTP2_INTERNAL_ERROR, 500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = begin();
        settle(f);
        ask(f, &f->asked[0], true);
        const struct h2_peer_reply r = {
            .status = rows[i].status, .fields = dated, .body_len = 700, .body_held = 300};
        h2_peer_reply(&f->peer, 1, &r);
        settle(f);
        assert_int_equal(f->asked[0].responses, 0);
        h2_peer_reset(&f->peer, 1, rows[i].code);
        settle(f);
        assert_int_equal(f->asked[0].responses, 1);
        assert_int_equal(f->asked[0].last.status, rows[i].expected);
        assert_int_equal(f->asked[0].body_len, rows[i].expected < 0 ? 400 : 0);
        assert_int_equal(f->client.stats.failures, rows[i].expected < 0);
        end(f);
    }
}

/* The connection dies after every possible byte from the server: always one answer, no leak. */
static void cut_at_every_byte(void **state) {
    (void)state;
    for (size_t die_at = 0; die_at < 1400; die_at++) {
        struct fixture *f = begin();
        f->wire.to_near.die_at = die_at;
        settle(f);
        if (fk_client_ready(&f->client)) {
            ask(f, &f->asked[0], true);
            const struct h2_peer_reply r = {.status = "200", .fields = dated, .body_len = 1000};
            if (f->client.state == FK_LINK_UP && h2_peer_stream(&f->peer, 1) != NULL)
                h2_peer_reply(&f->peer, 1, &r);
            settle(f);
            if (f->client.state == FK_LINK_DOWN) assert_int_equal(f->asked[0].responses, 1);
            if (f->asked[0].last.status == 200) assert_int_equal(f->asked[0].body_len, 1000);
        }
        end(f);
    }
}

static void a_full_heap_is_an_ordinary_failure(void **state) {
    (void)state;
    for (size_t size = 512; size < 16384; size += 128) {
        struct fixture *f = begin();
        fk_heap_init(&f->heap, f->memory, size);
        settle(f);
        if (fk_client_ready(&f->client)) {
            struct fk_request request = {.verb = FK_PATCH_MERGE,
                                         .path = "/apis/x",
                                         .document = document,
                                         .reply = &reply,
                                         .owner = &f->asked[0]};
            const int err = fk_client_submit(&f->client, &request);
            assert_true(err == 0 || err == FK_E_NOMEM);
            settle(f);
            if (err == 0 && h2_peer_stream(&f->peer, 1) != NULL) answer(f, "200", dated, NULL);
        }
        end(f);
        assert_true(f->asked[0].responses <= 1);
    }
}

/* The PING that a waiting request calls for finds no memory, and the pipe takes nothing: the
 * connection is given up at once, not looked at again and again. */
static void a_full_heap_behind_a_full_pipe_is_no_busy_loop(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    f->wire.to_far.room = 16;
    const struct fk_request request = {
        .verb = FK_GET, .path = "/", .reply = &reply, .owner = &f->asked[0]};
    assert_int_equal(fk_client_submit(&f->client, &request), 0);
    while (fk_client_step(&f->client, f->now_ms)) {
    }
    assert_true(fk_client_wants_write(&f->client)); /* the peer does not read */
    void *taken[32];
    size_t count = 0;
    for (uint32_t largest; (largest = fk_heap_largest(&f->heap)) > 0; count++) {
        assert_true(count < sizeof taken / sizeof taken[0]);
        taken[count] = fk_heap_alloc(&f->heap, largest);
    }
    assert_true(fk_client_due(&f->client) == f->now_ms + FK_PING_AFTER_MS);
    f->now_ms += FK_PING_AFTER_MS;
    while (fk_client_step(&f->client, f->now_ms)) {
    }
    assert_true(fk_client_due(&f->client) > f->now_ms);
    assert_int_equal(f->client.state, FK_LINK_DOWN);
    assert_int_equal(f->asked[0].responses, 1);
    assert_int_equal(f->asked[0].last.status, FK_E_NOMEM);
    while (count > 0) fk_heap_free(&f->heap, taken[--count]);
    end(f);
}

/* ---- watches --------------------------------------------------------------------------------- */

static int submit_watch(struct fixture *f, struct asked *a) {
    const struct fk_request request = {
        .verb = FK_GET, .path = "/watch", .over = &a->over, .reply = &reply, .owner = a};
    const int err = fk_client_submit(&f->client, &request);
    settle(f);
    return err;
}

/* Of the watch asked last: its head, and body_len bytes of a body that does not end. */
static void run_watch(struct fixture *f, size_t body_len) {
    const struct h2_peer_reply r = {
        .status = "200", .fields = dated, .body_len = body_len + 1, .body_held = 1};
    h2_peer_reply(&f->peer, last_stream(f), &r);
    settle(f);
}

static void a_running_watch_costs_nothing(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    assert_false(fk_client_idle(&f->client)); /* its headers may still be on their way */
    run_watch(f, 75);
    assert_int_equal(f->asked[0].body_len, 75);
    assert_true(fk_client_idle(&f->client));
    const uint64_t in = f->peer.bytes_in;
    pass(f, FK_WATCH_TIMEOUT_MS - 1);
    assert_int_equal(f->asked[0].responses, 0);
    assert_int_equal(f->peer.bytes_in, in);
    assert_int_equal(f->peer.pings, 0);
    end(f);
    assert_int_equal(f->asked[0].last.status, FK_E_CANCELLED);
}

/* The server should have ended it long ago. */
static void a_watch_that_the_server_forgot_is_given_up(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    run_watch(f, 75);
    pass(f, FK_WATCH_TIMEOUT_MS - 1);
    assert_int_equal(f->asked[0].responses, 0);
    pass(f, 1);
    assert_int_equal(f->asked[0].last.status, FK_E_TIMEOUT);
    assert_int_equal(f->client.state, FK_LINK_UP);
    end(f);
}

static void a_watch_keeps_its_window_open(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    run_watch(f, 100000);
    assert_int_equal(f->asked[0].body_len, 100000);
    assert_true(f->asked[0].largest <= FK_RECV_BUF);
    assert_true(f->asked[0].largest <= FK_WATCH_WINDOW);
    end(f);
}

/* Until its head is in it is a request like others. */
static void a_watch_that_is_not_answered_is_given_up(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    pass(f, FK_REQUEST_TIMEOUT_MS - 1);
    assert_true(f->peer.pings > 0);
    assert_int_equal(f->asked[0].responses, 0);
    pass(f, 1);
    assert_int_equal(f->asked[0].last.status, FK_E_TIMEOUT);
    assert_true(h2_peer_stream(&f->peer, 1)->reset);
    end(f);
}

static void a_refused_watch_says_why(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    const char *const fields[] = {"content-type", "text/plain", NULL};
    answer(f, "403", fields, "not you");
    assert_int_equal(f->asked[0].last.status, 403);
    assert_string_equal(f->asked[0].message, "not you");
    assert_int_equal(submit_watch(f, &f->asked[1]), 0);
    const struct h2_peer_reply stalled = {.status = "500", .body_len = 10, .body_held = 10};
    h2_peer_reply(&f->peer, last_stream(f), &stalled);
    settle(f);
    pass(f, FK_REQUEST_TIMEOUT_MS);
    assert_int_equal(f->asked[1].last.status, 500);
    end(f);
}

/* Watches do not take the place of what keeps the node Ready, nor the other way round. */
static void watches_have_slots_of_their_own(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    for (int i = 0; i < FK_WATCHES_MAX; i++) assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    assert_int_equal(submit_watch(f, &f->asked[0]), FK_E_BUSY);
    assert_true(fk_client_spare(&f->client));
    for (int i = 0; i < FK_REQUESTS_MAX; i++) {
        assert_true(fk_client_ready(&f->client));
        assert_int_equal(fk_client_spare(&f->client), i < FK_REQUESTS_MAX - 1);
        ask(f, &f->asked[1], false);
    }
    assert_false(fk_client_ready(&f->client));
    run_watch(f, 0); /* an ordinary one's, which then ends */
    assert_int_equal(f->asked[1].responses, 1);
    assert_int_equal(submit_watch(f, &f->asked[0]), FK_E_BUSY);
    end(f);
    assert_int_equal(f->asked[0].responses, FK_WATCHES_MAX);
}

static void a_watch_ends_when_its_owner_has_enough(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    f->asked[0].enough = 100;
    run_watch(f, 100000);
    assert_int_equal(f->asked[0].responses, 1);
    assert_int_equal(f->asked[0].last.status, 200);
    assert_in_range(f->asked[0].body_len, 100, 100 + FK_RECV_BUF);
    assert_true(h2_peer_stream(&f->peer, 1)->reset);
    assert_int_equal(submit_watch(f, &f->asked[1]), 0);
    end(f);
}

static void goaway_ends_watches_at_once(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    run_watch(f, 10);
    assert_int_equal(submit_watch(f, &f->asked[1]), 0); /* not answered yet */
    ask(f, &f->asked[2], false);
    h2_peer_goaway(&f->peer, last_stream(f), NGHTTP2_NO_ERROR);
    settle(f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(f->asked[i].responses, 1);
        assert_int_equal(f->asked[i].last.status, FK_E_CLOSED);
    }
    assert_int_equal(f->client.state, FK_LINK_DRAINING);
    assert_int_equal(f->asked[2].responses, 0);
    answer(f, "200", dated, NULL);
    assert_int_equal(f->asked[2].last.status, 200);
    pass(f, 300);
    assert_int_equal(f->client.stats.connects, 2);
    assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    end(f);
}

/* With nothing but a watch under way, the connection is given up for a new one at once. */
static void goaway_with_a_watch_alone(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    run_watch(f, 10);
    h2_peer_goaway(&f->peer, 1, NGHTTP2_NO_ERROR);
    settle(f);
    assert_int_equal(f->asked[0].last.status, FK_E_CLOSED);
    pass(f, 300);
    assert_int_equal(f->client.stats.connects, 2);
    assert_true(fk_client_ready(&f->client));
    end(f);
}

/* Who notices is whoever waits for an answer: the Lease. */
static void silence_behind_a_watch_is_noticed_by_the_next_request(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    assert_int_equal(submit_watch(f, &f->asked[0]), 0);
    run_watch(f, 10);
    f->wire.to_near.silent = true;
    pass(f, 60000);
    assert_int_equal(f->asked[0].responses, 0);
    ask(f, &f->asked[1], false);
    pass(f, FK_PING_AFTER_MS + FK_PING_TIMEOUT_MS);
    assert_int_equal(f->asked[0].last.status, FK_E_TIMEOUT);
    assert_int_equal(f->asked[1].last.status, FK_E_TIMEOUT);
    f->wire.to_near.silent = false;
    end(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_and_sends_what_kubernetes_wants),
        cmocka_unit_test(a_wanted_body_arrives_whole),
        cmocka_unit_test(metadata_is_asked_for_with_errors_in_protobuf),
        cmocka_unit_test(slots_are_bounded_and_free_again),
        cmocka_unit_test(submit_without_a_connection_is_refused),
        cmocka_unit_test(errors_are_read_for_the_operator),
        cmocka_unit_test(two_errors_at_once_do_not_mix),
        cmocka_unit_test(an_error_half_read_is_left_alone),
        cmocka_unit_test(a_ten_megabyte_error_costs_one_window),
        cmocka_unit_test(a_lost_connection_answers_everything_once),
        cmocka_unit_test(reconnects_back_off_and_are_counted),
        cmocka_unit_test(a_hurried_reconnect_is_due_at_once),
        cmocka_unit_test(a_dropped_connection_answers_with_the_reason),
        cmocka_unit_test(a_forgotten_time_is_told_anew),
        cmocka_unit_test(only_a_good_connection_is_come_back_to_at_once),
        cmocka_unit_test(a_connection_that_never_works_keeps_backing_off),
        cmocka_unit_test(silence_is_noticed_by_a_ping),
        cmocka_unit_test(a_slow_server_is_not_a_dead_one),
        cmocka_unit_test(a_request_ends_at_its_limit_by_due_alone),
        cmocka_unit_test(a_reply_that_stalls_is_no_success),
        cmocka_unit_test(a_handshake_that_hangs_is_given_up),
        cmocka_unit_test(goaway_lets_requests_finish_and_connects_anew),
        cmocka_unit_test(a_reset_stream_is_a_failure_of_that_request),
        cmocka_unit_test(tells_when_the_token_may_change_and_when_it_is_refused),
        cmocka_unit_test(a_goodbye_ends_with_the_connection),
        cmocka_unit_test(a_reply_reset_in_its_middle_is_no_success),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(a_full_heap_is_an_ordinary_failure),
        cmocka_unit_test(a_full_heap_behind_a_full_pipe_is_no_busy_loop),
        cmocka_unit_test(a_running_watch_costs_nothing),
        cmocka_unit_test(a_watch_that_the_server_forgot_is_given_up),
        cmocka_unit_test(a_watch_keeps_its_window_open),
        cmocka_unit_test(a_watch_that_is_not_answered_is_given_up),
        cmocka_unit_test(a_refused_watch_says_why),
        cmocka_unit_test(watches_have_slots_of_their_own),
        cmocka_unit_test(a_watch_ends_when_its_owner_has_enough),
        cmocka_unit_test(goaway_ends_watches_at_once),
        cmocka_unit_test(goaway_with_a_watch_alone),
        cmocka_unit_test(silence_behind_a_watch_is_noticed_by_the_next_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
