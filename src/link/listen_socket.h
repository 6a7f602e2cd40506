/* A TCP port of this host as a listener, over BSD sockets. Owns the sockets; whoever sleeps watches
 * their descriptors. */
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
    int16_t err;
};
struct fk_listen_socket {
    int fd; /* -1: closed */
    uint16_t port;
    struct fk_listen_slot slots[FK_SERVER_CONNECTIONS];
};

/* address: an IP literal, "0.0.0.0" or "::" for all; port 0: a free one. 0, or FK_E_CONFIG with the
 * reason in the log (in use: by whom to look for it; not permitted; no such address). */
int fk_listen_socket_open(struct fk_listen_socket *l, const char *address, uint16_t port,
                          const struct fk_log *log);
void fk_listen_socket_close(struct fk_listen_socket *l); /* idempotent */

uint16_t fk_listen_socket_port(const struct fk_listen_socket *l);
struct fk_listener fk_listen_socket_listener(struct fk_listen_socket *l);

/* For epoll: descriptor (-1: none), a number that is new with each connection, and whether room to
 * write is waited for. */
int fk_listen_socket_fd(const struct fk_listen_socket *l);
int fk_listen_socket_slot_fd(const struct fk_listen_socket *l, unsigned slot);
uint32_t fk_listen_socket_slot_serial(const struct fk_listen_socket *l, unsigned slot);
bool fk_listen_socket_slot_wants_out(const struct fk_listen_socket *l, unsigned slot);

#endif
