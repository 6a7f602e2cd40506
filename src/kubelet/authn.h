/* Authentication of those who ask the kubelet's port: bearer tokens, by TokenReview
 * (authentication.k8s.io/v1). Client certificates are TLS's matter (link/tls_server).
 *
 * Answers are remembered by the token's SHA-256, never the token: good ones for FK_AUTHN_HIT_MS (or
 * until the token says it expires), bad ones for FK_AUTHN_MISS_MS, in tables of their own. One
 * review is under way at a time; who comes meanwhile waits. No answer of the API server is no
 * authentication, and is not remembered. */
#ifndef FK_KUBELET_AUTHN_H
#define FK_KUBELET_AUTHN_H

#include "api/reviews.h"
#include "kubelet/duty.h"
#include "user.h"

typedef void (*fk_sha256)(const void *bytes, size_t len, uint8_t out[32]);

enum fk_verdict_state {
    FK_ASK_WAIT, /* the API server is being asked: ask again after the next step */
    FK_ASK_YES,
    FK_ASK_NO,
    FK_ASK_AWAY, /* the API server cannot be asked, or did not answer: 503, try again */
};

struct fk_authn_hit {
    uint8_t key[32];
    uint64_t until_ms; /* 0: free */
    struct fk_user user;
};

struct fk_authn_miss {
    uint8_t key[32];
    uint64_t until_ms;
};

/* Members are private but for the counts. */
struct fk_authn {
    struct fk_duty_env env;
    fk_sha256 sha256;
    uint32_t hit_ms, miss_ms;
    const char
        *token;  /* of the review under way: the asker's, who keeps it until `asking` is false */
    bool asking; /* a review is wanted or under way */
    bool in_flight;
    bool answered; /* the last review of `key` ended without a verdict: state AWAY, told once */
    uint8_t key[32];
    struct fk_token_review_reader reader;
    struct fk_authn_hit hits[FK_AUTHN_HITS];
    struct fk_authn_miss misses[FK_AUTHN_MISSES];
    uint32_t reviews, refusals, failures; /* asked; of those answered no; not answered */
};

/* hit_ms, miss_ms: FK_AUTHN_HIT_MS and FK_AUTHN_MISS_MS unless the operator says otherwise; 0:
 * nothing is remembered. */
void fk_authn_init(struct fk_authn *a, const struct fk_duty_env *env, fk_sha256 sha256,
                   uint32_t hit_ms, uint32_t miss_ms);

/* Who has this token. YES: *user is set, valid until the next call or step. WAIT: token must stay
 * where it is and as it is until this answers something else, or fk_authn_forget. able: the API
 * server can be asked now (fk_client_ready); without it, what is not remembered is AWAY. */
enum fk_verdict_state fk_authn_check(struct fk_authn *a, struct fk_now now, const char *token,
                                     bool able, const struct fk_user **user);

/* The asker of this token is gone. True: its memory is free at once; false: the review is on its
 * way, ask again after the next step. */
bool fk_authn_forget(struct fk_authn *a, const char *token);

extern const struct fk_duty_ops fk_authn_ops; /* self: struct fk_authn * */

#endif
