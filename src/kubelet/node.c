#include "kubelet/node.h"

#include "base/assert.h"
#include "base/err.h"

/* In order of urgency: the Lease first, since it is what keeps the node Ready. */
enum { LEASE, REGISTER, STATUS, EXTRA };

static int duty_count(const struct fk_node *n) { return EXTRA + n->extra_count; }

static struct fk_duty duty_of(struct fk_node *n, int which) {
    switch (which) {
    case LEASE: return (struct fk_duty){&fk_lease_ops, &n->lease};
    case REGISTER: return (struct fk_duty){&fk_register_ops, &n->registration};
    case STATUS: return (struct fk_duty){&fk_status_ops, &n->status};
    default: return n->extra[which - EXTRA];
    }
}

void fk_node_add_duty(struct fk_node *n, const struct fk_duty_ops *ops, void *self) {
    FK_ASSERT(n->extra_count < FK_EXTRA_DUTIES_MAX);
    n->extra[n->extra_count++] = (struct fk_duty){ops, self};
}

/* ---- facts ---------------------------------------------------------------------------------- */

static bool lately(uint64_t event_ms, uint64_t now_ms) {
    return event_ms != FK_NEVER && now_ms - event_ms < FK_HAUNTED_MS;
}

static void look_for_ghosts(struct fk_node *n, uint64_t gateway_id, uint64_t now_ms) {
    if (gateway_id == 0) return;
    if (n->gateway_id != 0 && n->gateway_id != gateway_id) n->ghost_ms = now_ms;
    n->gateway_id = gateway_id;
}

/* For the rate that /stats/summary tells: it must not depend on how often somebody asks. */
static void sample_cpu(struct fk_node *n, uint64_t now_ms) {
    if (n->port.ops->figures == NULL) return;
    struct fk_port_figures figures = {0};
    n->port.ops->figures(n->port.ctx, &figures);
    n->cpu[0] = n->cpu[1];
    n->cpu[1] = (struct fk_cpu_sample){now_ms, figures.cpu_us};
}

static void gather_facts(void *ctx, struct fk_now now, struct fk_facts *facts) {
    struct fk_node *n = ctx;
    struct fk_port_facts port;
    n->port.ops->facts(n->port.ctx, &port);
    look_for_ghosts(n, port.gateway_id, now.mono_ms);
    sample_cpu(n, now.mono_ms);
    const struct fk_clock *clock = &n->client.clock;
    const uint32_t connects = n->client.stats.connects;
    *facts = (struct fk_facts){
        .uptime_ms = now.mono_ms - n->started_ms,
        .heap_free_bytes = port.heap_free_bytes,
        .heap_total_bytes = port.heap_total_bytes,
        .memory_pressure_bytes = port.memory_pressure_bytes,
        .reconnects = connects > 0 ? connects - 1 : 0,
        .renewals = n->lease.renewals,
        .new_ghost = lately(n->ghost_ms, now.mono_ms),
        .time_slipped = clock->slips > 0 && lately(clock->slipped_ms, now.mono_ms),
        .leaving = n->leaving,
    };
}

static const char *internal_address(void *ctx) {
    struct fk_node *n = ctx;
    return n->port.ops->address(n->port.ctx);
}

/* ---- what one duty learned that concerns another --------------------------------------------- */

static void after_registration(struct fk_node *n, struct fk_now now) {
    if (n->rounds_seen == n->registration.rounds) return;
    n->rounds_seen = n->registration.rounds;
    fk_lease_start(&n->lease, now, n->registration.uid);
    fk_status_refresh(&n->status, now);
}

static void after_loss(struct fk_node *n, struct fk_now now) {
    if (n->lease.state != FK_LEASE_ORPHANED && !n->status.missing) return;
    n->status.missing = false;
    fk_register_again(&n->registration, now);
}

/* The Lease lapsed, or nearly: whoever wrote Unknown into our conditions must be answered, and the
 * next status needs a new transition time. So the Node is read as soon as the connection is there,
 * when the Lease is renewed again, and once more a while after that. */
static void after_lapse(struct fk_node *n, struct fk_now now) {
    const bool overdue = fk_lease_overdue(&n->lease, now.mono_ms, n->started_ms);
    bool look = now.mono_ms >= n->look_ms;
    if (look) { /* a look under way does not count, it may have come too early */
        const bool idle = n->registration.state == FK_REGISTER_DONE;
        n->look_ms = idle ? FK_NEVER : fk_after(now.mono_ms, FK_LOOK_AGAIN_MS);
    }
    if (overdue && !n->lapsed && fk_client_ready(&n->client)) n->lapsed = look = true;
    if (!overdue && n->lapsed) {
        n->lapsed = false;
        look = true;
        n->look_ms = fk_after(now.mono_ms, FK_LOOK_AGAIN_MS);
    }
    if (look) fk_register_again(&n->registration, now);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* A status tells what the server's copy should become, so it waits until that copy has been read
 * where it must be, and while the Lease is overdue: somebody may be writing Unknown into it. */
static bool status_must_wait(const struct fk_node *n) {
    return n->registration.state != FK_REGISTER_DONE || (n->lapsed && !n->leaving);
}

/* Registration adopts conditions, and a status under way is written from them: one at a time. */
static uint64_t due_of(const struct fk_node *n, int which) {
    switch (which) {
    case LEASE: return fk_lease_ops.due(&n->lease);
    case REGISTER: return n->status.in_flight ? FK_NEVER : fk_register_ops.due(&n->registration);
    case STATUS: return status_must_wait(n) ? FK_NEVER : fk_status_ops.due(&n->status);
    default: return n->extra[which - EXTRA].ops->due(n->extra[which - EXTRA].self);
    }
}

/* A request that cannot be sent is answered like one that failed: one path, one backoff. */
static void submit(struct fk_node *n, struct fk_now now, const struct fk_request *request) {
    const int err = fk_client_submit(&n->client, request);
    if (err == 0) return;
    const struct fk_response response = {.status = err, .message = fk_err_text(err)};
    request->reply->response(request->owner, now, &response);
}

static bool work(struct fk_node *n, struct fk_now now) {
    for (int which = 0; which < duty_count(n); which++) {
        if (due_of(n, which) > now.mono_ms) continue;
        if (which != LEASE && !fk_client_spare(&n->client)) return false; /* the last slot is its */
        const struct fk_duty duty = duty_of(n, which);
        struct fk_request request;
        if (duty.ops->request(duty.self, now, &request)) submit(n, now, &request);
        return true;
    }
    return false;
}

/* Once the cluster knows that we leave, nothing more is said. */
static bool may_ask(const struct fk_node *n) {
    return fk_client_ready(&n->client) && !fk_node_left(n);
}

static bool step(struct fk_node *n) {
    const uint64_t mono_ms = n->port.ops->mono_ms(n->port.ctx);
    const bool moved = fk_client_step(&n->client, mono_ms);
    const struct fk_now now = fk_client_now(&n->client, mono_ms);
    after_registration(n, now);
    after_loss(n, now);
    after_lapse(n, now);
    const bool worked = may_ask(n) && work(n, now);
    return moved || worked;
}

const uint32_t fk_node_step_bounds_us[FK_HISTOGRAM_BOUNDS] = {100,   1000,   10000,
                                                              50000, 200000, 1000000};

bool fk_node_step(struct fk_node *n) {
    uint64_t (*const mono_us)(void *) = n->port.ops->mono_us;
    if (mono_us == NULL) return step(n);
    const uint64_t began_us = mono_us(n->port.ctx);
    const bool more = step(n);
    fk_histogram_add(&n->step_us, fk_node_step_bounds_us, mono_us(n->port.ctx) - began_us);
    return more;
}

uint64_t fk_node_due(const struct fk_node *n) {
    uint64_t due_ms = fk_sooner(fk_client_due(&n->client), n->look_ms);
    if (!may_ask(n)) return due_ms;
    const int count = fk_client_spare(&n->client) ? duty_count(n) : LEASE + 1;
    for (int which = 0; which < count; which++) due_ms = fk_sooner(due_ms, due_of(n, which));
    return due_ms;
}

void fk_node_network_changed(struct fk_node *n) {
    const uint64_t mono_ms = n->port.ops->mono_ms(n->port.ctx);
    fk_client_hurry(&n->client, mono_ms);
    fk_status_look(&n->status, fk_client_now(&n->client, mono_ms));
}

void fk_node_leave(struct fk_node *n) {
    n->leaving = true;
    const uint64_t mono_ms = n->port.ops->mono_ms(n->port.ctx);
    fk_status_hurry(&n->status, fk_client_now(&n->client, mono_ms));
}

/* Nobody to tell, nothing to tell them of, or told. */
bool fk_node_left(const struct fk_node *n) {
    if (!n->leaving) return false;
    return n->client.state == FK_LINK_DOWN || n->status.state == FK_STATUS_WAITING ||
           n->status.ready_reported == FK_CONDITION_FALSE;
}

int fk_node_init(struct fk_node *n, const struct fk_node_setup *setup) {
    char text[200];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    const int err = fk_config_check(setup->config, &why);
    (void)fk_writer_finish(&why); /* a long name may cut the sentence */
    if (err != 0) {
        fk_log(setup->log, FK_ERROR, "configuration refused", FK_STR("reason", text));
        return err;
    }
    *n = (struct fk_node){.config = setup->config,
                          .port = setup->port,
                          .log = setup->log,
                          .ghost_ms = FK_NEVER,
                          .look_ms = FK_NEVER};
    n->started_ms = n->port.ops->mono_ms(n->port.ctx);
    n->cpu[0].at_ms = n->cpu[1].at_ms = n->started_ms;
    fk_rng_seed(&n->rng, setup->seed);
    const struct fk_client_config client = {
        .pipe = setup->pipe,
        .authority = setup->authority,
        .user_agent = setup->user_agent,
        .authorization = setup->authorization,
        .heap = setup->heap,
        .log = setup->log,
        .seed = setup->seed ^ 1,
    };
    fk_client_init(&n->client, &client);
    const struct fk_duty_env env = {setup->config, setup->log, &n->rng};
    const struct fk_status_sources sources = {n, gather_facts, internal_address};
    fk_register_init(&n->registration, &env, &n->conditions);
    fk_lease_init(&n->lease, &env);
    fk_status_init(&n->status, &env, &sources, &n->conditions);
    return 0;
}
