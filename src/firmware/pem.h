/* PEM (RFC 7468) into DER, a line at a time and in place, so that a chain of certificates of any
 * length needs no buffer. Owns base64 and the finding of blocks; reads of DER only how long it says
 * it is, which tells a paste that lost bytes on its way. What it refuses it says in words. */
#ifndef FK_FIRMWARE_PEM_H
#define FK_FIRMWARE_PEM_H

#include "base/bytes.h"
#include "base/err.h"

enum fk_pem_wanted {
    FK_PEM_CERTIFICATES, /* one block or several, "CERTIFICATE" */
    FK_PEM_KEY,          /* one block "PRIVATE KEY", "EC PRIVATE KEY" or "RSA PRIVATE KEY" */
};

/* Members are private. */
struct fk_pem {
    const char *problem; /* of the first line that was wrong, NULL while there is none */
    uint32_t want;       /* bytes that this block's DER says it has, as far as it has been read */
    uint16_t len;        /* bytes of this block */
    uint16_t line;       /* number of the present line, from 1 */
    uint16_t bad_line;   /* that of the problem */
    uint16_t blocks;     /* taken so far */
    uint16_t bits;       /* decoded, but not a byte yet; the low ones */
    uint8_t wanted;      /* enum fk_pem_wanted */
    uint8_t state;
    uint8_t phase; /* characters since the last whole group of four */
    bool padded;   /* '=' seen */
};

void fk_pem_begin(struct fk_pem *p, enum fk_pem_wanted wanted);

/* The next line, without its end. What it held of wanted blocks is written over it from its start;
 * returns the count of these bytes. Text outside of blocks and other blocks are passed over. After
 * FK_E_PARSE it is always FK_E_PARSE. */
int fk_pem_line(struct fk_pem *p, char *line, size_t len);

/* There are no more lines: 0, or FK_E_PARSE if there was no block or the last one has no end. */
int fk_pem_end(struct fk_pem *p);

/* After FK_E_PARSE: a sentence that says what would be right; static. p->bad_line: where. */
static inline const char *fk_pem_problem(const struct fk_pem *p) { return p->problem; }

#endif
