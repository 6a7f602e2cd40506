/* Events on the Node: what is sent, what counts as the same, how many, and what becomes of those
 * that could not be sent. */
#include "kubelet/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"

#define EVENTS "/api/v1/namespaces/default/events"
#define UID "11111111-2222-3333-4444-555555555555"
#define WALL_US INT64_C(1781870400000000) /* 2026-06-19T12:00:00Z */

struct fixture {
    struct fk_rng rng;
    struct fk_events events;
    struct duty_case d;
};

static void begin(struct fixture *f) {
    memset(f, 0, sizeof *f);
    const struct fk_duty_env env = duty_case_env(&f->rng);
    fk_events_init(&f->events, &env);
    f->d = (struct duty_case){.ops = &fk_events_ops, .self = &f->events, .now = {5000, WALL_US}};
    fk_events_start(&f->events, f->d.now, UID);
}

static void tell(struct fixture *f, const char *message) {
    fk_events_tell(&f->events, f->d.now, true, "ConfigMapRefused", message);
}

static void expect(struct fixture *f, const char *line) {
    assert_true(duty_case_ask(&f->d));
    if (strncmp(f->d.line, line, strlen(line)) != 0) fail_msg("%s", f->d.line);
}

static void quiet(struct fixture *f) { assert_false(duty_case_ask(&f->d)); }

/* A POST, accepted. */
static void written(struct fixture *f) {
    expect(f, "POST " EVENTS);
    duty_case_status(&f->d, 201);
}

static void looks_as_the_kubelets(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    quiet(&f);
    tell(&f, "default/rack-1: memory_values: address 1024 is beyond the region of 1024 bytes");
    expect(&f, "POST " EVENTS);
    assert_false(f.d.request.wants_body);
    char name[17];
    memcpy(name, f.events.all[0].suffix, sizeof name);
    assert_int_equal(strlen(name), 16);
    assert_memory_equal(name, "18ba79", 6); /* 1781870400 s in ns, as hex */
    char expected[1000];
    snprintf(expected, sizeof expected,
             "{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"board-1.%s\","
             "\"namespace\":\"default\"},\"involvedObject\":{\"kind\":\"Node\",\"name\":"
             "\"board-1\",\"uid\":\"board-1\"},\"reason\":\"ConfigMapRefused\",\"message\":"
             "\"default/rack-1: memory_values: address 1024 is beyond the region of 1024 bytes\","
             "\"type\":\"Warning\",\"source\":{\"component\":\"kubelet\",\"host\":\"board-1\"},"
             "\"firstTimestamp\":\"2026-06-19T12:00:00Z\",\"lastTimestamp\":"
             "\"2026-06-19T12:00:00Z\",\"count\":1,\"reportingComponent\":\"kubelet\"}",
             name);
    assert_string_equal(f.d.document, expected);
    duty_case_status(&f.d, 201);
    assert_int_equal(f.events.written, 1);
    quiet(&f);
    fk_events_tell(&f.events, f.d.now, false, "Fine", "all is well");
    expect(&f, "POST " EVENTS);
    assert_non_null(strstr(f.d.document, "\"type\":\"Normal\""));
}

static void the_same_grows(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    tell(&f, "a");
    written(&f);
    char line[400];
    snprintf(line, sizeof line, "PATCH-MERGE " EVENTS "/board-1.%s", f.events.all[0].suffix);
    duty_case_pass(&f.d, 60000);
    tell(&f, "a");
    tell(&f, "a");
    expect(&f, line);
    assert_string_equal(f.d.document, "{\"count\":3,\"lastTimestamp\":\"2026-06-19T12:01:00Z\"}");
    duty_case_pass(&f.d, 1000);
    tell(&f, "a"); /* while that is under way: its document stays as it is */
    duty_case_status(&f.d, 200);
    expect(&f, line);
    assert_string_equal(f.d.document, "{\"count\":4,\"lastTimestamp\":\"2026-06-19T12:01:01Z\"}");
    duty_case_status(&f.d, 200);
    quiet(&f);
    tell(&f, "b"); /* another message, another Event */
    written(&f);
    fk_events_tell(&f.events, f.d.now, true, "Another", "a"); /* or another reason */
    written(&f);
}

static void after_ten_quiet_minutes_it_is_another(void **state) {
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct fixture f;
        begin(&f);
        tell(&f, "a");
        written(&f);
        duty_case_pass(&f.d, FK_EVENTS_SAME_MS - 1 + (uint64_t)over);
        tell(&f, "a");
        expect(&f, over != 0 ? "POST " : "PATCH-MERGE ");
        assert_int_equal(f.events.sent_count, over != 0 ? 1 : 2);
    }
}

static void waits_for_the_node_and_for_the_time(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    f.events.node_uid = "";
    f.d.now.wall_us = FK_WALL_UNKNOWN;
    tell(&f, "a");
    assert_true(fk_events_ops.due(&f.events) == FK_NEVER);
    f.events.node_uid = UID;
    quiet(&f);
    assert_true(fk_events_ops.due(&f.events) == f.d.now.mono_ms + FK_NO_DATE_RETRY_MS);
    duty_case_pass(&f.d, FK_NO_DATE_RETRY_MS);
    f.d.now.wall_us = WALL_US;
    expect(&f, "POST ");
    assert_non_null(strstr(f.d.document, "\"firstTimestamp\":\"2026-06-19T12:00:00Z\""));
}

/* Five at once, then one in thirty seconds. */
static void bursts_are_spread_out(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    for (int i = 0; i < FK_EVENTS_BURST; i++) {
        tell(&f, "a");
        expect(&f, i == 0 ? "POST " : "PATCH-MERGE ");
        duty_case_status(&f.d, 200);
    }
    tell(&f, "a");
    for (int i = 0; i < 3; i++) {
        tell(&f, "a");
        assert_int_equal(fk_events_ops.due(&f.events), f.d.now.mono_ms + FK_EVENTS_EVERY_MS);
        duty_case_pass(&f.d, FK_EVENTS_EVERY_MS - 1);
        quiet(&f);
        duty_case_pass(&f.d, 1);
        expect(&f, "PATCH-MERGE ");
        duty_case_status(&f.d, 200);
    }
    assert_int_equal(f.events.all[0].reported, FK_EVENTS_BURST + 4);
    assert_int_equal(f.events.dropped, 0);
    duty_case_pass(&f.d, 86400000); /* a day refills the burst, and no more */
    for (int i = 0; i <= FK_EVENTS_BURST; i++) {
        tell(&f, "b");
        if (i == FK_EVENTS_BURST) break;
        assert_true(duty_case_ask(&f.d));
        duty_case_status(&f.d, 201);
    }
    quiet(&f);
}

static void what_finds_no_room_is_counted(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    char text[2] = "a";
    for (int i = 0; i < FK_EVENTS_MAX; i++, text[0]++) tell(&f, text);
    tell(&f, "one more");
    assert_int_equal(f.events.dropped, 1);
    written(&f); /* the oldest is told: its place may be taken */
    tell(&f, "another");
    assert_int_equal(f.events.dropped, 1);
    for (int i = 0; i < FK_EVENTS_MAX; i++) written(&f);
    quiet(&f);
}

static void one_under_way_is_not_pushed_out(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    tell(&f, "a");
    expect(&f, "POST ");
    duty_case_pass(&f.d, FK_EVENTS_SAME_MS);
    char text[2] = "b";
    for (int i = 0; i < FK_EVENTS_MAX; i++, text[0]++) tell(&f, text);
    assert_int_equal(f.events.dropped, 1);
    assert_string_equal(f.events.all[0].message, "a");
    duty_case_status(&f.d, 201);
    assert_int_equal(f.events.all[0].reported, 1);
}

static void failures_are_repeated_while_young(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    tell(&f, "a");
    unsigned tries = 0;
    for (; duty_case_ask(&f.d); tries++) {
        duty_case_status(&f.d, tries % 2 == 0 ? 500 : FK_E_RESET);
        const uint64_t due_ms = fk_events_ops.due(&f.events);
        assert_true(due_ms > f.d.now.mono_ms);
        duty_case_pass(&f.d, due_ms - f.d.now.mono_ms);
    }
    assert_in_range(tries, 10, 40);
    assert_in_range(f.d.now.mono_ms, FK_EVENTS_SAME_MS, FK_EVENTS_SAME_MS + 60000);
    assert_int_equal(f.events.dropped, 1);
    assert_null(f.events.all[0].reason);
}

struct answer_row {
    int status;
    enum fk_reason reason;
    const char *next; /* request; NULL: none */
    uint32_t dropped;
};

static void answers(void **state) {
    (void)state;
    static const struct answer_row rows[] = {
        {201, FK_REASON_NONE, NULL, 0},         {409, FK_REASON_ALREADY_EXISTS, "POST ", 0},
        {404, FK_REASON_NOT_FOUND, "POST ", 0}, {403, FK_REASON_FORBIDDEN, "POST ", 0},
        {500, FK_REASON_NONE, "POST ", 0},      {422, FK_REASON_INVALID, NULL, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        begin(&f);
        tell(&f, "a");
        expect(&f, "POST ");
        char suffix[17];
        memcpy(suffix, f.events.all[0].suffix, sizeof suffix);
        duty_case_answer(&f.d, rows[i].status, rows[i].reason, fk_bytes(NULL, 0));
        assert_int_equal(f.events.dropped, rows[i].dropped);
        duty_case_pass(&f.d, 60000);
        if (rows[i].next == NULL) quiet(&f);
        else expect(&f, rows[i].next);
        if (rows[i].status == 409) assert_string_not_equal(f.events.all[0].suffix, suffix);
    }
}

/* The server forgets Events after an hour, or somebody deleted it. */
static void one_that_is_gone_is_written_anew(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    tell(&f, "a");
    written(&f);
    duty_case_pass(&f.d, 1000);
    tell(&f, "a");
    expect(&f, "PATCH-MERGE ");
    duty_case_status(&f.d, 404);
    expect(&f, "POST ");
    assert_non_null(strstr(f.d.document, "\"count\":2"));
    duty_case_status(&f.d, 201);
    quiet(&f);
}

static void a_long_message_is_cut_and_still_the_same(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    char text[FK_MESSAGE_MAX + 50];
    for (size_t len = FK_MESSAGE_MAX - 2; len < sizeof text - 1; len += 13) {
        memset(text, 'x', len);
        text[len] = '\0';
        tell(&f, text);
    }
    assert_int_equal(strlen(f.events.all[0].message), FK_MESSAGE_MAX - 2);
    assert_int_equal(strlen(f.events.all[1].message), FK_MESSAGE_MAX - 1);
    assert_int_equal(f.events.all[1].count, 3);
}

/* The Event's name must be one as well. */
static void long_node_names(void **state) {
    (void)state;
    static const char *const ends[] = {"a", "-", ".", ".-."};
    for (size_t len = 230; len <= FK_NODE_NAME_MAX; len++) {
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
            struct fixture f;
            char name[FK_NODE_NAME_MAX + 1];
            memset(name, 'n', len);
            name[len] = '\0';
            memcpy(name + 235 - strlen(ends[i]) + 1, ends[i], 235 + 1 <= len ? strlen(ends[i]) : 0);
            begin(&f);
            struct fk_node_config config = duty_case_config;
            config.name = name;
            f.events.env.config = &config;
            tell(&f, "a");
            written(&f);
            tell(&f, "a");
            expect(&f, "PATCH-MERGE " EVENTS "/n");
            const char *event = f.d.request.path + strlen(EVENTS "/");
            assert_true(fk_config_name_valid(event));
            assert_true(strlen(event) <= FK_NODE_NAME_MAX);
            duty_case_status(&f.d, 200);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_as_the_kubelets),
        cmocka_unit_test(the_same_grows),
        cmocka_unit_test(after_ten_quiet_minutes_it_is_another),
        cmocka_unit_test(waits_for_the_node_and_for_the_time),
        cmocka_unit_test(bursts_are_spread_out),
        cmocka_unit_test(what_finds_no_room_is_counted),
        cmocka_unit_test(one_under_way_is_not_pushed_out),
        cmocka_unit_test(failures_are_repeated_while_young),
        cmocka_unit_test(answers),
        cmocka_unit_test(one_that_is_gone_is_written_anew),
        cmocka_unit_test(a_long_message_is_cut_and_still_the_same),
        cmocka_unit_test(long_node_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
