/* Anything that a client may send, in pieces of any size: what is shown keeps its promises, what is
 * said is well-formed and of the length that its items have, and the pieces make no difference.
 * What is shown llhttp reads as well, and both see the request's end at the same byte, since there
 * a second request could be smuggled in.
 *
 * The first byte seeds the sizes of pieces and items. */
#include <stdlib.h>

#include <llhttp.h>

#include "base/assert.h"
#include "wire/http1_server.h"

#define SHOWN_MAX 16

struct shown {
    int refused;
    char line[FK_HTTP1_BUF + 64];
};

struct client {
    struct fk_http1 http;
    uint32_t random;
    unsigned items;      /* of the answer under way */
    char out[16 * 1024]; /* it */
    size_t out_len, body_len;
    struct shown shown[SHOWN_MAX];
    unsigned count;
};

static uint32_t next_random(uint32_t *random) {
    *random = *random * 1664525u + 1013904223u;
    return *random >> 16;
}

/* Each item's length follows from its number; one of some sixty is too large. */
static size_t item_len(const struct client *c, uint32_t index) {
    uint32_t r = c->random ^ index * 2654435761u;
    if (next_random(&r) % 64 == 0) return FK_HTTP1_ITEM_MAX + 1;
    return next_random(&r) % (FK_HTTP1_ITEM_MAX + 1) >> next_random(&r) % 11;
}

static bool put_item(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    const struct client *c = ctx;
    if (*cursor == c->items) return false;
    const size_t len = item_len(c, *cursor);
    for (size_t i = 0; i < len; i++) fk_put_char(w, '.');
    (*cursor)++;
    return true;
}

static void expect_promises(const struct fk_http1 *h) {
    const struct fk_http1_request *r = &h->request;
    FK_ASSERT((h->refused == 0) == (h->why == NULL));
    if (h->refused != 0) {
        FK_ASSERT(h->refused >= 400 && h->refused < 600);
        return;
    }
    FK_ASSERT(r->method < FK_HTTP1_METHODS && r->path[0] == '/');
    FK_ASSERT(strlen(r->path) + strlen(r->query) <= FK_HTTP1_TARGET_MAX);
    FK_ASSERT(strstr(r->path, "//") == NULL && strstr(r->path, "/../") == NULL);
    for (const char *c = r->path; *c != '\0'; c++) FK_ASSERT(*c > ' ' && *c < 0x7f);
    for (const char *c = r->token; *c != '\0'; c++) FK_ASSERT(*c > ' ' && *c < 0x7f);
    FK_ASSERT(r->has_token || r->token[0] == '\0');
    char value[16];
    FK_ASSERT(fk_http1_query(r->query, "a", value, sizeof value) < (int)sizeof value);
}

static void note(struct client *c) {
    const struct fk_http1 *h = &c->http;
    if (c->count == SHOWN_MAX) return;
    struct shown *s = &c->shown[c->count++];
    memset(s, 0, sizeof *s);
    s->refused = h->refused;
    if (h->refused != 0) return;
    struct fk_writer w;
    fk_writer_init(&w, s->line, sizeof s->line);
    fk_put_str(&w, fk_http1_method_name(h->request.method));
    fk_put_str(&w, h->request.path);
    fk_put_str(&w, h->request.query);
    fk_put_str(&w, h->request.token);
    fk_put_char(&w, h->request.has_other_authorization ? '1' : '0');
    fk_put_char(&w, h->request.keep_alive ? '1' : '0');
    FK_ASSERT(fk_writer_finish(&w) == 0);
}

/* Whether the chunks are whole, the last one included; counts what is in them. */
static bool chunks_end(const char *p, const char *end, size_t *len) {
    *len = 0;
    for (;;) {
        if (end - p < 5) return false;
        char *after;
        const size_t size = strtoul(p, &after, 16);
        FK_ASSERT(memcmp(after, "\r\n", 2) == 0);
        p = after + 2;
        FK_ASSERT((size_t)(end - p) >= size + 2 && memcmp(p + size, "\r\n", 2) == 0);
        p += size + 2;
        if (size == 0) {
            FK_ASSERT(p == end);
            return true;
        }
        *len += size;
    }
}

static void expect_answer(const struct client *c, bool head_only, bool old, size_t want) {
    FK_ASSERT(memcmp(c->out, "HTTP/1.1 200 OK\r\n", 17) == 0);
    const char *const body = strstr(c->out, "\r\n\r\n") + 4, *const end = c->out + c->out_len;
    const bool chunked = strstr(c->out, "\r\nTransfer-Encoding: chunked\r\n") != NULL;
    FK_ASSERT(old != chunked);
    const bool close = strstr(c->out, "\r\nConnection: close\r\n") != NULL;
    size_t len = (size_t)(end - body);
    if (head_only) FK_ASSERT(len == 0);
    else if (chunked && !chunks_end(body, end, &len)) {
        FK_ASSERT(want == SIZE_MAX && c->http.state == FK_HTTP1_OVER);
        return;
    }
    if (!head_only && want != SIZE_MAX) FK_ASSERT(len == want);
    if (!close) FK_ASSERT(c->http.state == FK_HTTP1_IDLE);
    else FK_ASSERT(c->http.state == FK_HTTP1_OVER || c->http.state == FK_HTTP1_DRAINING);
}

/* What the items are long together; SIZE_MAX: one of them is too large. */
static size_t body_len(const struct client *c) {
    size_t len = 0;
    for (uint32_t i = 0; i < c->items; i++) {
        if (item_len(c, i) > FK_HTTP1_ITEM_MAX) return SIZE_MAX;
        len += item_len(c, i);
    }
    return len;
}

static void answer(struct client *c, uint32_t *random) {
    struct fk_http1 *h = &c->http;
    const bool head_only = h->request.method == FK_HTTP1_HEAD;
    const struct fk_http1_answer a = {.status = 200,
                                      .content_type = "text/plain",
                                      .close = next_random(random) % 8 == 0,
                                      .items = put_item,
                                      .ctx = c};
    c->items = next_random(random) % 12;
    c->out_len = 0;
    fk_http1_answer(h, &a);
    FK_ASSERT(h->request.token[0] == '\0');
    const bool old = strstr(h->buf, "chunked") == NULL;
    for (;;) {
        const struct fk_bytes out = fk_http1_pull(h);
        if (out.len == 0) break;
        const size_t len = 1 + next_random(random) % out.len;
        FK_ASSERT(c->out_len + len < sizeof c->out);
        memcpy(c->out + c->out_len, out.p, len);
        c->out_len += len;
        fk_http1_taken(h, len);
    }
    c->out[c->out_len] = '\0';
    FK_ASSERT(h->state != FK_HTTP1_ANSWERING);
    expect_answer(c, head_only, old, body_len(c));
}

/* One request after the other; what came too early is offered again, as a kinder caller would. */
static void serve(struct client *c, const uint8_t *data, size_t len, size_t largest) {
    uint32_t random = c->random;
    static char buf[FK_HTTP1_BUF];
    fk_http1_begin(&c->http);
    fk_http1_lend(&c->http, buf);
    c->count = 0;
    for (size_t at = 0; at < len;) {
        const size_t left = len - at;
        const size_t wish = largest == SIZE_MAX ? left : 1 + next_random(&random) % largest;
        const size_t piece = wish < left ? wish : left;
        uint8_t *copy = malloc(piece);
        FK_ASSERT(copy != NULL);
        memcpy(copy, data + at, piece);
        const size_t taken = fk_http1_feed(&c->http, fk_bytes(copy, piece));
        free(copy);
        FK_ASSERT(taken <= piece);
        at += taken;
        const bool asked = c->http.state == FK_HTTP1_ASKED;
        FK_ASSERT(asked || taken == piece || c->http.state == FK_HTTP1_OVER);
        if (asked) {
            expect_promises(&c->http);
            note(c);
            answer(c, &random);
        }
        if (c->http.state == FK_HTTP1_OVER) break;
    }
    if (c->http.state == FK_HTTP1_READING || c->http.state == FK_HTTP1_IDLE) answer(c, &random);
}

/* What llhttp makes of the first request. */
struct other {
    size_t head_len, len; /* 0: it was not read so far */
    bool keeps_alive;
};

static int head_ends(llhttp_t *parser) {
    struct other *o = parser->data;
    o->keeps_alive = llhttp_should_keep_alive(parser) != 0;
    o->head_len = 1; /* its last byte is told by no callback */
    return 0;
}

static int message_ends(llhttp_t *parser) {
    struct other *o = parser->data;
    o->len = 1;
    return parser->upgrade ? 0 : HPE_PAUSED;
}

static void read_by_llhttp(struct other *o, const uint8_t *data, size_t len) {
    llhttp_settings_t settings;
    llhttp_t parser;
    llhttp_settings_init(&settings);
    settings.on_headers_complete = head_ends;
    settings.on_message_complete = message_ends;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = o;
    for (size_t i = 0; i < len && o->len == 0; i++) {
        const llhttp_errno_t err = llhttp_execute(&parser, (const char *)data + i, 1);
        if (o->head_len == 1) o->head_len = i + 1;
        if (o->len == 1) o->len = i + 1;
        if (err != HPE_OK) break;
    }
}

/* Where ours saw the first request's end: behind its body, or behind its head, if the client waits
 * for a 100. */
static void expect_same_end(const uint8_t *data, size_t len) {
    static struct fk_http1 ours;
    static char buf[FK_HTTP1_BUF];
    fk_http1_begin(&ours);
    fk_http1_lend(&ours, buf);
    const size_t taken = fk_http1_feed(&ours, fk_bytes(data, len));
    if (ours.state != FK_HTTP1_ASKED || ours.refused != 0) return;
    struct other o = {0};
    read_by_llhttp(&o, data, len);
    FK_ASSERT(o.head_len > 0);
    if (taken == o.len) FK_ASSERT(!ours.request.keep_alive || o.keeps_alive);
    else FK_ASSERT(taken == o.head_len && !ours.request.keep_alive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static struct client whole, pieces;
    if (len == 0) return 0;
    expect_same_end(data + 1, len - 1);
    memset(&whole, 0, sizeof whole);
    whole.random = data[0];
    pieces = whole;
    serve(&whole, data + 1, len - 1, SIZE_MAX);
    serve(&pieces, data + 1, len - 1, 1 + data[0] % 41);
    /* The first request; whether there is a second depends on when it came. Of several faults
     * another may be found first. */
    FK_ASSERT((whole.count == 0) == (pieces.count == 0));
    if (whole.count == 0) return 0;
    const struct shown *a = &whole.shown[0], *b = &pieces.shown[0];
    FK_ASSERT((a->refused == 0) == (b->refused == 0) && strcmp(a->line, b->line) == 0);
    return 0;
}
