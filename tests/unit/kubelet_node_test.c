/* The node over the real client, against an HTTP/2 server session in memory: what is asked when,
 * what waits for what, and that it never asks to be called at once without something to do.
 * Virtual time. */
#include "kubelet/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"
#include "support/h2_peer.h"
#include "support/mem_pipe.h"

#define DATE "Fri, 19 Jun 2026 12:00:00 GMT"
#define UID "11111111-2222-3333-4444-555555555555"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
#define HEAP_BYTES 65536
#define BEGIN_MS 5000
#define OVERDUE_MS (10000 * FK_LAPSE_HALVES / 2) /* after the last renewal */

/* ---- the server ----------------------------------------------------------------------------- */

enum kind {
    CREATE_NODE,
    READ_NODE,
    LABELS,
    STATUS,
    ANNOTATE,
    READ_LEASE,
    CREATE_LEASE,
    RENEW,  /* and claim */
    ERRAND, /* of a duty that a port has added */
    KINDS
};

static const struct {
    const char *method, *path, *type; /* NULL: any */
    bool node;                        /* of the Node, not the Lease */
} requests[KINDS] = {
    [CREATE_NODE] = {"POST", "/api/v1/nodes", NULL, true},
    [READ_NODE] = {"GET", "/api/v1/nodes/board-1", NULL, true},
    [LABELS] = {"PATCH", "/api/v1/nodes/board-1", "application/strategic-merge-patch+json", true},
    [STATUS] = {"PATCH", "/api/v1/nodes/board-1/status", NULL, true},
    [ANNOTATE] = {"PATCH", "/api/v1/nodes/board-1", "application/merge-patch+json", true},
    [READ_LEASE] = {"GET", LEASES "/board-1", NULL, false},
    [CREATE_LEASE] = {"POST", LEASES, NULL, false},
    [RENEW] = {"PATCH", LEASES "/board-1", NULL, false},
    [ERRAND] = {"GET", "/errand", NULL, true},
};

/* What a rule may say instead of a status. */
enum { AS_IT_IS = 0, HOLD = -1, RESET = -2, STALL = -3 };

#define LOG_MAX 4096

struct fixture {
    struct mem_pipe wire;
    struct h2_peer peer;
    struct fk_node node;
    struct fk_heap heap;
    _Alignas(8) uint8_t memory[HEAP_BYTES];
    uint64_t now_ms;
    const char *address;
    uint64_t gateway_id;

    bool node_there, lease_there;
    int rules[KINDS];
    int (*dice)(struct fixture *f); /* instead of the rules */
    struct fk_rng rng;
    bool frozen; /* the far end neither reads nor writes */

    unsigned counts[KINDS];   /* requests */
    int32_t streams[KINDS];   /* of the last one */
    enum kind log[LOG_MAX];   /* all of them in their order */
    uint64_t log_ms[LOG_MAX]; /* and when */
    size_t log_count;
    bool ready; /* the last status that was taken says Ready */
    uint8_t node_body[1024], lease_body[1024];
    struct fk_bytes node_bytes, lease_bytes;
};

static enum kind kind_of(const struct h2_peer_stream *s) {
    char method[32], path[128], type[96];
    for (int i = 0; i < KINDS; i++) {
        (void)snprintf(method, sizeof method, ":method: %s\n", requests[i].method);
        (void)snprintf(path, sizeof path, ":path: %s\n", requests[i].path);
        (void)snprintf(type, sizeof type, "content-type: %s\n",
                       requests[i].type == NULL ? "" : requests[i].type);
        if (strstr(s->head, method) == NULL || strstr(s->head, path) == NULL) continue;
        if (requests[i].type == NULL || strstr(s->head, type) != NULL) return (enum kind)i;
    }
    fail_msg("not expected: %s", s->head);
    return KINDS;
}

/* What a server would say that only knows whether the two objects are there. */
static int model(struct fixture *f, enum kind kind) {
    bool *there = requests[kind].node ? &f->node_there : &f->lease_there;
    if (kind != CREATE_NODE && kind != CREATE_LEASE) return *there ? 200 : 404;
    if (*there) return 409;
    *there = true;
    return 201;
}

static const uint8_t already_exists[] = "k8s\0\x12\x0f\x22\x0d"
                                        "AlreadyExists";

static struct fk_bytes body_of(struct fixture *f, enum kind kind, int status) {
    if (status == 409) return fk_bytes(already_exists, sizeof already_exists - 1);
    if (status >= 300) return fk_bytes(NULL, 0);
    return kind == READ_LEASE ? f->lease_bytes : f->node_bytes;
}

static void answer(struct fixture *f, enum kind kind, int status, bool stalls) {
    char text[12];
    (void)snprintf(text, sizeof text, "%d", status);
    const char *const fields[] = {"date", DATE, "content-type",
                                  "application/vnd.kubernetes.protobuf", NULL};
    const struct fk_bytes body = body_of(f, kind, status);
    const struct h2_peer_reply reply = {.status = text,
                                        .fields = fields,
                                        .body = body.p,
                                        .body_len = body.len,
                                        .body_held = stalls ? body.len / 2 : 0};
    h2_peer_reply(&f->peer, f->streams[kind], &reply);
    if (kind != STATUS || status >= 300) return;
    const struct h2_peer_stream *s = h2_peer_stream(&f->peer, f->streams[STATUS]);
    f->ready = strstr((const char *)s->body, "\"type\":\"Ready\",\"status\":\"True\"") != NULL;
}

static void asked(void *ctx, struct h2_peer *p, struct h2_peer_stream *s) {
    struct fixture *f = ctx;
    const enum kind kind = kind_of(s);
    assert_true(f->log_count < LOG_MAX);
    f->log[f->log_count] = kind;
    f->log_ms[f->log_count++] = f->now_ms;
    f->counts[kind]++;
    f->streams[kind] = s->id;
    const int rule = f->dice != NULL ? f->dice(f) : f->rules[kind];
    if (rule == RESET) h2_peer_reset(p, s->id, NGHTTP2_INTERNAL_ERROR);
    else if (rule != HOLD) answer(f, kind, rule > 0 ? rule : model(f, kind), rule == STALL);
}

/* ---- the port ------------------------------------------------------------------------------- */

static uint64_t port_mono_ms(void *ctx) { return ((struct fixture *)ctx)->now_ms; }
static int port_entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    memset(buf, 7, len);
    return 0;
}
static void port_facts(void *ctx, struct fk_port_facts *out) {
    const struct fixture *f = ctx;
    *out = (struct fk_port_facts){45000, 65536, 10000, f->gateway_id};
}
static const char *port_address(void *ctx) { return ((struct fixture *)ctx)->address; }
static const struct fk_port_ops port_ops = {
    .mono_ms = port_mono_ms, .entropy = port_entropy, .facts = port_facts, .address = port_address};

static struct fixture *begin_with(uint64_t seed, size_t heap_bytes) {
    static struct fixture f; /* too large for the stack */
    memset(&f, 0, sizeof f);
    mem_pipe_init(&f.wire);
    fk_heap_init(&f.heap, f.memory, heap_bytes);
    fk_rng_seed(&f.rng, seed);
    f.now_ms = BEGIN_MS;
    f.address = "192.0.2.7";
    f.gateway_id = 1;
    f.node_bytes = duty_case_node(f.node_body, UID, "Ready", "Unknown", 1781870000);
    f.lease_bytes = duty_case_lease(f.lease_body, "board-1", 1781870000, 0);
    f.peer.asked = asked;
    f.peer.ctx = &f;
    const struct fk_node_setup setup = {
        .config = &duty_case_config,
        .port = {&port_ops, &f},
        .pipe = mem_pipe_near(&f.wire),
        .heap = &f.heap,
        .authority = "server:6443",
        .user_agent = "test/1",
        .log = &duty_case_log,
        .seed = seed,
    };
    assert_int_equal(fk_node_init(&f.node, &setup), 0);
    return &f;
}
static struct fixture *begin(void) { return begin_with(7, HEAP_BYTES); }

static void end(struct fixture *f) {
    h2_peer_close(&f->peer);
    while (!fk_client_shutdown(&f->node.client, f->now_ms)) {
    }
    assert_int_equal(f->heap.used_bytes, 0);
}

/* Until nothing moves. The node then wants to be called later, not now. */
static void settle(struct fixture *f) {
    for (int i = 0; i < 2000; i++) {
        const bool node = fk_node_step(&f->node);
        if (!node && fk_node_due(&f->node) <= f->now_ms)
            fail_msg("busy loop at %llu ms: due since %llu ms", (unsigned long long)f->now_ms,
                     (unsigned long long)(f->now_ms - fk_node_due(&f->node)));
        const bool peer = !f->frozen && h2_peer_serve(&f->peer, &f->wire);
        if (!node && !peer) return;
    }
    fail_msg("never quiet");
}

/* From one deadline of the node to the next, until ms have passed. */
static void pass(struct fixture *f, uint64_t ms) {
    const uint64_t until_ms = f->now_ms + ms;
    settle(f);
    while (f->now_ms < until_ms) {
        f->now_ms = fk_sooner(fk_node_due(&f->node), until_ms);
        settle(f);
    }
}

/* Registered, reported, the Lease created: all within a moment. The next renewal is in 10 s to
 * 10.4 s, the next judgement of the conditions in 10 s. */
static struct fixture *begin_ready(void) {
    struct fixture *f = begin();
    pass(f, 1000);
    assert_true(f->ready);
    assert_int_equal(f->node.lease.renewals, 1);
    assert_int_equal(f->log_count, 5);
    return f;
}

static size_t count_since(const struct fixture *f, size_t from, enum kind kind) {
    size_t count = 0;
    for (size_t i = from; i < f->log_count; i++) count += f->log[i] == kind;
    return count;
}

/* When it was asked for the n-th time, counted from 0. */
static uint64_t moment_of(const struct fixture *f, size_t from, enum kind kind, size_t n) {
    for (size_t i = from; i < f->log_count; i++)
        if (f->log[i] == kind && n-- == 0) return f->log_ms[i];
    fail_msg("asked for less often");
    return 0;
}

/* ---- beginning ------------------------------------------------------------------------------ */

static void a_new_node_asks_in_this_order(void **state) {
    (void)state;
    struct fixture *f = begin();
    pass(f, 1000);
    static const enum kind expected[] = {CREATE_NODE, READ_LEASE, STATUS, CREATE_LEASE, ANNOTATE};
    assert_int_equal(f->log_count, 5);
    for (size_t i = 0; i < 5; i++) assert_int_equal(f->log[i], expected[i]);
    assert_true(f->ready);
    pass(f, 10000); /* and from then on renews */
    assert_int_equal(f->counts[RENEW], 1);
    assert_int_equal(f->log_count, 6);
    end(f);
}

/* ---- duties of others ------------------------------------------------------------------------ */

struct errand {
    uint64_t due_ms;
    unsigned asked, answered;
    int status;
};

static uint64_t errand_due(const void *self) { return ((const struct errand *)self)->due_ms; }

static void errand_body(void *owner, struct fk_bytes piece) {
    (void)owner;
    (void)piece;
}

static void errand_response(void *owner, struct fk_now now, const struct fk_response *response) {
    struct errand *e = owner;
    (void)now;
    e->answered++;
    e->status = response->status;
}

static bool errand_request(void *self, struct fk_now now, struct fk_request *request) {
    static const struct fk_reply_ops reply = {errand_body, errand_response};
    struct errand *e = self;
    (void)now;
    fk_request_make(request, FK_GET, "/errand", NULL, "");
    request->reply = &reply;
    request->owner = e;
    e->asked++;
    e->due_ms = FK_NEVER;
    return true;
}

static const struct fk_duty_ops errand_ops = {errand_due, errand_request};

/* They share the connection, but never its last slot: that is the Lease's. */
static void duties_of_others_leave_the_lease_its_slot(void **state) {
    (void)state;
    struct fixture *f = begin_ready();
    static struct errand errands[FK_EXTRA_DUTIES_MAX];
    memset(errands, 0, sizeof errands);
    for (size_t i = 0; i < FK_EXTRA_DUTIES_MAX; i++) {
        errands[i].due_ms = f->now_ms;
        fk_node_add_duty(&f->node, &errand_ops, &errands[i]);
    }
    f->frozen = true;
    for (int i = 0; i < 100; i++) (void)fk_node_step(&f->node);
    unsigned asked = 0;
    for (size_t i = 0; i < FK_EXTRA_DUTIES_MAX; i++) asked += errands[i].asked;
    const unsigned room = FK_REQUESTS_MAX - 1;
    assert_int_equal(asked, FK_EXTRA_DUTIES_MAX < room ? FK_EXTRA_DUTIES_MAX : room);
    assert_true(fk_client_ready(&f->node.client));
    f->frozen = false;
    pass(f, 1000); /* all of them are answered in the end */
    for (size_t i = 0; i < FK_EXTRA_DUTIES_MAX; i++) {
        assert_int_equal(errands[i].answered, 1);
        assert_int_equal(errands[i].status, 200);
    }
    end(f);
}

static void a_setting_that_cannot_be_is_refused(void **state) {
    (void)state;
    struct fixture *f = begin();
    struct fk_node_config config = duty_case_config;
    config.name = "Not a name";
    const struct fk_node_setup setup = {
        .config = &config, .port = {&port_ops, f}, .log = &duty_case_log};
    struct fk_node node;
    assert_int_equal(fk_node_init(&node, &setup), FK_E_CONFIG);
    end(f);
}

/* ---- one duty waits for another ------------------------------------------------------------- */

/* A status under way is written from the conditions that registration adopts. */
static void the_node_is_not_read_while_a_status_is_under_way(void **state) {
    (void)state;
    struct fixture *f = begin_ready();
    f->address = "192.0.2.99"; /* something to say, at 10 s */
    f->rules[STATUS] = HOLD;
    f->rules[RENEW] = 404; /* and a reason to look at the Node, a little later */
    pass(f, 10000);
    assert_int_equal(f->counts[STATUS], 2);
    assert_int_equal(f->counts[RENEW], 1);
    assert_int_equal(f->node.lease.state, FK_LEASE_ORPHANED);
    assert_int_equal(f->node.registration.state, FK_REGISTER_READ);
    pass(f, 3000);
    assert_int_equal(f->counts[READ_NODE], 0);
    f->rules[STATUS] = f->rules[RENEW] = AS_IT_IS;
    f->lease_there = false;
    answer(f, STATUS, 200, false);
    pass(f, 1000);
    assert_int_equal(f->counts[READ_NODE], 1);
    assert_int_equal(f->counts[CREATE_LEASE], 2);
    end(f);
}

static void a_status_for_nobody_leads_to_registration(void **state) {
    (void)state;
    struct fixture *f = begin_ready();
    f->node_there = false; /* and the Lease is still there */
    f->address = "192.0.2.99";
    const size_t from = f->log_count;
    pass(f, 10000);
    assert_int_equal(count_since(f, from, STATUS), 2);
    assert_int_equal(count_since(f, from, READ_NODE), 1);
    assert_int_equal(count_since(f, from, CREATE_NODE), 1);
    assert_true(f->node_there);
    assert_true(f->ready);
    pass(f, 60000); /* once */
    assert_int_equal(f->counts[CREATE_NODE], 2);
    end(f);
}

/* No renewal is accepted for half a minute; the Node is asked for as soon as that shows. */
static size_t begin_lapse(struct fixture *f) {
    const size_t from = f->log_count;
    f->rules[RENEW] = 500;
    f->address = "192.0.2.99"; /* something to say at the next judgement */
    pass(f, OVERDUE_MS + 8000);
    assert_true(f->node.lapsed);
    assert_int_equal(count_since(f, from, READ_NODE), 1);
    assert_int_equal(count_since(f, from, LABELS), 1);
    return from;
}

static void while_the_lease_is_overdue_no_status_is_sent(void **state) {
    (void)state;
    struct fixture *f = begin_ready();
    f->rules[STATUS] = 500; /* so that what there is to say is not said before */
    (void)begin_lapse(f);
    f->rules[STATUS] = AS_IT_IS;
    size_t from = f->log_count;
    pass(f, 20000);
    assert_int_equal(count_since(f, from, STATUS), 0);
    assert_true(count_since(f, from, RENEW) > 0);
    f->rules[RENEW] = AS_IT_IS;
    from = f->log_count;
    while (f->node.lapsed) pass(f, 100);
    pass(f, 1000);
    /* the renewal, then the Node, then what it should become */
    static const enum kind expected[] = {RENEW, READ_NODE, LABELS, STATUS};
    for (size_t i = 0; i < 4; i++) assert_int_equal(f->log[from + i], expected[i]);
    assert_true(f->ready);
    end(f);
}

static void while_the_node_is_looked_at_no_status_is_sent(void **state) {
    (void)state;
    struct fixture *f = begin_ready();
    f->rules[STATUS] = 500;
    (void)begin_lapse(f);
    f->rules[STATUS] = f->rules[RENEW] = AS_IT_IS;
    f->rules[LABELS] = 503; /* the look takes its time */
    const size_t from = f->log_count;
    while (f->node.lapsed) pass(f, 100);
    f->address = "192.0.2.7";
    pass(f, 30000);
    assert_int_equal(f->node.registration.state, FK_REGISTER_REPAIR);
    assert_int_equal(count_since(f, from, STATUS), 0);
    f->rules[LABELS] = AS_IT_IS;
    pass(f, FK_RETRY_MAX_MS * 5 / 4);
    assert_true(count_since(f, from, STATUS) > 0);
    assert_true(f->ready);
    end(f);
}

/* ---- after a lapse -------------------------------------------------------------------------- */

static void after_a_lapse_the_node_is_read_twice(void **state) {
    (void)state;
    struct fixture *f = begin_ready();
    (void)begin_lapse(f);
    f->rules[RENEW] = AS_IT_IS;
    const size_t from = f->log_count;
    while (f->node.lapsed) pass(f, 100);
    pass(f, 120000);
    assert_int_equal(count_since(f, from, READ_NODE), 2);
    const uint64_t back_ms = moment_of(f, from, RENEW, 0);
    assert_int_equal(moment_of(f, from, READ_NODE, 0), back_ms);
    assert_int_equal(moment_of(f, from, READ_NODE, 1), back_ms + FK_LOOK_AGAIN_MS);
    assert_int_equal(f->counts[CREATE_NODE], 1);
    end(f);
}

static void a_lease_that_is_never_claimed_is_a_lapse(void **state) {
    (void)state;
    struct fixture *f = begin();
    f->rules[CREATE_LEASE] = 500;
    pass(f, OVERDUE_MS);
    assert_int_equal(f->counts[READ_NODE], 0);
    pass(f, 8000);
    assert_int_equal(f->counts[READ_NODE], 1);
    f->rules[CREATE_LEASE] = AS_IT_IS;
    pass(f, 30000);
    assert_int_equal(f->counts[READ_NODE], 3);
    assert_true(f->ready);
    end(f);
}

/* One that is under way may have come too early. */
static void a_look_that_falls_due_during_another_is_not_lost(void **state) {
    (void)state;
    struct fixture *f = begin_ready();
    (void)begin_lapse(f);
    f->rules[RENEW] = AS_IT_IS;
    f->rules[LABELS] = 503; /* the first one takes longer than the second has time */
    const size_t from = f->log_count;
    while (f->node.lapsed) pass(f, 100);
    const uint64_t back_ms = moment_of(f, from, RENEW, 0);
    pass(f, back_ms + FK_LOOK_AGAIN_MS + 1000 - f->now_ms);
    assert_int_equal(count_since(f, from, READ_NODE), 1);
    f->rules[LABELS] = AS_IT_IS;
    pass(f, 120000);
    assert_int_equal(count_since(f, from, READ_NODE), 2);
    assert_int_equal(moment_of(f, from, READ_NODE, 1), back_ms + 2 * FK_LOOK_AGAIN_MS);
    end(f);
}

/* ---- leaving -------------------------------------------------------------------------------- */

static void once_left_nothing_more_is_asked(void **state) {
    (void)state;
    struct fixture *f = begin_ready();
    fk_node_leave(&f->node);
    assert_false(fk_node_left(&f->node)); /* it has not been said yet */
    settle(f);
    assert_true(fk_node_left(&f->node));
    assert_false(f->ready);
    const size_t count = f->log_count;
    pass(f, 60000);
    assert_int_equal(f->log_count, count);
    end(f);
}

/* While the Lease is overdue, too: this is not to be taken back. */
static void leaving_is_said_even_when_overdue(void **state) {
    (void)state;
    struct fixture *f = begin_ready();
    (void)begin_lapse(f);
    f->ready = true;
    fk_node_leave(&f->node);
    settle(f);
    assert_true(fk_node_left(&f->node));
    assert_false(f->ready);
    end(f);
}

static void without_anybody_to_tell_leaving_is_done(void **state) {
    (void)state;
    struct fixture *f = begin();
    f->rules[CREATE_NODE] = 403; /* there is no Node whose status could be said */
    pass(f, 1000);
    fk_node_leave(&f->node);
    assert_true(fk_node_left(&f->node));
    end(f);
    f = begin_ready();
    f->wire.dead = true;
    settle(f);
    fk_node_leave(&f->node);
    assert_true(fk_node_left(&f->node));
    end(f);
}

/* ---- whatever the server does --------------------------------------------------------------- */

static int any_answer(struct fixture *f) {
    static const int answers[] = {200, 201, 404, 409, 410, 403,  401,   422,
                                  429, 500, 503, 301, 408, HOLD, RESET, STALL};
    const uint32_t n = fk_rng_below(&f->rng, 32);
    return n < 16 ? answers[n] : AS_IT_IS;
}

static bool chance(struct fixture *f, uint32_t one_in) {
    return fk_rng_below(&f->rng, one_in) == 0;
}

static bool toss(struct fixture *f, bool now, uint32_t begins, uint32_t ends) {
    return now ? !chance(f, ends) : chance(f, begins);
}

/* Something befalls the connection or the cluster, and most of it passes. */
static void befall(struct fixture *f) {
    f->wire.dead = chance(f, 30);
    f->wire.to_near.silent = !f->wire.dead && (f->wire.to_near.silent || chance(f, 40));
    f->wire.open_err = toss(f, f->wire.open_err != 0, 40, 3) ? FK_E_UNREACHABLE : 0;
    f->frozen = toss(f, f->frozen, 30, 3);
    f->wire.to_far.room = toss(f, f->wire.to_far.room == 64, 20, 5) ? 64 : MEM_FLOW_CAP;
    if (chance(f, 30)) f->node_there = false;
    if (chance(f, 30)) f->lease_there = false;
    if (chance(f, 20)) f->address = chance(f, 2) ? "192.0.2.7" : "192.0.2.99";
    if (chance(f, 50)) f->gateway_id++;
    if (chance(f, 50) && f->peer.session != NULL)
        h2_peer_goaway(&f->peer, (1 << 30) - 1, NGHTTP2_NO_ERROR);
}

static void walk(struct fixture *f, int steps) {
    for (int i = 0; i < steps; i++) {
        befall(f);
        settle(f);
        const uint64_t due_ms = fk_node_due(&f->node);
        const uint64_t most_ms = fk_sooner(due_ms - f->now_ms, 60000);
        /* the pipe has news before anything is due, or time has come, or was slept through */
        if (chance(f, 4)) f->now_ms += 1 + fk_rng_below(&f->rng, (uint32_t)most_ms);
        else f->now_ms += chance(f, 50) ? most_ms + 30000 : most_ms;
    }
}

/* The server is well again. */
static void heal(struct fixture *f) {
    f->dice = NULL;
    f->wire.dead = f->wire.to_near.silent; /* what it did not say is not made up for */
    settle(f);
    f->wire.dead = f->wire.to_near.silent = f->frozen = false;
    f->wire.open_err = 0;
    f->wire.to_far.room = MEM_FLOW_CAP;
}

static void whatever_the_server_does_the_node_neither_spins_nor_stays_away(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct fixture *f = begin_with(seed, HEAP_BYTES);
        f->dice = any_answer;
        walk(f, 300);
        const uint64_t minutes = (f->now_ms - BEGIN_MS) / 60000 + 1;
        if (f->log_count > minutes * 60)
            fail_msg("seed %llu: %zu requests in %llu minutes", (unsigned long long)seed,
                     f->log_count, (unsigned long long)minutes);
        heal(f);
        f->ready = false;
        f->address = "192.0.2.1"; /* so that it is said again */
        pass(f, 60000);
        if (!f->ready || f->node.lease.state != FK_LEASE_RENEW || f->node.lapsed ||
            f->node.registration.state != FK_REGISTER_DONE || !f->node_there || !f->lease_there)
            fail_msg("seed %llu: ready %d, lease %d, lapsed %d, registration %d",
                     (unsigned long long)seed, f->ready, (int)f->node.lease.state, f->node.lapsed,
                     (int)f->node.registration.state);
        end(f);
    }
}

static void leaving_a_bad_server_is_no_busy_loop(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct fixture *f = begin_with(seed, HEAP_BYTES);
        pass(f, 1000);
        f->dice = any_answer;
        walk(f, 50);
        fk_node_leave(&f->node);
        walk(f, 200);
        heal(f);
        pass(f, 60000);
        assert_true(fk_node_left(&f->node));
        const size_t count = f->log_count;
        pass(f, 60000);
        assert_int_equal(f->log_count, count);
        end(f);
    }
}

/* Some memory comes and goes under the node, so that it runs out wherever it may. */
static void with_too_little_memory_the_node_does_not_spin(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct fixture *f = begin_with(seed, 9000); /* as much as it needs, and little more */
        f->dice = any_answer;
        for (int i = 0; i < 100; i++) {
            walk(f, 1);
            void *others = NULL;
            if (chance(f, 2)) others = fk_heap_alloc(&f->heap, fk_heap_largest(&f->heap) / 2);
            void *rest = NULL;
            if (chance(f, 2)) rest = fk_heap_alloc(&f->heap, fk_heap_largest(&f->heap));
            walk(f, 1 + (int)fk_rng_below(&f->rng, 3));
            fk_heap_free(&f->heap, rest);
            fk_heap_free(&f->heap, others);
        }
        heal(f);
        end(f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_node_asks_in_this_order),
        cmocka_unit_test(duties_of_others_leave_the_lease_its_slot),
        cmocka_unit_test(a_setting_that_cannot_be_is_refused),
        cmocka_unit_test(the_node_is_not_read_while_a_status_is_under_way),
        cmocka_unit_test(a_status_for_nobody_leads_to_registration),
        cmocka_unit_test(while_the_lease_is_overdue_no_status_is_sent),
        cmocka_unit_test(while_the_node_is_looked_at_no_status_is_sent),
        cmocka_unit_test(after_a_lapse_the_node_is_read_twice),
        cmocka_unit_test(a_lease_that_is_never_claimed_is_a_lapse),
        cmocka_unit_test(a_look_that_falls_due_during_another_is_not_lost),
        cmocka_unit_test(once_left_nothing_more_is_asked),
        cmocka_unit_test(leaving_is_said_even_when_overdue),
        cmocka_unit_test(without_anybody_to_tell_leaving_is_done),
        cmocka_unit_test(whatever_the_server_does_the_node_neither_spins_nor_stays_away),
        cmocka_unit_test(leaving_a_bad_server_is_no_busy_loop),
        cmocka_unit_test(with_too_little_memory_the_node_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
