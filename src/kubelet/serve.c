#include "kubelet/serve.h"

/* The cursor is the part's number, and behind it the piece's. */
#define PART_SHIFT 16
#define PIECE_MASK 0xFFFFu

bool fk_serve_parts(const struct fk_exchange *x, const fk_serve_part *parts, size_t count,
                    uint32_t *cursor, struct fk_writer *w) {
    for (uint32_t part = *cursor >> PART_SHIFT; part < count; part++) {
        if (parts[part](x, *cursor & PIECE_MASK, w)) {
            ++*cursor;
            return true;
        }
        *cursor = (part + 1) << PART_SHIFT;
    }
    return false;
}

int fk_serve_ok(struct fk_exchange *x, const char *content_type, fk_http1_items items) {
    x->content_type = content_type;
    x->items = items;
    return 200;
}

int fk_serve_refuse(struct fk_exchange *x, int status, const char *message) {
    x->message = message;
    return status;
}

bool fk_serve_figures(const struct fk_exchange *x, struct fk_port_figures *figures) {
    const struct fk_port *port = &x->house->node->port;
    *figures = (struct fk_port_figures){0};
    if (port->ops->figures == NULL) return false;
    port->ops->figures(port->ctx, figures);
    return true;
}

uint64_t fk_serve_cpu_us(const struct fk_port_figures *figures) {
    return figures->cpu_us < 1000 ? 1000 : figures->cpu_us;
}

uint64_t fk_serve_uptime_ms(const struct fk_exchange *x) {
    return x->now.mono_ms - x->house->node->started_ms;
}

int64_t fk_serve_started_us(const struct fk_exchange *x) {
    if (x->now.wall_us == FK_WALL_UNKNOWN) return FK_WALL_UNKNOWN;
    return x->now.wall_us - (int64_t)(fk_serve_uptime_ms(x) * 1000);
}

const char *fk_serve_configmap_state(enum fk_configmap_state state) {
    switch (state) {
    case FK_CONFIGMAP_UNKNOWN: break;
    case FK_CONFIGMAP_ABSENT: return "absent";
    case FK_CONFIGMAP_APPLIED: return "applied";
    case FK_CONFIGMAP_REFUSED: return "refused";
    }
    return "unknown";
}

struct fk_bytes fk_serve_configmap_ref(const struct fk_configmap *c) {
    const struct fk_bytes ref = fk_bytes_str(c->ref);
    const char *comma = memchr(c->ref, ',', ref.len);
    return comma == NULL ? ref : fk_bytes(c->ref, (size_t)(comma - c->ref));
}
