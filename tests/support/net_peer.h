/* A network in a variable: what is on the other end of a struct fk_nic. Plays the cable, the
 * router with its DHCP and DNS server, and one TCP server that does what the test says. Virtual
 * time, nothing sleeps. Knows no lwIP: it speaks frames.
 *
 *   192.0.2.1   router, DHCP and DNS, 02:00:00:00:00:01
 *   192.0.2.7   the TCP server, 02:00:00:00:00:07
 *   192.0.2.50  what DHCP gives at first; the chip is 02:00:00:00:00:50 */
#ifndef FK_TESTS_SUPPORT_NET_PEER_H
#define FK_TESTS_SUPPORT_NET_PEER_H

#include "nic.h"

#define NET_PEER_ROUTER 0xc0000201u
#define NET_PEER_SERVER 0xc0000207u
#define NET_PEER_NODE 0xc0000232u
#define NET_PEER_FRAMES 64 /* that wait for the stack; more are lost */
#define NET_PEER_GOT 8192  /* bytes of payload that the server keeps */

enum net_peer_flag { NET_FIN = 1, NET_SYN = 2, NET_RST = 4, NET_PSH = 8, NET_ACK = 16 };

/* The last TCP segment from the node. */
struct net_segment {
    uint16_t from, to;
    uint32_t seq, ack;
    uint8_t flags; /* enum net_peer_flag */
    uint16_t window;
    uint16_t mss; /* option; 0: none */
    uint16_t len;
};

struct net_client;

struct net_peer {
    uint64_t now_ms;
    uint32_t random; /* what entropy gives next; counts up */
    bool no_entropy;

    /* the chip and its cable */
    int start_err;
    bool link;
    bool full;       /* no room for a frame to be sent */
    unsigned lose;   /* so many frames from the node are lost */
    unsigned writes; /* pieces of frames written by the stack */
    uint8_t waiting[NET_PEER_FRAMES][FK_NIC_FRAME_MAX];
    size_t waiting_len[NET_PEER_FRAMES];
    size_t first, count, read_at;
    uint8_t out[FK_NIC_FRAME_MAX];
    size_t out_len, out_at;
    unsigned frames, armed;
    /* Frames of the node that are heard in one and the same millisecond: two that answer each
     * other without end would otherwise do so in no time at all. */
    unsigned burst, burst_max;
    uint64_t burst_ms;

    /* ARP */
    bool no_arp;
    uint8_t
        chip; /* third byte of all MAC addresses but the node's: another one is other machines */
    unsigned arp_asked, arp_answered;

    /* DHCP */
    bool no_dhcp;
    bool nak;
    uint32_t lease_address, lease_router, lease_dns;
    uint32_t lease_s;
    unsigned discovers, requests, releases;
    bool last_request_unicast;
    uint32_t xid;
    char hostname[65];

    /* DNS */
    enum { NET_DNS_ANSWERS, NET_DNS_REFUSES, NET_DNS_SILENT } dns;
    unsigned queries;
    uint16_t dns_port, dns_id;
    uint32_t dns_answer, dns_ttl;
    uint8_t dns_query[300]; /* the last one, from its header on */
    size_t dns_query_len;

    /* the TCP server */
    bool manual; /* it acknowledges nothing by itself */
    unsigned segments;
    struct net_segment last;
    uint16_t node_port;
    uint32_t snd_nxt, rcv_nxt;
    uint16_t window; /* that the server advertises */
    uint8_t got[NET_PEER_GOT];
    size_t got_len;
    bool got_fin;

    unsigned pings_answered, unreachables;

    struct net_client *clients; /* see support/net_client.h */
};

void net_peer_init(struct net_peer *p);
struct fk_nic net_peer_nic(struct net_peer *p);
/* For struct fk_net_config, with ctx the peer. */
uint64_t net_peer_mono_ms(void *ctx);
int net_peer_entropy(void *ctx, void *buf, size_t len);

/* A frame for the stack; lost when NET_PEER_FRAMES wait already or the cable is out. */
void net_peer_frame(struct net_peer *p, const void *bytes, size_t len);

/* An IPv4 packet of the server's or of a stranger's, for the node's address; checksums made. */
void net_peer_ip(struct net_peer *p, uint32_t from, uint8_t proto, const void *payload, size_t len);
void net_peer_udp(struct net_peer *p, uint32_t from, uint16_t from_port, uint16_t to_port,
                  const void *payload, size_t len);
void net_peer_ping(struct net_peer *p, uint32_t from, size_t len);
void net_peer_arp(struct net_peer *p, uint32_t from, uint32_t whom);
/* Answers the last query, on the port and with the id given. */
void net_peer_dns_reply(struct net_peer *p, uint16_t port, uint16_t id);

/* A segment of the server's, with its present numbers; payload moves snd_nxt on, as do SYN and FIN.
 */
void net_peer_tcp(struct net_peer *p, unsigned flags, const void *payload, size_t len);
/* The same with a number of its own, moving nothing: repeated, early, or out of the blue. */
void net_peer_tcp_at(struct net_peer *p, uint32_t seq, unsigned flags, const void *payload,
                     size_t len);
/* Any segment at all; from: the sender's address. */
void net_peer_segment(struct net_peer *p, uint32_t from, const struct net_segment *s,
                      const void *payload);
/* From anybody to any port. */
void net_peer_tcp_stray(struct net_peer *p, uint32_t from, uint16_t from_port, uint16_t to_port,
                        unsigned flags);

#endif
