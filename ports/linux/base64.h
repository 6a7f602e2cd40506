/* Base64 (RFC 4648 §4), strict: the one canonical spelling of each value and nothing else. */
#ifndef FK_PORTS_LINUX_BASE64_H
#define FK_PORTS_LINUX_BASE64_H

#include "base/bytes.h"

/* Bytes that text of this length stands for, at most. */
static inline size_t fk_base64_cap(size_t text_len) { return text_len / 4 * 3; }

/* Decodes text into out, of fk_base64_cap bytes. Returns the count of bytes, or FK_E_PARSE for a
 * length that is no multiple of 4, a byte outside the alphabet, or bits that must be zero. Line
 * breaks are none of the alphabet, except at the end (editors put one there). */
long fk_base64_decode(struct fk_bytes text, uint8_t *out);

#endif
