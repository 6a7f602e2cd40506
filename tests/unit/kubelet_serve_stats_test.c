/* /stats/summary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/house.h"

static struct house h;

static void an_hour(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/stats/summary"), 200);
    house_check_json(&h);
    house_check_golden(&h, "serve/summary.json");
}

/* 21,098 us in 15 s: 1,406,533 nanoseconds per second. */
static void rate(void **state) {
    (void)state;
    static const struct {
        uint64_t ago_ms, was_us, is_us;
        const char *says;
    } rows[] = {
        {15000, 4300000, 4321098, "\"usageNanoCores\":1406533,"},
        {1000, 0, 1000000, "\"usageNanoCores\":1000000000,"},
        {1000, 5000, 5000, "\"usageNanoCores\":1000,"}, /* idle is not unknown */
        {UINT64_C(86400000) * 49, 5000, 5000, "\"usageNanoCores\":1,"},
        {0, 1000, 2000, "\"usageNanoCores\":1000000000,"}, /* in the same millisecond */
        {10000, 9000, 8000, "\"usageNanoCores\":100,"},    /* a port whose figure went back */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        house_hour(&h);
        h.now.mono_ms = UINT64_C(86400000) * 50;
        h.figures.cpu_us = rows[i].is_us;
        h.node.cpu[0] = (struct fk_cpu_sample){h.now.mono_ms - rows[i].ago_ms, rows[i].was_us};
        assert_int_equal(house_ask(&h, "/stats/summary"), 200);
        if (strstr(h.body, rows[i].says) == NULL) fail_msg("%s not in %s", rows[i].says, h.body);
    }
}

/* The node's last two looks; the first ones count from its start. */
static void samples(void **state) {
    (void)state;
    struct fk_facts facts;
    house_begin(&h);
    const struct fk_status_sources *sources = &h.node.status.sources;
    assert_int_equal(h.node.cpu[0].at_ms, h.node.started_ms);
    assert_int_equal(h.node.cpu[0].cpu_us, 0);
    for (unsigned look = 1; look <= 3; look++) {
        h.now.mono_ms += 10000;
        h.figures.cpu_us = look * 7000;
        sources->facts(sources->ctx, h.now, &facts);
        assert_int_equal(h.node.cpu[1].at_ms, h.now.mono_ms);
        assert_int_equal(h.node.cpu[1].cpu_us, look * 7000);
        assert_int_equal(h.node.cpu[0].at_ms, h.now.mono_ms - 10000);
        assert_int_equal(h.node.cpu[0].cpu_us, (look - 1) * 7000);
    }
    h.ops.figures = NULL; /* a port without */
    sources->facts(sources->ctx, h.now, &facts);
}

static void without_time(void **state) {
    (void)state;
    house_begin(&h);
    assert_int_equal(house_ask(&h, "/stats/summary"), 503);
    assert_non_null(h.message);
    h.now.wall_us = HOUSE_WALL_S * 1000000;
    assert_int_equal(house_ask(&h, "/stats/summary"), 200);
    house_check_json(&h);
}

/* What is not known is left out; more in use than there is, too. */
static void unknown_figures(void **state) {
    (void)state;
    house_hour(&h);
    h.figures.memory_total_bytes = h.figures.memory_working_bytes;
    assert_int_equal(house_ask(&h, "/stats/summary"), 200);
    assert_null(strstr(h.body, "availableBytes"));
    h.figures.memory_working_bytes = 0;
    assert_int_equal(house_ask(&h, "/stats/summary"), 200);
    assert_null(strstr(h.body, "memory"));
    h.ops.figures = NULL;
    assert_int_equal(house_ask(&h, "/stats/summary"), 200);
    house_check_json(&h);
    assert_null(strstr(h.body, "cpu"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour),         cmocka_unit_test(rate),
        cmocka_unit_test(samples),         cmocka_unit_test(without_time),
        cmocka_unit_test(unknown_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
