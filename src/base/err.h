/* The one set of error codes. Every function that can fail returns 0 or more for success and one of
 * these negatives otherwise; FK_E_* is never flattened into a bool on its way up. */
#ifndef FK_BASE_ERR_H
#define FK_BASE_ERR_H

enum fk_err {
    FK_OK = 0,

    /* the world: back off and try again */
    FK_E_CLOSED = -1,      /* the peer ended the connection in order */
    FK_E_RESET = -2,       /* the connection broke */
    FK_E_TIMEOUT = -3,     /* no answer in time */
    FK_E_UNREACHABLE = -4, /* nothing accepts connections there, or no route */
    FK_E_RESOLVE = -5,     /* the host name has no address */
    FK_E_TLS = -6,         /* the handshake failed */
    FK_E_CERT = -7,        /* the peer's certificate was refused */
    FK_E_REFUSED = -8,     /* the peer refused this stream; it did not act on the request */
    FK_E_CANCELLED = -9,   /* we ended the stream ourselves */

    /* the data: reject it, count it, go on */
    FK_E_PROTO = -16, /* the peer broke the protocol's rules */
    FK_E_PARSE = -17, /* malformed document or value */
    FK_E_RANGE = -18, /* well-formed, but beyond a bound of opts.h or of the type */

    /* ourselves */
    FK_E_NOMEM = -32,   /* a bounded store is full */
    FK_E_ENTROPY = -33, /* no randomness fit for keys */
    FK_E_CONFIG = -34,  /* a setting is missing or unusable */
    FK_E_BUSY = -35,    /* no slot is free now; ask again after the next step */
};

/* A short English phrase, static storage; "unknown error" for anything else. */
const char *fk_err_text(int err);

#endif
