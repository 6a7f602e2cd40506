/* /metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/house.h"

static struct house h;

static bool says(const char *line) { return strstr(h.body, line) != NULL; }

/* The whole, as promtool check metrics has passed it. */
static void an_hour(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/metrics"), 200);
    assert_string_equal(h.content_type, "text/plain; version=0.0.4; charset=utf-8");
    house_check_golden(&h, "serve/metrics.txt");
}

/* What is not known is not there; counters are there from the beginning. */
static void just_started(void **state) {
    (void)state;
    house_begin(&h);
    h.now.mono_ms += 1500;
    assert_int_equal(house_ask(&h, "/metrics"), 200);
    house_check_golden(&h, "serve/metrics-start.txt");
    assert_true(says("\nfemtokubelet_uptime_seconds 1.5\n"));
    assert_true(says("\nfemtokubelet_lease_renewals_total 0\n"));
    assert_false(says("process_start_time_seconds"));
    assert_false(says("lease_age"));
    assert_false(says("led_state"));
}

/* A port without figures and without mono_us. */
static void bare_port(void **state) {
    (void)state;
    house_begin(&h);
    h.ops.figures = NULL;
    assert_int_equal(house_ask(&h, "/metrics"), 200);
    assert_false(says("process_cpu_seconds_total"));
    assert_false(says("femtokubelet_loop_duration_seconds"));
    assert_true(says("femtokubelet_heap_free_bytes{heap=\"node\"} 90000\n"));
}

static uint64_t ticking_us(void *ctx) {
    struct house *const house = ctx;
    house->now.mono_ms += 2;
    return house->now.mono_ms * 1000;
}

/* A step is measured where the port has the clock for it: here it takes 2 ms. */
static void steps_are_measured(void **state) {
    (void)state;
    house_begin(&h);
    (void)fk_node_step(&h.node);
    assert_int_equal(fk_histogram_total(&h.node.step_us), 0);
    h.ops.mono_us = ticking_us;
    (void)fk_node_step(&h.node);
    assert_int_equal(house_ask(&h, "/metrics"), 200);
    assert_true(says("\nfemtokubelet_loop_duration_seconds_bucket{le=\"0.001\"} 0\n"));
    assert_true(says("\nfemtokubelet_loop_duration_seconds_bucket{le=\"0.01\"} 1\n"));
    assert_true(says("\nfemtokubelet_loop_duration_seconds_sum 0.002\n"));
    assert_true(says("\nfemtokubelet_loop_duration_seconds_count 1\n"));
}

static void api_server_lost(void **state) {
    (void)state;
    house_hour(&h);
    h.node.client.state = FK_LINK_DOWN;
    h.now.mono_ms += 56800;
    assert_int_equal(house_ask(&h, "/metrics"), 200);
    assert_true(says("\nfemtokubelet_apiserver_connected 0\n"));
    assert_true(says("\nfemtokubelet_lease_age_seconds 61\n"));
}

/* A renewal later than the moment that is told (the exchange's now may be older) is no huge age. */
static void lease_of_the_future(void **state) {
    (void)state;
    house_hour(&h);
    h.node.lease.renewed_ms = h.now.mono_ms + 5;
    assert_int_equal(house_ask(&h, "/metrics"), 200);
    assert_true(says("\nfemtokubelet_lease_age_seconds 0\n"));
}

static void first_processor_time(void **state) {
    (void)state;
    house_begin(&h);
    h.figures.cpu_us = 0;
    assert_int_equal(house_ask(&h, "/metrics"), 200);
    assert_true(says("\nprocess_cpu_seconds_total 0.001\n"));
}

/* Every row of requests in use, every counter at its largest, names as long as they may be: each
 * item still fits (house_ask checks), and no sample is there twice. */
static void everything_at_its_edge(void **state) {
    (void)state;
    static char name[FK_NODE_NAME_MAX + 1], ref[FK_CONFIGMAP_REF_MAX + 1];
    house_hour(&h);
    memset(name, 'n', sizeof name - 1);
    memset(ref, 'r', sizeof ref - 1);
    h.config.name = name;
    memset(&h.figures, 0xff, sizeof h.figures);
    h.figures.led_pattern = "disconnected";
    h.figures.has_nic = true;
    memset(&h.node.client.counts, 0, sizeof h.node.client.counts);
    for (int i = 0; i < FK_REQUEST_COUNTS_ROWS + 1; i++)
        fk_request_counts_add(&h.node.client.counts, (enum fk_request_method)(i % 5), 200 + i, true,
                              9000);
    for (unsigned i = 0; i < FK_REQUEST_COUNTS_ROWS; i++)
        h.node.client.counts.rows[i].count = UINT32_MAX;
    for (unsigned i = 0; i < FK_REQUEST_METHODS; i++) {
        h.node.client.counts.latencies[i].sum = UINT64_MAX;
        memset(h.node.client.counts.latencies[i].counts, 0xff, sizeof h.node.step_us.counts);
    }
    h.node.step_us = h.node.client.counts.latencies[0];
    h.node.client.stats = (struct fk_client_stats){UINT32_MAX, UINT32_MAX, UINT32_MAX,
                                                   UINT32_MAX, UINT32_MAX, UINT32_MAX};
    for (unsigned i = 0; i < FK_CONFIGMAPS_MAX; i++) {
        h.configmaps.all[i].ref = ref;
        h.configmaps.all[i].applied = h.configmaps.all[i].refused = UINT32_MAX;
    }
    memset(h.house.served, 0xff, sizeof h.house.served);
    h.house.accepted = h.house.evicted = h.house.turned_away = UINT32_MAX;
    assert_int_equal(house_ask(&h, "/metrics"), 200);
    assert_true(says("{code=\"other\",method=\"other\"} 1\n"));
}

/* The port is asked for its figures a few times, not for each family: it may cost it something. */
static void figures_are_asked_for_rarely(void **state) {
    (void)state;
    house_hour(&h);
    (void)house_ask(&h, "/metrics");
    assert_true(h.figures_asked <= 3 * 5); /* house_ask writes each item three times */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour),
        cmocka_unit_test(just_started),
        cmocka_unit_test(bare_port),
        cmocka_unit_test(steps_are_measured),
        cmocka_unit_test(api_server_lost),
        cmocka_unit_test(lease_of_the_future),
        cmocka_unit_test(first_processor_time),
        cmocka_unit_test(everything_at_its_edge),
        cmocka_unit_test(figures_are_asked_for_rarely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
