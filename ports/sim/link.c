#include "sim/link.h"

#include "base/assert.h"
#include "base/err.h"

/* One way times: TCP's handshake (2), TLS 1.3's (2) until the client may speak. */
#define HANDSHAKE_TRIPS 4

static uint32_t trip_ms(const struct sim_link *l) {
    return l->latency_min_ms + fk_rng_below(l->dice, l->latency_max_ms - l->latency_min_ms + 1);
}

/* ---- one direction -------------------------------------------------------------------------- */

static void clear(struct sim_flow *f) { f->begin = f->len = f->first = f->count = 0; }

static size_t room(const struct sim_flow *f) {
    return f->count == SIM_FLOW_PIECES ? 0 : SIM_FLOW_CAP - f->len;
}

static void put(struct sim_link *l, struct sim_flow *f, const uint8_t *bytes, uint32_t len) {
    uint64_t due_ms = *l->now_ms + trip_ms(l);
    if (l->held_until_ms > due_ms) due_ms = l->held_until_ms;
    if (f->count > 0) {
        const uint64_t last_ms = f->pieces[(f->first + f->count - 1) % SIM_FLOW_PIECES].due_ms;
        if (last_ms > due_ms) due_ms = last_ms;
    }
    const uint32_t at = (f->begin + f->len) % SIM_FLOW_CAP;
    const uint32_t behind = SIM_FLOW_CAP - at < len ? SIM_FLOW_CAP - at : len;
    memcpy(f->bytes + at, bytes, behind);
    memcpy(f->bytes, bytes + behind, len - behind);
    f->len += len;
    f->pieces[(f->first + f->count) % SIM_FLOW_PIECES].due_ms = due_ms;
    f->pieces[(f->first + f->count) % SIM_FLOW_PIECES].len = len;
    f->count++;
}

static size_t take(const struct sim_link *l, struct sim_flow *f, uint8_t *buf, size_t cap) {
    if (f->count == 0 || f->pieces[f->first].due_ms > *l->now_ms) return 0;
    const uint32_t have = f->pieces[f->first].len;
    const uint32_t len = have < cap ? have : (uint32_t)cap;
    const uint32_t behind = SIM_FLOW_CAP - f->begin < len ? SIM_FLOW_CAP - f->begin : len;
    memcpy(buf, f->bytes + f->begin, behind);
    memcpy(buf + behind, f->bytes, len - behind);
    f->begin = (f->begin + len) % SIM_FLOW_CAP;
    f->len -= len;
    f->pieces[f->first].len -= len;
    if (f->pieces[f->first].len == 0) {
        f->first = (f->first + 1) % SIM_FLOW_PIECES;
        f->count--;
    }
    return len;
}

static uint64_t due(const struct sim_flow *f) {
    return f->count == 0 ? FK_NEVER : f->pieces[f->first].due_ms;
}

/* ---- the node's end ------------------------------------------------------------------------- */

static void settle(struct sim_link *l) {
    if (l->state != SIM_LINK_CONNECTING || *l->now_ms < l->ready_ms) return;
    l->state = l->outcome == 0 ? SIM_LINK_OPEN : SIM_LINK_BROKEN;
    if (l->outcome == 0) l->opens_established++;
}

static int pipe_open(void *ctx) {
    struct sim_link *l = ctx;
    clear(&l->up);
    clear(&l->down);
    l->opens++;
    l->lost = false;
    l->ending = 0;
    l->state = SIM_LINK_CONNECTING;
    l->outcome = l->refusing ? FK_E_UNREACHABLE : 0;
    l->ready_ms = *l->now_ms;
    const int trips = l->refusing ? 2 : HANDSHAKE_TRIPS;
    for (int i = 0; i < trips; i++) l->ready_ms += trip_ms(l);
    if (l->held_until_ms > *l->now_ms) l->ready_ms += l->held_until_ms - *l->now_ms;
    if (l->dark) l->ready_ms = FK_NEVER;
    return 0;
}

static int pipe_recv(void *ctx, void *buf, size_t cap) {
    struct sim_link *l = ctx;
    settle(l);
    if (l->state == SIM_LINK_CLOSED) return FK_E_CLOSED;
    if (l->state == SIM_LINK_BROKEN) return l->outcome;
    if (l->ending != 0 && l->down.count == 0) return l->ending;
    return (int)take(l, &l->down, buf, cap);
}

static int pipe_send(void *ctx, const void *buf, size_t len) {
    struct sim_link *l = ctx;
    settle(l);
    if (l->state == SIM_LINK_CLOSED) return FK_E_CLOSED;
    if (l->state == SIM_LINK_BROKEN) return l->outcome;
    if (l->state == SIM_LINK_CONNECTING) return 0;
    if (l->lost) return (int)len;
    const size_t fits = room(&l->up);
    if (fits == 0) return 0;
    if (len > fits) len = fits;
    put(l, &l->up, buf, (uint32_t)len);
    return (int)len;
}

static void pipe_close(void *ctx) {
    struct sim_link *l = ctx;
    l->state = SIM_LINK_CLOSED;
    clear(&l->up);
    clear(&l->down);
}

struct fk_pipe sim_link_pipe(struct sim_link *l) {
    static const struct fk_pipe_ops ops = {pipe_open, pipe_recv, pipe_send, pipe_close};
    return (struct fk_pipe){&ops, l};
}

/* ---- the server's end ----------------------------------------------------------------------- */

size_t sim_link_room(const struct sim_link *l) { return l->lost ? SIM_FLOW_CAP : room(&l->down); }

void sim_link_reply(struct sim_link *l, struct fk_bytes bytes) {
    if (l->lost || l->state != SIM_LINK_OPEN) return;
    FK_ASSERT(bytes.len <= room(&l->down));
    put(l, &l->down, bytes.p, (uint32_t)bytes.len);
}

size_t sim_link_hear(struct sim_link *l, void *buf, size_t cap) {
    return l->state == SIM_LINK_OPEN && l->ending == 0 ? take(l, &l->up, buf, cap) : 0;
}

uint64_t sim_link_up_due(const struct sim_link *l) {
    return l->state == SIM_LINK_OPEN && l->ending == 0 ? due(&l->up) : FK_NEVER;
}

uint64_t sim_link_down_due(const struct sim_link *l) {
    switch (l->state) {
    case SIM_LINK_CONNECTING: return l->ready_ms;
    case SIM_LINK_OPEN: return l->ending != 0 && l->down.count == 0 ? *l->now_ms : due(&l->down);
    case SIM_LINK_BROKEN: return *l->now_ms;
    case SIM_LINK_CLOSED: break;
    }
    return FK_NEVER;
}

void sim_link_break(struct sim_link *l, int err) {
    if (l->state != SIM_LINK_OPEN && l->state != SIM_LINK_CONNECTING) return;
    l->state = SIM_LINK_BROKEN;
    l->outcome = err;
    l->lost = false;
}
