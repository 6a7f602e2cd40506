#include "kubelet/endpoints.h"

#define NO_PODS "no pods run on this node yet"

static int no_such_pod(struct fk_exchange *x) {
    x->message = "there is no such pod: " NO_PODS;
    return 404;
}

/* Subresources as upstream's pkg/kubelet/server/auth.go has them; livez and readyz tell what
 * healthz tells, and whatever is not named there is nodes/proxy. */
const struct fk_route fk_routes[] = {
    {"/healthz", FK_NODES_HEALTHZ, true, fk_serve_healthz, NULL},
    {"/livez", FK_NODES_HEALTHZ, true, fk_serve_livez, NULL},
    {"/readyz", FK_NODES_HEALTHZ, true, fk_serve_readyz, NULL},
    {"/metrics", FK_NODES_METRICS, false, fk_serve_metrics, NULL},
    {"/metrics/resource", FK_NODES_METRICS, false, fk_serve_metrics_resource, NULL},
    {"/metrics/cadvisor", FK_NODES_METRICS, false, fk_serve_metrics_cadvisor, NULL},
    {"/metrics/probes", FK_NODES_METRICS, false, fk_serve_metrics_probes, NULL},
    {"/stats/summary", FK_NODES_STATS, false, fk_serve_stats_summary, NULL},
    {"/pods", FK_NODES_PODS, false, fk_serve_pods, NULL},
    {"/runningpods/", FK_NODES_PODS, false, fk_serve_pods, NULL},
    {"/spec", FK_NODES_PROXY, false, fk_serve_spec, NULL},
    {"/configz", FK_NODES_CONFIGZ, false, fk_serve_configz, NULL},
    {"/logs/", FK_NODES_LOG, false, fk_serve_logs, NULL},
    {"/femto/status", FK_NODES_PROXY, false, fk_serve_femto_status, NULL},
    {"/femto/memory", FK_NODES_PROXY, false, fk_serve_femto_memory, NULL},
    {"/femto/gpio", FK_NODES_PROXY, false, fk_serve_femto_gpio, NULL},
    {"/femto/led", FK_NODES_PROXY, false, fk_serve_femto_led, NULL},
    {"/containerLogs/", FK_NODES_PROXY, false, no_such_pod, NULL},
    {"/exec/", FK_NODES_PROXY, false, NULL, NO_PODS},
    {"/attach/", FK_NODES_PROXY, false, NULL, NO_PODS},
    {"/portForward/", FK_NODES_PROXY, false, NULL, NO_PODS},
    {"/run/", FK_NODES_PROXY, false, NULL, NO_PODS},
    {"/cri/", FK_NODES_PROXY, false, NULL, NO_PODS},
    {"/checkpoint/", FK_NODES_PROXY, false, NULL, NO_PODS},
    {"/debug/", FK_NODES_PROXY, false, NULL, "this kubelet has no profiler and no flags to set"},
};
const size_t fk_route_count = sizeof fk_routes / sizeof fk_routes[0];

/* What of the path is behind the route's, NULL: it is another one's. A route that ends in a slash
 * is found without it, too, as upstream's are. */
static const char *behind(const struct fk_route *route, const char *path) {
    const size_t len = strlen(route->path);
    const bool prefix = route->path[len - 1] == '/';
    const size_t stem = prefix ? len - 1 : len;
    if (strncmp(path, route->path, stem) != 0) return NULL;
    const char *rest = path + stem;
    if (*rest == '\0') return rest;
    return prefix && *rest == '/' ? rest + 1 : NULL;
}

const struct fk_route *fk_route_find(const char *path, const char **rest) {
    for (size_t i = 0; i < fk_route_count; i++) {
        *rest = behind(&fk_routes[i], path);
        if (*rest != NULL) return &fk_routes[i];
    }
    *rest = "";
    return NULL;
}
