/* The connection between one node and the API server: two directions of bytes with a delay, and the
 * ways in which it fails. TLS is not simulated: the node's end is the pipe that link/tls would be,
 * and connecting takes as many round trips as TCP and TLS 1.3 do.
 *
 * Closing drops what is under way in both directions: an abort, not a linger. */
#ifndef FK_SIM_LINK_H
#define FK_SIM_LINK_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/rng.h"
#include "pipe.h"

#define SIM_FLOW_CAP 8192 /* bytes under way at once in one direction; a power of two */
#define SIM_FLOW_PIECES 32

struct sim_flow {
    uint8_t bytes[SIM_FLOW_CAP];
    uint32_t begin, len;
    struct {
        uint64_t due_ms; /* when they are there */
        uint32_t len;
    } pieces[SIM_FLOW_PIECES];
    uint32_t first, count; /* of pieces */
};

enum sim_link_state { SIM_LINK_CLOSED, SIM_LINK_CONNECTING, SIM_LINK_OPEN, SIM_LINK_BROKEN };

struct sim_link {
    const uint64_t *now_ms; /* the world's */
    struct fk_rng *dice;
    uint32_t latency_min_ms, latency_max_ms; /* one way, per piece; pieces never overtake */
    enum sim_link_state state;
    bool lost;         /* of this connection: whatever is sent vanishes, for good */
    uint64_t ready_ms; /* CONNECTING: when it is decided; FK_NEVER: no answer at all */
    int outcome;       /* then: 0, or the error; BROKEN: the error */
    int ending;        /* the error that follows when all bytes to the node are there; 0: none */
    struct sim_flow up, down;
    uint32_t opens; /* connections begun */
    uint32_t opens_established;

    /* The weather. */
    bool refusing;          /* new connections: FK_E_UNREACHABLE at once */
    bool dark;              /* new connections: no answer */
    uint64_t held_until_ms; /* nothing arrives before; TCP brings it then */
};

struct fk_pipe sim_link_pipe(struct sim_link *l); /* the node's end */

/* The server's end. room: bytes that would be taken now. */
size_t sim_link_room(const struct sim_link *l);
void sim_link_reply(struct sim_link *l, struct fk_bytes bytes);  /* len <= room */
size_t sim_link_hear(struct sim_link *l, void *buf, size_t cap); /* 0: nothing there now */

/* When the next bytes or a verdict are there, for the server (up) and for the node. */
uint64_t sim_link_up_due(const struct sim_link *l);
uint64_t sim_link_down_due(const struct sim_link *l);

/* Both ends learn at once that the connection is gone. */
void sim_link_break(struct sim_link *l, int err);
/* The node gets the bytes under way first. */
static inline void sim_link_end(struct sim_link *l, int err) { l->ending = err; }
/* Neither learns anything. */
static inline void sim_link_lose(struct sim_link *l) {
    l->lost = true;
    l->up.len = l->up.count = l->down.len = l->down.count = 0;
    if (l->state == SIM_LINK_CONNECTING) l->ready_ms = FK_NEVER;
}

#endif
