/* The node: its duties, their order, and the one connection that they share. Everything that
 * decides is in here; ports call step and sleep until due. */
#ifndef FK_KUBELET_NODE_H
#define FK_KUBELET_NODE_H

#include "api/client.h"
#include "base/histogram.h"
#include "kubelet/conditions.h"
#include "kubelet/config.h"
#include "kubelet/lease.h"
#include "kubelet/register.h"
#include "kubelet/status.h"
#include "port.h"

/* A new gateway or a clock slip shows in the Haunted condition for this long. */
#define FK_HAUNTED_MS 600000u

/* After a lapse the controller may still act on what it saw before our renewal: it looks every 5 s
 * (--node-monitor-period) at a copy that is a little old. So the Node is read once more, this much
 * later. */
#define FK_LOOK_AGAIN_MS 10000u

struct fk_node_setup {
    const struct fk_node_config *config; /* outlives the node */
    struct fk_port port;
    struct fk_pipe pipe;       /* TLS to the API server */
    struct fk_heap *heap;      /* for the HTTP/2 session */
    const char *authority;     /* host:port of the API server */
    const char *authorization; /* "Bearer …", or NULL */
    const char *user_agent;
    const struct fk_log *log;
    uint64_t seed; /* for jitter; from the port's entropy, or the simulator's dice */
};

/* Duties that a port adds to those of every node (the server's reviews, Events, ConfigMaps), count.
 */
#define FK_EXTRA_DUTIES_MAX 6

struct fk_duty {
    const struct fk_duty_ops *ops;
    void *self;
};

/* Time of a processor that we had used at a moment. */
struct fk_cpu_sample {
    uint64_t at_ms, cpu_us;
};

/* Of step_us below: a millisecond is an ordinary step of a small core, a second its handshake. */
extern const uint32_t fk_node_step_bounds_us[FK_HISTOGRAM_BOUNDS];

struct fk_node {
    const struct fk_node_config *config;
    struct fk_port port;
    const struct fk_log *log;
    struct fk_rng rng;
    struct fk_client client;
    struct fk_conditions conditions;
    struct fk_register registration;
    struct fk_lease lease;
    struct fk_status status;
    uint32_t rounds_seen; /* of registration */
    uint64_t started_ms;
    uint64_t look_ms; /* when to read the Node once more after a lapse; FK_NEVER: not */
    bool lapsed;      /* the Lease is overdue, and the Node has been read for that */
    uint64_t gateway_id;
    uint64_t ghost_ms; /* when the gateway changed; FK_NEVER: never */
    bool leaving;
    struct fk_histogram step_us; /* how long steps took; empty where the port has no mono_us */
    struct fk_cpu_sample cpu[2]; /* the last two looks, a status period apart; older first */
    struct fk_duty extra[FK_EXTRA_DUTIES_MAX];
    uint8_t extra_count;
};

/* 0, or FK_E_CONFIG with the reason logged. */
int fk_node_init(struct fk_node *n, const struct fk_node_setup *setup);

/* One more duty, which must stay; after those of the node in urgency, and after those added before.
 */
void fk_node_add_duty(struct fk_node *n, const struct fk_duty_ops *ops, void *self);

/* Does at most one bounded piece of work. True: call again at once; false: sleep until due, or
 * until the pipe has news. */
bool fk_node_step(struct fk_node *n);

/* When step is to be called next even if the pipe stays quiet; absolute ms of the port's clock. */
uint64_t fk_node_due(const struct fk_node *n);

/* The link or our address is back, or is another: what failed before may work now, so the next
 * attempt to connect does not wait for its delay, though the delays stay as long as they have
 * become; and the status is looked at. */
void fk_node_network_changed(struct fk_node *n);

/* Leaves in order: Ready becomes False with a reason, so that the cluster knows at once. Keep
 * stepping until fk_node_left, which comes by itself, or until patience ends. */
void fk_node_leave(struct fk_node *n);
bool fk_node_left(const struct fk_node *n);

#endif
