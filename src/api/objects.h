/* Reads what the kubelet needs of API objects out of their protobuf replies, as these arrive.
 *
 * A reader is begun, fed the body's pieces and ended. What it found before the end is already in
 * its fields, but counts only when end returns 0. It decides nothing. */
#ifndef FK_API_OBJECTS_H
#define FK_API_OBJECTS_H

#include "api/pb_stream.h"
#include "base/clock.h"

#define FK_UID_MAX 36            /* bytes of a UID, which is a UUID */
#define FK_CONDITION_TYPE_MAX 63 /* bytes of a condition type that we read */

enum fk_condition_status { FK_CONDITION_UNKNOWN, FK_CONDITION_FALSE, FK_CONDITION_TRUE };

struct fk_node_condition {
    const char *type; /* valid during the call */
    enum fk_condition_status status;
    int64_t transition_us; /* lastTransitionTime, FK_WALL_UNKNOWN: none */
};

/* A Node, or its PartialObjectMetadata (then only uid). */
struct fk_node_reader {
    struct fk_pb pb;
    void *ctx;
    /* For each of status.conditions, in order; may be NULL. */
    void (*condition)(void *ctx, const struct fk_node_condition *condition);
    uint32_t malformed;       /* conditions and UIDs that were left out */
    char uid[FK_UID_MAX + 1]; /* metadata.uid, "": none */
};

void fk_node_reader_begin(struct fk_node_reader *r,
                          void (*condition)(void *ctx, const struct fk_node_condition *condition),
                          void *ctx);
int fk_node_reader_feed(struct fk_node_reader *r, struct fk_bytes piece);
int fk_node_reader_end(const struct fk_node_reader *r);

enum fk_holder { FK_HOLDER_NONE, FK_HOLDER_SELF, FK_HOLDER_OTHER };

/* A Lease. */
struct fk_lease_reader {
    struct fk_pb pb;
    const char *self;      /* caller's, until the end */
    enum fk_holder holder; /* spec.holderIdentity, compared with self */
    int32_t duration_s;    /* spec.leaseDurationSeconds, more than 0; -1: none */
    int64_t renew_us;      /* spec.renewTime, FK_WALL_UNKNOWN: none, or malformed */
};

/* self: the name that this node holds its Lease under. */
void fk_lease_reader_begin(struct fk_lease_reader *r, const char *self);
int fk_lease_reader_feed(struct fk_lease_reader *r, struct fk_bytes piece);
int fk_lease_reader_end(const struct fk_lease_reader *r);

#endif
