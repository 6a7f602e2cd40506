/* The Node's documents in JSON: what is sent when it is created, when labels are repaired, and with
 * each status. Pure functions of their arguments, so they can be written piece by piece. */
#ifndef FK_KUBELET_NODE_DOC_H
#define FK_KUBELET_NODE_DOC_H

#include "kubelet/conditions.h"
#include "kubelet/config.h"

/* What one status patch says; a snapshot that does not move while the patch is under way. */
struct fk_status_snapshot {
    bool whole; /* everything that is ours; else only heartbeats and condition statuses */
    int64_t heartbeat_us;
    char address[46]; /* InternalIP as text, zero-terminated; "" while unknown */
};

/* POST /api/v1/nodes: labels, taints, capacity, system info; no conditions, since they need a
 * clock, and the clock comes with the first reply. */
void fk_node_doc_put_node(const struct fk_node_config *config, struct fk_writer *w);

/* Strategic merge PATCH of the labels that are ours. */
void fk_node_doc_put_labels_patch(const struct fk_node_config *config, struct fk_writer *w);

/* Strategic merge PATCH of /status: holds only what is ours, so other writers' conditions stay. */
void fk_node_doc_put_status_patch(const struct fk_node_config *config,
                                  const struct fk_conditions *conditions,
                                  const struct fk_status_snapshot *snapshot, struct fk_writer *w);

/* Merge PATCH of the annotations femtokubelet.dev/free-heap-bytes and, on boards, reset-reason. */
void fk_node_doc_put_annotations_patch(const struct fk_node_config *c, uint32_t free_bytes,
                                       struct fk_writer *w);

#endif
