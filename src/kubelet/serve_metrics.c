/* /metrics. Names are upstream's where the meaning is, else femtokubelet_*. What is not known is
 * left out: a 0 would be a claim.
 *
 * Families that are read at the same moment share an item, so that the port is asked for its
 * figures once for them all. Help is short: the whole is encrypted for each scrape, which costs
 * more than all the rest. */
#include "kubelet/serve.h"

static void begin(struct fk_prom *p, struct fk_writer *w) { fk_prom_init(p, w); }

static void counter(struct fk_prom *p, const char *name, const char *help, uint32_t value) {
    fk_prom_counter(p, name, help);
    fk_prom_u64(p, value);
}

static void gauge(struct fk_prom *p, const char *name, const char *help, uint32_t value) {
    fk_prom_gauge(p, name, help);
    fk_prom_u64(p, value);
}

static void sample(struct fk_prom *p, const char *label, const char *name, uint32_t value) {
    fk_prom_label(p, label, name);
    fk_prom_u64(p, value);
}

/* A family that says in its label what is so; always 1. */
static void state(struct fk_prom *p, const char *name, const char *help, const char *label,
                  const char *value) {
    fk_prom_gauge(p, name, help);
    sample(p, label, value, 1);
}

/* ---- who and how long ---------------------------------------------------------------------------
 */

static bool put_build(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    const struct fk_node_config *config = x->house->node->config;
    struct fk_prom p;
    begin(&p, w);
    fk_prom_gauge(&p, "femtokubelet_build_info", "What was built.");
    fk_prom_label(&p, "version", config->system.kubelet_version);
    fk_prom_label(&p, "os", config->system.operating_system);
    fk_prom_label(&p, "architecture", config->system.architecture);
    fk_prom_u64(&p, 1);
    state(&p, "kubelet_node_name", "The name of the node.", "node", config->name);
    if (config->reset_reason != NULL)
        state(&p, "femtokubelet_reset_info", "Why the board began anew.", "reason",
              config->reset_reason);
    return true;
}

static bool put_time(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    struct fk_prom p;
    begin(&p, w);
    fk_prom_gauge(&p, "femtokubelet_uptime_seconds", "Time since the start.");
    fk_prom_decimal(&p, fk_serve_uptime_ms(x), 3);
    const int64_t started_us = fk_serve_started_us(x);
    if (started_us > 0) {
        fk_prom_gauge(&p, "process_start_time_seconds", "When it started, Unix time.");
        fk_prom_decimal(&p, (uint64_t)started_us / 1000, 3);
    }
    struct fk_port_figures figures;
    if (!fk_serve_figures(x, &figures)) return true;
    fk_prom_counter(&p, "process_cpu_seconds_total", "Time of a processor that was used.");
    fk_prom_decimal(&p, fk_serve_cpu_us(&figures), 6);
    counter(&p, "femtokubelet_restarts_total", "Restarts since power came.", figures.restarts);
    return true;
}

/* ---- towards the API server ---------------------------------------------------------------------
 */

static bool put_lease(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    const struct fk_lease *lease = &x->house->node->lease;
    struct fk_prom p;
    begin(&p, w);
    counter(&p, "femtokubelet_lease_renewals_total", "Lease renewals.", lease->renewals);
    counter(&p, "femtokubelet_lease_failures_total", "Lease requests that failed.",
            lease->failures);
    fk_prom_gauge(&p, "femtokubelet_lease_longest_gap_seconds",
                  "Longest time between two Lease renewals.");
    fk_prom_decimal(&p, lease->longest_gap_ms, 3);
    if (lease->renewed_ms == FK_NEVER) return true;
    fk_prom_gauge(&p, "femtokubelet_lease_age_seconds", "Time since the last Lease renewal.");
    fk_prom_decimal(&p, x->now.mono_ms > lease->renewed_ms ? x->now.mono_ms - lease->renewed_ms : 0,
                    3);
    return true;
}

static bool put_connection(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    const struct fk_client *client = &x->house->node->client;
    const struct fk_client_stats *s = &client->stats;
    struct fk_prom p;
    begin(&p, w);
    gauge(&p, "femtokubelet_apiserver_connected", "1 while connected to the API server.",
          client->state == FK_LINK_UP || client->state == FK_LINK_DRAINING);
    fk_prom_counter(&p, "femtokubelet_apiserver_connections_total",
                    "Connections to the API server, by what became of them.");
    sample(&p, "event", "tried", s->connect_tries);
    sample(&p, "event", "handshake", s->connects);
    sample(&p, "event", "reconnect", s->connects > 0 ? s->connects - 1 : 0);
    sample(&p, "event", "silent_peer", s->silent_peers);
    return true;
}

static void put_code(struct fk_prom *p, int16_t code) {
    char text[8];
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    fk_put_i64(&w, code);
    fk_prom_label_bytes(p, "code", fk_bytes(text, w.len));
}

/* As client-go's: a request without an answer has the code <error>. */
static bool put_requests(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const struct fk_request_counts *c = &x->house->node->client.counts;
    if (index > 0) return false;
    struct fk_prom p;
    begin(&p, w);
    fk_prom_counter(&p, "rest_client_requests_total", "Requests to the API server.");
    for (unsigned i = 0; i < FK_REQUEST_COUNTS_ROWS && c->rows[i].count > 0; i++) {
        const struct fk_request_count *row = &c->rows[i];
        if (row->code == 0) fk_prom_label(&p, "code", "<error>");
        else put_code(&p, row->code);
        fk_prom_label(&p, "method", fk_request_method_name((enum fk_request_method)row->method));
        fk_prom_u64(&p, row->count);
    }
    if (c->other > 0) {
        fk_prom_label(&p, "code", "other");
        sample(&p, "method", "other", c->other);
    }
    return true;
}

/* One item for the head and one for each method. */
static bool put_latencies(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    static const char name[] = "rest_client_request_duration_seconds";
    struct fk_prom p;
    if (index > FK_REQUEST_METHODS) return false;
    begin(&p, w);
    if (index == 0) {
        fk_prom_histogram(&p, name, "Time to the answer of the API server.");
        return true;
    }
    const struct fk_histogram *h = &x->house->node->client.counts.latencies[index - 1];
    if (fk_histogram_total(h) == 0) return true; /* an empty item */
    fk_prom_again(&p, name);
    fk_prom_buckets(&p, h, fk_request_bounds_ms, 3, "verb",
                    fk_request_method_name((enum fk_request_method)(index - 1)));
    return true;
}

/* ---- the machine --------------------------------------------------------------------------------
 */

static bool put_loop(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const struct fk_histogram *h = &x->house->node->step_us;
    if (index > 0 || fk_histogram_total(h) == 0) return false;
    struct fk_prom p;
    begin(&p, w);
    fk_prom_histogram(&p, "femtokubelet_loop_duration_seconds",
                      "Time that a step of the node took.");
    fk_prom_buckets(&p, h, fk_node_step_bounds_us, 6, NULL, NULL);
    return true;
}

/* A gauge of the node's heap, and of the server's if it has one of its own. */
static void heap(struct fk_prom *p, const char *name, const char *help, uint32_t node, bool two,
                 uint32_t server) {
    fk_prom_gauge(p, name, help);
    sample(p, "heap", "node", node);
    if (two) sample(p, "heap", "server", server);
}

static bool put_heap(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    const struct fk_port *port = &x->house->node->port;
    struct fk_port_facts facts = {0};
    struct fk_port_figures f;
    port->ops->facts(port->ctx, &facts);
    (void)fk_serve_figures(x, &f);
    const bool two = f.server_heap_bytes > 0;
    struct fk_prom p;
    begin(&p, w);
    heap(&p, "femtokubelet_heap_size_bytes", "Size of a heap.", facts.heap_total_bytes, two,
         f.server_heap_bytes);
    heap(&p, "femtokubelet_heap_free_bytes", "Free bytes of a heap.", facts.heap_free_bytes, two,
         f.server_heap_free_bytes);
    if (!fk_serve_heap_known(&f)) return true;
    heap(&p, "femtokubelet_heap_low_water_bytes", "The least of a heap that was ever free.",
         f.heap_low_bytes, two, f.server_heap_low_bytes);
    return true;
}

static void put_stack(struct fk_prom *p, const struct fk_port_figures *f) {
    if (f->stack_size_bytes == 0) return;
    gauge(p, "femtokubelet_stack_size_bytes", "Size of the stack.", f->stack_size_bytes);
    gauge(p, "femtokubelet_stack_high_water_bytes", "The most of the stack that was ever used.",
          f->stack_peak_bytes);
}

static bool put_memory(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    struct fk_port_figures f;
    if (index > 0 || !fk_serve_figures(x, &f)) return false;
    struct fk_prom p;
    begin(&p, w);
    if (fk_serve_heap_known(&f)) {
        gauge(&p, "femtokubelet_heap_largest_free_bytes", "Largest free block of the node's heap.",
              f.heap_largest_bytes);
        counter(&p, "femtokubelet_heap_failures_total", "Requests for memory that failed.",
                f.heap_failures);
    }
    put_stack(&p, &f);
    if (f.led_pattern != NULL)
        state(&p, "femtokubelet_led_state", "What the LED shows.", "pattern", f.led_pattern);
    return true;
}

static void put_frames(struct fk_prom *p, const struct fk_port_figures *f) {
    fk_prom_counter(p, "femtokubelet_link_frames_total",
                    "Ethernet frames, by what became of them.");
    sample(p, "kind", "received", f->rx_frames);
    sample(p, "kind", "sent", f->tx_frames);
    fk_prom_counter(p, "femtokubelet_link_errors_total", "Frames that were lost, by why.");
    sample(p, "kind", "receive_error", f->rx_errors);
    sample(p, "kind", "receive_dropped", f->rx_dropped);
    sample(p, "kind", "send_error", f->tx_errors);
    sample(p, "kind", "send_dropped", f->tx_dropped);
    counter(p, "femtokubelet_link_downs_total", "Times that the link went down.", f->link_downs);
}

static bool put_link(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    struct fk_port_figures f;
    if (index > 0 || !fk_serve_figures(x, &f) || !f.has_nic) return false;
    struct fk_prom p;
    begin(&p, w);
    put_frames(&p, &f);
    return true;
}

/* ---- the kubelet's own port ---------------------------------------------------------------------
 */

static bool put_server(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    const struct fk_house *house = x->house;
    struct fk_port_figures f;
    struct fk_prom p;
    begin(&p, w);
    gauge(&p, "femtokubelet_server_open_connections", "Connections to the kubelet's port.",
          house->connections);
    fk_prom_counter(&p, "femtokubelet_server_connections_total",
                    "Connections to the kubelet's port, by what became of them.");
    sample(&p, "event", "accepted", house->accepted);
    sample(&p, "event", "evicted", house->evicted);
    sample(&p, "event", "turned_away", house->turned_away);
    if (!fk_serve_figures(x, &f)) return true;
    sample(&p, "event", "handshake", f.handshakes);
    sample(&p, "event", "handshake_failed", f.handshake_failures);
    return true;
}

static bool put_served(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    static const char kinds[FK_SERVED_KINDS][4] = {
        [FK_SERVED_2XX] = "2xx", [FK_SERVED_401] = "401", [FK_SERVED_403] = "403",
        [FK_SERVED_4XX] = "4xx", [FK_SERVED_5XX] = "5xx",
    };
    if (index > 0) return false;
    struct fk_prom p;
    begin(&p, w);
    fk_prom_counter(&p, "femtokubelet_server_requests_total", "Requests answered, by status.");
    for (unsigned i = 0; i < FK_SERVED_KINDS; i++)
        sample(&p, "code", kinds[i], x->house->served[i]);
    return true;
}

static void reviews(struct fk_prom *p, const char *kind, const char *event, uint32_t value) {
    fk_prom_label(p, "kind", kind);
    sample(p, "event", event, value);
}

static bool put_reviews(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const struct fk_authn *n = x->house->authn;
    const struct fk_authz *z = x->house->authz;
    if (index > 0 || n == NULL || z == NULL) return false;
    struct fk_prom p;
    begin(&p, w);
    fk_prom_counter(&p, "femtokubelet_reviews_total",
                    "Reviews of who asks and what they may, by what became of them.");
    reviews(&p, "token", "asked", n->reviews);
    reviews(&p, "token", "refused", n->refusals);
    reviews(&p, "token", "failed", n->failures);
    reviews(&p, "access", "asked", z->reviews);
    reviews(&p, "access", "refused", z->refusals);
    reviews(&p, "access", "failed", z->failures);
    return true;
}

/* ---- ConfigMaps and Events ----------------------------------------------------------------------
 */

static bool put_configmap_states(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const struct fk_configmaps *c = x->house->configmaps;
    if (c == NULL || index >= c->count) return false;
    static const char name[] = "femtokubelet_configmap_state";
    struct fk_prom p;
    begin(&p, w);
    if (index == 0) fk_prom_gauge(&p, name, "What became of a ConfigMap.");
    else fk_prom_again(&p, name);
    fk_prom_label_bytes(&p, "configmap", fk_serve_configmap_ref(&c->all[index]));
    sample(&p, "state", fk_serve_configmap_state(c->all[index].state), 1);
    return true;
}

static bool put_configmap_changes(const struct fk_exchange *x, uint32_t index,
                                  struct fk_writer *w) {
    const struct fk_configmaps *c = x->house->configmaps;
    if (c == NULL || index >= c->count) return false;
    static const char name[] = "femtokubelet_configmap_changes_total";
    struct fk_prom p;
    begin(&p, w);
    if (index == 0) fk_prom_counter(&p, name, "Changes of a ConfigMap.");
    else fk_prom_again(&p, name);
    fk_prom_label_bytes(&p, "configmap", fk_serve_configmap_ref(&c->all[index]));
    sample(&p, "result", "applied", c->all[index].applied);
    fk_prom_label_bytes(&p, "configmap", fk_serve_configmap_ref(&c->all[index]));
    sample(&p, "result", "refused", c->all[index].refused);
    return true;
}

static bool put_events(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const struct fk_configmaps *c = x->house->configmaps;
    if (index > 0 || c == NULL || c->events == NULL) return false;
    struct fk_prom p;
    begin(&p, w);
    counter(&p, "femtokubelet_events_written_total", "Events written.", c->events->written);
    counter(&p, "femtokubelet_events_dropped_total", "Events not written: too many.",
            c->events->dropped);
    return true;
}

static bool items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    static const fk_serve_part parts[] = {
        put_build,
        put_time,
        put_lease,
        put_connection,
        put_requests,
        put_latencies,
        put_loop,
        put_heap,
        put_memory,
        put_link,
        put_server,
        put_served,

        put_reviews,
        put_configmap_states,
        put_configmap_changes,
        put_events,
    };
    return FK_SERVE_PARTS(ctx, parts, cursor, w);
}

int fk_serve_metrics(struct fk_exchange *x) { return fk_serve_ok(x, FK_PROM_CONTENT_TYPE, items); }
