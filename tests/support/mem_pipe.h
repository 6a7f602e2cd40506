/* Two pipes that are each other's far end, in memory, with every way to misbehave.
 *
 * mem_pipe_near is what the code under test uses: its open starts a new connection with both
 * directions empty. mem_pipe_far is the peer's end; its open does nothing. */
#ifndef TESTS_SUPPORT_MEM_PIPE_H
#define TESTS_SUPPORT_MEM_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipe.h"

#define MEM_FLOW_CAP 32768
#define MEM_NEVER SIZE_MAX

/* One direction. The knobs may be set at any time; they outlive open. */
struct mem_flow {
    size_t room;   /* knob: bytes under way at once, up to MEM_FLOW_CAP */
    size_t chunk;  /* knob: at most so many per recv, and a "later" after each; 0: no limit */
    size_t split;  /* knob: a recv ends at this offset of the stream, and a "later" follows */
    size_t die_at; /* knob: after so many bytes the connection is gone, FK_E_RESET; MEM_NEVER */
    bool silent;   /* knob: takes bytes and delivers nothing */

    uint8_t bytes[MEM_FLOW_CAP];
    size_t sent, received; /* of the stream, since open */
    bool ended;            /* the sender has closed */
    bool pause;
};

struct mem_pipe {
    struct mem_flow to_near, to_far;
    unsigned opens, closes; /* of the near end */
    bool near_open;
    bool dead;
    int open_err; /* knob: what open answers */
};

void mem_pipe_init(struct mem_pipe *m);
struct fk_pipe mem_pipe_near(struct mem_pipe *m);
struct fk_pipe mem_pipe_far(struct mem_pipe *m);

#endif
