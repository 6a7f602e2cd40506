/* Between wire/http1_*.c: what a connection remembers beside its public state. */
#ifndef FK_WIRE_HTTP1_INTERNAL_H
#define FK_WIRE_HTTP1_INTERNAL_H

#include "wire/http1_server.h"

enum {
    /* of the request */
    FK_HTTP1_HAS_HOST = 1 << 0,
    FK_HTTP1_CHUNKED = 1 << 1,
    FK_HTTP1_HAS_AUTH = 1 << 2,
    FK_HTTP1_EXPECTS = 1 << 3,
    FK_HTTP1_IN_BODY = 1 << 4,
    FK_HTTP1_OLD = 1 << 5,        /* HTTP/1.0 */
    FK_HTTP1_EARLY = 1 << 6,      /* bytes of another request came before the answer */
    FK_HTTP1_HAS_LENGTH = 1 << 7, /* or is chunked */
    /* of the answer */
    FK_HTTP1_FILLED = 1 << 8,  /* buf holds what is to be sent next */
    FK_HTTP1_DONE = 1 << 9,    /* nothing comes behind what is in buf */
    FK_HTTP1_CLOSES = 1 << 10, /* also said by the request */
};

/* What of a request's head is looked at: the version, and the values of these headers. */
enum fk_http1_header {
    FK_HTTP1_HOST,
    FK_HTTP1_CODING,
    FK_HTTP1_LENGTH,
    FK_HTTP1_CONNECTION,
    FK_HTTP1_EXPECT,
    FK_HTTP1_AUTHORIZATION,
    FK_HTTP1_HEADERS, /* any other */
    FK_HTTP1_VERSION,
};
extern const char *const fk_http1_headers[FK_HTTP1_HEADERS]; /* "host" */

/* The value of h->header is here: h->sent bytes, h->len bytes behind the beginning of buf. */
void fk_http1_header(struct fk_http1 *h);

/* To IDLE: the next request may begin. */
void fk_http1_idle(struct fk_http1 *h);

/* The request is answered with this status. Malformed: with 400; no room in buf: with 431. */
void fk_http1_refuse(struct fk_http1 *h, int status, const char *why);
void fk_http1_malformed(struct fk_http1 *h);
void fk_http1_no_room(struct fk_http1 *h);

/* What is dropped of a body that is too large, bytes: a client that gets the answer while it still
 * sends would otherwise see the connection break instead. */
#define FK_HTTP1_DRAIN_MAX (4u * FK_HTTP1_BODY_MAX)

/* A letter, a digit, or one of these. */
bool fk_http1_is(uint8_t c, const char *others);
uint8_t fk_http1_lower(uint8_t c);
int fk_http1_hex(uint8_t c); /* -1: no digit */

/* Splits a target in place, which is zero-terminated. False: it is not one to be answered. */
bool fk_http1_split(char *target, const char **path, const char **query);

#endif
