#include "wire/http1_internal.h"

_Static_assert(FK_HTTP1_TARGET_MAX + 32 < FK_HTTP1_BUF, "target, version and zeros must fit");

/* What a byte is part of. A line's end is a CR, seen there, and LINE_END. */
enum step {
    START, /* empty lines before a request (RFC 9112 2.2), or its first byte */
    METHOD,
    TARGET,
    LINE, /* the first byte behind the request line, a header, a trailer or the last chunk's size */
    NAME,
    SPACE, /* before a header's value */
    VALUE, /* of a header; or the version */
    LINE_END,
    LINES_END, /* never reached by a byte: the blank line's end */
    DATA,
    CHUNK_END,
    SIZE, /* its first digit */
    SIZE_MORE,
};

static const char *const methods[FK_HTTP1_METHODS + 1] = {
    [FK_HTTP1_GET] = "GET",         [FK_HTTP1_HEAD] = "HEAD",   [FK_HTTP1_POST] = "POST",
    [FK_HTTP1_PUT] = "PUT",         [FK_HTTP1_PATCH] = "PATCH", [FK_HTTP1_DELETE] = "DELETE",
    [FK_HTTP1_OPTIONS] = "OPTIONS", [FK_HTTP1_METHODS] = "PRI", /* of HTTP/2 */
};

const char *fk_http1_method_name(enum fk_http1_method method) {
    return method < FK_HTTP1_METHODS ? methods[method] : "";
}

void fk_http1_refuse(struct fk_http1 *h, int status, const char *why) {
    h->state = FK_HTTP1_ASKED;
    h->refused = status;
    h->why = why;
    h->seen = 0;
}

void fk_http1_malformed(struct fk_http1 *h) { fk_http1_refuse(h, 400, "the request is malformed"); }

void fk_http1_no_room(struct fk_http1 *h) {
    fk_http1_refuse(h, 431, "the bearer token, or another header, is too long");
}

/* ---- words ----------------------------------------------------------------------------------- */

/* tchar of RFC 9110 5.6.2. */
static bool is_token(uint8_t c) { return fk_http1_is(c, "!#$%&'*+-.^_`|~"); }

/* One byte more: which of the words may still be meant. */
static void narrow(struct fk_http1 *h, const char *const *words, uint8_t c) {
    if (h->words == 0) return;
    for (unsigned k = 0; h->words >> k != 0; k++)
        if ((h->words >> k & 1) != 0 && (uint8_t)words[k][h->word_at] != c)
            h->words &= (uint8_t) ~(1u << k);
    h->word_at++;
}

/* Which of them it was; count: none. */
static unsigned meant(const struct fk_http1 *h, const char *const *words, unsigned count) {
    unsigned k = 0;
    while (k < count && ((h->words >> k & 1) == 0 || words[k][h->word_at] != '\0')) k++;
    return k;
}

static void begin_word(struct fk_http1 *h, unsigned count) {
    h->words = (uint8_t)((1u << count) - 1);
    h->word_at = 0;
}

/* ---- the head -------------------------------------------------------------------------------- */

static void in_method(struct fk_http1 *h, uint8_t c) {
    if (c != ' ') {
        if (!is_token(c)) fk_http1_malformed(h);
        narrow(h, methods, c);
        return;
    }
    const unsigned method = meant(h, methods, FK_HTTP1_METHODS + 1);
    h->step = TARGET;
    if (method < FK_HTTP1_METHODS) h->request.method = (enum fk_http1_method)method;
    else if (method == FK_HTTP1_METHODS) fk_http1_refuse(h, 505, "HTTP/2 is not spoken here");
    else fk_http1_refuse(h, 501, "this method is not implemented");
}

static void in_target(struct fk_http1 *h, uint8_t c) {
    if (c > ' ' && c <= '~') {
        if (h->len == FK_HTTP1_TARGET_MAX) fk_http1_refuse(h, 414, "the path is too long");
        else h->buf[h->len++] = (char)c;
        return;
    }
    h->buf[h->len++] = '\0';
    h->step = VALUE;
    h->header = FK_HTTP1_VERSION;
    if (c != ' ') fk_http1_malformed(h);
    else if (!fk_http1_split(h->buf, &h->request.path, &h->request.query))
        fk_http1_refuse(h, 400, "the path is not in its plain form");
}

static void in_name(struct fk_http1 *h, uint8_t c) {
    if (c == ':') {
        const unsigned header = meant(h, fk_http1_headers, FK_HTTP1_HEADERS);
        h->header = (uint8_t)header;
        h->step = SPACE;
        if ((h->flags & FK_HTTP1_IN_BODY) == 0) return;
        /* No trailer is looked at, but for those that others might find the next request by. */
        h->header = FK_HTTP1_HEADERS;
        if (header == FK_HTTP1_CODING || header == FK_HTTP1_LENGTH) fk_http1_malformed(h);
    } else if (!is_token(c)) fk_http1_malformed(h);
    else narrow(h, fk_http1_headers, fk_http1_lower(c));
}

static void end_line(struct fk_http1 *h, enum step then) {
    h->step = LINE_END;
    h->then = (uint8_t)then;
}

/* What stands before is whole only now: a line that begins with a space would go on with it. */
static void in_line(struct fk_http1 *h, uint8_t c) {
    if (c == ' ' || c == '\t' || c == ':') {
        fk_http1_malformed(h);
        return;
    }
    fk_http1_header(h);
    h->header = FK_HTTP1_HEADERS;
    if (h->refused != 0) return;
    h->step = NAME;
    begin_word(h, FK_HTTP1_HEADERS);
    if (c == '\r') end_line(h, LINES_END);
    else in_name(h, c);
}

static void in_value(struct fk_http1 *h, uint8_t c) {
    if (c == '\r') end_line(h, LINE);
    else if ((c < ' ' && c != '\t') || c == 0x7f) fk_http1_malformed(h);
    else if (h->header == FK_HTTP1_HEADERS) return;
    else if (h->len + h->sent >= FK_HTTP1_BUF - 1) fk_http1_no_room(h);
    else h->buf[h->len + h->sent++] = (char)c;
}

/* ---- the body -------------------------------------------------------------------------------- */

static void show(struct fk_http1 *h) { h->state = FK_HTTP1_ASKED; }

static void begin_body(struct fk_http1 *h) {
    const bool expects = (h->flags & (FK_HTTP1_EXPECTS | FK_HTTP1_OLD)) == FK_HTTP1_EXPECTS;
    if (h->left > FK_HTTP1_BODY_MAX) { /* 0 when it is chunked */
        fk_http1_refuse(h, 413, "the body is too large");
        if (!expects) h->seen = h->left < FK_HTTP1_DRAIN_MAX ? h->left : FK_HTTP1_DRAIN_MAX;
        return;
    }
    h->flags |= FK_HTTP1_IN_BODY;
    h->seen = 0;
    h->step = (h->flags & FK_HTTP1_CHUNKED) != 0 ? SIZE : DATA;
    if (!expects) return;
    h->request.keep_alive = false;
    show(h);
}

static void end_head(struct fk_http1 *h) {
    const bool old = (h->flags & FK_HTTP1_OLD) != 0;
    h->request.keep_alive = !old && (h->flags & FK_HTTP1_CLOSES) == 0;
    if (!old && (h->flags & FK_HTTP1_HAS_HOST) == 0)
        fk_http1_refuse(h, 400, "there is no Host header");
    else if ((h->flags & FK_HTTP1_CHUNKED) != 0 || h->left > 0) begin_body(h);
    else show(h);
}

static void at_line_end(struct fk_http1 *h, uint8_t c) {
    h->step = h->then;
    if (c != '\n') fk_http1_malformed(h);
    else if (h->then != LINES_END) return;
    else if ((h->flags & FK_HTTP1_IN_BODY) != 0) show(h); /* these were trailers */
    else end_head(h);
}

static void in_data(struct fk_http1 *h) {
    if (--h->left > 0) return;
    h->step = CHUNK_END;
    if ((h->flags & FK_HTTP1_CHUNKED) == 0) show(h);
}

static void in_size(struct fk_http1 *h, uint8_t c) {
    const int digit = fk_http1_hex(c);
    if (c == '\r' && h->step == SIZE_MORE) end_line(h, h->left > 0 ? DATA : LINE);
    else if (digit < 0 || h->left > UINT32_MAX >> 4) fk_http1_malformed(h);
    else {
        h->left = h->left << 4 | (uint32_t)digit;
        h->step = SIZE_MORE;
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void take(struct fk_http1 *h, uint8_t c) {
    switch ((enum step)h->step) {
    case START:
        if (c == '\r' || c == '\n') return;
        h->step = METHOD;
        if (c == ' ') fk_http1_malformed(h);
        else in_method(h, c);
        return;
    case METHOD: in_method(h, c); return;
    case TARGET: in_target(h, c); return;
    case LINE: in_line(h, c); return;
    case NAME: in_name(h, c); return;
    case SPACE:
        if (c == ' ' || c == '\t') return;
        h->step = VALUE;
        in_value(h, c);
        return;
    case VALUE: in_value(h, c); return;
    case LINE_END: at_line_end(h, c); return;
    case DATA: in_data(h); return;
    case CHUNK_END:
        if (c == '\r') end_line(h, SIZE);
        else fk_http1_malformed(h);
        return;
    case SIZE:
    case SIZE_MORE: in_size(h, c); return;
    case LINES_END: return;
    }
}

void fk_http1_idle(struct fk_http1 *h) {
    h->state = FK_HTTP1_IDLE;
    h->request = (struct fk_http1_request){.path = "/", .query = "", .token = ""};
    h->refused = 0;
    h->why = NULL;
    h->seen = 0;
    h->left = 0;
    h->len = 0;
    h->sent = 0;
    h->flags = 0;
    h->step = START;
    begin_word(h, FK_HTTP1_METHODS + 1);
}

void fk_http1_begin(struct fk_http1 *h) {
    memset(h, 0, sizeof *h);
    fk_http1_idle(h);
}

void fk_http1_lend(struct fk_http1 *h, void *buf) { h->buf = buf; }

void *fk_http1_give_back(struct fk_http1 *h) {
    char *buf = h->buf;
    if (buf != NULL) memset(buf, 0, FK_HTTP1_BUF);
    h->buf = NULL;
    return buf;
}

static size_t drop(struct fk_http1 *h, size_t len) {
    const size_t dropped = len < h->seen ? len : h->seen;
    h->seen -= (uint32_t)dropped;
    if (h->seen == 0 && h->state == FK_HTTP1_DRAINING) h->state = FK_HTTP1_OVER;
    return dropped;
}

static size_t read_request(struct fk_http1 *h, struct fk_bytes bytes) {
    size_t taken = 0;
    h->state = FK_HTTP1_READING;
    while (h->state == FK_HTTP1_READING && taken < bytes.len) {
        const bool in_body = (h->flags & FK_HTTP1_IN_BODY) != 0;
        if (in_body && h->seen == FK_HTTP1_BODY_MAX)
            fk_http1_refuse(h, 413, "the body is too large");
        else if (!in_body && h->seen == FK_HTTP1_HEAD_MAX)
            fk_http1_refuse(h, 431, "the headers are too long");
        else {
            h->seen++;
            take(h, bytes.p[taken++]);
        }
    }
    return taken;
}

size_t fk_http1_feed(struct fk_http1 *h, struct fk_bytes bytes) {
    size_t taken = 0;
    if (bytes.len == 0) return 0;
    if (h->state == FK_HTTP1_DRAINING) return drop(h, bytes.len);
    if (h->state == FK_HTTP1_IDLE || h->state == FK_HTTP1_READING) taken = read_request(h, bytes);
    if (h->state == FK_HTTP1_ASKED && h->refused != 0) taken += drop(h, bytes.len - taken);
    if (taken < bytes.len) h->flags |= FK_HTTP1_EARLY;
    return taken;
}
