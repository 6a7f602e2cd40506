/* /metrics. Names are upstream's where the meaning is, else femtokubelet_*. What is not known is
 * left out: a 0 would be a claim.
 *
 * Families that are read at the same moment share an item, so that the port is asked for its
 * figures once for them all. Help is short: the whole is encrypted for each scrape, which costs
 * more than all the rest. */
#include "kubelet/serve.h"

static void begin(struct fk_prom *p, struct fk_writer *w) { fk_prom_init(p, w); }

static void counter(struct fk_prom *p, const char *name, const char *help, uint64_t value) {
    fk_prom_counter(p, name, help);
    fk_prom_u64(p, value);
}

static void gauge(struct fk_prom *p, const char *name, const char *help, uint64_t value) {
    fk_prom_gauge(p, name, help);
    fk_prom_u64(p, value);
}

static void sample(struct fk_prom *p, const char *label, const char *name, uint64_t value) {
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
    state(&p, "kubelet_node_name", "The node's name. The count is always 1.", "node", config->name);
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
    counter(&p, "femtokubelet_restarts_total", "Starts since power came.", figures.restarts);
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
    fk_prom_gauge(&p, "femtokubelet_lease_longest_gap_seconds", "Longest time between two.");
    fk_prom_decimal(&p, lease->longest_gap_ms, 3);
    if (lease->renewed_ms == FK_NEVER) return true;
    fk_prom_gauge(&p, "femtokubelet_lease_age_seconds", "Time since the last renewal.");
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
    counter(&p, "femtokubelet_apiserver_connect_attempts_total", "Connections begun.",
            s->connect_tries);
    counter(&p, "femtokubelet_apiserver_handshakes_total", "Connections made.", s->connects);
    counter(&p, "femtokubelet_apiserver_reconnects_total", "Those after the first.",
            s->connects > 0 ? s->connects - 1 : 0);
    counter(&p, "femtokubelet_apiserver_silent_total", "Connections given up: no answer to PING.",
            s->silent_peers);
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
static void heap(struct fk_prom *p, const char *name, const char *help, uint64_t node, bool two,
                 uint64_t server) {
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
    const bool more = fk_serve_figures(x, &f);
    const bool two = f.server_heap_bytes > 0;
    struct fk_prom p;
    begin(&p, w);
    heap(&p, "femtokubelet_heap_size_bytes", "Size of a heap.", facts.heap_total_bytes, two,
         f.server_heap_bytes);
    heap(&p, "femtokubelet_heap_free_bytes", "Free of it.", facts.heap_free_bytes, two,
         f.server_heap_free_bytes);
    if (!more) return true;
    heap(&p, "femtokubelet_heap_low_water_bytes", "The least that was ever free.", f.heap_low_bytes,
         two, f.server_heap_low_bytes);
    heap(&p, "femtokubelet_heap_largest_free_bytes", "Largest block that is free.",
         f.heap_largest_bytes, false, 0);
    counter(&p, "femtokubelet_heap_failures_total", "Requests for memory that failed.",
            f.heap_failures);
    return true;
}

static void put_stack(struct fk_prom *p, const struct fk_port_figures *f) {
    if (f->stack_size_bytes == 0) return;
    gauge(p, "femtokubelet_stack_size_bytes", "Size of the stack.", f->stack_size_bytes);
    gauge(p, "femtokubelet_stack_high_water_bytes", "The most that was ever used.",
          f->stack_peak_bytes);
}

/* Frames as node_exporter names directions. */
static void put_nic(struct fk_prom *p, const struct fk_port_figures *f) {
    if (!f->has_nic) return;
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

static bool put_board(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    struct fk_port_figures f;
    if (index > 0 || !fk_serve_figures(x, &f)) return false;
    struct fk_prom p;
    begin(&p, w);
    put_stack(&p, &f);
    put_nic(&p, &f);
    if (f.led_pattern != NULL)
        state(&p, "femtokubelet_led_state", "What the LED shows.", "pattern", f.led_pattern);
    return true;
}

/* ---- the kubelet's own port ---------------------------------------------------------------------
 */

static bool put_server(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    static const char kinds[FK_SERVED_KINDS][4] = {
        [FK_SERVED_2XX] = "2xx", [FK_SERVED_401] = "401", [FK_SERVED_403] = "403",
        [FK_SERVED_4XX] = "4xx", [FK_SERVED_5XX] = "5xx",
    };
    if (index > 0) return false;
    const struct fk_house *house = x->house;
    struct fk_prom p;
    begin(&p, w);
    gauge(&p, "femtokubelet_server_open_connections", "Connections to the kubelet's port.",
          house->connections);
    counter(&p, "femtokubelet_server_accepted_total", "Those taken in.", house->accepted);
    counter(&p, "femtokubelet_server_evicted_total", "Those that gave way to others.",
            house->evicted);
    counter(&p, "femtokubelet_server_turned_away_total", "Those without room.", house->turned_away);
    fk_prom_counter(&p, "femtokubelet_server_requests_total", "Requests answered, by status.");
    for (unsigned i = 0; i < FK_SERVED_KINDS; i++) sample(&p, "code", kinds[i], house->served[i]);
    return true;
}

static bool put_handshakes(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    struct fk_port_figures f;
    if (index > 0 || !fk_serve_figures(x, &f)) return false;
    struct fk_prom p;
    begin(&p, w);
    counter(&p, "femtokubelet_server_handshakes_total", "TLS handshakes of clients.", f.handshakes);
    counter(&p, "femtokubelet_server_handshake_failures_total", "Those that failed.",
            f.handshake_failures);
    return true;
}

static void reviews(struct fk_prom *p, const char *name, const char *help, uint32_t token,
                    uint32_t access) {
    fk_prom_counter(p, name, help);
    sample(p, "kind", "token", token);
    sample(p, "kind", "access", access);
}

static bool put_reviews(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const struct fk_authn *n = x->house->authn;
    const struct fk_authz *z = x->house->authz;
    if (index > 0 || n == NULL || z == NULL) return false;
    struct fk_prom p;
    begin(&p, w);
    reviews(&p, "femtokubelet_reviews_total", "Token and access reviews.", n->reviews, z->reviews);
    reviews(&p, "femtokubelet_reviews_refused_total", "Those answered no.", n->refusals,
            z->refusals);
    reviews(&p, "femtokubelet_reviews_failed_total", "Those not answered.", n->failures,
            z->failures);
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
    if (index == 0) fk_prom_counter(&p, name, "Changes of ConfigMaps.");
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
    counter(&p, "femtokubelet_events_dropped_total", "Events beyond the limit.",
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
        put_board,
        put_server,
        put_handshakes,
        put_reviews,
        put_configmap_states,
        put_configmap_changes,
        put_events,
    };
    return FK_SERVE_PARTS(ctx, parts, cursor, w);
}

int fk_serve_metrics(struct fk_exchange *x) { return fk_serve_ok(x, FK_PROM_CONTENT_TYPE, items); }
