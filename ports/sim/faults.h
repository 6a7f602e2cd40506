/* What goes wrong, and how long a Lease may be late for it.
 *
 * A gap between two renewals that the API server accepted may last
 *     SIM_PERIOD_MS (the longest renewal period, with time for the way there)
 *   + for each request of this node that was made to fail in the gap: what sim_fault_cost says
 *   + for each loss of its link, and each stop of the server, in the gap: its length and
 *     SIM_RECOVERY_MS (a connection attempt that began in it must time out, 10 s; the longest
 *     reconnect delay, 10 s; the handshake).
 * A longer gap is a missed Lease: a violation. */
#ifndef FK_SIM_FAULTS_H
#define FK_SIM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "opts.h"

#define SIM_PERIOD_MS 10900
#define SIM_RECOVERY_MS 22000

/* What befalls a request. */
enum sim_fault {
    SIM_FAULT_NONE,
    SIM_FAULT_429, /* with Retry-After */
    SIM_FAULT_500,
    SIM_FAULT_503,
    SIM_FAULT_504,
    SIM_FAULT_HTML,    /* a proxy's page with 502 */
    SIM_FAULT_RESET,   /* RST_STREAM INTERNAL_ERROR */
    SIM_FAULT_REFUSED, /* RST_STREAM REFUSED_STREAM */
    SIM_FAULT_GOAWAY,  /* the request is not looked at */
    SIM_FAULT_LAST,    /* GOAWAY, but the request is still answered */
    SIM_FAULT_CUT,     /* the connection breaks in the middle of the reply */
    SIM_FAULT_SILENT,  /* no answer ever; the connection lives */
    SIM_FAULTS_RANDOM, /* those above are the dice's, those below are for stories */
    SIM_FAULT_401 = SIM_FAULTS_RANDOM,
    SIM_FAULT_403,
    SIM_FAULT_422,
    SIM_FAULT_DEAF, /* the connection goes silent before the request is seen */
};

struct sim_fault_options {
    uint32_t fail_ppm;            /* of requests, each kind as likely as the other */
    uint32_t losses_per_100_days; /* of each node's link */
    uint32_t loss_max_ms;         /* their length: from 100 ms, short ones more likely */
    uint32_t restart_days;        /* the server restarts about so often; 0: never */
};

struct sim_world;
struct sim_seat;
struct sim_request;

/* How a link is lost. */
enum sim_loss_kind { SIM_LOSS_SILENT, SIM_LOSS_RESET, SIM_LOSS_HELD, SIM_LOSS_KINDS };

struct sim_loss {
    uint64_t due_ms; /* when it begins, or ends; FK_NEVER: none */
    enum sim_loss_kind kind;
    bool under_way;
};

/* How late this node's Lease may be. */
struct sim_account {
    uint64_t renewed_ms;     /* the last accepted renewal, or power on; FK_NEVER: not expected */
    uint64_t fault_until_ms; /* end of the link's or the server's current trouble */
    uint64_t allowance_ms;   /* on top of SIM_PERIOD_MS, since renewed_ms */
    uint32_t failures;       /* charged since then: each makes the next delay longer */
    uint32_t breaks;         /* of the connection, lately: the same for its delays */
    uint64_t broken_ms;      /* when the last one was */
    uint64_t longest_gap_ms, longest_excess_ms;
};

void sim_faults_init(struct sim_world *w);

enum sim_fault sim_faults_roll(struct sim_world *w);
const char *sim_fault_name(enum sim_fault fault);

/* A fault befell a request of this node. */
void sim_account_fault(struct sim_seat *seat, enum sim_fault fault, uint32_t retry_after_s);
/* Link or server are in trouble from now on, for so long. */
void sim_account_trouble(struct sim_seat *seat, uint64_t ms);
/* Anything else that a story does. */
void sim_account_allow(struct sim_seat *seat, uint64_t ms);
/* The API server accepted a renewal, or the run ends. */
void sim_account_check(struct sim_seat *seat, bool renewed);

/* The link is lost from now on, for so long; a new one replaces the one under way. */
void sim_faults_lose_link(struct sim_seat *seat, enum sim_loss_kind kind, uint64_t ms);
uint64_t sim_faults_run_loss(struct sim_seat *seat); /* when its next moment is */

/* The server stops: connections are reset and new ones refused until it starts. */
void sim_faults_stop_server(struct sim_world *w, uint64_t expected_ms);
void sim_faults_start_server(struct sim_world *w);
uint64_t sim_faults_run_restarts(struct sim_world *w);

#endif
