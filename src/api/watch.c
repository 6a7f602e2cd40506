#include "api/watch.h"

#include "base/assert.h"
#include "base/err.h"

#define FRAME_HEAD 4 /* length of the event, big-endian (apimachinery, pkg/util/framer) */

/* More than etcd takes (1.5 MB) by far; JSON instead of frames would begin with 2 GB. */
#define FRAME_MAX (1u << 24)

enum type { TYPE_NONE, TYPE_ADDED, TYPE_MODIFIED, TYPE_DELETED, TYPE_BOOKMARK, TYPE_ERROR };
static const char type_names[][sizeof "MODIFIED"] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK",
                                                     "ERROR"};

static void error_varint(void *ctx, size_t path, uint64_t value);

/* An ERROR event holds a Status, of which the code is all that we go by. */
static const struct fk_pb_path error_paths[] = {{{1}, FK_PB_PIECES},
                                                {{FK_WATCH_EVENT_OBJECT, 6}, FK_PB_PIECES}};
static const struct fk_pb_visitor error_visitor = {error_paths, 2, fk_watch_leaf, error_varint};

/* ---- requests --------------------------------------------------------------------------------
 */

void fk_watch_init(struct fk_watch *w, const struct fk_watch_kind *kind,
                   const struct fk_watch_ops *ops, void *ctx, struct fk_bytes namespace_name,
                   struct fk_bytes name) {
    *w = (struct fk_watch){
        .kind = kind, .ops = ops, .ctx = ctx, .namespace_name = namespace_name, .name = name};
}

static void put_path(const struct fk_watch *w, struct fk_rng *rng, struct fk_writer *out) {
    fk_put_str(out, w->kind->prefix);
    fk_put_str(out, "/namespaces/");
    fk_put(out, w->namespace_name.p, w->namespace_name.len);
    fk_put_char(out, '/');
    fk_put_str(out, w->kind->resource);
    fk_put_str(out, "?fieldSelector=metadata.name=");
    fk_put(out, w->name.p, w->name.len);
    if (!w->watching) return;
    fk_put_str(out, "&watch=1&allowWatchBookmarks=true&resourceVersion=");
    fk_put_str(out, w->resource_version);
    fk_put_str(out, "&timeoutSeconds=");
    fk_put_u64(out, FK_WATCH_MIN_S + fk_rng_below(rng, FK_WATCH_MIN_S + 1));
}

void fk_watch_request(struct fk_watch *w, struct fk_now now, struct fk_rng *rng,
                      struct fk_request *request) {
    memset(request, 0, sizeof *request);
    request->verb = FK_GET;
    request->wants_body = true;
    struct fk_writer path;
    fk_writer_init(&path, request->path, sizeof request->path);
    put_path(w, rng, &path);
    FK_ASSERT(fk_writer_finish(&path) == 0);
    w->over = w->garbled = w->busy = w->receiving = w->listed = w->useful = false;
    w->code = 0;
    w->head_len = w->text_len = 0;
    w->frame_left = 0;
    w->uid[0] = w->version[0] = '\0';
    w->began_ms = now.mono_ms;
    if (w->watching) {
        request->over = &w->over;
        return;
    }
    w->resource_version[0] = '\0';
    fk_pb_walk_begin(&w->walk, FK_PB_ENVELOPED, w->kind->list, w);
}

/* ---- what arrives ----------------------------------------------------------------------------
 */

static void garble(struct fk_watch *w) { w->garbled = w->over = true; }

/* Puts a short leaf together. True when it is complete. */
static bool collect(struct fk_watch *w, char *text, size_t cap, struct fk_bytes piece) {
    if (w->text_len + piece.len >= cap) {
        garble(w);
        return false;
    }
    if (piece.len > 0) memcpy(text + w->text_len, piece.p, piece.len);
    w->text_len = (uint8_t)(w->text_len + piece.len);
    if (piece.len > 0) return false;
    text[w->text_len] = '\0';
    w->text_len = 0;
    return true;
}

static void begin(struct fk_watch *w) {
    w->receiving = w->ops->begin(w->ctx);
    w->busy = !w->receiving;
    w->over = w->busy;
}

static void type_done(struct fk_watch *w) {
    if (w->type != TYPE_NONE) { /* a second one */
        garble(w);
        return;
    }
    for (uint8_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++)
        if (strcmp(w->type_text, type_names[i]) == 0) w->type = (uint8_t)(TYPE_ADDED + i);
    if (w->type == TYPE_NONE) garble(w);
    if (w->type == TYPE_ERROR) w->walk.visitor = &error_visitor;
    if (w->type == TYPE_ADDED || w->type == TYPE_MODIFIED) begin(w);
}

/* The type comes first (fields are written in ascending order): what an object means is known when
 * it begins. */
static void head_piece(struct fk_watch *w, struct fk_bytes piece) {
    if (!w->watching) (void)collect(w, w->resource_version, sizeof w->resource_version, piece);
    else if (collect(w, w->type_text, sizeof w->type_text, piece)) type_done(w);
}

void fk_watch_leaf(void *ctx, size_t path, struct fk_bytes piece) {
    struct fk_watch *w = ctx;
    if (w->over) return;
    if (path == FK_WATCH_HEAD) {
        head_piece(w, piece);
        return;
    }
    if (!w->watching && !w->listed) {
        w->listed = true;
        begin(w);
    }
    if (w->over) return;
    if (path == FK_WATCH_UID) {
        if (w->uid[0] != '\0' && w->text_len == 0 && piece.len > 0) garble(w); /* a second one */
        else (void)collect(w, w->uid, sizeof w->uid, piece);
    } else if (path == FK_WATCH_VERSION) {
        (void)collect(w, w->version, sizeof w->version, piece);
    } else if (w->receiving) {
        w->ops->piece(w->ctx, path - FK_WATCH_OWN, piece);
    }
}

static void error_varint(void *ctx, size_t path, uint64_t value) {
    struct fk_watch *w = ctx;
    (void)path;
    if (value >= 400 && value < 600) w->code = (uint16_t)value;
}

static void object_done(struct fk_watch *w) {
    if (!w->receiving || w->uid[0] == '\0') {
        garble(w);
        return;
    }
    w->receiving = false;
    w->ops->changed(w->ctx, w->uid, w->version);
}

static void event_done(struct fk_watch *w) {
    w->head_len = 0;
    if (fk_pb_walk_end(&w->walk) != 0 || w->type == TYPE_NONE) {
        garble(w);
        return;
    }
    if (w->type == TYPE_ERROR) {
        w->over = true;
        if (w->code == 0) garble(w);
        return;
    }
    if (w->version[0] == '\0') {
        garble(w);
        return;
    }
    if (w->type == TYPE_DELETED) w->ops->gone(w->ctx);
    if (w->type == TYPE_ADDED || w->type == TYPE_MODIFIED) object_done(w);
    if (w->over) return;
    memcpy(w->resource_version, w->version, sizeof w->resource_version);
    w->events++;
    w->useful = w->useful || w->type != TYPE_BOOKMARK;
}

static void event_begins(struct fk_watch *w) {
    fk_pb_walk_begin(&w->walk, FK_PB_EVENT, w->kind->event, w);
    w->type = TYPE_NONE;
    w->text_len = 0;
    w->uid[0] = w->version[0] = '\0';
    if (w->frame_left == 0 || w->frame_left > FRAME_MAX) garble(w);
}

static void head_byte(struct fk_watch *w, uint8_t byte) {
    w->frame_left = w->frame_left << 8 | byte;
    if (++w->head_len == FRAME_HEAD) event_begins(w);
}

void fk_watch_feed(struct fk_watch *w, struct fk_bytes piece) {
    if (!w->watching) {
        (void)fk_pb_walk_feed(&w->walk, piece); /* its error shows at the end */
        return;
    }
    while (piece.len > 0 && !w->over) {
        size_t used = 1;
        if (w->head_len < FRAME_HEAD) {
            head_byte(w, *piece.p);
        } else {
            used = piece.len < w->frame_left ? piece.len : w->frame_left;
            w->frame_left -= (uint32_t)used;
            if (fk_pb_walk_feed(&w->walk, fk_bytes(piece.p, used)) != 0) garble(w);
            else if (w->frame_left == 0 && !w->over) event_done(w);
        }
        piece.p += used;
        piece.len -= used;
    }
}

/* ---- how it ended ----------------------------------------------------------------------------
 */

/* From the start. What is known of the object stays with the owner. */
static enum fk_watch_next again(struct fk_watch *w, enum fk_watch_next next) {
    w->watching = false;
    return next;
}

static enum fk_watch_next list_ended(struct fk_watch *w) {
    if (w->busy) return FK_WATCH_TURN;
    if (fk_pb_walk_end(&w->walk) != 0 || w->resource_version[0] == '\0') w->garbled = true;
    if (w->listed && (w->uid[0] == '\0' || w->version[0] == '\0')) w->garbled = true;
    if (w->garbled) return FK_WATCH_FAILED;
    if (w->listed) object_done(w);
    else w->ops->gone(w->ctx);
    w->lists++;
    w->watching = true;
    return FK_WATCH_GO_ON;
}

static bool answered(const struct fk_response *response) {
    return response->status >= 200 && response->status < 300;
}

static enum fk_watch_next watch_ended(struct fk_watch *w, struct fk_now now,
                                      const struct fk_response *response) {
    if (response->status == 410 || w->code == 410) return again(w, FK_WATCH_TURN);
    if (w->garbled) return again(w, FK_WATCH_FAILED);
    if (w->code != 0) return FK_WATCH_FAILED;
    if (response->status > 0 && !answered(response)) return FK_WATCH_FAILED;
    if (w->busy) return FK_WATCH_TURN;
    if (w->useful || now.mono_ms >= fk_after(w->began_ms, FK_WATCH_SHORT_MS)) return FK_WATCH_GO_ON;
    return answered(response) ? FK_WATCH_TURN : FK_WATCH_FAILED;
}

/* An object of which the end did not come. */
static void break_off(struct fk_watch *w) {
    if (!w->receiving) return;
    w->receiving = false;
    w->broken_off++;
    w->ops->broken(w->ctx);
}

enum fk_watch_next fk_watch_end(struct fk_watch *w, struct fk_now now,
                                const struct fk_response *response, struct fk_response *why) {
    enum fk_watch_next next = FK_WATCH_FAILED;
    if (w->watching) next = watch_ended(w, now, response);
    else if (answered(response)) next = list_ended(w);
    break_off(w);
    *why = *response;
    if (next == FK_WATCH_FAILED && w->garbled) {
        why->status = FK_E_PARSE;
        why->message = "the reply is not what was asked for";
    } else if (next == FK_WATCH_FAILED && w->code != 0) {
        why->status = w->code;
        why->message = "the watch was ended by an ERROR event";
    }
    return next;
}
