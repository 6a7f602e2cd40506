/* The status duty: when it reports, and how much. */
#include "kubelet/status.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"

#define WALL_US INT64_C(1781870400000000)
#define STATUS "PATCH-STRATEGIC /api/v1/nodes/board-1/status"
#define ANNOTATION "PATCH-MERGE /api/v1/nodes/board-1"

struct fixture {
    struct fk_rng rng;
    struct fk_conditions conditions;
    struct fk_status status;
    struct fk_facts facts;
    const char *address;
    struct duty_case d;
};

static void facts(void *ctx, struct fk_now now, struct fk_facts *out) {
    struct fixture *f = ctx;
    (void)now;
    *out = f->facts;
}
static const char *address(void *ctx) {
    struct fixture *f = ctx;
    return f->address;
}

static void begin(struct fixture *f) {
    memset(f, 0, sizeof *f);
    const struct fk_duty_env env = duty_case_env(&f->rng);
    const struct fk_status_sources sources = {f, facts, address};
    f->facts = (struct fk_facts){
        .heap_free_bytes = 45000, .heap_total_bytes = 65536, .memory_pressure_bytes = 20480};
    f->address = "192.0.2.7";
    fk_status_init(&f->status, &env, &sources, &f->conditions);
    f->d = (struct duty_case){.ops = &fk_status_ops, .self = &f->status, .now = {1000, WALL_US}};
}

static void expect(struct fixture *f, const char *line) {
    assert_true(duty_case_ask(&f->d));
    assert_string_equal(f->d.line, line);
}

/* A report that is accepted, with no annotation behind it. */
static void expect_report(struct fixture *f, bool whole) {
    expect(f, STATUS);
    assert_int_equal(strstr(f->d.document, "nodeInfo") != NULL, whole);
    /* as it is, also when there is none any more */
    assert_int_equal(strstr(f->d.document, "\"kubeletEndpoint\":{\"Port\":0}") != NULL, whole);
    duty_case_status(&f->d, 200);
    assert_false(duty_case_ask(&f->d));
}

static void expect_annotation(struct fixture *f, const char *bytes) {
    expect(f, ANNOTATION);
    assert_non_null(strstr(f->d.document, bytes));
    duty_case_status(&f->d, 200);
}

/* Lets the time pass; the duty judges when it wants to, and must have nothing to say. */
static void expect_silence(struct fixture *f, uint64_t ms) {
    for (uint64_t passed = 0; passed < ms; passed += 100) {
        assert_false(duty_case_ask(&f->d));
        duty_case_pass(&f->d, 100);
    }
}

static void begin_reported(struct fixture *f) {
    begin(f);
    fk_status_refresh(&f->status, f->d.now);
    expect(f, STATUS);
    duty_case_status(&f->d, 200);
    expect_annotation(f, "45000");
}

static void says_everything_at_first(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(fk_status_ops.due(&f.status) == FK_NEVER); /* no Node yet */
    fk_status_refresh(&f.status, f.d.now);
    expect(&f, STATUS);
    static const char start[] =
        "{\"status\":{\"conditions\":[{\"type\":\"Ready\","
        "\"status\":\"True\",\"lastHeartbeatTime\":\"2026-06-19T12:00:00Z\"";
    assert_memory_equal(f.d.document, start, sizeof start - 1);
    assert_non_null(strstr(f.d.document,
                           "\"addresses\":[{\"$patch\":\"replace\"},{\"type\":\"InternalIP\","
                           "\"address\":\"192.0.2.7\"},{\"type\":\"Hostname\","
                           "\"address\":\"board-1\"}]"));
    assert_non_null(strstr(f.d.document, "\"allocatable\":{\"cpu\":\"240m\""));
    duty_case_status(&f.d, 200);
    expect(&f, ANNOTATION);
    assert_string_equal(
        f.d.document,
        "{\"metadata\":{\"annotations\":{\"femtokubelet.dev/free-heap-bytes\":\"45000\"}}}");
    duty_case_status(&f.d, 200);
}

static void a_board_says_why_it_began_anew(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    struct fk_node_config config = duty_case_config;
    config.reset_reason = "watchdog";
    f.status.env.config = &config;
    fk_status_refresh(&f.status, f.d.now);
    expect(&f, STATUS);
    duty_case_status(&f.d, 200);
    expect(&f, ANNOTATION);
    assert_string_equal(
        f.d.document,
        "{\"metadata\":{\"annotations\":{\"femtokubelet.dev/free-heap-bytes\":\"45000\","
        "\"femtokubelet.dev/reset-reason\":\"watchdog\"}}}");
    duty_case_status(&f.d, 200);
}

static void then_only_heartbeats_every_five_minutes(void **state) {
    (void)state;
    struct fixture f;
    begin_reported(&f);
    for (int hour = 0; hour < 3; hour++) {
        for (int i = 1; i < FK_STATUS_WHOLE_EVERY; i++) {
            expect_silence(&f, 300000);
            duty_case_pass(&f.d, 10000); /* judged every 10 s: it may be that late */
            expect_report(&f, false);
        }
        expect_silence(&f, 300000);
        duty_case_pass(&f.d, 10000);
        expect_report(&f, true); /* once an hour the whole */
    }
}

static void a_look_tells_of_another_address_at_once(void **state) {
    (void)state;
    struct fixture f;
    begin_reported(&f);
    fk_status_look(&f.status, f.d.now);
    expect_silence(&f, 100); /* nothing is new */
    f.address = "192.0.2.8";
    expect_silence(&f, 100);
    fk_status_look(&f.status, f.d.now);
    expect_report(&f, true);
    assert_non_null(strstr(f.d.document, "192.0.2.8"));
    expect_silence(&f, 10000);
}

static void a_flip_is_told_at_the_next_judgement(void **state) {
    (void)state;
    struct fixture f;
    begin_reported(&f);
    expect_silence(&f, 30000);
    f.facts.heap_free_bytes = 20000;
    duty_case_pass(&f.d, 10000);
    expect(&f, STATUS);
    assert_non_null(strstr(f.d.document, "{\"type\":\"MemoryPressure\",\"status\":\"True\""));
    assert_non_null(strstr(f.d.document, "\"lastTransitionTime\":\"2026-06-19T12:00:40Z\""));
}

static void a_new_address_is_told(void **state) {
    (void)state;
    struct fixture f;
    begin_reported(&f);
    expect_silence(&f, 30000);
    f.address = "192.0.2.99";
    duty_case_pass(&f.d, 10000);
    expect(&f, STATUS);
    assert_non_null(strstr(f.d.document, "192.0.2.99"));
    assert_null(strstr(f.d.document, "192.0.2.7"));
}

static void leaving_is_told_at_once(void **state) {
    (void)state;
    struct fixture f;
    begin_reported(&f);
    expect_silence(&f, 3000);
    f.facts.leaving = true;
    fk_status_hurry(&f.status, f.d.now);
    expect(&f, STATUS);
    assert_non_null(strstr(f.d.document, "{\"type\":\"Ready\",\"status\":\"False\""));
    assert_non_null(strstr(f.d.document, "KubeletNotReady"));
    duty_case_status(&f.d, 200);
    assert_int_equal(f.status.ready_reported, FK_CONDITION_FALSE);
}

static void leaving_while_a_report_is_under_way(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    fk_status_refresh(&f.status, f.d.now);
    expect(&f, STATUS);
    f.facts.leaving = true;
    fk_status_hurry(&f.status, f.d.now);
    assert_true(fk_status_ops.due(&f.status) == FK_NEVER);
    duty_case_status(&f.d, 200);
    expect(&f, ANNOTATION);
    duty_case_status(&f.d, 200);
    expect(&f, STATUS);
    assert_non_null(strstr(f.d.document, "KubeletNotReady"));
}

static void what_failed_is_said_again_whole(void **state) {
    (void)state;
    struct fixture f;
    begin_reported(&f);
    expect_silence(&f, 300000);
    duty_case_pass(&f.d, 10000);
    expect(&f, STATUS);
    assert_null(strstr(f.d.document, "nodeInfo"));
    duty_case_status(&f.d, FK_E_RESET);
    assert_false(duty_case_ask(&f.d));
    duty_case_pass(&f.d, 300);
    expect_report(&f, true);
}

static void failures_in_a_row_back_off_until_one_is_accepted(void **state) {
    (void)state;
    struct fixture f;
    begin_reported(&f);
    duty_case_pass(&f.d, 310000);
    for (int round = 0; round < 2; round++) {
        uint64_t delay_ms = FK_RETRY_MIN_MS;
        for (int i = 0; i < 8; i++) {
            expect(&f, STATUS);
            duty_case_status(&f.d, 500);
            const uint64_t wait_ms = fk_status_ops.due(&f.status) - f.d.now.mono_ms;
            assert_in_range(wait_ms, delay_ms - delay_ms / 4, delay_ms + delay_ms / 4);
            duty_case_pass(&f.d, wait_ms);
            delay_ms = delay_ms * 2 < FK_RETRY_MAX_MS ? delay_ms * 2 : FK_RETRY_MAX_MS;
        }
        expect_report(&f, true);
        duty_case_pass(&f.d, 310000);
    }
}

/* Once a status was taken, a Node that is gone is looked after at once again. */
static void a_node_that_goes_missing_twice_is_told_at_once_each_time(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    for (int round = 0; round < 3; round++) {
        fk_status_refresh(&f.status, f.d.now);
        expect(&f, STATUS);
        duty_case_status(&f.d, 404);
        fk_status_refresh(&f.status, f.d.now);
        expect(&f, STATUS);
        duty_case_status(&f.d, 200);
        expect_annotation(&f, "45000");
    }
}

static void a_missing_node_is_noticed(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    fk_status_refresh(&f.status, f.d.now);
    expect(&f, STATUS);
    duty_case_status(&f.d, 404);
    assert_true(f.status.missing);
    assert_true(fk_status_ops.due(&f.status) == FK_NEVER);
    fk_status_refresh(&f.status, f.d.now);
    assert_false(f.status.missing);
    expect(&f, STATUS);
    assert_non_null(strstr(f.d.document, "nodeInfo"));
}

/* Registration finds the Node each time, and each time the status is told that there is none. */
static void a_missing_node_that_is_found_is_no_loop(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    unsigned asked = 0;
    for (int i = 0; i < 6000; i++, duty_case_pass(&f.d, 10)) {
        if (f.status.state == FK_STATUS_WAITING) fk_status_refresh(&f.status, f.d.now);
        while (asked < 1000 && duty_case_ask(&f.d)) {
            asked++;
            duty_case_status(&f.d, 404);
            fk_status_refresh(&f.status, f.d.now);
        }
    }
    assert_in_range(asked, 5, 30);
}

static void the_annotation_follows_the_heap_in_steps(void **state) {
    (void)state;
    struct fixture f;
    begin_reported(&f);
    f.facts.heap_free_bytes = 45000 - FK_FREE_HEAP_STEP + 1;
    duty_case_pass(&f.d, 310000);
    expect_report(&f, false);
    f.facts.heap_free_bytes = 45000 - FK_FREE_HEAP_STEP;
    duty_case_pass(&f.d, 310000);
    expect(&f, STATUS);
    duty_case_status(&f.d, 200);
    expect_annotation(&f, "44488");
    f.facts.heap_free_bytes = 45000;
    duty_case_pass(&f.d, 310000);
    expect(&f, STATUS);
    duty_case_status(&f.d, 200);
    expect_annotation(&f, "45000");
}

static void a_refused_annotation_waits_for_the_next_report(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    fk_status_refresh(&f.status, f.d.now);
    expect(&f, STATUS);
    duty_case_status(&f.d, 200);
    expect(&f, ANNOTATION);
    duty_case_status(&f.d, 403);
    expect_silence(&f, 300000);
    duty_case_pass(&f.d, 10000);
    expect(&f, STATUS);
    assert_null(strstr(f.d.document, "nodeInfo"));
    duty_case_status(&f.d, 200);
    expect(&f, ANNOTATION);
}

static void looked_at_again_while_annotating(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    fk_status_refresh(&f.status, f.d.now);
    expect(&f, STATUS);
    duty_case_status(&f.d, 200);
    expect(&f, ANNOTATION);
    fk_status_refresh(&f.status, f.d.now); /* it may be another Node by now */
    duty_case_status(&f.d, 200);
    expect(&f, STATUS);
    assert_non_null(strstr(f.d.document, "nodeInfo"));
    duty_case_status(&f.d, 200);
    expect(&f, ANNOTATION);
}

static void without_a_clock_nothing_is_said(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    f.d.now.wall_us = FK_WALL_UNKNOWN;
    fk_status_refresh(&f.status, f.d.now);
    expect_silence(&f, 60000);
    f.d.now.wall_us = WALL_US;
    duty_case_pass(&f.d, 10000);
    expect(&f, STATUS);
    assert_non_null(strstr(f.d.document, "nodeInfo"));
}

/* As a ConfigMap may ask for: a shorter period counts at once, a longer one from the next judgement
 * on. */
static void the_period_may_change(void **state) {
    (void)state;
    struct fixture f;
    begin_reported(&f);
    assert_int_equal(fk_status_ops.due(&f.status), f.d.now.mono_ms + 10000);
    duty_case_pass(&f.d, 1000);
    fk_status_set_period(&f.status, f.d.now, 2000);
    assert_int_equal(fk_status_ops.due(&f.status), f.d.now.mono_ms + 2000);
    duty_case_pass(&f.d, 2000);
    assert_false(duty_case_ask(&f.d)); /* judged: nothing to say */
    assert_int_equal(fk_status_ops.due(&f.status), f.d.now.mono_ms + 2000);
    fk_status_set_period(&f.status, f.d.now, 60000);
    assert_int_equal(fk_status_ops.due(&f.status), f.d.now.mono_ms + 2000);
    duty_case_pass(&f.d, 2000);
    assert_false(duty_case_ask(&f.d));
    assert_int_equal(fk_status_ops.due(&f.status), f.d.now.mono_ms + 60000);
    begin(&f);
    fk_status_set_period(&f.status, f.d.now, 2000); /* before there is a Node */
    assert_true(fk_status_ops.due(&f.status) == FK_NEVER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_everything_at_first),
        cmocka_unit_test(a_board_says_why_it_began_anew),
        cmocka_unit_test(then_only_heartbeats_every_five_minutes),
        cmocka_unit_test(a_look_tells_of_another_address_at_once),
        cmocka_unit_test(a_flip_is_told_at_the_next_judgement),
        cmocka_unit_test(a_new_address_is_told),
        cmocka_unit_test(leaving_is_told_at_once),
        cmocka_unit_test(leaving_while_a_report_is_under_way),
        cmocka_unit_test(what_failed_is_said_again_whole),
        cmocka_unit_test(failures_in_a_row_back_off_until_one_is_accepted),
        cmocka_unit_test(a_node_that_goes_missing_twice_is_told_at_once_each_time),
        cmocka_unit_test(a_missing_node_is_noticed),
        cmocka_unit_test(a_missing_node_that_is_found_is_no_loop),
        cmocka_unit_test(the_annotation_follows_the_heap_in_steps),
        cmocka_unit_test(a_refused_annotation_waits_for_the_next_report),
        cmocka_unit_test(looked_at_again_while_annotating),
        cmocka_unit_test(without_a_clock_nothing_is_said),
        cmocka_unit_test(the_period_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
