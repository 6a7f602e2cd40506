/* ConfigMaps that configure a running node: what each value does, what is refused and how that is
 * said, what is kept for a reboot, and what the watch asks for. */
#include "kubelet/configmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"
#include "support/watch_case.h"

#define LIST "GET /api/v1/namespaces/default/configmaps?fieldSelector=metadata.name=rack-1"
#define WATCH LIST "&watch=1&allowWatchBookmarks=true&resourceVersion="
#define UID WATCH_CASE_UID
#define WALL_US INT64_C(1781870400000000)

/* What a port does for them; survives a reboot. */
struct board {
    uint8_t kept[FK_PORT_KEEP_MAX];
    size_t kept_len;
    unsigned keeps, applies;
    int keep_err;
    struct fk_options options;
};

static void on_apply(void *ctx, const struct fk_options *options) {
    struct board *b = ctx;
    b->applies++;
    b->options = *options;
}
static int on_keep(void *ctx, const void *bytes, size_t len) {
    struct board *b = ctx;
    b->keeps++;
    if (b->keep_err != 0) return b->keep_err;
    assert_true(len <= sizeof b->kept);
    memcpy(b->kept, bytes, len);
    b->kept_len = len;
    return 0;
}
static int on_recall(void *ctx, void *buf, size_t cap) {
    const struct board *b = ctx;
    if (b->kept_len > cap) return FK_E_NOMEM;
    memcpy(buf, b->kept, b->kept_len);
    return (int)b->kept_len;
}
static const struct fk_port_ops ops = {.apply = on_apply, .keep = on_keep, .recall = on_recall};
static const struct fk_options defaults = {FK_INFO, 100, 10000};

struct fixture {
    struct board board;
    struct fk_rng rng;
    struct fk_events events;
    struct fk_configmaps c;
    struct duty_case d; /* the first one's */
    uint8_t buf[50000];
};

static void start(struct fixture *f, const char *refs) {
    const struct fk_duty_env env = duty_case_env(&f->rng);
    const struct fk_port port = {&ops, &f->board};
    fk_events_init(&f->events, &env);
    fk_configmaps_init(&f->c, &env, &port, &f->events, &defaults, refs);
    f->d =
        (struct duty_case){.ops = &fk_configmap_ops, .self = &f->c.all[0], .now = {5000, WALL_US}};
}

static struct fixture *begin(const char *refs) {
    static struct fixture f;
    memset(&f, 0, sizeof f);
    start(&f, refs);
    return &f;
}

static void expect(struct fixture *f, const char *line) {
    assert_true(duty_case_ask(&f->d));
    if (strncmp(f->d.line, line, strlen(line)) != 0) fail_msg("%s", f->d.line);
}

static void settle(struct fixture *f) {
    for (int i = 0; i < 10; i++)
        if (!fk_configmaps_step(&f->c, f->d.now)) return;
    fail_msg("never quiet");
}

/* Of the watch under way, in one piece. */
static void feed(struct fixture *f, struct fk_bytes bytes) {
    f->d.request.reply->body(f->d.request.owner, bytes);
}

static void list(struct fixture *f, const char *version, const struct watch_case_object *object) {
    expect(f, LIST);
    assert_null(f->d.request.over);
    duty_case_answer(&f->d, 200, FK_REASON_NONE, watch_case_list(f->buf, version, object));
    settle(f);
}

/* An object with these data comes by the watch. */
static void modify(struct fixture *f, const char *version, const char *const *data) {
    const struct watch_case_object object = {UID, version, data};
    feed(f, watch_case_event(f->buf, "MODIFIED", &object));
    settle(f);
}

/* Listed as absent, and watched. */
static struct fixture *begin_watching(void) {
    struct fixture *f = begin("default/rack-1");
    list(f, "100", NULL);
    expect(f, WATCH "100&timeoutSeconds=");
    return f;
}

static void memory_values(struct fixture *f, const char *version, const char *text) {
    const char *const data[] = {"memory_values", text, NULL};
    modify(f, version, data);
}

/* ---- values ---------------------------------------------------------------------------------- */

static void memory_values_set_bytes(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    struct fk_configmap *m = &f->c.all[0];
    memory_values(f, "101", "0=0x42,1=0x43");
    assert_int_equal(m->state, FK_CONFIGMAP_APPLIED);
    assert_int_equal(f->c.memory[0], 0x42);
    assert_int_equal(f->c.memory[1], 0x43);
    assert_int_equal(f->c.writes, 1);
    assert_string_equal(m->resource_version, "101");
    assert_string_equal(m->uid, UID);
    memory_values(f, "102", " 0x3fF=255 ,\n\t1=0XaB, 1=7\n\r ,1023=000\n");
    assert_int_equal(m->state, FK_CONFIGMAP_APPLIED);
    assert_int_equal(f->c.memory[0], 0x42); /* what is not named stays */
    assert_int_equal(f->c.memory[1], 7);    /* the last wins */
    assert_int_equal(f->c.memory[1023], 0);
    memory_values(f, "103", "");
    assert_int_equal(m->state, FK_CONFIGMAP_APPLIED);
    memory_values(f, "104", " \n");
    assert_int_equal(m->applied, 4);
    assert_int_equal(m->refused, 0);
}

static void what_a_program_wrote_stays(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    const char *const data[] = {"memory_values", "5=5", NULL};
    const struct watch_case_object object = {UID, "101", data};
    const struct fk_bytes event = watch_case_event(f->buf, "ADDED", &object);
    feed(f, fk_bytes(event.p, event.len - 1));
    f->c.memory[6] = 6;
    assert_int_equal(f->c.memory[5], 0);
    feed(f, fk_bytes(event.p + event.len - 1, 1));
    assert_int_equal(f->c.memory[5], 5);
    assert_int_equal(f->c.memory[6], 6);
}

static void a_bad_value_is_refused_whole_and_named(void **state) {
    (void)state;
    static const struct {
        const char *key, *value, *why;
    } rows[] = {
        {"memory_values", "0=1,1024=1",
         "memory_values: address 1024 is beyond the region of 1024 bytes"},
        {"memory_values", "0=1,0x400=1",
         "memory_values: address 1024 is beyond the region of 1024 bytes"},
        {"memory_values", "0=1,99999999999999999999=1",
         "memory_values: byte 25: the address is beyond the region of 1024 bytes"},
        {"memory_values", "0=1,4294967295=1",
         "memory_values: address 4294967295 is beyond the region of 1024 bytes"},
        {"memory_values", "0=1,4294967296=1",
         "memory_values: byte 15: the address is beyond the region of 1024 bytes"},
        {"memory_values", "0=1,3=256", "memory_values: value 256 of address 3 is more than 255"},
        {"memory_values", "0=1,3=0x100", "memory_values: value 256 of address 3 is more than 255"},
        {"memory_values", "0=1,3=99999999999",
         "memory_values: byte 18: the value of address 3 is more than 255"},
        {"memory_values", "0=1,",
         "memory_values: byte 5: an address is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "0=1,,1=1",
         "memory_values: byte 5: an address is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", ",",
         "memory_values: byte 1: an address is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "a=1",
         "memory_values: byte 1: an address is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "-1=1",
         "memory_values: byte 1: an address is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "0x=1",
         "memory_values: byte 3: an address is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "0", "memory_values: byte 2: = is missing here, as in 0=0x42,1=67"},
        {"memory_values", "0 =1", "memory_values: byte 2: = is missing here, as in 0=0x42,1=67"},
        {"memory_values", "0:1", "memory_values: byte 2: = is missing here, as in 0=0x42,1=67"},
        {"memory_values", "0=",
         "memory_values: byte 3: a value is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "0= 1",
         "memory_values: byte 3: a value is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "0=-1",
         "memory_values: byte 3: a value is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "0=0x",
         "memory_values: byte 5: a value is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "0=1 1=1",
         "memory_values: byte 5: a comma is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "0=1;1=1",
         "memory_values: byte 4: a comma is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "0=1\n1=1",
         "memory_values: byte 5: a comma is missing here, as in "
         "0=0x42,1=67"},
        {"memory_values", "0=0x4g",
         "memory_values: byte 6: a comma is missing here, as in "
         "0=0x42,1=67"},
        {"log_level", "loud", "log_level: \"loud\" is not error, warn, info or debug"},
        {"log_level", "", "log_level: \"\" is not error, warn, info or debug"},
        {"log_level", "a\x01\xff", "log_level: \"a??\" is not error, warn, info or debug"},
        {"log_level", "012345678901234567890123",
         "log_level: \"01234567890123456789012...\" is not error, warn, info or debug"},
        {"led_brightness", "101", "led_brightness: \"101\" is not a number from 0 to 100"},
        {"led_brightness", "-1", "led_brightness: \"-1\" is not a number from 0 to 100"},
        {"led_brightness", "40%", "led_brightness: \"40%\" is not a number from 0 to 100"},
        {"status_period", "0", "status_period: \"0\" is not a time from 1s to 1h, as 30 or 1m30s"},
        {"status_period", "999ms",
         "status_period: \"999ms\" is not a time from 1s to 1h, as 30 or 1m30s"},
        {"status_period", "3601",
         "status_period: \"3601\" is not a time from 1s to 1h, as 30 or 1m30s"},
        {"status_period", "1h1ms",
         "status_period: \"1h1ms\" is not a time from 1s to 1h, as 30 or 1m30s"},
        {"status_period", "1m30",
         "status_period: \"1m30\" is not a time from 1s to 1h, as 30 or 1m30s"},
        {"status_period", "1.5s",
         "status_period: \"1.5s\" is not a time from 1s to 1h, as 30 or 1m30s"},
        {"status_period", "99999999999999999999s",
         "status_period: \"99999999999999999999s\" is not a time from 1s to 1h, as 30 or 1m30s"},
        {"status_period", "s", "status_period: \"s\" is not a time from 1s to 1h, as 30 or 1m30s"},
        {"status_period", "1d",
         "status_period: \"1d\" is not a time from 1s to 1h, as 30 or 1m30s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = begin_watching();
        struct fk_configmap *m = &f->c.all[0];
        /* Good ones around it, in the order that an API server writes them in, or any. */
        const char *const data[] = {
            "led_brightness", "1",         "memory_values", "9=9", rows[i].key,
            rows[i].value,    "log_level", "error",         NULL};
        modify(f, "101", data);
        assert_int_equal(m->state, FK_CONFIGMAP_REFUSED);
        assert_string_equal(m->why, rows[i].why);
        assert_int_equal(m->refused, 1);
        assert_int_equal(m->applied, 0);
        assert_string_equal(m->resource_version, "");
        for (size_t at = 0; at < FK_MEMORY_BYTES; at++) assert_int_equal(f->c.memory[at], 0);
        assert_memory_equal(&f->c.options, &defaults, sizeof defaults);
        assert_int_equal(f->board.applies, 0);
        assert_int_equal(f->board.keeps, 0);
        char message[FK_MESSAGE_MAX + 20];
        snprintf(message, sizeof message, "default/rack-1: %s", rows[i].why);
        message[FK_MESSAGE_MAX - 1] = '\0';
        assert_string_equal(f->events.all[0].message, message);
        assert_string_equal(f->events.all[0].reason, "ConfigMapRefused");
        assert_true(f->events.all[0].warning);
        /* The next one is judged by itself. */
        memory_values(f, "102", "1=1");
        assert_int_equal(m->state, FK_CONFIGMAP_APPLIED);
        assert_string_equal(m->why, "");
        assert_int_equal(f->c.memory[1], 1);
    }
}

static void options_are_set_and_fall_back(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    const char *const data[] = {
        "log_level", "debug\n", "led_brightness", " 40", "status_period", "30s", "other",
        "x",         NULL};
    modify(f, "101", data);
    assert_int_equal(f->c.all[0].state, FK_CONFIGMAP_APPLIED);
    assert_int_equal(f->board.applies, 1);
    assert_int_equal(f->board.options.log_level, FK_DEBUG);
    assert_int_equal(f->board.options.led_brightness, 40);
    assert_int_equal(f->board.options.status_period_ms, 30000);
    assert_int_equal(f->c.writes, 0); /* not of memory */
    const char *const less[] = {"led_brightness", "0", NULL};
    modify(f, "102", less);
    assert_int_equal(f->board.applies, 2);
    assert_int_equal(f->board.options.log_level, FK_INFO);
    assert_int_equal(f->board.options.led_brightness, 0);
    assert_int_equal(f->board.options.status_period_ms, 10000);
    modify(f, "103", less);
    assert_int_equal(f->board.applies, 2); /* nothing new */
    const struct watch_case_object object = {UID, "104", less};
    feed(f, watch_case_event(f->buf, "DELETED", &object));
    settle(f);
    assert_int_equal(f->c.all[0].state, FK_CONFIGMAP_ABSENT);
    assert_string_equal(f->c.all[0].why, "there is no ConfigMap default/rack-1");
    assert_int_equal(f->board.applies, 3);
    assert_memory_equal(&f->board.options, &defaults, sizeof defaults);
}

static void periods(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t ms;
    } rows[] = {{"1", 1000},         {"1s", 1000},     {"1000ms", 1000},  {"3600", 3600000},
                {"1h", 3600000},     {"60m", 3600000}, {"0h1m0s", 60000}, {"1m30s", 90000},
                {"59m60s", 3600000}, {"1s500ms", 1500}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = begin_watching();
        const char *const data[] = {"status_period", rows[i].text, NULL};
        modify(f, "101", data);
        assert_int_equal(f->c.options.status_period_ms, rows[i].ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_values_set_bytes),
        cmocka_unit_test(what_a_program_wrote_stays),
        cmocka_unit_test(a_bad_value_is_refused_whole_and_named),
        cmocka_unit_test(options_are_set_and_fall_back),
        cmocka_unit_test(periods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
