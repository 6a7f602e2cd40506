/* The node's conditions: what is true of it now, and since when.
 *
 * Ready and the four that Kubernetes defines, and five honest jokes, all derived from facts by one
 * table. A condition flips when its status changes; only then does lastTransitionTime move. A new
 * reason with the same status is no flip. */
#ifndef FK_KUBELET_CONDITIONS_H
#define FK_KUBELET_CONDITIONS_H

#include "api/objects.h"
#include "base/clock.h"
#include "wire/json_write.h"

/* From what conditions are judged. */
struct fk_facts {
    uint64_t uptime_ms;
    uint32_t heap_free_bytes, heap_total_bytes; /* total > 0 */
    uint32_t heap_steady_bytes;                 /* fk_conditions_judge fills it in */
    uint32_t memory_pressure_bytes;
    uint32_t reconnects; /* connections after the first */
    uint32_t renewals;   /* of the Lease */
    bool new_ghost;      /* the gateway's MAC or the BSSID changed lately */
    bool time_slipped;   /* wall and monotonic clock disagreed by more than 5 s lately */
    bool leaving;        /* told to stop */
};

struct fk_judgement {
    enum fk_condition_status status;
    const char *reason;  /* CamelCase, static */
    const char *message; /* static */
};

enum {
    FK_CONDITION_READY,
    FK_CONDITION_MEMORY_PRESSURE,
    FK_CONDITION_DISK_PRESSURE,
    FK_CONDITION_PID_PRESSURE,
    FK_CONDITION_NETWORK_UNAVAILABLE,
    FK_CONDITION_VIBES,
    FK_CONDITION_CAFFEINATED,
    FK_CONDITION_EXISTENTIAL,
    FK_CONDITION_PECKISH,
    FK_CONDITION_HAUNTED,
    FK_CONDITIONS
};

struct fk_condition {
    bool known; /* judged or adopted */
    struct fk_judgement now;
    int64_t transition_us; /* wall time of the last flip */
};

struct fk_conditions {
    struct fk_condition all[FK_CONDITIONS];
    bool judged;
    uint32_t heap_steady_bytes; /* free heap as the jokes see it: small changes left out */
};

const char *fk_conditions_type(size_t index);

/* The API server says that this condition has had this status since then: another life of this node
 * wrote it, or the node lifecycle controller did. Judging it the same later is no flip. Types that
 * are not ours are ignored. */
void fk_conditions_adopt(struct fk_conditions *c, const struct fk_node_condition *theirs);

/* Judges all from the facts; wall_us must be known. Returns how many flipped. */
unsigned fk_conditions_judge(struct fk_conditions *c, const struct fk_facts *facts,
                             int64_t wall_us);

/* Writes the items of status.conditions. Not whole: type, status and heartbeat only, for a server
 * that already has the rest; but Ready always whole, since others write to it, too. */
void fk_conditions_put(const struct fk_conditions *c, struct fk_json *j, int64_t heartbeat_us,
                       bool whole);

#endif
