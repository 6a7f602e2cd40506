/* TokenReview and SubjectAccessReview (authentication.k8s.io/v1, authorization.k8s.io/v1): their
 * documents, and what of their replies counts. Decides nothing, remembers nothing. */
#ifndef FK_API_REVIEWS_H
#define FK_API_REVIEWS_H

#include "api/pb_stream.h"
#include "base/writer.h"
#include "user.h"

#define FK_TOKEN_REVIEWS "/apis/authentication.k8s.io/v1/tokenreviews"
#define FK_ACCESS_REVIEWS "/apis/authorization.k8s.io/v1/subjectaccessreviews"

void fk_token_review_put(const char *token, struct fk_writer *w);

struct fk_access_question {
    const struct fk_user *user;
    const char *verb;        /* "get" */
    const char *resource;    /* "nodes" */
    const char *subresource; /* "metrics" */
    const char *name;        /* of the node */
};
void fk_access_review_put(const struct fk_access_question *question, struct fk_writer *w);

struct fk_token_review_reader {
    struct fk_pb pb;
    bool authenticated; /* status.authenticated */
    bool oversize;      /* name, UID and groups exceed FK_USER_MAX: user is nobody */
    struct fk_user user;
};
void fk_token_review_begin(struct fk_token_review_reader *r);
int fk_token_review_feed(struct fk_token_review_reader *r, struct fk_bytes piece);
/* 0: authenticated and user count (authenticated without a name does not: FK_E_PARSE). */
int fk_token_review_end(struct fk_token_review_reader *r);

struct fk_access_review_reader {
    struct fk_pb pb;
    bool allowed; /* status.allowed, and not status.denied */
    bool denied;
};
void fk_access_review_begin(struct fk_access_review_reader *r);
int fk_access_review_feed(struct fk_access_review_reader *r, struct fk_bytes piece);
int fk_access_review_end(struct fk_access_review_reader *r); /* 0: allowed counts */

#endif
