#include "support/net_peer.h"

#include <string.h>

#include "base/err.h"
#include "support/net_client.h"

#define ETH 14
#define IP 20

static const uint8_t node_mac[6] = {2, 0, 0, 0, 0, 0x50};

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void put16(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 8 & 0xff);
    p[1] = (uint8_t)(v & 0xff);
}
static void put32(uint8_t *p, uint32_t v) {
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}
static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }

static uint32_t sum(const uint8_t *p, size_t len, uint32_t start) {
    uint32_t s = start;
    for (size_t i = 0; i < len; i++) s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    return s;
}
static uint16_t fold(uint32_t s) {
    while (s > 0xffff) s = (s & 0xffff) + (s >> 16);
    return (uint16_t)(~s & 0xffff);
}
/* Of a packet at its IP header: TCP or UDP with the pseudo header. */
static uint32_t pseudo(const uint8_t *ip, size_t len) {
    return sum(ip + 12, 8, ip[9] + (uint32_t)len);
}

static void mac_of(const struct net_peer *p, uint8_t mac[6], uint32_t address) {
    const uint8_t bytes[6] = {
        2, 0, p->chip, 0, (uint8_t)(address >> 8 & 0xff), (uint8_t)(address & 0xff)};
    memcpy(mac, bytes, 6);
    if ((address & 0xffffff00) == 0xc0000200) mac[4] = 0;
}

/* ---- Towards the node ------------------------------------------------------------------------ */

void net_peer_frame(struct net_peer *p, const void *bytes, size_t len) {
    if (!p->link || p->count == NET_PEER_FRAMES || len > FK_NIC_FRAME_MAX) return;
    const size_t at = (p->first + p->count) % NET_PEER_FRAMES;
    memcpy(p->waiting[at], bytes, len);
    p->waiting_len[at] = len;
    p->count++;
}

static void eth(const struct net_peer *p, uint8_t *frame, uint32_t from, uint16_t type) {
    memcpy(frame, node_mac, 6);
    mac_of(p, frame + 6, from);
    put16(frame + 12, type);
}

static void ip_to(struct net_peer *p, uint32_t from, uint32_t to, uint8_t proto,
                  const void *payload, size_t len) {
    uint8_t frame[FK_NIC_FRAME_MAX] = {0};
    if (len > sizeof frame - ETH - IP) return;
    eth(p, frame, from, 0x0800);
    uint8_t *ip = frame + ETH;
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(IP + len));
    ip[8] = 64;
    ip[9] = proto;
    put32(ip + 12, from);
    put32(ip + 16, to);
    put16(ip + 10, fold(sum(ip, IP, 0)));
    if (len > 0) memcpy(ip + IP, payload, len);
    if (proto == 17) put16(ip + IP + 6, fold(sum(ip + IP, len, pseudo(ip, len))));
    if (proto == 6) put16(ip + IP + 16, fold(sum(ip + IP, len, pseudo(ip, len))));
    net_peer_frame(p, frame, ETH + IP + len < 60 ? 60 : ETH + IP + len);
}

void net_peer_ip(struct net_peer *p, uint32_t from, uint8_t proto, const void *payload,
                 size_t len) {
    ip_to(p, from, p->lease_address, proto, payload, len);
}

void net_peer_udp(struct net_peer *p, uint32_t from, uint16_t from_port, uint16_t to_port,
                  const void *payload, size_t len) {
    uint8_t udp[FK_NIC_FRAME_MAX] = {0};
    if (len > sizeof udp - 8) return;
    put16(udp, from_port);
    put16(udp + 2, to_port);
    put16(udp + 4, (uint32_t)(8 + len));
    memcpy(udp + 8, payload, len);
    net_peer_ip(p, from, 17, udp, 8 + len);
}

void net_peer_ping(struct net_peer *p, uint32_t from, size_t len) {
    uint8_t icmp[1480] = {8};
    if (len > sizeof icmp - 8) return;
    memset(icmp + 8, 0xa5, len);
    put16(icmp + 2, fold(sum(icmp, 8 + len, 0)));
    net_peer_ip(p, from, 1, icmp, 8 + len);
}

static void arp(struct net_peer *p, uint16_t op, uint32_t from, uint32_t to) {
    uint8_t frame[60] = {0};
    eth(p, frame, from, 0x0806);
    put16(frame + 14, 1);
    put16(frame + 16, 0x0800);
    frame[18] = 6;
    frame[19] = 4;
    put16(frame + 20, op);
    mac_of(p, frame + 22, from);
    put32(frame + 28, from);
    memcpy(frame + 32, node_mac, 6);
    put32(frame + 38, to);
    net_peer_frame(p, frame, sizeof frame);
}

void net_peer_arp(struct net_peer *p, uint32_t from, uint32_t whom) { arp(p, 1, from, whom); }

void net_peer_segment(struct net_peer *p, uint32_t from, const struct net_segment *s,
                      const void *payload) {
    uint8_t tcp[FK_NIC_FRAME_MAX] = {0};
    const size_t head = (s->flags & NET_SYN) != 0 ? 24 : 20;
    put16(tcp, s->from);
    put16(tcp + 2, s->to);
    put32(tcp + 4, s->seq);
    put32(tcp + 8, s->ack);
    tcp[12] = (uint8_t)(head << 2);
    tcp[13] = s->flags;
    put16(tcp + 14, s->window);
    if (head == 24) put32(tcp + 20, 0x020405b4); /* MSS 1460 */
    if (s->len > 0) memcpy(tcp + head, payload, s->len);
    net_peer_ip(p, from, 6, tcp, head + s->len);
}

void net_peer_tcp_at(struct net_peer *p, uint32_t seq, unsigned flags, const void *payload,
                     size_t len) {
    const struct net_segment s = {.from = 6443,
                                  .to = p->node_port,
                                  .seq = seq,
                                  .ack = p->rcv_nxt,
                                  .flags = (uint8_t)flags,
                                  .window = p->window,
                                  .len = (uint16_t)len};
    net_peer_segment(p, NET_PEER_SERVER, &s, payload);
}

void net_peer_tcp(struct net_peer *p, unsigned flags, const void *payload, size_t len) {
    net_peer_tcp_at(p, p->snd_nxt, flags, payload, len);
    p->snd_nxt += (uint32_t)len + ((flags & (NET_SYN | NET_FIN)) != 0);
}

void net_peer_tcp_stray(struct net_peer *p, uint32_t from, uint16_t from_port, uint16_t to_port,
                        unsigned flags) {
    const struct net_segment s = {
        .from = from_port, .to = to_port, .seq = 1, .flags = (uint8_t)flags, .window = 1000};
    net_peer_segment(p, from, &s, NULL);
}

/* ---- DHCP ------------------------------------------------------------------------------------ */

struct dhcp_in {
    uint8_t type;
    uint32_t wanted, client;
};

static struct dhcp_in dhcp_read(struct net_peer *p, const uint8_t *m, size_t len) {
    struct dhcp_in in = {.client = get32(m + 12)};
    p->xid = get32(m + 4);
    p->hostname[0] = '\0';
    for (size_t at = 240; at + 2 <= len && m[at] != 255; at += 2u + m[at + 1]) {
        const size_t n = m[at + 1];
        if (at + 2 + n > len) break;
        if (m[at] == 53) in.type = m[at + 2];
        if (m[at] == 50) in.wanted = get32(m + at + 2);
        if (m[at] == 12 && n < sizeof p->hostname) {
            memcpy(p->hostname, m + at + 2, n);
            p->hostname[n] = '\0';
        }
    }
    return in;
}

static size_t option32(uint8_t *m, size_t at, uint8_t code, uint32_t value) {
    m[at] = code;
    m[at + 1] = 4;
    put32(m + at + 2, value);
    return at + 6;
}

static void dhcp_reply(struct net_peer *p, const uint8_t *in, uint8_t type) {
    uint8_t udp[8 + 300] = {0}, *m = udp + 8;
    m[0] = 2;
    m[1] = 1;
    m[2] = 6;
    memcpy(m + 4, in + 4, 4);
    if (type != 6) put32(m + 16, p->lease_address);
    memcpy(m + 28, node_mac, 6);
    put32(m + 236, 0x63825363);
    memcpy(m + 240, (const uint8_t[]){53, 1, type}, 3);
    size_t at = option32(m, 243, 54, NET_PEER_ROUTER);
    if (type != 6) {
        at = option32(m, at, 51, p->lease_s);
        at = option32(m, at, 1, 0xffffff00);
        at = option32(m, at, 3, p->lease_router);
        at = option32(m, at, 6, p->lease_dns);
    }
    m[at] = 255;
    put16(udp, 67);
    put16(udp + 2, 68);
    put16(udp + 4, sizeof udp);
    ip_to(p, NET_PEER_ROUTER, type == 6 ? 0xffffffff : p->lease_address, 17, udp, sizeof udp);
}

static void dhcp(struct net_peer *p, const uint8_t *ip, const uint8_t *m, size_t len) {
    if (len < 240) return;
    const struct dhcp_in in = dhcp_read(p, m, len);
    p->discovers += in.type == 1;
    p->requests += in.type == 3;
    p->releases += in.type == 7;
    p->last_request_unicast = get32(ip + 16) != 0xffffffff;
    if (p->no_dhcp || (in.type != 1 && in.type != 3)) return;
    const uint32_t wanted = in.wanted != 0 ? in.wanted : in.client;
    const bool refused = in.type == 3 && (p->nak || wanted != p->lease_address);
    dhcp_reply(p, m, in.type == 1 ? 2 : refused ? 6 : 5);
}

/* ---- DNS ------------------------------------------------------------------------------------- */

void net_peer_dns_reply(struct net_peer *p, uint16_t port, uint16_t id) {
    uint8_t m[sizeof p->dns_query + 16];
    size_t len = p->dns_query_len;
    memcpy(m, p->dns_query, len);
    put16(m, id);
    put16(m + 2, p->dns == NET_DNS_REFUSES ? 0x8183 : 0x8180);
    if (p->dns != NET_DNS_REFUSES) {
        put16(m + 6, 1);
        memcpy(m + len, (const uint8_t[]){0xc0, 12, 0, 1, 0, 1}, 6);
        put32(m + len + 6, p->dns_ttl);
        put16(m + len + 10, 4);
        put32(m + len + 12, p->dns_answer);
        len += 16;
    }
    net_peer_udp(p, NET_PEER_ROUTER, 53, port, m, len);
}

static void dns(struct net_peer *p, uint16_t from_port, const uint8_t *m, size_t len) {
    if (len < 17 || len > sizeof p->dns_query) return;
    p->queries++;
    p->dns_port = from_port;
    p->dns_id = get16(m);
    p->dns_query_len = len;
    memcpy(p->dns_query, m, len);
    if (p->dns != NET_DNS_SILENT) net_peer_dns_reply(p, from_port, p->dns_id);
}

/* ---- The TCP server -------------------------------------------------------------------------- */

static void tcp_accept(struct net_peer *p) {
    p->node_port = p->last.from;
    p->rcv_nxt = p->last.seq + 1;
    p->got_len = 0;
    p->got_fin = false;
    if (!p->manual) net_peer_tcp(p, NET_SYN | NET_ACK, NULL, 0);
}

static void tcp_take(struct net_peer *p, const uint8_t *payload) {
    const struct net_segment *s = &p->last;
    if (s->len == 0 && (s->flags & NET_FIN) == 0) return;
    if (s->seq == p->rcv_nxt && p->got_len + s->len <= sizeof p->got) {
        memcpy(p->got + p->got_len, payload, s->len);
        p->got_len += s->len;
        p->rcv_nxt += s->len;
        p->got_fin = p->got_fin || (s->flags & NET_FIN) != 0;
        p->rcv_nxt += (s->flags & NET_FIN) != 0;
    }
    if (!p->manual) net_peer_tcp(p, NET_ACK, NULL, 0);
}

static void tcp(struct net_peer *p, uint32_t to, const uint8_t *m, size_t len) {
    const size_t head = len < 20 ? 0 : (size_t)(m[12] >> 4) * 4;
    if (head < 20 || head > len) return;
    const struct net_segment s = {.from = get16(m),
                                  .to = get16(m + 2),
                                  .seq = get32(m + 4),
                                  .ack = get32(m + 8),
                                  .flags = (uint8_t)(m[13] & 0x3f),
                                  .window = get16(m + 14),
                                  .mss = head >= 24 && m[20] == 2 ? get16(m + 22) : 0,
                                  .len = (uint16_t)(len - head)};
    if (net_client_take(p, to, &s, m + head)) return;
    if (s.flags == (NET_SYN | NET_ACK)) return; /* to a stray, who will not answer */
    p->segments++;
    p->last = s;
    if ((p->last.flags & NET_RST) != 0) return;
    if ((p->last.flags & NET_SYN) != 0) tcp_accept(p);
    else if (p->last.from == p->node_port) tcp_take(p, m + head);
}

/* ---- From the node --------------------------------------------------------------------------- */

static bool checksums_hold(const uint8_t *ip, size_t len) {
    if (fold(sum(ip, IP, 0)) != 0) return false;
    if (ip[9] == 1) return fold(sum(ip + IP, len - IP, 0)) == 0;
    return fold(sum(ip + IP, len - IP, pseudo(ip, len - IP))) == 0;
}

static void take_ip(struct net_peer *p, const uint8_t *ip, size_t len) {
    if (len < IP || ip[0] != 0x45 || get16(ip + 2) > len) return;
    const size_t total = get16(ip + 2);
    if (!checksums_hold(ip, total)) return;
    const uint8_t *body = ip + IP;
    const size_t body_len = total - IP;
    if (ip[9] == 1 && body_len >= 8) {
        p->pings_answered += body[0] == 0;
        p->unreachables += body[0] == 3;
    } else if (ip[9] == 6) {
        tcp(p, get32(ip + 16), body, body_len);
    } else if (ip[9] == 17 && body_len >= 8 && get16(body + 2) == 67) {
        dhcp(p, ip, body + 8, body_len - 8);
    } else if (ip[9] == 17 && body_len >= 8 && get16(body + 2) == 53) {
        dns(p, get16(body), body + 8, body_len - 8);
    }
}

static void take_arp(struct net_peer *p, const uint8_t *m) {
    if (get16(m + 6) == 2) p->arp_answered++;
    if (get16(m + 6) != 1) return;
    p->arp_asked++;
    if (!p->no_arp) arp(p, 2, get32(m + 24), get32(m + 14));
}

static void take_frame(struct net_peer *p) {
    p->frames++;
    if (p->burst_ms != p->now_ms) p->burst = 0;
    p->burst_ms = p->now_ms;
    if (++p->burst > p->burst_max) return;
    if (p->lose > 0) {
        p->lose--;
        return;
    }
    if (!p->link || p->out_len < ETH) return;
    if ((p->out[0] & 1) == 0 && p->out[2] != p->chip) return; /* to somebody who is gone */
    const uint16_t type = get16(p->out + 12);
    if (type == 0x0800) take_ip(p, p->out + ETH, p->out_len - ETH);
    if (type == 0x0806 && p->out_len >= ETH + 28) take_arp(p, p->out + ETH);
}

/* ---- The chip -------------------------------------------------------------------------------- */

static int start(void *ctx) { return ((struct net_peer *)ctx)->start_err; }

static void address(void *ctx, uint8_t mac[6]) {
    (void)ctx;
    memcpy(mac, node_mac, 6);
}

static bool link_up(void *ctx) { return ((struct net_peer *)ctx)->link; }

static size_t receive(void *ctx) {
    struct net_peer *p = ctx;
    if (p->read_at != SIZE_MAX) { /* the frame of the call before */
        p->first = (p->first + 1) % NET_PEER_FRAMES;
        p->count--;
        p->read_at = SIZE_MAX;
    }
    if (p->count == 0) return 0;
    p->read_at = 0;
    return p->waiting_len[p->first];
}

static void read_piece(void *ctx, void *buf, size_t len) {
    struct net_peer *p = ctx;
    if (p->read_at == SIZE_MAX || len > p->waiting_len[p->first] - p->read_at) __builtin_trap();
    memcpy(buf, p->waiting[p->first] + p->read_at, len);
    p->read_at += len;
}

static bool transmit(void *ctx, size_t len) {
    struct net_peer *p = ctx;
    if (p->out_at != p->out_len || len < ETH || len > sizeof p->out) __builtin_trap();
    if (p->full) return false;
    p->out_len = len;
    p->out_at = 0;
    return true;
}

static void write_piece(void *ctx, const void *buf, size_t len) {
    struct net_peer *p = ctx;
    if (len > p->out_len - p->out_at) __builtin_trap();
    memcpy(p->out + p->out_at, buf, len);
    p->out_at += len;
    p->writes++;
    if (p->out_at == p->out_len) take_frame(p);
}

static void arm(void *ctx) { ((struct net_peer *)ctx)->armed++; }

static void stats(void *ctx, struct fk_nic_stats *out) {
    (void)ctx;
    *out = (struct fk_nic_stats){0};
}

struct fk_nic net_peer_nic(struct net_peer *p) {
    static const struct fk_nic_ops ops = {start,    address,     link_up, receive, read_piece,
                                          transmit, write_piece, arm,     stats};
    return (struct fk_nic){&ops, p};
}

/* ---- Life ------------------------------------------------------------------------------------ */

uint64_t net_peer_mono_ms(void *ctx) { return ((struct net_peer *)ctx)->now_ms; }

int net_peer_entropy(void *ctx, void *buf, size_t len) {
    struct net_peer *p = ctx;
    if (p->no_entropy) return FK_E_ENTROPY;
    for (size_t i = 0; i < len; i++) {
        p->random = p->random * 1664525u + 1013904223u;
        ((uint8_t *)buf)[i] = (uint8_t)(p->random >> 24);
    }
    return 0;
}

void net_peer_init(struct net_peer *p) {
    *p = (struct net_peer){.now_ms = 1000,
                           .random = 1,
                           .read_at = SIZE_MAX,
                           .burst_max = 1000,
                           .lease_address = NET_PEER_NODE,
                           .lease_router = NET_PEER_ROUTER,
                           .lease_dns = NET_PEER_ROUTER,
                           .lease_s = 3600,
                           .dns_answer = NET_PEER_SERVER,
                           .dns_ttl = 2,
                           .snd_nxt = 1000,
                           .window = 8192};
}
