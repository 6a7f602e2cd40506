/* lwIP for a node: which parts of it, and how much of each. Included by lwip/opt.h, which has the
 * defaults and explains every option; this file gives what differs, why, and what it costs.
 *
 * RAM in bytes of a 32-bit machine. A board overrides what stands in #ifndef with -D or in its
 * FK_BOARD_OPTS header. */
#ifndef FK_LINK_LWIPOPTS_H
#define FK_LINK_LWIPOPTS_H

#include <stdint.h>

#include "opts.h"

/* ---- Which parts --------------------------------------------------------------------------- */

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0 /* interrupts only wake the loop */
#define LWIP_SINGLE_NETIF 1
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_RAW 0
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_ICMP 1
#define LWIP_ARP 1
#define LWIP_DHCP 1
#define LWIP_DNS 1

/* 1: also IPv6, addresses by SLAAC, DNS servers by RDNSS. Measured (see the end of this file). */
#ifndef FK_IPV6
#define FK_IPV6 1
#endif
#define LWIP_IPV4 1
#define LWIP_IPV6 FK_IPV6

/* Nobody sends us fragments: TCP keeps to its MSS, DHCP and DNS replies to 576 bytes. Reassembly
 * would be buffers for strangers to fill. IP options serve attackers alone. */
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define IP_OPTIONS_ALLOWED 0

/* lwIP's own timers wake the CPU eight times a second and take a pool; net_lwip.c calls the timer
 * functions itself, and only while there is something to time. */
#define LWIP_TIMERS 0

#define LWIP_NETIF_HOSTNAME 1 /* DHCP option 12 */
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define LWIP_CHECKSUM_CTRL_PER_NETIF 0 /* all checksums, made and checked by us */

/* Counters of pools and protocols: for the tests, which check that all memory comes back. */
#ifndef LWIP_STATS
#define LWIP_STATS 0
#endif

/* ---- TCP ------------------------------------------------------------------------------------ */

/* Payload of a segment, either way. 536 passes every IPv4 link (RFC 9293 §3.7.1), and a small
 * window is still several segments, so that one that is lost does not stop the others. */
#define TCP_MSS 536

/* What a server may have under way to us. A handshake's flight of 2.3 KB takes one round trip more
 * than it would with a window of its size, once per connection; renewals (100 to 200 bytes) never
 * fill it. TLS takes what has arrived of a record, so the window need not hold one. Each further
 * segment costs FK_PBUFS_PER_SEGMENT buffers of the pool below, 656 bytes. */
#ifndef TCP_WND
#define TCP_WND (3 * TCP_MSS)
#endif

/* What we may have under way: a TLS record of 1,024 bytes with its overhead. From the heap below.
 */
#ifndef TCP_SND_BUF
#define TCP_SND_BUF (2 * TCP_MSS)
#endif

/* The same in buffers: records that are smaller than a segment. Then send says "later". */
#define TCP_SND_QUEUELEN 6

/* One write is one TLS record, sent at once: room for later writes behind it would lie idle. */
#define TCP_OVERSIZE 0

/* Segments behind a gap are kept (from the same window and pool); when the pool is empty they go
 * first. */
#define TCP_QUEUE_OOSEQ 1
#define PBUF_POOL_FREE_OOSEQ 1

/* The clock of TCP, ms: delayed ACKs after one tick, retransmission counted in two. With lwIP's
 * 250, a retransmission takes 1 to 1.5 s however near the server is, of the 4.5 s in which the
 * client wants an answer (FK_PING_AFTER_MS + FK_PING_TIMEOUT_MS); with 100 it is 0.4 to 0.6 s at
 * 100 ms of delay, and three tries fit. The ACK also comes before Linux's tail loss probe (200 ms),
 * which would send a Lease's reply twice. */
#define TCP_TMR_INTERVAL 100
#define LWIP_TCP_RTO_TIME 1000 /* the first, RFC 6298 §2 */
/* A SYN is repeated every second: "no answer" after 6 s, before the client's 10 s are over. */
#define TCP_SYNMAXRTX 6
/* 0.6 to 1 s, doubled five times: as long as a closing connection waits for a peer that is gone. */
#define TCP_MAXRTX 5

#define LWIP_TCP_KEEPALIVE 0 /* the client sends PING frames when it matters */

/* ---- Strangers (link/listen_lwip) --------------------------------------------------------------
 *
 * They share the pools below, and give way when the connection to the API server lacks anything: so
 * what the kubelet's own port adds is for their comfort only. */

/* Bytes that one may have under way to us: a ClientHello with a post-quantum key share takes one
 * round trip more. Of the pool below while unread. */
#define FK_LISTEN_WND (2 * TCP_MSS)

/* Segments that one may have under way from us, of half the size: the other end acknowledges two at
 * once, one only after up to 40 ms. And all of them together, so that a peer who has vanished does
 * not hold up the next. */
#define FK_LISTEN_SEGMENTS_EACH 2
#define FK_LISTEN_SEGMENTS 3

/* Connections that wait although all slots are taken; and that have not finished TCP's handshake.
 */
#define FK_LISTEN_WAITING 1
#define FK_LISTEN_HALF_OPEN 2

#if FK_SERVER
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1 /* tells listen_lwip.c of a SYN; x 8 for each connection */
#define FK_LISTEN_PCBS                                                                             \
    (FK_SERVER_CONNECTIONS + FK_LISTEN_WAITING) /* half-open ones: the others'                     \
                                                 */
#define FK_LISTEN_SEGS 6                        /* FK_LISTEN_SEGMENTS, and a SYN or FIN each */
#define FK_LISTEN_PBUFS 6 /* somebody's window, while the API server's is not full */
/* Segments of 268 bytes, 368 with their headers; SYN or FIN, 108. */
#define FK_LISTEN_MEM (FK_LISTEN_SEGMENTS * 368 + FK_LISTEN_HALF_OPEN * 108)
#else
#define FK_LISTEN_PCBS 0
#define FK_LISTEN_SEGS 0
#define FK_LISTEN_PBUFS 0
#define FK_LISTEN_MEM 0
#endif

/* ---- Pools ---------------------------------------------------------------------------------- */

/* Received frames lie in chains of small buffers: an ACK (60 bytes) takes one, a renewal's reply
 * two, a full segment four. Buffers of a frame's size would hold the same window in as much RAM,
 * but of ACKs and ARP frames only four at once.
 *   14 x (148 + 16) = 2,296 bytes: a whole window, and two for what passes meanwhile. */
#if FK_IPV6
#define PBUF_POOL_BUFSIZE 156 /* the header is longer by 20 */
#else
#define PBUF_POOL_BUFSIZE 148
#endif
#ifndef PBUF_POOL_SIZE
#define PBUF_POOL_SIZE (14 + FK_LISTEN_PBUFS)
#endif
#define FK_PBUFS_PER_SEGMENT 4 /* checked in net_lwip.c, as is all that lwIP's check presumes */
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

/* The heap: everything that is sent. The largest moment is a full send buffer, 2 x 624, and an ACK
 * or ARP request beside it, 80; a DHCP message, 440, finds room while less is under way and is
 * repeated otherwise.
 *   1,400 bytes; more on hosts, whose pointers are longer. */
#if UINTPTR_MAX > UINT32_MAX
#define MEM_ALIGNMENT 8
#define MEM_SIZE (2400 + FK_LISTEN_MEM * 4 / 3)
#else
#define MEM_ALIGNMENT 4
#ifndef MEM_SIZE
#define MEM_SIZE (1400 + FK_LISTEN_MEM)
#endif
#endif

/* x 156: the connection, and the one before it while it ends */
#define MEMP_NUM_TCP_PCB (2 + FK_LISTEN_PCBS)
#define MEMP_NUM_TCP_PCB_LISTEN 1 /* x 28: for the kubelet's server */
/* x 16: TCP_SND_QUEUELEN, and a window behind a gap */
#define MEMP_NUM_TCP_SEG (10 + FK_LISTEN_SEGS)
#define MEMP_NUM_UDP_PCB 2 /* x 32: DHCP, and a DNS lookup on a port of its own */
#define MEMP_NUM_PBUF 0    /* nothing is sent in place */

/* ---- ARP, DHCP, DNS ------------------------------------------------------------------------- */

/* x 24. The gateway, the DNS server, and whoever asks about us: a scan of the network should not
 * at once push out the gateway. */
#define ARP_TABLE_SIZE 6
/* One frame waits for each unresolved address: TCP and DNS repeat what was lost. */
#define ARP_QUEUEING 0

/* Probing whether somebody else has the address that the DHCP server just gave (RFC 5227) takes 2
 * to 7 s of every start and every new address. Servers probe themselves before they give one, and
 * 15 s from the link's return to Ready are all there is: off. What is lost: beside a host that has
 * taken an address of the pool by hand, we would both be disturbed instead of asking for another.
 */
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_ACD 0

#define LWIP_DHCP_BOOTP_FILE 0
#define LWIP_DHCP_GET_NTP_SRV 0
/* Room for a host name of 63 bytes; of a message that lives in the heap while it is sent. */
#define DHCP_OPTIONS_LEN 108

/* Leases are counted in ticks of 10 s, not 60: one of two minutes (dnsmasq's shortest) would
 * otherwise be renewed and lost in the same tick. 32-bit counts, or a month would overflow; +14
 * bytes. */
#define DHCP_COARSE_TIMER_SECS 10
#define DHCP_TIMEOUT_SIZE_T uint32_t
#define DHCP_DEFINE_CUSTOM_TIMEOUTS
#define FK_DHCP_TICKS(s) ((s) / DHCP_COARSE_TIMER_SECS + ((s) < DHCP_COARSE_TIMER_SECS))
#define DHCP_SET_TIMEOUT_FROM_OFFERED_T0_LEASE(res, dhcp)                                          \
    (res) = FK_DHCP_TICKS((dhcp)->offered_t0_lease)
#define DHCP_SET_TIMEOUT_FROM_OFFERED_T1_RENEW(res, dhcp)                                          \
    (res) = FK_DHCP_TICKS((dhcp)->offered_t1_renew)
#define DHCP_SET_TIMEOUT_FROM_OFFERED_T2_REBIND(res, dhcp)                                         \
    (res) = FK_DHCP_TICKS((dhcp)->offered_t2_rebind)
/* No further renewal or rebinding when less than this is left until the next stage, ticks. RFC 2131
 * §4.4.5 says a minute, which in a short lease leaves one try, and 5 % of frames may be lost. */
#define DHCP_NEXT_TIMEOUT_THRESHOLD 2
/* How long to wait for an offer, ms: 1, 2, 4, 8, 8 ... s. A server that is back is found soon. */
#define DHCP_REQUEST_BACKOFF_SEQUENCE(tries) (uint16_t)(1000 << ((tries) < 4 ? (tries)-1 : 3))

/* One name is looked up, the API server's. 128 holds the long ones that clouds hand out. The answer
 * stays for its TTL: x 152. Each of two servers gets three tries in 4 s, within the client's 10 s.
 * Names are looked up only to connect, so believing an answer for longer saves next to nothing; a
 * wrong one, with lwIP's limit of a week, would keep the node away for that week. */
#define DNS_MAX_TTL 30
#define DNS_TABLE_SIZE 1
#define DNS_MAX_RETRIES 3
#define DNS_MAX_NAME_LENGTH 128
#define DNS_MAX_SERVERS 2

/* ---- IPv6 ----------------------------------------------------------------------------------- */

#if FK_IPV6
#define LWIP_ICMP6 1
#define LWIP_IPV6_MLD 1           /* switches that snoop forward neighbor solicitations by it */
#define MEMP_NUM_MLD6_GROUP 3     /* x 28: solicited-node groups of link-local and two prefixes */
#define LWIP_IPV6_NUM_ADDRESSES 3 /* in struct netif, x 25 */
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_DHCP6 0
#define LWIP_ND6_QUEUEING 0
#define LWIP_ND6_NUM_NEIGHBORS 4    /* x 44 */
#define LWIP_ND6_NUM_DESTINATIONS 4 /* x 40 */
#define LWIP_ND6_NUM_PREFIXES 2     /* x 24 */
#define LWIP_ND6_NUM_ROUTERS 1      /* x 12 */
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS DNS_MAX_SERVERS
#endif

/* ---- What it costs --------------------------------------------------------------------------
 *
 * Linked with -Os for Cortex-M3 (GCC 12), with net_lwip.c, tcp_lwip.c and struct fk_net (200):
 *
 *   IPv4      30,300 bytes of flash, 5,076 of static RAM: the pool 2,296, the heap 1,419, TCP
 *             connections 315, segments 163, names 144, neighbors 144
 *   and IPv6  44,400 and 6,190: neighbors, prefixes, longer addresses and buffers
 *
 * A board that will never see IPv6 saves that with -DFK_IPV6=0.
 *
 * The kubelet's own port (FK_SERVER) adds 1,650 of flash with listen_lwip.c, and of RAM, with three
 * connections and IPv6, 3,360: the pool 1,032, the heap 1,320, TCP connections 808, segments 96,
 * struct fk_listen_lwip 100. */

#endif
