/* One node: the port that it runs on, its power, its steps. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/world.h"

static const struct fk_node_config standard = {
    .system = {.machine_id = "sim",
               .system_uuid = "",
               .boot_id = "sim",
               .kernel_version = "none",
               .os_image = "femtokubelet simulator",
               .container_runtime = "none://0.1.0",
               .kubelet_version = "v1.36.0+femtokubelet.0.1.0",
               .operating_system = "none",
               .architecture = "sim"},
    .labels = {{"femtokubelet.dev/board", "sim"}},
    .label_count = 1,
    .taints = {{"femtokubelet.dev/node", "true", "NoSchedule"}},
    .taint_count = 1,
    .resources = {{"cpu", "240m"}, {"memory", "320Ki"}, {"pods", "0"}},
    .resource_count = 3,
    .lease_duration_s = 40,
    .lease_renew_ms = 10000,
    .status_update_ms = 10000,
    .status_report_ms = 300000,
};

/* ---- the port ------------------------------------------------------------------------------- */

static uint64_t mono_ms(void *ctx) {
    struct sim_seat *seat = ctx;
    const uint64_t up_ms = seat->world->now_ms - seat->boot_ms;
    return fk_tick_extend(&seat->tick, (uint32_t)(SIM_FIRST_TICK + up_ms));
}

static int entropy(void *ctx, void *buf, size_t len) {
    struct sim_seat *seat = ctx;
    uint8_t *p = buf;
    for (size_t i = 0; i < len; i++) p[i] = (uint8_t)fk_rng_below(&seat->world->dice, 256);
    return 0;
}

static void facts(void *ctx, struct fk_port_facts *out) {
    const struct sim_seat *seat = ctx;
    *out = seat->facts;
}

static const char *address(void *ctx) {
    const struct sim_seat *seat = ctx;
    return seat->address;
}

static const struct fk_port_ops port_ops = {
    .mono_ms = mono_ms, .entropy = entropy, .facts = facts, .address = address};

/* ---- power ---------------------------------------------------------------------------------- */

void sim_seat_init(struct sim_seat *seat, struct sim_world *w, size_t index) {
    const struct sim_options *o = &w->options;
    seat->world = w;
    seat->index = index;
    (void)snprintf(seat->name, sizeof seat->name, "sim-%u", (unsigned)index);
    (void)snprintf(seat->address, sizeof seat->address, "10.%u.%u.%u",
                   (unsigned)(index >> 16) & 255, (unsigned)(index >> 8) & 255,
                   (unsigned)index & 255);
    seat->config = standard;
    seat->config.name = seat->config.hostname = seat->name;
    seat->facts = (struct fk_port_facts){200000, 320000, 20000, 0x0242ac110001};
    seat->link = (struct sim_link){.now_ms = &w->now_ms,
                                   .dice = &w->dice,
                                   .latency_min_ms = o->latency_min_ms,
                                   .latency_max_ms = o->latency_max_ms};
    seat->loss.due_ms = seat->account.renewed_ms = FK_NEVER;
    seat->heap_memory = malloc(o->heap_bytes);
    if (seat->heap_memory == NULL) abort();
    w->api.records[index].name = seat->name;
    sim_server_init(seat);
}

void sim_seat_free(struct sim_seat *seat) {
    sim_peer_free(&seat->peer);
    free(seat->heap_memory);
}

void sim_world_power_on(struct sim_world *w, size_t node) {
    struct sim_seat *seat = &w->seats[node];
    seat->powered = true;
    seat->boot_ms = w->now_ms;
    seat->tick = (struct fk_tick){0};
    seat->account.renewed_ms = w->now_ms;
    fk_heap_init(&seat->heap, seat->heap_memory, w->options.heap_bytes);
    const struct fk_node_setup setup = {
        .config = &seat->config,
        .port = {&port_ops, seat},
        .pipe = sim_link_pipe(&seat->link),
        .heap = &seat->heap,
        .authority = "kubernetes.sim:6443",
        .user_agent = "femtokubelet/0.1.0 (sim/sim)",
        .log = &w->log,
        .seed = (uint64_t)fk_rng_u32(&w->dice) << 32 | fk_rng_u32(&w->dice),
    };
    FK_ASSERT(fk_node_init(&seat->node, &setup) == 0);
    sim_world_note(w, node, 140, setup.seed);
    sim_world_wake(w, node);
}

/* The peer hears nothing of it; the connection's end is found by the server when it likes. */
void sim_world_power_off(struct sim_world *w, size_t node) {
    struct sim_seat *seat = &w->seats[node];
    const struct fk_pipe pipe = sim_link_pipe(&seat->link);
    fk_pipe_close(pipe);
    seat->powered = false;
    seat->account.renewed_ms = FK_NEVER;
    sim_world_note(w, node, 141, 0);
    sim_world_wake(w, node);
}

void sim_world_leave(struct sim_world *w, size_t node) {
    fk_node_leave(&w->seats[node].node);
    sim_world_wake(w, node);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static bool too_busy(struct sim_seat *seat) {
    struct sim_world *w = seat->world;
    if (seat->instant_ms != w->now_ms) {
        seat->instant_ms = w->now_ms;
        seat->instant_steps = 0;
    }
    if (++seat->instant_steps < SIM_STEPS_PER_INSTANT) return false;
    if (seat->instant_steps == SIM_STEPS_PER_INSTANT)
        sim_world_complain(w, seat->index, "busy loop: the node asks to be called again at once");
    return true;
}

static void count_opens(struct sim_seat *seat) {
    struct sim_world *w = seat->world;
    const uint64_t minute = w->now_ms / SIM_MINUTE;
    if (minute != seat->minute) {
        seat->minute = minute;
        seat->minute_opens = seat->minute_requests = 0;
    }
    for (; seat->opens_seen != seat->link.opens; seat->opens_seen++) {
        w->totals.opens++;
        sim_world_note(w, seat->index, 142, seat->opens_seen);
        if (++seat->minute_opens > w->totals.busiest_minute_opens)
            w->totals.busiest_minute_opens = seat->minute_opens;
        if (seat->minute_opens == SIM_OPENS_PER_MINUTE)
            sim_world_complain(w, seat->index, "too many connections in one minute");
    }
}

static void leave(struct sim_seat *seat) {
    while (!fk_client_shutdown(&seat->node.client, mono_ms(seat)))
        if (too_busy(seat)) break;
    sim_world_power_off(seat->world, seat->index);
}

uint64_t sim_seat_run(struct sim_seat *seat) {
    const struct sim_world *w = seat->world;
    if (!seat->powered) return FK_NEVER;
    uint64_t now_ms = 0, due_ms = 0;
    do {
        while (fk_node_step(&seat->node))
            if (too_busy(seat)) break;
        now_ms = mono_ms(seat);
        due_ms = fk_node_due(&seat->node);
    } while (due_ms <= now_ms && !too_busy(seat));
    count_opens(seat);
    if (fk_node_left(&seat->node)) {
        leave(seat);
        return FK_NEVER;
    }
    if (due_ms != FK_NEVER) due_ms = due_ms <= now_ms ? w->now_ms + 1 : w->now_ms + due_ms - now_ms;
    const uint64_t pipe_ms = sim_link_down_due(&seat->link);
    return fk_sooner(due_ms, pipe_ms <= w->now_ms ? w->now_ms + 1 : pipe_ms);
}
