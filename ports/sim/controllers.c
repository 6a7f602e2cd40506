/* The two controllers that act on a node's objects by themselves. */
#include "sim/world.h"

/* Node lifecycle controller (kubernetes/pkg/controller/nodelifecycle): a node whose Lease was not
 * seen to move for the grace period is told Unknown. What it sees may be a little old. */
static void mark_unknown(struct sim_world *w, size_t node) {
    static const char *const types[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        sim_api_set_condition(&w->api, node, types[i], "Unknown", "NodeStatusUnknown");
    w->api.records[node].times_unknown++;
    sim_world_note(w, node, 130, 0);
}

static int64_t observed_us(const struct sim_world *w, const struct sim_record *r) {
    if (r->renewed_ms == FK_NEVER) return 0;
    const bool late = w->now_ms - r->renewed_ms < w->view_delay_ms;
    return late ? r->renew_was_us : r->renew_us;
}

static void monitor(struct sim_world *w, size_t node) {
    struct sim_record *r = &w->api.records[node];
    if (r->node.doc == NULL) {
        r->probe_ms = w->now_ms;
        return;
    }
    const int64_t seen_us = observed_us(w, r);
    if (seen_us > r->probe_us) {
        r->probe_us = seen_us;
        r->probe_ms = w->now_ms;
    }
    if (w->now_ms <= r->probe_ms + SIM_GRACE_MS) return;
    const struct sim_json *ready = sim_api_condition(r, "Ready");
    if (ready == NULL || strcmp(sim_json_str(ready, "status"), "Unknown") == 0) return;
    mark_unknown(w, node);
}

/* Garbage collector: a Lease goes after the Node that owns it. */
static void collect(struct sim_world *w, size_t node) {
    struct sim_record *r = &w->api.records[node];
    if (r->collect_ms > w->now_ms) return;
    sim_api_delete_lease(&w->api, node);
    sim_world_note(w, node, 131, 0);
}

void sim_controllers_run(struct sim_world *w) {
    (void)sim_world_api(w);
    for (size_t i = 0; i < w->options.nodes; i++) {
        monitor(w, i);
        collect(w, i);
    }
}
