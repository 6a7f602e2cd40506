#include "link/net_lwip.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"

#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/iana.h>
#include <lwip/udp.h>
#include <netif/ethernet.h>
#if LWIP_IPV6
#include <lwip/ethip6.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#endif

/* lwIP's clock: TCP's tick, of which its other timers are multiples. */
#define BEAT_MS TCP_TMR_INTERVAL
#define BEATS(ms) ((uint32_t)(ms) / BEAT_MS)

/* The most that is made up for at once, ms. If the loop stood still for longer, the rest is lost:
 * retransmissions in bulk would only end connections. */
#define CATCH_UP_MS (2 * FK_NET_IDLE_MS)

/* In place of lwIP's own check, which knows only buffers of a frame's size. */
#define HEADERS_LEN (SIZEOF_ETH_HDR + (LWIP_IPV6 ? 40 : 20) + 20)
_Static_assert(FK_PBUFS_PER_SEGMENT *PBUF_POOL_BUFSIZE >= HEADERS_LEN + TCP_MSS, "one segment");
_Static_assert(PBUF_POOL_SIZE >= TCP_WND / TCP_MSS * FK_PBUFS_PER_SEGMENT + 2,
               "a whole window, and what passes meanwhile");
_Static_assert(PBUF_POOL_BUFSIZE >= HEADERS_LEN + 40, "headers are read in one piece");
_Static_assert(TCP_SND_BUF >= 2 * TCP_MSS, "a segment is gathered while one is under way");
_Static_assert(TCP_SND_QUEUELEN >= 2 * TCP_SND_BUF / TCP_MSS, "two buffers a segment");
_Static_assert(MEMP_NUM_TCP_SEG >= TCP_SND_QUEUELEN, "one segment a buffer");

/* lwIP's hooks for time and numbers know no context, and there is only one stack. */
static struct fk_net *the_net;

uint32_t fk_net_random(void) {
    uint32_t number = 0;
    const struct fk_net_config *config = &the_net->config;
    /* lwIP cannot be told of a failure. TLS will be, and then nothing worth guessing is sent. */
    if (config->entropy(config->ctx, &number, sizeof number) != 0) {
        number = fk_rng_u32(&the_net->rng);
    }
    return number;
}

/* ---- Frames --------------------------------------------------------------------------------- */

static err_t send_frame(struct netif *netif, struct pbuf *frame) {
    const struct fk_net *n = netif->state;
    const struct fk_nic nic = n->config.nic;
    if (!nic.ops->transmit(nic.ctx, frame->tot_len)) {
        return ERR_MEM; /* TCP keeps the segment and tries again */
    }
    for (const struct pbuf *p = frame; p != NULL; p = p->next) {
        nic.ops->write(nic.ctx, p->payload, p->len);
    }
    return ERR_OK;
}

/* What strangers hold goes when the pool is empty, then what is kept behind a gap: this may be the
 * segment that fills it. */
static struct pbuf *alloc_frame(const struct fk_net *n, size_t len) {
    struct pbuf *frame = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_POOL);
    while (frame == NULL && fk_net_relieve(n)) {
        frame = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_POOL);
    }
    if (frame == NULL) {
        PBUF_CHECK_FREE_OOSEQ();
        frame = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_POOL);
    }
    return frame;
}

/* False: there was none. */
static bool receive_frame(struct fk_net *n) {
    const struct fk_nic nic = n->config.nic;
    const size_t len = nic.ops->receive(nic.ctx);
    if (len == 0) {
        return false;
    }
    struct pbuf *frame = len <= FK_NIC_FRAME_MAX ? alloc_frame(n, len) : NULL;
    if (frame == NULL) {
        n->dropped++;
        return true;
    }
    for (const struct pbuf *p = frame; p != NULL; p = p->next) {
        nic.ops->read(nic.ctx, p->payload, p->len);
    }
    if (n->netif.input(frame, &n->netif) != ERR_OK) {
        (void)pbuf_free(frame);
    }
    return true;
}

/* An answer to somebody who may be anybody: an ICMP message, the reset of a connection that we do
 * not have, or the answer to a SYN, which is repeated. */
static bool is_mere_answer(const struct pbuf *packet) {
    const struct ip_hdr *ip = packet->payload;
    if (IPH_PROTO(ip) == IP_PROTO_ICMP) {
        return true;
    }
    const uint16_t header_len = IPH_HL_BYTES(ip);
    struct tcp_hdr tcp;
    return IPH_PROTO(ip) == IP_PROTO_TCP &&
           pbuf_copy_partial(packet, &tcp, sizeof tcp, header_len) == sizeof tcp &&
           ((TCPH_FLAGS(&tcp) & TCP_RST) != 0 ||
            (TCPH_FLAGS(&tcp) & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK));
}

static bool is_resolved(struct netif *netif, const ip4_addr_t *address) {
    struct eth_addr *mac;
    const ip4_addr_t *entry;
    return etharp_find_addr(netif, address, &mac, &entry) >= 0;
}

/* etharp_output, but for mere answers to unknown neighbors: those would wait for ARP in memory that
 * the connection needs, and push its neighbors out of the ARP table. They are dropped, and the
 * neighbor is asked for: a ping is answered from its second packet on. */
static err_t send_packet(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to) {
    const bool local = ip4_addr_net_eq(to, netif_ip4_addr(netif), netif_ip4_netmask(netif));
    const ip4_addr_t *hop = local ? to : netif_ip4_gw(netif);
    if (is_mere_answer(packet) && !ip4_addr_isany(hop) && !is_resolved(netif, hop)) {
        (void)etharp_request(netif, hop);
        return ERR_RTE; /* TCP keeps the answer to a SYN, and tries again at its next tick */
    }
    return etharp_output(netif, packet, to);
}

/* ---- Time ----------------------------------------------------------------------------------- */

static void beat(struct fk_net *n) {
    n->beats++;
    tcp_tmr();
    if (n->beats % BEATS(DHCP_FINE_TIMER_MSECS) == 0) {
        dhcp_fine_tmr();
    }
    if (n->beats % BEATS(ARP_TMR_INTERVAL) == 0) {
        etharp_tmr();
        dns_tmr();
#if LWIP_IPV6
        nd6_tmr();
#endif
    }
#if LWIP_IPV6
    if (n->beats % BEATS(MLD6_TMR_INTERVAL) == 0) {
        mld6_tmr();
    }
#endif
    if (n->beats % BEATS(DHCP_COARSE_TIMER_MSECS) == 0) {
        dhcp_coarse_tmr();
    }
}
_Static_assert(ARP_TMR_INTERVAL == DNS_TMR_INTERVAL, "one beat for both");

static void run_timers(struct fk_net *n) {
    const uint64_t now_ms = n->config.mono_ms(n->config.ctx);
    if (now_ms > n->beat_ms + CATCH_UP_MS) {
        n->beat_ms = now_ms - CATCH_UP_MS;
    }
    while (now_ms >= n->beat_ms + BEAT_MS) {
        n->beat_ms += BEAT_MS;
        beat(n);
    }
}

static bool tcp_waits(const struct tcp_pcb *pcb) {
    return pcb->state != ESTABLISHED || pcb->unsent != NULL || pcb->unacked != NULL ||
           pcb->ooseq != NULL || (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND)) != 0;
}

/* Something is under way that is repeated or given up by the clock. ARP needs no asking: whom it
 * looks for has a packet of TCP, DNS or DHCP waiting. */
static bool is_waiting(const struct fk_net *n) {
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (tcp_waits(pcb)) {
            return true;
        }
    }
    /* A second UDP port besides DHCP's is that of a DNS lookup. */
    const bool looking_up = udp_pcbs != NULL && udp_pcbs->next != NULL;
    return looking_up || n->dhcp.request_timeout != 0;
}

uint64_t fk_net_due(const struct fk_net *n) {
    return fk_after(n->beat_ms, is_waiting(n) ? BEAT_MS : FK_NET_IDLE_MS);
}

/* ---- Link and address ------------------------------------------------------------------------ */

static void look_at_link(struct fk_net *n) {
    const struct fk_nic nic = n->config.nic;
    const bool link = nic.ops->link(nic.ctx);
    if (link == n->link) {
        return;
    }
    n->link = link;
    n->changes++;
    if (link) {
        fk_log(n->config.log, FK_INFO, "link up", FK_INT("changes", n->changes));
        netif_set_link_up(&n->netif); /* DHCP asks at once whether the address still holds */
    } else {
        fk_log(n->config.log, FK_WARN, "link down", FK_INT("changes", n->changes));
        netif_set_link_down(&n->netif);
    }
}

/* Chips need up to 3 s to find a partner. */
#define FIRST_LINK_MS 5000

static void look_for_first_link(struct fk_net *n) {
    const bool waits = n->changes == 0 && n->beats >= FIRST_LINK_MS / BEAT_MS;
    if (waits && !n->waits_for_link) {
        fk_log(n->config.log, FK_WARN, "no link",
               FK_STR("advice", "plug the cable in, at both ends"));
    }
    n->waits_for_link = waits;
}

static const ip_addr_t *current_address(const struct fk_net *n) {
#if LWIP_IPV6
    for (s8_t i = 1; ip4_addr_isany(netif_ip4_addr(&n->netif)) && i < LWIP_IPV6_NUM_ADDRESSES;
         i++) { /* the first is link-local */
        if (ip6_addr_ispreferred(netif_ip6_addr_state(&n->netif, i))) {
            return netif_ip_addr6(&n->netif, i);
        }
    }
#endif
    return netif_ip_addr4(&n->netif);
}

static void log_address(const struct fk_net *n, const char *message) {
    char gateway[IP4ADDR_STRLEN_MAX], dns[IPADDR_STRLEN_MAX];
    (void)ip4addr_ntoa_r(netif_ip4_gw(&n->netif), gateway, sizeof gateway);
    (void)ipaddr_ntoa_r(dns_getserver(0), dns, sizeof dns);
    fk_log(n->config.log, FK_INFO, message, FK_STR("address", n->address),
           FK_STR("gateway", gateway), FK_STR("dns", dns));
}

/* lwIP writes IPv6 addresses in capitals, everybody else in small letters (RFC 5952 §4.3). */
static void lower(char *text) {
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'F') *text = (char)(*text - 'A' + 'a');
}

static void look_at_address(struct fk_net *n) {
    const ip_addr_t *address = current_address(n);
    const bool other_gateway = !ip4_addr_eq(&n->known_gateway, netif_ip4_gw(&n->netif));
    if (ip_addr_eq(&n->known, address) && !other_gateway) {
        return;
    }
    const bool had = *n->address != '\0', has = !ip_addr_isany(address);
    ip_addr_copy(n->known, *address);
    ip4_addr_copy(n->known_gateway, *netif_ip4_gw(&n->netif));
    if (had && !has) {
        fk_log(n->config.log, FK_WARN, "address lost", FK_STR("address", n->address));
    }
    n->address[0] = '\0';
    if (has) {
        (void)ipaddr_ntoa_r(address, n->address, sizeof n->address);
        lower(n->address);
        log_address(n, had ? "address changed" : "address obtained");
    }
    n->changes++;
}

/* Said once, however long it lasts: 7 s after the first of so many questions. */
#define DHCP_TRIES_UNANSWERED 4

static void look_at_dhcp(struct fk_net *n) {
    const bool waits = n->link && *n->address == '\0' && n->dhcp.tries >= DHCP_TRIES_UNANSWERED;
    if (waits && !n->waits_for_dhcp) {
        fk_log(n->config.log, FK_WARN, "waiting for an address: no DHCP server answers",
               FK_INT("tries", n->dhcp.tries));
    }
    n->waits_for_dhcp = waits;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static err_t begin_netif(struct netif *netif) {
    struct fk_net *n = netif->state;
    const struct fk_nic nic = n->config.nic;
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->output = send_packet;
#if LWIP_IPV6
    netif->output_ip6 = ethip6_output;
#endif
    netif->linkoutput = send_frame;
    netif->mtu = 1500;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    nic.ops->address(nic.ctx, netif->hwaddr);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
#if LWIP_IPV6
    netif->flags |= NETIF_FLAG_MLD6;
#endif
    return ERR_OK;
}

static void set_hostname(struct fk_net *n) {
    const char *name = n->config.hostname;
    if (name != NULL && strlen(name) > FK_NET_HOSTNAME_MAX) {
        fk_log(n->config.log, FK_WARN, "host name too long for DHCP: not sent",
               FK_STR("hostname", name));
        name = NULL;
    }
    netif_set_hostname(&n->netif, name);
}

int fk_net_init(struct fk_net *n, const struct fk_net_config *config) {
    *n = (struct fk_net){.config = *config};
    uint64_t seed;
    int err = config->entropy(config->ctx, &seed, sizeof seed);
    if (err != 0) {
        return err;
    }
    err = config->nic.ops->start(config->nic.ctx);
    if (err != 0) {
        return err;
    }
    fk_rng_seed(&n->rng, seed);
    n->beat_ms = config->mono_ms(config->ctx);
    the_net = n;
    lwip_init();
    (void)netif_add(&n->netif, NULL, NULL, NULL, n, begin_netif, ethernet_input);
    netif_set_default(&n->netif);
    set_hostname(n);
    netif_set_up(&n->netif);
#if LWIP_IPV6
    netif_create_ip6_linklocal_address(&n->netif, 1);
#endif
    dhcp_set_struct(&n->netif, &n->dhcp);
    (void)dhcp_start(&n->netif); /* waits for the link */
    return 0;
}

bool fk_net_step(struct fk_net *n) {
    look_at_link(n);
    /* Frames first: what is already here need not be asked for again. */
    int moved = 0;
    while (moved < FK_NET_FRAMES_PER_STEP && receive_frame(n)) {
        moved++;
    }
    run_timers(n);
    look_at_address(n);
    look_for_first_link(n);
    look_at_dhcp(n);
    return moved == FK_NET_FRAMES_PER_STEP;
}

bool fk_net_link(const struct fk_net *n) { return n->link; }

const char *fk_net_address(const struct fk_net *n) { return n->address; }

uint64_t fk_net_gateway_id(const struct fk_net *n) {
    struct eth_addr *mac;
    const ip4_addr_t *entry;
    const ip4_addr_t *gateway = netif_ip4_gw(&n->netif);
    if (ip4_addr_isany(gateway) || etharp_find_addr(NULL, gateway, &mac, &entry) < 0) {
        return 0;
    }
    uint64_t id = 0;
    for (size_t i = 0; i < sizeof mac->addr; i++) {
        id = id << 8 | mac->addr[i];
    }
    return id;
}

void fk_net_set_relief(struct fk_net *n, bool (*relief)(void *ctx), void *ctx) {
    n->relief = relief;
    n->relief_ctx = ctx;
}

bool fk_net_relieve(const struct fk_net *n) {
    return n->relief != NULL && n->relief(n->relief_ctx);
}

void fk_net_forget_neighbors(struct fk_net *n) { etharp_cleanup_netif(&n->netif); }

uint32_t fk_net_changes(const struct fk_net *n) { return n->changes; }

uint32_t fk_net_dropped(const struct fk_net *n) { return n->dropped; }
