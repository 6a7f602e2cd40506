#include "support/mem_pipe.h"

#include <string.h>

#include "base/err.h"

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void flow_restart(struct mem_flow *f) {
    f->sent = 0;
    f->received = 0;
    f->ended = false;
    f->pause = false;
}

static int flow_send(struct mem_pipe *m, struct mem_flow *f, const void *buf, size_t len) {
    if (m->dead || f->ended) {
        return FK_E_RESET;
    }
    const size_t under_way = f->sent - f->received;
    size_t n = least(len, f->silent ? len : f->room - least(f->room, under_way));
    n = least(n, f->die_at - least(f->die_at, f->sent));
    if (n == 0 && f->sent >= f->die_at) {
        m->dead = true;
        return FK_E_RESET;
    }
    for (size_t i = 0; i < n && !f->silent; i++) {
        f->bytes[(f->sent + i) % MEM_FLOW_CAP] = ((const uint8_t *)buf)[i];
    }
    f->sent += f->silent ? 0 : n;
    return (int)n;
}

/* How much recv may give now. */
static size_t available(const struct mem_flow *f, size_t cap) {
    size_t n = least(cap, f->sent - f->received);
    if (f->chunk != 0) {
        n = least(n, f->chunk);
    }
    if (f->received < f->split) {
        n = least(n, f->split - f->received);
    }
    return n;
}

static int flow_recv(struct mem_pipe *m, struct mem_flow *f, void *buf, size_t cap) {
    const size_t n = available(f, cap);
    if (n == 0) {
        m->dead = m->dead || f->sent >= f->die_at;
        return m->dead ? FK_E_RESET : f->ended ? FK_E_CLOSED : 0;
    }
    if (f->pause) {
        f->pause = false;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)buf)[i] = f->bytes[(f->received + i) % MEM_FLOW_CAP];
    }
    f->received += n;
    f->pause = f->chunk != 0 || f->received == f->split;
    return (int)n;
}

static int near_open(void *ctx) {
    struct mem_pipe *m = ctx;
    m->opens++;
    if (m->open_err != 0) {
        return m->open_err;
    }
    flow_restart(&m->to_near);
    flow_restart(&m->to_far);
    m->dead = false;
    m->near_open = true;
    return 0;
}

static int near_recv(void *ctx, void *buf, size_t cap) {
    struct mem_pipe *m = ctx;
    return flow_recv(m, &m->to_near, buf, cap);
}

static int near_send(void *ctx, const void *buf, size_t len) {
    struct mem_pipe *m = ctx;
    return flow_send(m, &m->to_far, buf, len);
}

static void near_close(void *ctx) {
    struct mem_pipe *m = ctx;
    m->closes++;
    m->near_open = false;
    m->to_far.ended = true;
}

static int far_open(void *ctx) {
    (void)ctx;
    return 0;
}

static int far_recv(void *ctx, void *buf, size_t cap) {
    struct mem_pipe *m = ctx;
    return flow_recv(m, &m->to_far, buf, cap);
}

static int far_send(void *ctx, const void *buf, size_t len) {
    struct mem_pipe *m = ctx;
    return flow_send(m, &m->to_near, buf, len);
}

static void far_close(void *ctx) {
    struct mem_pipe *m = ctx;
    m->to_near.ended = true;
}

void mem_pipe_init(struct mem_pipe *m) {
    memset(m, 0, sizeof *m);
    m->to_near.room = m->to_far.room = MEM_FLOW_CAP;
    m->to_near.die_at = m->to_far.die_at = MEM_NEVER;
}

struct fk_pipe mem_pipe_near(struct mem_pipe *m) {
    static const struct fk_pipe_ops ops = {near_open, near_recv, near_send, near_close};
    return (struct fk_pipe){&ops, m};
}

struct fk_pipe mem_pipe_far(struct mem_pipe *m) {
    static const struct fk_pipe_ops ops = {far_open, far_recv, far_send, far_close};
    return (struct fk_pipe){&ops, m};
}
