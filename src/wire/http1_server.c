#include "wire/http1_internal.h"

#include "base/assert.h"

_Static_assert(FK_HTTP1_TARGET_MAX < FK_HTTP1_BUF, "the target must fit, with its zeros");

/* What is dropped of a body that is too large, bytes: a client that gets the answer while it still
 * sends would otherwise see the connection break instead. */
#define DRAIN_MAX (4u * FK_HTTP1_BODY_MAX)

static const struct {
    const char *name;
    uint8_t method;
} methods[FK_HTTP1_METHODS] = {
    [FK_HTTP1_GET] = {"GET", HTTP_GET},
    [FK_HTTP1_HEAD] = {"HEAD", HTTP_HEAD},
    [FK_HTTP1_POST] = {"POST", HTTP_POST},
    [FK_HTTP1_PUT] = {"PUT", HTTP_PUT},
    [FK_HTTP1_PATCH] = {"PATCH", HTTP_PATCH},
    [FK_HTTP1_DELETE] = {"DELETE", HTTP_DELETE},
    [FK_HTTP1_OPTIONS] = {"OPTIONS", HTTP_OPTIONS},
};

const char *fk_http1_method_name(enum fk_http1_method method) {
    return method < FK_HTTP1_METHODS ? methods[method].name : "";
}

/* Returns what a callback returns to end the parsing. */
static int refuse(struct fk_http1 *h, int status, const char *why) {
    h->state = FK_HTTP1_ASKED;
    h->refused = status;
    h->why = why;
    h->seen = 0;
    return HPE_USER;
}

static int refuse_coding(struct fk_http1 *h) {
    return refuse(h, 501, "no transfer coding but chunked is implemented");
}

static int refuse_version(struct fk_http1 *h) {
    return refuse(h, 505, "only HTTP/1.1 and 1.0 are spoken here");
}

/* ---- the request line ------------------------------------------------------------------------ */

static int on_method_complete(llhttp_t *parser) {
    struct fk_http1 *h = parser->data;
    for (unsigned i = 0; i < FK_HTTP1_METHODS; i++) {
        if (methods[i].method != parser->method) continue;
        h->request.method = (enum fk_http1_method)i;
        return 0;
    }
    if (parser->method == HTTP_PRI) return refuse_version(h);
    return refuse(h, 501, "this method is not implemented");
}

static int on_url(llhttp_t *parser, const char *at, size_t len) {
    struct fk_http1 *h = parser->data;
    if (len > (size_t)FK_HTTP1_TARGET_MAX - h->len) return refuse(h, 414, "the path is too long");
    memcpy(h->buf + h->len, at, len);
    h->len = (uint16_t)(h->len + len);
    return 0;
}

static int on_url_complete(llhttp_t *parser) {
    struct fk_http1 *h = parser->data;
    h->buf[h->len++] = '\0';
    if (!fk_http1_split(h->buf, &h->request.path, &h->request.query))
        return refuse(h, 400, "the path is not in its plain form");
    return 0;
}

/* ---- the header lines ------------------------------------------------------------------------ */

enum { HOST, CODING, AUTH, EXPECT, NAMES };

static const char names[NAMES][18] = {
    [HOST] = "host",
    [CODING] = "transfer-encoding",
    [AUTH] = "authorization",
    [EXPECT] = "expect",
};

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

static int on_header_field(llhttp_t *parser, const char *at, size_t len) {
    struct fk_http1 *h = parser->data;
    for (size_t i = 0; i < len && h->names != 0; i++, h->name_at++)
        for (unsigned k = 0; k < NAMES; k++)
            if (names[k][h->name_at] != lower(at[i])) h->names &= (uint8_t) ~(1u << k);
    return 0;
}

/* NAMES: none that matters. */
static unsigned name_of(const struct fk_http1 *h) {
    for (unsigned k = 0; k < NAMES; k++)
        if ((h->names & 1u << k) != 0 && names[k][h->name_at] == '\0') return k;
    return NAMES;
}

/* A host is one word of these (RFC 3986 3.2.2, 3.2.3); more than one Host line was seen to before.
 */
static bool host_may_have(char c) {
    if ((lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= ':')) return true;
    return c != '\0' && strchr("-._~%!$&'()*+;=[]", c) != NULL;
}

/* Counts the bytes of the value that are no spaces; false when there are some between them, or any
 * that does not belong into a host. */
static bool one_word(struct fk_http1 *h, const char *at, size_t len, bool host) {
    for (size_t i = 0; i < len; i++) {
        if (at[i] == ' ' || at[i] == '\t') {
            h->flags |= FK_HTTP1_SPACED;
            continue;
        }
        if ((h->flags & FK_HTTP1_SPACED) != 0 || (host && !host_may_have(at[i]))) return false;
        if (h->sent < UINT16_MAX) h->sent++;
    }
    return true;
}

static int take_authorization(struct fk_http1 *h, const char *at, size_t len) {
    if (h->sent == 0) h->sent = h->len;
    if (len >= (size_t)FK_HTTP1_BUF - h->len) return refuse(h, 431, "the bearer token is too long");
    memcpy(h->buf + h->len, at, len);
    h->len = (uint16_t)(h->len + len);
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len) {
    struct fk_http1 *h = parser->data;
    if ((h->flags & FK_HTTP1_IN_BODY) != 0) return 0; /* a trailer */
    switch (name_of(h)) {
    case HOST:
        if (one_word(h, at, len, true)) return 0;
        return refuse(h, 400, "the Host header is malformed");
    case CODING: return one_word(h, at, len, false) ? 0 : refuse_coding(h);
    case AUTH: return take_authorization(h, at, len);
    default: return 0;
    }
}

/* The scheme's length, when that scheme is Bearer. */
static size_t bearer(const char *value, const char *end) {
    static const char scheme[] = "bearer";
    const size_t len = sizeof scheme - 1;
    if ((size_t)(end - value) < len) return 0;
    for (size_t i = 0; i < len; i++)
        if (lower(value[i]) != scheme[i]) return 0;
    return value + len == end || value[len] == ' ' ? len : 0;
}

/* The header's value lies behind the target: made the token, or wiped. */
static int end_authorization(struct fk_http1 *h) {
    char *value = h->buf + (h->sent == 0 ? h->len : h->sent), *end = h->buf + h->len;
    if ((h->flags & FK_HTTP1_HAS_AUTH) != 0)
        return refuse(h, 400, "there is more than one Authorization header");
    h->flags |= FK_HTTP1_HAS_AUTH;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) end--;
    char *token = value + bearer(value, end);
    if (token == value) {
        h->request.has_other_authorization = true;
        memset(value, 0, (size_t)(end - value));
        h->len = (uint16_t)(value - h->buf);
        return 0;
    }
    while (token < end && *token == ' ') token++;
    for (const char *c = token; c < end; c++)
        if (*c <= ' ' || *c > '~') return refuse(h, 400, "the bearer token is malformed");
    *end = '\0';
    h->request.has_token = true;
    h->request.token = token;
    h->len = (uint16_t)(end + 1 - h->buf);
    return 0;
}

static int end_of_header(struct fk_http1 *h) {
    switch (name_of(h)) {
    case HOST:
        if ((h->flags & FK_HTTP1_HAS_HOST) != 0)
            return refuse(h, 400, "there is more than one Host header");
        h->flags |= FK_HTTP1_HAS_HOST;
        return 0;
    case CODING: /* llhttp sees to it that it ends in "chunked" */
        if ((h->flags & FK_HTTP1_HAS_CODING) != 0)
            return refuse(h, 400, "there is more than one Transfer-Encoding header");
        h->flags |= FK_HTTP1_HAS_CODING;
        return h->sent == strlen("chunked") ? 0 : refuse_coding(h);
    case AUTH: return end_authorization(h);
    case EXPECT: h->flags |= FK_HTTP1_EXPECTS; return 0;
    default: return 0;
    }
}

static void next_header(struct fk_http1 *h) {
    h->names = (1u << NAMES) - 1;
    h->name_at = 0;
    h->sent = 0;
    h->flags &= (uint16_t)~FK_HTTP1_SPACED;
}

static int on_header_value_complete(llhttp_t *parser) {
    struct fk_http1 *h = parser->data;
    const int result = (h->flags & FK_HTTP1_IN_BODY) != 0 ? 0 : end_of_header(h);
    next_header(h);
    return result;
}

/* ---- the body -------------------------------------------------------------------------------- */

static int show(struct fk_http1 *h) {
    h->state = FK_HTTP1_ASKED;
    return HPE_PAUSED;
}

/* The head of a request with a body is here. */
static int begin_body(struct fk_http1 *h) {
    const uint64_t len = h->parser.content_length;
    const bool expects = (h->flags & (FK_HTTP1_EXPECTS | FK_HTTP1_OLD)) == FK_HTTP1_EXPECTS;
    if (len > FK_HTTP1_BODY_MAX) { /* 0 when it is chunked */
        refuse(h, 413, "the body is too large");
        if (!expects) h->seen = len < DRAIN_MAX ? (uint32_t)len : DRAIN_MAX;
        return HPE_USER;
    }
    h->flags |= FK_HTTP1_IN_BODY;
    h->seen = 0;
    if (!expects) return HPE_PAUSED; /* so that feed begins to count anew */
    h->request.keep_alive = false;
    return show(h);
}

static int on_headers_complete(llhttp_t *parser) {
    struct fk_http1 *h = parser->data;
    if (parser->http_major != 1) return refuse_version(h);
    if (parser->http_minor == 0) h->flags |= FK_HTTP1_OLD;
    const bool old = (h->flags & FK_HTTP1_OLD) != 0;
    if (!old && (h->flags & FK_HTTP1_HAS_HOST) == 0)
        return refuse(h, 400, "there is no Host header");
    if ((parser->flags & F_TRANSFER_ENCODING) != 0) {
        if (old) return refuse(h, 400, "HTTP/1.0 has no transfer codings");
        if ((parser->flags & F_CHUNKED) == 0) return refuse_coding(h);
    }
    h->request.keep_alive = !old && llhttp_should_keep_alive(parser) != 0;
    const bool body = (parser->flags & F_CHUNKED) != 0 || parser->content_length > 0;
    return body ? begin_body(h) : 0;
}

/* Also of one that asks for an upgrade: it is shown as it stands, and llhttp begins anew. */
static int on_message_complete(llhttp_t *parser) { return show(parser->data); }

/* ---- bytes ----------------------------------------------------------------------------------- */

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_message_complete = on_message_complete,
    .on_url_complete = on_url_complete,
    .on_method_complete = on_method_complete,
    .on_header_value_complete = on_header_value_complete,
};

void fk_http1_idle(struct fk_http1 *h) {
    llhttp_init(&h->parser, HTTP_REQUEST, &settings);
    h->parser.data = h;
    h->state = FK_HTTP1_IDLE;
    h->request = (struct fk_http1_request){.path = "/", .query = "", .token = ""};
    h->refused = 0;
    h->why = NULL;
    h->seen = 0;
    h->len = 0;
    h->flags = 0;
    next_header(h);
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

static bool is_method_char(uint8_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

/* llhttp found something wrong at the byte `at`. */
static void malformed(struct fk_http1 *h, llhttp_errno_t err, uint8_t at) {
    const llhttp_t *p = &h->parser;
    const bool two_lengths =
        (p->flags & F_CONTENT_LENGTH) != 0 || (h->flags & FK_HTTP1_HAS_CODING) != 0;
    const bool known_version = p->http_major == 1 && p->http_minor <= 1;
    if (err == HPE_INVALID_TRANSFER_ENCODING && !two_lengths) refuse_coding(h);
    else if (err == HPE_INVALID_VERSION && !known_version) refuse_version(h);
    else if (err == HPE_INVALID_METHOD && is_method_char(at))
        refuse(h, 501, "this method is not implemented");
    else refuse(h, 400, "the request is malformed");
}

/* Parses len > 0 bytes or fewer; returns how many. */
static size_t parse(struct fk_http1 *h, const char *p, size_t len) {
    const llhttp_errno_t err = llhttp_execute(&h->parser, p, len);
    if (err == HPE_OK) {
        h->seen += (uint32_t)len;
        return len;
    }
    const char *at = llhttp_get_error_pos(&h->parser);
    const size_t taken = at >= p && at <= p + len ? (size_t)(at - p) : len;
    if (err == HPE_PAUSED) llhttp_resume(&h->parser);
    else if (h->state == FK_HTTP1_READING) malformed(h, err, taken < len ? (uint8_t)*at : 0);
    return taken;
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
        const size_t room = (in_body ? FK_HTTP1_BODY_MAX : FK_HTTP1_HEAD_MAX) - h->seen;
        if (room == 0 && in_body) refuse(h, 413, "the body is too large");
        else if (room == 0) refuse(h, 431, "the headers are too long");
        else {
            const size_t left = bytes.len - taken;
            taken += parse(h, (const char *)bytes.p + taken, left < room ? left : room);
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
