#include "firmware/pem.h"

enum state { OUTSIDE, INSIDE, PASSING_OVER };

static const char BEGIN[] = "-----BEGIN ";
static const char END[] = "-----END ";
static const char DASHES[] = "-----";

static const char NOT_BASE64[] = "this is not base64; paste the file unchanged";
static const char NO_END[] = "the block has no END line; paste the whole file";
static const char WRONG_LENGTH[] = "bytes are missing or too many in this block; paste it again";
static const char ENCRYPTED[] = "the key is encrypted; decrypt it first: openssl pkey -in FILE";
static const char TWO_KEYS[] = "there is more than one private key; paste only one";
static const char NO_KEY[] =
    "no private key was in it; it begins with -----BEGIN PRIVATE KEY-----, "
    "EC or RSA before PRIVATE are as good";
static const char NO_CERTIFICATE[] =
    "no certificate was in it; one begins with -----BEGIN CERTIFICATE-----";

static int fail(struct fk_pem *p, const char *problem) {
    p->problem = problem;
    p->bad_line = p->line;
    p->bits = 0;
    return FK_E_PARSE;
}

void fk_pem_begin(struct fk_pem *p, enum fk_pem_wanted wanted) {
    *p = (struct fk_pem){.wanted = (uint8_t)wanted};
}

/* ---- DER -------------------------------------------------------------------------------------
 */

/* What `want` is while the length's own bytes are awaited. */
enum { ONE_MORE = 1u << 16, TWO_MORE = 2u << 16 };

/* Follows the length in the head of the outermost SEQUENCE: 30 LL, 30 81 LL or 30 82 LL LL. */
static bool der_byte(struct fk_pem *p, uint8_t byte) {
    if (p->len == UINT16_MAX) return false;
    switch (p->len++) {
    case 0: return byte == 0x30;
    case 1:
        p->want = byte < 0x80 ? byte + 2u : byte == 0x81 ? ONE_MORE : TWO_MORE;
        return byte <= 0x82 && byte != 0x80;
    case 2:
        if (p->want == ONE_MORE) p->want = byte + 3u;
        else if (p->want == TWO_MORE) p->want |= byte;
        return true;
    case 3:
        if (p->want >= TWO_MORE) p->want = ((p->want & 0xff) << 8 | byte) + 4u;
        return true;
    default: return true;
    }
}

/* ---- base64 ----------------------------------------------------------------------------------
 */

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

/* The one or two '=' that complete a group; the bits that they leave over must be zero. */
static bool padding(struct fk_pem *p) {
    if (p->phase < 2 || (p->bits & (p->phase == 2 ? 0xfu : 0x3u)) != 0) return false;
    p->padded = true;
    p->phase = (p->phase + 1) & 3;
    return true;
}

/* 1: *out is a byte more; 0: none yet; or FK_E_PARSE. */
static int decode_char(struct fk_pem *p, char c, uint8_t *out) {
    if (c == '=') return padding(p) ? 0 : fail(p, NOT_BASE64);
    const int value = value_of(c);
    if (value < 0 || p->padded) return fail(p, NOT_BASE64);
    p->bits = (uint16_t)(((unsigned)p->bits << 6 | (unsigned)value) & 0xfff);
    const unsigned phase = p->phase;
    p->phase = (phase + 1) & 3;
    if (phase == 0) return 0;
    *out = (uint8_t)(p->bits >> (6 - 2 * phase));
    return der_byte(p, *out) ? 1 : fail(p, WRONG_LENGTH);
}

/* No character makes more than one byte: the reading stays ahead of the writing. */
static int decode(struct fk_pem *p, char *line, size_t len) {
    int count = 0;
    if (memchr(line, ':', len) != NULL) return fail(p, ENCRYPTED); /* "Proc-Type: 4,ENCRYPTED" */
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = 0;
        const int got = line[i] == ' ' ? 0 : decode_char(p, line[i], &byte);
        if (got < 0) return got;
        if (got > 0) line[count++] = (char)byte;
    }
    return count;
}

/* ---- blocks ----------------------------------------------------------------------------------
 */

static bool wanted_label(const struct fk_pem *p, struct fk_bytes label) {
    if (p->wanted == FK_PEM_CERTIFICATES) return fk_bytes_is(label, "CERTIFICATE");
    return fk_bytes_is(label, "PRIVATE KEY") || fk_bytes_is(label, "EC PRIVATE KEY") ||
           fk_bytes_is(label, "RSA PRIVATE KEY");
}

static int begin_block(struct fk_pem *p, struct fk_bytes label) {
    if (p->state == INSIDE) return fail(p, NO_END);
    if (p->wanted == FK_PEM_KEY && fk_bytes_is(label, "ENCRYPTED PRIVATE KEY"))
        return fail(p, ENCRYPTED);
    p->state = wanted_label(p, label) ? INSIDE : PASSING_OVER;
    if (p->state == PASSING_OVER) return 0;
    if (p->wanted == FK_PEM_KEY && p->blocks > 0) return fail(p, TWO_KEYS);
    p->want = 0;
    p->len = 0;
    p->bits = 0;
    p->phase = 0;
    p->padded = false;
    return 0;
}

static int end_block(struct fk_pem *p) {
    const bool taken = p->state == INSIDE;
    p->state = OUTSIDE;
    if (!taken) return 0;
    if (p->phase != 0 || p->len < 2 || p->len != p->want) return fail(p, WRONG_LENGTH);
    p->bits = 0;
    p->blocks++;
    return 0;
}

/* "LABEL-----" or nothing. */
static bool take_label(struct fk_bytes rest, struct fk_bytes *label) {
    const size_t dashes = sizeof DASHES - 1;
    if (rest.len <= dashes || memcmp(rest.p + rest.len - dashes, DASHES, dashes) != 0) return false;
    *label = fk_bytes(rest.p, rest.len - dashes);
    return true;
}

int fk_pem_line(struct fk_pem *p, char *line, size_t len) {
    if (p->line < UINT16_MAX) p->line++;
    if (p->problem != NULL) return FK_E_PARSE;
    while (len > 0 && line[len - 1] == ' ') len--;
    size_t indent = 0;
    while (indent < len && line[indent] == ' ') indent++;
    const struct fk_bytes text = fk_bytes(line + indent, len - indent);
    struct fk_bytes label;
    const size_t begin = sizeof BEGIN - 1;
    if (fk_bytes_starts(text, END)) return end_block(p);
    if (fk_bytes_starts(text, BEGIN) &&
        take_label(fk_bytes(text.p + begin, text.len - begin), &label))
        return begin_block(p, label);
    return p->state == INSIDE ? decode(p, line, len) : 0;
}

int fk_pem_end(struct fk_pem *p) {
    if (p->problem != NULL) return FK_E_PARSE;
    if (p->state == INSIDE) return fail(p, NO_END);
    if (p->blocks > 0) return 0;
    return fail(p, p->wanted == FK_PEM_KEY ? NO_KEY : NO_CERTIFICATE);
}
