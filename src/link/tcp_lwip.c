#include "link/tcp_lwip.h"

#include "base/assert.h"

#include <lwip/dns.h>

enum state { NONE, RESOLVING, CONNECTING, CONNECTED, OVER };

/* Ports for clients, RFC 6335 §6; a power of two. */
#define FIRST_PORT 49152
#define PORT_COUNT 16384
#define PORT_TRIES 4

/* What may still be under way when we hang up in order, bytes: a GOAWAY and a close_notify. */
#define LINGER_MAX 128

#define NO_NAME "DNS: no such name, or no answer"
#define NO_ANSWER "connect: no answer"

/* ---- Errors --------------------------------------------------------------------------------- */

static int end(struct fk_tcp_lwip *t, int err, const char *why) {
    t->state = OVER;
    t->err = (int16_t)err;
    t->error = why;
    return err;
}

static int end_by(struct fk_tcp_lwip *t, err_t err) {
    switch (err) {
    case ERR_RTE: return end(t, FK_E_UNREACHABLE, "no route: no address yet");
    case ERR_VAL: return end(t, FK_E_RESOLVE, "DNS: DHCP named no server");
    case ERR_ARG: return end(t, FK_E_RESOLVE, "DNS: the name is too long");
    case ERR_USE: /* no free port among a few random ones: something holds them all */
    case ERR_BUF:
    case ERR_MEM: return end(t, FK_E_NOMEM, "network: out of buffers");
    default: return end(t, FK_E_RESET, "network: the connection is in no state for this");
    }
}

/* ---- lwIP's callbacks ------------------------------------------------------------------------ */

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err) {
    struct fk_tcp_lwip *t = arg;
    (void)pcb;
    (void)err; /* always ERR_OK */
    t->state = CONNECTED;
    return ERR_OK;
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t err) {
    struct fk_tcp_lwip *t = arg;
    (void)pcb;
    (void)err;
    if (data == NULL) {
        t->peer_done = true;
    } else if (t->received == NULL) {
        t->received = data;
    } else {
        pbuf_cat(t->received, data);
    }
    return ERR_OK;
}

/* The connection is gone already. */
static void on_error(void *arg, err_t err) {
    struct fk_tcp_lwip *t = arg;
    t->pcb = NULL;
    const bool connecting = t->state == CONNECTING;
    if (err == ERR_RST) {
        (void)end(t, connecting ? FK_E_UNREACHABLE : FK_E_RESET,
                  connecting ? "connection refused" : "connection reset by the server");
    } else if (connecting) {
        (void)end(t, FK_E_TIMEOUT, NO_ANSWER);
    } else {
        (void)end(t, FK_E_TIMEOUT, "connection lost: no answer any more, or our address is gone");
    }
}

/* ---- Connecting ------------------------------------------------------------------------------ */

static err_t bind_random(struct tcp_pcb *pcb, const ip_addr_t *any) {
    err_t err = ERR_USE;
    for (int i = 0; i < PORT_TRIES && err == ERR_USE; i++) {
        const uint32_t port = FIRST_PORT + LWIP_RAND() % PORT_COUNT;
        err = tcp_bind(pcb, any, (u16_t)port);
    }
    return err;
}

static int begin_connect(struct fk_tcp_lwip *t, const ip_addr_t *address) {
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(address));
    if (pcb == NULL) {
        return end_by(t, ERR_MEM);
    }
    tcp_nagle_disable(pcb); /* one write is one TLS record, and somebody waits for it */
    tcp_arg(pcb, t);
    tcp_recv(pcb, on_received);
    t->state = CONNECTING;
    err_t err = bind_random(pcb, IP46_ADDR_ANY(IP_GET_TYPE(address)));
    if (err == ERR_OK) {
        do {
            err = tcp_connect(pcb, address, t->port, on_connected);
        } while (err == ERR_MEM && fk_net_relieve(t->net));
    }
    if (err != ERR_OK) {
        tcp_abort(pcb); /* nothing was sent: frees it, that is all */
        return end_by(t, err);
    }
    tcp_err(pcb, on_error);
    t->pcb = pcb;
    return 0;
}

static void on_found(const char *name, const ip_addr_t *address, void *arg) {
    struct fk_tcp_lwip *t = arg;
    (void)name;
    t->looking_up = false;
    if (t->state != RESOLVING) {
        return; /* closed meanwhile */
    }
    if (address == NULL) {
        (void)end(t, FK_E_RESOLVE, NO_NAME);
    } else {
        (void)begin_connect(t, address);
    }
}

/* The kind of address that can be reached from here is asked for first; lwIP takes the other one
 * only of a name that has none of this kind. */
static u8_t wanted_kind(const struct fk_tcp_lwip *t) {
    return ip4_addr_isany(netif_ip4_addr(&t->net->netif)) ? LWIP_DNS_ADDRTYPE_IPV6_IPV4
                                                          : LWIP_DNS_ADDRTYPE_IPV4_IPV6;
}

static int begin_lookup(struct fk_tcp_lwip *t) {
    ip_addr_t address;
    t->state = RESOLVING;
    if (t->looking_up) {
        return 0; /* host never changes: the answer to the former open will do */
    }
    const err_t err = dns_gethostbyname_addrtype(t->host, &address, on_found, t, wanted_kind(t));
    if (err == ERR_INPROGRESS) {
        t->looking_up = true;
        return 0;
    }
    return err == ERR_OK ? begin_connect(t, &address) : end_by(t, err);
}

/* ---- The pipe -------------------------------------------------------------------------------- */

static void hang_up(struct fk_tcp_lwip *t) {
    struct tcp_pcb *pcb = t->pcb;
    t->pcb = NULL;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_err(pcb, NULL);
    /* What was sent holds heap until it is acknowledged, and a peer that is being left often never
     * will. Last words may wait; and give way to any new connection. */
    tcp_setprio(pcb, 0);
    if (TCP_SND_BUF - tcp_sndbuf(pcb) > LINGER_MAX || tcp_close(pcb) != ERR_OK) {
        tcp_abort(pcb);
    }
}

static void tcp_lwip_close(void *ctx) {
    struct fk_tcp_lwip *t = ctx;
    if (t->state == RESOLVING || t->state == CONNECTING) {
        t->error = t->state == RESOLVING ? NO_NAME : NO_ANSWER; /* so far: patience is over */
    }
    if (t->pcb != NULL) {
        hang_up(t); /* before the bytes unread go: they are why it resets */
    }
    if (t->received != NULL) {
        (void)pbuf_free(t->received);
    }
    t->received = NULL;
    t->peer_done = false;
    t->state = NONE;
    t->err = 0;
}

static int tcp_lwip_open(void *ctx) {
    struct fk_tcp_lwip *t = ctx;
    tcp_lwip_close(t);
    t->error = "";
    fk_net_forget_neighbors(t->net); /* two frames, and the former connection may have died of it */
    return *fk_net_address(t->net) == '\0' ? end_by(t, ERR_RTE) : begin_lookup(t);
}

static int nothing_to_read(const struct fk_tcp_lwip *t) {
    switch ((enum state)t->state) {
    case RESOLVING:
    case CONNECTING: return 0;
    case CONNECTED: return t->peer_done ? FK_E_CLOSED : 0;
    case OVER: return t->err;
    case NONE:
    default: return FK_E_CLOSED;
    }
}

static int tcp_lwip_recv(void *ctx, void *buf, size_t cap) {
    struct fk_tcp_lwip *t = ctx;
    if (t->received == NULL) {
        return nothing_to_read(t);
    }
    const u16_t want = cap < t->received->tot_len ? (u16_t)cap : t->received->tot_len;
    const u16_t len = pbuf_copy_partial(t->received, buf, want, 0);
    FK_ASSERT(len == want);
    t->received = pbuf_free_header(t->received, len);
    if (t->pcb != NULL) {
        tcp_recved(t->pcb, len);
    }
    return len;
}

/* Or it was refused by our own bound, and not for want of memory. A write takes two buffers when it
 * continues a segment. */
static bool has_room_for_one(const struct tcp_pcb *pcb) {
    return pcb->snd_queuelen + 2 <= TCP_SND_QUEUELEN;
}

/* Hands over as much as there is room for, a segment at a time: a larger piece for which the heap
 * is too scattered would be refused whole. */
static size_t write_segments(const struct fk_tcp_lwip *t, const uint8_t *bytes, size_t len) {
    struct tcp_pcb *pcb = t->pcb;
    size_t taken = 0;
    while (taken < len && tcp_sndbuf(pcb) > 0) {
        size_t part = len - taken < TCP_MSS ? len - taken : TCP_MSS;
        part = part < tcp_sndbuf(pcb) ? part : tcp_sndbuf(pcb);
        err_t err;
        do {
            err = tcp_write(pcb, bytes + taken, (u16_t)part, TCP_WRITE_FLAG_COPY);
        } while (err == ERR_MEM && has_room_for_one(pcb) && fk_net_relieve(t->net));
        if (err != ERR_OK) {
            break;
        }
        taken += part;
    }
    return taken;
}

static int tcp_lwip_send(void *ctx, const void *buf, size_t len) {
    struct fk_tcp_lwip *t = ctx;
    if (t->state != CONNECTED) {
        return t->state == RESOLVING || t->state == CONNECTING ? 0
               : t->state == OVER                              ? t->err
                                                               : FK_E_CLOSED;
    }
    const size_t taken = write_segments(t, buf, len);
    if (taken > 0) {
        (void)tcp_output(t->pcb); /* what it could not send now, its timer does */
    }
    return (int)taken;
}

struct fk_pipe fk_tcp_lwip_pipe(struct fk_tcp_lwip *t) {
    static const struct fk_pipe_ops ops = {tcp_lwip_open, tcp_lwip_recv, tcp_lwip_send,
                                           tcp_lwip_close};
    return (struct fk_pipe){&ops, t};
}

void fk_tcp_lwip_init(struct fk_tcp_lwip *t, struct fk_net *net, const char *host, uint16_t port) {
    *t = (struct fk_tcp_lwip){.net = net, .host = host, .port = port, .error = ""};
}

const char *fk_tcp_lwip_error(const struct fk_tcp_lwip *t) { return t->error; }
