/* /femto/status, /femto/memory, /femto/gpio, /femto/led. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/house.h"

static struct house h;

/* ---- /femto/status -----------------------------------------------------------------------------
 */

static void an_hour(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/femto/status"), 200);
    house_check_json(&h);
    house_check_golden(&h, "serve/status.json");
}

static void just_started(void **state) {
    (void)state;
    house_begin(&h);
    h.node.lease.renewed_ms = FK_NEVER;
    assert_int_equal(house_ask(&h, "/femto/status"), 200);
    house_check_json(&h);
    house_check_golden(&h, "serve/status-start.json");
    h.ops.figures = NULL;
    assert_int_equal(house_ask(&h, "/femto/status"), 200);
    house_check_json(&h);
}

static void connection_states(void **state) {
    (void)state;
    static const struct {
        enum fk_link_state state;
        const char *says;
    } rows[] = {
        {FK_LINK_DOWN, "\"state\":\"down\","},
        {FK_LINK_CONNECTING, "\"state\":\"connecting\","},
        {FK_LINK_UP, "\"state\":\"up\","},
        {FK_LINK_DRAINING, "\"state\":\"draining\","},
        {FK_LINK_LEAVING, "\"state\":\"leaving\","},
    };
    house_hour(&h);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        h.node.client.state = rows[i].state;
        assert_int_equal(house_ask(&h, "/femto/status"), 200);
        assert_non_null(strstr(h.body, rows[i].says));
    }
}

static void configmap_states(void **state) {
    (void)state;
    static const char *const says[] = {
        [FK_CONFIGMAP_UNKNOWN] = "\"unknown\"",
        [FK_CONFIGMAP_ABSENT] = "\"absent\"",
        [FK_CONFIGMAP_APPLIED] = "\"applied\"",
        [FK_CONFIGMAP_REFUSED] = "\"refused\"",
    };
    house_hour(&h);
    h.configmaps.count = 1;
    for (unsigned i = 0; i < 4; i++) {
        h.configmaps.all[0].state = (enum fk_configmap_state)i;
        assert_int_equal(house_ask(&h, "/femto/status"), 200);
        house_check_json(&h);
        assert_non_null(strstr(h.body, says[i]));
    }
    h.configmaps.count = 0;
    assert_int_equal(house_ask(&h, "/femto/status"), 200);
    house_check_json(&h);
}

/* Adopted conditions have a status and no reason of ours; names and messages are as long as they
 * may be; each item still fits. */
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
    h.address = "fd00:1111:2222:3333:4444:5555:6666:7777";
    h.node.lease.renewals = h.node.lease.failures = UINT32_MAX;
    h.now.mono_ms = UINT64_MAX / 2;
    for (unsigned i = 0; i < FK_CONFIGMAPS_MAX; i++) {
        struct fk_configmap *c = &h.configmaps.all[i];
        c->ref = ref;
        c->applied = c->refused = UINT32_MAX;
        memset(c->resource_version, '9', sizeof c->resource_version - 1);
        memset(c->why, '"', sizeof c->why - 1);
    }
    for (size_t i = 0; i < FK_CONDITIONS; i++) {
        h.node.conditions.all[i].known = true;
        h.node.conditions.all[i].now.reason = i % 2 == 0 ? NULL : "KubeletHasInsufficientMemory";
    }
    assert_int_equal(house_ask(&h, "/femto/status"), 200);
    house_check_json(&h);
}

/* ---- /femto/memory -----------------------------------------------------------------------------
 */

static void memory_as_bytes(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/femto/memory"), 200);
    assert_string_equal(h.content_type, "application/octet-stream");
    assert_int_equal(h.len, FK_MEMORY_BYTES);
    assert_memory_equal(h.body, h.configmaps.memory, FK_MEMORY_BYTES);
    assert_int_equal(house_ask(&h, "/femto/memory?offset=0x10&length=3&format=bytes"), 200);
    assert_int_equal(h.len, 3);
    assert_memory_equal(h.body, h.configmaps.memory + 16, 3);
}

static void memory_as_json(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/femto/memory?format=json&offset=2&length=4"), 200);
    house_check_json(&h);
    assert_string_equal(h.body, "{\"size\":1024,\"writes\":7,\"offset\":2,\"length\":4,"
                                "\"bytes\":[14,21,28,35]}");
    memset(h.configmaps.memory, 0xff, sizeof h.configmaps.memory);
    for (unsigned length = 0; length <= 130; length++) { /* around the pieces' edges */
        char target[64];
        (void)snprintf(target, sizeof target, "/femto/memory?format=json&length=%u", length);
        assert_int_equal(house_ask(&h, target), 200);
        house_check_json(&h);
        unsigned bytes = 0;
        for (const char *at = h.body; (at = strstr(at, "255")) != NULL; at += 3) bytes++;
        assert_int_equal(bytes, length);
    }
    assert_int_equal(house_ask(&h, "/femto/memory?format=json"), 200);
    house_check_json(&h);
}

static void memory_ranges(void **state) {
    (void)state;
    static const struct {
        const char *query;
        int status;
        size_t len;
    } rows[] = {
        {"offset=0", 200, 1024},
        {"offset=1023", 200, 1},
        {"offset=1024", 200, 0},
        {"offset=1025", 400, 0},
        {"offset=0x400", 200, 0},
        {"offset=0X3fF", 200, 1},
        {"offset=0x401", 400, 0},
        {"length=0", 200, 0},
        {"length=1024", 200, 1024},
        {"length=1025", 400, 0},
        {"offset=1&length=1023", 200, 1023},
        {"offset=1&length=1024", 400, 0},
        {"offset=", 400, 0},
        {"offset", 400, 0},
        {"length=", 400, 0},
        {"offset=-1", 400, 0},
        {"offset=+1", 400, 0},
        {"offset=1.0", 400, 0},
        {"offset=0x", 400, 0},
        {"offset=0xg", 400, 0},
        {"offset=1a", 400, 0},
        {"offset=18446744073709551616", 400, 0},
        {"offset=4294967296", 400, 0},
        {"offset=00000000016", 200, 1008},
        {"offset=000000000016", 400, 0}, /* longer than any number of ours */
        {"offset=%31%36", 200, 1008},
        {"offset=%3", 400, 0},
        {"offset=1%00", 400, 0},
        {"format=", 400, 0},
        {"format=hex", 400, 0},
        {"format=JSON", 400, 0},
        {"format=bytes%00", 400, 0},
        {"format=jsonjsonjson", 400, 0},
        {"other=1", 200, 1024},
        {"&&&", 200, 1024},
    };
    house_hour(&h);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char target[96];
        (void)snprintf(target, sizeof target, "/femto/memory?%s", rows[i].query);
        if (house_ask(&h, target) != rows[i].status || h.len != rows[i].len)
            fail_msg("%s: %zu bytes", target, h.len);
        if (rows[i].status == 400) assert_non_null(h.message);
    }
}

/* A change between two pieces must not be read by halves: the answer breaks off. */
static void memory_that_changes(void **state) {
    (void)state;
    static const char *const targets[] = {"/femto/memory?format=json", "/femto/memory"};
    for (size_t i = 0; i < 2; i++) {
        house_hour(&h);
        assert_int_equal(house_ask(&h, targets[i]), 200);
        char piece[FK_HTTP1_ITEM_MAX];
        struct fk_writer w;
        uint32_t cursor = 0;
        if (i == 0) { /* the head says nothing about the bytes */
            fk_writer_init(&w, piece, sizeof piece);
            assert_true(h.exchange.items(&h.exchange, &cursor, &w));
            assert_int_equal(w.err, 0);
        }
        h.configmaps.writes++;
        fk_writer_init(&w, piece, sizeof piece);
        assert_true(h.exchange.items(&h.exchange, &cursor, &w));
        assert_int_not_equal(w.err, 0);
        assert_int_equal(w.len, 0);
    }
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static void pins(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/femto/gpio"), 200);
    house_check_json(&h);
    assert_string_equal(h.body, "{\"pins\":[{\"name\":\"button0\",\"output\":false,\"level\":true},"
                                "{\"name\":\"led0\",\"output\":true,\"level\":false}]}");
    h.pin_count = 0;
    assert_int_equal(house_ask(&h, "/femto/gpio"), 200);
    assert_string_equal(h.body, "{\"pins\":[]}");
}

static void led(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/femto/led"), 200);
    house_check_json(&h);
    assert_string_equal(h.body,
                        "{\"pattern\":\"healthy\",\"color\":\"#00260a\",\"brightness\":15}");
}

static void nothing_of_the_kind(void **state) {
    (void)state;
    static const char *const targets[] = {"/femto/memory", "/femto/gpio", "/femto/led"};
    house_begin(&h);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(house_ask(&h, targets[i]), 404);
        assert_non_null(h.message);
    }
    h.ops.figures = NULL;
    assert_int_equal(house_ask(&h, "/femto/led"), 404);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour),
        cmocka_unit_test(just_started),
        cmocka_unit_test(connection_states),
        cmocka_unit_test(configmap_states),
        cmocka_unit_test(everything_at_its_edge),
        cmocka_unit_test(memory_as_bytes),
        cmocka_unit_test(memory_as_json),
        cmocka_unit_test(memory_ranges),
        cmocka_unit_test(memory_that_changes),
        cmocka_unit_test(pins),
        cmocka_unit_test(led),
        cmocka_unit_test(nothing_of_the_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
