/* For tests: a world that remembers its last requests, and requests that fail by script. */
#ifndef FK_SIM_STORY_H
#define FK_SIM_STORY_H

#include "sim/world.h"

#define STORY_LINES 128
#define STORY_BODY 2048

struct story_line {
    uint64_t at_ms;
    size_t node;
    int status;     /* of the reply; 0: there was none */
    char text[120]; /* "POST /api/v1/nodes" */
    char content_type[64];
    char body[STORY_BODY]; /* its beginning, zero-terminated */
};

struct story {
    struct sim_world *w;
    struct story_line lines[STORY_LINES]; /* the last ones; number n is at n % STORY_LINES */
    size_t count;

    /* The next `times` requests whose line begins with `match` fail like this. */
    enum sim_fault fault;
    const char *match;
    unsigned times;
};

struct story *story_new(const struct sim_options *options);
struct story *story_plain(uint64_t seed); /* one node, no faults but the script's */
void story_free(struct story *s);

void story_fail(struct story *s, enum sim_fault fault, const char *match, unsigned times);

/* Line number i since story_new, or NULL when it is not there (any more). */
const struct story_line *story_line(const struct story *s, size_t i);
/* Lines since number `from` that begin with the text. */
size_t story_count(const struct story *s, size_t from, const char *text);

/* Runs until Ready at the API server is as said; false when that takes longer than within_ms. */
bool story_until_ready(struct story *s, const char *status, uint64_t within_ms);

#endif
