/* A TCP connection as a pipe, over lwIP's raw API. The sibling of link/tcp_socket, with the same
 * errors: names are resolved by lwIP's DNS client, which gives one address of a name.
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
    struct fk_net *net;
    const char *host;
    uint16_t port;
    int16_t err; /* latched until close */
    uint8_t state;
    bool looking_up; /* lwIP owes an answer; it cannot be called off */
    bool peer_done;  /* it has sent its last byte */
    struct tcp_pcb *pcb;
    struct pbuf *received; /* not read yet */
    const char *error;     /* for the log; static text */
};

/* host: a DNS name or an IP literal without brackets; must stay valid. Opens nothing. */
void fk_tcp_lwip_init(struct fk_tcp_lwip *t, struct fk_net *net, const char *host, uint16_t port);

/* Things happen in fk_net_step; recv and send only look.
 *
 * Errors of open, recv and send, the same one until close: FK_E_RESOLVE, FK_E_UNREACHABLE (refused,
 * or no route or address), FK_E_TIMEOUT, FK_E_RESET, FK_E_NOMEM (no buffer for a lookup or a SYN);
 * FK_E_CLOSED from recv when the peer has sent its last byte (send may still work then). recv gives
 * an error only behind the last byte that came before it.
 *
 * close hangs up in order when what was sent has arrived, but for last words; otherwise, or
 * with bytes unread, it resets the connection, so that what it held in memory is free for the next.
 */
struct fk_pipe fk_tcp_lwip_pipe(struct fk_tcp_lwip *t);

/* What went wrong last, in words for the log ("connection refused"); "" when nothing did since
 * open. Kept after close. */
const char *fk_tcp_lwip_error(const struct fk_tcp_lwip *t);

#endif
