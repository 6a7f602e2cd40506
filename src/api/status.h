/* Reads the Status object that the API server sends with an error, and says what a duty does next.
 */
#ifndef FK_API_STATUS_H
#define FK_API_STATUS_H

#include "api/pb_stream.h"
#include "base/bytes.h"
#include "opts.h"
#include "wire/h2_client.h"

/* metav1.StatusReason, those that change what a node does. */
enum fk_reason {
    FK_REASON_NONE, /* no Status object, or none with a reason */
    FK_REASON_OTHER,
    FK_REASON_UNAUTHORIZED,
    FK_REASON_FORBIDDEN,
    FK_REASON_NOT_FOUND,
    FK_REASON_ALREADY_EXISTS,
    FK_REASON_CONFLICT,
    FK_REASON_GONE,
    FK_REASON_EXPIRED,
    FK_REASON_INVALID,
    FK_REASON_TOO_MANY_REQUESTS,
    FK_REASON_SERVER_TIMEOUT,
    FK_REASON_TIMEOUT,
    FK_REASON_INTERNAL_ERROR,
    FK_REASON_SERVICE_UNAVAILABLE,
};

/* What to do about a response. */
enum fk_verdict {
    FK_VERDICT_OK,       /* 2xx */
    FK_VERDICT_ABSENT,   /* 404: create it */
    FK_VERDICT_EXISTS,   /* 409 AlreadyExists: adopt it */
    FK_VERDICT_CONFLICT, /* 409 otherwise: read it again, then retry */
    FK_VERDICT_STALE,    /* 410: list again from the start */
    FK_VERDICT_RETRY,    /* 429, 5xx, 408, no answer: the same again, later */
    FK_VERDICT_REFUSED,  /* 401, 403: credentials or rights; slowly, and tell the operator */
    FK_VERDICT_REJECTED, /* 400, 405, 413, 415, 422 …: we asked wrongly; slowly, and tell */
};

/* status as in struct fk_response; 3xx counts as REJECTED: an API server does not redirect. */
enum fk_verdict fk_status_verdict(int status, enum fk_reason reason);

struct fk_status_reader {
    struct fk_pb pb;
    uint32_t seen; /* body bytes fed */
    enum fk_reason reason;
    int32_t retry_after_s;        /* details.retryAfterSeconds, 1 to 86400; -1: none */
    char message[FK_MESSAGE_MAX]; /* printable ASCII, zero-terminated; '?' for other bytes */
    /* private from here */
    uint16_t message_len;
    uint8_t content; /* enum fk_h2_content */
    uint8_t matched; /* bytes of the marker that stands before the text */
    uint8_t text;    /* where in the text we are */
    bool space;      /* white space stands before the next character of the message */
};

/* content: the reply's. A protobuf Status is decoded, as far as it arrived. Otherwise the message
 * is made of the "message" of a JSON body, of the title of an HTML page ("an HTML page, not an API
 * answer: 502 Bad Gateway"), or of the first printable bytes. */
void fk_status_begin(struct fk_status_reader *r, enum fk_h2_content content);
void fk_status_feed(struct fk_status_reader *r, struct fk_bytes piece);

#endif
