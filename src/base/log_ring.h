/* The most recent log lines, in a buffer of fixed size: what /logs/ shows. The port adds what it
 * prints, line by line; the oldest go first. */
#ifndef FK_BASE_LOG_RING_H
#define FK_BASE_LOG_RING_H

#include "base/bytes.h"

struct fk_log_ring {
    char *buf; /* caller's, of `size` bytes */
    uint32_t size;
    uint32_t written; /* bytes ever added; wraps */
    uint32_t at;      /* where in buf the next one goes */
    uint32_t held;    /* bytes that are there */
    bool cut;         /* the oldest of them is not the beginning of a line */
};

void fk_log_ring_init(struct fk_log_ring *r, void *buf, size_t size);
void fk_log_ring_add(struct fk_log_ring *r, const char *text, size_t len);

/* Reads from *cursor on, a count of bytes ever added: up to cap bytes into out; returns how many
 * and moves *cursor on. What is not there any more is skipped to the beginning of a line. */
uint32_t fk_log_ring_first(const struct fk_log_ring *r); /* cursor of the oldest whole line */
size_t fk_log_ring_read(const struct fk_log_ring *r, uint32_t *cursor, char *out, size_t cap);

#endif
