/* A world in one process: nodes, each the unchanged core over a pipe in memory; one API server
 * model; controllers; weather. Time is virtual and jumps to the next moment at which anything is
 * due, in whole milliseconds. Everything that happens follows from the options and the seed.
 *
 * What is simulated is above TLS: the node's pipe carries HTTP/2 in the clear. */
#ifndef FK_SIM_WORLD_H
#define FK_SIM_WORLD_H

#include "base/heap.h"
#include "kubelet/node.h"
#include "sim/api_server.h"
#include "sim/faults.h"
#include "sim/link.h"
#include "sim/peer.h"
#include "sim/queue.h"

#define SIM_MINUTE UINT64_C(60000)
#define SIM_HOUR (60 * SIM_MINUTE)
#define SIM_DAY (24 * SIM_HOUR)
#define SIM_YEAR (365 * SIM_DAY)

/* The server's clock at virtual time 0: 2026-07-01T00:00:00Z. */
#define SIM_EPOCH_S INT64_C(1782864000)

/* A node's 32-bit tick when it is switched on: it wraps a minute later. */
#define SIM_FIRST_TICK (UINT32_MAX - 60000u)

/* Lifecycle controller: --node-monitor-grace-period, --node-monitor-period, its view's delay. */
#define SIM_GRACE_MS 40000
#define SIM_MONITOR_MS 5000

/* Bounds whose crossing is a violation. */
#define SIM_STEPS_PER_INSTANT 400
#define SIM_OPENS_PER_MINUTE 24
#define SIM_REQUESTS_PER_MINUTE 100

#define SIM_VIOLATIONS_KEPT 16

struct sim_options {
    size_t nodes;
    uint64_t seed;
    uint32_t latency_min_ms, latency_max_ms; /* one way; 0, 0: 1 to 20 */
    uint32_t heap_bytes;                     /* each node's, for HTTP/2; 0: 64 KB */
    bool verbose;                            /* the nodes' warnings to stderr */
    struct sim_fault_options faults;
};

struct sim_violation {
    uint64_t at_ms;
    size_t node;
    char text[200];
};

struct sim_totals {
    uint64_t requests, renewals, opens, faults, instants;
    uint64_t events; /* mixed into the trace */
    uint64_t trace;  /* hash of all of them */
    uint32_t violations;
    uint32_t busiest_minute_opens;
};

/* A node and what belongs to it. */
struct sim_seat {
    struct sim_world *world;
    size_t index;
    char name[24], address[24];
    struct fk_node_config config;
    struct fk_node node;
    struct fk_heap heap;
    void *heap_memory;
    struct fk_port_facts facts;
    struct fk_tick tick;
    bool powered;
    uint64_t boot_ms; /* virtual */
    uint64_t instant_ms;
    uint32_t instant_steps;
    struct sim_link link;
    struct sim_peer peer;
    struct sim_account account;
    struct sim_loss loss;
    uint64_t minute; /* for the bounds on opens and requests */
    uint32_t minute_opens, minute_requests, opens_seen;
};

struct sim_world {
    struct sim_options options;
    uint64_t now_ms;
    struct fk_rng dice;
    struct sim_queue queue;
    struct sim_api api;
    struct sim_seat *seats;
    struct fk_log log;

    int64_t skew_us;         /* the server's clock, against virtual time */
    bool no_date;            /* replies without a Date header */
    bool farewell;           /* new connections get a GOAWAY right behind the SETTINGS */
    bool stopped;            /* the server: nothing listens */
    uint32_t slow_ms;        /* added to each reply */
    uint32_t view_delay_ms;  /* of the lifecycle controller's informers */
    uint64_t restart_due_ms; /* random server restarts: when the next one begins, or ends */
    bool restarting;
    char date[48];
    int64_t date_s;

    struct sim_totals totals;
    struct sim_violation violations[SIM_VIOLATIONS_KEPT];

    /* For stories. choose: which fault befalls this request; NULL: the dice. seen: each request
     * with its reply, when it has been carried out. */
    enum sim_fault (*choose)(void *ctx, const struct sim_request *request);
    void (*seen)(void *ctx, const struct sim_request *request, const struct sim_reply *reply);
    void *ctx;
};

/* All nodes are switched on at time 0, spread over the first second. */
struct sim_world *sim_world_new(const struct sim_options *options);
void sim_world_free(struct sim_world *w);

void sim_world_run_until(struct sim_world *w, uint64_t virtual_ms);
static inline void sim_world_run_for(struct sim_world *w, uint64_t ms) {
    sim_world_run_until(w, w->now_ms + ms);
}

/* Checks what only the end of a run shows: Leases that are overdue now. */
void sim_world_settle(struct sim_world *w);

void sim_world_complain(struct sim_world *w, size_t node, const char *text);
void sim_world_note(struct sim_world *w, size_t node, uint64_t what, uint64_t detail);

/* Power: off at once, as by the plug; on with an empty memory. */
void sim_world_power_off(struct sim_world *w, size_t node);
void sim_world_power_on(struct sim_world *w, size_t node);
/* The node is told to leave; it goes off when it has. */
void sim_world_leave(struct sim_world *w, size_t node);

/* Brings the actor forward to now: something about it was changed from outside. */
void sim_world_wake(struct sim_world *w, size_t node);

static inline struct sim_record *sim_world_record(struct sim_world *w, size_t node) {
    return &w->api.records[node];
}

/* Sets the API server's clocks to this moment; before calling sim_api_* from outside. */
struct sim_api *sim_world_api(struct sim_world *w);

/* The Node's Ready condition's status as the API server has it; "" when there is none. */
const char *sim_world_ready(struct sim_world *w, size_t node);

/* ---- within the simulator ------------------------------------------------------------------- */

void sim_seat_init(struct sim_seat *seat, struct sim_world *w, size_t index);
void sim_seat_free(struct sim_seat *seat);
uint64_t sim_seat_run(struct sim_seat *seat); /* returns when to be called next, virtual ms */

void sim_server_init(struct sim_seat *seat);
uint64_t sim_server_run(struct sim_seat *seat); /* the same for the server's end */

/* Node lifecycle controller and garbage collector, every SIM_MONITOR_MS. */
void sim_controllers_run(struct sim_world *w);

#endif
