/* Authentication of those who ask the kubelet's port: bearer tokens, by TokenReview
 * (authentication.k8s.io/v1). Client certificates are TLS's matter (link/tls_server).
 *
 * Answers are remembered by the token's SHA-256, never the token: good ones for FK_AUTHN_HIT_MS (or
 * until the token says that it expires, if it is a JSON Web Token and the time is known), bad ones
 * for FK_AUTHN_MISS_MS, in tables of their own. One review is under way at a time; who comes
 * meanwhile waits. No answer of the API server is no authentication, and is not remembered. A user
 * who is too long for FK_USER_MAX is no user. */
#ifndef FK_KUBELET_AUTHN_H
#define FK_KUBELET_AUTHN_H

#include "api/reviews.h"
#include "kubelet/ask.h"

/* Members are private but for the counts. */
struct fk_authn {
    struct fk_duty_env env;
    fk_sha256 sha256;
    uint32_t hit_ms, miss_ms;
    struct fk_ask ask;
    struct fk_bytes token; /* of the review wanted or under way: the asker's memory; else none */
    bool left;             /* that asker is gone */
    uint32_t reviews, refusals, failures; /* asked; of those answered no; not answered */
    struct fk_token_review_reader reader;
    struct fk_ask_entry hits[FK_AUTHN_HITS];
    struct fk_ask_entry misses[FK_AUTHN_MISSES];
    struct fk_user users[FK_AUTHN_HITS]; /* of the hits */
};

/* hit_ms, miss_ms: FK_AUTHN_HIT_MS and FK_AUTHN_MISS_MS unless the operator says otherwise; 0:
 * nothing is remembered. */
void fk_authn_init(struct fk_authn *a, const struct fk_duty_env *env, fk_sha256 sha256,
                   uint32_t hit_ms, uint32_t miss_ms);

/* Who has this token. YES: *user is set, valid until the next call or step. WAIT: token must stay
 * where it is and as it is until this answers something else, or fk_authn_forget. able: the API
 * server can be asked, sooner or later (the link is up); without it, what is neither remembered nor
 * on its way is AWAY. A token of other bytes than printable ASCII is NO without a question. A
 * verdict that is not remembered is told once, and to be fetched within FK_ASK_HELD_MS. */
enum fk_verdict_state fk_authn_check(struct fk_authn *a, struct fk_now now, const char *token,
                                     bool able, const struct fk_user **user);

/* The asker of this token is gone. True: its memory is free at once; false: the review is on its
 * way, ask again after the next step. */
bool fk_authn_forget(struct fk_authn *a, const char *token);

extern const struct fk_duty_ops fk_authn_ops; /* self: struct fk_authn * */

#endif
