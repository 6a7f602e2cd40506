#include "api/client.h"

#include "base/assert.h"
#include "base/err.h"

/* ---- requests and their slots ------------------------------------------------------------- */

static struct fk_slot *slot_of(struct fk_client *c, int32_t stream) {
    for (size_t i = 0; i < FK_SLOTS; i++)
        if (c->slots[i].stream == stream) return &c->slots[i];
    return NULL;
}

static struct fk_slot *free_slot(struct fk_client *c, bool watch) {
    const size_t end = watch ? FK_SLOTS : FK_REQUESTS_MAX;
    for (size_t i = watch ? FK_REQUESTS_MAX : 0; i < end; i++)
        if (c->slots[i].stream == 0) return &c->slots[i];
    return NULL;
}

static bool succeeded(int status) { return status >= 200 && status < 300; }

/* Somebody expects an answer soon: not of a free slot, nor of a watch that runs. */
static bool waits(const struct fk_slot *slot) {
    return slot->stream != 0 && (slot->over == NULL || !succeeded(slot->status));
}

/* Frees the slot and tells its owner how the request ended. */
static void answer(struct fk_client *c, struct fk_slot *slot, int err) {
    struct fk_response response = {
        .status = slot->status,
        .retry_after_ms = slot->retry_after_ms,
        .reason = FK_REASON_NONE,
        .message = "",
    };
    if (slot->ended != 0) err = slot->ended; /* though its head may have come */
    /* A 2xx whose body broke off is no success; an error stays one, body or not. */
    if (err != 0 && (slot->status == 0 || succeeded(slot->status))) {
        response.status = err;
        response.message = fk_err_text(response.status);
        c->stats.failures++;
    } else if (c->error_stream != 0 && c->error_stream == slot->stream) {
        response.reason = c->error.reason;
        response.message = c->error.message;
        const int32_t after_s = c->error.retry_after_s;
        if (after_s > 0 && (uint32_t)after_s * 1000u > response.retry_after_ms)
            response.retry_after_ms = (uint32_t)after_s * 1000u;
    }
    if (c->error_stream == slot->stream) c->error_stream = 0;
    const struct fk_slot asked = *slot;
    slot->stream = 0;
    fk_request_counts_add(&c->counts, asked.method, response.status, asked.over == NULL,
                          c->now.mono_ms - asked.sent_ms);
    asked.reply->response(asked.owner, c->now, &response);
}

/* ---- what the connection tells us ---------------------------------------------------------- */

static void on_head(void *ctx, int32_t stream, const struct fk_h2_head *head) {
    struct fk_client *c = ctx;
    struct fk_slot *slot = slot_of(c, stream);
    if (slot == NULL) return;
    slot->status = head->status;
    if (head->status == 401) c->stats.unauthorized++;
    if (head->retry_after_s > 0) slot->retry_after_ms = (uint32_t)head->retry_after_s * 1000u;
    if (head->date_s >= 0) {
        fk_clock_anchor(&c->clock, c->now.mono_ms, head->date_s);
        c->now = fk_clock_read(&c->clock, c->now.mono_ms);
    }
    /* An answer alone does not prove the connection good: it may end each time right after. */
    const bool settled = c->now.mono_ms >= fk_after(c->opened_ms, FK_RECONNECT_MAX_MS);
    if (settled && head->status < 500 && head->status != 429) fk_backoff_reset(&c->backoff);
    if (succeeded(head->status) || c->error_stream != 0) return;
    c->error_stream = stream;
    fk_status_begin(&c->error, head->content);
    if (!slot->wants_body) (void)fk_h2_grant(&c->h2, stream, FK_ERROR_BODY_MAX);
}

static void on_data(void *ctx, int32_t stream, struct fk_bytes piece) {
    struct fk_client *c = ctx;
    struct fk_slot *slot = slot_of(c, stream);
    if (slot == NULL) return;
    if (succeeded(slot->status)) {
        slot->reply->body(slot->owner, piece);
        if (slot->over != NULL && *slot->over) fk_h2_cancel(&c->h2, stream);
        return;
    }
    if (c->error_stream == stream) fk_status_feed(&c->error, piece);
    if (c->error_stream != stream || c->error.seen >= FK_ERROR_BODY_MAX)
        fk_h2_cancel(&c->h2, stream);
}

static void on_end(void *ctx, int32_t stream, int err) {
    struct fk_client *c = ctx;
    struct fk_slot *slot = slot_of(c, stream);
    if (slot != NULL) answer(c, slot, err == FK_E_CLOSED && c->lost_err != 0 ? c->lost_err : err);
}

static void on_pong(void *ctx) { (void)ctx; /* any byte is a sign of life: see receive */ }

static void end_slot(struct fk_client *c, struct fk_slot *slot, int err) {
    slot->ended = (int8_t)err;
    fk_h2_cancel(&c->h2, slot->stream);
}

/* What is under way may finish, but watches never would. */
static void on_goaway(void *ctx) {
    struct fk_client *c = ctx;
    if (c->state == FK_LINK_UP) c->state = FK_LINK_DRAINING;
    for (size_t i = FK_REQUESTS_MAX; i < FK_SLOTS; i++)
        if (c->slots[i].stream != 0) end_slot(c, &c->slots[i], FK_E_CLOSED);
}

static const struct fk_h2_events events = {on_head, on_data, on_end, on_pong, on_goaway};

/* ---- the connection's life ----------------------------------------------------------------- */

/* Closes everything; whatever is under way is answered with the reason given. */
static void hang_up(struct fk_client *c, int err) {
    c->lost_err = err;
    fk_h2_close(&c->h2);
    fk_pipe_close(c->config.pipe);
    c->lost_err = 0;
    c->state = FK_LINK_DOWN;
    c->out_len = c->out_sent = 0;
    c->blocked = false;
}

static const char *lost_text(enum fk_link_state was) {
    if (was == FK_LINK_DRAINING) return "API server asked for a new connection";
    return was == FK_LINK_CONNECTING ? "no connection to the API server"
                                     : "connection to the API server lost";
}

/* Ends the connection for the reason given; everything under way is answered with it. */
static void lose(struct fk_client *c, int err) {
    const enum fk_link_state was = c->state;
    hang_up(c, err);
    const uint32_t wait_ms = fk_backoff_next(&c->backoff, &c->rng);
    c->retry_ms = fk_after(c->now.mono_ms, wait_ms);
    fk_log(c->config.log, was == FK_LINK_DRAINING ? FK_INFO : FK_WARN, lost_text(was),
           FK_STR("server", c->config.authority), FK_STR("reason", fk_err_text(err)),
           FK_INT("retry_ms", wait_ms), FK_INT("tries", c->stats.connect_tries));
}

static void begin(struct fk_client *c) {
    c->stats.connect_tries++;
    c->state = FK_LINK_CONNECTING;
    c->opened_ms = c->heard_ms = c->now.mono_ms;
    c->pinged_ms = FK_NEVER;
    int err = fk_pipe_open(c->config.pipe);
    if (err == 0) err = fk_h2_open(&c->h2, c->config.heap, &events, c);
    if (err != 0) lose(c, err);
}

/* The last sign of life that the oldest unanswered request may count on; FK_NEVER: none asked. */
static uint64_t waiting_since(const struct fk_client *c) {
    uint64_t oldest = FK_NEVER;
    for (size_t i = 0; i < FK_SLOTS; i++)
        if (waits(&c->slots[i])) oldest = fk_sooner(oldest, c->slots[i].sent_ms);
    if (oldest == FK_NEVER) return FK_NEVER;
    return oldest > c->heard_ms ? oldest : c->heard_ms;
}

static uint64_t expires_at(const struct fk_slot *slot) {
    if (slot->stream == 0) return FK_NEVER;
    return fk_after(slot->sent_ms, waits(slot) ? FK_REQUEST_TIMEOUT_MS : FK_WATCH_TIMEOUT_MS);
}

static void expire_requests(struct fk_client *c) {
    for (size_t i = 0; i < FK_SLOTS; i++)
        if (c->now.mono_ms >= expires_at(&c->slots[i])) end_slot(c, &c->slots[i], FK_E_TIMEOUT);
}

/* Deadlines of a live connection. False when it was lost over one of them. */
static bool keep_alive(struct fk_client *c) {
    const uint64_t now_ms = c->now.mono_ms;
    if (c->state == FK_LINK_CONNECTING) {
        if (now_ms < fk_after(c->opened_ms, FK_CONNECT_TIMEOUT_MS)) return true;
        lose(c, FK_E_TIMEOUT);
        return false;
    }
    if (c->pinged_ms != FK_NEVER && now_ms >= fk_after(c->pinged_ms, FK_PING_TIMEOUT_MS)) {
        c->stats.silent_peers++;
        lose(c, FK_E_TIMEOUT);
        return false;
    }
    expire_requests(c);
    if (c->pinged_ms == FK_NEVER && now_ms >= fk_after(waiting_since(c), FK_PING_AFTER_MS)) {
        if (fk_h2_ping(&c->h2) == 0) c->pinged_ms = now_ms;
    }
    const bool drained = c->state == FK_LINK_DRAINING && fk_client_idle(c);
    if (c->h2.fatal == 0 && !drained) return true;
    lose(c, c->h2.fatal != 0 ? c->h2.fatal : FK_E_CLOSED); /* fatal: no memory for the above */
    return false;
}

static int receive(struct fk_client *c) {
    uint8_t buf[FK_RECV_BUF];
    const int got = fk_pipe_recv(c->config.pipe, buf, sizeof buf);
    if (got <= 0) return got;
    c->heard_ms = c->now.mono_ms;
    c->pinged_ms = FK_NEVER; /* any byte is a sign of life */
    const int err = fk_h2_feed(&c->h2, fk_bytes(buf, (size_t)got));
    if (err != 0) return err;
    if (c->state == FK_LINK_CONNECTING && c->h2.settled) {
        c->state = c->h2.draining ? FK_LINK_DRAINING : FK_LINK_UP; /* GOAWAY in the same bytes */
        c->stats.connects++;
        fk_log(c->config.log, FK_INFO, "connected to the API server",
               FK_STR("server", c->config.authority), FK_INT("connects", c->stats.connects));
    }
    return got;
}

static int transmit(struct fk_client *c) {
    if (c->out_sent == c->out_len) {
        c->out_sent = c->out_len = 0;
        const int got = fk_h2_pull(&c->h2, c->out, sizeof c->out);
        if (got <= 0) {
            c->blocked = false;
            return got;
        }
        c->out_len = (uint16_t)got;
    }
    const int sent =
        fk_pipe_send(c->config.pipe, c->out + c->out_sent, (size_t)(c->out_len - c->out_sent));
    if (sent > 0) c->out_sent = (uint16_t)(c->out_sent + sent);
    c->blocked = sent >= 0 && c->out_sent < c->out_len;
    return sent;
}

bool fk_client_step(struct fk_client *c, uint64_t mono_ms) {
    c->now = fk_clock_read(&c->clock, mono_ms);
    if (c->state == FK_LINK_DOWN) {
        if (mono_ms < c->retry_ms) return false;
        begin(c);
        return c->state != FK_LINK_DOWN;
    }
    if (!keep_alive(c)) return false;
    const int got = receive(c);
    const int sent = got < 0 ? 0 : transmit(c);
    if (got < 0 || sent < 0) {
        lose(c, got < 0 ? got : sent);
        return false;
    }
    return got > 0 || sent > 0;
}

void fk_client_drop(struct fk_client *c, uint64_t mono_ms, int err) {
    c->now = fk_clock_read(&c->clock, mono_ms);
    if (c->state != FK_LINK_DOWN) lose(c, err);
}

void fk_client_forget_time(struct fk_client *c) { c->clock.anchored = false; }

void fk_client_hurry(struct fk_client *c, uint64_t mono_ms) {
    if (c->state == FK_LINK_DOWN && c->retry_ms != FK_NEVER)
        c->retry_ms = fk_sooner(c->retry_ms, mono_ms);
}

uint64_t fk_client_due(const struct fk_client *c) {
    if (c->state == FK_LINK_DOWN) return c->retry_ms;
    if (c->state == FK_LINK_CONNECTING) return fk_after(c->opened_ms, FK_CONNECT_TIMEOUT_MS);
    if (!c->blocked && fk_h2_pending(&c->h2)) return 0;
    uint64_t due = c->pinged_ms != FK_NEVER ? fk_after(c->pinged_ms, FK_PING_TIMEOUT_MS)
                                            : fk_after(waiting_since(c), FK_PING_AFTER_MS);
    for (size_t i = 0; i < FK_SLOTS; i++) due = fk_sooner(due, expires_at(&c->slots[i]));
    return due;
}

bool fk_client_wants_write(const struct fk_client *c) {
    return c->state >= FK_LINK_UP && c->blocked;
}

static size_t free_slots(const struct fk_client *c) {
    size_t count = 0;
    if (c->state != FK_LINK_UP) return 0;
    for (size_t i = 0; i < FK_REQUESTS_MAX; i++) count += c->slots[i].stream == 0;
    return count;
}

bool fk_client_ready(const struct fk_client *c) { return free_slots(c) > 0; }

bool fk_client_spare(const struct fk_client *c) { return free_slots(c) > 1; }

bool fk_client_idle(const struct fk_client *c) {
    for (size_t i = 0; i < FK_SLOTS; i++)
        if (waits(&c->slots[i])) return false;
    return true;
}

/* ---- submitting ----------------------------------------------------------------------------- */

static uint8_t method_of(enum fk_verb verb) { /* enum fk_request_method */
    switch (verb) {
    case FK_GET: return FK_METHOD_GET;
    case FK_POST: return FK_METHOD_POST;
    case FK_PUT: return FK_METHOD_PUT;
    case FK_DELETE: return FK_METHOD_DELETE;
    case FK_PATCH_MERGE:
    case FK_PATCH_STRATEGIC:
    case FK_PATCH_JSON: break;
    }
    return FK_METHOD_PATCH;
}

static const char *content_type_of(enum fk_verb verb) {
    switch (verb) {
    case FK_PATCH_MERGE: return "application/merge-patch+json";
    case FK_PATCH_STRATEGIC: return "application/strategic-merge-patch+json";
    case FK_PATCH_JSON: return "application/json-patch+json";
    case FK_GET:
    case FK_POST:
    case FK_PUT:
    case FK_DELETE: break;
    }
    return "application/json";
}

static struct fk_h2_header header(const char *name, const char *value, bool secret) {
    return (struct fk_h2_header){fk_bytes_str(name), fk_bytes_str(value), secret};
}

int fk_client_submit(struct fk_client *c, const struct fk_request *request) {
    if (c->state != FK_LINK_UP) return FK_E_CLOSED;
    const bool watch = request->over != NULL;
    struct fk_slot *slot = free_slot(c, watch);
    if (slot == NULL) return FK_E_BUSY;
    struct fk_h2_header headers[FK_H2_REQUEST_HEADERS];
    size_t count = 0;
    headers[count++] = header("accept",
                              request->metadata_only
                                  ? "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;"
                                    "g=meta.k8s.io;v=v1,application/vnd.kubernetes.protobuf"
                                  : "application/vnd.kubernetes.protobuf",
                              false);
    headers[count++] = header("user-agent", c->config.user_agent, false);
    if (request->document != NULL)
        headers[count++] = header("content-type", content_type_of(request->verb), false);
    if (c->config.authorization != NULL)
        headers[count++] = header("authorization", c->config.authorization, true);
    const struct fk_h2_request wire = {
        .method = fk_request_method_name(method_of(request->verb)),
        .scheme = "https",
        .authority = c->config.authority,
        .path = request->path,
        .path_repeats = request->path_repeats,
        .headers = headers,
        .header_count = count,
        .body = request->document,
        .body_ctx = request->owner,
        .window = watch                 ? FK_WATCH_WINDOW
                  : request->wants_body ? FK_REPLY_WINDOW
                                        : 0,
        .lingers = request->lingers,
    };
    const int32_t stream = fk_h2_submit(&c->h2, &wire);
    if (stream < 0) return stream;
    *slot = (struct fk_slot){.stream = stream,
                             .reply = request->reply,
                             .owner = request->owner,
                             .method = method_of(request->verb),
                             .over = request->over,
                             .wants_body = watch || request->wants_body,
                             .sent_ms = c->now.mono_ms};
    c->stats.requests++;
    return 0;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

void fk_client_init(struct fk_client *c, const struct fk_client_config *config) {
    memset(c, 0, sizeof *c);
    c->config = *config;
    c->state = FK_LINK_DOWN;
    c->pinged_ms = FK_NEVER;
    fk_rng_seed(&c->rng, config->seed);
    fk_backoff_init(&c->backoff, FK_RECONNECT_MIN_MS, FK_RECONNECT_MAX_MS);
}

bool fk_client_shutdown(struct fk_client *c, uint64_t mono_ms) {
    c->now = fk_clock_read(&c->clock, mono_ms);
    if (c->state == FK_LINK_UP || c->state == FK_LINK_DRAINING) {
        fk_h2_goodbye(&c->h2);
        c->state = FK_LINK_LEAVING;
    }
    if (c->state == FK_LINK_LEAVING && (transmit(c) > 0 || c->blocked)) return false;
    hang_up(c, FK_E_CANCELLED);
    c->retry_ms = FK_NEVER;
    return true;
}
