/* A TCP port of a board as a listener, over lwIP's raw API: the sibling of link/listen_socket, and
 * like link/tcp_lwip it leaves what was received in lwIP's buffers until it is read.
 *
 * Strangers come in here, and lwIP has one set of pools for everybody. So
 *   - each connection has a window of FK_LISTEN_WND and FK_LISTEN_SEGMENTS_EACH segments under way
 *     (link/lwipopts.h); beyond, send says "later";
 *   - the oldest half-open connection gives way to a new SYN, so that a flood of them keeps nobody
 *     out for longer than it lasts, and holds FK_LISTEN_HALF_OPEN buffers at most;
 *   - whatever is missing when the connection to the API server needs it, is taken from the
 * stranger who holds most: his connection is reset (fk_net_relieve).
 *
 * Connections wait in slots that are free, and FK_LISTEN_WAITING more where all are taken. Beyond,
 * SYNs are not answered: the client tries again a second later. */
#ifndef FK_LINK_LISTEN_LWIP_H
#define FK_LINK_LISTEN_LWIP_H

#include "link/net_lwip.h"
#include "listener.h"

#include <lwip/tcp.h>

/* Members are private but for the counters. Does not move after open. */
struct fk_listen_lwip;
struct fk_listen_lwip_slot {
    struct fk_listen_lwip *owner;
    struct tcp_pcb *pcb;
    struct pbuf *received; /* not read yet */
    uint16_t arrival;      /* counts up: who waits longest */
    int16_t err;           /* latched until close */
    uint8_t state;
    bool peer_done; /* it has sent its last byte */
};
struct fk_listen_lwip {
    struct fk_net *net;
    struct tcp_pcb *pcb; /* listening */
    uint16_t arrivals;
    /* The pipes, and behind them who waits while all of those are taken. */
    struct fk_listen_lwip_slot slots[FK_SERVER_CONNECTIONS + FK_LISTEN_WAITING];

    /* Since start: connections that found no room; connections that were reset, or half-open and
     * forgotten, because others needed their memory. */
    uint32_t refused, evicted;
};

/* Port as the operator says (10250), on whatever address the board has or will have. 0 or
 * FK_E_NOMEM. One per program. */
int fk_listen_lwip_open(struct fk_listen_lwip *l, struct fk_net *net, uint16_t port);

/* Resets everyone and stops listening. Idempotent after open. */
void fk_listen_lwip_close(struct fk_listen_lwip *l);

/* Things happen in fk_net_step; all of this only looks.
 *
 * Errors of recv and send: FK_E_CLOSED from recv when the peer has sent its last byte (send may
 * still work then); FK_E_RESET; FK_E_TIMEOUT: no answer any more, our address is gone, or evicted.
 * recv gives an error only behind the last byte that came before it.
 *
 * close hangs up in order, and what was sent last may still be on its way, unless the peer has let
 * us wait for an acknowledgement or a window already: then it resets the connection. Bytes unread
 * are dropped.
 */
struct fk_listener fk_listen_lwip_listener(struct fk_listen_lwip *l);

#endif
