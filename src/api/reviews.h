/* TokenReview and SubjectAccessReview (authentication.k8s.io/v1, authorization.k8s.io/v1): their
 * documents, and what of their replies counts. Decides nothing, remembers nothing.
 *
 * Replies are read in the order in which API servers write them (ascending field numbers); another
 * order of a user's name, UID and groups, or a second user, is malformed. What authenticators add
 * as "extra" is dropped: it does not reach the question whether this user may. */
#ifndef FK_API_REVIEWS_H
#define FK_API_REVIEWS_H

#include "api/pb_stream.h"
#include "base/writer.h"
#include "user.h"

#define FK_TOKEN_REVIEWS "/apis/authentication.k8s.io/v1/tokenreviews"
#define FK_ACCESS_REVIEWS "/apis/authorization.k8s.io/v1/subjectaccessreviews"

/* What is kept of status.error, for the log: bytes with terminating zero. */
#define FK_REVIEW_ERROR_MAX 64

/* token: printable ASCII, anything else would be asked about as U+FFFD. No audiences: those of the
 * API server count. */
void fk_token_review_put(struct fk_bytes token, struct fk_writer *w);

struct fk_access_question {
    const struct fk_user *user; /* known */
    const char *verb;           /* "get" */
    const char *resource;       /* "nodes" */
    const char *subresource;    /* "metrics" */
    const char *name;           /* of the node */
};
void fk_access_review_put(const struct fk_access_question *question, struct fk_writer *w);

struct fk_token_review_reader {
    struct fk_pb_walk walk;
    bool authenticated; /* status.authenticated */
    bool oversize;      /* name, UID and groups exceed FK_USER_MAX: user is nobody */
    struct fk_user user;
    char
        error[FK_REVIEW_ERROR_MAX]; /* beginning of status.error, '?' for all but printable ASCII */
    /* private from here */
    bool malformed;
    bool in_text;  /* pieces of one of the user's texts have come, its end has not */
    uint8_t stage; /* which of the user's texts came last */
    uint8_t error_len;
};
void fk_token_review_begin(struct fk_token_review_reader *r);
int fk_token_review_feed(struct fk_token_review_reader *r, struct fk_bytes piece);
/* 0: authenticated and user count; user is nobody unless authenticated. FK_E_PARSE: broken, or
 * authenticated without a name. */
int fk_token_review_end(struct fk_token_review_reader *r);

struct fk_access_review_reader {
    struct fk_pb_walk walk;
    bool allowed; /* status.allowed, and not status.denied: after end */
    bool denied;
    bool malformed;
};
void fk_access_review_begin(struct fk_access_review_reader *r);
int fk_access_review_feed(struct fk_access_review_reader *r, struct fk_bytes piece);
int fk_access_review_end(struct fk_access_review_reader *r); /* 0: allowed counts */

#endif
