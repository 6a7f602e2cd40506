/* A hostile network: frames, replies of DHCP and DNS, segments of the connection that the node has,
 * and clients of its own port, in any order and at any time. Nothing crashes, no assertion of lwIP
 * fails, and at the end every pool is whole again.
 *
 * Input: records of [action, length, bytes]. The first three actions make the checksums and numbers
 * that chance would never find. With bit 6 set, segments are those of clients, and pipes those of
 * the listener. */
#include "link/listen_lwip.h"
#include "support/net_client.h"
#include "support/net_world.h"

#define OF_CLIENTS 64
#define PORT 10250

#define MUST(condition) ((condition) ? (void)0 : __builtin_trap())

struct fuzzed {
    struct net_world world;
    struct fk_tcp_lwip tcp;
    struct fk_pipe pipe;
    struct fk_listen_lwip listen;
    struct fk_listener listener;
    struct net_client clients[8];
};

static void run(struct fuzzed *f, uint64_t ms) { net_world_run(&f->world, ms); }

/* [delta of the sequence number, flags, payload] */
static void segment(struct fuzzed *f, const uint8_t *bytes, size_t len) {
    struct net_peer *p = &f->world.peer;
    if (len < 2) return;
    if (bytes[0] == 0) {
        net_peer_tcp(p, bytes[1], bytes + 2, len - 2);
    } else {
        net_peer_tcp_at(p, p->snd_nxt + bytes[0] * 97u - 8000u, bytes[1], bytes + 2, len - 2);
    }
}

/* [who and what: a new connection, or a segment; delta, flags, payload as above] */
static void client_segment(struct fuzzed *f, const uint8_t *bytes, size_t len) {
    struct net_peer *p = &f->world.peer;
    if (len < 3) return;
    struct net_client *c = &f->clients[bytes[0] % 8];
    c->manual = (bytes[0] & 16) != 0;
    if ((bytes[0] & 8) != 0 || c->port == 0) {
        net_client_connect(p, c, 0xc0000209u, (uint16_t)(1000 + bytes[1]), PORT);
    } else if (bytes[1] == 0) {
        net_client_send(p, c, bytes[2], bytes + 3, len - 3);
    } else {
        net_client_send_at(p, c, c->snd_nxt + bytes[1] * 13u - 1000u, bytes[2], bytes + 3, len - 3);
    }
    c->window = (bytes[0] & 32) != 0 ? bytes[2] : 8192;
}

static void use_listener(struct fuzzed *f, const uint8_t *bytes, size_t len) {
    uint8_t buf[1024] = {0};
    for (size_t i = 0; i < len; i++) {
        const unsigned slot = bytes[i] / 4u % f->listener.count;
        const struct fk_pipe pipe = f->listener.ops->pipe(f->listener.ctx, slot);
        const size_t want = 1 + bytes[i] * 4u;
        const bool waits = f->listener.ops->waiting(f->listener.ctx);
        int n = 0;
        switch (bytes[i] % 4) {
        case 0: MUST((fk_pipe_open(pipe) == 0) == waits); break;
        case 1: n = fk_pipe_recv(pipe, buf, want < sizeof buf ? want : sizeof buf); break;
        case 2: n = fk_pipe_send(pipe, buf, want < sizeof buf ? want : sizeof buf); break;
        default: fk_pipe_close(pipe); break;
        }
        MUST(n <= (int)want);
    }
}

/* Everything of a reply but its id and, where the query had one, its question. */
static void dns_reply(struct fuzzed *f, const uint8_t *bytes, size_t len) {
    struct net_peer *p = &f->world.peer;
    uint8_t m[sizeof p->dns_query + 256];
    if (len < 10 || p->dns_query_len < 12) return;
    memcpy(m, p->dns_query, p->dns_query_len);
    memcpy(m + 2, bytes, 10);
    memcpy(m + p->dns_query_len, bytes + 10, len - 10);
    net_peer_udp(p, NET_PEER_ROUTER, 53, p->dns_port, m, p->dns_query_len + len - 10);
}

/* The options of a reply to the last DHCP request. */
static void dhcp_reply(struct fuzzed *f, const uint8_t *bytes, size_t len) {
    struct net_peer *p = &f->world.peer;
    uint8_t m[240 + 256] = {2, 1, 6};
    for (int i = 0; i < 4; i++) m[4 + i] = (uint8_t)(p->xid >> (24 - 8 * i));
    if (len < 5) return;
    memcpy(m + 16, bytes, 4); /* the address */
    memcpy(m + 28, (const uint8_t[]){2, 0, 0, 0, 0, 0x50}, 6);
    memcpy(m + 236, (const uint8_t[]){0x63, 0x82, 0x53, 0x63}, 4);
    memcpy(m + 240, bytes + 4, len - 4);
    net_peer_udp(p, NET_PEER_ROUTER, 67, 68, m, 240 + len - 4);
}

static void use_pipe(struct fuzzed *f, const uint8_t *bytes, size_t len) {
    uint8_t buf[256] = {0};
    for (size_t i = 0; i < len; i++) {
        const size_t want = 1 + bytes[i] / 4u * 4;
        int n = 0;
        switch (bytes[i] % 4) {
        case 0: n = fk_pipe_open(f->pipe); break;
        case 1: n = fk_pipe_recv(f->pipe, buf, want); break;
        case 2: n = fk_pipe_send(f->pipe, buf, want); break;
        default: fk_pipe_close(f->pipe); break;
        }
        MUST(n <= (int)want);
    }
}

static void weather(struct net_peer *p, uint8_t how) {
    p->link = (how & 1) == 0;
    p->manual = (how & 2) != 0;
    p->no_dhcp = (how & 4) != 0;
    p->no_arp = (how & 8) != 0;
    p->full = (how & 16) != 0;
    p->nak = (how & 32) != 0;
    p->dns = (how & 64) != 0 ? NET_DNS_SILENT : NET_DNS_ANSWERS;
    p->window = (how & 128) != 0 ? how : 8192;
}

static void act(struct fuzzed *f, uint8_t action, const uint8_t *bytes, size_t len) {
    struct net_peer *p = &f->world.peer;
    const bool of_clients = (action & OF_CLIENTS) != 0;
    switch (action % 8) {
    case 0: (of_clients ? client_segment : segment)(f, bytes, len); break;
    case 1: dns_reply(f, bytes, len); break;
    case 2: dhcp_reply(f, bytes, len); break;
    case 3: net_peer_frame(p, bytes, len); break;
    case 4:
        if (len > 1) net_peer_ip(p, NET_PEER_SERVER + action, bytes[0], bytes + 1, len - 1);
        break;
    case 5: (of_clients ? use_listener : use_pipe)(f, bytes, len); break;
    case 6: weather(p, len > 0 ? bytes[0] : 0); break;
    default: run(f, (uint64_t)len * 50u * (1u + action / 8u)); break;
    }
    if (action < 128) run(f, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fuzzed fuzzed; /* too large for the stack */
    struct fuzzed *f = &fuzzed;
    MUST(net_world_up(&f->world) == 0);
    f->world.quiet = true;
    f->world.peer.burst_max = 20;
    memset(f->clients, 0, sizeof f->clients);
    MUST(fk_listen_lwip_open(&f->listen, &f->world.net, PORT) == 0);
    f->listener = fk_listen_lwip_listener(&f->listen);
    net_peer_arp(&f->world.peer, 0xc0000209u, NET_PEER_NODE);
    const bool by_name = size > 0 && data[0] % 2 != 0;
    fk_tcp_lwip_init(&f->tcp, &f->world.net, by_name ? "api.example.net" : "192.0.2.7", 6443);
    f->pipe = fk_tcp_lwip_pipe(&f->tcp);
    (void)fk_pipe_open(f->pipe);
    run(f, 0);
    for (size_t at = 1; at + 2 <= size;) {
        const uint8_t action = data[at];
        const size_t wanted = data[at + 1], rest = size - at - 2;
        const size_t len = wanted < rest ? wanted : rest;
        act(f, action, data + at + 2, len);
        at += 2 + len;
    }
    run(f, 0);
    fk_pipe_close(f->pipe);
    fk_listen_lwip_close(&f->listen);
    MUST(net_world_end(&f->world) == 0);
    return 0;
}
