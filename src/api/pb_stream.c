#include "api/pb_stream.h"

#include "base/assert.h"
#include "base/err.h"

/* Wire format: protobuf.dev/programming-guides/encoding. */
enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* What the next byte belongs to. */
enum state { IN_MAGIC, IN_TAG, IN_VALUE, IN_LENGTH, IN_BYTES };

/* runtime.Unknown */
enum { ENVELOPE_RAW = 2, ENVELOPE_CONTENT_ENCODING = 3 };

#define LENGTH_MAX INT32_MAX /* protobuf's own limit of a message */
#define NOT_WANTED UINT8_MAX

/* struct fk_pb_walk.magic_depth, by shape. */
static const uint8_t magic_depths[] = {UINT8_MAX, 0, 2};

static const uint8_t magic[4] = {'k', '8', 's', 0};

static void fail(struct fk_pb_walk *pb) { pb->err = FK_E_PARSE; }

void fk_pb_walk_begin(struct fk_pb_walk *pb, enum fk_pb_shape shape,
                      const struct fk_pb_visitor *visitor, void *ctx) {
    const bool enveloped = shape == FK_PB_ENVELOPED;
    *pb = (struct fk_pb_walk){.visitor = visitor, .ctx = ctx};
    pb->enveloped = enveloped ? 1 : 0;
    pb->magic_depth = magic_depths[shape];
    pb->opened = !enveloped;
    pb->state = enveloped ? IN_MAGIC : IN_TAG;
    pb->wanted = NOT_WANTED;
}

/* Counts bytes towards the innermost open message; the outermost ends with the body. */
static bool take(struct fk_pb_walk *pb, uint32_t len) {
    if (pb->depth == 0) return true;
    if (len > pb->left[pb->depth]) {
        fail(pb);
        return false;
    }
    pb->left[pb->depth] -= len;
    return true;
}

static void begin_varint(struct fk_pb_walk *pb, enum state state) {
    pb->state = (uint8_t)state;
    pb->varint = 0;
    pb->shift = 0;
}

/* A field is complete: leave the messages that end with it. */
static void next_field(struct fk_pb_walk *pb) {
    while (pb->depth > 0 && pb->left[pb->depth] == 0) pb->depth--;
    pb->wanted = NOT_WANTED;
    begin_varint(pb, IN_TAG);
}

static enum fk_pb_long when_long(const struct fk_pb_walk *pb) {
    return (enum fk_pb_long)pb->visitor->paths[pb->wanted].when_long;
}

/* The walk is the first member of what collects (see fk_pb_begin). */
static struct fk_pb *collector(struct fk_pb_walk *pb) { return (struct fk_pb *)pb; }

static void hand_over(struct fk_pb_walk *pb) {
    const uint8_t wanted = pb->wanted;
    if (wanted == NOT_WANTED) return;
    const bool whole = when_long(pb) != FK_PB_PIECES;
    pb->wanted = NOT_WANTED;
    pb->visitor->leaf(pb->ctx, wanted,
                      whole ? fk_bytes(collector(pb)->leaf, collector(pb)->leaf_len)
                            : fk_bytes(NULL, 0));
}

/* The leaf that begins will be collected. False: it will not, being too long. */
static bool fits(struct fk_pb_walk *pb, uint32_t len) {
    FK_ASSERT(pb->collects);
    collector(pb)->leaf_len = 0;
    if (len <= FK_PB_LEAF_MAX || when_long(pb) == FK_PB_CUT) return true;
    collector(pb)->oversize++;
    return false;
}

/* The next len bytes are one field's content, handed over when it is wanted and skipped if not. */
static void begin_bytes(struct fk_pb_walk *pb, uint32_t len) {
    if (!take(pb, len)) return;
    if (pb->wanted != NOT_WANTED && when_long(pb) != FK_PB_PIECES && !fits(pb, len))
        pb->wanted = NOT_WANTED;
    pb->todo = len;
    pb->state = IN_BYTES;
    if (len > 0) return;
    hand_over(pb);
    next_field(pb);
}

static void descend(struct fk_pb_walk *pb, uint32_t len) {
    if (!take(pb, len)) return;
    if (pb->depth >= pb->enveloped) pb->trail[pb->depth - pb->enveloped] = pb->field;
    pb->left[++pb->depth] = len;
    if (pb->depth == pb->magic_depth) begin_varint(pb, IN_MAGIC);
    else next_field(pb);
}

/* Compares the current field with the wanted paths. True: a message on the way to one of them. On
 * a leaf itself, sets pb->wanted. */
static bool on_the_way(struct fk_pb_walk *pb) {
    const size_t level = (size_t)pb->depth - pb->enveloped;
    for (size_t i = 0; i < pb->visitor->path_count; i++) {
        const uint8_t *path = pb->visitor->paths[i].field;
        if (path[level] != pb->field || memcmp(path, pb->trail, level) != 0) continue;
        if (level + 1 < FK_PB_DEPTH_MAX && path[level + 1] != 0) return true;
        pb->wanted = (uint8_t)i;
        return false;
    }
    return false;
}

static void length_done(struct fk_pb_walk *pb) {
    if (pb->varint > LENGTH_MAX) {
        fail(pb);
        return;
    }
    const uint32_t len = (uint32_t)pb->varint;
    bool open = false;
    if (pb->depth == pb->magic_depth && pb->field == ENVELOPE_CONTENT_ENCODING && len > 0) fail(pb);
    if (pb->depth < pb->enveloped) {
        open = pb->field == ENVELOPE_RAW;
        if (open) pb->opened = true;
    } else if (pb->field != 0) {
        open = on_the_way(pb);
    }
    if (open) descend(pb, len);
    else begin_bytes(pb, len);
}

static void value_done(struct fk_pb_walk *pb) {
    if (pb->depth >= pb->enveloped && pb->field != 0 && pb->visitor->varint != NULL &&
        !on_the_way(pb) && pb->wanted != NOT_WANTED)
        pb->visitor->varint(pb->ctx, pb->wanted, pb->varint);
    next_field(pb);
}

static void tag_done(struct fk_pb_walk *pb) {
    const uint64_t number = pb->varint >> 3;
    const unsigned wire = (unsigned)(pb->varint & 7);
    if (number == 0 || pb->varint > UINT32_MAX) {
        fail(pb);
        return;
    }
    pb->field = number <= UINT8_MAX ? (uint8_t)number : 0;
    switch (wire) {
    case WIRE_VARINT: begin_varint(pb, IN_VALUE); break;
    case WIRE_BYTES: begin_varint(pb, IN_LENGTH); break;
    case WIRE_FIXED64: begin_bytes(pb, 8); break;
    case WIRE_FIXED32: begin_bytes(pb, 4); break;
    default: fail(pb);
    }
}

static void magic_byte(struct fk_pb_walk *pb, uint8_t byte) {
    if (!take(pb, 1)) return;
    if (byte != magic[pb->shift]) fail(pb);
    else if (++pb->shift == sizeof magic) next_field(pb);
}

static void varint_byte(struct fk_pb_walk *pb, uint8_t byte) {
    if (!take(pb, 1)) return;
    if (pb->shift == 63 && byte > 1) { /* the tenth byte has room for one bit */
        fail(pb);
        return;
    }
    pb->varint |= (uint64_t)(byte & 0x7F) << pb->shift;
    pb->shift = (uint8_t)(pb->shift + 7);
    if ((byte & 0x80) != 0) return;
    if (pb->state == IN_TAG) tag_done(pb);
    else if (pb->state == IN_LENGTH) length_done(pb);
    else value_done(pb);
}

/* Keeps what there is room for of the next bytes of a leaf. */
static void collect(struct fk_pb_walk *pb, struct fk_bytes piece) {
    struct fk_pb *c = collector(pb);
    const size_t room = (size_t)(FK_PB_LEAF_MAX - c->leaf_len);
    const size_t kept = piece.len < room ? piece.len : room;
    memcpy(c->leaf + c->leaf_len, piece.p, kept);
    c->leaf_len = (uint16_t)(c->leaf_len + kept);
    /* A cut leaf goes out when it is as long as it gets: its end may never be sent. */
    if (kept == pb->todo || kept == room) hand_over(pb);
}

/* Returns the count of bytes used, at least 1. */
static size_t content(struct fk_pb_walk *pb, struct fk_bytes piece) {
    const uint32_t len = piece.len < pb->todo ? (uint32_t)piece.len : pb->todo;
    if (pb->wanted != NOT_WANTED) {
        if (when_long(pb) != FK_PB_PIECES) collect(pb, fk_bytes(piece.p, len));
        else pb->visitor->leaf(pb->ctx, pb->wanted, fk_bytes(piece.p, len));
    }
    pb->todo -= len;
    if (pb->todo > 0) return len;
    hand_over(pb);
    next_field(pb);
    return len;
}

int fk_pb_walk_feed(struct fk_pb_walk *pb, struct fk_bytes piece) {
    while (piece.len > 0 && pb->err == 0) {
        size_t used = 1;
        if (pb->state == IN_BYTES) used = content(pb, piece);
        else if (pb->state == IN_MAGIC) magic_byte(pb, *piece.p);
        else varint_byte(pb, *piece.p);
        piece.p += used;
        piece.len -= used;
    }
    return pb->err;
}

int fk_pb_walk_end(const struct fk_pb_walk *pb) {
    if (pb->err != 0) return pb->err;
    const bool between = pb->state == IN_TAG && pb->shift == 0 && pb->depth == 0 && pb->opened;
    return between ? 0 : FK_E_PARSE;
}

/* ---- with leaves collected ------------------------------------------------------------------- */

void fk_pb_begin(struct fk_pb *pb, bool enveloped, const struct fk_pb_visitor *visitor, void *ctx) {
    fk_pb_walk_begin(&pb->walk, enveloped ? FK_PB_ENVELOPED : FK_PB_BARE, visitor, ctx);
    pb->walk.collects = true;
    pb->oversize = 0;
    pb->leaf_len = 0;
}

int fk_pb_feed(struct fk_pb *pb, struct fk_bytes piece) {
    return fk_pb_walk_feed(&pb->walk, piece);
}

int fk_pb_end(const struct fk_pb *pb) { return fk_pb_walk_end(&pb->walk); }
