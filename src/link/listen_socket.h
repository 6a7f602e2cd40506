/* A TCP port of this host as a listener, over BSD sockets. Owns the sockets; whoever sleeps watches
 * their descriptors. Linux. */
#ifndef FK_LINK_LISTEN_SOCKET_H
#define FK_LINK_LISTEN_SOCKET_H

#include "base/log.h"
#include "listener.h"

/* Connections that the system keeps waiting, count. */
#define FK_LISTEN_BACKLOG 16

/* Members are private. Does not move after open. */
struct fk_listen_socket;
struct fk_listen_slot {
    struct fk_listen_socket *owner;
    int fd; /* -1: none */
    uint32_t serial;
    bool blocked; /* took less than it was offered */
    int16_t err;  /* latched until close */
};
struct fk_listen_socket {
    const struct fk_log *log;
    int fd; /* -1: closed */
    uint16_t port;
    int spare; /* given up for a moment, to turn away who finds no descriptor left; -1: lost */
    bool starved;
    int64_t retry_ms; /* nobody waits until then, for he could not be taken in */
    struct fk_listen_slot slots[FK_SERVER_CONNECTIONS];
};

/* address: an IP literal without brackets, "0.0.0.0" for all of version 4, "::" for all; port 0: a
 * free one. log must stay valid. 0, or FK_E_CONFIG with the reason and a way out in the log (port
 * in use, not permitted, no such address), or FK_E_NOMEM. After an error it is closed. */
int fk_listen_socket_open(struct fk_listen_socket *l, const char *address, uint16_t port,
                          const struct fk_log *log);

/* Hangs up on everyone. Idempotent after the first open. */
void fk_listen_socket_close(struct fk_listen_socket *l);

uint16_t fk_listen_socket_port(const struct fk_listen_socket *l);

/* Errors of recv and send: FK_E_CLOSED from recv when the peer has sent its last byte (send may
 * still work then), FK_E_RESET, FK_E_TIMEOUT. */
struct fk_listener fk_listen_socket_listener(struct fk_listen_socket *l);

/* For epoll: descriptor (-1: none), a number that is new with each connection, and whether room to
 * write is waited for.
 *
 * The listening descriptor stays readable while connections wait: watch it only while somebody
 * would be taken in, or with EPOLLET. */
int fk_listen_socket_fd(const struct fk_listen_socket *l);
int fk_listen_socket_slot_fd(const struct fk_listen_socket *l, unsigned slot);
uint32_t fk_listen_socket_slot_serial(const struct fk_listen_socket *l, unsigned slot);
bool fk_listen_socket_slot_wants_out(const struct fk_listen_socket *l, unsigned slot);

#endif
