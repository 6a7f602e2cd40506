/* /pods, /runningpods/, /spec, /configz. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/house.h"

static struct house h;

static void no_pods(void **state) {
    (void)state;
    static const char list[] =
        "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[]}";
    house_begin(&h);
    static const char *const targets[] = {"/pods", "/runningpods/", "/runningpods"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(house_ask(&h, targets[i]), 200);
        house_check_json(&h);
        assert_string_equal(h.body, list);
    }
    assert_int_equal(house_ask(&h, "/runningpods/default"), 404);
    assert_int_equal(house_ask(&h, "/pods/default"), 404);
}

static void spec(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/spec"), 200);
    house_check_json(&h);
    house_check_golden(&h, "serve/spec.json");
    h.ops.figures = NULL;
    assert_int_equal(house_ask(&h, "/spec"), 200);
    house_check_json(&h);
    assert_null(strstr(h.body, "memory_capacity"));
}

static void configz(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/configz"), 200);
    house_check_json(&h);
    house_check_golden(&h, "serve/configz.json");
    house_begin(&h);
    h.node.status.period_ms = 2500; /* by a ConfigMap */
    h.config.kubelet_port = 0;
    h.house.authn = NULL;
    h.house.authz = NULL;
    assert_int_equal(house_ask(&h, "/configz"), 200);
    house_check_json(&h);
    assert_null(strstr(h.body, "\"port\""));
    assert_non_null(strstr(h.body, "\"nodeStatusUpdateFrequency\":\"2.5s\""));
}

/* As Go's time.Duration writes them. */
static void durations(void **state) {
    (void)state;
    static const struct {
        uint32_t ms;
        const char *text;
    } rows[] = {
        {0, "0s"},
        {1, "1ms"},
        {999, "999ms"},
        {1000, "1s"},
        {1001, "1.001s"},
        {1500, "1.5s"},
        {59990, "59.99s"},
        {60000, "1m0s"},
        {60500, "1m0.5s"},
        {100000, "1m40s"},
        {300000, "5m0s"},
        {3600000, "1h0m0s"},
        {3661001, "1h1m1.001s"},
        {UINT32_MAX, "1193h2m47.295s"},
    };
    house_begin(&h);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char want[80];
        h.config.status_report_ms = rows[i].ms;
        assert_int_equal(house_ask(&h, "/configz"), 200);
        (void)snprintf(want, sizeof want, "\"nodeStatusReportFrequency\":\"%s\",", rows[i].text);
        if (strstr(h.body, want) == NULL) fail_msg("%s not in %s", want, h.body);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_pods),
        cmocka_unit_test(spec),
        cmocka_unit_test(configz),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
