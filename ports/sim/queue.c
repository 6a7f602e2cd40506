#include "sim/queue.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"

void sim_queue_init(struct sim_queue *q, size_t actors) {
    *q = (struct sim_queue){malloc(actors * sizeof *q->due_ms), malloc(actors * sizeof *q->place),
                            malloc(actors * sizeof *q->heap), actors};
    if (q->due_ms == NULL || q->place == NULL || q->heap == NULL) abort();
    for (size_t i = 0; i < actors; i++) {
        q->due_ms[i] = FK_NEVER;
        q->place[i] = q->heap[i] = i;
    }
}

void sim_queue_free(struct sim_queue *q) {
    free(q->due_ms);
    free(q->place);
    free(q->heap);
}

static bool before(const struct sim_queue *q, size_t a, size_t b) {
    return q->due_ms[a] != q->due_ms[b] ? q->due_ms[a] < q->due_ms[b] : a < b;
}

static void put(struct sim_queue *q, size_t place, size_t actor) {
    q->heap[place] = actor;
    q->place[actor] = place;
}

static void rise(struct sim_queue *q, size_t place, size_t actor) {
    while (place > 0 && before(q, actor, q->heap[(place - 1) / 2])) {
        put(q, place, q->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(q, place, actor);
}

static void sink(struct sim_queue *q, size_t place, size_t actor) {
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < q->count && before(q, q->heap[child + 1], q->heap[child])) child++;
        if (child >= q->count || !before(q, q->heap[child], actor)) break;
        put(q, place, q->heap[child]);
        place = child;
    }
    put(q, place, actor);
}

void sim_queue_set(struct sim_queue *q, size_t actor, uint64_t due_ms) {
    const uint64_t was_ms = q->due_ms[actor];
    q->due_ms[actor] = due_ms;
    if (due_ms < was_ms) rise(q, q->place[actor], actor);
    else sink(q, q->place[actor], actor);
}
