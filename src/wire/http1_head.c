/* What wire/http1_server makes of a request's version and headers. */
#include "wire/http1_internal.h"

const char *const fk_http1_headers[FK_HTTP1_HEADERS] = {
    [FK_HTTP1_HOST] = "host",
    [FK_HTTP1_CODING] = "transfer-encoding",
    [FK_HTTP1_LENGTH] = "content-length",
    [FK_HTTP1_CONNECTION] = "connection",
    [FK_HTTP1_EXPECT] = "expect",
    [FK_HTTP1_AUTHORIZATION] = "authorization",
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_space(char c) { return c == ' ' || c == '\t'; }

/* The length of a word in lower case, 0: the text does not begin with it. */
static size_t begins(const char *text, const char *word) {
    size_t len = 0;
    for (; word[len] != '\0'; len++)
        if (fk_http1_lower((uint8_t)text[len]) != (uint8_t)word[len]) return 0;
    return len;
}

/* Whether a list with commas has this word in it. */
static bool lists(const char *list, const char *word) {
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        while (is_space(*at) || *at == ',') at++;
        const size_t len = begins(at, word);
        const char *end = at + len;
        while (is_space(*end)) end++;
        if (len > 0 && (*end == '\0' || *end == ',')) return true;
    }
    return false;
}

/* Notes that this header was there; false: for the second time. */
static bool first(struct fk_http1 *h, uint16_t flag, const char *otherwise) {
    if ((h->flags & flag) != 0) fk_http1_refuse(h, 400, otherwise);
    h->flags |= flag;
    return h->refused == 0;
}

static void take_version(struct fk_http1 *h, const char *v) {
    if (h->sent != strlen("HTTP/1.1") || strncmp(v, "HTTP/", 5) != 0 || !is_digit(v[5]) ||
        v[6] != '.' || !is_digit(v[7]))
        fk_http1_malformed(h);
    else if (v[5] != '1' || v[7] > '1')
        fk_http1_refuse(h, 505, "only HTTP/1.1 and 1.0 are spoken here");
    else if (v[7] == '0') h->flags |= FK_HTTP1_OLD;
}

/* RFC 3986 3.2.2, 3.2.3. */
static void take_host(struct fk_http1 *h, const char *value) {
    if (!first(h, FK_HTTP1_HAS_HOST, "there is more than one Host header")) return;
    for (; *value != '\0'; value++)
        if (!fk_http1_is((uint8_t)*value, "-._~%!$&'()*+;=[]:")) {
            fk_http1_refuse(h, 400, "the Host header is malformed");
            return;
        }
}

static const char two_lengths[] = "there is more than one length of the body";

static void take_coding(struct fk_http1 *h, const char *value) {
    if (!first(h, FK_HTTP1_HAS_LENGTH, two_lengths)) return;
    h->flags |= FK_HTTP1_CHUNKED;
    if ((h->flags & FK_HTTP1_OLD) != 0) fk_http1_refuse(h, 400, "HTTP/1.0 has no transfer codings");
    else if (begins(value, "chunked") != h->sent || h->sent == 0)
        fk_http1_refuse(h, 501, "no transfer coding but chunked is implemented");
}

/* A length that is too large may be cut: it is refused, and so much of it is never read. */
static void take_length(struct fk_http1 *h, const char *value) {
    if (!first(h, FK_HTTP1_HAS_LENGTH, two_lengths)) return;
    const char *c = value;
    for (; is_digit(*c); c++)
        if (h->left <= FK_HTTP1_DRAIN_MAX) h->left = h->left * 10 + (uint32_t)(*c - '0');
    if (*c != '\0' || c == value) fk_http1_malformed(h);
}

static void take_authorization(struct fk_http1 *h, char *value) {
    if (!first(h, FK_HTTP1_HAS_AUTH, "there is more than one Authorization header")) return;
    char *token = value + begins(value, "bearer");
    if (token == value || (*token != '\0' && *token != ' ')) {
        h->request.has_other_authorization = true;
        return;
    }
    while (*token == ' ') token++;
    for (const char *c = token; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~') {
            fk_http1_refuse(h, 400, "the bearer token is malformed");
            return;
        }
    h->request.has_token = true;
    h->request.token = token;
    h->len = (uint16_t)(h->len + h->sent + 1);
    h->sent = 0; /* nothing of it is wiped */
}

void fk_http1_header(struct fk_http1 *h) {
    char *const value = h->buf + h->len;
    if (h->header == FK_HTTP1_HEADERS) return;
    if (h->len == FK_HTTP1_BUF) { /* behind the longest token there is not even room for a zero */
        fk_http1_no_room(h);
        return;
    }
    if (h->header != FK_HTTP1_VERSION)
        while (h->sent > 0 && is_space(value[h->sent - 1])) h->sent--;
    value[h->sent] = '\0';
    switch (h->header) {
    case FK_HTTP1_VERSION: take_version(h, value); break;
    case FK_HTTP1_HOST: take_host(h, value); break;
    case FK_HTTP1_CODING: take_coding(h, value); break;
    case FK_HTTP1_LENGTH: take_length(h, value); break;
    case FK_HTTP1_CONNECTION:
        if (lists(value, "close")) h->flags |= FK_HTTP1_CLOSES;
        break;
    case FK_HTTP1_EXPECT: h->flags |= FK_HTTP1_EXPECTS; break;
    case FK_HTTP1_AUTHORIZATION: take_authorization(h, value); break;
    }
    memset(h->buf + h->len, 0, h->sent);
    h->sent = 0;
}
