/* Walks a protobuf message as it arrives, whatever its size, and hands over the few leaves that
 * somebody wants (a condition, a label, the UID): whole, to be decoded by nanopb, or in the pieces
 * they arrive in. All else is skipped by its length, so managedFields costs nothing and a 10 MB
 * object needs no buffer.
 *
 * API server replies are enveloped: the 4 bytes "k8s\0", then runtime.Unknown, whose field 2 (raw)
 * holds the object (k8s.io/apimachinery/pkg/runtime/generated.proto). An event of a watch is bare,
 * and such an envelope stands inside, at {2, 1}, object.raw (meta/v1's WatchEvent): its object's
 * fields are {2, 1, 2, ...}.
 *
 * Malformed is: a length beyond the message around it or 2 GB, a varint beyond 64 bits, a field
 * number of 0, a group (wire types 3 and 4), an envelope whose content is encoded in a way of its
 * own. Leaves found before that have been handed over already: act on them after fk_pb_end. */
#ifndef FK_API_PB_STREAM_H
#define FK_API_PB_STREAM_H

#include "base/bytes.h"
#include "opts.h"

/* A leaf longer than FK_PB_LEAF_MAX: */
enum fk_pb_long {
    FK_PB_SKIP,   /* is not handed over, but counted */
    FK_PB_CUT,    /* its beginning will do */
    FK_PB_PIECES, /* comes in pieces, as do short ones: any number, none of them empty, and an empty
                   * one to say that it is complete */
};

/* One wanted leaf: its field numbers from the object's top down, 0-terminated when shorter than
 * FK_PB_DEPTH_MAX. Node's metadata.uid is {1, 5}, one status.conditions item {3, 4}. */
struct fk_pb_path {
    uint8_t field[FK_PB_DEPTH_MAX]; /* field numbers 1 to 255 */
    uint8_t when_long;              /* enum fk_pb_long */
};

struct fk_pb_visitor {
    const struct fk_pb_path *paths; /* no path may be the beginning of another */
    size_t path_count;              /* at most 255 */
    /* One leaf of length-delimited type, complete unless its path says otherwise and its length is
     * FK_PB_LEAF_MAX; bytes are valid during the call. May put another visitor in this one's place.
     */
    void (*leaf)(void *ctx, size_t path, struct fk_bytes bytes);
    /* One leaf of varint type. */
    void (*varint)(void *ctx, size_t path, uint64_t value); /* may be NULL */
};

enum fk_pb_shape { FK_PB_BARE, FK_PB_ENVELOPED, FK_PB_EVENT };

/* A walk that collects nothing: all its paths are FK_PB_PIECES. */
struct fk_pb_walk {
    const struct fk_pb_visitor *visitor;
    void *ctx;
    int err; /* first error: FK_E_PARSE; feeding more changes nothing */
    /* private from here */
    uint64_t varint;                    /* the one being read: tag, length or value */
    uint32_t left[FK_PB_DEPTH_MAX + 1]; /* bytes to come of the open message at each depth */
    uint32_t todo;                      /* bytes to come of the field being skipped or collected */
    uint8_t state;
    uint8_t shift;                  /* bits of varint read; while in the magic, bytes of it */
    uint8_t wanted;                 /* path that the current field is the leaf of, or none */
    uint8_t depth;                  /* of open messages, the envelope included */
    uint8_t enveloped;              /* 1: depth 0 is runtime.Unknown */
    uint8_t magic_depth;            /* where an envelope begins */
    bool opened;                    /* the object has begun */
    bool collects;                  /* it is the beginning of a struct fk_pb */
    uint8_t field;                  /* number of the current field, 0 for all beyond 255 */
    uint8_t trail[FK_PB_DEPTH_MAX]; /* numbers of the fields that led from the object to here */
};

/* A walk, and the leaf that it is collecting. */
struct fk_pb {
    struct fk_pb_walk walk;
    uint32_t oversize; /* wanted leaves skipped for exceeding FK_PB_LEAF_MAX */
    uint16_t leaf_len; /* private, as is the leaf */
    uint8_t leaf[FK_PB_LEAF_MAX];
};

/* visitor outlives the walk. */
void fk_pb_walk_begin(struct fk_pb_walk *walk, enum fk_pb_shape shape,
                      const struct fk_pb_visitor *visitor, void *ctx);

/* Takes the next piece, of any size; 0 or the latched error. Work is bounded by the piece's bytes
 * times the visitor's paths. */
int fk_pb_walk_feed(struct fk_pb_walk *walk, struct fk_bytes piece);

/* At the end of the body: 0 when it ended between two top-level fields (of an envelope: with or
 * after the object), else FK_E_PARSE. */
int fk_pb_walk_end(const struct fk_pb_walk *walk);

/* The same with leaves collected. enveloped: expect "k8s\0" and runtime.Unknown first. */
void fk_pb_begin(struct fk_pb *pb, bool enveloped, const struct fk_pb_visitor *visitor, void *ctx);
int fk_pb_feed(struct fk_pb *pb, struct fk_bytes piece);
int fk_pb_end(const struct fk_pb *pb);

#endif
