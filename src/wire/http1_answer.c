/* The other half of wire/http1_server: what is said. */
#include "wire/http1_internal.h"

#include "base/assert.h"

/* "07f3\r\n" before a chunk's items, its line's end and perhaps the last chunk behind them. */
#define CHUNK_HEAD 6u
#define CHUNK_TAIL 7u

_Static_assert(FK_HTTP1_ITEM_MAX + CHUNK_HEAD + CHUNK_TAIL <= FK_HTTP1_BUF,
               "an item must fit into one piece");
_Static_assert(FK_HTTP1_BUF <= 0xffff, "lengths have 16 bits, and a chunk's four digits");

static const char *reason(int status) {
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return ""; /* it may be left out, RFC 9112 4 */
    }
}

static void put_header(struct fk_writer *w, const char *name, const char *value) {
    fk_put_str(w, name);
    fk_put_str(w, value);
    fk_put_str(w, "\r\n");
}

static void put_head(const struct fk_http1 *h, const struct fk_http1_answer *a,
                     struct fk_writer *w) {
    fk_put_str(w, "HTTP/1.1 ");
    fk_put_u64(w, (uint64_t)a->status);
    put_header(w, " ", reason(a->status));
    if (a->items != NULL) put_header(w, "Content-Type: ", a->content_type);
    if (a->items == NULL) put_header(w, "Content-Length: ", "0");
    else if ((h->flags & FK_HTTP1_OLD) == 0) put_header(w, "Transfer-Encoding: ", "chunked");
    if ((h->flags & FK_HTTP1_CLOSES) != 0) put_header(w, "Connection: ", "close");
    if (a->allow != NULL) put_header(w, "Allow: ", a->allow);
    if (a->retry_after_s != 0) {
        fk_put_str(w, "Retry-After: ");
        fk_put_u64(w, a->retry_after_s);
        fk_put_str(w, "\r\n");
    }
    fk_put_str(w, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n");
}

void fk_http1_answer(struct fk_http1 *h, const struct fk_http1_answer *a) {
    const bool asked = h->state == FK_HTTP1_ASKED;
    FK_ASSERT(asked || h->state == FK_HTTP1_READING || h->state == FK_HTTP1_IDLE);
    const bool goes_on = asked && h->refused == 0 && h->request.keep_alive && !a->close &&
                         (h->flags & FK_HTTP1_EARLY) == 0;
    if (!goes_on) h->flags |= FK_HTTP1_CLOSES;
    const bool bodiless = a->items == NULL || h->request.method == FK_HTTP1_HEAD;
    if (bodiless) h->flags |= FK_HTTP1_FILLED | FK_HTTP1_DONE;
    if (h->refused != 413) h->seen = 0;
    h->request = (struct fk_http1_request){.path = "/", .query = "", .token = ""};
    memset(h->buf, 0, FK_HTTP1_BUF); /* the token */
    h->items = a->items;
    h->ctx = a->ctx;
    h->cursor = 0;
    struct fk_writer w;
    fk_writer_init(&w, h->buf, FK_HTTP1_BUF);
    put_head(h, a, &w);
    h->sent = 0;
    h->len = (uint16_t)fk_writer_kept(&w);
    h->state = w.err == 0 ? FK_HTTP1_ANSWERING : FK_HTTP1_OVER;
}

static void put_size(char *at, size_t size) {
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 4; i++) at[i] = digits[size >> (12 - 4 * i) & 15];
    memcpy(at + 4, "\r\n", 2);
}

/* Writes items from `at` on while they fit before `limit`; returns where they end. */
static size_t put_items(struct fk_http1 *h, size_t at, size_t limit) {
    for (;;) {
        const uint32_t cursor = h->cursor;
        const size_t room = limit - at;
        struct fk_writer w;
        fk_writer_init(&w, h->buf + at, room < FK_HTTP1_ITEM_MAX ? room : FK_HTTP1_ITEM_MAX);
        if (!h->items(h->ctx, &h->cursor, &w)) {
            h->flags |= FK_HTTP1_DONE;
            return at;
        }
        if (w.err != 0) {
            h->cursor = cursor;
            return at;
        }
        at += w.len;
    }
}

/* Puts as many items as fit behind what is in buf: as one chunk, or as they are. */
static void fill(struct fk_http1 *h) {
    const bool chunked = (h->flags & FK_HTTP1_OLD) == 0;
    const size_t head = chunked ? CHUNK_HEAD : 0, tail = chunked ? CHUNK_TAIL : 0;
    size_t at = h->len;
    h->flags |= FK_HTTP1_FILLED;
    if (at + head + tail <= FK_HTTP1_BUF) {
        const size_t end = put_items(h, at + head, FK_HTTP1_BUF - tail);
        const size_t size = end - at - head;
        if (size > 0 && chunked) {
            put_size(h->buf + at, size);
            memcpy(h->buf + end, "\r\n", 2);
        }
        if (size > 0) at = end + (chunked ? 2 : 0);
    }
    if ((h->flags & FK_HTTP1_DONE) != 0 && chunked) {
        memcpy(h->buf + at, "0\r\n\r\n", 5);
        at += 5;
    }
    h->len = (uint16_t)at;
}

/* The answer is out. */
static void finish(struct fk_http1 *h) {
    if ((h->flags & FK_HTTP1_CLOSES) == 0) fk_http1_idle(h);
    else h->state = h->seen > 0 ? FK_HTTP1_DRAINING : FK_HTTP1_OVER;
}

struct fk_bytes fk_http1_pull(struct fk_http1 *h) {
    if (h->state != FK_HTTP1_ANSWERING) return fk_bytes(NULL, 0);
    if ((h->flags & FK_HTTP1_FILLED) == 0) {
        fill(h);
        if (h->len == 0) h->state = FK_HTTP1_OVER; /* not even one item fits, or none was left */
    }
    return fk_bytes(h->buf + h->sent, h->len - h->sent);
}

void fk_http1_taken(struct fk_http1 *h, size_t len) {
    FK_ASSERT(h->state == FK_HTTP1_ANSWERING && len <= (size_t)(h->len - h->sent));
    h->sent = (uint16_t)(h->sent + len);
    if (h->sent < h->len) return;
    h->sent = 0;
    h->len = 0;
    if ((h->flags & FK_HTTP1_DONE) != 0) finish(h);
    else h->flags &= (uint16_t)~FK_HTTP1_FILLED;
}
