#include "kubelet/duty.h"

#include "base/assert.h"
#include "base/err.h"

void fk_retry_init(struct fk_retry *r) {
    fk_backoff_init(&r->failed, FK_RETRY_MIN_MS, FK_RETRY_MAX_MS);
    fk_backoff_init(&r->refused, FK_REFUSED_MIN_MS, FK_REFUSED_MAX_MS);
    r->turned = false;
}

void fk_retry_reset(struct fk_retry *r) {
    fk_backoff_reset(&r->failed);
    fk_backoff_reset(&r->refused);
    r->turned = false;
}

uint32_t fk_retry_turn(struct fk_retry *r, const struct fk_duty_env *env) {
    const bool first = !r->turned;
    r->turned = true;
    return first ? 0 : fk_backoff_next(&r->failed, env->rng);
}

/* What the operator can do about it; "" when there is nothing to do but wait. */
static const char *advice(const struct fk_response *response) {
    if (response->status == 401) return "the API server does not know this node's credentials";
    if (response->status == 403)
        return "the credentials must be system:node:<name> in group system:nodes, with the same "
               "name as this node";
    if (response->status >= 300 && response->status < 400)
        return "the server redirects: this is not an API server's address";
    return "";
}

/* As asked, within reason, and a quarter of jitter to spread out those that were told the same. */
static uint32_t asked_for(const struct fk_response *response, struct fk_rng *rng) {
    const uint32_t asked_ms = response->retry_after_ms < FK_RETRY_AFTER_MAX_MS
                                  ? response->retry_after_ms
                                  : FK_RETRY_AFTER_MAX_MS;
    return asked_ms + fk_rng_below(rng, asked_ms / 4 + 1);
}

uint32_t fk_retry_after(struct fk_retry *r, const struct fk_duty_env *env, const char *what,
                        const struct fk_response *response) {
    const enum fk_verdict verdict = fk_status_verdict(response->status, response->reason);
    const bool refused = verdict == FK_VERDICT_REFUSED || verdict == FK_VERDICT_REJECTED;
    uint32_t wait_ms = fk_backoff_next(refused ? &r->refused : &r->failed, env->rng);
    const uint32_t asked_ms = asked_for(response, env->rng);
    if (wait_ms < asked_ms) wait_ms = asked_ms;
    fk_log(env->log, response->status == FK_E_CANCELLED ? FK_DEBUG : FK_WARN, "request failed",
           FK_STR("what", what), FK_INT("status", response->status),
           FK_STR("message", response->message), FK_STR("advice", advice(response)),
           FK_INT("retry_ms", wait_ms));
    return wait_ms;
}

void fk_request_make(struct fk_request *request, enum fk_verb verb, const char *prefix,
                     const char *name, const char *suffix) {
    request->verb = verb;
    request->path_repeats = false;
    request->wants_body = false;
    request->lingers = false;
    request->metadata_only = false;
    request->over = NULL;
    request->document = NULL;
    struct fk_writer w;
    fk_writer_init(&w, request->path, sizeof request->path);
    fk_put_str(&w, prefix);
    if (name != NULL) {
        fk_put_char(&w, '/');
        fk_put_str(&w, name);
    }
    fk_put_str(&w, suffix);
    FK_ASSERT(fk_writer_finish(&w) == 0);
}
