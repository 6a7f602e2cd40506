#include "kubelet/authz.h"

#include "base/assert.h"
#include "base/err.h"

static const struct fk_reply_ops reply;

void fk_authz_init(struct fk_authz *a, const struct fk_duty_env *env, fk_sha256 sha256,
                   uint32_t allowed_ms, uint32_t denied_ms) {
    memset(a, 0, sizeof *a);
    a->env = *env;
    a->sha256 = sha256;
    a->allowed_ms = allowed_ms;
    a->denied_ms = denied_ms;
}

/* ---- what is asked --------------------------------------------------------------------------- */

const char *fk_subresource_name(enum fk_subresource subresource) {
    switch (subresource) {
    case FK_NODES_PROXY: return "proxy";
    case FK_NODES_METRICS: return "metrics";
    case FK_NODES_STATS: return "stats";
    case FK_NODES_LOG: return "log";
    case FK_NODES_HEALTHZ: return "healthz";
    case FK_NODES_PODS: return "pods";
    case FK_NODES_CONFIGZ: return "configz";
    }
    return "proxy";
}

bool fk_subresource_is_finer(enum fk_subresource subresource) {
    return subresource == FK_NODES_HEALTHZ || subresource == FK_NODES_PODS ||
           subresource == FK_NODES_CONFIGZ;
}

/* SHA-256 of (SHA-256 of the user's text, subresource, verb): the text is too long for the stack.
 */
static void make_key(const struct fk_authz *a, const struct fk_user *user, const char *verb,
                     enum fk_subresource subresource, uint8_t key[FK_ASK_KEY]) {
    uint8_t bytes[32 + 1 + FK_VERB_MAX];
    const size_t verb_len = strlen(verb);
    FK_ASSERT(verb_len <= FK_VERB_MAX);
    a->sha256(user->text, user->len, bytes);
    bytes[32] = (uint8_t)subresource;
    memcpy(bytes + 33, verb, verb_len);
    fk_ask_key(a->sha256, bytes, 33 + verb_len, key);
}

static enum fk_verdict_state recall_one(const struct fk_authz *a, uint64_t now_ms,
                                        const uint8_t key[FK_ASK_KEY]) {
    if (fk_ask_find(a->allowed, FK_AUTHZ_ALLOWED, key, now_ms) >= 0) return FK_ASK_YES;
    return fk_ask_find(a->denied, FK_AUTHZ_DENIED, key, now_ms) >= 0 ? FK_ASK_NO : FK_ASK_WAIT;
}

/* WAIT: not known. finer_denied: the question that is open is nodes/proxy. */
static enum fk_verdict_state recall(const struct fk_authz *a, uint64_t now_ms,
                                    const struct fk_user *user, const char *verb,
                                    enum fk_subresource subresource, const uint8_t key[FK_ASK_KEY],
                                    bool *finer_denied) {
    const enum fk_verdict_state verdict = recall_one(a, now_ms, key);
    *finer_denied = verdict == FK_ASK_NO && fk_subresource_is_finer(subresource);
    if (!*finer_denied) return verdict;
    uint8_t proxy_key[FK_ASK_KEY];
    make_key(a, user, verb, FK_NODES_PROXY, proxy_key);
    return recall_one(a, now_ms, proxy_key);
}

enum fk_verdict_state fk_authz_check(struct fk_authz *a, struct fk_now now,
                                     const struct fk_user *user, const char *verb,
                                     enum fk_subresource subresource, bool able) {
    if (!fk_user_known(user)) return FK_ASK_NO;
    uint8_t key[FK_ASK_KEY];
    bool finer_denied;
    make_key(a, user, verb, subresource, key);
    enum fk_verdict_state verdict =
        recall(a, now.mono_ms, user, verb, subresource, key, &finer_denied);
    if (verdict != FK_ASK_WAIT) return verdict;
    bool begun;
    verdict = fk_ask_turn(&a->ask, now.mono_ms, key, able, &begun);
    if (begun) {
        a->user = *user;
        a->verb = verb;
        a->subresource = (uint8_t)subresource;
        a->proxy = finer_denied;
    }
    return verdict;
}

/* ---- the duty -------------------------------------------------------------------------------- */

static enum fk_subresource asked_for(const struct fk_authz *a) {
    return a->proxy ? FK_NODES_PROXY : (enum fk_subresource)a->subresource;
}

static uint64_t due(const void *self) {
    const struct fk_authz *a = self;
    return a->ask.stage == FK_ASK_WANTED ? 0 : FK_NEVER;
}

static void document(const void *owner, struct fk_writer *w) {
    const struct fk_authz *a = owner;
    const struct fk_access_question question = {
        .user = &a->user,
        .verb = a->verb,
        .resource = "nodes",
        .subresource = fk_subresource_name(asked_for(a)),
        .name = a->env.config->name,
    };
    fk_access_review_put(&question, w);
}

static bool request(void *self, struct fk_now now, struct fk_request *req) {
    struct fk_authz *a = self;
    (void)now;
    if (a->ask.stage != FK_ASK_WANTED) return false;
    fk_request_make(req, FK_POST, FK_ACCESS_REVIEWS, NULL, "");
    req->document = document;
    req->path_repeats = true;
    req->wants_body = true;
    req->reply = &reply;
    req->owner = a;
    fk_access_review_begin(&a->reader);
    a->ask.stage = FK_ASK_SENT;
    a->reviews++;
    return true;
}

static void body(void *owner, struct fk_bytes piece) {
    struct fk_authz *a = owner;
    (void)fk_access_review_feed(&a->reader, piece); /* its error shows at the end */
}

static enum fk_verdict_state judge(struct fk_authz *a, uint64_t now_ms,
                                   const struct fk_response *res) {
    if (fk_status_verdict(res->status, res->reason) != FK_VERDICT_OK) {
        fk_ask_complain(&a->ask, &a->env, now_ms, "access review", res);
        return FK_ASK_AWAY;
    }
    if (fk_access_review_end(&a->reader) != 0) {
        const struct fk_response garbled = {.status = FK_E_PARSE,
                                            .message = "the reply is not a SubjectAccessReview"};
        fk_ask_complain(&a->ask, &a->env, now_ms, "access review", &garbled);
        return FK_ASK_AWAY;
    }
    return a->reader.allowed ? FK_ASK_YES : FK_ASK_NO;
}

/* Each question on its own, so that nodes/proxy is known for the other paths, too. */
static void remember(struct fk_authz *a, uint64_t now_ms, enum fk_verdict_state verdict) {
    uint8_t key[FK_ASK_KEY];
    make_key(a, &a->user, a->verb, asked_for(a), key);
    if (verdict == FK_ASK_YES && a->allowed_ms > 0)
        (void)fk_ask_keep(a->allowed, FK_AUTHZ_ALLOWED, key, now_ms,
                          fk_after(now_ms, a->allowed_ms));
    if (verdict == FK_ASK_NO && a->denied_ms > 0)
        (void)fk_ask_keep(a->denied, FK_AUTHZ_DENIED, key, now_ms, fk_after(now_ms, a->denied_ms));
}

/* The finer question was denied: nodes/proxy is what counts, as far as it is known. */
static enum fk_verdict_state turn_to_proxy(struct fk_authz *a, uint64_t now_ms) {
    uint8_t key[FK_ASK_KEY];
    a->proxy = true;
    make_key(a, &a->user, a->verb, FK_NODES_PROXY, key);
    return recall_one(a, now_ms, key);
}

static void response(void *owner, struct fk_now now, const struct fk_response *res) {
    struct fk_authz *a = owner;
    enum fk_verdict_state verdict = judge(a, now.mono_ms, res);
    if (verdict == FK_ASK_AWAY) a->failures++;
    if (verdict == FK_ASK_NO) a->refusals++;
    remember(a, now.mono_ms, verdict);
    if (verdict == FK_ASK_NO && fk_subresource_is_finer(asked_for(a)))
        verdict = turn_to_proxy(a, now.mono_ms);
    if (verdict == FK_ASK_WAIT) {
        a->ask.stage = FK_ASK_WANTED;
        return;
    }
    bool finer_denied;
    const bool remembered =
        recall(a, now.mono_ms, &a->user, a->verb, (enum fk_subresource)a->subresource, a->ask.key,
               &finer_denied) != FK_ASK_WAIT;
    fk_ask_settle(&a->ask, now.mono_ms, verdict, remembered);
}

static const struct fk_reply_ops reply = {body, response};
const struct fk_duty_ops fk_authz_ops = {due, request};
