/* The node's status: judged every period_ms, sent at once when a condition flips or the
 * address changes, otherwise every status_report_ms.
 *
 * Most reports say only what may have gone stale (status and heartbeat of each condition). The
 * whole is sent at first, with each flip, after anything that may have changed the server's copy
 * (fk_status_refresh), and with every FK_STATUS_WHOLE_EVERY-th report. */
#ifndef FK_KUBELET_STATUS_H
#define FK_KUBELET_STATUS_H

#include "kubelet/conditions.h"
#include "kubelet/duty.h"
#include "kubelet/node_doc.h"
#include "port.h"

#define FK_STATUS_WHOLE_EVERY 12 /* reports: once an hour at the default period */

enum fk_status_state {
    FK_STATUS_WAITING, /* for the Node to exist */
    FK_STATUS_REPORT,
    FK_STATUS_ANNOTATE, /* the report is in; the annotation with the free heap follows */
};

/* Where the facts come from that are not the port's. */
struct fk_status_sources {
    void *ctx;
    void (*facts)(void *ctx, struct fk_now now, struct fk_facts *facts);
    const char *(*address)(void *ctx); /* InternalIP as text, "" while unknown */
};

struct fk_status {
    struct fk_duty_env env;
    struct fk_status_sources sources;
    struct fk_conditions *conditions;
    enum fk_status_state state;
    bool in_flight;
    bool stale;         /* the whole must be sent as soon as possible */
    bool missing;       /* the server said that there is no such Node */
    uint64_t due_ms;    /* when to judge next */
    uint64_t report_ms; /* when to report next even if nothing changed */
    uint64_t hold_ms;   /* not before this: the Node was missing though registration found it */
    uint32_t period_ms; /* between two judgements: the configuration's, or as set since */
    uint32_t reports;   /* accepted by the server */
    uint32_t until_whole;
    uint32_t heap_free_bytes;                /* as judged last */
    uint32_t annotated_bytes;                /* what the annotation says; UINT32_MAX: unknown */
    enum fk_condition_status ready_reported; /* what the server knows of Ready */
    struct fk_status_snapshot snapshot;
    struct fk_retry retry;
};

void fk_status_init(struct fk_status *s, const struct fk_duty_env *env,
                    const struct fk_status_sources *sources, struct fk_conditions *conditions);

/* The Node is there, or was looked at again: judge and send the whole now. */
void fk_status_refresh(struct fk_status *s, struct fk_now now);

/* A fact changed that cannot wait: judge and send as soon as nothing else is under way. */
void fk_status_hurry(struct fk_status *s, struct fk_now now);

/* A fact may have changed: judge as soon as nothing else is under way, and send if it has. */
void fk_status_look(struct fk_status *s, struct fk_now now);

/* Judge this often from now on. */
void fk_status_set_period(struct fk_status *s, struct fk_now now, uint32_t period_ms);

extern const struct fk_duty_ops fk_status_ops; /* self: struct fk_status * */

#endif
