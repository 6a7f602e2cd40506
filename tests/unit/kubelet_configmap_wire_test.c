/* ConfigMaps by the API client, over HTTP/2, against a server that keeps a history: the connection
 * dies at every byte, or is drained, and nothing is lost, doubled or half applied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "kubelet/configmap.h"
#include "support/duty_case.h"
#include "support/h2_peer.h"
#include "support/mem_pipe.h"
#include "support/watch_case.h"

#define GOLDEN_MAX 20000
#define HEAP_BYTES 65536

/* The golden watch is the server's history: what of it comes after a version. */
struct history {
    uint8_t bytes[GOLDEN_MAX], empty[100];
    struct fk_bytes whole, list;
    unsigned lists, watches;
};

struct fixture {
    struct mem_pipe wire;
    struct h2_peer peer;
    struct fk_client client;
    struct fk_heap heap;
    _Alignas(8) uint8_t memory[HEAP_BYTES];
    uint64_t now_ms;
    struct fk_rng rng;
    struct fk_configmaps c;
    struct history history;
};

/* 900 to 905, see tests/golden/api/README.md: one event each, then bookmarks of the last. */
static struct fk_bytes after(const struct history *h, unsigned version) {
    struct fk_bytes rest = h->whole;
    for (unsigned v = 900; v <= 905 && v <= version; v++) (void)watch_case_next(&rest);
    return version >= 905 ? fk_bytes(rest.p, 0) : rest;
}

static void asked(void *ctx, struct h2_peer *p, struct h2_peer_stream *s) {
    struct history *h = ctx;
    static const char *const fields[] = {"content-type", "application/vnd.kubernetes.protobuf",
                                         NULL};
    struct h2_peer_reply reply = {.status = "200", .fields = fields};
    const char *version = strstr(s->head, "&resourceVersion=");
    if (version == NULL) {
        h->lists++;
        reply.body = h->list.p;
        reply.body_len = h->list.len;
    } else {
        h->watches++;
        const struct fk_bytes events = after(h, (unsigned)atoi(version + 17));
        reply.body = events.p;
        reply.body_len = events.len + 1; /* a watch does not end */
        reply.body_held = 1;
    }
    h2_peer_reply(p, s->id, &reply);
}

static struct fixture *begin(void) {
    static struct fixture f;
    static const struct fk_port_ops ops = {.keep = NULL};
    static const struct fk_options defaults = {FK_INFO, 100, 10000};
    memset(&f, 0, sizeof f);
    mem_pipe_init(&f.wire);
    fk_heap_init(&f.heap, f.memory, sizeof f.memory);
    const struct fk_client_config config = {.pipe = mem_pipe_near(&f.wire),
                                            .authority = "server:6443",
                                            .user_agent = "test/1",
                                            .heap = &f.heap,
                                            .log = &duty_case_log,
                                            .seed = 7};
    fk_client_init(&f.client, &config);
    const struct fk_duty_env env = duty_case_env(&f.rng);
    const struct fk_port port = {&ops, NULL};
    fk_configmaps_init(&f.c, &env, &port, &f.heap, NULL, &defaults, "default/rack-1");
    f.history.whole = watch_case_golden(f.history.bytes, GOLDEN_MAX, "configmap-watch.pb");
    f.history.list = watch_case_golden(f.history.empty, 100, "configmap-list-empty.pb");
    f.peer.asked = asked;
    f.peer.ctx = &f.history;
    f.now_ms = 1000;
    return &f;
}

static void end(struct fixture *f) {
    h2_peer_close(&f->peer);
    while (!fk_client_shutdown(&f->client, f->now_ms)) {
    }
    assert_int_equal(f->heap.used_bytes, 0);
}

/* As the node does it with a duty of its own. */
static bool work(struct fixture *f) {
    struct fk_configmap *m = &f->c.all[0];
    const struct fk_now now = fk_client_now(&f->client, f->now_ms);
    struct fk_request request;
    if (!fk_client_spare(&f->client) || fk_configmap_ops.due(m) > f->now_ms) return false;
    assert_true(fk_configmap_ops.request(m, now, &request));
    const int err = fk_client_submit(&f->client, &request);
    const struct fk_response refused = {.status = err, .message = ""};
    if (err != 0) request.reply->response(request.owner, now, &refused);
    return true;
}

/* Bytes 0 and 1023 are written by the same events: never one without the other. */
static void check_whole(const struct fixture *f) {
    const uint8_t first = f->c.memory[0], last = f->c.memory[1023];
    assert_true((first == 0 && (last == 0 || last == 1023 * 7 % 256)) ||
                (first == 0x50 && last == 255));
}

static void settle(struct fixture *f) {
    for (int i = 0; i < 100000; i++) {
        const bool client = fk_client_step(&f->client, f->now_ms);
        const bool peer = h2_peer_serve(&f->peer, &f->wire);
        const bool duty = work(f);
        check_whole(f);
        (void)fk_configmaps_step(&f->c, fk_client_now(&f->client, f->now_ms));
        if (!client && !peer && !duty) return;
    }
    fail_msg("never quiet");
}

/* Until the next thing to do, twenty times. */
static void pass(struct fixture *f) {
    for (int i = 0; i < 20; i++) {
        uint64_t due_ms = fk_client_due(&f->client);
        if (fk_client_spare(&f->client))
            due_ms = fk_sooner(due_ms, fk_configmap_ops.due(&f->c.all[0]));
        if (due_ms == FK_NEVER) return;
        if (due_ms > f->now_ms) f->now_ms = due_ms;
        settle(f);
    }
}

static void check_end(const struct fixture *f) {
    const struct fk_configmap *m = &f->c.all[0];
    assert_int_equal(m->state, FK_CONFIGMAP_APPLIED);
    assert_string_equal(m->resource_version, "905");
    assert_int_equal(m->applied, 4);
    assert_int_equal(m->refused, 1);
    assert_int_equal(f->c.memory[7], 7);
    assert_int_equal(f->c.memory[8], 56);
    assert_int_equal(f->c.options.log_level, FK_INFO);
}

static void arrives_through_a_small_window(void **state) {
    (void)state;
    struct fixture *f = begin();
    settle(f);
    check_end(f);
    assert_int_equal(f->history.lists, 1);
    assert_int_equal(f->history.watches, 1);
    /* nothing is left to do but to end a watch that the server forgot */
    assert_true(fk_client_due(&f->client) >= f->now_ms + FK_WATCH_TIMEOUT_MS - 1000);
    end(f);
}

static void the_connection_dies_at_every_byte(void **state) {
    (void)state;
    for (size_t die_at = 40; die_at < 19500; die_at += die_at < 1800 ? 1 : 61) {
        struct fixture *f = begin();
        f->wire.to_near.die_at = die_at;
        settle(f);
        f->wire.to_near.die_at = MEM_NEVER;
        pass(f);
        check_end(f);
        assert_true(f->history.lists <= 2);
        end(f);
    }
}

/* And again and again: each connection brings a little more. */
static void every_connection_dies(void **state) {
    (void)state;
    struct fixture *f = begin();
    f->wire.to_near.die_at = 9200; /* the two large events need 8.7 KB each */
    settle(f);
    for (int i = 0; i < 10; i++) pass(f);
    check_end(f);
    assert_true(f->history.watches >= 3);
    end(f);
}

static void a_drained_connection_is_left_in_the_middle(void **state) {
    (void)state;
    for (unsigned steps = 5; steps < 400; steps += 7) {
        struct fixture *f = begin();
        f->wire.to_near.chunk = 64;
        for (unsigned i = 0; i < steps; i++) {
            (void)fk_client_step(&f->client, f->now_ms);
            (void)h2_peer_serve(&f->peer, &f->wire);
            (void)work(f);
            check_whole(f);
        }
        if (f->peer.session != NULL) h2_peer_goaway(&f->peer, INT32_MAX, NGHTTP2_NO_ERROR);
        f->wire.to_near.chunk = 0;
        settle(f); /* what the last chunk's "later" holds back comes with the second */
        settle(f);
        pass(f);
        check_end(f);
        end(f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrives_through_a_small_window),
        cmocka_unit_test(the_connection_dies_at_every_byte),
        cmocka_unit_test(every_connection_dies),
        cmocka_unit_test(a_drained_connection_is_left_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
