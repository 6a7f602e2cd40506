/* Plays the API server for one duty: asks it for its request, shows what it would send, hands it an
 * answer. No network, no clock but the one given. */
#ifndef FK_TESTS_DUTY_CASE_H
#define FK_TESTS_DUTY_CASE_H

#include "kubelet/duty.h"

struct duty_case {
    const struct fk_duty_ops *ops;
    void *self;
    struct fk_now now;
    struct fk_request request;   /* of the last successful ask */
    char document[4096];         /* its body, zero-terminated, "" without one */
    char line[FK_PATH_MAX + 16]; /* "PATCH-MERGE /apis/…" */
};

/* A configuration that passes fk_config_check; name "board-1". */
extern const struct fk_node_config duty_case_config;
extern const struct fk_log duty_case_log; /* drops everything */

struct fk_duty_env duty_case_env(struct fk_rng *rng);

/* When the duty is due at now: takes its request and returns true. The document is also written in
 * windows of every small size, which must give the same bytes. */
bool duty_case_ask(struct duty_case *d);

/* Answers the last request: a protobuf body for 2xx (may be empty), then the status. */
void duty_case_answer(struct duty_case *d, int status, enum fk_reason reason, struct fk_bytes body);
static inline void duty_case_status(struct duty_case *d, int status) {
    duty_case_answer(d, status, FK_REASON_NONE, fk_bytes(NULL, 0));
}

/* Moves the clock: both clocks by the same. */
void duty_case_pass(struct duty_case *d, uint64_t ms);

/* Protobuf replies as an API server would send them, written into buf; returns their bytes. */
struct fk_bytes duty_case_node(uint8_t *buf, const char *uid, const char *condition_type,
                               const char *condition_status, int64_t transition_s);
struct fk_bytes duty_case_lease(uint8_t *buf, const char *holder, int64_t renew_s,
                                int32_t renew_nanos);

#endif
