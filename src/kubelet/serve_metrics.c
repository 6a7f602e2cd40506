/* /metrics. */
#include "kubelet/serve.h"

static bool put_lease(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    const struct fk_node *n = x->house->node;
    struct fk_prom p;
    fk_prom_init(&p, w);
    fk_prom_gauge(&p, "femtokubelet_build_info", "What was built, always 1.");
    fk_prom_label(&p, "version", n->config->system.kubelet_version);
    fk_prom_u64(&p, 1);
    fk_prom_gauge(&p, "kubelet_node_name", "The node's name. The count is always 1.");
    fk_prom_label(&p, "node", n->config->name);
    fk_prom_u64(&p, 1);
    fk_prom_gauge(&p, "femtokubelet_uptime_seconds", "Time since the start.");
    fk_prom_decimal(&p, fk_serve_uptime_ms(x), 3);
    fk_prom_counter(&p, "femtokubelet_lease_renewals_total", "Lease renewals that succeeded.");
    fk_prom_u64(&p, n->lease.renewals);
    fk_prom_counter(&p, "femtokubelet_lease_failures_total", "Lease requests that failed.");
    fk_prom_u64(&p, n->lease.failures);
    return true;
}

static bool items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    static const fk_serve_part parts[] = {put_lease};
    return FK_SERVE_PARTS(ctx, parts, cursor, w);
}

int fk_serve_metrics(struct fk_exchange *x) { return fk_serve_ok(x, FK_PROM_CONTENT_TYPE, items); }
