/* A duty of the kubelet: something it owes the API server time and again. A struct with a few
 * small functions that never wait: when is it next due, what does it want to send, what did it
 * learn from the answer. One request of a duty is under way at a time. */
#ifndef FK_KUBELET_DUTY_H
#define FK_KUBELET_DUTY_H

#include "api/client.h"
#include "kubelet/config.h"

struct fk_duty_ops {
    /* When the duty wants to act; absolute ms, FK_NEVER while it waits for an answer or for
     * another duty. */
    uint64_t (*due)(const void *self);

    /* Called when due and the client can take a request. True: *request is filled in (its owner,
     * reply and document outlive the answer). False: nothing to send after all; due has moved. */
    bool (*request)(void *self, struct fk_now now, struct fk_request *request);
};

/* What every duty is given at its beginning. */
struct fk_duty_env {
    const struct fk_node_config *config;
    const struct fk_log *log;
    struct fk_rng *rng;
};

/* When to try again after an answer that was no success: the one place for that decision. */
struct fk_retry {
    struct fk_backoff failed;
    struct fk_backoff refused;
    bool turned;
};

void fk_retry_init(struct fk_retry *r);
void fk_retry_reset(struct fk_retry *r);

/* Milliseconds to wait before the other request that an answer leads to (it is gone: create it; it
 * is there: read it). None the first time, so that what is ordinary is quick; growing ones from
 * then on until reset, so that a server that contradicts itself is not asked at wire speed. */
uint32_t fk_retry_turn(struct fk_retry *r, const struct fk_duty_env *env);

/* Milliseconds to wait before the same request again; grows with each call until reset, slower
 * where repeating will not help soon. Honours Retry-After up to FK_RETRY_AFTER_MAX_MS. Logs the
 * failure: what was tried, the status, the server's reason in words, what the operator can do. */
uint32_t fk_retry_after(struct fk_retry *r, const struct fk_duty_env *env, const char *what,
                        const struct fk_response *response);

/* Fills in a request with verb and path (prefix, "/" and name if there is one, suffix); document,
 * reply and owner are for the caller to set. The path fits: names are checked at start. */
void fk_request_make(struct fk_request *request, enum fk_verb verb, const char *prefix,
                     const char *name, const char *suffix);

#endif
