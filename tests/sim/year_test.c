/* A year in the life of a node: 1 % of its requests fail, its link is lost once a day for up to
 * five minutes, the server restarts every week. No Lease may be missed for longer than the faults
 * explain (sim/faults.h says how long that is), and no rule broken.
 *
 * FK_SIM_DAYS is another span, in days. Under sanitizers it is a month. */
#include <stdlib.h>

#include "story_assert.h"

static uint64_t span_ms(void) {
    const char *days = getenv("FK_SIM_DAYS");
    if (days != NULL) return strtoull(days, NULL, 10) * SIM_DAY;
    return STORY_SLOW ? 30 * SIM_DAY : SIM_YEAR;
}

static void a_year_of_ordinary_trouble(void **state) {
    (void)state;
    const struct sim_options options = {
        .nodes = 1,
        .seed = 2026,
        .faults = {.fail_ppm = 10000,
                   .losses_per_100_days = 100,
                   .loss_max_ms = 300000,
                   .restart_days = 7},
    };
    struct sim_world *w = sim_world_new(&options);
    const uint64_t span = span_ms();
    sim_world_run_for(w, span);
    assert_no_violation(w);
    assert_true(w->totals.renewals > span / 11000);
    print_message("%llu renewals, %llu faults, %llu connections, Ready Unknown %u times, "
                  "longest gap %.1f s\n",
                  (unsigned long long)w->totals.renewals, (unsigned long long)w->totals.faults,
                  (unsigned long long)w->totals.opens, sim_world_record(w, 0)->times_unknown,
                  (double)w->seats[0].account.longest_gap_ms / 1000);
    sim_world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_year_of_ordinary_trouble)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
