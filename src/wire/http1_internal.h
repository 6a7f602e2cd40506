/* Between wire/http1_*.c: what a connection remembers beside its public state. */
#ifndef FK_WIRE_HTTP1_INTERNAL_H
#define FK_WIRE_HTTP1_INTERNAL_H

#include "wire/http1_server.h"

enum {
    /* of the request */
    FK_HTTP1_HAS_HOST = 1 << 0,
    FK_HTTP1_HAS_CODING = 1 << 1, /* Transfer-Encoding */
    FK_HTTP1_HAS_AUTH = 1 << 2,
    FK_HTTP1_EXPECTS = 1 << 3,
    FK_HTTP1_IN_BODY = 1 << 4,
    FK_HTTP1_OLD = 1 << 5,    /* HTTP/1.0 */
    FK_HTTP1_EARLY = 1 << 6,  /* bytes of another request came before the answer */
    FK_HTTP1_SPACED = 1 << 7, /* a space was seen in the header's value */
    /* of the answer */
    FK_HTTP1_FILLED = 1 << 8, /* buf holds what is to be sent next */
    FK_HTTP1_DONE = 1 << 9,   /* nothing comes behind what is in buf */
    FK_HTTP1_CLOSES = 1 << 10,
};

/* To IDLE: the next request may begin. */
void fk_http1_idle(struct fk_http1 *h);

/* Splits a target in place, which is zero-terminated. False: it is not one to be answered. */
bool fk_http1_split(char *target, const char **path, const char **query);

#endif
