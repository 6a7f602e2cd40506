/* The node's Lease in kube-node-lease: the heartbeat that keeps it Ready.
 *
 * Its own Lease is read first, so that renewTime grows strictly across reboots and clock jumps:
 * the node lifecycle controller counts a renewal only when renewTime moved forward. Renewed every
 * lease_renew_ms with 4 % of jitter, by a merge patch whose reply is never sent to us; created
 * again when it is gone. */
#ifndef FK_KUBELET_LEASE_H
#define FK_KUBELET_LEASE_H

#include "api/objects.h"
#include "kubelet/duty.h"

/* Two renewals further apart than this many halves of the renewal period: the node lifecycle
 * controller may have written to our Node meanwhile, so it is read again. */
#define FK_LAPSE_HALVES 3

enum fk_lease_state {
    FK_LEASE_WAITING, /* for the Node, whose UID the Lease refers to */
    FK_LEASE_READ,
    FK_LEASE_CREATE,
    FK_LEASE_CLAIM, /* it exists: write holder, duration, owner and time once */
    FK_LEASE_RENEW,
    FK_LEASE_ORPHANED, /* it vanished; perhaps because the Node did */
};

struct fk_lease {
    struct fk_duty_env env;
    enum fk_lease_state state;
    bool in_flight;
    uint64_t due_ms;
    uint64_t began_ms;       /* when the request under way was sent */
    int64_t renew_us;        /* the renewTime last written or read; 0: none */
    uint64_t renewed_ms;     /* when the last success was, monotonic; FK_NEVER: none yet */
    uint64_t longest_gap_ms; /* between two successes */
    uint32_t renewals;       /* successes, creations included */
    uint32_t failures;
    struct fk_retry retry;
    const char *node_uid; /* the register duty's; may change while a request is under way */
    char owner_uid[FK_UID_MAX + 1]; /* as written by the request under way */
    struct fk_lease_reader reader;
};

void fk_lease_init(struct fk_lease *l, const struct fk_duty_env *env);

/* The Node is there with this UID (FK_UID_MAX + 1 bytes, kept by reference): begin, or begin anew.
 */
void fk_lease_start(struct fk_lease *l, struct fk_now now, const char *node_uid);

/* The next renewal is late by half a period and more. While there was none begun_ms counts instead,
 * FK_NEVER: nothing does. now_ms may have been read before the last renewal. */
bool fk_lease_overdue(const struct fk_lease *l, uint64_t now_ms, uint64_t begun_ms);

extern const struct fk_duty_ops fk_lease_ops; /* self: struct fk_lease * */

#endif
