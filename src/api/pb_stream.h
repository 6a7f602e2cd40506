/* Walks a protobuf message as it arrives, whatever its size, and hands over the few leaves that
 * somebody wants (a condition, a label, the UID), each whole, to be decoded by nanopb. All else is
 * skipped by its length, so managedFields costs nothing and a 10 MB object needs no buffer.
 *
 * API server replies are enveloped: the 4 bytes "k8s\0", then runtime.Unknown, whose field 2 (raw)
 * holds the object (k8s.io/apimachinery/pkg/runtime/generated.proto). */
#ifndef FK_API_PB_STREAM_H
#define FK_API_PB_STREAM_H

#include "base/bytes.h"
#include "opts.h"

/* One wanted leaf: its field numbers from the object's top down, 0-terminated. Node's
 * metadata.uid is {1, 5}, one status.conditions item {3, 4}. */
struct fk_pb_path {
    uint8_t field[FK_PB_DEPTH_MAX]; /* field numbers 1 to 255 */
};

struct fk_pb_visitor {
    const struct fk_pb_path *paths; /* no path may be the beginning of another */
    size_t path_count;              /* at most 32 */
    /* One leaf of length-delimited type, complete; bytes are valid during the call. */
    void (*leaf)(void *ctx, size_t path, struct fk_bytes bytes);
    /* One leaf of varint type. */
    void (*varint)(void *ctx, size_t path, uint64_t value); /* may be NULL */
};

struct fk_pb {
    const struct fk_pb_visitor *visitor;
    void *ctx;
    int err;              /* first error: FK_E_PARSE; feeding more changes nothing */
    uint32_t oversize;    /* wanted leaves skipped for exceeding FK_PB_LEAF_MAX */
    uint8_t state;        /* private from here */
    uint8_t depth;
    uint8_t magic_seen;
    uint8_t shift;
    uint8_t wire_type;
    uint8_t leaf_path;
    uint32_t matching[FK_PB_DEPTH_MAX + 1]; /* per depth: bit p set while paths[p] matches */
    uint64_t left[FK_PB_DEPTH_MAX + 1];     /* bytes left of the message at each depth */
    uint64_t varint;
    uint64_t skip;
    uint32_t field;
    uint16_t leaf_len;
    uint16_t leaf_want;
    uint8_t leaf[FK_PB_LEAF_MAX];
};

/* enveloped: expect "k8s\0" and runtime.Unknown first. visitor outlives the walk. */
void fk_pb_begin(struct fk_pb *pb, bool enveloped, const struct fk_pb_visitor *visitor, void *ctx);

/* Takes the next piece, of any size; 0 or the latched error. */
int fk_pb_feed(struct fk_pb *pb, struct fk_bytes piece);

/* At the end of the body: 0 when it ended between two top-level fields, else FK_E_PARSE. */
int fk_pb_end(const struct fk_pb *pb);

#endif
