#include "kubelet/events.h"

#include "base/assert.h"
#include "base/err.h"
#include "wire/json_write.h"

#define EVENTS "/api/v1/namespaces/default/events"
#define TOKENS_MAX_MS (FK_EVENTS_BURST * FK_EVENTS_EVERY_MS)

static const struct fk_reply_ops reply;

void fk_events_init(struct fk_events *e, const struct fk_duty_env *env) {
    *e = (struct fk_events){.env = *env, .tokens_ms = TOKENS_MAX_MS};
    fk_retry_init(&e->retry);
}

void fk_events_start(struct fk_events *e, struct fk_now now, const char *node_uid) {
    e->node_uid = node_uid;
    e->due_ms = now.mono_ms;
}

/* ---- what happened ---------------------------------------------------------------------------
 */

static bool pending(const struct fk_event *v) {
    return v->reason != NULL && v->reported < v->count;
}

static bool in_flight(const struct fk_events *e, const struct fk_event *v) {
    return e->in_flight != 0 && v == &e->all[e->in_flight - 1];
}

/* After ten minutes of quiet the same is another Event, and what could not be written is given up.
 */
static void forget_old(struct fk_events *e, uint64_t now_ms) {
    for (size_t i = 0; i < FK_EVENTS_MAX; i++) {
        struct fk_event *v = &e->all[i];
        if (v->reason == NULL || in_flight(e, v)) continue;
        if (now_ms < fk_after(v->last_ms, FK_EVENTS_SAME_MS)) continue;
        if (pending(v)) e->dropped++;
        v->reason = NULL;
    }
}

static struct fk_event *same(struct fk_events *e, const char *reason, const char *message) {
    for (size_t i = 0; i < FK_EVENTS_MAX; i++) {
        struct fk_event *v = &e->all[i];
        if (v->reason != NULL && strcmp(v->reason, reason) == 0 && strcmp(v->message, message) == 0)
            return v;
    }
    return NULL;
}

/* A free one, or the one longest quiet of those of which everything is told; NULL: neither. */
static struct fk_event *room(struct fk_events *e) {
    struct fk_event *oldest = NULL;
    for (size_t i = 0; i < FK_EVENTS_MAX; i++) {
        struct fk_event *v = &e->all[i];
        if (v->reason == NULL) return v;
        if (pending(v) || in_flight(e, v)) continue;
        if (oldest == NULL || v->last_ms < oldest->last_ms) oldest = v;
    }
    return oldest;
}

void fk_events_tell(struct fk_events *e, struct fk_now now, bool warning, const char *reason,
                    const char *message) {
    char cut[FK_MESSAGE_MAX];
    struct fk_writer w;
    fk_writer_init(&w, cut, sizeof cut);
    fk_put_str(&w, message);
    (void)fk_writer_finish(&w);
    forget_old(e, now.mono_ms);
    struct fk_event *v = same(e, reason, cut);
    if (v == NULL) {
        v = room(e);
        if (v == NULL) {
            e->dropped++;
            return;
        }
        *v = (struct fk_event){.reason = reason, .warning = warning, .first_us = now.wall_us};
        memcpy(v->message, cut, sizeof cut);
    }
    v->count++;
    v->last_us = now.wall_us;
    v->last_ms = now.mono_ms;
}

/* ---- documents -------------------------------------------------------------------------------
 */

static const struct fk_event *told(const struct fk_events *e) { return &e->all[e->in_flight - 1]; }

/* NODE.SUFFIX, a DNS subdomain: a long name is cut, and never before or behind a dot or hyphen. */
static void put_name(const struct fk_events *e, struct fk_writer *w) {
    const char *node = e->env.config->name;
    size_t len = strlen(node);
    const size_t most = FK_NODE_NAME_MAX - sizeof told(e)->suffix;
    if (len > most) len = most;
    while (len > 0 && (node[len - 1] == '.' || node[len - 1] == '-')) len--;
    fk_put(w, node, len);
    fk_put_char(w, '.');
    fk_put_str(w, told(e)->suffix);
}

static void put_regarding(struct fk_json *j, const struct fk_events *e) {
    fk_json_object(j, "involvedObject");
    fk_json_str(j, "kind", "Node");
    fk_json_str(j, "name", e->env.config->name);
    fk_json_str(j, "uid", e->env.config->name);
    fk_json_object_end(j);
}

static void new_document(const void *owner, struct fk_writer *w) {
    const struct fk_events *e = owner;
    const struct fk_event *v = told(e);
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_str(&j, "apiVersion", "v1");
    fk_json_str(&j, "kind", "Event");
    fk_json_object(&j, "metadata");
    fk_json_text(&j, "name");
    put_name(e, w);
    fk_json_text_end(&j);
    fk_json_str(&j, "namespace", "default");
    fk_json_object_end(&j);
    put_regarding(&j, e);
    fk_json_str(&j, "reason", v->reason);
    fk_json_str(&j, "message", v->message);
    fk_json_str(&j, "type", v->warning ? "Warning" : "Normal");
    fk_json_object(&j, "source");
    fk_json_str(&j, "component", "kubelet");
    fk_json_str(&j, "host", e->env.config->name);
    fk_json_object_end(&j);
    fk_json_time(&j, "firstTimestamp", v->first_us);
    fk_json_time(&j, "lastTimestamp", e->sent_us);
    fk_json_i64(&j, "count", e->sent_count);
    fk_json_str(&j, "reportingComponent", "kubelet");
    fk_json_object_end(&j);
}

static void again_document(const void *owner, struct fk_writer *w) {
    const struct fk_events *e = owner;
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_i64(&j, "count", e->sent_count);
    fk_json_time(&j, "lastTimestamp", e->sent_us);
    fk_json_object_end(&j);
}

/* ---- the duty --------------------------------------------------------------------------------
 */

/* The one that waits longest; NULL: none does. */
static const struct fk_event *next(const struct fk_events *e) {
    const struct fk_event *oldest = NULL;
    for (size_t i = 0; i < FK_EVENTS_MAX; i++) {
        const struct fk_event *v = &e->all[i];
        if (pending(v) && (oldest == NULL || v->last_ms < oldest->last_ms)) oldest = v;
    }
    return oldest;
}

/* When a token is there. */
static uint64_t token_ms(const struct fk_events *e) {
    if (e->tokens_ms >= FK_EVENTS_EVERY_MS) return 0;
    return fk_after(e->refilled_ms, FK_EVENTS_EVERY_MS - e->tokens_ms);
}

static void refill(struct fk_events *e, uint64_t now_ms) {
    const uint64_t more_ms = now_ms - e->refilled_ms;
    e->refilled_ms = now_ms;
    if (more_ms < TOKENS_MAX_MS - e->tokens_ms) e->tokens_ms += (uint32_t)more_ms;
    else e->tokens_ms = TOKENS_MAX_MS;
}

static uint64_t due(const void *self) {
    const struct fk_events *e = self;
    if (e->in_flight != 0 || e->node_uid == NULL || e->node_uid[0] == '\0') return FK_NEVER;
    if (next(e) == NULL) return FK_NEVER;
    const uint64_t token = token_ms(e);
    return token > e->due_ms ? token : e->due_ms;
}

/* Nanoseconds as hex, as upstream names them; another time when that name is taken. */
static void make_suffix(struct fk_event *v, int64_t us, uint32_t salt) {
    uint64_t value = (uint64_t)us * 1000 + salt % 1000;
    for (size_t i = sizeof v->suffix - 1; i-- > 0; value >>= 4)
        v->suffix[i] = "0123456789abcdef"[value & 15];
    v->suffix[sizeof v->suffix - 1] = '\0';
}

static void make_request(struct fk_events *e, struct fk_event *v, struct fk_request *req) {
    if (v->reported == 0) {
        make_suffix(v, v->first_us, fk_rng_u32(e->env.rng));
        fk_request_make(req, FK_POST, EVENTS, NULL, "");
        req->document = new_document;
        return;
    }
    fk_request_make(req, FK_PATCH_MERGE, EVENTS "/", NULL, "");
    struct fk_writer w;
    fk_writer_init(&w, req->path + strlen(EVENTS "/"), sizeof req->path - strlen(EVENTS "/"));
    put_name(e, &w);
    FK_ASSERT(fk_writer_finish(&w) == 0);
    req->document = again_document;
}

static bool request(void *self, struct fk_now now, struct fk_request *req) {
    struct fk_events *e = self;
    forget_old(e, now.mono_ms);
    if (next(e) == NULL) return false;
    if (now.wall_us == FK_WALL_UNKNOWN) { /* a reply will bring it */
        e->due_ms = fk_after(now.mono_ms, FK_NO_DATE_RETRY_MS);
        return false;
    }
    struct fk_event *v = &e->all[next(e) - e->all];
    if (v->first_us == FK_WALL_UNKNOWN) v->first_us = now.wall_us;
    if (v->last_us == FK_WALL_UNKNOWN) v->last_us = now.wall_us;
    refill(e, now.mono_ms);
    e->tokens_ms -= FK_EVENTS_EVERY_MS;
    e->in_flight = (uint8_t)(v - e->all + 1);
    e->sent_count = v->count;
    e->sent_us = v->last_us;
    make_request(e, v, req);
    req->reply = &reply;
    req->owner = e;
    return true;
}

static void body(void *owner, struct fk_bytes piece) {
    (void)owner, (void)piece; /* never asked for */
}

/* Nothing that repeating would mend. */
static void give_up(struct fk_events *e, struct fk_event *v) {
    v->reason = NULL;
    e->dropped++;
}

static void response(void *owner, struct fk_now now, const struct fk_response *res) {
    struct fk_events *e = owner;
    struct fk_event *v = &e->all[e->in_flight - 1];
    e->in_flight = 0;
    e->due_ms = now.mono_ms;
    switch (fk_status_verdict(res->status, res->reason)) {
    case FK_VERDICT_OK:
        fk_retry_reset(&e->retry);
        v->reported = e->sent_count;
        e->written++;
        return;
    case FK_VERDICT_ABSENT: /* Events live for an hour */
    case FK_VERDICT_EXISTS: /* then under another name */
        v->reported = 0;
        e->due_ms = fk_after(now.mono_ms, fk_retry_turn(&e->retry, &e->env));
        return;
    case FK_VERDICT_REJECTED: give_up(e, v); break;
    case FK_VERDICT_CONFLICT:
    case FK_VERDICT_STALE:
    case FK_VERDICT_RETRY:
    case FK_VERDICT_REFUSED: break;
    }
    e->due_ms = fk_after(now.mono_ms, fk_retry_after(&e->retry, &e->env, "event", res));
}

static const struct fk_reply_ops reply = {body, response};
const struct fk_duty_ops fk_events_ops = {due, request};
