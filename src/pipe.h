/* The byte pipe: how the core reaches a peer, and how TLS reaches a socket.
 *
 * A pipe never blocks and never calls back. TLS is a pipe over a pipe; so are a fault injector and
 * a recorder. One user at a time, no threads. */
#ifndef FK_PIPE_H
#define FK_PIPE_H

#include <stddef.h>

struct fk_pipe_ops {
    /* Starts a new connection, after init or after close. Returns at once: 0, or a negative
     * enum fk_err. While the connection is being made, recv and send return 0. */
    int (*open)(void *ctx);

    /* Moves up to cap (> 0) bytes into buf. Returns the count moved (> 0), 0 for "later", or a
     * negative enum fk_err when the connection has ended (FK_E_CLOSED: in order). */
    int (*recv)(void *ctx, void *buf, size_t cap);

    /* Takes up to len (> 0) bytes from buf. Returns the count taken (> 0), 0 for "later", or a
     * negative enum fk_err. What was taken may still be on its way when the pipe is closed. */
    int (*send)(void *ctx, const void *buf, size_t len);

    /* Ends the connection, in order where that needs no waiting. Idempotent; open may follow. */
    void (*close)(void *ctx);
};

struct fk_pipe {
    const struct fk_pipe_ops *ops;
    void *ctx; /* owned by whoever made the pipe; outlives every call */
};

static inline int fk_pipe_open(struct fk_pipe p) { return p.ops->open(p.ctx); }
static inline int fk_pipe_recv(struct fk_pipe p, void *buf, size_t cap) {
    return p.ops->recv(p.ctx, buf, cap);
}
static inline int fk_pipe_send(struct fk_pipe p, const void *buf, size_t len) {
    return p.ops->send(p.ctx, buf, len);
}
static inline void fk_pipe_close(struct fk_pipe p) { p.ops->close(p.ctx); }

#endif
