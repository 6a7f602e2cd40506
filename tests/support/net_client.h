/* Clients on the network of support/net_peer, that connect to a port of the node. They acknowledge
 * what they get and do what the test says. */
#ifndef FK_TESTS_SUPPORT_NET_CLIENT_H
#define FK_TESTS_SUPPORT_NET_CLIENT_H

#include "support/net_peer.h"

struct net_client {
    struct net_client *next; /* of net_peer's list */
    uint32_t address;
    uint16_t port, to;
    bool manual; /* acknowledges nothing by itself */
    bool connected, got_fin, got_rst;
    uint16_t window; /* that it advertises */
    uint32_t snd_nxt, rcv_nxt;
    unsigned segments;
    struct net_segment last; /* from the node */
    uint8_t got[NET_PEER_GOT];
    size_t got_len; /* goes on counting where got is full */
};

/* Sends a SYN; the handshake is finished when its answer comes. address: on the network (192.0.2.x,
 * 0xc00002xx), or elsewhere, by way of the router. A client that had a connection begins anew. */
void net_client_connect(struct net_peer *p, struct net_client *c, uint32_t address, uint16_t port,
                        uint16_t to);
/* A segment with the present numbers, moving them on. */
void net_client_send(struct net_peer *p, struct net_client *c, unsigned flags, const void *payload,
                     size_t len);
/* The same with a number of its own, moving nothing. */
void net_client_send_at(struct net_peer *p, const struct net_client *c, uint32_t seq,
                        unsigned flags, const void *payload, size_t len);

/* For net_peer: false, it is none of ours. */
bool net_client_take(struct net_peer *p, uint32_t to, const struct net_segment *s,
                     const uint8_t *payload);

#endif
