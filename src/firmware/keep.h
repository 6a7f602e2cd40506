/* One small document that changes while the board runs (fk_port_ops.keep and recall): what the
 * cluster configured last. A record of a store with a flash region of its own, saved again and
 * again without a reboot, since nobody refers to it in place.
 *
 * Power that fails in the midst leaves the former document or the new one. What has not changed is
 * not written: flash wears. */
#ifndef FK_FIRMWARE_KEEP_H
#define FK_FIRMWARE_KEEP_H

#include "firmware/store.h"
#include "port.h"

/* Members are private but for writes. */
struct fk_keep {
    struct fk_store store;
    uint32_t writes; /* documents written since open; every second one erases the same slot */
};

/* As fk_store_open. After FK_E_CONFIG nothing is kept, and nothing can be. */
int fk_keep_open(struct fk_keep *k, const struct fk_flash *flash);

/* Whole, or the former document stays; len 0: there is none any more. 0; FK_E_NOMEM: longer than
 * FK_PORT_KEEP_MAX or the flash region; FK_E_RANGE: the flash failed, or there is none;
 * FK_E_CONFIG: a later version of this program has kept something that we cannot read. */
int fk_keep_save(struct fk_keep *k, const void *bytes, size_t len);

/* Its length, 0: there is none; FK_E_NOMEM: it is longer than cap. */
int fk_keep_load(const struct fk_keep *k, void *buf, size_t cap);

/* For a board that changes hands: erases the region; a struct fk_keep over it must be opened anew.
 * flash may be NULL. 0, or FK_E_RANGE. */
int fk_keep_forget(const struct fk_flash *flash);

#endif
