#include "support/net_client.h"

#include <string.h>

void net_client_send_at(struct net_peer *p, const struct net_client *c, uint32_t seq,
                        unsigned flags, const void *payload, size_t len) {
    const struct net_segment s = {.from = c->port,
                                  .to = c->to,
                                  .seq = seq,
                                  .ack = (flags & NET_ACK) != 0 ? c->rcv_nxt : 0,
                                  .flags = (uint8_t)flags,
                                  .window = c->window,
                                  .len = (uint16_t)len};
    net_peer_segment(p, c->address, &s, payload);
}

void net_client_send(struct net_peer *p, struct net_client *c, unsigned flags, const void *payload,
                     size_t len) {
    net_client_send_at(p, c, c->snd_nxt, flags, payload, len);
    c->snd_nxt += (uint32_t)len + ((flags & (NET_SYN | NET_FIN)) != 0);
}

static struct net_client *find(const struct net_peer *p, uint32_t address,
                               const struct net_segment *s) {
    for (struct net_client *c = p->clients; c != NULL; c = c->next)
        if (c->address == address && c->port == s->to && c->to == s->from) return c;
    return NULL;
}

static void enlist(struct net_peer *p, struct net_client *c) {
    for (const struct net_client *other = p->clients; other != NULL; other = other->next)
        if (other == c) return;
    c->next = p->clients;
    p->clients = c;
}

void net_client_connect(struct net_peer *p, struct net_client *c, uint32_t address, uint16_t port,
                        uint16_t to) {
    enlist(p, c);
    *c = (struct net_client){.next = c->next,
                             .address = address,
                             .port = port,
                             .to = to,
                             .manual = c->manual,
                             .window = 8192,
                             .snd_nxt = 5000u + port * 7919u};
    net_client_send(p, c, NET_SYN, NULL, 0);
}

/* What is new of it, if it follows what is there. */
static void take_bytes(struct net_client *c, const uint8_t *payload) {
    const struct net_segment *s = &c->last;
    const uint32_t known = c->rcv_nxt - s->seq;
    if (known > s->len || c->got_fin) return;
    for (size_t i = known; i < s->len; i++, c->got_len++)
        if (c->got_len < sizeof c->got) c->got[c->got_len] = payload[i];
    c->got_fin = (s->flags & NET_FIN) != 0;
    c->rcv_nxt = s->seq + s->len + (c->got_fin ? 1u : 0u);
}

bool net_client_take(struct net_peer *p, uint32_t to, const struct net_segment *s,
                     const uint8_t *payload) {
    struct net_client *c = find(p, to, s);
    if (c == NULL) return false;
    c->segments++;
    c->last = *s;
    if ((s->flags & NET_RST) != 0) {
        c->got_rst = true;
        return true;
    }
    if ((s->flags & NET_SYN) != 0) {
        c->rcv_nxt = s->seq + 1;
        c->connected = !c->manual;
        if (!c->manual) net_client_send(p, c, NET_ACK, NULL, 0);
        return true;
    }
    if (c->manual || (s->len == 0 && (s->flags & NET_FIN) == 0)) return true;
    take_bytes(c, payload);
    net_client_send(p, c, NET_ACK, NULL, 0);
    return true;
}
