/* The server's end of one HTTP/1.1 connection (RFC 9112). Bytes in, bytes out: no I/O, no clock, no
 * idea of what is asked for. One request at a time.
 *
 * Strict where strangers play: two lengths, both lengths, odd chunk sizes, a bare LF, whitespace
 * before a colon, folded lines all end the connection after a 400. So do chunk extensions, which
 * RFC 9112 7.1.1 would have ignored: nobody sends them but to be misread. A request's body is read
 * and dropped before the request is shown, so what is shown was well-formed to its last byte; but
 * who waits for a 100 (Continue) gets the answer at once, and the connection ends. Upgrade is
 * ignored, as RFC 9110 7.8 allows. A second request that arrives before the first is answered
 * (pipelining) is not read: the first answer says Connection: close. HTTP/1.0 is answered and hung
 * up on. No answer is ever larger than its buffer: bodies are written item by item. */
#ifndef FK_WIRE_HTTP1_SERVER_H
#define FK_WIRE_HTTP1_SERVER_H

#include "base/bytes.h"
#include "base/writer.h"
#include "opts.h"

enum fk_http1_method {
    FK_HTTP1_GET,
    FK_HTTP1_HEAD,
    FK_HTTP1_POST,
    FK_HTTP1_PUT,
    FK_HTTP1_PATCH,
    FK_HTTP1_DELETE,
    FK_HTTP1_OPTIONS,
    FK_HTTP1_METHODS, /* any other is answered 501 and never shown */
};
const char *fk_http1_method_name(enum fk_http1_method method); /* "GET" */

/* What is asked; texts are zero-terminated and stay until fk_http1_answer. A target in absolute
 * form
 * ("http://host/path") shows as its path. */
struct fk_http1_request {
    enum fk_http1_method method;
    bool keep_alive; /* the connection may go on after the answer */
    bool has_token;  /* an Authorization header with the scheme Bearer; token may be "" */
    bool has_other_authorization; /* an Authorization header with another scheme */
    const char *path;  /* "/metrics": as sent, not decoded; begins with a slash, without // . ..
                        * and without %00 %2e %2f %5c */
    const char *query; /* behind the question mark, "" without one */
    const char *token; /* secret: wiped by fk_http1_answer */
};

enum fk_http1_state {
    FK_HTTP1_IDLE,      /* between requests: not a byte of the next is here */
    FK_HTTP1_READING,   /* amid a request */
    FK_HTTP1_ASKED,     /* the request is here: look at it, then answer */
    FK_HTTP1_ANSWERING, /* pull until it is out */
    FK_HTTP1_DRAINING,  /* a 413 is out; some of the body is dropped, so that it is read, too */
    FK_HTTP1_OVER,      /* nothing more will be said: close */
};

/* How a body is written: the item at *cursor (0 at first), at most FK_HTTP1_ITEM_MAX bytes, into w,
 * and *cursor moved on. False: there was none left, and nothing was written. Called again with the
 * same cursor when the item did not fit behind the others of its piece. */
typedef bool (*fk_http1_items)(const void *ctx, uint32_t *cursor, struct fk_writer *w);

struct fk_http1_answer {
    int status;               /* 200 to 599 */
    const char *content_type; /* NULL: no body */
    const char *allow;        /* of a 405, "GET, HEAD"; else NULL */
    uint32_t retry_after_s;   /* 0: not said */
    bool close;               /* the connection ends with it */
    fk_http1_items items;     /* the body; NULL: none */
    const void *ctx;
};

/* Members are private but for state, request and refused. */
struct fk_http1 {
    enum fk_http1_state state;
    struct fk_http1_request request; /* in ASKED */
    /* In ASKED: not 0 when the request is not to be looked at but refused with this status (400,
     * 413, 414, 431, 501, 505), and why says what is wrong with it. The answer closes. */
    int refused;
    const char *why;
    fk_http1_items items; /* of the answer */
    const void *ctx;
    uint32_t cursor;
    uint32_t seen; /* bytes of the request so far: head or body; of a 413: left to be dropped */
    uint32_t left; /* of the body, or of a chunk */
    uint16_t len;  /* of buf */
    uint16_t sent; /* of it; while reading, the length of a header's value behind it */
    uint16_t flags;
    uint8_t step, then;     /* what the next byte is part of, and then, behind a line's end */
    uint8_t words, word_at; /* which words this may still be, and how much of it was seen */
    uint8_t header;         /* whose value this is */
    char *buf;              /* lent */
};

void fk_http1_begin(struct fk_http1 *h); /* a new connection, without a buffer */

/* FK_HTTP1_BUF bytes, which feed and answer need: the caller's, until fk_http1_give_back, in IDLE
 * or when the connection ends. That wipes them, and returns them (NULL: there were none). So a
 * connection that idles holds no such memory. */
void fk_http1_lend(struct fk_http1 *h, void *buf);
void *fk_http1_give_back(struct fk_http1 *h);

/* FK_HTTP1_HEAD_MAX counts a request's bytes up to and with the blank line, FK_HTTP1_TARGET_MAX its
 * target with whatever stands before the path, FK_HTTP1_BODY_MAX the body as sent, chunk sizes and
 * all.
 *
 * Takes bytes in IDLE, READING and DRAINING; returns how many: less than all when the state is
 * another than these before, or because of the last of them. What is left over in ASKED came too
 * early (pipelining), and is the caller's to drop. */
size_t fk_http1_feed(struct fk_http1 *h, struct fk_bytes bytes);

/* In ASKED: begins the answer; its texts are copied. request is gone. HEAD gets the head alone;
 * HTTP/1.0 gets a body that ends with the connection. Also in READING and IDLE, for a 408 or 503
 * that nobody waited for; then it closes. */
void fk_http1_answer(struct fk_http1 *h, const struct fk_http1_answer *answer);

/* What is to be sent next, empty: nothing now. Stays until taken. An item that is too large, or an
 * answer that cannot be finished, ends the connection (OVER) without the last chunk, so that the
 * client knows. */
struct fk_bytes fk_http1_pull(struct fk_http1 *h);
void fk_http1_taken(struct fk_http1 *h, size_t len);

/* The value of a parameter of a query ("a=b&c"), percent-decoded and + as a space, with its zero,
 * into out. Its length; -1: not there; FK_E_RANGE (a negative enum fk_err): it does not fit,
 * FK_E_PARSE: malformed or with a zero in it. Of several with that name the first. */
int fk_http1_query(const char *query, const char *name, char *out, size_t cap);

#endif
