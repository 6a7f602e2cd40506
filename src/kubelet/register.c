#include "kubelet/register.h"

#include "base/err.h"
#include "kubelet/node_doc.h"

#define NODES "/api/v1/nodes"

static const struct fk_reply_ops reply;

static void go(struct fk_register *r, enum fk_register_state state, uint64_t due_ms) {
    r->state = state;
    r->due_ms = due_ms;
}

void fk_register_init(struct fk_register *r, const struct fk_duty_env *env,
                      struct fk_conditions *conditions) {
    *r = (struct fk_register){.env = *env, .conditions = conditions};
    fk_retry_init(&r->retry);
    go(r, FK_REGISTER_CREATE, 0);
}

void fk_register_again(struct fk_register *r, struct fk_now now) {
    if (r->state == FK_REGISTER_DONE) go(r, FK_REGISTER_READ, now.mono_ms);
}

static uint64_t due(const void *self) {
    const struct fk_register *r = self;
    return r->in_flight ? FK_NEVER : r->due_ms;
}

/* ---- documents ------------------------------------------------------------------------------ */

static void node_document(const void *owner, struct fk_writer *w) {
    const struct fk_register *r = owner;
    fk_node_doc_put_node(r->env.config, w);
}

static void labels_document(const void *owner, struct fk_writer *w) {
    const struct fk_register *r = owner;
    fk_node_doc_put_labels_patch(r->env.config, w);
}

/* ---- the duty ------------------------------------------------------------------------------- */

static void adopt(void *ctx, const struct fk_node_condition *theirs) {
    struct fk_register *r = ctx;
    fk_conditions_adopt(r->conditions, theirs);
}

static bool request(void *self, struct fk_now now, struct fk_request *req) {
    struct fk_register *r = self;
    const char *name = r->env.config->name;
    (void)now;
    switch (r->state) {
    case FK_REGISTER_CREATE:
        fk_request_make(req, FK_POST, NODES, NULL, "");
        req->document = node_document;
        req->metadata_only = true;
        req->wants_body = true;
        break;
    case FK_REGISTER_READ:
        fk_request_make(req, FK_GET, NODES, name, "");
        req->wants_body = true;
        break;
    case FK_REGISTER_REPAIR:
        fk_request_make(req, FK_PATCH_STRATEGIC, NODES, name, "");
        req->document = labels_document;
        break;
    case FK_REGISTER_DONE: r->due_ms = FK_NEVER; return false;
    }
    fk_node_reader_begin(&r->reader, adopt, r);
    req->reply = &reply;
    req->owner = r;
    r->in_flight = true;
    return true;
}

static void body(void *owner, struct fk_bytes piece) {
    struct fk_register *r = owner;
    (void)fk_node_reader_feed(&r->reader, piece); /* its error shows at the end */
}

static void done(struct fk_register *r) {
    fk_retry_reset(&r->retry);
    r->rounds++;
    fk_log(r->env.log, FK_INFO, "node registered", FK_STR("node", r->env.config->name),
           FK_STR("uid", r->uid));
    go(r, FK_REGISTER_DONE, FK_NEVER);
}

static void failed(struct fk_register *r, struct fk_now now, const struct fk_response *res) {
    r->due_ms = fk_after(now.mono_ms, fk_retry_after(&r->retry, &r->env, "node registration", res));
}

/* A Node came back whole: take its UID, or ask again when the reply was not one. */
static bool take_uid(struct fk_register *r, struct fk_now now) {
    if (fk_node_reader_end(&r->reader) == 0 && r->reader.uid[0] != '\0') {
        memcpy(r->uid, r->reader.uid, sizeof r->uid);
        return true;
    }
    const struct fk_response garbled = {.status = FK_E_PARSE, .message = "the reply is not a Node"};
    failed(r, now, &garbled);
    r->state = FK_REGISTER_READ;
    return false;
}

static void succeeded(struct fk_register *r, struct fk_now now) {
    switch (r->state) {
    case FK_REGISTER_CREATE:
        if (take_uid(r, now)) done(r);
        break;
    case FK_REGISTER_READ:
        if (take_uid(r, now)) go(r, FK_REGISTER_REPAIR, now.mono_ms);
        break;
    case FK_REGISTER_REPAIR: done(r); break;
    case FK_REGISTER_DONE: break;
    }
}

/* An answer that leads to another request. */
static void turn(struct fk_register *r, enum fk_register_state state, struct fk_now now) {
    go(r, state, fk_after(now.mono_ms, fk_retry_turn(&r->retry, &r->env)));
}

static void absent(struct fk_register *r, struct fk_now now, const struct fk_response *res) {
    if (r->state == FK_REGISTER_CREATE) failed(r, now, res);
    else turn(r, FK_REGISTER_CREATE, now); /* deleted under us */
}

/* Labels that somebody forbids are no reason to be no node. */
static void refused(struct fk_register *r, struct fk_now now, const struct fk_response *res) {
    failed(r, now, res);
    if (r->state == FK_REGISTER_REPAIR) done(r);
}

static void response(void *owner, struct fk_now now, const struct fk_response *res) {
    struct fk_register *r = owner;
    r->in_flight = false;
    switch (fk_status_verdict(res->status, res->reason)) {
    case FK_VERDICT_OK: succeeded(r, now); break;
    case FK_VERDICT_ABSENT: absent(r, now, res); break;
    case FK_VERDICT_EXISTS: turn(r, FK_REGISTER_READ, now); break;
    case FK_VERDICT_REFUSED:
    case FK_VERDICT_REJECTED: refused(r, now, res); break;
    case FK_VERDICT_CONFLICT:
    case FK_VERDICT_STALE:
    case FK_VERDICT_RETRY: failed(r, now, res); break;
    }
}

static const struct fk_reply_ops reply = {body, response};
const struct fk_duty_ops fk_register_ops = {due, request};
