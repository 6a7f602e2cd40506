/* Authorization of those who ask the kubelet's port, by SubjectAccessReview
 * (authorization.k8s.io/v1) with the attributes of upstream's kubelet: verb by method, resource
 * nodes, its subresources by path, the own node's name (pkg/kubelet/server/auth.go).
 *
 * Answers are remembered by user and question: yes for FK_AUTHZ_ALLOWED_MS, no for
 * FK_AUTHZ_DENIED_MS, in tables of their own. One review is under way at a time. No answer is no,
 * and is not remembered. */
#ifndef FK_KUBELET_AUTHZ_H
#define FK_KUBELET_AUTHZ_H

#include "api/reviews.h"
#include "kubelet/ask.h"

#define FK_VERB_MAX 8 /* bytes of a verb */

/* Subresources of nodes that paths belong to. Where two are named, the finer is asked for first,
 * and proxy if that is denied. */
enum fk_subresource {
    FK_NODES_PROXY,
    FK_NODES_METRICS,
    FK_NODES_STATS,
    FK_NODES_LOG,
    FK_NODES_HEALTHZ, /* or proxy */
    FK_NODES_PODS,    /* or proxy */
    FK_NODES_CONFIGZ, /* or proxy */
};

/* "metrics", as in nodes/metrics; and whether proxy would do as well. */
const char *fk_subresource_name(enum fk_subresource subresource);
bool fk_subresource_is_finer(enum fk_subresource subresource);

/* Members are private but for the counts. */
struct fk_authz {
    struct fk_duty_env env;
    fk_sha256 sha256;
    uint32_t allowed_ms, denied_ms;
    struct fk_ask ask; /* its key is the whole question's, with the finer subresource */
    bool proxy;        /* the finer question was denied: now nodes/proxy */
    uint8_t subresource;
    const char *verb;
    uint32_t reviews, refusals, failures; /* asked; of those answered no; not answered */
    struct fk_access_review_reader reader;
    struct fk_ask_entry allowed[FK_AUTHZ_ALLOWED]; /* by user, verb and subresource */
    struct fk_ask_entry denied[FK_AUTHZ_DENIED];
    struct fk_user user; /* of the review wanted or under way */
};

void fk_authz_init(struct fk_authz *a, const struct fk_duty_env *env, fk_sha256 sha256,
                   uint32_t allowed_ms, uint32_t denied_ms);

/* verb: "get", "create", "update", "patch" or "delete", static text. user is copied where it must
 * last. As fk_authn_check. */
enum fk_verdict_state fk_authz_check(struct fk_authz *a, struct fk_now now,
                                     const struct fk_user *user, const char *verb,
                                     enum fk_subresource subresource, bool able);

extern const struct fk_duty_ops fk_authz_ops; /* self: struct fk_authz * */

#endif
