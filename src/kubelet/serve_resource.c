/* /metrics/resource, what metrics-server reads; /metrics/cadvisor, the same under cAdvisor's names;
 * /metrics/probes. Names as upstream's pkg/kubelet/metrics/collectors and cAdvisor's.
 *
 * A value that is not known is left out and scrape_error says so: 0 would be a lie, and makes
 * metrics-server drop the node. */
#include "kubelet/serve.h"

static void begin(const struct fk_exchange *x, struct fk_prom *p, struct fk_writer *w) {
    fk_prom_init(p, w);
    if (x->now.wall_us != FK_WALL_UNKNOWN) p->at_ms = x->now.wall_us / 1000;
}

static bool known(const struct fk_exchange *x, struct fk_port_figures *figures) {
    return fk_serve_figures(x, figures) && figures->memory_working_bytes > 0;
}

/* ---- /metrics/resource --------------------------------------------------------------------------
 */

static void put_errors(struct fk_prom *p, bool failed) {
    static const char help[] = "1: what is not here could not be found out.";
    p->at_ms = 0;
    fk_prom_gauge(p, "scrape_error", help);
    fk_prom_u64(p, failed);
    fk_prom_gauge(p, "resource_scrape_error", help);
    fk_prom_u64(p, failed);
}

static bool resource_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    if ((*cursor)++ > 0) return false;
    struct fk_port_figures figures;
    struct fk_prom p;
    begin(ctx, &p, w);
    const bool tell = known(ctx, &figures);
    if (tell) {
        fk_prom_counter(&p, "node_cpu_usage_seconds_total",
                        "Time of a processor that the node used.");
        fk_prom_decimal(&p, fk_serve_cpu_us(&figures), 6);
        fk_prom_gauge(&p, "node_memory_working_set_bytes", "Memory of the node that is in use.");
        fk_prom_u64(&p, figures.memory_working_bytes);
    }
    put_errors(&p, !tell);
    return true;
}

int fk_serve_metrics_resource(struct fk_exchange *x) {
    return fk_serve_ok(x, FK_PROM_CONTENT_TYPE, resource_items);
}

/* ---- /metrics/cadvisor --------------------------------------------------------------------------
 */

/* The node as a whole is cAdvisor's container "/". */
static void root(struct fk_prom *p) { fk_prom_label(p, "id", "/"); }

static bool put_machine(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    struct fk_port_figures figures;
    struct fk_prom p;
    fk_prom_init(&p, w);
    fk_prom_gauge(&p, "machine_cpu_cores", "Cores that run us.");
    fk_prom_u64(&p, 1); /* we use one, whatever there is */
    if (!fk_serve_figures(x, &figures) || figures.memory_total_bytes == 0) return true;
    fk_prom_gauge(&p, "machine_memory_bytes", "Memory that there is.");
    fk_prom_u64(&p, figures.memory_total_bytes);
    return true;
}

static bool put_root(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    struct fk_port_figures figures;
    struct fk_prom p;
    begin(x, &p, w);
    const bool tell = known(x, &figures);
    if (tell) {
        fk_prom_counter(&p, "container_cpu_usage_seconds_total",
                        "Time of a processor that was used.");
        fk_prom_label(&p, "cpu", "total");
        root(&p);
        fk_prom_decimal(&p, fk_serve_cpu_us(&figures), 6);
        fk_prom_gauge(&p, "container_memory_usage_bytes", "Memory in use.");
        root(&p);
        fk_prom_u64(&p, figures.memory_working_bytes);
        fk_prom_gauge(&p, "container_memory_working_set_bytes",
                      "Memory in use, without what could be given up.");
        root(&p);
        fk_prom_u64(&p, figures.memory_working_bytes);
    }
    p.at_ms = 0;
    fk_prom_gauge(&p, "container_scrape_error", "1: what is not here could not be found out.");
    fk_prom_u64(&p, !tell);
    return true;
}

static bool cadvisor_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    static const fk_serve_part parts[] = {put_machine, put_root};
    return FK_SERVE_PARTS(ctx, parts, cursor, w);
}

int fk_serve_metrics_cadvisor(struct fk_exchange *x) {
    return fk_serve_ok(x, FK_PROM_CONTENT_TYPE, cadvisor_items);
}

/* ---- /metrics/probes ----------------------------------------------------------------------------
 */

static bool nothing(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    (void)ctx, (void)cursor, (void)w;
    return false;
}

/* No pod, no probe: an empty exposition is a valid one. */
int fk_serve_metrics_probes(struct fk_exchange *x) {
    return fk_serve_ok(x, FK_PROM_CONTENT_TYPE, nothing);
}
