#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>

/* Actors: three for each node, then two of the world's. */
enum { ACT_NODE, ACT_SERVER, ACT_LOSS, ACTS_PER_NODE };

static size_t act(size_t node, size_t which) { return node * ACTS_PER_NODE + which; }
static size_t act_controllers(const struct sim_world *w) {
    return w->options.nodes * ACTS_PER_NODE;
}
static size_t act_restarts(const struct sim_world *w) { return act_controllers(w) + 1; }

/* ---- notes and complaints ------------------------------------------------------------------- */

static void mix(uint64_t *h, uint64_t v) {
    *h = (*h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
    *h ^= *h >> 29;
}

void sim_world_note(struct sim_world *w, size_t node, uint64_t what, uint64_t detail) {
    w->totals.events++;
    mix(&w->totals.trace, w->now_ms);
    mix(&w->totals.trace, node);
    mix(&w->totals.trace, what);
    mix(&w->totals.trace, detail);
}

void sim_world_complain(struct sim_world *w, size_t node, const char *text) {
    const uint32_t at = w->totals.violations++;
    sim_world_note(w, node, 150, at);
    if (at >= SIM_VIOLATIONS_KEPT) return;
    struct sim_violation *v = &w->violations[at];
    *v = (struct sim_violation){.at_ms = w->now_ms, .node = node};
    (void)snprintf(v->text, sizeof v->text, "%.190s", text);
}

static void complain(void *ctx, size_t node, const char *text) {
    sim_world_complain(ctx, node, text);
}

static void emit(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    const struct sim_world *w = ctx;
    (void)level;
    (void)fprintf(stderr, "%10.3f %s", (double)w->now_ms / 1000, message);
    for (size_t i = 0; i < count; i++) {
        if (kvs[i].str != NULL) (void)fprintf(stderr, " %s=\"%s\"", kvs[i].key, kvs[i].str);
        else (void)fprintf(stderr, " %s=%lld", kvs[i].key, (long long)kvs[i].num);
    }
    (void)fputc('\n', stderr);
}

/* ---- the world's life ----------------------------------------------------------------------- */

static void set_defaults(struct sim_options *o) {
    if (o->nodes == 0) o->nodes = 1;
    if (o->latency_max_ms == 0) {
        o->latency_min_ms = 1;
        o->latency_max_ms = 20;
    }
    if (o->heap_bytes == 0) o->heap_bytes = 65536;
}

struct sim_world *sim_world_new(const struct sim_options *options) {
    struct sim_world *w = calloc(1, sizeof *w);
    if (w == NULL) abort();
    w->options = *options;
    set_defaults(&w->options);
    const size_t nodes = w->options.nodes;
    fk_rng_seed(&w->dice, w->options.seed);
    w->log = (struct fk_log){w->options.verbose ? FK_INFO : FK_ERROR, w, emit};
    w->view_delay_ms = 300;
    sim_queue_init(&w->queue, nodes * ACTS_PER_NODE + 2);
    sim_api_init(&w->api, nodes);
    w->api.complain = complain;
    w->api.ctx = w;
    w->seats = calloc(nodes, sizeof *w->seats);
    if (w->seats == NULL) abort();
    for (size_t i = 0; i < nodes; i++) sim_seat_init(&w->seats[i], w, i);
    sim_faults_init(w);
    for (size_t i = 0; i < nodes; i++) {
        sim_queue_set(&w->queue, act(i, ACT_NODE), nodes > 1 ? fk_rng_below(&w->dice, 1000) : 0);
        sim_queue_set(&w->queue, act(i, ACT_LOSS), w->seats[i].loss.due_ms);
    }
    sim_queue_set(&w->queue, act_controllers(w), SIM_MONITOR_MS);
    sim_queue_set(&w->queue, act_restarts(w), w->restart_due_ms);
    return w;
}

void sim_world_free(struct sim_world *w) {
    for (size_t i = 0; i < w->options.nodes; i++) sim_seat_free(&w->seats[i]);
    free(w->seats);
    sim_api_free(&w->api);
    sim_queue_free(&w->queue);
    free(w);
}

struct sim_api *sim_world_api(struct sim_world *w) {
    w->api.now_ms = w->now_ms;
    w->api.wall_us = SIM_EPOCH_S * 1000000 + (int64_t)w->now_ms * 1000 + w->skew_us;
    return &w->api;
}

const char *sim_world_ready(struct sim_world *w, size_t node) {
    return sim_json_str(sim_api_condition(sim_world_record(w, node), "Ready"), "status");
}

void sim_world_wake(struct sim_world *w, size_t node) {
    sim_queue_hasten(&w->queue, act(node, ACT_NODE), w->now_ms);
    sim_queue_hasten(&w->queue, act(node, ACT_SERVER), w->now_ms);
    sim_queue_set(&w->queue, act(node, ACT_LOSS), w->seats[node].loss.due_ms);
}

/* ---- time ----------------------------------------------------------------------------------- */

static void run_node(struct sim_world *w, struct sim_seat *seat) {
    const bool first = !seat->powered && seat->boot_ms == 0 && seat->opens_seen == 0;
    sim_queue_set(&w->queue, act(seat->index, ACT_NODE), FK_NEVER);
    if (first) sim_world_power_on(w, seat->index);
    const uint64_t due_ms = sim_seat_run(seat);
    sim_queue_set(&w->queue, act(seat->index, ACT_NODE), due_ms);
    const struct sim_link *l = &seat->link;
    const bool news = (l->state == SIM_LINK_OPEN) != (seat->peer.session != NULL) ||
                      seat->peer.connection != l->opens;
    sim_queue_hasten(&w->queue, act(seat->index, ACT_SERVER),
                     news && l->state != SIM_LINK_CONNECTING ? w->now_ms : sim_link_up_due(l));
}

static void run_server(struct sim_world *w, struct sim_seat *seat) {
    sim_queue_set(&w->queue, act(seat->index, ACT_SERVER), sim_server_run(seat));
    const uint64_t due_ms = sim_link_down_due(&seat->link);
    sim_queue_hasten(&w->queue, act(seat->index, ACT_NODE), due_ms);
}

static void run(struct sim_world *w, size_t actor) {
    if (actor == act_controllers(w)) {
        sim_controllers_run(w);
        sim_queue_set(&w->queue, actor, w->now_ms + SIM_MONITOR_MS);
    } else if (actor == act_restarts(w)) {
        sim_queue_set(&w->queue, actor, sim_faults_run_restarts(w));
    } else {
        struct sim_seat *seat = &w->seats[actor / ACTS_PER_NODE];
        switch (actor % ACTS_PER_NODE) {
        case ACT_NODE: run_node(w, seat); break;
        case ACT_SERVER: run_server(w, seat); break;
        default: sim_queue_set(&w->queue, actor, sim_faults_run_loss(seat)); break;
        }
    }
}

void sim_world_run_until(struct sim_world *w, uint64_t virtual_ms) {
    for (;;) {
        const size_t actor = sim_queue_first(&w->queue);
        const uint64_t due_ms = sim_queue_due(&w->queue, actor);
        if (due_ms > virtual_ms) break;
        if (due_ms > w->now_ms) w->now_ms = due_ms;
        w->totals.instants++;
        run(w, actor);
    }
    w->now_ms = virtual_ms;
}

void sim_world_settle(struct sim_world *w) {
    for (size_t i = 0; i < w->options.nodes; i++) sim_account_check(&w->seats[i], false);
}
