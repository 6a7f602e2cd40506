/* Appends text to a buffer of fixed size, and remembers the first thing that went wrong.
 *
 * The same document function serves three ends: whole into a buffer, only to be measured, or one
 * window of it at a time. The last is how a request body of any length is sent without a buffer of
 * that length: the document is written again for each piece and only [skip, skip + cap) is kept.
 * So a document function must write the same bytes each time. */
#ifndef FK_BASE_WRITER_H
#define FK_BASE_WRITER_H

#include "base/bytes.h"

struct fk_writer {
    char *buf;
    size_t cap;
    size_t skip;   /* bytes of the document before the window */
    size_t len;    /* bytes written so far, kept or not */
    bool windowed; /* bytes behind the window are counted only, no error */
    int err;       /* first error, 0 while there is none */
};

/* Keeps everything; one byte too many latches FK_E_NOMEM, and buf then holds the first cap. */
void fk_writer_init(struct fk_writer *w, char *buf, size_t cap);

/* Keeps only document bytes [skip, skip + cap). With cap 0 it only measures (buf may be NULL). */
void fk_writer_window(struct fk_writer *w, char *buf, size_t cap, size_t skip);

/* Count of bytes that stand in buf. */
size_t fk_writer_kept(const struct fk_writer *w);

void fk_put(struct fk_writer *w, const void *bytes, size_t len);
void fk_put_char(struct fk_writer *w, char c);
void fk_put_str(struct fk_writer *w, const char *s);
/* At most max bytes of s, and "..." for the rest: for values in messages. */
void fk_put_cut(struct fk_writer *w, const char *s, size_t max);

void fk_put_u64(struct fk_writer *w, uint64_t value);
void fk_put_i64(struct fk_writer *w, int64_t value);

/* Decimal with leading zeros, at least `digits` (1 to 20) wide. */
void fk_put_padded(struct fk_writer *w, uint64_t value, unsigned digits);

/* Puts a terminating zero behind the text and returns 0, or the first error (the text is then cut
 * so that the zero fits). Needs cap > 0 and a writer made with fk_writer_init. */
int fk_writer_finish(struct fk_writer *w);

#endif
