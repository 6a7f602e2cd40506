/* The server's end of one HTTP/2 connection: nghttp2's server session. Bytes in, bytes out;
 * requests are handed over when they are complete, replies given when their time has come. */
#ifndef FK_SIM_PEER_H
#define FK_SIM_PEER_H

#include "sim/api_server.h"

struct nghttp2_session;

struct sim_stream {
    struct sim_stream *next;
    int32_t id;
    struct sim_request request;
    struct sim_reply reply;
    size_t sent;     /* of the reply's body */
    uint64_t due_ms; /* when to reply; FK_NEVER: not (yet, or not any more) */
    int what;        /* the owner's note of what is to happen then */
};

struct sim_peer {
    struct nghttp2_session *session; /* NULL: no connection */
    struct sim_stream *streams;      /* open ones */
    struct sim_stream *spare;
    uint32_t connection; /* number of it */
    /* A whole request is here: set stream->due_ms, or leave it unanswered. */
    void (*asked)(void *ctx, struct sim_stream *stream);
    void *ctx;
    size_t node;
};

void sim_peer_open(struct sim_peer *p);
void sim_peer_close(struct sim_peer *p); /* idempotent */
void sim_peer_free(struct sim_peer *p);

int sim_peer_feed(struct sim_peer *p, struct fk_bytes bytes);       /* 0, or nghttp2's error */
const char *sim_peer_error(int err);                                /* of feed, in words */
size_t sim_peer_pull(struct sim_peer *p, uint8_t *buf, size_t cap); /* whole frames, cap > 1100 */

/* date: the Date header's value, NULL for none. */
void sim_peer_reply(struct sim_peer *p, struct sim_stream *stream, const char *date);
/* RST_STREAM: REFUSED_STREAM or INTERNAL_ERROR. */
void sim_peer_reset(struct sim_peer *p, const struct sim_stream *stream, bool refused);
void sim_peer_goaway(struct sim_peer *p, int32_t last_stream);

#endif
