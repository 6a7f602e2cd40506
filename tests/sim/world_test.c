/* The simulator itself: same seed, same run; a thousand nodes; what it complains about. */
#include <stdlib.h>

#include "story_assert.h"

static const struct sim_fault_options rough = {
    .fail_ppm = 20000, .losses_per_100_days = 2400, .loss_max_ms = 120000, .restart_days = 1};

static uint64_t trace_of(uint64_t seed) {
    const struct sim_options options = {.nodes = 5, .seed = seed, .faults = rough};
    struct sim_world *w = sim_world_new(&options);
    sim_world_run_for(w, SIM_DAY);
    const uint64_t trace = w->totals.trace;
    assert_no_violation(w);
    assert_true(w->totals.faults > 100);
    sim_world_free(w);
    return trace;
}

static void the_same_seed_gives_the_same_run(void **state) {
    (void)state;
    const uint64_t first = trace_of(1);
    assert_true(first == trace_of(1));
    assert_false(first == trace_of(2));
}

static void a_thousand_nodes_for_an_hour(void **state) {
    (void)state;
    const uint64_t span_ms = STORY_SLOW ? 5 * SIM_MINUTE : SIM_HOUR;
    const struct sim_options options = {.nodes = 1000, .seed = 3};
    struct sim_world *w = sim_world_new(&options);
    sim_world_run_for(w, span_ms);
    assert_no_violation(w);
    assert_int_equal(w->totals.opens, 1000);
    assert_in_range(w->totals.renewals, 1000 * (span_ms / 10400), 1000 * (span_ms / 10000 + 1));
    for (size_t i = 0; i < 1000; i++) assert_string_equal(sim_world_ready(w, i), "True");
    sim_world_free(w);
}

/* The tick is 32 bits wide and a minute before its wrap at the start; 50 days later it wraps again.
 */
static void the_tick_wraps_unnoticed(void **state) {
    (void)state;
    const uint64_t span_ms = STORY_SLOW ? SIM_HOUR : 51 * SIM_DAY;
    const struct sim_options options = {.nodes = 1, .seed = 4};
    struct sim_world *w = sim_world_new(&options);
    sim_world_run_for(w, span_ms);
    assert_int_equal(w->seats[0].tick.wraps, span_ms > 50 * SIM_DAY ? 2 : 1);
    assert_int_equal(w->totals.opens, 1);
    assert_in_range(w->seats[0].account.longest_gap_ms, 10000, 10700);
    assert_no_violation(w);
    sim_world_free(w);
}

/* ---- what the API server model refuses ------------------------------------------------------ */

struct model {
    struct sim_api api;
    struct sim_reply reply;
    unsigned complaints;
};

static void count(void *ctx, size_t node, const char *what) {
    struct model *m = ctx;
    (void)node, (void)what;
    m->complaints++;
}

static int ask(struct model *m, const char *method, const char *path, const char *type,
               const char *body) {
    struct sim_request q = {.node = 0, .body_len = strlen(body)};
    (void)snprintf(q.method, sizeof q.method, "%.7s", method);
    (void)snprintf(q.path, sizeof q.path, "%.300s", path);
    (void)snprintf(q.content_type, sizeof q.content_type, "application/%.48s", type);
    (void)snprintf(q.accept, sizeof q.accept, "application/vnd.kubernetes.protobuf");
    char copy[512];
    (void)snprintf(copy, sizeof copy, "%.500s", body);
    q.body = (uint8_t *)copy;
    sim_api_handle(&m->api, &q, &m->reply);
    return m->reply.status;
}

#define STRATEGIC "strategic-merge-patch+json"
#define NODE "{\"kind\":\"Node\",\"metadata\":{\"name\":\"sim-0\"}}"
#define LEASE(time)                                                                                \
    "{\"kind\":\"Lease\",\"metadata\":{\"name\":\"sim-0\",\"ownerReferences\":[{\"uid\":"          \
    "\"00000000-0000-4000-8000-000000000001\"}]},\"spec\":{\"holderIdentity\":\"sim-0\","          \
    "\"leaseDurationSeconds\":40,\"renewTime\":\"" time "\"}}"
#define READY(status, since)                                                                       \
    "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"" status                        \
    "\",\"lastTransitionTime\":\"" since "\"}]}}"

static void the_model_checks_what_the_real_one_checks(void **state) {
    (void)state;
    static const struct {
        const char *method, *path, *type, *body;
        int status;
        unsigned complaints;
    } rows[] = {
        {"POST", "/api/v1/nodes", "json", "{\"kind\":\"Node\",}", 400, 1},
        {"POST", "/api/v1/nodes", "json", "", 400, 1},
        {"POST", "/api/v1/nodes", "json", LEASE("x"), 400, 2},
        {"POST", "/api/v1/nodes", "json", "{\"kind\":\"Node\",\"metadata\":{\"name\":\"x\"}}", 403,
         1},
        {"POST", "/api/v1/nodes", "json",
         "{\"kind\":\"Node\",\"metadata\":{\"name\":\"sim-0\",\"labels\":{"
         "\"node-role.kubernetes.io/roof\":\"\"}}}",
         403, 1},
        {"POST", "/api/v1/nodes", STRATEGIC, NODE, 415, 1},
        {"PATCH", NODE_0, STRATEGIC, "{}", 404, 0},
        {"GET", NODE_0, "json", "", 404, 0},
        {"POST", "/api/v1/nodes", "json", NODE, 201, 0},
        {"POST", "/api/v1/nodes", "json", NODE, 409, 0},
        {"GET", "/api/v1/nodes", "json", "", 403, 1},
        {"GET", "/api/v1/nodes/sim-1", "json", "", 403, 1},
        {"GET", "/api/v1/pods", "json", "", 404, 1},
        {"DELETE", NODE_0, "json", "{}", 405, 1},
        {"PATCH", NODE_0, "json", "{}", 415, 1},
        {"PATCH", NODE_0, STRATEGIC, "{\"status\":{}}", 200, 1},
        {"PATCH", NODE_0, STRATEGIC, "{\"spec\":{\"taints\":[{\"key\":\"x\"}]}}", 403, 1},
        {"PATCH", NODE_0, STRATEGIC, "{\"metadata\":{\"labels\":{\"k8s.io/x\":\"\"}}}", 403, 1},
        {"PATCH", NODE_0 "/status", STRATEGIC, "{\"status\":{},\"metadata\":{}}", 200, 1},
        {"PATCH", NODE_0 "/status", STRATEGIC, READY("True", "2026-07-01T00:00:00Z"), 200, 0},
        {"PATCH", NODE_0 "/status", STRATEGIC, READY("True", "2026-07-01T00:00:01Z"), 200, 1},
        {"PATCH", NODE_0 "/status", STRATEGIC, READY("False", "2026-07-01T00:00:01Z"), 200, 1},
        {"PATCH", NODE_0 "/status", STRATEGIC, READY("True", "1970-01-01T00:00:01Z"), 200, 1},
        {"PATCH", LEASE_0, "merge-patch+json", "{}", 404, 0},
        {"POST", LEASES, "json", LEASE("2026-07-01T00:00:00Z"), 422, 1},
        {"POST", LEASES, "json", LEASE("1970-01-01T00:00:01.000000Z"), 201, 1},
        {"POST", LEASES, "json", LEASE("2026-07-01T00:00:00.000000Z"), 409, 0},
        {"PATCH", LEASE_0, "merge-patch+json",
         "{\"spec\":{\"renewTime\":\"2026-07-01T00:00:00.000001Z\"}}", 200, 0},
        {"PATCH", LEASE_0, "merge-patch+json",
         "{\"spec\":{\"renewTime\":\"2026-07-01T00:00:00.000001Z\"}}", 200, 1},
        {"PATCH", LEASE_0, STRATEGIC, "{}", 415, 1},
    };
    struct model m = {0};
    sim_api_init(&m.api, 1);
    m.api.wall_us = INT64_C(1783000000000000); /* 2026-07-02 */
    m.api.records[0].name = "sim-0";
    m.api.complain = count;
    m.api.ctx = &m;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        m.complaints = 0;
        const int status = ask(&m, rows[i].method, rows[i].path, rows[i].type, rows[i].body);
        if (status != rows[i].status || m.complaints != rows[i].complaints)
            fail_msg("%s %s %s: %d, %u complaints", rows[i].method, rows[i].path, rows[i].body,
                     status, m.complaints);
    }
    free(m.reply.body);
    sim_api_free(&m.api);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_checks_what_the_real_one_checks),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
        cmocka_unit_test(a_thousand_nodes_for_an_hour),
        cmocka_unit_test(the_tick_wraps_unnoticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
