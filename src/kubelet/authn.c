#include "kubelet/authn.h"

#include "api/jwt.h"
#include "base/err.h"

static const struct fk_reply_ops reply;

void fk_authn_init(struct fk_authn *a, const struct fk_duty_env *env, fk_sha256 sha256,
                   uint32_t hit_ms, uint32_t miss_ms) {
    memset(a, 0, sizeof *a);
    a->env = *env;
    a->sha256 = sha256;
    a->hit_ms = hit_ms;
    a->miss_ms = miss_ms;
}

/* ---- what is asked --------------------------------------------------------------------------- */

/* No token is empty, and none has bytes that a JSON document could only show as others. */
static bool plausible(const char *token) {
    for (const char *c = token; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~') return false;
    return *token != '\0';
}

static enum fk_verdict_state recall(const struct fk_authn *a, uint64_t now_ms,
                                    const uint8_t key[FK_ASK_KEY], const struct fk_user **user) {
    const int hit = fk_ask_find(a->hits, FK_AUTHN_HITS, key, now_ms);
    if (hit >= 0) {
        *user = &a->users[hit];
        return FK_ASK_YES;
    }
    return fk_ask_find(a->misses, FK_AUTHN_MISSES, key, now_ms) >= 0 ? FK_ASK_NO : FK_ASK_WAIT;
}

enum fk_verdict_state fk_authn_check(struct fk_authn *a, struct fk_now now, const char *token,
                                     bool able, const struct fk_user **user) {
    *user = NULL;
    /* While it waits its key need not be made again each time. */
    const bool its = (const uint8_t *)token == a->token.p;
    if (its && (able || a->ask.stage == FK_ASK_SENT)) return FK_ASK_WAIT;
    if (!plausible(token)) return FK_ASK_NO;
    const struct fk_bytes bytes = fk_bytes_str(token);
    uint8_t key[FK_ASK_KEY];
    fk_ask_key(a->sha256, bytes.p, bytes.len, key);
    enum fk_verdict_state verdict = recall(a, now.mono_ms, key, user);
    if (verdict != FK_ASK_WAIT) return verdict;
    bool begun;
    verdict = fk_ask_turn(&a->ask, now.mono_ms, key, able, &begun);
    if (begun) a->token = bytes;
    else if (a->ask.stage == FK_ASK_IDLE) a->token = fk_bytes(NULL, 0);
    if (begun) a->left = false;
    if (verdict == FK_ASK_YES) *user = &a->reader.user;
    return verdict;
}

bool fk_authn_forget(struct fk_authn *a, const char *token) {
    if ((const uint8_t *)token != a->token.p) return true;
    a->left = true;
    if (a->ask.stage == FK_ASK_SENT) return false;
    a->ask.stage = FK_ASK_IDLE;
    a->token = fk_bytes(NULL, 0);
    return true;
}

/* ---- the duty -------------------------------------------------------------------------------- */

static uint64_t due(const void *self) {
    const struct fk_authn *a = self;
    return a->ask.stage == FK_ASK_WANTED ? 0 : FK_NEVER;
}

static void document(const void *owner, struct fk_writer *w) {
    const struct fk_authn *a = owner;
    fk_token_review_put(a->token, w);
}

static bool request(void *self, struct fk_now now, struct fk_request *req) {
    struct fk_authn *a = self;
    (void)now;
    if (a->ask.stage != FK_ASK_WANTED) return false;
    fk_request_make(req, FK_POST, FK_TOKEN_REVIEWS, NULL, "");
    req->document = document;
    req->path_repeats = true;
    req->wants_body = true;
    req->reply = &reply;
    req->owner = a;
    fk_token_review_begin(&a->reader);
    a->ask.stage = FK_ASK_SENT;
    a->reviews++;
    return true;
}

static void body(void *owner, struct fk_bytes piece) {
    struct fk_authn *a = owner;
    (void)fk_token_review_feed(&a->reader, piece); /* its error shows at the end */
}

/* A verdict is worth what was asked: had the asker's memory changed meanwhile, another token would
 * be remembered as this one. */
static bool unchanged(const struct fk_authn *a) {
    uint8_t key[FK_ASK_KEY];
    fk_ask_key(a->sha256, a->token.p, a->token.len, key);
    return fk_ask_same(key, a->ask.key);
}

static enum fk_verdict_state judge(struct fk_authn *a, uint64_t now_ms,
                                   const struct fk_response *res) {
    if (fk_status_verdict(res->status, res->reason) != FK_VERDICT_OK) {
        fk_ask_complain(&a->ask, &a->env, now_ms, "token review", res);
        return FK_ASK_AWAY;
    }
    const bool broken = fk_token_review_end(&a->reader) != 0;
    if (broken || !unchanged(a)) {
        const struct fk_response garbled = {.status = FK_E_PARSE,
                                            .message = broken ? "the reply is not a TokenReview"
                                                              : "the token changed meanwhile"};
        fk_ask_complain(&a->ask, &a->env, now_ms, "token review", &garbled);
        return FK_ASK_AWAY;
    }
    return fk_user_known(&a->reader.user) ? FK_ASK_YES : FK_ASK_NO;
}

/* When a good answer ends: with the token itself if that is sooner and we know what time it is. */
static uint64_t hit_until(const struct fk_authn *a, struct fk_now now) {
    const uint64_t until_ms = fk_after(now.mono_ms, a->hit_ms);
    const int64_t expiry_s = fk_jwt_expiry(a->token);
    if (expiry_s < 0 || now.wall_us == FK_WALL_UNKNOWN) return until_ms;
    const int64_t left_us = expiry_s * 1000000 - now.wall_us;
    if (left_us <= 0) return now.mono_ms;
    return fk_sooner(until_ms, fk_after(now.mono_ms, (uint64_t)left_us / 1000));
}

static void remember(struct fk_authn *a, struct fk_now now, enum fk_verdict_state verdict) {
    const uint64_t until_ms =
        verdict == FK_ASK_YES ? hit_until(a, now) : fk_after(now.mono_ms, a->miss_ms);
    if (until_ms == now.mono_ms) return; /* it would take another's place for nothing */
    if (verdict == FK_ASK_YES) {
        const size_t i = fk_ask_keep(a->hits, FK_AUTHN_HITS, a->ask.key, now.mono_ms, until_ms);
        a->users[i] = a->reader.user;
    }
    if (verdict == FK_ASK_NO)
        (void)fk_ask_keep(a->misses, FK_AUTHN_MISSES, a->ask.key, now.mono_ms, until_ms);
}

static void explain(struct fk_authn *a) {
    const struct fk_token_review_reader *r = &a->reader;
    if (r->oversize && r->authenticated)
        fk_log(a->env.log, FK_WARN, "user refused: name, UID and groups are too long",
               FK_INT("bytes_max", FK_USER_MAX));
    else fk_log(a->env.log, FK_DEBUG, "token refused", FK_STR("error", r->error));
}

static void response(void *owner, struct fk_now now, const struct fk_response *res) {
    struct fk_authn *a = owner;
    const enum fk_verdict_state verdict = judge(a, now.mono_ms, res);
    if (verdict == FK_ASK_AWAY) a->failures++;
    if (verdict == FK_ASK_NO) {
        a->refusals++;
        explain(a);
    }
    remember(a, now, verdict);
    const struct fk_user *user;
    const bool remembered = recall(a, now.mono_ms, a->ask.key, &user) != FK_ASK_WAIT;
    fk_ask_settle(&a->ask, now.mono_ms, verdict, remembered || a->left);
    a->token = fk_bytes(NULL, 0);
}

static const struct fk_reply_ops reply = {body, response};
const struct fk_duty_ops fk_authn_ops = {due, request};
