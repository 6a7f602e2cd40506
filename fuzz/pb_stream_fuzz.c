/* Any bytes, cut anywhere: the same leaves, the same end, and no leaf longer than promised. The
 * first byte chooses the cut, its lowest bit the envelope; a Node and a Lease are read as well. */
#include "api/objects.h"
#include "api/pb_stream.h"
#include "base/assert.h"
#include "base/err.h"

static const struct fk_pb_path paths[] = {
    {{1, 5}, false}, {{3, 4}, true}, {{2, 2}, false}, {{4, 1, 1, 1, 1, 1}, false}, {{255}, true},
};
#define PATHS (sizeof paths / sizeof paths[0])

struct digest {
    uint64_t sum;
    uint32_t events;
};

static void mix(struct digest *d, uint64_t value) {
    d->sum = (d->sum ^ value) * UINT64_C(0x100000001B3);
}

static void leaf(void *ctx, size_t path, struct fk_bytes bytes) {
    struct digest *d = ctx;
    FK_ASSERT(path < PATHS && bytes.len <= FK_PB_LEAF_MAX);
    mix(d, path);
    for (size_t i = 0; i < bytes.len; i++) mix(d, bytes.p[i]);
    d->events++;
}

static void varint(void *ctx, size_t path, uint64_t value) {
    struct digest *d = ctx;
    FK_ASSERT(path < PATHS);
    mix(d, path);
    mix(d, value);
    d->events++;
}

static const struct fk_pb_visitor visitor = {paths, PATHS, leaf, varint};

static int walk(struct fk_bytes bytes, bool enveloped, size_t step, struct digest *d) {
    struct fk_pb pb;
    *d = (struct digest){0};
    fk_pb_begin(&pb, enveloped, &visitor, d);
    while (bytes.len > 0) {
        const size_t len = bytes.len < step ? bytes.len : step;
        const int err = fk_pb_feed(&pb, fk_bytes(bytes.p, len));
        FK_ASSERT(err == 0 || err == FK_E_PARSE);
        bytes.p += len;
        bytes.len -= len;
    }
    mix(d, pb.oversize);
    const int end = fk_pb_end(&pb);
    FK_ASSERT(end == 0 || end == FK_E_PARSE);
    FK_ASSERT(pb.walk.err == 0 || end == pb.walk.err);
    return end;
}

static void condition(void *ctx, const struct fk_node_condition *c) {
    struct digest *d = ctx;
    FK_ASSERT(strlen(c->type) <= FK_CONDITION_TYPE_MAX);
    FK_ASSERT(c->transition_us >= 0 || c->transition_us == FK_WALL_UNKNOWN);
    d->events++;
}

static void read_objects(struct fk_bytes bytes) {
    struct digest d = {0};
    struct fk_node_reader node;
    fk_node_reader_begin(&node, condition, &d);
    (void)fk_node_reader_feed(&node, bytes);
    FK_ASSERT(strlen(node.uid) <= FK_UID_MAX);
    struct fk_lease_reader lease;
    fk_lease_reader_begin(&lease, "femto-0");
    (void)fk_lease_reader_feed(&lease, bytes);
    FK_ASSERT(lease.duration_s == -1 || lease.duration_s > 0);
    FK_ASSERT(lease.renew_us >= 0 || lease.renew_us == FK_WALL_UNKNOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (len == 0) return 0;
    const struct fk_bytes bytes = fk_bytes(data + 1, len - 1);
    const bool enveloped = (data[0] & 1) != 0;
    struct digest whole, cut, single;
    const int end = walk(bytes, enveloped, len, &whole);
    FK_ASSERT(walk(bytes, enveloped, 1 + data[0] / 2u, &cut) == end);
    FK_ASSERT(walk(bytes, enveloped, 1, &single) == end);
    FK_ASSERT(whole.sum == cut.sum && whole.events == cut.events);
    FK_ASSERT(whole.sum == single.sum && whole.events == single.events);
    read_objects(bytes);
    return 0;
}
