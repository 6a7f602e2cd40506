/* The kubelet's own port without TLS: who is let in, who waits, who is hung up on. Clients are
 * pipes in memory, the API server's reviews are answered by hand. */
#include "kubelet/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"
#include "support/mem_pipe.h"

#define SLOTS 3
#define SETTLE 200 /* steps: more than any story needs between two looks */

struct world {
    uint64_t now_ms;
    struct fk_node node;
    struct fk_server server;
    struct fk_heap heap;
    _Alignas(8) uint8_t memory[SLOTS * (FK_HTTP1_BUF + 64)];
    unsigned waiting, taken;
    int open_err;
    struct mem_pipe pipes[SLOTS];
    bool shaking[SLOTS];    /* the handshake is not over */
    unsigned to_do[SLOTS];  /* messages of it that are here and not worked on */
    unsigned worked[SLOTS]; /* how many were */
    const struct fk_user *peers[SLOTS];
    char reply[SLOTS][8192];
    size_t reply_len[SLOTS];
    bool ended[SLOTS];
    bool amid[SLOTS]; /* a record has begun */
    bool deaf[SLOTS]; /* the client does not read */
    char asked[2048]; /* the last review: path and document */
};

static struct world w;

/* ---- the listener ---------------------------------------------------------------------------- */

static bool waiting(void *ctx) {
    (void)ctx;
    return w.waiting > 0;
}

static unsigned slot_of(void *ctx) { return (unsigned)((struct mem_pipe *)ctx - w.pipes); }

static int pipe_open(void *ctx) {
    if (w.waiting == 0) return FK_E_BUSY;
    w.waiting--;
    if (w.open_err != 0) return w.open_err;
    const unsigned slot = slot_of(ctx);
    w.taken = slot;
    w.reply_len[slot] = 0;
    w.reply[slot][0] = '\0';
    w.ended[slot] = false;
    return fk_pipe_open(mem_pipe_near(&w.pipes[slot]));
}

static int pipe_recv(void *ctx, void *buf, size_t cap) {
    const unsigned slot = slot_of(ctx);
    if (w.to_do[slot] > 0) {
        w.to_do[slot]--;
        w.worked[slot]++;
    }
    if (w.shaking[slot]) return 0;
    return fk_pipe_recv(mem_pipe_near(ctx), buf, cap);
}

static int pipe_send(void *ctx, const void *buf, size_t len) {
    return fk_pipe_send(mem_pipe_near(ctx), buf, len);
}

static void pipe_close(void *ctx) { fk_pipe_close(mem_pipe_near(ctx)); }

static struct fk_pipe slot_pipe(void *ctx, unsigned slot) {
    static const struct fk_pipe_ops ops = {pipe_open, pipe_recv, pipe_send, pipe_close};
    (void)ctx;
    return (struct fk_pipe){&ops, &w.pipes[slot]};
}

static bool established(void *ctx, unsigned slot) {
    (void)ctx;
    return !w.shaking[slot];
}

static const struct fk_user *peer(void *ctx, unsigned slot) {
    (void)ctx;
    return w.peers[slot];
}

static bool ready(void *ctx, unsigned slot) {
    (void)ctx;
    return w.to_do[slot] > 0;
}

static bool amid(void *ctx, unsigned slot) {
    (void)ctx;
    return w.amid[slot];
}

static const struct fk_listener_ops listener_ops = {.waiting = waiting,
                                                    .pipe = slot_pipe,
                                                    .established = established,
                                                    .peer = peer,
                                                    .ready = ready,
                                                    .amid = amid};

/* ---- the node ---------------------------------------------------------------------------------
 */

static uint64_t mono_ms(void *ctx) {
    (void)ctx;
    return w.now_ms;
}

static int entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    memset(buf, 7, len);
    return 0;
}

static void facts(void *ctx, struct fk_port_facts *out) {
    (void)ctx;
    *out = (struct fk_port_facts){.heap_free_bytes = 1000, .heap_total_bytes = 2000};
}

static const char *address(void *ctx) {
    (void)ctx;
    return "192.0.2.1";
}

static const struct fk_port_ops port_ops = {
    .mono_ms = mono_ms, .entropy = entropy, .facts = facts, .address = address};

/* Not a hash to rely on; distinct for what is asked here. */
static void digest(const void *bytes, size_t len, uint8_t out[32]) {
    const uint8_t *p = bytes;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++) h = (h ^ p[i]) * 16777619u;
    for (size_t i = 0; i < 32; i++) out[i] = (uint8_t)(h >> (i % 4 * 8));
}

static void begin(bool open_health) {
    memset(&w, 0, sizeof w);
    w.now_ms = 1000;
    const struct fk_node_setup node = {
        .config = &duty_case_config,
        .port = {&port_ops, NULL},
        .authority = "server:6443",
        .user_agent = "test/1",
        .log = &duty_case_log,
        .seed = 1,
    };
    assert_int_equal(fk_node_init(&w.node, &node), 0);
    w.node.client.state = FK_LINK_UP; /* never stepped: its requests are answered by hand */
    for (unsigned i = 0; i < SLOTS; i++) mem_pipe_init(&w.pipes[i]);
    fk_heap_init(&w.heap, w.memory, sizeof w.memory);
    const struct fk_server_setup setup = {
        .listener = {&listener_ops, NULL, SLOTS},
        .heap = &w.heap,
        .handshakes = SLOTS,
        .log = &duty_case_log,
        .sha256 = digest,
        .always_allowed = "apiserver",
        .open_health = open_health,
        .authn_hit_ms = FK_AUTHN_HIT_MS,
        .authn_miss_ms = FK_AUTHN_MISS_MS,
        .authz_allowed_ms = FK_AUTHZ_ALLOWED_MS,
        .authz_denied_ms = FK_AUTHZ_DENIED_MS,
    };
    fk_server_init(&w.server, &w.node, &setup);
}

/* ---- clients -----------------------------------------------------------------------------------
 */

static void collect(unsigned slot) {
    char *to = w.reply[slot] + w.reply_len[slot];
    const size_t room = sizeof w.reply[slot] - w.reply_len[slot] - 1;
    int got;
    while ((got = fk_pipe_recv(mem_pipe_far(&w.pipes[slot]), to, room)) > 0) {
        w.reply_len[slot] += (size_t)got;
        to += got;
    }
    *to = '\0';
    if (got < 0) w.ended[slot] = true;
}

static void settle(void) {
    for (int i = 0; i < SETTLE; i++) {
        const bool more = fk_server_step(&w.server);
        for (unsigned slot = 0; slot < SLOTS; slot++)
            if (!w.deaf[slot]) collect(slot);
        if (!more) return;
    }
    fail_msg("the server does not come to rest");
}

static unsigned connect(void) {
    w.waiting++;
    settle();
    assert_int_equal(w.waiting, 0);
    return w.taken;
}

static void put(unsigned slot, const char *text) {
    const size_t len = strlen(text);
    assert_int_equal(fk_pipe_send(mem_pipe_far(&w.pipes[slot]), text, len), len);
    settle();
}

static void leave(unsigned slot) {
    fk_pipe_close(mem_pipe_far(&w.pipes[slot]));
    settle();
}

static void forget(unsigned slot) {
    w.reply_len[slot] = 0;
    w.reply[slot][0] = '\0';
}

static void get(unsigned slot, const char *path, const char *token) {
    char text[512];
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: n\r\n%s%s%s\r\n", path,
                   token != NULL ? "Authorization: Bearer " : "", token != NULL ? token : "",
                   token != NULL ? "\r\n" : "");
    forget(slot);
    put(slot, text);
}

static int status_of(unsigned slot) {
    int status = 0;
    return sscanf(w.reply[slot], "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

/* ---- the API server ----------------------------------------------------------------------------
 */

/* The review that is due now, if there is one, into w.asked; its reply ops. */
static bool review_asked(struct fk_request *request) {
    const struct fk_now now = {.mono_ms = w.now_ms, .wall_us = 0};
    for (unsigned i = 0; i < w.node.extra_count; i++) {
        const struct fk_duty *d = &w.node.extra[i];
        if (d->ops->due(d->self) > w.now_ms) continue;
        if (!d->ops->request(d->self, now, request)) continue;
        struct fk_writer text;
        fk_writer_init(&text, w.asked, sizeof w.asked);
        fk_put_str(&text, request->path);
        fk_put_char(&text, ' ');
        request->document(request->owner, &text);
        assert_int_equal(fk_writer_finish(&text), 0);
        return true;
    }
    return false;
}

static void reply(const struct fk_request *request, int status, struct fk_bytes body) {
    const struct fk_now now = {.mono_ms = w.now_ms, .wall_us = 0};
    const struct fk_response response = {.status = status, .message = ""};
    if (body.len > 0) request->reply->body(request->owner, body);
    request->reply->response(request->owner, now, &response);
}

/* A message field of protobuf: number, length, bytes; all shorter than 128. */
static size_t field(uint8_t *out, unsigned number, const void *bytes, size_t len) {
    assert_true(len < 128);
    out[0] = (uint8_t)(number << 3 | 2);
    out[1] = (uint8_t)len;
    memcpy(out + 2, bytes, len);
    return len + 2;
}

/* The envelope around an object whose status (field 3) is given. */
static struct fk_bytes object(const uint8_t *status, size_t len) {
    static uint8_t out[256];
    uint8_t inner[200];
    const size_t inner_len = field(inner, 3, status, len);
    memcpy(out, "k8s\0", 4);
    return fk_bytes(out, 4 + field(out + 4, 2, inner, inner_len));
}

/* "name", nobody for NULL. */
static void answer_token(const char *name) {
    struct fk_request request;
    assert_true(review_asked(&request));
    assert_non_null(strstr(w.asked, FK_TOKEN_REVIEWS));
    uint8_t user[100], status[120] = {1 << 3, name != NULL};
    size_t len = 2;
    if (name != NULL) {
        const size_t user_len = field(user, 1, name, strlen(name));
        len += field(status + len, 2, user, user_len);
    }
    reply(&request, 201, object(status, len));
    settle();
}

static void answer_access(bool allowed) {
    struct fk_request request;
    assert_true(review_asked(&request));
    assert_non_null(strstr(w.asked, FK_ACCESS_REVIEWS));
    const uint8_t status[] = {1 << 3, allowed};
    reply(&request, 201, object(status, sizeof status));
    settle();
}

static struct fk_user *user(const char *name) {
    static struct fk_user u;
    u.len = 0;
    assert_true(fk_user_add(&u, fk_bytes_str(name)) && fk_user_add(&u, fk_bytes_str("")));
    return &u;
}

/* ---- who is let in ------------------------------------------------------------------------------
 */

static void strangers_are_turned_away(void **state) {
    (void)state;
    begin(false);
    const unsigned c = connect();
    static const char *const paths[] = {"/healthz", "/metrics", "/pods", "/nothing", "/exec/a/b/c"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        get(c, paths[i], NULL);
        assert_int_equal(status_of(c), 401);
        assert_non_null(strstr(w.reply[c], "\"reason\":\"Unauthorized\""));
        assert_non_null(strstr(w.reply[c], "\"message\":\"this node's port wants a client"));
    }
    struct fk_request request;
    assert_false(review_asked(&request));
    assert_int_equal(w.server.house.served[FK_SERVED_401], 5);
}

static void health_may_be_open(void **state) {
    (void)state;
    begin(true);
    const unsigned c = connect();
    get(c, "/healthz", NULL);
    assert_int_not_equal(status_of(c), 401);
    get(c, "/metrics", NULL);
    assert_int_equal(status_of(c), 401);
}

static void the_api_server_may_all(void **state) {
    (void)state;
    begin(false);
    const unsigned c = connect();
    w.peers[c] = user("apiserver");
    get(c, "/metrics", NULL);
    assert_int_equal(status_of(c), 200);
    get(c, "/nothing", NULL);
    assert_int_equal(status_of(c), 404);
    get(c, "/exec/a/b/c", NULL);
    assert_int_equal(status_of(c), 501);
    struct fk_request request;
    assert_false(review_asked(&request));
}

static void a_token_of_the_api_servers_name_is_asked_about(void **state) {
    (void)state;
    begin(false);
    const unsigned c = connect();
    get(c, "/pods", "t");
    answer_token("apiserver");
    answer_access(false); /* nodes/pods */
    answer_access(false); /* nodes/proxy */
    assert_int_equal(status_of(c), 403);
}

static void tokens_are_reviewed(void **state) {
    (void)state;
    begin(false);
    const unsigned c = connect();
    get(c, "/metrics/resource", "good");
    assert_int_equal(status_of(c), 0);
    answer_token("prometheus");
    assert_int_equal(status_of(c), 0);
    answer_access(true);
    assert_int_equal(status_of(c), 200);
    assert_non_null(strstr(w.asked, "\"user\":\"prometheus\""));
    assert_non_null(strstr(w.asked, "\"subresource\":\"metrics\""));
    get(c, "/metrics/resource", "good"); /* both are remembered */
    assert_int_equal(status_of(c), 200);

    get(c, "/metrics/resource", "bad");
    answer_token(NULL);
    assert_int_equal(status_of(c), 401);
    get(c, "/stats/summary", "good");
    answer_access(false);
    assert_int_equal(status_of(c), 403);
    assert_non_null(
        strstr(w.reply[c], "user=prometheus, verb=get, resource=nodes, subresource(s)=[stats]"));
}

static void nobody_new_while_the_api_server_is_away(void **state) {
    (void)state;
    begin(false);
    const unsigned c = connect();
    get(c, "/metrics/resource", "good");
    answer_token("prometheus");
    answer_access(true);
    w.node.client.state = FK_LINK_DOWN;
    get(c, "/metrics/resource", "good");
    assert_int_equal(status_of(c), 200);
    get(c, "/metrics/resource", "other");
    assert_int_equal(status_of(c), 503);
    assert_non_null(strstr(w.reply[c], "Retry-After: 1\r\n"));
    get(c, "/stats/summary", "good");
    assert_int_equal(status_of(c), 503);
}

static void methods_ask_for_their_verbs(void **state) {
    (void)state;
    begin(false);
    const unsigned c = connect();
    put(c,
        "POST /pods HTTP/1.1\r\nHost: n\r\nContent-Length: 0\r\nAuthorization: Bearer t\r\n\r\n");
    answer_token("u");
    struct fk_request request;
    assert_true(review_asked(&request));
    assert_non_null(strstr(w.asked, "\"verb\":\"create\""));
    const uint8_t yes[] = {1 << 3, 1};
    reply(&request, 201, object(yes, sizeof yes));
    settle();
    assert_int_equal(status_of(c), 405);
    assert_non_null(strstr(w.reply[c], "Allow: GET, HEAD\r\n"));
}

/* ---- who leaves
 * ---------------------------------------------------------------------------------- */

static void a_client_that_leaves_amid_its_review_keeps_its_token_until_then(void **state) {
    (void)state;
    begin(false);
    const unsigned c = connect();
    get(c, "/pods", "t");
    struct fk_request request;
    assert_true(review_asked(&request));
    w.now_ms += FK_SERVER_REVIEW_MS; /* and no answer: the client is given up */
    settle();
    char again[sizeof w.asked];
    memcpy(again, w.asked, sizeof again);
    struct fk_writer text;
    fk_writer_init(&text, w.asked, sizeof w.asked);
    request.document(request.owner, &text);
    assert_int_equal(fk_writer_finish(&text), 0);
    assert_non_null(strstr(again, w.asked)); /* the same bytes as before */
    reply(&request, FK_E_TIMEOUT, fk_bytes(NULL, 0));
    settle();
    for (unsigned i = 0; i < SLOTS; i++) (void)connect(); /* every slot is free again */
    assert_int_equal(w.server.house.evicted, 0);
}

/* The answer about the token was not to be remembered, so it is asked for again while the one about
 * the permission is awaited. */
static void it_does_so_while_its_permission_is_asked_for(void **state) {
    (void)state;
    begin(false);
    w.server.authn.hit_ms = 0;
    const unsigned c = connect();
    get(c, "/pods", "t");
    answer_token("u");
    struct fk_request access, token;
    assert_true(review_asked(&access));
    w.now_ms += 5000;
    settle();
    assert_true(review_asked(&token));
    char before[sizeof w.asked];
    memcpy(before, w.asked, sizeof before);
    w.now_ms += FK_SERVER_REVIEW_MS;
    settle();
    struct fk_writer text;
    fk_writer_init(&text, w.asked, sizeof w.asked);
    token.document(token.owner, &text);
    assert_int_equal(fk_writer_finish(&text), 0);
    assert_non_null(strstr(before, w.asked));
    reply(&token, FK_E_TIMEOUT, fk_bytes(NULL, 0));
    reply(&access, FK_E_TIMEOUT, fk_bytes(NULL, 0));
    settle();
    assert_int_equal(w.server.house.connections, 0);
    for (unsigned i = 0; i < SLOTS; i++) (void)connect();
    assert_int_equal(w.server.house.evicted, 0);
}

/* On a board the time becomes known with some reply of the API server, and with it client
 * certificates begin to count. The review of the token has begun before. */
static void it_does_so_when_its_certificate_counts_at_last(void **state) {
    (void)state;
    begin(false);
    const unsigned c = connect();
    get(c, "/metrics", "t");
    struct fk_request token;
    assert_true(review_asked(&token));
    char before[sizeof w.asked];
    memcpy(before, w.asked, sizeof before);
    w.peers[c] = user("apiserver");
    settle();
    assert_int_equal(status_of(c), 0);
    struct fk_writer text;
    fk_writer_init(&text, w.asked, sizeof w.asked);
    token.document(token.owner, &text);
    assert_int_equal(fk_writer_finish(&text), 0);
    assert_non_null(strstr(before, w.asked));
    reply(&token, FK_E_TIMEOUT, fk_bytes(NULL, 0));
    settle();
    assert_int_equal(status_of(c), 200);
}

static void a_review_that_is_not_needed_any_more_is_not_begun(void **state) {
    (void)state;
    begin(false);
    const unsigned c = connect();
    get(c, "/metrics", "t");
    w.peers[c] = user("apiserver");
    settle();
    assert_int_equal(status_of(c), 200);
    struct fk_request token;
    assert_false(review_asked(&token));
}

static void the_oldest_idle_one_gives_way(void **state) {
    (void)state;
    begin(true);
    unsigned slots[SLOTS];
    for (unsigned i = 0; i < SLOTS; i++) {
        get(slots[i] = connect(), "/healthz", NULL);
        w.now_ms += 10;
    }
    get(slots[0], "/healthz", NULL); /* the first is not the oldest any more */
    w.now_ms += 10;
    assert_int_equal(connect(), slots[1]);
    assert_int_equal(w.server.house.evicted, 1);
    assert_int_equal(w.server.house.connections, SLOTS);
}

static void slow_ones_give_way_after_a_while(void **state) {
    (void)state;
    begin(true);
    for (unsigned i = 0; i < SLOTS; i++) put(connect(), "GET /hea");
    w.waiting = 1;
    settle();
    assert_int_equal(w.waiting, 1); /* all are at work */
    assert_true(fk_server_due(&w.server) <= w.now_ms + FK_SERVER_PRESSED_MS);
    assert_false(fk_server_has_room(&w.server));
    w.now_ms += FK_SERVER_PRESSED_MS;
    assert_true(fk_server_has_room(&w.server));
    settle();
    assert_int_equal(w.waiting, 0);
}

/* Whoever has just come is not idle yet. */
static void a_newcomer_may_ask_first(void **state) {
    (void)state;
    begin(true);
    for (unsigned i = 0; i < SLOTS; i++) (void)connect();
    w.waiting = 1;
    settle();
    assert_int_equal(w.waiting, 1);
    get(1, "/metrics", NULL); /* answered: now it is, and gives way at once */
    assert_int_equal(w.server.house.served[FK_SERVED_401], 1);
    assert_int_equal(w.waiting, 0);
    assert_int_equal(w.taken, 1);
}

/* Half a record holds memory: it has to go on as a request has to. */
static void half_a_record_is_no_idling(void **state) {
    (void)state;
    begin(true);
    const unsigned c = connect();
    get(c, "/healthz", NULL);
    w.amid[c] = true;
    settle();
    assert_int_equal(fk_server_due(&w.server), w.now_ms + FK_SERVER_REQUEST_MS);
    w.now_ms += FK_SERVER_REQUEST_MS;
    settle();
    assert_true(w.ended[c]);
}

/* Where memory is for so many at once. */
static void others_wait_for_a_handshake(void **state) {
    (void)state;
    begin(true);
    w.server.setup.handshakes = 1;
    w.shaking[0] = true;
    w.waiting = 2;
    settle();
    assert_int_equal(w.waiting, 1);
    assert_false(fk_server_has_room(&w.server));
    assert_int_equal(fk_server_due(&w.server), w.now_ms + FK_SERVER_PRESSED_MS);
    w.now_ms += 100;
    w.shaking[0] = false;
    settle();
    assert_int_equal(w.waiting, 0);
    w.shaking[2] = true;
    w.waiting = 2;
    settle();
    w.now_ms += FK_SERVER_PRESSED_MS; /* too slow: it gives way, and nobody else */
    assert_true(fk_server_has_room(&w.server));
    w.shaking[2] = false;
    settle();
    assert_int_equal(w.taken, 2);
    assert_int_equal(w.server.house.evicted, 1);
}

static void patience_ends(void **state) {
    (void)state;
    begin(true);
    unsigned c = connect();
    put(c, "GET /healthz HTT");
    w.now_ms += FK_SERVER_REQUEST_MS - 1;
    settle();
    assert_int_equal(status_of(c), 0);
    assert_int_equal(fk_server_due(&w.server), w.now_ms + 1);
    w.now_ms++;
    settle();
    assert_int_equal(status_of(c), 408);
    assert_true(w.ended[c]);

    c = connect(); /* idle */
    w.now_ms += FK_SERVER_IDLE_MS;
    settle();
    assert_int_equal(status_of(c), 0);
    assert_true(w.ended[c]);

    w.shaking[0] = true;
    w.waiting = 1;
    settle();
    w.now_ms += FK_SERVER_HANDSHAKE_MS;
    settle();
    assert_true(w.ended[0]);
    assert_int_equal(w.server.house.connections, 0);
}

static void one_that_does_not_read_is_left(void **state) {
    (void)state;
    begin(true);
    const unsigned c = connect();
    w.pipes[c].to_far.room = 10;
    w.deaf[c] = true;
    put(c, "GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n");
    assert_int_equal(w.server.house.connections, 1);
    w.now_ms += FK_SERVER_SEND_MS;
    settle();
    assert_int_equal(w.server.house.connections, 0);
}

static void pipelining_ends_with_the_first_answer(void **state) {
    (void)state;
    begin(true);
    const unsigned c = connect();
    put(c, "GET /healthz HTTP/1.1\r\nHost: n\r\n\r\nGET /healthz HTTP/1.1\r\nHost: n\r\n\r\n");
    assert_non_null(strstr(w.reply[c], "Connection: close\r\n"));
    assert_null(strstr(w.reply[c] + 8, "HTTP/1.1 "));
    assert_true(w.ended[c]);
}

static void a_connection_that_cannot_be_held_is_turned_away(void **state) {
    (void)state;
    begin(true);
    w.open_err = FK_E_NOMEM;
    w.waiting = 1;
    settle();
    assert_int_equal(w.server.house.turned_away, 1);
    w.open_err = 0;
    get(connect(), "/healthz", NULL);
    assert_int_not_equal(status_of(w.taken), 0);
}

static void without_memory_a_request_is_refused_and_not_read(void **state) {
    (void)state;
    begin(true);
    unsigned slots[2];
    for (unsigned i = 0; i < 2; i++) put(slots[i] = connect(), "GET /hea");
    void *rest = fk_heap_alloc(&w.heap, FK_HTTP1_BUF); /* what a handshake might hold */
    const unsigned c = connect();
    get(c, "/healthz", NULL);
    assert_int_equal(status_of(c), 503);
    assert_non_null(strstr(w.reply[c], "Retry-After: 1\r\n"));
    assert_true(w.ended[c]);
    assert_int_equal(w.server.house.turned_away, 1);
    fk_heap_free(&w.heap, rest);
    put(slots[0], "lthz HTTP/1.1\r\nHost: n\r\n\r\n"); /* the others go on */
    assert_int_not_equal(status_of(slots[0]), 0);
    get(connect(), "/healthz", NULL);
    assert_int_not_equal(status_of(w.taken), 503);
}

/* A connection that idles holds none, nor one that has ended, whatever became of its request. */
static void memory_is_held_by_requests_alone(void **state) {
    (void)state;
    begin(true);
    unsigned c = connect();
    assert_int_equal(w.heap.used_bytes, 0);
    put(c, "G");
    assert_true(w.heap.used_bytes >= FK_HTTP1_BUF);
    put(c, "ET /healthz HTTP/1.1\r\nHost: n\r\n\r\n");
    assert_int_equal(w.heap.used_bytes, 0);
    put(c, "GET /pods HTTP/1.1\r\nHost: n\r\nAuthorization: Bearer t\r\n\r\n");
    assert_true(w.heap.used_bytes > 0);
    answer_token(NULL);
    assert_int_equal(w.heap.used_bytes, 0);
    put(c, "GET /x");
    leave(c);
    assert_int_equal(w.heap.used_bytes, 0);
}

static void many_come_and_go(void **state) {
    (void)state;
    begin(true);
    for (int i = 0; i < 1000; i++) {
        const unsigned c = connect();
        if (i % 3 == 0) put(c, "GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n");
        if (i % 2 == 0) leave(c);
        w.now_ms += FK_SERVER_PRESSED_MS;
    }
    assert_int_equal(w.server.house.accepted, 1000);
    assert_true(w.server.house.connections <= SLOTS);
}

/* A message of a handshake may cost a board a third of a second: the Lease has its turn between. */
static void one_handshake_at_a_time(void **state) {
    (void)state;
    begin(false);
    for (unsigned i = 0; i < SLOTS; i++) w.shaking[i] = true;
    for (unsigned i = 0; i < SLOTS; i++) (void)connect();
    memset(w.worked, 0, sizeof w.worked);
    for (unsigned i = 0; i < SLOTS; i++) w.to_do[i] = 3;
    for (unsigned done = 1; done <= 2 * SLOTS; done++) {
        assert_true(fk_server_step(&w.server));
        unsigned worked = 0;
        for (unsigned i = 0; i < SLOTS; i++) {
            worked += w.worked[i];
            assert_true(w.worked[i] <= (done + SLOTS - 1) / SLOTS); /* in turn */
        }
        assert_int_equal(worked, done);
    }
}

static void nothing_is_sent_while_it_is_asked_who_asks(void **state) {
    (void)state;
    begin(false);
    const unsigned c = connect();
    assert_true(fk_server_sends(&w.server, c));
    get(c, "/metrics", "t");
    assert_false(fk_server_sends(&w.server, c));
    answer_token("u");
    assert_false(fk_server_sends(&w.server, c));
    w.deaf[c] = true;
    answer_access(true);
    assert_true(fk_server_sends(&w.server, c));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_are_turned_away),
        cmocka_unit_test(health_may_be_open),
        cmocka_unit_test(the_api_server_may_all),
        cmocka_unit_test(a_token_of_the_api_servers_name_is_asked_about),
        cmocka_unit_test(tokens_are_reviewed),
        cmocka_unit_test(nobody_new_while_the_api_server_is_away),
        cmocka_unit_test(methods_ask_for_their_verbs),
        cmocka_unit_test(a_client_that_leaves_amid_its_review_keeps_its_token_until_then),
        cmocka_unit_test(it_does_so_when_its_certificate_counts_at_last),
        cmocka_unit_test(a_review_that_is_not_needed_any_more_is_not_begun),
        cmocka_unit_test(one_handshake_at_a_time),
        cmocka_unit_test(nothing_is_sent_while_it_is_asked_who_asks),
        cmocka_unit_test(it_does_so_while_its_permission_is_asked_for),
        cmocka_unit_test(the_oldest_idle_one_gives_way),
        cmocka_unit_test(slow_ones_give_way_after_a_while),
        cmocka_unit_test(a_newcomer_may_ask_first),
        cmocka_unit_test(half_a_record_is_no_idling),
        cmocka_unit_test(others_wait_for_a_handshake),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(one_that_does_not_read_is_left),
        cmocka_unit_test(pipelining_ends_with_the_first_answer),
        cmocka_unit_test(a_connection_that_cannot_be_held_is_turned_away),
        cmocka_unit_test(without_memory_a_request_is_refused_and_not_read),
        cmocka_unit_test(memory_is_held_by_requests_alone),
        cmocka_unit_test(many_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
