#include "api/objects.h"

#include <pb_decode.h>

#include "api/proto/node.pb.h"

#define LAST_UNIX_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z, where RFC 3339 ends */

/* Field numbers from k8s.io/api/core/v1, k8s.io/api/coordination/v1 and
 * k8s.io/apimachinery/pkg/apis/meta/v1, generated.proto in each. */
enum { NODE_UID, NODE_CONDITION, NODE_PATHS };
static const struct fk_pb_path node_paths[NODE_PATHS] = {
    [NODE_UID] = {{1, 5}, false},      /* metadata.uid */
    [NODE_CONDITION] = {{3, 4}, true}, /* status.conditions; cut: its message comes last */
};

enum { LEASE_HOLDER, LEASE_DURATION, LEASE_RENEW, LEASE_PATHS };
static const struct fk_pb_path lease_paths[LEASE_PATHS] = {
    [LEASE_HOLDER] = {{2, 1}, true},    /* spec.holderIdentity; cut: then it is not us */
    [LEASE_DURATION] = {{2, 2}, false}, /* spec.leaseDurationSeconds */
    [LEASE_RENEW] = {{2, 4}, false},    /* spec.renewTime */
};
_Static_assert(FK_PB_LEAF_MAX > FK_NODE_NAME_MAX, "a cut holder must be no node's name");
_Static_assert(sizeof((fk_NodeCondition *)0)->type == FK_CONDITION_TYPE_MAX + 1, "node.options");

static int64_t micros(const fk_Time *t) {
    if (!t->has_seconds || t->seconds < 0 || t->seconds > LAST_UNIX_S) return FK_WALL_UNKNOWN;
    if (t->nanos < 0 || t->nanos > 999999999) return FK_WALL_UNKNOWN;
    return t->seconds * 1000000 + t->nanos / 1000;
}

static enum fk_condition_status condition_status(const char *text) {
    if (strcmp(text, "True") == 0) return FK_CONDITION_TRUE;
    if (strcmp(text, "False") == 0) return FK_CONDITION_FALSE;
    return FK_CONDITION_UNKNOWN;
}

static void node_condition(struct fk_node_reader *r, struct fk_bytes bytes) {
    fk_NodeCondition c = fk_NodeCondition_init_zero;
    pb_istream_t in = pb_istream_from_buffer(bytes.p, bytes.len);
    const bool whole = pb_decode(&in, fk_NodeCondition_fields, &c);
    /* Upstream writes fields in ascending order, so a condition with a long message was read as
     * far as we need it before the decoder ran into the cut. */
    const bool cut = bytes.len == FK_PB_LEAF_MAX && c.has_status && c.has_lastTransitionTime;
    if ((!whole && !cut) || !c.has_type) {
        r->malformed++;
        return;
    }
    const struct fk_node_condition condition = {
        .type = c.type,
        .status = condition_status(c.status),
        .transition_us = micros(&c.lastTransitionTime),
    };
    if (r->condition != NULL) r->condition(r->ctx, &condition);
}

static void node_uid(struct fk_node_reader *r, struct fk_bytes bytes) {
    if (bytes.len > FK_UID_MAX) {
        r->malformed++;
        return;
    }
    memcpy(r->uid, bytes.p, bytes.len);
    r->uid[bytes.len] = '\0';
}

static void node_leaf(void *ctx, size_t path, struct fk_bytes bytes) {
    struct fk_node_reader *r = ctx;
    if (path == NODE_UID) node_uid(r, bytes);
    else node_condition(r, bytes);
}

static const struct fk_pb_visitor node_visitor = {node_paths, NODE_PATHS, node_leaf, NULL};

void fk_node_reader_begin(struct fk_node_reader *r,
                          void (*condition)(void *ctx, const struct fk_node_condition *condition),
                          void *ctx) {
    fk_pb_begin(&r->pb, true, &node_visitor, r);
    r->ctx = ctx;
    r->condition = condition;
    r->malformed = 0;
    r->uid[0] = '\0';
}

int fk_node_reader_feed(struct fk_node_reader *r, struct fk_bytes piece) {
    return fk_pb_feed(&r->pb, piece);
}

int fk_node_reader_end(const struct fk_node_reader *r) { return fk_pb_end(&r->pb); }

static enum fk_holder holder(const struct fk_lease_reader *r, struct fk_bytes name) {
    if (name.len == 0) return FK_HOLDER_NONE;
    return fk_bytes_is(name, r->self) ? FK_HOLDER_SELF : FK_HOLDER_OTHER;
}

static void lease_leaf(void *ctx, size_t path, struct fk_bytes bytes) {
    struct fk_lease_reader *r = ctx;
    if (path == LEASE_HOLDER) r->holder = holder(r, bytes);
    if (path != LEASE_RENEW) return;
    fk_Time t = fk_Time_init_zero;
    pb_istream_t in = pb_istream_from_buffer(bytes.p, bytes.len);
    r->renew_us = pb_decode(&in, fk_Time_fields, &t) ? micros(&t) : FK_WALL_UNKNOWN;
}

static void lease_varint(void *ctx, size_t path, uint64_t value) {
    struct fk_lease_reader *r = ctx;
    if (path != LEASE_DURATION) return;
    r->duration_s = value > 0 && value <= INT32_MAX ? (int32_t)value : -1;
}

static const struct fk_pb_visitor lease_visitor = {lease_paths, LEASE_PATHS, lease_leaf,
                                                   lease_varint};

void fk_lease_reader_begin(struct fk_lease_reader *r, const char *self) {
    fk_pb_begin(&r->pb, true, &lease_visitor, r);
    r->self = self;
    r->holder = FK_HOLDER_NONE;
    r->duration_s = -1;
    r->renew_us = FK_WALL_UNKNOWN;
}

int fk_lease_reader_feed(struct fk_lease_reader *r, struct fk_bytes piece) {
    return fk_pb_feed(&r->pb, piece);
}

int fk_lease_reader_end(const struct fk_lease_reader *r) { return fk_pb_end(&r->pb); }
