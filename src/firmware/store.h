/* Settings that survive power loss: one record of numbered values in one of two flash slots.
 *
 * A record is written into the slot that is not in use and becomes valid by the last page written,
 * its head; until then, and whenever power fails, the old one stays valid. Values are read in
 * place, so they cost no RAM. Layout of a slot (little endian): a head of one page {magic, version,
 * sequence, length, CRC-32 of the body, CRC-32 of the head before it}, then the body: entries
 * {number u8, 0xff, length u16, bytes, padding to 4}; of two with the same number the later counts,
 * an empty one means "not set". Knows nothing of what the values mean. */
#ifndef FK_FIRMWARE_STORE_H
#define FK_FIRMWARE_STORE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "flash.h"

#define FK_STORE_PAGE_MAX 256   /* largest page of a flash that we can use, bytes */
#define FK_STORE_VALUE_MAX 4096 /* longest value, bytes */
#define FK_STORE_NUMBER_MAX 31  /* values are numbered from 1 to this */

/* Members are private. */
struct fk_store {
    struct fk_flash flash;
    uint32_t slot_size; /* bytes */
    int8_t active;      /* slot with the newest valid record, -1: none */
    int8_t in_use;      /* the one that was active at open: its values are referred to */
    bool drafting;
    uint32_t sequence;  /* of the active record */
    uint32_t draft_len; /* bytes of body written to the other slot so far */
    uint32_t draft_crc;
    uint32_t entry_left; /* bytes that the entry begun still wants */
    uint32_t kept;       /* bit n: the draft has a value n of its own */
    uint8_t page[FK_STORE_PAGE_MAX];
};

/* Finds the newest valid record. 0 (also when there is none), or FK_E_CONFIG: the flash's geometry
 * is beyond our bounds. */
int fk_store_open(struct fk_store *s, const struct fk_flash *flash);

/* A value of the active record, in place; p NULL where there is none. Stays valid until the next
 * but one record is begun, and that needs a reboot (see begin). */
struct fk_bytes fk_store_get(const struct fk_store *s, unsigned number);

/* Begins a new record that differs from the active one in what is put into it; erases the other
 * slot. 0 (also when one has begun already), FK_E_BUSY: a record was committed since open, and the
 * slot to be erased is the one in use: reboot first. FK_E_RANGE: flash failed. */
int fk_store_begin(struct fk_store *s);

/* A value of exactly len bytes (0 to FK_STORE_VALUE_MAX, 0 removes it), of which write then brings
 * the pieces. Errors: FK_E_NOMEM, the slot is full; FK_E_RANGE, flash failed. After an error of
 * either the draft is gone and the active record as it was. */
int fk_store_put(struct fk_store *s, unsigned number, size_t len);
int fk_store_write(struct fk_store *s, const void *bytes, size_t len);

bool fk_store_drafting(const struct fk_store *s);
/* Whether the draft has a value of its own for number, and which. */
bool fk_store_drafted(const struct fk_store *s, unsigned number, struct fk_bytes *value);

/* Takes over what the draft leaves as it was, and makes the record valid. Errors as above. */
int fk_store_commit(struct fk_store *s);
void fk_store_abandon(struct fk_store *s);

/* Factory reset: erases both slots, the older one first, so that power loss in between brings no
 * former settings back. */
int fk_store_erase(struct fk_store *s);

#endif
