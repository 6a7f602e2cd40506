/* An HTTP/2 server in memory for tests: nghttp2's own server session, and what it was asked.
 *
 * Bytes in, bytes out, as the client has it; h2_peer_run carries them between the two. Replies are
 * given by the test, from the `asked` function or later. */
#ifndef FK_SUPPORT_H2_PEER_H
#define FK_SUPPORT_H2_PEER_H

#include <nghttp2/nghttp2.h>

#include "support/mem_pipe.h"
#include "wire/h2_client.h"

#define H2_PEER_STREAMS 16 /* remembered at once; the stream 16 requests later takes the place */

struct h2_peer_stream {
    int32_t id;
    char head[1024]; /* "name: value\n" each, "!" before those that are never indexed */
    size_t head_len;
    uint8_t body[8192]; /* of the request; the first bytes of it */
    size_t body_len;
    bool ended; /* the whole request is here */
    bool reset; /* RST_STREAM arrived, with: */
    uint32_t reset_code;
    const uint8_t *reply; /* body; NULL: h2_peer_pattern */
    size_t reply_len, reply_held, reply_sent;
};

struct h2_peer {
    nghttp2_session *session;
    struct h2_peer_stream streams[H2_PEER_STREAMS];
    uint64_t bytes_in, bytes_out; /* of the client's to us, and back */
    uint32_t goaway_code;         /* the client's GOAWAY; UINT32_MAX: none */
    unsigned requests, pings, pongs;

    /* Called when a whole request is here; may be NULL. */
    void (*asked)(void *ctx, struct h2_peer *p, struct h2_peer_stream *s);
    void *ctx;
    unsigned serving; /* h2_peer_serve: which connection of the pipe this session is for */
};

struct h2_peer_reply {
    const char *status;
    const char *const *fields; /* name, value, name, value, NULL; may be NULL */
    const uint8_t *body;       /* stays until it is sent; NULL: h2_peer_pattern */
    size_t body_len;           /* 0: HEADERS carry END_STREAM */
    size_t body_held;          /* of these, the last that never come: the reply does not end */
    bool interim;              /* 1xx: HEADERS alone, another reply follows */
};

/* Byte number i of a body that nobody gave. */
static inline uint8_t h2_peer_pattern(size_t i) { return (uint8_t)(i % 251); }

/* settings may be NULL when count is 0. *p is cleared but for asked, ctx and serving. */
void h2_peer_open(struct h2_peer *p, const nghttp2_settings_entry *settings, size_t count);
void h2_peer_close(struct h2_peer *p); /* also when not open */

int h2_peer_feed(struct h2_peer *p, struct fk_bytes bytes); /* 0, or nghttp2's error */
/* Whole frames only: cap must be NGHTTP2_FRAMEBUF_CHUNKLEN or more for anything to be moved. */
size_t h2_peer_pull(struct h2_peer *p, void *buf, size_t cap);

/* NULL when it was never asked, or is long gone. */
struct h2_peer_stream *h2_peer_stream(struct h2_peer *p, int32_t id);

void h2_peer_reply(struct h2_peer *p, int32_t id, const struct h2_peer_reply *reply);
void h2_peer_reset(struct h2_peer *p, int32_t id, uint32_t code);
void h2_peer_goaway(struct h2_peer *p, int32_t last_stream, uint32_t code);

/* Carries bytes between the session and the pipe's far end, both ways once; a new connection of
 * the near end gets a new session. Whether anything moved. */
bool h2_peer_serve(struct h2_peer *p, struct mem_pipe *m);

/* Carries bytes both ways, `step` at most at a time, until both are quiet. What fk_h2_feed said
 * last, or FK_E_NOMEM from pull. */
int h2_peer_run(struct h2_peer *p, struct fk_h2 *h, size_t step);

#endif
