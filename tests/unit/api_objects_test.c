/* Readers over the replies of a real API server (tests/golden/api/README.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/objects.h"
#include "base/err.h"
#include "support/guard.h"

#define T0_US INT64_C(1782909240000000) /* 2026-07-01T12:34:00Z */
static const char uid[] = "45e5c79f-d99f-41cc-b7b3-40ecac1fb8c9";

/* --- Node --- */

struct seen {
    size_t count;
    struct {
        char type[FK_CONDITION_TYPE_MAX + 1];
        enum fk_condition_status status;
        int64_t transition_us;
    } conditions[8];
};

static void on_condition(void *ctx, const struct fk_node_condition *c) {
    struct seen *s = ctx;
    assert_true(s->count < 8);
    (void)snprintf(s->conditions[s->count].type, sizeof s->conditions[0].type, "%s", c->type);
    s->conditions[s->count].status = c->status;
    s->conditions[s->count++].transition_us = c->transition_us;
}

static int read_node(struct fk_node_reader *r, struct seen *s, struct fk_bytes b, size_t split) {
    *s = (struct seen){.count = 0};
    fk_node_reader_begin(r, on_condition, s);
    (void)fk_node_reader_feed(r, fk_bytes(b.p, split));
    (void)fk_node_reader_feed(r, fk_bytes(b.p + split, b.len - split));
    return fk_node_reader_end(r);
}

static void expect_node(const struct fk_node_reader *r, const struct seen *s) {
    static const struct {
        const char *type;
        enum fk_condition_status status;
        int64_t transition_us;
    } rows[] = {
        {"MemoryPressure", FK_CONDITION_FALSE, T0_US + 1000000},
        {"DiskPressure", FK_CONDITION_UNKNOWN, T0_US + 2000000}, /* its message is cut */
        {"Ready", FK_CONDITION_TRUE, T0_US + 7000000},
        {"example.com/NeverChanged", FK_CONDITION_TRUE, FK_WALL_UNKNOWN},
    };
    assert_string_equal(r->uid, uid);
    assert_int_equal(r->malformed, 0);
    assert_int_equal(s->count, sizeof rows / sizeof rows[0]);
    for (size_t i = 0; i < s->count; i++) {
        assert_string_equal(s->conditions[i].type, rows[i].type);
        assert_int_equal(s->conditions[i].status, rows[i].status);
        assert_true(s->conditions[i].transition_us == rows[i].transition_us);
    }
}

static void a_node_at_every_split(void **state) {
    (void)state;
    struct guard g = guard_golden("api/node.pb");
    struct fk_node_reader r;
    struct seen s;
    for (size_t split = 0; split <= g.len; split++) {
        assert_int_equal(read_node(&r, &s, guard_bytes(&g), split), 0);
        expect_node(&r, &s);
    }
    s.count = 0;
    fk_node_reader_begin(&r, on_condition, &s);
    for (size_t i = 0; i < g.len; i++) (void)fk_node_reader_feed(&r, fk_bytes(g.p + i, 1));
    assert_int_equal(fk_node_reader_end(&r), 0);
    expect_node(&r, &s);
    guard_free(&g);
}

static void a_truncated_node_is_noticed(void **state) {
    (void)state;
    struct guard g = guard_golden("api/node.pb");
    struct fk_node_reader r;
    struct seen s;
    const size_t raw_end = g.len - 4; /* then contentEncoding and contentType, both empty */
    for (size_t len = 0; len < g.len; len++)
        assert_int_equal(read_node(&r, &s, fk_bytes(g.p, len), len / 3),
                         len == raw_end || len == raw_end + 2 ? 0 : FK_E_PARSE);
    guard_free(&g);
}

static void metadata_alone_has_the_uid(void **state) {
    (void)state;
    struct guard g = guard_golden("api/node-partial.pb");
    struct fk_node_reader r;
    fk_node_reader_begin(&r, NULL, NULL);
    assert_int_equal(fk_node_reader_feed(&r, guard_bytes(&g)), 0);
    assert_int_equal(fk_node_reader_end(&r), 0);
    assert_string_equal(r.uid, uid);
    guard_free(&g);
}

/* A Node of one condition: "k8s\0", raw { status { conditions { … } } }. */
static struct fk_bytes one_condition(uint8_t *out, const char *condition, size_t len) {
    memcpy(out, "k8s\0", 4);
    const uint8_t heads[] = {0x12, (uint8_t)(len + 4), 0x1A, (uint8_t)(len + 2),
                             0x22, (uint8_t)len};
    memcpy(out + 4, heads, sizeof heads);
    memcpy(out + 10, condition, len);
    return fk_bytes(out, len + 10);
}

static void odd_conditions(void **state) {
    (void)state;
#define ROW(bytes, ...)                                                                            \
    { bytes, sizeof bytes - 1, __VA_ARGS__ }
    static const struct {
        const char *bytes;
        size_t len;
        size_t count;
        enum fk_condition_status status;
        int64_t transition_us;
    } rows[] = {
        ROW("\x0A\x01R", 1, FK_CONDITION_UNKNOWN, FK_WALL_UNKNOWN),
        ROW("\x0A\x01R\x12\x04True", 1, FK_CONDITION_TRUE, FK_WALL_UNKNOWN),
        ROW("\x0A\x01R\x12\x04true", 1, FK_CONDITION_UNKNOWN, FK_WALL_UNKNOWN),
        ROW("\x0A\x01R\x12\x05"
            "False\x22\x04\x08\x05\x10\x00",
            1, FK_CONDITION_FALSE, 5000000),
        ROW("\x0A\x01R\x22\x05\x08\x01\x10\x88\x27", 1, FK_CONDITION_UNKNOWN, 1000005),
        ROW("\x0A\x01R\x22\x00", 1, FK_CONDITION_UNKNOWN, FK_WALL_UNKNOWN),
        ROW("\x0A\x01R\x22\x0B\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 1,
            FK_CONDITION_UNKNOWN, FK_WALL_UNKNOWN), /* before 1970 */
        ROW("\x0A\x01R\x22\x0A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 1, FK_CONDITION_UNKNOWN,
            FK_WALL_UNKNOWN), /* past 9999 */
        ROW("\x0A\x01R\x22\x07\x08\x01\x10\x80\x94\xEB\xDC\x03", 0, FK_CONDITION_UNKNOWN, 0),
        ROW("\x12\x04True", 0, FK_CONDITION_UNKNOWN, 0),
        ROW("\x0A\x01R\x12\x08"
            "Whatever",
            0, FK_CONDITION_UNKNOWN, 0),
        ROW("\x0A\x05R", 0, FK_CONDITION_UNKNOWN, 0),
        ROW("\x0B", 0, FK_CONDITION_UNKNOWN, 0),
        ROW("", 0, FK_CONDITION_UNKNOWN, 0),
    };
#undef ROW
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[128];
        struct fk_node_reader r;
        struct seen s;
        assert_int_equal(read_node(&r, &s, one_condition(out, rows[i].bytes, rows[i].len), 0), 0);
        assert_int_equal(s.count, rows[i].count);
        assert_int_equal(r.malformed, 1 - rows[i].count);
        if (s.count == 0) continue;
        assert_int_equal(s.conditions[0].status, rows[i].status);
        assert_true(s.conditions[0].transition_us == rows[i].transition_us);
    }
}

static void a_uid_is_36_bytes_at_most(void **state) {
    (void)state;
    static const char body[] = "k8s\0\x12\x29\x0A\x27\x2A\x25"
                               "0123456789012345678901234567890123456";
    struct fk_node_reader r;
    struct seen s;
    assert_int_equal(read_node(&r, &s, fk_bytes(body, sizeof body - 1), 0), 0);
    assert_string_equal(r.uid, "");
    assert_int_equal(r.malformed, 1);
}

/* --- Lease --- */

static int read_lease(struct fk_lease_reader *r, const char *self, struct fk_bytes b,
                      size_t split) {
    fk_lease_reader_begin(r, self);
    (void)fk_lease_reader_feed(r, fk_bytes(b.p, split));
    (void)fk_lease_reader_feed(r, fk_bytes(b.p + split, b.len - split));
    return fk_lease_reader_end(r);
}

static void a_lease_at_every_split(void **state) {
    (void)state;
    struct guard g = guard_golden("api/lease.pb");
    struct fk_lease_reader r;
    for (size_t split = 0; split <= g.len; split++) {
        assert_int_equal(read_lease(&r, "femto-0", guard_bytes(&g), split), 0);
        assert_int_equal(r.holder, FK_HOLDER_SELF);
        assert_int_equal(r.duration_s, 40);
        assert_true(r.renew_us == T0_US + 179456789); /* 12:36:59.456789 */
    }
    assert_int_equal(read_lease(&r, "femto-00", guard_bytes(&g), 0), 0);
    assert_int_equal(r.holder, FK_HOLDER_OTHER);
    guard_free(&g);
}

static void a_truncated_lease_is_noticed(void **state) {
    (void)state;
    struct guard g = guard_golden("api/lease.pb");
    struct fk_lease_reader r;
    const size_t raw_end = g.len - 4;
    for (size_t len = 0; len < g.len; len++)
        assert_int_equal(read_lease(&r, "femto-0", fk_bytes(g.p, len), len / 3),
                         len == raw_end || len == raw_end + 2 ? 0 : FK_E_PARSE);
    guard_free(&g);
}

static void an_empty_lease_has_nothing(void **state) {
    (void)state;
    struct guard g = guard_golden("api/lease-empty.pb");
    struct fk_lease_reader r;
    assert_int_equal(read_lease(&r, "femto-0", guard_bytes(&g), 0), 0);
    assert_int_equal(r.holder, FK_HOLDER_NONE);
    assert_int_equal(r.duration_s, -1);
    assert_true(r.renew_us == FK_WALL_UNKNOWN);
    guard_free(&g);
}

static void odd_leases(void **state) {
    (void)state;
    /* spec { leaseDurationSeconds: -1, renewTime: broken } */
    static const char broken[] =
        "k8s\0\x12\x10\x12\x0E\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x22\x01\x08";
    struct fk_lease_reader r;
    assert_int_equal(read_lease(&r, "n", fk_bytes(broken, sizeof broken - 1), 0), 0);
    assert_int_equal(r.duration_s, -1);
    assert_true(r.renew_us == FK_WALL_UNKNOWN);
    assert_int_equal(r.holder, FK_HOLDER_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_at_every_split),
        cmocka_unit_test(a_truncated_node_is_noticed),
        cmocka_unit_test(metadata_alone_has_the_uid),
        cmocka_unit_test(odd_conditions),
        cmocka_unit_test(a_uid_is_36_bytes_at_most),
        cmocka_unit_test(a_lease_at_every_split),
        cmocka_unit_test(a_truncated_lease_is_noticed),
        cmocka_unit_test(an_empty_lease_has_nothing),
        cmocka_unit_test(odd_leases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
