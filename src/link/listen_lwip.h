/* A TCP port of a board as a listener, over lwIP's raw API: the sibling of link/listen_socket, and
 * built on link/tcp_lwip's way to hold what was received.
 *
 * Strangers come in here, so each connection has a window of FK_LISTEN_WND only, and what it may
 * hold of lwIP's pools is less than what the connection to the API server needs (link/lwipopts.h).
 * At most FK_LISTEN_WAITING connections wait to be taken in; who comes then is told RST, or, where
 * slots are all taken, tries again by TCP's own means. */
#ifndef FK_LINK_LISTEN_LWIP_H
#define FK_LINK_LISTEN_LWIP_H

#include "link/net_lwip.h"
#include "listener.h"

#include <lwip/tcp.h>

/* Received bytes that one connection may have under way. */
#ifndef FK_LISTEN_WND
#define FK_LISTEN_WND (2 * TCP_MSS)
#endif
#define FK_LISTEN_WAITING 1

/* Members are private. Does not move after open. */
struct fk_listen_lwip;
struct fk_listen_lwip_slot {
    struct fk_listen_lwip *owner;
    struct tcp_pcb *pcb;
    struct pbuf *received;
    int16_t err;
    uint8_t state;
    bool peer_done;
};
struct fk_listen_lwip {
    struct fk_net *net;
    struct tcp_pcb *pcb;                /* listening */
    struct fk_listen_lwip_slot waiting; /* not yet in a slot */
    struct fk_listen_lwip_slot slots[FK_SERVER_CONNECTIONS];
    uint32_t refused; /* connections turned away, since start */
};

/* Port as the operator says (10250), on whatever address the board has or will have. 0 or
 * FK_E_NOMEM.
 */
int fk_listen_lwip_open(struct fk_listen_lwip *l, struct fk_net *net, uint16_t port);
struct fk_listener fk_listen_lwip_listener(struct fk_listen_lwip *l);

#endif
