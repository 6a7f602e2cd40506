/* /metrics/resource, /metrics/cadvisor, /metrics/probes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/house.h"

static struct house h;

static void an_hour(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/metrics/resource"), 200);
    assert_string_equal(h.content_type, "text/plain; version=0.0.4; charset=utf-8");
    house_check_golden(&h, "serve/resource.txt");
    assert_int_equal(house_ask(&h, "/metrics/cadvisor"), 200);
    house_check_golden(&h, "serve/cadvisor.txt");
}

/* metrics-server drops a node that says 0. */
static void never_0(void **state) {
    (void)state;
    house_hour(&h);
    h.figures.cpu_us = 0;
    assert_int_equal(house_ask(&h, "/metrics/resource"), 200);
    assert_non_null(strstr(h.body, "\nnode_cpu_usage_seconds_total 0.001 "));
    h.figures.cpu_us = 999;
    assert_int_equal(house_ask(&h, "/metrics/resource"), 200);
    assert_non_null(strstr(h.body, "\nnode_cpu_usage_seconds_total 0.001 "));
    h.figures.cpu_us = 1001;
    assert_int_equal(house_ask(&h, "/metrics/resource"), 200);
    assert_non_null(strstr(h.body, "\nnode_cpu_usage_seconds_total 0.001001 "));
}

/* No time yet: no timestamps; Prometheus takes its own. */
static void just_started(void **state) {
    (void)state;
    house_begin(&h);
    assert_int_equal(house_ask(&h, "/metrics/resource"), 200);
    assert_non_null(strstr(h.body, "\nnode_memory_working_set_bytes 160000\n"));
    assert_non_null(strstr(h.body, "\nresource_scrape_error 0\n"));
}

/* What is not known is left out, and said. */
static void nothing_known(void **state) {
    (void)state;
    house_begin(&h);
    h.figures.memory_working_bytes = 0;
    assert_int_equal(house_ask(&h, "/metrics/resource"), 200);
    assert_null(strstr(h.body, "node_"));
    assert_non_null(strstr(h.body, "\nscrape_error 1\n"));
    assert_non_null(strstr(h.body, "\nresource_scrape_error 1\n"));
    h.ops.figures = NULL;
    assert_int_equal(house_ask(&h, "/metrics/resource"), 200);
    assert_null(strstr(h.body, "node_"));
    assert_int_equal(house_ask(&h, "/metrics/cadvisor"), 200);
    assert_null(strstr(h.body, "machine_memory_bytes"));
    assert_non_null(strstr(h.body, "\ncontainer_scrape_error 1\n"));
}

static void no_probes(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/metrics/probes"), 200);
    assert_string_equal(h.content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_int_equal(h.len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour),      cmocka_unit_test(never_0),
        cmocka_unit_test(just_started), cmocka_unit_test(nothing_known),
        cmocka_unit_test(no_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
