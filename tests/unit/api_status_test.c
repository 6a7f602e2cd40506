/* Verdicts, and Status objects as an API server sends them (tests/golden/api/README.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/status.h"
#include "base/err.h"
#include "support/guard.h"

static void verdicts(void **state) {
    (void)state;
    static const struct {
        int status;
        enum fk_reason reason;
        enum fk_verdict verdict;
    } rows[] = {
        {FK_E_TIMEOUT, FK_REASON_NONE, FK_VERDICT_RETRY},
        {FK_E_CANCELLED, FK_REASON_NONE, FK_VERDICT_RETRY},
        {0, FK_REASON_NONE, FK_VERDICT_RETRY},
        {200, FK_REASON_NONE, FK_VERDICT_OK},
        {201, FK_REASON_NONE, FK_VERDICT_OK},
        {299, FK_REASON_NONE, FK_VERDICT_OK},
        {301, FK_REASON_NONE, FK_VERDICT_REJECTED},
        {400, FK_REASON_OTHER, FK_VERDICT_REJECTED},
        {401, FK_REASON_UNAUTHORIZED, FK_VERDICT_REFUSED},
        {403, FK_REASON_FORBIDDEN, FK_VERDICT_REFUSED},
        {404, FK_REASON_NOT_FOUND, FK_VERDICT_ABSENT},
        {405, FK_REASON_OTHER, FK_VERDICT_REJECTED},
        {408, FK_REASON_NONE, FK_VERDICT_RETRY},
        {409, FK_REASON_ALREADY_EXISTS, FK_VERDICT_EXISTS},
        {409, FK_REASON_CONFLICT, FK_VERDICT_CONFLICT},
        {409, FK_REASON_NONE, FK_VERDICT_CONFLICT},
        {410, FK_REASON_GONE, FK_VERDICT_STALE},
        {410, FK_REASON_EXPIRED, FK_VERDICT_STALE},
        {413, FK_REASON_NONE, FK_VERDICT_REJECTED},
        {415, FK_REASON_OTHER, FK_VERDICT_REJECTED},
        {422, FK_REASON_INVALID, FK_VERDICT_REJECTED},
        {429, FK_REASON_TOO_MANY_REQUESTS, FK_VERDICT_RETRY},
        {500, FK_REASON_INTERNAL_ERROR, FK_VERDICT_RETRY},
        {502, FK_REASON_NONE, FK_VERDICT_RETRY},
        {503, FK_REASON_SERVICE_UNAVAILABLE, FK_VERDICT_RETRY},
        {504, FK_REASON_SERVER_TIMEOUT, FK_VERDICT_RETRY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(fk_status_verdict(rows[i].status, rows[i].reason), rows[i].verdict);
}

/* Feeds two pieces and then nothing more. */
static void read_split(struct fk_status_reader *r, enum fk_h2_content content,
                       struct fk_bytes bytes, size_t split) {
    fk_status_begin(r, content);
    fk_status_feed(r, fk_bytes(bytes.p, split));
    fk_status_feed(r, fk_bytes(bytes.p + split, bytes.len - split));
    assert_int_equal(r->seen, bytes.len);
    assert_true(strlen(r->message) < FK_MESSAGE_MAX);
}

static void expect(enum fk_h2_content content, struct fk_bytes bytes, enum fk_reason reason,
                   int32_t retry_after_s, const char *message) {
    struct fk_status_reader r;
    for (size_t split = 0; split <= bytes.len; split++) {
        read_split(&r, content, bytes, split);
        assert_int_equal(r.reason, reason);
        assert_int_equal(r.retry_after_s, retry_after_s);
        assert_string_equal(r.message, message);
    }
    fk_status_begin(&r, content);
    for (size_t i = 0; i < bytes.len; i++) fk_status_feed(&r, fk_bytes(bytes.p + i, 1));
    assert_string_equal(r.message, message);
}

static void replies_of_a_real_server(void **state) {
    (void)state;
    static const struct {
        const char *file;
        enum fk_reason reason;
        int32_t retry_after_s;
        const char *message;
    } rows[] = {
        {"exists", FK_REASON_ALREADY_EXISTS, -1,
         "leases.coordination.k8s.io \"femto-0\" already exists"},
        {"notfound", FK_REASON_NOT_FOUND, -1, "leases.coordination.k8s.io \"femto-0\" not found"},
        {"unauthorized", FK_REASON_UNAUTHORIZED, -1, "Unauthorized"},
        {"toomany", FK_REASON_TOO_MANY_REQUESTS, 17, "the server has asked for patience"},
        {"invalid", FK_REASON_INVALID, -1,
         "Lease.coordination.k8s.io \"femto-0\" is invalid: spec.leaseDurationSeconds: Invalid "
         "value: -1: must be greater than 0"},
        /* Longer than we keep. */
        {"conflict", FK_REASON_CONFLICT, -1,
         "Operation cannot be fulfilled on leases.coordination.k8s.io \"femto-0\": the object has "
         "been modified; please apply your changes"},
        {"forbidden", FK_REASON_FORBIDDEN, -1,
         "leases.coordination.k8s.io \"femto-1\" is forbidden: User \"system:node:femto-0\" "
         "cannot get resource \"leases\" in API group \"coordi"},
        /* Longer than a leaf is collected. */
        {"forbidden-long", FK_REASON_FORBIDDEN, -1,
         "leases.coordination.k8s.io \"femto-0\" is forbidden: User \"system:node:femto-1\" "
         "cannot patch resource \"leases\" in API group \"coor"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "api/status-%s.pb", rows[i].file);
        struct guard g = guard_golden(name);
        expect(FK_CONTENT_PROTOBUF, guard_bytes(&g), rows[i].reason, rows[i].retry_after_s,
               rows[i].message);
        guard_free(&g);
    }
}

/* The client reads FK_ERROR_BODY_MAX bytes at most: the reader says what it knows by then. */
static void a_cut_status_keeps_what_came(void **state) {
    (void)state;
    struct guard g = guard_golden("api/status-forbidden-long.pb");
    for (size_t len = 0; len < g.len; len++) {
        struct guard part = guard_copy(fk_bytes(g.p, len));
        struct fk_status_reader r;
        read_split(&r, FK_CONTENT_PROTOBUF, guard_bytes(&part), len / 2);
        if (len >= 400)
            assert_memory_equal(r.message, "leases.coordination.k8s.io \"femto-0\" is forb", 40);
        guard_free(&part);
    }
    guard_free(&g);
}

/* "k8s\0", raw = the given Status fields. */
static struct fk_bytes envelop(uint8_t *out, const char *status, size_t len) {
    memcpy(out, "k8s\0\x12", 5);
    out[5] = (uint8_t)len;
    memcpy(out + 6, status, len);
    return fk_bytes(out, len + 6);
}
#define STATUS(bytes) envelop((uint8_t[160]){0}, bytes, sizeof bytes - 1)

static void retry_after_is_bounded(void **state) {
    (void)state;
    expect(FK_CONTENT_PROTOBUF, STATUS("\x2A\x02\x28\x00"), FK_REASON_NONE, -1, "");
    expect(FK_CONTENT_PROTOBUF, STATUS("\x2A\x05\x28\xFF\xFF\xFF\x07"), FK_REASON_NONE, 86400, "");
    expect(FK_CONTENT_PROTOBUF, STATUS("\x2A\x0B\x28\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
           FK_REASON_NONE, -1, ""); /* -1 */
}

static void reasons_beyond_the_list(void **state) {
    (void)state;
    expect(FK_CONTENT_PROTOBUF, STATUS("\x22\x00"), FK_REASON_NONE, -1, "");
    expect(FK_CONTENT_PROTOBUF, STATUS("\x22\x03New"), FK_REASON_OTHER, -1, "");
    expect(FK_CONTENT_PROTOBUF, STATUS("\x22\x12ServiceUnavailable"), FK_REASON_SERVICE_UNAVAILABLE,
           -1, "");
    expect(FK_CONTENT_PROTOBUF, STATUS("\x22\x13ServiceUnavailableX"), FK_REASON_OTHER, -1, "");
}

static void messages_are_made_printable(void **state) {
    (void)state;
    expect(FK_CONTENT_PROTOBUF, STATUS("\x1A\x0C \n a\x01\xC3\xBC\tb \r\n"), FK_REASON_NONE, -1,
           "a??? b");
}

static void other_bodies(void **state) {
    (void)state;
    static const struct {
        enum fk_h2_content content;
        const char *body, *message;
    } rows[] = {
        {FK_CONTENT_OTHER, "", ""},
        {FK_CONTENT_OTHER, "Too many requests, please try again later.\n",
         "Too many requests, please try again later."},
        {FK_CONTENT_PROTOBUF, "not protobuf at all", ""},
        {FK_CONTENT_HTML, "", "an HTML page, not an API answer"},
        {FK_CONTENT_HTML, "<html><head>\n<TITLE> 502 Bad\nGateway </Title></head><body>no</body>",
         "an HTML page, not an API answer: 502 Bad Gateway"},
        {FK_CONTENT_HTML, "<t<title>a</title><title>b</title>",
         "an HTML page, not an API answer: a"},
        {FK_CONTENT_HTML, "<p>title>", "an HTML page, not an API answer"},
        {FK_CONTENT_JSON, "{\"code\":1}", "{\"code\":1}"},
        {FK_CONTENT_JSON,
         "{\"kind\":\"Status\",\"message\":\"nodes \\\"x\\\" not\\nfound\",\"x\":1}",
         "nodes \"x\" not found"},
        {FK_CONTENT_JSON, "{\n  \"message\": \"spaced\",\n  \"message\": \"again\"\n}", "spaced"},
        {FK_CONTENT_JSON, "{\"message\":\"\"}", ""},
        {FK_CONTENT_JSON, "{\"mess\"message\":\"x", "x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct guard g = guard_copy(fk_bytes_str(rows[i].body));
        expect(rows[i].content, guard_bytes(&g), FK_REASON_NONE, -1, rows[i].message);
        guard_free(&g);
    }
    struct guard g = guard_golden("api/status-forbidden.json");
    expect(FK_CONTENT_JSON, guard_bytes(&g), FK_REASON_NONE, -1,
           "leases.coordination.k8s.io \"femto-1\" is forbidden: User \"system:node:femto-0\" "
           "cannot get resource \"leases\" in API group \"coordi");
    guard_free(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(replies_of_a_real_server),
        cmocka_unit_test(a_cut_status_keeps_what_came),
        cmocka_unit_test(retry_after_is_bounded),
        cmocka_unit_test(reasons_beyond_the_list),
        cmocka_unit_test(messages_are_made_printable),
        cmocka_unit_test(other_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
