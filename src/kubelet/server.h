/* The kubelet's own port: takes connections in, reads requests, finds out who asks and whether they
 * may, answers, and hangs up on those who are slow. What is answered is in kubelet/endpoints.
 *
 * Bounded work per step and one slot after the other, so that no client can hold up another, nor
 * the node. When all slots are taken, the connection that has been idle longest gives way. */
#ifndef FK_KUBELET_SERVER_H
#define FK_KUBELET_SERVER_H

#include "kubelet/endpoints.h"
#include "listener.h"

struct fk_server_setup {
    struct fk_listener listener; /* TLS */
    const struct fk_log *log;
    fk_sha256 sha256;
    const struct fk_configmaps *configmaps; /* NULL: none */
    const struct fk_log_ring *ring;         /* NULL: none */
    const char *always_allowed; /* the API server's client certificate's CN; NULL or "": nobody */
    bool open_health;           /* /healthz, /livez and /readyz for everyone */
    uint32_t authn_hit_ms, authn_miss_ms, authz_allowed_ms, authz_denied_ms;
};

struct fk_conn {
    uint8_t state;
    uint8_t slot;
    bool token_pending; /* authn may refer to the token in http.buf */
    uint64_t since_ms;  /* the state's beginning: deadlines count from here */
    const struct fk_route *route;
    struct fk_exchange exchange;
    struct fk_http1 http;
};

struct fk_server {
    struct fk_server_setup setup;
    struct fk_house house;
    struct fk_authn authn;
    struct fk_authz authz;
    uint8_t next; /* whose turn it is */
    struct fk_conn conns[FK_SERVER_CONNECTIONS];
};

/* Adds authn and authz to the node's duties. */
void fk_server_init(struct fk_server *s, struct fk_node *node, const struct fk_server_setup *setup);

/* Does at most one bounded piece of work for one connection. True: call again at once. */
bool fk_server_step(struct fk_server *s);

/* When step is to be called next even if no pipe has news; absolute ms of the port's clock. */
uint64_t fk_server_due(const struct fk_server *s);

/* Hangs up on everyone. */
void fk_server_stop(struct fk_server *s);

#endif
