/* What the kubelet's port can be asked for: its paths, and how each is answered. No connections, no
 * authorization: kubelet/server does those first. */
#ifndef FK_KUBELET_ENDPOINTS_H
#define FK_KUBELET_ENDPOINTS_H

#include "base/log_ring.h"
#include "kubelet/authn.h"
#include "kubelet/authz.h"
#include "kubelet/configmap.h"
#include "kubelet/node.h"
#include "wire/http1_server.h"

/* Answered requests, by where and how, for /metrics. */
enum { FK_SERVED_2XX, FK_SERVED_401, FK_SERVED_403, FK_SERVED_4XX, FK_SERVED_5XX, FK_SERVED_KINDS };

/* What endpoints may look at. */
struct fk_house {
    struct fk_node *node;
    const struct fk_configmaps *configmaps; /* NULL: none */
    const struct fk_log_ring *ring;         /* NULL: none */
    const struct fk_authn *authn;
    const struct fk_authz *authz;
    uint32_t connections;       /* open now */
    uint32_t accepted, evicted; /* since start; evicted: idle ones that gave way */
    uint32_t turned_away;       /* no slot, no memory */
    uint32_t served[FK_SERVED_KINDS];
};

/* One request on its way to an answer. */
struct fk_exchange {
    const struct fk_house *house;
    struct fk_now now; /* when it was asked */
    enum fk_http1_method method;
    const char *rest;  /* of the path, behind its route's; only during start */
    const char *query; /* likewise */

    /* set by start, for a 200, and for an error that has a document of its own (healthz) */
    const char *content_type;
    fk_http1_items items;    /* ctx is the exchange */
    uint32_t from, to, seen; /* the endpoint's own: a range, a choice, a state */

    /* set by start, for an error without items: what is wrong and what would be right; static text
     */
    const char *message;
};

struct fk_route {
    const char *path; /* "/metrics"; one that ends in a slash is the beginning of others as well */
    enum fk_subresource subresource;
    bool health; /* may be open to everyone, if the operator says so */
    /* Returns the HTTP status. NULL: 501, with what is missing as text below. */
    int (*start)(struct fk_exchange *x);
    const char *missing;
};

/* The route of a path, and in *rest what of the path is behind it; NULL: 404. All of them take GET
 * and HEAD and nothing else (405), but for those that are missing, which take any method. */
const struct fk_route *fk_route_find(const char *path, const char **rest);
extern const struct fk_route fk_routes[];
extern const size_t fk_route_count;

/* One file each: kubelet/serve_*.c. */
int fk_serve_healthz(struct fk_exchange *x);
int fk_serve_livez(struct fk_exchange *x);
int fk_serve_readyz(struct fk_exchange *x);
int fk_serve_metrics(struct fk_exchange *x);
int fk_serve_metrics_resource(struct fk_exchange *x);
int fk_serve_metrics_cadvisor(struct fk_exchange *x);
int fk_serve_metrics_probes(struct fk_exchange *x);
int fk_serve_stats_summary(struct fk_exchange *x);
int fk_serve_pods(struct fk_exchange *x); /* also runningpods */
int fk_serve_spec(struct fk_exchange *x);
int fk_serve_configz(struct fk_exchange *x);
int fk_serve_logs(struct fk_exchange *x);
int fk_serve_femto_status(struct fk_exchange *x);
int fk_serve_femto_memory(struct fk_exchange *x);
int fk_serve_femto_gpio(struct fk_exchange *x);
int fk_serve_femto_led(struct fk_exchange *x);

#endif
