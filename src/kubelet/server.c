#include "kubelet/server.h"

#include "base/assert.h"
#include "base/err.h"
#include "kubelet/failure.h"

/* ---- slots -------------------------------------------------------------------------------------
 */

static struct fk_pipe pipe_of(const struct fk_server *s, const struct fk_conn *c) {
    return s->setup.listener.ops->pipe(s->setup.listener.ctx, c->slot);
}

static void go(struct fk_conn *c, enum fk_conn_state state, uint64_t now_ms) {
    c->state = (uint8_t)state;
    c->since_ms = now_ms;
}

static bool between_requests(const struct fk_conn *c) {
    return c->state == FK_CONN_OPEN && c->http.state == FK_HTTP1_IDLE && !c->amid;
}

/* A request holds its buffer from its first byte until its answer is out. */
static bool borrow(struct fk_server *s, struct fk_conn *c) {
    void *buf = fk_heap_alloc(s->setup.heap, FK_HTTP1_BUF);
    fk_http1_lend(&c->http, buf);
    return buf != NULL;
}

static void give_back(struct fk_server *s, struct fk_conn *c) {
    fk_heap_free(s->setup.heap, fk_http1_give_back(&c->http));
}

/* The pipe and its memory go at once; the token that a review reads goes with that review. */
static void hang_up(struct fk_server *s, struct fk_conn *c, uint64_t now_ms) {
    const bool asks =
        (c->state == FK_CONN_AUTHN || c->state == FK_CONN_AUTHZ) && c->http.request.has_token;
    if (c->state != FK_CONN_LEFT) {
        fk_pipe_close(pipe_of(s, c));
        s->house.connections--;
    }
    if (asks && !fk_authn_forget(&s->authn, c->http.request.token)) {
        go(c, FK_CONN_LEFT, now_ms);
        return;
    }
    give_back(s, c);
    go(c, FK_CONN_FREE, now_ms);
}

/* ---- patience ----------------------------------------------------------------------------------
 */

static uint64_t deadline_of(const struct fk_conn *c) {
    switch ((enum fk_conn_state)c->state) {
    case FK_CONN_FREE:
    case FK_CONN_LEFT: return FK_NEVER;
    case FK_CONN_HANDSHAKE: return fk_after(c->since_ms, FK_SERVER_HANDSHAKE_MS);
    case FK_CONN_OPEN:
        return fk_after(c->since_ms,
                        between_requests(c) ? FK_SERVER_IDLE_MS : FK_SERVER_REQUEST_MS);
    case FK_CONN_AUTHN:
    case FK_CONN_AUTHZ: return fk_after(c->since_ms, FK_SERVER_REVIEW_MS);
    case FK_CONN_ANSWERING: return fk_after(c->since_ms, FK_SERVER_SEND_MS);
    }
    return FK_NEVER;
}

/* From when on the connection gives way to one that waits; FK_NEVER: it is being served. Whoever
 * has just come may ask first. */
static uint64_t yields_at(const struct fk_conn *c) {
    if (between_requests(c) && c->served) return c->since_ms;
    if (c->state == FK_CONN_HANDSHAKE || c->state == FK_CONN_OPEN)
        return fk_after(c->since_ms, FK_SERVER_PRESSED_MS);
    return FK_NEVER;
}

static unsigned shaking_hands(const struct fk_server *s) {
    unsigned count = 0;
    for (unsigned i = 0; i < s->setup.listener.count; i++)
        count += s->conns[i].state == FK_CONN_HANDSHAKE;
    return count;
}

/* Whether c may make room for one that waits: any, or, where as many handshakes are under way as
 * there is memory for, one of these. */
static bool may_yield(const struct fk_conn *c, bool shaking) {
    return c->state == FK_CONN_HANDSHAKE || !shaking;
}

/* A free slot; else the one that has been idle longest; else one that is too slow for a time when
 * others wait. NULL: all are at work. */
static struct fk_conn *room(struct fk_server *s, uint64_t now_ms) {
    const bool shaking = shaking_hands(s) >= s->setup.handshakes;
    struct fk_conn *best = NULL;
    for (unsigned i = 0; i < s->setup.listener.count; i++) {
        struct fk_conn *c = &s->conns[i];
        if (!may_yield(c, shaking)) continue;
        if (c->state == FK_CONN_FREE) return c;
        if (yields_at(c) > now_ms) continue;
        const bool idler = best == NULL || (between_requests(c) && !between_requests(best));
        if (idler ||
            (between_requests(c) == between_requests(best) && c->since_ms < best->since_ms))
            best = c;
    }
    return best;
}

/* When there will be room, as far as time alone brings it; 0: there is some. */
static uint64_t room_at(const struct fk_server *s) {
    const bool shaking = shaking_hands(s) >= s->setup.handshakes;
    uint64_t at_ms = FK_NEVER;
    for (unsigned i = 0; i < s->setup.listener.count; i++) {
        const struct fk_conn *c = &s->conns[i];
        if (!may_yield(c, shaking)) continue;
        at_ms = fk_sooner(at_ms, c->state == FK_CONN_FREE ? 0 : yields_at(c));
    }
    return at_ms;
}

static bool take_in(struct fk_server *s, uint64_t now_ms) {
    const struct fk_listener *l = &s->setup.listener;
    if (!l->ops->waiting(l->ctx)) return false;
    struct fk_conn *c = room(s, now_ms);
    if (c == NULL) return false;
    if (c->state != FK_CONN_FREE) {
        s->house.evicted++;
        hang_up(s, c, now_ms);
        if (c->state != FK_CONN_FREE) return true;
    }
    const int err = fk_pipe_open(pipe_of(s, c));
    if (err == FK_E_BUSY) return false;
    if (err != 0) {
        s->house.turned_away++;
        return true;
    }
    s->house.accepted++;
    s->house.connections++;
    c->amid = c->served = false;
    fk_http1_begin(&c->http);
    go(c, FK_CONN_HANDSHAKE, now_ms);
    return true;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static int kind_of(int status) {
    if (status < 300) return FK_SERVED_2XX;
    if (status == 401) return FK_SERVED_401;
    if (status == 403) return FK_SERVED_403;
    return status < 500 ? FK_SERVED_4XX : FK_SERVED_5XX;
}

static const char *verb_of(enum fk_http1_method method) {
    switch (method) {
    case FK_HTTP1_POST: return "create";
    case FK_HTTP1_PUT: return "update";
    case FK_HTTP1_PATCH: return "patch";
    case FK_HTTP1_DELETE: return "delete";
    case FK_HTTP1_GET:
    case FK_HTTP1_HEAD:
    case FK_HTTP1_OPTIONS:
    case FK_HTTP1_METHODS: break;
    }
    return "get";
}

static enum fk_subresource subresource_of(const struct fk_conn *c) {
    return c->route == NULL ? FK_NODES_PROXY : c->route->subresource;
}

static bool failure_item(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    const struct fk_conn *c = ctx;
    if ((*cursor)++ > 0) return false;
    const struct fk_failure failure = {
        .status = c->status,
        .message = c->exchange.message,
        .user = c->refused,
        .verb = verb_of(c->exchange.method),
        .subresource = subresource_of(c),
    };
    fk_failure_put(&failure, w);
    return true;
}

static void answer(struct fk_server *s, struct fk_conn *c, const struct fk_http1_answer *a,
                   uint64_t now_ms) {
    s->house.served[kind_of(a->status)]++;
    fk_http1_answer(&c->http, a);
    (void)fk_http1_pull(&c->http); /* a failure is written whole, while whom it is for is known */
    c->refused = NULL;
    go(c, FK_CONN_ANSWERING, now_ms);
}

/* message: static text for the client, NULL: the status says it all. */
static void fail(struct fk_server *s, struct fk_conn *c, int status, const char *message,
                 uint64_t now_ms) {
    c->status = status;
    c->exchange.message = message;
    const struct fk_http1_answer a = {
        .status = status,
        .content_type = "application/json",
        .allow = status == 405 ? "GET, HEAD" : NULL,
        .retry_after_s = status == 429 || status == 503 ? 1 : 0,
        .close = c->early,
        .items = failure_item,
        .ctx = c,
    };
    answer(s, c, &a, now_ms);
}

static void serve(struct fk_server *s, struct fk_conn *c, struct fk_now now) {
    struct fk_exchange *x = &c->exchange;
    const bool reads = x->method == FK_HTTP1_GET || x->method == FK_HTTP1_HEAD;
    if (c->route == NULL) {
        fail(s, c, 404, "the kubelet has no such path", now.mono_ms);
        return;
    }
    if (c->route->start == NULL) {
        fail(s, c, 501, c->route->missing, now.mono_ms);
        return;
    }
    if (!reads) {
        fail(s, c, 405, "this path can only be read: GET or HEAD", now.mono_ms);
        return;
    }
    x->now = now;
    const int status = c->route->start(x);
    if (x->items == NULL) {
        fail(s, c, status, x->message, now.mono_ms);
        return;
    }
    const struct fk_http1_answer a = {
        .status = status,
        .content_type = x->content_type,
        .close = c->early,
        .items = x->items,
        .ctx = x,
    };
    answer(s, c, &a, now.mono_ms);
}

/* ---- who asks, and whether they may ------------------------------------------------------------
 */

static bool api_server_answers(const struct fk_server *s) {
    return s->house.node->client.state == FK_LINK_UP;
}

static bool open_to_all(const struct fk_server *s, const struct fk_conn *c) {
    return s->setup.open_health && c->route != NULL && c->route->health;
}

/* Whom the client certificate names, or whose token it is. */
static enum fk_verdict_state who(struct fk_server *s, struct fk_conn *c, struct fk_now now,
                                 const struct fk_user **user) {
    const struct fk_listener *l = &s->setup.listener;
    const struct fk_http1_request *r = &c->http.request;
    *user = l->ops->peer(l->ctx, c->slot);
    if (*user != NULL) {
        /* A certificate may begin to count while a token is asked about. The answer wipes that. */
        const bool wanted = r->has_token && !fk_authn_forget(&s->authn, r->token);
        return wanted ? FK_ASK_WAIT : FK_ASK_YES;
    }
    if (!r->has_token || r->token[0] == '\0') return FK_ASK_NO;
    return fk_authn_check(&s->authn, now, r->token, api_server_answers(s), user);
}

/* The API server itself may all, if the operator said who that is: by certificate only, since a
 * token would have to be asked about. */
static bool always_allowed(const struct fk_server *s, const struct fk_conn *c,
                           const struct fk_user *user) {
    const char *name = s->setup.always_allowed;
    const struct fk_listener *l = &s->setup.listener;
    return name != NULL && name[0] != '\0' && user == l->ops->peer(l->ctx, c->slot) &&
           strcmp(fk_user_name(user), name) == 0;
}

static enum fk_verdict_state may(struct fk_server *s, struct fk_conn *c, struct fk_now now,
                                 const struct fk_user *user) {
    if (always_allowed(s, c, user)) return FK_ASK_YES;
    return fk_authz_check(&s->authz, now, user, verb_of(c->exchange.method), subresource_of(c),
                          api_server_answers(s));
}

/* kubectl puts it behind "You must be logged in to the server", as if that were the API server. */
#define NOBODY                                                                                     \
    "this node's port wants a client certificate of the cluster's client CA, or a bearer token "   \
    "that the cluster knows"
#define AWAY "the API server cannot be asked who you are and what you may: try again"

/* AUTHN and AUTHZ: both are asked each time, since the first remembers. True: something came of it.
 */
static bool admit(struct fk_server *s, struct fk_conn *c, struct fk_now now) {
    const struct fk_user *user = NULL;
    enum fk_verdict_state verdict = who(s, c, now, &user);
    if (verdict == FK_ASK_NO) {
        fail(s, c, 401, NOBODY, now.mono_ms);
        return true;
    }
    if (verdict == FK_ASK_YES) {
        c->state = FK_CONN_AUTHZ; /* the deadline is for both */
        verdict = may(s, c, now, user);
    }
    switch (verdict) {
    case FK_ASK_WAIT: return false;
    case FK_ASK_YES: serve(s, c, now); break;
    case FK_ASK_NO:
        c->refused = user;
        fail(s, c, 403, NULL, now.mono_ms);
        break;
    case FK_ASK_AWAY: fail(s, c, 503, AWAY, now.mono_ms); break;
    }
    return true;
}

/* A request's head is here. */
static void begin_request(struct fk_server *s, struct fk_conn *c, struct fk_now now) {
    const struct fk_http1_request *r = &c->http.request;
    c->exchange = (struct fk_exchange){.house = &s->house, .now = now};
    c->route = NULL;
    if (c->http.refused != 0) {
        fail(s, c, c->http.refused, c->http.why, now.mono_ms);
        return;
    }
    c->exchange.method = r->method;
    c->exchange.query = r->query;
    c->route = fk_route_find(r->path, &c->exchange.rest);
    if (open_to_all(s, c)) {
        serve(s, c, now);
        return;
    }
    go(c, FK_CONN_AUTHN, now.mono_ms);
    (void)admit(s, c, now);
}

/* ---- bytes -------------------------------------------------------------------------------------
 */

/* No memory for a request. It is not even read: the client may say it again. */
static void turn_away(struct fk_server *s, struct fk_conn *c, uint64_t now_ms) {
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    s->house.turned_away++;
    s->house.served[FK_SERVED_5XX]++;
    (void)fk_pipe_send(pipe_of(s, c), text, sizeof text - 1);
    hang_up(s, c, now_ms);
}

/* True: something was done. */
static bool receive(struct fk_server *s, struct fk_conn *c, struct fk_now now) {
    uint8_t buf[FK_RECV_BUF];
    const int got = fk_pipe_recv(pipe_of(s, c), buf, sizeof buf);
    if (got < 0) {
        hang_up(s, c, now.mono_ms);
        return true;
    }
    const bool began = !c->amid;
    c->amid = s->setup.listener.ops->amid(s->setup.listener.ctx, c->slot);
    if (c->http.state == FK_HTTP1_IDLE && (got > 0 || c->amid) && began)
        c->since_ms = now.mono_ms; /* its first byte */
    if (got == 0) return false;
    if (c->http.state == FK_HTTP1_IDLE) {
        c->early = false;
        if (!borrow(s, c)) {
            turn_away(s, c, now.mono_ms);
            return true;
        }
    }
    const size_t taken = fk_http1_feed(&c->http, fk_bytes(buf, (size_t)got));
    c->early = c->early || taken < (size_t)got;
    if (c->http.state == FK_HTTP1_ASKED) begin_request(s, c, now);
    return true;
}

static bool transmit(struct fk_server *s, struct fk_conn *c, struct fk_now now) {
    const struct fk_bytes out = fk_http1_pull(&c->http);
    if (out.len == 0) return false;
    const int sent = fk_pipe_send(pipe_of(s, c), out.p, out.len);
    if (sent < 0) {
        hang_up(s, c, now.mono_ms);
        return true;
    }
    if (sent == 0) return false;
    fk_http1_taken(&c->http, (size_t)sent);
    c->since_ms = now.mono_ms;
    return true;
}

/* The answer is going out, and what is left of the request's body is dropped after that. */
static bool carry_on(struct fk_server *s, struct fk_conn *c, struct fk_now now) {
    bool worked = false;
    if (c->http.state == FK_HTTP1_ANSWERING) worked = transmit(s, c, now);
    if (c->state == FK_CONN_ANSWERING && c->http.state == FK_HTTP1_DRAINING)
        worked = receive(s, c, now) || worked;
    if (c->state != FK_CONN_ANSWERING) return worked;
    if (c->http.state == FK_HTTP1_OVER) {
        hang_up(s, c, now.mono_ms);
        return true;
    }
    if (c->http.state == FK_HTTP1_IDLE) {
        give_back(s, c);
        c->served = true;
        go(c, FK_CONN_OPEN, now.mono_ms);
        return true;
    }
    return worked;
}

/* recv drives the handshake, and may bring the first bytes of a request right behind it. */
static bool shake_hands(struct fk_server *s, struct fk_conn *c, struct fk_now now) {
    const struct fk_listener *l = &s->setup.listener;
    const bool worked = receive(s, c, now);
    if (c->state != FK_CONN_HANDSHAKE || !l->ops->established(l->ctx, c->slot)) return worked;
    go(c, FK_CONN_OPEN, now.mono_ms);
    return true;
}

/* ---- steps -------------------------------------------------------------------------------------
 */

/* Whoever is amid a request is told. */
static void give_up(struct fk_server *s, struct fk_conn *c, struct fk_now now) {
    c->early = true;
    if (c->state == FK_CONN_OPEN && c->http.state == FK_HTTP1_READING) {
        c->exchange = (struct fk_exchange){.house = &s->house, .now = now};
        c->route = NULL;
        fail(s, c, 408, "the request did not arrive in time", now.mono_ms);
        return;
    }
    const bool asks = c->state == FK_CONN_AUTHN || c->state == FK_CONN_AUTHZ;
    if (asks && (!c->http.request.has_token || fk_authn_forget(&s->authn, c->http.request.token)))
        fail(s, c, 503, AWAY, now.mono_ms);
    else hang_up(s, c, now.mono_ms);
}

static bool step(struct fk_server *s, struct fk_conn *c, struct fk_now now) {
    if (now.mono_ms >= deadline_of(c)) {
        give_up(s, c, now);
        return true;
    }
    switch ((enum fk_conn_state)c->state) {
    case FK_CONN_FREE: return false;
    case FK_CONN_HANDSHAKE: return shake_hands(s, c, now);
    case FK_CONN_OPEN: return receive(s, c, now);
    case FK_CONN_AUTHN:
    case FK_CONN_AUTHZ: return admit(s, c, now);
    case FK_CONN_ANSWERING: return carry_on(s, c, now);
    case FK_CONN_LEFT:
        if (!fk_authn_forget(&s->authn, c->http.request.token)) return false;
        give_back(s, c);
        go(c, FK_CONN_FREE, now.mono_ms);
        return true;
    }
    return false;
}

bool fk_server_step(struct fk_server *s) {
    const struct fk_node *n = s->house.node;
    const struct fk_now now = fk_client_now(&n->client, n->port.ops->mono_ms(n->port.ctx));
    const unsigned count = s->setup.listener.count;
    const bool more = take_in(s, now.mono_ms);
    for (unsigned i = 0; i < count; i++) {
        struct fk_conn *c = &s->conns[(s->next + i) % count];
        const bool worked = step(s, c, now);
        /* A message of the handshake was worked on, though nothing came of it for us. */
        const bool goes_on = fk_server_reads(s, c->slot) &&
                             s->setup.listener.ops->ready(s->setup.listener.ctx, c->slot);
        if (!worked && !goes_on) continue;
        s->next = (uint8_t)((c->slot + 1u) % count);
        return true;
    }
    return more;
}

uint64_t fk_server_due(const struct fk_server *s) {
    uint64_t due_ms = FK_NEVER;
    for (unsigned i = 0; i < s->setup.listener.count; i++)
        due_ms = fk_sooner(due_ms, deadline_of(&s->conns[i]));
    /* From that moment on whoever comes finds room; once it is past, it is not waited for. */
    return fk_server_has_room(s) ? due_ms : fk_sooner(due_ms, room_at(s));
}

bool fk_server_has_room(const struct fk_server *s) {
    const struct fk_node *n = s->house.node;
    return room_at(s) <= n->port.ops->mono_ms(n->port.ctx);
}

bool fk_server_reads(const struct fk_server *s, unsigned slot) {
    const struct fk_conn *c = &s->conns[slot];
    return c->state == FK_CONN_HANDSHAKE || c->state == FK_CONN_OPEN ||
           (c->state == FK_CONN_ANSWERING && c->http.state == FK_HTTP1_DRAINING);
}

/* While it is found out who asks, the pipe is left alone. */
bool fk_server_sends(const struct fk_server *s, unsigned slot) {
    const struct fk_conn *c = &s->conns[slot];
    return c->state != FK_CONN_AUTHN && c->state != FK_CONN_AUTHZ;
}

void fk_server_stop(struct fk_server *s) {
    const struct fk_node *n = s->house.node;
    for (unsigned i = 0; i < s->setup.listener.count; i++)
        if (s->conns[i].state != FK_CONN_FREE && s->conns[i].state != FK_CONN_LEFT)
            hang_up(s, &s->conns[i], n->port.ops->mono_ms(n->port.ctx));
}

void fk_server_init(struct fk_server *s, struct fk_node *node,
                    const struct fk_server_setup *setup) {
    FK_ASSERT(setup->listener.count <= FK_SERVER_CONNECTIONS);
    *s = (struct fk_server){.setup = *setup,
                            .house = {.node = node,
                                      .configmaps = setup->configmaps,
                                      .ring = setup->ring,
                                      .authn = &s->authn,
                                      .authz = &s->authz}};
    const struct fk_duty_env env = {node->config, setup->log, &node->rng};
    fk_authn_init(&s->authn, &env, setup->sha256, setup->authn_hit_ms, setup->authn_miss_ms);
    fk_authz_init(&s->authz, &env, setup->sha256, setup->authz_allowed_ms, setup->authz_denied_ms);
    fk_node_add_duty(node, &fk_authn_ops, &s->authn);
    fk_node_add_duty(node, &fk_authz_ops, &s->authz);
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) s->conns[i].slot = (uint8_t)i;
}
