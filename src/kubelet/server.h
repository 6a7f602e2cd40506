/* The kubelet's own port: takes connections in, reads requests, finds out who asks and whether they
 * may, answers, and hangs up on those who are slow. What is answered is in kubelet/endpoints.
 *
 * Bounded work per step and one slot after the other, so that no client can hold up another, nor
 * the node. When all slots are taken, the connection that has been idle longest gives way. */
#ifndef FK_KUBELET_SERVER_H
#define FK_KUBELET_SERVER_H

#include "base/heap.h"
#include "kubelet/endpoints.h"
#include "listener.h"

struct fk_server_setup {
    struct fk_listener listener; /* TLS */
    struct fk_heap *heap;        /* for FK_HTTP1_BUF bytes of each request, while it is under way */
    unsigned handshakes;         /* at once, FK_SERVER_HANDSHAKES */
    const struct fk_log *log;
    fk_sha256 sha256;
    const struct fk_configmaps *configmaps; /* NULL: none */
    const struct fk_log_ring *ring;         /* NULL: none */
    const char *always_allowed; /* the API server's client certificate's CN; NULL or "": nobody */
    bool open_health;           /* /healthz, /livez and /readyz for everyone */
    uint32_t authn_hit_ms, authn_miss_ms, authz_allowed_ms, authz_denied_ms;
};

enum fk_conn_state {
    FK_CONN_FREE,
    FK_CONN_HANDSHAKE,
    FK_CONN_OPEN, /* between requests, or amid one's head: http.state says which */
    FK_CONN_AUTHN,
    FK_CONN_AUTHZ,
    FK_CONN_ANSWERING, /* and dropping the rest of the request's body */
    FK_CONN_LEFT,      /* closed, but a review of its token is under way */
};

/* Members are private. */
struct fk_conn {
    uint8_t state; /* enum fk_conn_state */
    uint8_t slot;
    bool served;                   /* an answer has gone out */
    bool amid;                     /* a record has begun, and not ended */
    bool early;                    /* more came than was asked for so far: the answer closes */
    uint64_t since_ms;             /* what the deadline of the state counts from */
    const struct fk_route *route;  /* of the request; NULL: there is no such path */
    const struct fk_user *refused; /* whom a 403 is for, while its text is being written */
    int status;                    /* of the answer */
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

/* Whether step would take in a connection that waits: a slot is free, or can be made so. A port
 * that is woken by its listening socket does not listen while this is false; due covers it. */
bool fk_server_has_room(const struct fk_server *s);

/* Whether bytes from that slot would be read now: a port that is woken by sockets waits for those.
 */
bool fk_server_reads(const struct fk_server *s, unsigned slot);

/* Whether room to send there would be made use of now. */
bool fk_server_sends(const struct fk_server *s, unsigned slot);

/* Hangs up on everyone. */
void fk_server_stop(struct fk_server *s);

#endif
