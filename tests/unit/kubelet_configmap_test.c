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
    struct fk_heap heap;
    _Alignas(8) uint8_t memory[sizeof(union fk_configmap_work) + 64];
    struct duty_case d; /* the first one's */
    uint8_t buf[50000];
};

static void start(struct fixture *f, const char *refs) {
    const struct fk_duty_env env = duty_case_env(&f->rng);
    const struct fk_port port = {&ops, &f->board};
    fk_events_init(&f->events, &env);
    fk_heap_init(&f->heap, f->memory, sizeof f->memory);
    fk_configmaps_init(&f->c, &env, &port, &f->heap, &f->events, &defaults, refs);
    assert_int_equal(f->heap.used_bytes, 0);
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

/* ---- what arrives, whole and in parts -------------------------------------------------------- */

#define GOLDEN_MAX 20000

/* What must be true after the golden watch's events, and at any moment between them. */
static void check_golden(const struct fixture *f, uint32_t events) {
    const struct fk_configmap *m = &f->c.all[0];
    static const uint8_t applied[] = {0, 1, 1, 2, 3, 3, 4};
    assert_int_equal(m->applied, applied[events]);
    assert_int_equal(m->refused, events >= 2 ? 1 : 0);
    assert_int_equal(f->c.memory[0], events == 0 ? 0 : events < 4 ? 0x50 : 0);
    assert_int_equal(f->c.memory[7], events < 4 ? 0 : events < 6 ? 49 : 7);
    assert_int_equal(f->c.memory[1023], events == 0 ? 0 : events < 4 ? 255 : 1023 * 7 % 256);
    const bool options = events == 3 || events == 4;
    assert_int_equal(f->c.options.log_level, options ? FK_DEBUG : FK_INFO);
    assert_int_equal(f->c.options.led_brightness, options ? 40 : 100);
    assert_int_equal(f->c.options.status_period_ms, options ? 30000 : 10000);
}

static void every_cut_of_the_golden_watch(void **state) {
    (void)state;
    static uint8_t golden[GOLDEN_MAX];
    const struct fk_bytes whole = watch_case_golden(golden, sizeof golden, "configmap-watch.pb");
    for (size_t cut = 0; cut <= whole.len; cut += cut < 2200 || cut > 17000 ? 1 : 97) {
        struct fixture *f = begin_watching();
        const struct fk_watch *w = &f->c.all[0].watch;
        duty_case_pass(&f->d, 10000);
        feed(f, fk_bytes(whole.p, cut));
        check_golden(f, w->events < 6 ? w->events : 6);
        duty_case_status(&f->d, FK_E_RESET);
        assert_null(f->c.parsing);
        assert_int_equal(f->heap.used_bytes, 0);
        expect(f, WATCH);
        struct fk_bytes rest = whole;
        for (uint32_t i = 0; i < w->events; i++) (void)watch_case_next(&rest);
        while (rest.len > 0) {
            feed(f, watch_case_next(&rest));
            check_golden(f, w->events < 6 ? w->events : 6);
        }
        assert_int_equal(w->events, 8);
        assert_int_equal(f->c.all[0].state, FK_CONFIGMAP_APPLIED);
    }
}

/* Half of them break off at some byte and come again: the last one wins, none is half applied. */
static void a_thousand_changes_in_a_row(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    struct fk_rng dice;
    fk_rng_seed(&dice, 42);
    static uint8_t event[20000];
    static char text[16000];
    for (unsigned i = 1; i <= 1000; i++) {
        /* All bytes are the same at any time, whatever was cut. */
        struct fk_writer w;
        fk_writer_init(&w, text, sizeof text);
        for (unsigned at = 0; at < FK_MEMORY_BYTES; at++) {
            if (at > 0) fk_put_char(&w, ',');
            fk_put_u64(&w, at);
            fk_put_char(&w, '=');
            fk_put_u64(&w, i % 256);
        }
        assert_int_equal(fk_writer_finish(&w), 0);
        char version[12];
        snprintf(version, sizeof version, "%u", 100 + i);
        const char *const data[] = {"memory_values", text, NULL};
        const struct watch_case_object object = {UID, version, data};
        const struct fk_bytes whole = watch_case_event(event, "MODIFIED", &object);
        if (i % 2 == 0) {
            feed(f, fk_bytes(whole.p, fk_rng_below(&dice, (uint32_t)whole.len)));
            for (unsigned at = 0; at < FK_MEMORY_BYTES; at++)
                assert_int_equal(f->c.memory[at], (i - 1) % 256);
            duty_case_status(&f->d, FK_E_RESET);
            duty_case_pass(&f->d, 10000);
            char line[200];
            snprintf(line, sizeof line, WATCH "%u&", 99 + i);
            expect(f, line);
        }
        feed(f, whole);
        for (unsigned at = 0; at < FK_MEMORY_BYTES; at++)
            assert_int_equal(f->c.memory[at], i % 256);
        duty_case_pass(&f->d, 10);
        settle(f);
    }
    assert_int_equal(f->c.all[0].applied, 1000);
    assert_int_equal(f->c.writes, 1000);
    assert_int_equal(f->c.all[0].watch.lists, 1);
    assert_string_equal(f->c.all[0].resource_version, "1100");
}

/* In pieces of every size, at every split of keys and values. */
static void every_split_says_the_same(void **state) {
    (void)state;
    static uint8_t event[2000];
    const char *const data[] = {"led_brightness",
                                "7",
                                "memory_values",
                                "0x10=0x20 , 17=33\n",
                                "status_period",
                                "1m5s",
                                "unknown-and-quite-long-key",
                                "v",
                                NULL};
    const struct watch_case_object object = {UID, "101", data};
    const struct fk_bytes whole = watch_case_event(event, "ADDED", &object);
    for (size_t first = 0; first <= whole.len; first++) {
        struct fixture *f = begin_watching();
        feed(f, fk_bytes(whole.p, first));
        for (size_t at = first; at < whole.len; at += 3)
            feed(f, fk_bytes(whole.p + at, whole.len - at < 3 ? whole.len - at : 3));
        assert_int_equal(f->c.all[0].state, FK_CONFIGMAP_APPLIED);
        assert_int_equal(f->c.memory[16], 32);
        assert_int_equal(f->c.memory[17], 33);
        assert_int_equal(f->c.options.led_brightness, 7);
        assert_int_equal(f->c.options.status_period_ms, 65000);
    }
}

/* ---- versions -------------------------------------------------------------------------------- */

/* A list after 410 brings the object again: what a program wrote since stays. */
static void the_same_version_is_not_applied_again(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    const char *const data[] = {"memory_values", "0=1", NULL};
    const struct watch_case_object object = {UID, "101", data};
    modify(f, "101", data);
    f->c.memory[0] = 77;
    feed(f, watch_case_error(f->buf, 410));
    assert_true(*f->d.request.over);
    duty_case_status(&f->d, 200);
    list(f, "200", &object);
    assert_int_equal(f->c.memory[0], 77);
    assert_int_equal(f->c.all[0].applied, 1);
    expect(f, WATCH "200&");
    modify(f, "201", data); /* touched, though with the same data */
    assert_int_equal(f->c.memory[0], 1);
    assert_int_equal(f->c.all[0].applied, 2);
    const struct watch_case_object other = {"another-uid", "201", data};
    f->c.memory[0] = 77; /* deleted and created with a version that is the same by chance */
    feed(f, watch_case_event(f->buf, "ADDED", &other));
    assert_int_equal(f->c.memory[0], 1);
}

/* Told once, however often it is listed. */
static void the_same_refusal_is_told_once(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    const char *const data[] = {"log_level", "loud", NULL};
    const struct watch_case_object object = {UID, "101", data};
    modify(f, "101", data);
    for (int i = 0; i < 3; i++) {
        duty_case_status(&f->d, 410);
        duty_case_pass(&f->d, 10000);
        list(f, "200", &object);
        expect(f, WATCH "200&");
    }
    assert_int_equal(f->c.all[0].refused, 1);
    assert_int_equal(f->events.all[0].count, 1);
    assert_int_equal(f->c.all[0].state, FK_CONFIGMAP_REFUSED);
    modify(f, "201", data); /* changed, and still bad */
    assert_int_equal(f->c.all[0].refused, 2);
    assert_int_equal(f->events.all[0].count, 2);
    feed(f, watch_case_event(f->buf, "DELETED", &object));
    assert_int_equal(f->c.all[0].state, FK_CONFIGMAP_ABSENT);
}

/* Between two steps a refused one is followed by a good one, or by none: it is told all the same.
 */
static void a_refusal_is_told_though_it_is_over(void **state) {
    (void)state;
    const char *const bad[] = {"log_level", "loud", NULL};
    const struct watch_case_object refused = {UID, "101", bad}, good = {UID, "102", NULL};
    for (int deleted = 0; deleted < 2; deleted++) {
        struct fixture *f = begin_watching();
        feed(f, watch_case_event(f->buf, "MODIFIED", &refused));
        feed(f, watch_case_event(f->buf, deleted != 0 ? "DELETED" : "MODIFIED", &good));
        settle(f);
        assert_string_equal(
            f->events.all[0].message,
            "default/rack-1: log_level: \"loud\" is not error, warn, info or debug");
        assert_int_equal(f->events.all[0].last_us, f->d.now.wall_us);
        assert_null(f->events.all[1].reason);
    }
}

static void an_object_that_is_gone_when_listed(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    const char *const data[] = {"memory_values", "0=1", "led_brightness", "5", NULL};
    modify(f, "101", data);
    duty_case_status(&f->d, 410);
    list(f, "200", NULL);
    assert_int_equal(f->c.all[0].state, FK_CONFIGMAP_ABSENT);
    assert_int_equal(f->board.options.led_brightness, 100);
    assert_int_equal(f->c.memory[0], 1); /* stays */
}

/* ---- several --------------------------------------------------------------------------------- */

/* Events of the second one. */
static void modify_second(struct fixture *f, const char *version, const char *const *data) {
    const struct watch_case_object object = {"second-uid", version, data};
    fk_configmap_ops.request(&f->c.all[1], f->d.now, &f->d.request);
    f->d.request.reply->body(f->d.request.owner, watch_case_list(f->buf, version, &object));
    const struct fk_response ok = {.status = 200, .message = ""};
    f->d.request.reply->response(f->d.request.owner, f->d.now, &ok);
    f->c.all[1].watch.watching = false; /* lists again when asked again */
    settle(f);
}

static void of_several_the_last_change_wins(void **state) {
    (void)state;
    struct fixture *f = begin("default/rack-1,kube-system/all-racks");
    assert_int_equal(f->c.count, 2);
    const char *const low[] = {"led_brightness", "10", "memory_values", "0=10", NULL};
    const char *const high[] = {"led_brightness", "90", "memory_values", "0=90", NULL};
    const char *const level[] = {"log_level", "error", NULL};
    const struct watch_case_object first = {UID, "100", low};
    list(f, "100", &first);
    modify_second(f, "100", high);
    assert_int_equal(f->board.options.led_brightness, 90);
    assert_int_equal(f->c.memory[0], 90);
    expect(f, WATCH "100&");
    modify(f, "101", low);
    assert_int_equal(f->board.options.led_brightness, 10);
    assert_int_equal(f->c.memory[0], 10);
    modify(f, "102", level); /* says nothing of the LED any more: the other's counts */
    assert_int_equal(f->board.options.led_brightness, 90);
    assert_int_equal(f->board.options.log_level, FK_ERROR);
}

/* There is room for one change at a time; the other one is ended, and asked for again. */
static void two_that_arrive_at_once_do_not_mix(void **state) {
    (void)state;
    struct fixture *f = begin("default/rack-1,kube-system/all-racks");
    list(f, "100", NULL);
    expect(f, WATCH "100&");
    const char *const data[] = {"memory_values", "0=1,1=1", NULL};
    const struct watch_case_object object = {UID, "101", data};
    static uint8_t buf[1000];
    const struct fk_bytes event = watch_case_event(buf, "ADDED", &object);
    feed(f, fk_bytes(event.p, event.len - 3));
    struct fk_request second;
    fk_configmap_ops.request(&f->c.all[1], f->d.now, &second);
    const char *const other[] = {"memory_values", "0=2,1=2", NULL};
    const struct watch_case_object theirs = {"second-uid", "100", other};
    second.reply->body(second.owner, watch_case_list(f->buf, "100", &theirs));
    const struct fk_response ok = {.status = 200, .message = ""};
    second.reply->response(second.owner, f->d.now, &ok);
    assert_int_equal(f->c.all[1].state, FK_CONFIGMAP_UNKNOWN);
    assert_int_equal(fk_configmap_ops.due(&f->c.all[1]), f->d.now.mono_ms); /* at once */
    feed(f, fk_bytes(event.p + event.len - 3, 3));
    assert_int_equal(f->c.memory[1], 1);
    modify_second(f, "100", other);
    assert_int_equal(f->c.memory[1], 2);
    assert_int_equal(f->c.all[1].state, FK_CONFIGMAP_APPLIED);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void without_the_right_it_says_so_and_asks_slowly(void **state) {
    (void)state;
    struct fixture *f = begin("default/rack-1");
    uint64_t last_ms = 0;
    for (int i = 0; i < 8; i++) {
        expect(f, LIST);
        duty_case_status(&f->d, 403);
        const struct fk_configmap *m = &f->c.all[0];
        assert_int_equal(m->state, FK_CONFIGMAP_ABSENT);
        assert_string_equal(m->why, "no right to get, list and watch ConfigMap default/rack-1");
        last_ms = fk_configmap_ops.due(m) - f->d.now.mono_ms;
        if (i == 0) assert_in_range(last_ms, 750, 1250);
        settle(f);
        assert_int_equal(f->events.all[0].reason != NULL, i > 0); /* once, at the second time */
        assert_true(f->events.all[0].count <= 1);
        duty_case_pass(&f->d, last_ms);
    }
    assert_in_range(last_ms, 90000, 150000);
    assert_string_equal(f->events.all[0].reason, "ConfigMapForbidden");
    assert_non_null(strstr(f->events.all[0].message, "no right to get, list and watch"));
    const char *const data[] = {"memory_values", "0=1", NULL};
    const struct watch_case_object object = {UID, "99", data};
    list(f, "100", &object);
    assert_int_equal(f->c.all[0].state, FK_CONFIGMAP_APPLIED);
    assert_string_equal(f->c.all[0].why, "");
}

/* What was applied stays applied; only nobody may change it now. */
static void a_right_that_is_taken_away(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    const char *const data[] = {"led_brightness", "5", NULL};
    modify(f, "101", data);
    duty_case_status(&f->d, 200); /* the watch's time is over */
    expect(f, WATCH "101&");
    duty_case_status(&f->d, 403);
    assert_int_equal(f->c.all[0].state, FK_CONFIGMAP_ABSENT);
    assert_int_equal(f->board.options.led_brightness, 5);
    duty_case_pass(&f->d, 10000);
    expect(f, WATCH "101&");
    const char *const more[] = {"led_brightness", "6", NULL};
    modify(f, "102", more);
    assert_int_equal(f->board.options.led_brightness, 6);
    assert_int_equal(f->c.all[0].state, FK_CONFIGMAP_APPLIED);
}

/* A server whose watches never work is not asked at wire speed, though its lists do. */
static void garbage_is_asked_for_ever_more_slowly(void **state) {
    (void)state;
    struct fixture *f = begin("default/rack-1");
    uint64_t waited_ms = 0;
    for (int i = 0; i < 8; i++) {
        list(f, "100", NULL);
        expect(f, WATCH);
        feed(f, fk_bytes("\0\0\0\0", 4));
        duty_case_status(&f->d, 200);
        waited_ms = fk_configmap_ops.due(&f->c.all[0]) - f->d.now.mono_ms;
        duty_case_pass(&f->d, waited_ms);
    }
    assert_true(waited_ms > FK_RETRY_MAX_MS / 2);
}

static void a_watch_that_ends_for_nothing_waits(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    duty_case_status(&f->d, 200);
    assert_int_equal(fk_configmap_ops.due(&f->c.all[0]), f->d.now.mono_ms); /* may happen once */
    expect(f, WATCH);
    duty_case_status(&f->d, 200);
    assert_true(fk_configmap_ops.due(&f->c.all[0]) > f->d.now.mono_ms);
    duty_case_pass(&f->d, 1000);
    expect(f, WATCH);
    duty_case_pass(&f->d, 600000); /* as long as it was asked to last */
    duty_case_status(&f->d, 200);
    assert_int_equal(fk_configmap_ops.due(&f->c.all[0]), f->d.now.mono_ms);
}

/* ---- what is kept ---------------------------------------------------------------------------- */

static void the_first_change_is_kept_at_once_and_then_now_and_again(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    assert_true(fk_configmaps_due(&f->c) == FK_NEVER);
    memory_values(f, "101", "0=1");
    assert_int_equal(f->board.keeps, 1);
    memory_values(f, "102", "0=2");
    memory_values(f, "103", "0=3");
    assert_int_equal(f->board.keeps, 1);
    assert_int_equal(fk_configmaps_due(&f->c), f->d.now.mono_ms + FK_CONFIGMAP_KEEP_MS);
    duty_case_pass(&f->d, FK_CONFIGMAP_KEEP_MS - 1);
    settle(f);
    assert_int_equal(f->board.keeps, 1);
    duty_case_pass(&f->d, 1);
    settle(f);
    assert_int_equal(f->board.keeps, 2);
    assert_int_equal(f->board.kept[8], 3);
    duty_case_pass(&f->d, 100000);
    settle(f);
    assert_int_equal(f->board.keeps, 2); /* nothing new */
    f->board.keep_err = FK_E_RANGE;
    memory_values(f, "104", "0=4");
    assert_int_equal(f->board.keeps, 3);
    assert_int_equal(fk_configmaps_due(&f->c), f->d.now.mono_ms + FK_CONFIGMAP_KEEP_FAILED_MS);
    f->board.keep_err = 0;
    duty_case_pass(&f->d, FK_CONFIGMAP_KEEP_FAILED_MS);
    settle(f);
    assert_int_equal(f->board.kept[8], 4);
    assert_true(fk_configmaps_due(&f->c) == FK_NEVER);
}

/* Neither a change nor the document for a reboot is lost for want of memory. */
static void without_memory_it_is_tried_again(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    memory_values(f, "101", "0=1");
    void *all = fk_heap_alloc(&f->heap, sizeof(union fk_configmap_work));
    assert_non_null(all);
    memory_values(f, "102", "0=2");
    assert_int_equal(f->c.memory[0], 1);
    assert_true(*f->d.request.over); /* this watch ends, the next one brings it again */
    fk_heap_free(&f->heap, all);
    f->c.dirty = true;
    all = fk_heap_alloc(&f->heap, sizeof(union fk_configmap_work));
    const unsigned keeps = f->board.keeps;
    duty_case_pass(&f->d, FK_CONFIGMAP_KEEP_MS);
    settle(f);
    assert_int_equal(f->board.keeps, keeps);
    fk_heap_free(&f->heap, all);
    duty_case_pass(&f->d, FK_CONFIGMAP_KEEP_FAILED_MS);
    settle(f);
    assert_int_equal(f->board.keeps, keeps + 1);
}

/* The first seconds after a start are no sign of unrest. */
static void right_after_a_start_the_second_change_waits_no_longer(void **state) {
    (void)state;
    struct fixture *f = begin("default/rack-1");
    f->d.now.mono_ms = 10;
    list(f, "100", NULL);
    expect(f, WATCH "100&timeoutSeconds=");
    memory_values(f, "101", "0=1");
    memory_values(f, "102", "0=2");
    assert_int_equal(f->board.keeps, 1);
    assert_int_equal(fk_configmaps_due(&f->c), f->d.now.mono_ms + FK_CONFIGMAP_KEEP_MS);
}

/* Flash wears: who never rests is saved ever more rarely, and soon again once there was a rest. */
static void a_change_a_second_wears_no_flash(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    char version[16], values[16];
    for (unsigned i = 0; i < 3600; i++) {
        (void)snprintf(version, sizeof version, "%u", 1000 + i);
        (void)snprintf(values, sizeof values, "0=%u", i % 256);
        memory_values(f, version, values);
        duty_case_pass(&f->d, 1000);
        settle(f);
    }
    assert_true(f->board.keeps <= 13);
    duty_case_pass(&f->d, FK_CONFIGMAP_KEEP_MAX_MS); /* the last of them is saved */
    settle(f);
    duty_case_pass(&f->d, 2 * FK_CONFIGMAP_KEEP_MAX_MS);
    settle(f);
    const unsigned keeps = f->board.keeps;
    memory_values(f, "9000", "0=1");
    assert_int_equal(f->board.keeps, keeps + 1);
    memory_values(f, "9001", "0=2");
    duty_case_pass(&f->d, FK_CONFIGMAP_KEEP_MS);
    settle(f);
    assert_int_equal(f->board.keeps, keeps + 2);
}

static void an_orderly_end_waits_for_nothing(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    memory_values(f, "101", "0=1");
    memory_values(f, "102", "0=2");
    assert_int_equal(f->board.keeps, 1);
    fk_configmaps_flush(&f->c, f->d.now);
    assert_int_equal(f->board.keeps, 2);
    assert_int_equal(f->board.kept[8], 2);
    fk_configmaps_flush(&f->c, f->d.now); /* nothing new */
    assert_int_equal(f->board.keeps, 2);
}

/* The document is written where a change is put together: not while one is arriving. */
static void nothing_is_kept_in_the_middle_of_a_change(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    memory_values(f, "101", "0=1");
    memory_values(f, "102", "0=2");
    duty_case_pass(&f->d, FK_CONFIGMAP_KEEP_MS);
    const char *const data[] = {"memory_values", "0=3,1=3", NULL};
    const struct watch_case_object object = {UID, "103", data};
    static uint8_t buf[1000];
    const struct fk_bytes event = watch_case_event(buf, "MODIFIED", &object);
    feed(f, fk_bytes(event.p, event.len / 2));
    assert_true(fk_configmaps_due(&f->c) == FK_NEVER);
    settle(f);
    assert_int_equal(f->board.keeps, 1);
    feed(f, fk_bytes(event.p + event.len / 2, event.len - event.len / 2));
    settle(f);
    assert_int_equal(f->board.keeps, 2);
    assert_int_equal(f->board.kept[8], 3);
    assert_int_equal(f->board.kept[9], 3);
}

/* Starts again with what the port kept. */
static void reboot(struct fixture *f, const char *refs) {
    memset(&f->c, 0xA5, sizeof f->c);
    f->board.applies = 0;
    f->board.options = defaults;
    start(f, refs);
}

static void a_reboot_brings_it_back(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    const char *const data[] = {"memory_values", "0=1,1023=2", "log_level", "debug", NULL};
    const struct watch_case_object object = {UID, "101", data};
    modify(f, "101", data);
    reboot(f, "default/rack-1");
    const struct fk_configmap *m = &f->c.all[0];
    assert_int_equal(f->c.memory[0], 1);
    assert_int_equal(f->c.memory[1023], 2);
    assert_int_equal(f->board.applies, 1);
    assert_int_equal(f->board.options.log_level, FK_DEBUG);
    assert_int_equal(m->state, FK_CONFIGMAP_UNKNOWN); /* of what is there now */
    assert_string_equal(m->resource_version, "101");
    f->c.memory[0] = 9; /* a program's */
    list(f, "200", &object);
    assert_int_equal(m->state, FK_CONFIGMAP_APPLIED);
    assert_int_equal(f->c.memory[0], 9);
    assert_int_equal(m->applied, 0);
    assert_int_equal(f->board.keeps, 1);
    expect(f, WATCH "200&");
    const char *const less[] = {"memory_values", "0=3", NULL};
    modify(f, "201", less);
    assert_int_equal(f->c.memory[0], 3);
    assert_int_equal(f->board.options.log_level, FK_INFO);
}

static void a_reboot_finds_the_object_gone(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    const char *const data[] = {"memory_values", "0=1", "log_level", "debug", NULL};
    modify(f, "101", data);
    reboot(f, "default/rack-1");
    list(f, "200", NULL);
    assert_int_equal(f->board.options.log_level, FK_INFO);
    assert_int_equal(f->c.memory[0], 1);
    reboot(f, "default/rack-1"); /* and that was kept, too */
    assert_string_equal(f->c.all[0].uid, "");
    assert_int_equal(f->board.applies, 0);
    assert_int_equal(f->c.memory[0], 1);
}

/* Power fails between applying a change and keeping it: it is applied again. */
static void power_loss_before_it_is_kept(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    memory_values(f, "101", "0=1,1=1");
    const char *const data[] = {"memory_values", "0=2", NULL};
    const struct watch_case_object object = {UID, "102", data};
    modify(f, "102", data);
    assert_int_equal(f->c.memory[0], 2);
    reboot(f, "default/rack-1");
    assert_int_equal(f->c.memory[0], 1);
    assert_int_equal(f->c.memory[1], 1);
    list(f, "200", &object);
    assert_int_equal(f->c.memory[0], 2);
    assert_string_equal(f->c.all[0].resource_version, "102");
}

/* Settings that name others: what a ConfigMap set goes with it, the memory stays. */
static void other_settings_after_a_reboot(void **state) {
    (void)state;
    struct fixture *f = begin("default/rack-1,kube-system/all-racks");
    const char *const low[] = {"led_brightness", "10", "log_level", "error", NULL};
    const char *const high[] = {"led_brightness", "90", "memory_values", "0=90", NULL};
    const struct watch_case_object first = {UID, "100", low};
    list(f, "100", &first);
    modify_second(f, "100", high);
    duty_case_pass(&f->d, FK_CONFIGMAP_KEEP_MS);
    settle(f);
    reboot(f, "kube-system/all-racks,default/rack-1"); /* in another order: the last wins still */
    assert_int_equal(f->board.options.led_brightness, 90);
    assert_int_equal(f->board.options.log_level, FK_ERROR);
    assert_string_equal(f->c.all[1].uid, UID);
    reboot(f, "default/rack-1");
    assert_int_equal(f->board.options.led_brightness, 10);
    assert_int_equal(f->c.memory[0], 90);
    reboot(f, "");
    assert_int_equal(f->board.applies, 0);
    assert_int_equal(f->c.count, 0);
    assert_int_equal(f->c.memory[0], 90);
}

/* Flash that lost its mind: each byte damaged in turn, and each length. */
static void a_damaged_document_changes_nothing(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    const char *const data[] = {"memory_values", "0=1", "log_level", "debug", NULL};
    modify(f, "101", data);
    static struct board good;
    good = f->board;
    for (size_t i = 0; i < good.kept_len; i++) {
        f->board = good;
        f->board.kept[i] ^= 0x10;
        reboot(f, "default/rack-1");
        assert_int_equal(f->c.memory[0], 0);
        assert_int_equal(f->board.applies, 0);
        assert_string_equal(f->c.all[0].uid, "");
    }
    for (size_t len = 0; len < good.kept_len; len++) {
        f->board = good;
        f->board.kept_len = len;
        reboot(f, "default/rack-1");
        assert_int_equal(f->c.memory[0], 0);
    }
    f->board = good;
    f->board.kept_len = sizeof f->board.kept; /* longer than any of ours */
    reboot(f, "default/rack-1");
    assert_int_equal(f->c.memory[0], 0);
}

static void a_port_that_keeps_nothing(void **state) {
    (void)state;
    struct fixture *f = begin("default/rack-1");
    static const struct fk_port_ops none = {.keep = NULL};
    f->c.port.ops = &none;
    list(f, "100", NULL);
    expect(f, WATCH);
    const char *const data[] = {"memory_values", "0=1", "log_level", "debug", NULL};
    modify(f, "101", data);
    assert_int_equal(f->c.memory[0], 1);
    assert_true(fk_configmaps_due(&f->c) == FK_NEVER);
    assert_false(fk_configmaps_step(&f->c, f->d.now));
}

/* ---- names ----------------------------------------------------------------------------------- */

static void names_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *refs, *why;
    } rows[] = {
        {"", NULL},
        {"default/rack-1", NULL},
        {"default/rack-1,kube-system/all.racks", NULL},
        {"a/b,c/d,e/f", "more ConfigMaps than 2"},
        {"rack-1", "rack-1 is no ConfigMap: use NAMESPACE/NAME, several with commas between"},
        {"/rack-1", "/rack-1 is no ConfigMap: use NAMESPACE/NAME, several with commas between"},
        {"a/", "a/ is no ConfigMap: use NAMESPACE/NAME, several with commas between"},
        {"a/b/c", "a/b/c is no ConfigMap: use NAMESPACE/NAME, several with commas between"},
        {"a/b,", " is no ConfigMap: use NAMESPACE/NAME, several with commas between"},
        {",a/b", " is no ConfigMap: use NAMESPACE/NAME, several with commas between"},
        {"a/b, c/d", " c/d is no ConfigMap: use NAMESPACE/NAME, several with commas between"},
        {"A/b", "A/b is no ConfigMap: use NAMESPACE/NAME, several with commas between"},
        {"a.b/c", "a.b/c is no ConfigMap: use NAMESPACE/NAME, several with commas between"},
        {"a/b,a/b", "a/b is named twice"},
        {"a/b&c", "a/b&c is no ConfigMap: use NAMESPACE/NAME, several with commas between"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[200];
        struct fk_writer why;
        fk_writer_init(&why, text, sizeof text);
        assert_int_equal(fk_configmaps_check(rows[i].refs, &why),
                         rows[i].why == NULL ? 0 : FK_E_CONFIG);
        assert_int_equal(fk_writer_finish(&why), 0);
        assert_string_equal(text, rows[i].why == NULL ? "" : rows[i].why);
    }
}

static void names_of_every_length(void **state) {
    (void)state;
    for (size_t len = FK_WATCH_NAMES_MAX - 3; len <= FK_WATCH_NAMES_MAX + 3; len++) {
        char refs[FK_WATCH_NAMES_MAX + 10] = "ns/";
        memset(refs + 3, 'a', len - 2);
        refs[len + 1] = '\0';
        char text[200];
        struct fk_writer why;
        fk_writer_init(&why, text, sizeof text);
        const bool fits = len <= FK_WATCH_NAMES_MAX;
        assert_int_equal(fk_configmaps_check(refs, &why), fits ? 0 : FK_E_CONFIG);
        if (!fits) continue;
        struct fixture *f = begin(refs);
        expect(f, "GET /api/v1/namespaces/ns/configmaps?fieldSelector=metadata.name=aaa");
        duty_case_answer(&f->d, 200, FK_REASON_NONE,
                         watch_case_list(f->buf, "123456789012345678901234", NULL));
        expect(f, "GET /api/v1/namespaces/ns/configmaps?fieldSelector=metadata.name=aaa");
    }
    for (size_t len = 63; len <= 64; len++) { /* of a namespace */
        char refs[70];
        memset(refs, 'a', len);
        memcpy(refs + len, "/b", 3);
        char text[200];
        struct fk_writer why;
        fk_writer_init(&why, text, sizeof text);
        assert_int_equal(fk_configmaps_check(refs, &why), len == 63 ? 0 : FK_E_CONFIG);
    }
}

/* ---- the node -------------------------------------------------------------------------------- */

static uint64_t zero_ms(void *ctx) {
    (void)ctx;
    return 0;
}

static void the_status_is_judged_as_often_as_asked_for(void **state) {
    (void)state;
    static struct fk_node node;
    static const struct fk_port_ops clock = {.mono_ms = zero_ms};
    struct fixture *f = begin("default/rack-1");
    const struct fk_node_setup setup = {
        .config = &duty_case_config, .log = &duty_case_log, .port = {&clock, NULL}};
    assert_int_equal(fk_node_init(&node, &setup), 0);
    fk_configmaps_attach(&f->c, &node);
    assert_int_equal(node.extra_count, 1);
    assert_int_equal(node.status.period_ms, 10000);
    assert_ptr_equal(f->events.node_uid, node.registration.uid);
    list(f, "100", NULL);
    expect(f, WATCH);
    const char *const data[] = {"status_period", "5s", NULL};
    modify(f, "101", data);
    assert_int_equal(node.status.period_ms, 5000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_values_set_bytes),
        cmocka_unit_test(what_a_program_wrote_stays),
        cmocka_unit_test(a_bad_value_is_refused_whole_and_named),
        cmocka_unit_test(options_are_set_and_fall_back),
        cmocka_unit_test(periods),
        cmocka_unit_test(every_cut_of_the_golden_watch),
        cmocka_unit_test(a_thousand_changes_in_a_row),
        cmocka_unit_test(every_split_says_the_same),
        cmocka_unit_test(the_same_version_is_not_applied_again),
        cmocka_unit_test(the_same_refusal_is_told_once),
        cmocka_unit_test(a_refusal_is_told_though_it_is_over),
        cmocka_unit_test(an_object_that_is_gone_when_listed),
        cmocka_unit_test(of_several_the_last_change_wins),
        cmocka_unit_test(two_that_arrive_at_once_do_not_mix),
        cmocka_unit_test(without_the_right_it_says_so_and_asks_slowly),
        cmocka_unit_test(a_right_that_is_taken_away),
        cmocka_unit_test(garbage_is_asked_for_ever_more_slowly),
        cmocka_unit_test(a_watch_that_ends_for_nothing_waits),
        cmocka_unit_test(the_first_change_is_kept_at_once_and_then_now_and_again),
        cmocka_unit_test(without_memory_it_is_tried_again),
        cmocka_unit_test(right_after_a_start_the_second_change_waits_no_longer),
        cmocka_unit_test(a_change_a_second_wears_no_flash),
        cmocka_unit_test(an_orderly_end_waits_for_nothing),
        cmocka_unit_test(nothing_is_kept_in_the_middle_of_a_change),
        cmocka_unit_test(a_reboot_brings_it_back),
        cmocka_unit_test(a_reboot_finds_the_object_gone),
        cmocka_unit_test(power_loss_before_it_is_kept),
        cmocka_unit_test(other_settings_after_a_reboot),
        cmocka_unit_test(a_damaged_document_changes_nothing),
        cmocka_unit_test(a_port_that_keeps_nothing),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(names_of_every_length),
        cmocka_unit_test(the_status_is_judged_as_often_as_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
