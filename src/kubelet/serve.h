/* What the endpoints have in common: documents as tables of parts, and what they are written from.
 * For kubelet/serve_*.c only. */
#ifndef FK_KUBELET_SERVE_H
#define FK_KUBELET_SERVE_H

#include "kubelet/endpoints.h"
#include "wire/json_write.h"
#include "wire/prometheus.h"

/* One part of a document: called with index 0, 1, 2 … until it says that there is no such piece
 * (then it has written nothing). A piece is an item: FK_HTTP1_ITEM_MAX bytes at most, and may be
 * written twice. */
typedef bool (*fk_serve_part)(const struct fk_exchange *x, uint32_t index, struct fk_writer *w);

/* The next piece of a table of parts; as fk_http1_items. */
bool fk_serve_parts(const struct fk_exchange *x, const fk_serve_part *parts, size_t count,
                    uint32_t *cursor, struct fk_writer *w);

#define FK_SERVE_PARTS(x, parts, cursor, w)                                                        \
    fk_serve_parts((x), (parts), sizeof(parts) / sizeof((parts)[0]), (cursor), (w))

/* For start: 200 with this body; a status with static text. */
int fk_serve_ok(struct fk_exchange *x, const char *content_type, fk_http1_items items);
int fk_serve_refuse(struct fk_exchange *x, int status, const char *message);

#define FK_SERVE_JSON "application/json"
#define FK_SERVE_TEXT "text/plain; charset=utf-8"

/* False: the port tells no figures, or not these. */
bool fk_serve_figures(const struct fk_exchange *x, struct fk_port_figures *figures);

/* Time of a processor that we used, us. Never 0: metrics-server takes 0 for a node without data. */
uint64_t fk_serve_cpu_us(const struct fk_port_figures *figures);

/* Whether the port tells more of its heap than facts do. */
static inline bool fk_serve_heap_known(const struct fk_port_figures *figures) {
    return figures->heap_low_bytes > 0 || figures->heap_largest_bytes > 0;
}

uint64_t fk_serve_uptime_ms(const struct fk_exchange *x);

/* When the node started, wall time; FK_WALL_UNKNOWN as long as that is. */
int64_t fk_serve_started_us(const struct fk_exchange *x);

/* "applied"; and "default/rack-1", which may stand in a list with commas. */
const char *fk_serve_configmap_state(enum fk_configmap_state state);
struct fk_bytes fk_serve_configmap_ref(const struct fk_configmap *c);

#endif
