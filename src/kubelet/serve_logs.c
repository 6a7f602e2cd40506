/* /logs/: the node's own recent log lines, as the one file of a folder. */
#include "kubelet/serve.h"

#define FILE_NAME "femtokubelet.log"

static bool index_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    (void)ctx;
    if ((*cursor)++ > 0) return false;
    fk_put_str(w, "<!doctype html>\n<title>logs</title>\n"
                  "<a href=\"" FILE_NAME "\">" FILE_NAME "</a>\n");
    return true;
}

/* From `from` up to `to`, the ring as it was when it was asked for: lines that come meanwhile, ours
 * among them, would make it endless. The cursor counts from `from`. */
static bool log_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    const struct fk_exchange *x = ctx;
    char piece[256];
    uint32_t at = x->from + *cursor;
    if (*cursor >= x->to - x->from) return false;
    const uint32_t left = x->to - at;
    const size_t cap = left < sizeof piece ? left : sizeof piece;
    const size_t len = fk_log_ring_read(x->house->ring, &at, piece, cap);
    if (len == 0) return false;
    fk_put(w, piece, len);
    *cursor = at - x->from;
    return true;
}

int fk_serve_logs(struct fk_exchange *x) {
    const struct fk_log_ring *ring = x->house->ring;
    if (ring == NULL) return fk_serve_refuse(x, 404, "this node keeps no log");
    if (x->rest[0] == '\0') return fk_serve_ok(x, "text/html; charset=utf-8", index_items);
    if (strcmp(x->rest, FILE_NAME) != 0)
        return fk_serve_refuse(x, 404, "there is only " FILE_NAME " here");
    x->from = fk_log_ring_first(ring);
    x->to = ring->written;
    return fk_serve_ok(x, FK_SERVE_TEXT, log_items);
}
