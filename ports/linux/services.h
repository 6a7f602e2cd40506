/* What a node does besides reporting: its own port, and ConfigMaps that configure it. Wires the
 * parts of the core to sockets and files, and wakes the main loop for them. */
#ifndef FK_PORTS_LINUX_SERVICES_H
#define FK_PORTS_LINUX_SERVICES_H

#include "kubelet/server.h"
#include "link/listen_socket.h"
#include "link/tls_server.h"
#include "linux/access.h"
#include "linux/flags.h"

/* Memory for inbound TLS: FK_SERVER_CONNECTIONS sessions, each with a 16 KB record. */
#define FK_SERVICES_HEAP_BYTES 131072u

/* Descriptors that the main loop's epoll set has for it: their data.u32, from this on. */
#define FK_SERVICES_WATCH 16

struct fk_services_config {
    const struct fk_flags *flags;
    struct fk_node *node;
    const struct fk_log *log;
    const struct fk_log_ring *ring;
    struct fk_options defaults;
};

struct fk_services {
    struct fk_services_config config;
    bool listens; /* there is a port */
    bool saved;   /* what ConfigMaps set, as well as can be: we are ending */
    struct fk_blob cert, key, client_ca;
    struct fk_listen_socket tcp;
    struct fk_tls_server tls;
    struct fk_server server;
    struct fk_events events;
    struct fk_configmaps configmaps;
    char named[64];   /* the address that our self-signed certificate names */
    uint64_t sign_ms; /* none is signed before */
    bool watches_port;
    uint32_t watched_serial[FK_SERVER_CONNECTIONS];
    uint32_t watched_events[FK_SERVER_CONNECTIONS]; /* 0: not in the epoll set */
    struct fk_heap heap;
    _Alignas(8) uint8_t heap_bytes[FK_SERVICES_HEAP_BYTES];
};

/* After fk_node_init. 0, or FK_E_CONFIG, FK_E_NOMEM: logged, or in words in why. */
int fk_services_init(struct fk_services *s, const struct fk_services_config *config,
                     struct fk_writer *why);

/* One bounded piece of work; true: more may follow at once. */
bool fk_services_step(struct fk_services *s);
uint64_t fk_services_due(const struct fk_services *s);

/* Before each sleep: which sockets are to wake us. False: the kernel refused. */
bool fk_services_watch(struct fk_services *s, int epoll_fd);

/* Saves what ConfigMaps set, and hangs up. May be called again. What the API server is still being
 * asked for it may be answered after this. */
void fk_services_stop(struct fk_services *s);

/* Forgets its secrets. After fk_services_stop, and when the node's client is shut down. */
void fk_services_wipe(struct fk_services *s);

/* What it knows for /metrics. */
void fk_services_figures(const struct fk_services *s, struct fk_port_figures *out);

#endif
