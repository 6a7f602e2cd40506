/* The main loop: steps the node, sleeps until the socket, a signal or the next deadline, and leaves
 * in order when asked to. */
#ifndef FK_PORTS_LINUX_RUN_H
#define FK_PORTS_LINUX_RUN_H

#include "kubelet/node.h"
#include "link/tcp_socket.h"
#include "link/tls.h"
#include "linux/services.h"
#include "linux/token.h"

/* Patience after the first signal: for the last status, then for saying goodbye. */
#define FK_LEAVE_MS 3000
#define FK_GOODBYE_MS 1000

enum fk_run_phase { FK_RUN_NODE, FK_RUN_LEAVING, FK_RUN_GOODBYE };

struct fk_run {
    struct fk_node *node;
    struct fk_tls *tls;
    struct fk_tcp *tcp;
    struct fk_services *services;
    struct fk_access *access; /* its token is read again, see linux/token.h */
    const struct fk_log *log;

    enum fk_run_phase phase;
    uint64_t patience_ms; /* when the phase ends at the latest; FK_NEVER */
    int epoll_fd, timer_fd, signal_fd;
    uint32_t watched_serial; /* of the socket in the epoll set */
    uint32_t watched_events; /* 0: it is not in there */
    uint64_t timer_ms;       /* what timer_fd is set to; FK_NEVER: off */
    struct fk_token token;
    uint32_t connects;       /* connections that have been looked at */
    uint64_t certificate_ms; /* when its end may be warned of again */
    uint32_t explained;      /* tries whose failure has been looked at */
    char last_error[160];    /* already told since the last connection */
    uint64_t sleeps;         /* for the log and for tests: calls of epoll_wait */
};

/* Blocks SIGTERM and SIGINT and opens what it needs; the members above the line are the caller's.
 * Before any thread is started. 0, or FK_E_NOMEM (no descriptors or memory). */
int fk_run_init(struct fk_run *r);

/* Until left: returns 0, or 128 + n after a second signal n. */
int fk_run(struct fk_run *r);

/* Warns when our certificate ends within a week. False when it is over. */
bool fk_run_check_certificate(const struct fk_tls *tls, const struct fk_log *log);

#endif
