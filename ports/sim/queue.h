/* Who is to be called when: a heap of actors ordered by time, then by number, so that the order of
 * events depends on nothing but the seed. Each actor waits for one moment at a time. */
#ifndef FK_SIM_QUEUE_H
#define FK_SIM_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct sim_queue {
    uint64_t *due_ms; /* of each actor; FK_NEVER: none */
    size_t *place;    /* of each actor in the heap */
    size_t *heap;     /* actors */
    size_t count;
};

void sim_queue_init(struct sim_queue *q, size_t actors); /* all at FK_NEVER */
void sim_queue_free(struct sim_queue *q);
void sim_queue_set(struct sim_queue *q, size_t actor, uint64_t due_ms);

static inline size_t sim_queue_first(const struct sim_queue *q) { return q->heap[0]; }
static inline uint64_t sim_queue_due(const struct sim_queue *q, size_t actor) {
    return q->due_ms[actor];
}
/* No later than it is already. */
static inline void sim_queue_hasten(struct sim_queue *q, size_t actor, uint64_t due_ms) {
    if (due_ms < q->due_ms[actor]) sim_queue_set(q, actor, due_ms);
}

#endif
