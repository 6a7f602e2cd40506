/* Settings that survive power loss: one record of numbered values in one of two flash slots.
 *
 * A record is written into the slot that is not in use and becomes valid by the last page written,
 * its head; until then, and whenever power fails, the old one stays valid. Values are read in
 * place, so they cost no RAM. Layout of a slot (little endian): a head of one page {magic, version,
 * sequence, length, CRC-32 of the body, CRC-32 of the head before it}, then the body: entries
 * {bytes, 0xff to a multiple of 4, number u8, 0xff, length u16}, read from the end, since a length
 * is known only when its value has been written. Of two with the same number the later counts, an
 * empty one means "not set"; number 0 is a value given up, and words of 0xffffffff are passed over:
 * an entry that began on another page than it ended on is followed by them to the page's end, so
 * that each value of a draft is in one piece, in flash or in our page of RAM.
 *
 * Knows nothing of what the values mean. A record of a later version (its head reads as ours, but
 * for the version) is neither used nor destroyed: the other slot counts, nothing can be saved, and
 * fk_store_newer says so, until a factory reset. */
#ifndef FK_FIRMWARE_STORE_H
#define FK_FIRMWARE_STORE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "flash.h"
#include "opts.h"

/* Largest page of a flash that we can use, bytes. Costs its size in RAM. */
#ifndef FK_STORE_PAGE_MAX
#define FK_STORE_PAGE_MAX 256
#endif

#define FK_STORE_VALUE_MAX 4096       /* longest value, bytes */
#define FK_STORE_NUMBER_MAX 31        /* values are numbered from 1 to this */
#define FK_STORE_LEN_UNKNOWN SIZE_MAX /* for put */

/* Members are private. */
struct fk_store {
    const struct fk_flash *flash;
    uint32_t slot_size; /* bytes */
    uint32_t sequence;  /* of the active record */
    uint32_t length;    /* of its body, bytes */
    int8_t active;      /* slot with the newest valid record, -1: none */
    int8_t in_use;      /* the one that was active at open: its values are referred to */
    bool newer;         /* a slot holds a record of a later version */
    int8_t err;         /* why there is no draft; 0: there is one */

    uint8_t entry_number; /* of the value that is being written, 0: none */
    uint32_t entry_start; /* where it begins in the body */
    uint32_t entry_left;  /* bytes that it still wants, or UINT32_MAX */
    uint32_t draft_len;   /* bytes of body so far; the last part of them is in page */
    uint32_t draft_crc;   /* of them all */
    uint32_t kept;        /* bit n: the draft has a value n of its own */
    uint8_t page[FK_STORE_PAGE_MAX];
};

/* Finds the newest valid record. 0 (also when there is none), or FK_E_CONFIG: there is no flash
 * (NULL) or its geometry is beyond our bounds; the store is then empty and takes nothing. flash
 * must stay valid. */
int fk_store_open(struct fk_store *s, const struct fk_flash *flash);

/* There is a record that only a later version of this program can read. */
bool fk_store_newer(const struct fk_store *s);

/* A record was saved since open and waits for a reboot to be used. */
bool fk_store_waits(const struct fk_store *s);

/* What fk_store_get gave is referred to no longer, so the record in use may go: begin does not ask
 * for a reboot. Not during a draft. */
void fk_store_release(struct fk_store *s);

/* A value of the active record, in place; p NULL where there is none. Stays valid until the next
 * but one record is begun, and that needs a reboot (see begin) or fk_store_release. */
struct fk_bytes fk_store_get(const struct fk_store *s, unsigned number);

/* Begins a new record that differs from the active one in what is put into it; erases the other
 * slot. 0 (also when one has begun already), FK_E_BUSY: a record was committed since open, and the
 * slot to be erased is the one in use: reboot first. FK_E_CONFIG: fk_store_newer, or
 * open failed. FK_E_RANGE: flash failed. */
int fk_store_begin(struct fk_store *s);

/* A value of exactly len bytes (0 to FK_STORE_VALUE_MAX, 0 removes it), of which write then brings
 * the pieces; with FK_STORE_LEN_UNKNOWN, until fk_store_end. One at a time. Errors: FK_E_NOMEM, the
 * slot is full; FK_E_RANGE, flash failed. After either the draft is gone, the active record as it
 * was, and the same error comes again until begin. FK_E_CONFIG: the value is longer than
 * FK_STORE_VALUE_MAX; it is given up, the draft stays as it was. */
int fk_store_put(struct fk_store *s, unsigned number, size_t len);
int fk_store_write(struct fk_store *s, const void *bytes, size_t len);
int fk_store_end(struct fk_store *s);

/* Gives up the value that is being written, if there is one: the rest of the draft stays, and so
 * does what was put under this number before. Errors as above. */
int fk_store_drop(struct fk_store *s);

bool fk_store_drafting(const struct fk_store *s);
/* Whether the draft has a value of its own for number, and which; it stays valid until the next
 * call that changes the draft. */
bool fk_store_drafted(const struct fk_store *s, unsigned number, struct fk_bytes *value);

/* Takes over what the draft leaves as it was, reads back what was written, and makes the record
 * valid. Errors as above. */
int fk_store_commit(struct fk_store *s);
void fk_store_abandon(struct fk_store *s);

/* Factory reset: erases both slots, the older one first, so that power loss in between brings no
 * former settings back. What fk_store_get gave reads as 0xff now, without a terminating zero: stop
 * what refers to it before. Power lost in the midst may leave bytes of the old record, though no
 * valid one: then erase again. 0; FK_E_RANGE, and then the active record may still be there;
 * FK_E_CONFIG: open failed. */
int fk_store_erase(struct fk_store *s);

#endif
