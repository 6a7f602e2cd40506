#include "sim/story.h"

#include <stdio.h>
#include <stdlib.h>

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

static enum sim_fault choose(void *ctx, const struct sim_request *q) {
    struct story *s = ctx;
    char line[FK_PATH_MAX + 16];
    (void)snprintf(line, sizeof line, "%s %s", q->method, q->path);
    if (s->times == 0 || !begins(line, s->match)) return SIM_FAULT_NONE;
    s->times--;
    return s->fault;
}

static void seen(void *ctx, const struct sim_request *q, const struct sim_reply *r) {
    struct story *s = ctx;
    struct story_line *line = &s->lines[s->count++ % STORY_LINES];
    *line = (struct story_line){.at_ms = s->w->now_ms, .node = q->node, .status = r->status};
    (void)snprintf(line->text, sizeof line->text, "%s %.100s", q->method, q->path);
    memcpy(line->content_type, q->content_type, sizeof line->content_type);
    const size_t len = q->body_len < STORY_BODY - 1 ? q->body_len : STORY_BODY - 1;
    if (len > 0) memcpy(line->body, q->body, len);
}

struct story *story_new(const struct sim_options *options) {
    struct story *s = calloc(1, sizeof *s);
    if (s == NULL) abort();
    s->w = sim_world_new(options);
    s->w->seen = seen;
    s->w->ctx = s;
    return s;
}

struct story *story_plain(uint64_t seed) {
    const struct sim_options options = {.nodes = 1, .seed = seed};
    struct story *s = story_new(&options);
    s->w->choose = choose;
    return s;
}

void story_free(struct story *s) {
    sim_world_free(s->w);
    free(s);
}

void story_fail(struct story *s, enum sim_fault fault, const char *match, unsigned times) {
    s->fault = fault;
    s->match = match;
    s->times = times;
}

const struct story_line *story_line(const struct story *s, size_t i) {
    return i < s->count && s->count - i <= STORY_LINES ? &s->lines[i % STORY_LINES] : NULL;
}

size_t story_count(const struct story *s, size_t from, const char *text) {
    size_t n = 0;
    for (size_t i = from; i < s->count; i++) {
        const struct story_line *line = story_line(s, i);
        if (line != NULL && begins(line->text, text)) n++;
    }
    return n;
}

bool story_until_ready(struct story *s, const char *status, uint64_t within_ms) {
    const uint64_t end_ms = s->w->now_ms + within_ms;
    while (strcmp(sim_world_ready(s->w, 0), status) != 0) {
        if (s->w->now_ms >= end_ms) return false;
        sim_world_run_for(s->w, 10);
    }
    return true;
}
