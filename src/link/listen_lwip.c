#include "link/listen_lwip.h"

#include "base/assert.h"
#include "base/err.h"

#include <lwip/priv/tcp_priv.h>

/* Where there is no kubelet's port, lwIP's pools have no room for one. */
#if FK_SERVER

enum state { FREE, WAITING, TAKEN, OVER };

#define SLOTS (FK_SERVER_CONNECTIONS + FK_LISTEN_WAITING)

/* Who gives way to whom when lwIP has no room for another connection: it ends one of a lower
 * priority, the one that has been silent longest. The connection to the API server has
 * TCP_PRIO_NORMAL. */
#define PRIO_LEAVING 0
#define PRIO_STRANGER 1

/* Halves of a segment: receivers delay the acknowledgement of one, not of two. */
#define SEGMENT_MAX (TCP_MSS / 2)

_Static_assert(FK_LISTEN_WND <= TCP_WND, "lwIP ends a window that is larger");
_Static_assert(PRIO_STRANGER < TCP_PRIO_NORMAL, "strangers give way");
_Static_assert(MEMP_NUM_TCP_PCB >= SLOTS + 2, "the API server's, and one half-open or ending");

/* ---- Who holds what ---------------------------------------------------------------------------
 */

static struct fk_listen_lwip_slot *slot_of(struct fk_listen_lwip *l, const struct tcp_pcb *pcb) {
    for (unsigned i = 0; i < SLOTS; i++) {
        if (l->slots[i].pcb == pcb) {
            return &l->slots[i];
        }
    }
    return NULL;
}

static bool is_ours(const struct fk_listen_lwip *l, const struct tcp_pcb *pcb) {
    return pcb->local_port == l->pcb->local_port;
}

static unsigned buffers_of(const struct tcp_seg *segment) {
    unsigned count = 0;
    for (; segment != NULL; segment = segment->next) {
        count += pbuf_clen(segment->p);
    }
    return count;
}

static unsigned held_by(struct fk_listen_lwip *l, const struct tcp_pcb *pcb) {
    const struct fk_listen_lwip_slot *s = slot_of(l, pcb);
    return buffers_of(pcb->unsent) + buffers_of(pcb->unacked) + buffers_of(pcb->ooseq) +
           (s != NULL ? pbuf_clen(s->received) : 0);
}

static void drop_received(struct fk_listen_lwip_slot *s) {
    if (s->received != NULL) {
        (void)pbuf_free(s->received);
    }
    s->received = NULL;
}

/* What is unread of a connection that has ended goes first. */
static bool drop_remains(struct fk_listen_lwip *l) {
    for (unsigned i = 0; i < SLOTS; i++) {
        if (l->slots[i].pcb == NULL && l->slots[i].received != NULL) {
            drop_received(&l->slots[i]);
            return true;
        }
    }
    return false;
}

static bool give_way(void *ctx) {
    struct fk_listen_lwip *l = ctx;
    struct tcp_pcb *greediest = NULL;
    unsigned most = 0;
    if (drop_remains(l)) {
        return true;
    }
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        const unsigned held = is_ours(l, pcb) ? held_by(l, pcb) : 0;
        if (held > most) {
            most = held;
            greediest = pcb;
        }
    }
    if (greediest == NULL) {
        return false;
    }
    struct fk_listen_lwip_slot *s = slot_of(l, greediest);
    l->evicted++;
    tcp_abort(greediest);
    if (s != NULL) {
        drop_received(s);
    }
    return true;
}

/* ---- lwIP's callbacks -------------------------------------------------------------------------
 */

static struct tcp_pcb *oldest_half_open(const struct fk_listen_lwip *l, const struct tcp_pcb *but,
                                        unsigned *count) {
    struct tcp_pcb *oldest = NULL;
    *count = 0;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb != but && pcb->state == SYN_RCVD && is_ours(l, pcb)) {
            oldest = pcb; /* new ones are put in front */
            ++*count;
        }
    }
    return oldest;
}

/* A SYN has come, and its answer is about to be made: the last moment to choose a window. */
static err_t on_syn(u8_t id, struct tcp_pcb_listen *listening, struct tcp_pcb *pcb) {
    struct fk_listen_lwip *l = listening->callback_arg;
    (void)id;
    bool room = false;
    for (unsigned i = 0; i < SLOTS; i++) {
        room = room || l->slots[i].state == FREE;
    }
    if (!room) {
        l->refused++;
        return ERR_MEM; /* no answer: it will be asked again */
    }
    unsigned count = 0;
    struct tcp_pcb *oldest = oldest_half_open(l, pcb, &count);
    if (count >= FK_LISTEN_HALF_OPEN) {
        l->evicted++;
        tcp_abandon(oldest, 0);
    }
    pcb->rcv_wnd = FK_LISTEN_WND;
    pcb->rcv_ann_wnd = FK_LISTEN_WND;
    tcp_setprio(pcb, PRIO_LEAVING);
    return ERR_OK;
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t err) {
    struct fk_listen_lwip_slot *s = arg;
    (void)pcb;
    (void)err;
    if (data == NULL) {
        s->peer_done = true;
    } else if (s->received == NULL) {
        s->received = data;
    } else {
        pbuf_cat(s->received, data);
    }
    return ERR_OK;
}

static void set_free(struct fk_listen_lwip_slot *s) {
    drop_received(s);
    *s = (struct fk_listen_lwip_slot){.owner = s->owner};
}

/* The connection is gone already. */
static void on_error(void *arg, err_t err) {
    struct fk_listen_lwip_slot *s = arg;
    s->pcb = NULL;
    if (s->state == WAITING) {
        set_free(s); /* nobody has seen it */
    } else {
        s->state = OVER;
        s->err = err == ERR_RST ? FK_E_RESET : FK_E_TIMEOUT;
    }
}

static void hand_to(struct fk_listen_lwip_slot *s, struct tcp_pcb *pcb) {
    s->pcb = pcb;
    if (pcb != NULL) {
        tcp_arg(pcb, s);
    }
}

static err_t on_accepted(void *arg, struct tcp_pcb *pcb, err_t err) {
    struct fk_listen_lwip *l = arg;
    struct fk_listen_lwip_slot *s = NULL;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (l->slots[i].state == FREE) {
            s = &l->slots[i]; /* the last one: those behind the pipes first */
        }
    }
    if (pcb == NULL || err != ERR_OK || s == NULL) {
        l->refused++;
        return ERR_MEM;
    }
    tcp_setprio(pcb, PRIO_STRANGER);
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, on_received);
    tcp_err(pcb, on_error);
    hand_to(s, pcb);
    s->arrival = l->arrivals++;
    s->state = WAITING;
    return ERR_OK;
}

/* ---- Waiting ----------------------------------------------------------------------------------
 */

static struct fk_listen_lwip_slot *longest_waiting(struct fk_listen_lwip *l) {
    struct fk_listen_lwip_slot *first = NULL;
    for (unsigned i = 0; i < SLOTS; i++) {
        struct fk_listen_lwip_slot *s = &l->slots[i];
        if (s->state == WAITING &&
            (first == NULL || (int16_t)(uint16_t)(s->arrival - first->arrival) < 0)) {
            first = s;
        }
    }
    return first;
}

static bool waiting(void *ctx) { return longest_waiting(ctx) != NULL; }

/* ---- A slot's pipe ----------------------------------------------------------------------------
 */

/* It has let us wait: for an acknowledgement through two retransmissions (one may just have been
 * lost), or for a window. */
static bool is_silent(const struct tcp_pcb *pcb) {
    return pcb->nrtx >= 2 || pcb->persist_backoff > 0;
}

static void hang_up(struct tcp_pcb *pcb) {
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_setprio(pcb, PRIO_LEAVING);
    pcb->rcv_wnd = TCP_WND; /* or lwIP sends a reset in place of our last words */
    if (is_silent(pcb) || tcp_close(pcb) != ERR_OK) {
        tcp_abort(pcb);
    }
}

static void slot_close(void *ctx) {
    struct fk_listen_lwip_slot *s = ctx;
    if (s->state == WAITING || s->state == FREE) {
        return; /* who waits here is not yet the pipe's */
    }
    if (s->pcb != NULL) {
        hang_up(s->pcb);
    }
    set_free(s);
}

static int slot_open(void *ctx) {
    struct fk_listen_lwip_slot *s = ctx;
    slot_close(s);
    struct fk_listen_lwip_slot *first = longest_waiting(s->owner);
    if (first == NULL) {
        return FK_E_BUSY;
    }
    if (first != s) { /* and who waits here waits there */
        const struct fk_listen_lwip_slot other = *s;
        *s = *first;
        *first = other;
        hand_to(s, s->pcb);
        hand_to(first, first->pcb);
    }
    s->state = TAKEN;
    return 0;
}

static int slot_recv(void *ctx, void *buf, size_t cap) {
    struct fk_listen_lwip_slot *s = ctx;
    if (s->state == FREE || s->state == WAITING) {
        return FK_E_CLOSED;
    }
    if (s->received == NULL) {
        return s->state == OVER ? s->err : s->peer_done ? FK_E_CLOSED : 0;
    }
    const u16_t want = cap < s->received->tot_len ? (u16_t)cap : s->received->tot_len;
    const u16_t len = pbuf_copy_partial(s->received, buf, want, 0);
    FK_ASSERT(len == want);
    s->received = pbuf_free_header(s->received, len);
    if (s->pcb != NULL) {
        tcp_recved(s->pcb, len);
    }
    return len;
}

/* All strangers' segments, those of connections that are ending included. */
static bool may_send(const struct fk_listen_lwip_slot *s) {
    unsigned count = 0;
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (is_ours(s->owner, pcb) && pcb->state != SYN_RCVD) {
            count += pcb->snd_queuelen;
        }
    }
    return s->pcb->snd_queuelen < FK_LISTEN_SEGMENTS_EACH && count < FK_LISTEN_SEGMENTS;
}

/* Connections that are ending, and whose peers are silent, keep nobody waiting. Nor do they linger
 * for ever, with a peer who answers and never opens his window. */
static void end_silent(const struct fk_listen_lwip *l) {
    struct tcp_pcb *pcb = tcp_active_pcbs;
    while (pcb != NULL) {
        struct tcp_pcb *next = pcb->next;
        if (is_ours(l, pcb) && pcb->state > ESTABLISHED && pcb->prio == PRIO_LEAVING &&
            is_silent(pcb)) {
            tcp_abort(pcb);
        }
        pcb = next;
    }
}

static int slot_send(void *ctx, const void *buf, size_t len) {
    struct fk_listen_lwip_slot *s = ctx;
    if (s->state != TAKEN) {
        return s->state == OVER ? s->err : FK_E_CLOSED;
    }
    size_t taken = 0;
    if (!may_send(s)) {
        end_silent(s->owner);
    }
    while (taken < len && may_send(s)) {
        const size_t part = len - taken < SEGMENT_MAX ? len - taken : SEGMENT_MAX;
        if (tcp_write(s->pcb, (const uint8_t *)buf + taken, (u16_t)part, TCP_WRITE_FLAG_COPY) !=
            ERR_OK) {
            break;
        }
        taken += part;
        (void)tcp_output(s->pcb); /* what it could not send now, its timer does */
    }
    return (int)taken;
}

/* ---- The listener -----------------------------------------------------------------------------
 */

static struct fk_pipe slot_pipe(void *ctx, unsigned slot) {
    static const struct fk_pipe_ops ops = {slot_open, slot_recv, slot_send, slot_close};
    struct fk_listen_lwip *l = ctx;
    FK_ASSERT(slot < FK_SERVER_CONNECTIONS);
    return (struct fk_pipe){&ops, &l->slots[slot]};
}

static bool established(void *ctx, unsigned slot) {
    const struct fk_listen_lwip *l = ctx;
    FK_ASSERT(slot < FK_SERVER_CONNECTIONS);
    return l->slots[slot].state == TAKEN || l->slots[slot].state == OVER;
}

static const struct fk_user *peer(void *ctx, unsigned slot) {
    (void)ctx;
    (void)slot;
    return NULL;
}

static bool ready(void *ctx, unsigned slot) {
    (void)ctx;
    (void)slot;
    return false;
}

struct fk_listener fk_listen_lwip_listener(struct fk_listen_lwip *l) {
    static const struct fk_listener_ops ops = {.waiting = waiting,
                                               .pipe = slot_pipe,
                                               .established = established,
                                               .peer = peer,
                                               .ready = ready};
    return (struct fk_listener){&ops, l, FK_SERVER_CONNECTIONS};
}

static struct tcp_pcb *listen_on(uint16_t port) {
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    if (pcb == NULL) {
        return NULL;
    }
    static const struct tcp_ext_arg_callbacks callbacks = {NULL, on_syn};
    tcp_ext_arg_set_callbacks(pcb, 0, &callbacks); /* nobody else has such */
    tcp_setprio(pcb, PRIO_STRANGER);
    struct tcp_pcb *listening = tcp_bind(pcb, IP_ANY_TYPE, port) == ERR_OK ? tcp_listen(pcb) : NULL;
    if (listening == NULL) {
        tcp_abort(pcb);
    }
    return listening;
}

int fk_listen_lwip_open(struct fk_listen_lwip *l, struct fk_net *net, uint16_t port) {
    *l = (struct fk_listen_lwip){.net = net, .pcb = listen_on(port)};
    if (l->pcb == NULL) {
        return FK_E_NOMEM;
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        l->slots[i].owner = l;
    }
    tcp_arg(l->pcb, l);
    tcp_accept(l->pcb, on_accepted);
    fk_net_set_relief(net, give_way, l);
    return 0;
}

void fk_listen_lwip_close(struct fk_listen_lwip *l) {
    if (l->pcb == NULL) {
        return;
    }
    fk_net_set_relief(l->net, NULL, NULL);
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL;) {
        struct tcp_pcb *next = pcb->next;
        if (is_ours(l, pcb)) {
            tcp_abort(pcb);
        }
        pcb = next;
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        set_free(&l->slots[i]);
    }
    (void)tcp_close(l->pcb);
    l->pcb = NULL;
}

#endif
