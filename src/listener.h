/* How a server reaches its clients: a fixed number of slots, each of them a pipe that takes in one
 * connection at a time. TCP is one; TLS is a listener over a listener, as it is a pipe over a pipe.
 *
 * Nothing blocks and nothing calls back. One user, no threads. */
#ifndef FK_LISTENER_H
#define FK_LISTENER_H

#include "pipe.h"
#include "user.h"

struct fk_listener_ops {
    /* A connection waits to be taken in. */
    bool (*waiting)(void *ctx);

    /* The pipe of a slot (0 to count - 1). Its open takes in the connection that waits longest: 0,
     * or FK_E_BUSY when none does, or FK_E_NOMEM: the connection was turned away. recv, send and
     * close as in pipe.h; while a handshake is under way, recv and send return 0. */
    struct fk_pipe (*pipe)(void *ctx, unsigned slot);

    /* The handshake is over: recv and send move bytes. */
    bool (*established)(void *ctx, unsigned slot);

    /* Whom a client certificate of the cluster's client CA names; NULL: none was presented, or it
     * is not valid (any more). Valid until the slot's close. */
    const struct fk_user *(*peer)(void *ctx, unsigned slot);

    /* There is work that needs no bytes from below: call recv again rather than sleep. */
    bool (*ready)(void *ctx, unsigned slot);

    /* Part of a record has come and not the rest, which holds memory: whoever stops there is not
     * idle. Of TLS; a listener below has none. */
    bool (*amid)(void *ctx, unsigned slot);
};

struct fk_listener {
    const struct fk_listener_ops *ops;
    void *ctx;
    unsigned count; /* slots, at most FK_SERVER_CONNECTIONS */
};

#endif
