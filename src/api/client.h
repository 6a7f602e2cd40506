/* How to talk to an API server: one HTTP/2 connection over one pipe, kept up; requests with the
 * few headers that Kubernetes wants; errors read for their reason; a silent peer noticed.
 *
 * It reconnects with backoff and jitter, but never repeats a request: every request that was under
 * way when the connection ended is answered with a negative status, and its owner decides. */
#ifndef FK_API_CLIENT_H
#define FK_API_CLIENT_H

#include "api/pb_stream.h"
#include "api/request_counts.h"
#include "api/status.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "opts.h"
#include "pipe.h"
#include "wire/h2_client.h"

enum fk_verb {
    FK_GET,
    FK_POST,
    FK_PUT,
    FK_DELETE,
    FK_PATCH_MERGE,     /* RFC 7396 */
    FK_PATCH_STRATEGIC, /* Kubernetes' own, lists merged by key */
    FK_PATCH_JSON,      /* RFC 6902 */
};

/* What came of a request. */
struct fk_response {
    int status;              /* HTTP status, or a negative enum fk_err when there is none */
    uint32_t retry_after_ms; /* what the server asked for, 0 if nothing */
    enum fk_reason reason;   /* of the Status object, FK_REASON_NONE without one */
    const char *message;     /* for the log: never NULL, valid during the call */
};

/* Who asked. Exactly one response per accepted request, body pieces before it. */
struct fk_reply_ops {
    /* A piece of a 2xx body, FK_RECV_BUF bytes at most. */
    void (*body)(void *owner, struct fk_bytes piece);
    void (*response)(void *owner, struct fk_now now, const struct fk_response *response);
};

struct fk_request {
    enum fk_verb verb;
    char path[FK_PATH_MAX];
    bool path_repeats;  /* the same path will be asked again soon (HPACK may keep it) */
    bool wants_body;    /* false: the body of a 2xx reply is never even sent to us */
    bool lingers;       /* no body, and the same again soon: as in struct fk_h2_request */
    bool metadata_only; /* reply: PartialObjectMetadata instead of the object */

    /* A watch: once its 2xx head is in it may stay as long as the server likes, costs nothing while
     * nothing comes, and has a window of FK_WATCH_WINDOW. It has one of FK_WATCHES_MAX slots of its
     * own. FK_E_CLOSED when the server wants a new connection. *over may become true in body: then
     * it is ended right after, and answered with its status. NULL: an ordinary request. */
    const bool *over;

    /* JSON, written piece by piece: the same bytes at each call until the response. NULL: none. */
    void (*document)(const void *owner, struct fk_writer *w);

    const struct fk_reply_ops *reply;
    void *owner;
};

struct fk_client_config {
    struct fk_pipe pipe;       /* TLS to the server; open, recv, send, close */
    const char *authority;     /* host:port as in the URL */
    const char *user_agent;    /* "femtokubelet/0.1.0 (linux/amd64)" */
    const char *authorization; /* "Bearer …"; NULL: the client certificate speaks for the node. Its
                                * text may change while the client is idle. */
    struct fk_heap *heap;      /* for nghttp2 */
    const struct fk_log *log;
    uint64_t seed; /* for jitter */
};

struct fk_client_stats {
    uint32_t connect_tries; /* connections begun */
    uint32_t connects;      /* those that reached the server's SETTINGS */
    uint32_t silent_peers;  /* connections given up for want of any answer to a PING */
    uint32_t requests;      /* accepted by submit */
    uint32_t failures;      /* of those, answered with a negative status */
    uint32_t unauthorized;  /* of those, answered 401: the credentials are not valid any more */
};

struct fk_slot {
    int32_t stream; /* 0: free */
    const struct fk_reply_ops *reply;
    void *owner;
    uint64_t sent_ms;
    int status;              /* 0 until the head is in */
    uint32_t retry_after_ms; /* of the head */
    uint8_t method;          /* enum fk_request_method */
    const bool *over;        /* of a watch */
    int8_t ended;            /* why we cancelled it: FK_E_TIMEOUT, FK_E_CLOSED; 0: not */
    bool wants_body;
};

/* Ordinary requests, and behind them watches. */
#define FK_SLOTS (FK_REQUESTS_MAX + FK_WATCHES_MAX)

enum fk_link_state {
    FK_LINK_DOWN,       /* waiting for retry_ms */
    FK_LINK_CONNECTING, /* until the server's SETTINGS are here */
    FK_LINK_UP,
    FK_LINK_DRAINING, /* GOAWAY: what is under way may finish, then a new connection */
    FK_LINK_LEAVING,  /* fk_client_shutdown: our own GOAWAY is on its way out */
};

struct fk_client {
    struct fk_client_config config;
    enum fk_link_state state;
    struct fk_h2 h2;
    struct fk_clock clock;
    struct fk_rng rng;
    struct fk_backoff backoff;
    uint64_t retry_ms;  /* DOWN: when to connect next */
    uint64_t opened_ms; /* when the current connection was begun */
    uint64_t heard_ms;  /* last byte from the server */
    uint64_t pinged_ms; /* when the PING was sent that nothing has followed; FK_NEVER: none */
    struct fk_now now;  /* of the step under way */
    int lost_err;       /* while the connection is being torn down: why */
    bool blocked;       /* the pipe took less than it was offered */
    struct fk_slot slots[FK_SLOTS];
    struct fk_status_reader error; /* of the one error body that is read at a time */
    int32_t error_stream;          /* 0: none */
    struct fk_client_stats stats;
    struct fk_request_counts counts; /* of what was answered */
    uint16_t out_len, out_sent;      /* of out */
    uint8_t out[FK_SEND_BUF];
};

/* config is copied; what it points to must outlive the client. */
void fk_client_init(struct fk_client *c, const struct fk_client_config *config);

/* Does one bounded piece of work (connect; up to FK_RECV_BUF bytes in, FK_SEND_BUF out). True when
 * more may be done at once, false when only time or the pipe brings news. */
bool fk_client_step(struct fk_client *c, uint64_t mono_ms);

/* When step is to be called next even if the pipe stays quiet; absolute ms. */
uint64_t fk_client_due(const struct fk_client *c);

/* Ends the connection because of something that only the caller knows (the server's certificate
 * turns out to have expired): everything under way is answered with err, a negative enum fk_err,
 * and the next attempt waits its turn. */
void fk_client_drop(struct fk_client *c, uint64_t mono_ms, int err);

/* The time that the server told is not to be believed: wall time is unknown again until a reply
 * tells another. */
void fk_client_forget_time(struct fk_client *c);

/* What failed before may work now (a cable is back): the next attempt to connect is due at once.
 * The delays after it stay as long as they have become. */
void fk_client_hurry(struct fk_client *c, uint64_t mono_ms);

/* The pipe refused bytes that are ready: wake up when it is writable. */
bool fk_client_wants_write(const struct fk_client *c);

/* Whether submit would be accepted now, of an ordinary request. */
bool fk_client_ready(const struct fk_client *c);

/* Whether it would be, and one more after that: what can wait leaves the last slot to what cannot.
 */
bool fk_client_spare(const struct fk_client *c);

/* No request is under way, but for watches that run, so nothing refers to the texts of config. */
bool fk_client_idle(const struct fk_client *c);

/* 0, or FK_E_BUSY (no slot of its kind), FK_E_CLOSED (no connection), FK_E_NOMEM. request need not
 * outlive the call; owner and what document reads must last until the response. */
int fk_client_submit(struct fk_client *c, const struct fk_request *request);

/* Leaves: says GOAWAY and closes once that is out. True when closed, false to be called again;
 * requests under way are answered FK_E_CANCELLED. step must not be called in between. */
bool fk_client_shutdown(struct fk_client *c, uint64_t mono_ms);

static inline struct fk_now fk_client_now(const struct fk_client *c, uint64_t mono_ms) {
    return fk_clock_read(&c->clock, mono_ms);
}

#endif
