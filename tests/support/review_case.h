/* Reviews as an API server would answer them, and a stand-in for SHA-256. */
#ifndef FK_TESTS_REVIEW_CASE_H
#define FK_TESTS_REVIEW_CASE_H

#include "base/bytes.h"

/* A protobuf message that is being put together. */
struct review_message {
    uint8_t p[2048];
    size_t len;
};
void review_text(struct review_message *m, unsigned field, const char *text);
void review_bytes(struct review_message *m, unsigned field, struct fk_bytes bytes);
void review_number(struct review_message *m, unsigned field, uint64_t value);
/* "k8s\0" and runtime.Unknown around an object whose status (field 3) is this; into buf of 2200. */
struct fk_bytes review_reply(uint8_t *buf, const struct review_message *status);

/* A TokenReview that says yes; groups end with a NULL. */
struct fk_bytes review_token(uint8_t *buf, const char *name, const char *uid,
                             const char *const *groups);
struct fk_bytes review_no_token(uint8_t *buf);
struct fk_bytes review_access(uint8_t *buf, bool allowed);

/* Different bytes, different digests, as far as tests go. */
void review_sha256(const void *bytes, size_t len, uint8_t out[32]);

#endif
