/* A TCP connection as a pipe, over lwIP's raw API. The sibling of link/tcp_socket, with the same
 * errors: names are resolved by lwIP's DNS client, the addresses of a name are tried in order.
 *
 * Received data stays in lwIP's buffers until it is read, and only then opens the window: a slow
 * reader slows the sender and nothing more. */
#ifndef FK_LINK_TCP_LWIP_H
#define FK_LINK_TCP_LWIP_H

#include "base/err.h"
#include "link/net_lwip.h"
#include "pipe.h"

#include <lwip/tcp.h>

/* Members are private. Does not move after fk_tcp_lwip_init. */
struct fk_tcp_lwip {
    const struct fk_net *net;
    const char *host;
    uint16_t port;
    uint8_t state;
    int16_t err;      /* latched until close */
    uint32_t attempt; /* answers of the resolver to a former one are ignored */
    struct tcp_pcb *pcb;
    struct pbuf *received; /* not read yet */
    uint16_t read_len;     /* bytes of its first buffer that were read */
    bool peer_done;        /* it has sent its last byte */
    const char *error;     /* for the log; static text */
};

/* host: a DNS name or an IP literal without brackets; must stay valid. Opens nothing. */
void fk_tcp_lwip_init(struct fk_tcp_lwip *t, const struct fk_net *net, const char *host,
                      uint16_t port);

/* Errors of recv and send, the same one until close: FK_E_RESOLVE, FK_E_UNREACHABLE (refused, or no
 * route, link or address), FK_E_TIMEOUT, FK_E_RESET; FK_E_CLOSED from recv when the peer has sent
 * its last byte. */
struct fk_pipe fk_tcp_lwip_pipe(struct fk_tcp_lwip *t);

/* What went wrong last, in words for the log; "" when nothing did since open. Kept after close. */
const char *fk_tcp_lwip_error(const struct fk_tcp_lwip *t);

#endif
