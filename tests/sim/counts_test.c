/* What the client counts of its requests, over an hour of virtual time. */
#include "story_assert.h"

static uint32_t count_of(const struct fk_request_counts *c, enum fk_request_method method,
                         int code) {
    for (size_t i = 0; i < FK_REQUEST_COUNTS_ROWS; i++)
        if (c->rows[i].count > 0 && c->rows[i].method == method && c->rows[i].code == code)
            return c->rows[i].count;
    return 0;
}

/* One POST each for Node and Lease, some 350 renewals and their like; every answer was timed. */
static void an_hour(void **state) {
    (void)state;
    const struct sim_options options = {.nodes = 1, .seed = 7};
    struct sim_world *w = sim_world_new(&options);
    sim_world_run_for(w, SIM_HOUR);
    const struct fk_client *client = &w->seats[0].node.client;
    const struct fk_request_counts *c = &client->counts;
    assert_int_equal(count_of(c, FK_METHOD_POST, 201), 2);
    assert_in_range(count_of(c, FK_METHOD_PATCH, 200), w->totals.renewals, client->stats.requests);
    uint32_t all = c->other;
    for (size_t i = 0; i < FK_REQUEST_COUNTS_ROWS; i++) all += c->rows[i].count;
    uint64_t timed = 0;
    for (size_t i = 0; i < FK_REQUEST_METHODS; i++) timed += fk_histogram_total(&c->latencies[i]);
    assert_in_range(all, client->stats.requests - 1, client->stats.requests); /* one on its way */
    assert_true(timed == all);
    assert_int_equal(count_of(c, FK_METHOD_PATCH, 0), 0);
    sim_world_free(w);
}

/* Requests that a broken connection ended have no answer, and no time to it. */
static void a_server_that_comes_and_goes(void **state) {
    (void)state;
    const struct sim_options options = {
        .nodes = 1,
        .seed = 8,
        .faults = {.losses_per_100_days = 20000, .loss_max_ms = 60000, .restart_days = 1}};
    struct sim_world *w = sim_world_new(&options);
    sim_world_run_for(w, SIM_DAY);
    const struct fk_client *client = &w->seats[0].node.client;
    uint32_t unanswered = 0;
    for (size_t i = 0; i < FK_REQUEST_COUNTS_ROWS; i++)
        if (client->counts.rows[i].code == 0) unanswered += client->counts.rows[i].count;
    assert_true(unanswered > 0);
    assert_int_equal(unanswered, client->stats.failures);
    sim_world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour),
        cmocka_unit_test(a_server_that_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
