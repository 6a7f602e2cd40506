/* A TCP connection as a pipe, over a non-blocking BSD socket. Linux (glibc).
 *
 * Owns name resolution, the socket and the order in which addresses are tried. It never blocks,
 * has no clock and no timeouts: a caller that loses patience calls close.
 *
 * Names are resolved by glibc's getaddrinfo_a, that is by a helper thread of the C library. A
 * lookup cannot be called off: close leaves it to itself, and the next open takes its answer over
 * (host and port never change). Numeric addresses need no resolver. */
#ifndef FK_LINK_TCP_SOCKET_H
#define FK_LINK_TCP_SOCKET_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pipe.h"

#define FK_TCP_ADDRESS_CAP 46 /* INET6_ADDRSTRLEN */

/* Members are private. Does not move after fk_tcp_init (the resolver's thread knows it). */
struct fk_tcp {
    const char *host;
    char port[6];
    struct gaicb lookup;
    struct addrinfo hints;
    struct addrinfo *addresses; /* freeaddrinfo at close */
    struct addrinfo *next;      /* to be tried when the current one fails */
    int fd;                     /* -1: none */
    uint32_t serial;
    uint8_t state;
    bool lookup_running;
    bool wants_out;
    int16_t err; /* latched until close */
    char local[FK_TCP_ADDRESS_CAP];
    char remote[FK_TCP_ADDRESS_CAP];
    char error[160];
};

/* host: a DNS name or an IP literal without brackets; must stay valid. Opens nothing. */
void fk_tcp_init(struct fk_tcp *t, const char *host, uint16_t port);

/* Errors of recv and send, the same one until close: FK_E_RESOLVE, FK_E_UNREACHABLE (the last of
 * all addresses refused, or no route), FK_E_TIMEOUT, FK_E_RESET; FK_E_CLOSED from recv when the
 * peer has sent its last byte (send may still work then). */
struct fk_pipe fk_tcp_pipe(struct fk_tcp *t);

/* Closes and gives everything back. Waits for a lookup that is still under way, as long as the
 * resolver's own timeouts allow. */
void fk_tcp_free(struct fk_tcp *t);

/* The socket to watch, -1 while there is none. May change in any call to open, recv or send, to a
 * socket with the same number: fk_tcp_serial changes as well then, and an epoll set (which forgot
 * the old one when it was closed) needs the new one added. */
int fk_tcp_fd(const struct fk_tcp *t);
uint32_t fk_tcp_serial(const struct fk_tcp *t);

/* Watch for room to write, too: connecting, or the last send did not take everything. Readability
 * is always of interest. */
bool fk_tcp_wants_out(const struct fk_tcp *t);

/* Milliseconds after which recv is to be called although the socket is silent, because a lookup is
 * under way; -1: no need. */
int fk_tcp_poll_ms(const struct fk_tcp *t);

/* The IP address of our end, "" while not connected. Valid until the next call. */
const char *fk_tcp_local_address(const struct fk_tcp *t);
/* The IP address that we are connected to or last tried, "" before. */
const char *fk_tcp_remote_address(const struct fk_tcp *t);

/* What went wrong last, in words for the log ("connect to 192.0.2.7 port 6443: Connection
 * refused"); "" when nothing did since open. Kept after close. */
const char *fk_tcp_error(const struct fk_tcp *t);

#endif
