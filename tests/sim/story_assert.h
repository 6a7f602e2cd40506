/* What every story's test includes. */
#ifndef FK_TESTS_SIM_STORY_ASSERT_H
#define FK_TESTS_SIM_STORY_ASSERT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim/story.h"

/* Built with AddressSanitizer: several times slower, so the long stories are told shorter. */
#if defined(__SANITIZE_ADDRESS__)
#define STORY_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STORY_SLOW 1
#endif
#endif
#ifndef STORY_SLOW
#define STORY_SLOW 0
#endif

#define NODE_0 "/api/v1/nodes/sim-0"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
#define LEASE_0 LEASES "/sim-0"

/* Fails with the first violation's words. */
static inline void assert_no_violation(struct sim_world *w) {
    sim_world_settle(w);
    if (w->totals.violations == 0) return;
    const struct sim_violation *v = &w->violations[0];
    fail_msg("seed %llu, %.3f s, node %zu: %s (and %u more)", (unsigned long long)w->options.seed,
             (double)v->at_ms / 1000, v->node, v->text, w->totals.violations - 1);
}

static inline void assert_ready(struct sim_world *w, const char *status) {
    assert_string_equal(sim_world_ready(w, 0), status);
}

static inline void end_story(struct story *s) {
    assert_no_violation(s->w);
    story_free(s);
}

/* The last story's API server record of the only node. */
static inline struct sim_record *record_of(struct story *s) { return sim_world_record(s->w, 0); }

#endif
