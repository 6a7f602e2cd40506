/* The Node object: created at first, adopted when it is there already, looked after ever since.
 *
 * POST first; on 409 read the Node (its UID and the conditions that an earlier life wrote) and
 * repair the labels that are ours. What others wrote stays. Capacity is the status duty's. */
#ifndef FK_KUBELET_REGISTER_H
#define FK_KUBELET_REGISTER_H

#include "api/objects.h"
#include "kubelet/conditions.h"
#include "kubelet/duty.h"

enum fk_register_state {
    FK_REGISTER_CREATE,
    FK_REGISTER_READ,
    FK_REGISTER_REPAIR,
    FK_REGISTER_DONE
};

struct fk_register {
    struct fk_duty_env env;
    enum fk_register_state state;
    bool in_flight;
    uint64_t due_ms;
    uint32_t rounds; /* times that DONE was reached; owners compare it with what they saw last */
    struct fk_retry retry;
    struct fk_conditions *conditions; /* to adopt into */
    struct fk_node_reader reader;
    char uid[FK_UID_MAX + 1]; /* zero-terminated */
};

void fk_register_init(struct fk_register *r, const struct fk_duty_env *env,
                      struct fk_conditions *conditions);

/* Look at the Node again: read, adopt, repair; create it if it is gone. No-op while under way. */
void fk_register_again(struct fk_register *r, struct fk_now now);

extern const struct fk_duty_ops fk_register_ops; /* self: struct fk_register * */

#endif
