/* The client's end of one HTTP/2 connection (RFC 9113), over nghttp2. Bytes in, bytes out, events
 * between: no I/O, no clock, no retries, no knowledge of Kubernetes.
 *
 * Flow control is the point of it. Our SETTINGS_INITIAL_WINDOW_SIZE is 0: a reply body is sent to
 * us only as far as its request grants, so a reply that nobody wants is never sent, and no TLS
 * record is larger than what was granted. When the reply head is in and nothing of the body is
 * wanted, the stream is reset with NO_ERROR.
 *
 * All memory is taken from the heap that is handed in. When it is full, submit refuses the request
 * with FK_E_NOMEM and everything else goes on; when it is full elsewhere, the connection has ended
 * (FK_E_NOMEM in h->fatal) and is to be closed. A flood of frames by the server ends there, too. */
#ifndef FK_WIRE_H2_CLIENT_H
#define FK_WIRE_H2_CLIENT_H

#include "base/bytes.h"
#include "base/heap.h"
#include "base/writer.h"

enum fk_h2_content { FK_CONTENT_OTHER, FK_CONTENT_JSON, FK_CONTENT_PROTOBUF, FK_CONTENT_HTML };

/* What the node looks at in a reply's head; valid during the event. A larger Retry-After is cut.
 * 1xx heads are not reported. */
struct fk_h2_head {
    int status;            /* 200 to 599 */
    int64_t date_s;        /* Date, seconds since 1970; -1: none, or malformed */
    int32_t retry_after_s; /* Retry-After in seconds (0 to 86400); -1: none, or given as a date */
    enum fk_h2_content content;
};

/* Called from feed, pull, cancel and close, never from submit. The handlers may submit, grant and
 * cancel other streams, but must not feed, pull or close. */
struct fk_h2_events {
    void (*head)(void *ctx, int32_t stream, const struct fk_h2_head *head);
    void (*data)(void *ctx, int32_t stream, struct fk_bytes piece); /* never empty */
    /* The stream's last event, exactly one per submitted stream. err 0: the reply is complete, or
     * the stream was reset by us with NO_ERROR after its head. FK_E_REFUSED: RST_STREAM
     * REFUSED_STREAM, or a GOAWAY says it was not looked at. FK_E_RESET: any other RST_STREAM.
     * FK_E_CANCELLED: fk_h2_cancel. FK_E_RANGE: its head or trailers exceeded FK_H2_HEADERS_MAX.
     * FK_E_PROTO: the reply breaks the rules of HTTP, or ignores its window; we reset the stream.
     * FK_E_CLOSED: fk_h2_close while it was open. */
    void (*end)(void *ctx, int32_t stream, int err);
    void (*pong)(void *ctx); /* a PING of ours was answered */
    /* The server wants no more streams; those that it looked at may finish, the others end with
     * FK_E_REFUSED right after this. Once, and not after fk_h2_goodbye. */
    void (*goaway)(void *ctx);
};

struct nghttp2_session;

struct fk_h2 {
    struct nghttp2_session *session; /* NULL: not open */
    struct fk_heap *heap;
    const struct fk_h2_events *events;
    void *ctx;
    struct fk_h2_stream *streams; /* in the heap, one per open stream */
    int32_t lingering;            /* stream that is reset with the next request; 0: none */
    struct fk_bytes rest;         /* of the frame that pull is in the middle of; nghttp2's memory */
    bool settled;                 /* the server's SETTINGS have arrived */
    bool draining;                /* GOAWAY received or queued: submit refuses */
    uint32_t failures;            /* the heap's, as far as they did no harm */
    int fatal; /* what ended the connection, 0 while it lives; readable after close */
};

struct fk_h2_header {
    struct fk_bytes name; /* lower case */
    struct fk_bytes value;
    bool secret; /* never indexed (RFC 7541 §7.1.3) */
};

struct fk_h2_request {
    const char *method;    /* "PATCH" */
    const char *scheme;    /* "https" */
    const char *authority; /* "10.0.0.1:6443" */
    const char *path;
    bool path_repeats; /* let HPACK index the path: it will be asked again soon */
    const struct fk_h2_header *headers;
    size_t header_count; /* at most FK_H2_REQUEST_HEADERS */

    /* Writes the body, the same bytes at each call, until the stream ends; NULL: no body. */
    void (*body)(const void *ctx, struct fk_writer *w);
    const void *body_ctx;

    /* Reply body bytes that may be under way to us at any time, at most 2^30; kept open as data
     * arrives, half of it at a time. 0: the body is not wanted, and the stream ends (err 0) with
     * its head, unless the head handler grants a window. */
    uint32_t window;

    /* With window 0: the stream ends (err 0) with its head as ever, but is reset only together with
     * the next request, in the same TLS record, which saves 22 bytes. For what is asked again soon
     * and whose reply is short: a server holds up to 4 KB back without holding up its handler. */
    bool lingers;
};
#define FK_H2_REQUEST_HEADERS 4

/* Begins a connection: preface and SETTINGS are ready to be pulled. 0 or FK_E_NOMEM. */
int fk_h2_open(struct fk_h2 *h, struct fk_heap *heap, const struct fk_h2_events *events, void *ctx);

/* Ends it: every open stream gets its end event with FK_E_CLOSED, all memory goes back to the
 * heap. Idempotent, and fine on a zeroed struct. */
void fk_h2_close(struct fk_h2 *h);

/* Queues GOAWAY(NO_ERROR), to be pulled and sent before an orderly close. Open streams go on. */
void fk_h2_goodbye(struct fk_h2 *h);

/* Takes bytes that came from the server, all of them. 0, or what ends the connection (FK_E_PROTO,
 * FK_E_NOMEM): it stays in h->fatal, a GOAWAY may be left to pull, close is the only way on. Once
 * draining, h->fatal may be set only by the pull that takes this GOAWAY. FK_E_CLOSED: not open. */
int fk_h2_feed(struct fk_h2 *h, struct fk_bytes bytes);

/* Moves up to cap bytes that are to be sent into buf; returns their count, 0 when there are none,
 * or FK_E_NOMEM. Frames are packed: HEADERS, DATA and WINDOW_UPDATE of one request go out together
 * if cap allows. */
int fk_h2_pull(struct fk_h2 *h, void *buf, size_t cap);

/* Whether pull would move anything; sometimes true once more than that. */
bool fk_h2_pending(const struct fk_h2 *h);

/* Starts a request. Its path and struct fk_h2_request itself are copied; every other string, the
 * header fields' too, must stay until the stream's end event, like the body's context. Returns its
 * stream id (> 0), FK_E_NOMEM, FK_E_CLOSED when the server wants no more streams, FK_E_BUSY when it
 * allows no more at once, or h->fatal. When the server lowers that number later, the request
 * waits. */
int32_t fk_h2_submit(struct fk_h2 *h, const struct fk_h2_request *request);

/* Grants a window to a stream whose window was 0, from its head handler: bytes as in request. 0
 * (also, without effect, when the stream has a window), FK_E_CLOSED when there is no such stream,
 * or h->fatal. */
int fk_h2_grant(struct fk_h2 *h, int32_t stream, uint32_t window);

/* Ends a stream from our side: RST_STREAM(CANCEL), or NO_ERROR when its head is in. Its end event
 * is called before this returns: FK_E_CANCELLED, or 0 when its head was in (from the stream's own
 * head or data handler: right after that handler). Nothing of it is reported afterwards. No effect
 * on a stream that has ended. */
void fk_h2_cancel(struct fk_h2 *h, int32_t stream);

/* Queues a PING. 0, FK_E_CLOSED when not open, or h->fatal. */
int fk_h2_ping(struct fk_h2 *h);

#endif
