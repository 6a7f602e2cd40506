/* Events (v1) on our own Node, for what an operator should see in kubectl describe.
 *
 * As client-go's recorder has it: the same reason and message within ten minutes is one Event whose
 * count and last time grow (a PATCH); a burst is FK_EVENTS_BURST writes at once, then one in
 * FK_EVENTS_EVERY_MS. What has to wait is kept, FK_EVENTS_MAX different ones; what exceeds that is
 * dropped and counted. An Event that could not be written is tried again while it is young.
 *
 * Events of Nodes live in the namespace default and refer to the Node by its name instead of its
 * UID, as the kubelet's do: kubectl describe looks for that. */
#ifndef FK_KUBELET_EVENTS_H
#define FK_KUBELET_EVENTS_H

#include "kubelet/duty.h"

#define FK_EVENTS_BURST 5
#define FK_EVENTS_EVERY_MS 30000
#define FK_EVENTS_SAME_MS 600000

struct fk_event {
    const char *reason; /* static text, CamelCase; NULL: free */
    bool warning;
    char message[FK_MESSAGE_MAX];
    uint32_t count;            /* how often it happened */
    uint32_t reported;         /* how often the server knows of */
    int64_t first_us, last_us; /* FK_WALL_UNKNOWN: before the clock was anchored */
    uint64_t last_ms;
    char suffix[17]; /* its name is NODE.SUFFIX, as upstream's */
};

struct fk_events {
    struct fk_duty_env env;
    struct fk_event all[FK_EVENTS_MAX];
    uint8_t in_flight;  /* index + 1; 0: none */
    uint32_t tokens_ms; /* what may be written at once: FK_EVENTS_EVERY_MS each */
    uint64_t due_ms, refilled_ms;
    const char *node_uid;
    uint32_t written, dropped;
    struct fk_retry retry;
    /* private: what the request under way says */
    uint32_t sent_count;
    int64_t sent_us;
};

void fk_events_init(struct fk_events *e, const struct fk_duty_env *env);

/* node_uid as in fk_lease_start; as long as it is "" nothing is sent. */
void fk_events_start(struct fk_events *e, struct fk_now now, const char *node_uid);

/* Normal or Warning; message is copied, and cut to FK_MESSAGE_MAX. */
void fk_events_tell(struct fk_events *e, struct fk_now now, bool warning, const char *reason,
                    const char *message);

extern const struct fk_duty_ops fk_events_ops; /* self: struct fk_events * */

#endif
