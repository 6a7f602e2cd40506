/* How long a duty waits after each kind of answer, and what it tells the operator. */
#include "kubelet/duty.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"

/* ---- the log, caught ------------------------------------------------------------------------ */

#define KVS_MAX 8

struct caught {
    unsigned lines;
    enum fk_level level;
    char message[32];
    struct fk_kv kvs[KVS_MAX];
    size_t count;
};

static void take(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    struct caught *c = ctx;
    assert_in_range(count, 1, KVS_MAX);
    assert_true(strlen(message) < sizeof c->message);
    c->lines++;
    c->level = level;
    memcpy(c->message, message, strlen(message) + 1);
    memcpy(c->kvs, kvs, count * sizeof *kvs);
    c->count = count;
}

static const struct fk_kv *value_of(const struct caught *c, const char *key) {
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->kvs[i].key, key) == 0) return &c->kvs[i];
    fail_msg("the line has no %s", key);
    return NULL;
}
static const char *text_of(const struct caught *c, const char *key) {
    const struct fk_kv *kv = value_of(c, key);
    assert_non_null(kv->str);
    return kv->str;
}
static int64_t number_of(const struct caught *c, const char *key) {
    const struct fk_kv *kv = value_of(c, key);
    assert_null(kv->str);
    return kv->num;
}

struct fixture {
    struct fk_rng rng;
    struct fk_retry retry;
    struct fk_log log;
    struct caught caught;
    struct fk_duty_env env;
};

static void begin(struct fixture *f) {
    memset(f, 0, sizeof *f);
    f->env = duty_case_env(&f->rng);
    f->log = (struct fk_log){FK_DEBUG, &f->caught, take};
    f->env.log = &f->log;
    fk_retry_init(&f->retry);
}

static uint32_t after(struct fixture *f, int status, enum fk_reason reason) {
    const struct fk_response response = {.status = status, .reason = reason, .message = ""};
    return fk_retry_after(&f->retry, &f->env, "test", &response);
}

/* The delay, more or less a quarter. */
static void assert_about(uint32_t wait_ms, uint32_t delay_ms) {
    assert_in_range(wait_ms, delay_ms - delay_ms / 4, delay_ms + delay_ms / 4);
}

/* ---- how long ------------------------------------------------------------------------------- */

struct row {
    int status;
    enum fk_reason reason;
    enum fk_verdict verdict;
    bool slow; /* as after a refusal */
};

static const struct row rows[] = {
    {FK_E_CLOSED, FK_REASON_NONE, FK_VERDICT_RETRY, false},
    {FK_E_TIMEOUT, FK_REASON_NONE, FK_VERDICT_RETRY, false},
    {FK_E_CANCELLED, FK_REASON_NONE, FK_VERDICT_RETRY, false},
    {FK_E_BUSY, FK_REASON_NONE, FK_VERDICT_RETRY, false},
    {FK_E_PARSE, FK_REASON_NONE, FK_VERDICT_RETRY, false},
    {408, FK_REASON_TIMEOUT, FK_VERDICT_RETRY, false},
    {429, FK_REASON_TOO_MANY_REQUESTS, FK_VERDICT_RETRY, false},
    {500, FK_REASON_INTERNAL_ERROR, FK_VERDICT_RETRY, false},
    {503, FK_REASON_SERVICE_UNAVAILABLE, FK_VERDICT_RETRY, false},
    {404, FK_REASON_NOT_FOUND, FK_VERDICT_ABSENT, false},
    {409, FK_REASON_ALREADY_EXISTS, FK_VERDICT_EXISTS, false},
    {409, FK_REASON_CONFLICT, FK_VERDICT_CONFLICT, false},
    {410, FK_REASON_EXPIRED, FK_VERDICT_STALE, false},
    {401, FK_REASON_UNAUTHORIZED, FK_VERDICT_REFUSED, true},
    {403, FK_REASON_FORBIDDEN, FK_VERDICT_REFUSED, true},
    {301, FK_REASON_NONE, FK_VERDICT_REJECTED, true},
    {400, FK_REASON_OTHER, FK_VERDICT_REJECTED, true},
    {413, FK_REASON_NONE, FK_VERDICT_REJECTED, true},
    {422, FK_REASON_INVALID, FK_VERDICT_REJECTED, true},
};
#define ROWS (sizeof rows / sizeof rows[0])

static void each_verdict_waits_twice_as_long_each_time_up_to_its_cap(void **state) {
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const uint32_t max_ms = rows[i].slow ? FK_REFUSED_MAX_MS : FK_RETRY_MAX_MS;
        struct fixture f;
        begin(&f);
        assert_int_equal(fk_status_verdict(rows[i].status, rows[i].reason), rows[i].verdict);
        for (int round = 0; round < 2; round++) {
            uint32_t delay_ms = rows[i].slow ? FK_REFUSED_MIN_MS : FK_RETRY_MIN_MS;
            for (int call = 0; call < 10; call++) {
                assert_about(after(&f, rows[i].status, rows[i].reason), delay_ms);
                delay_ms = delay_ms * 2 < max_ms ? delay_ms * 2 : max_ms;
            }
            fk_retry_reset(&f.retry); /* from the start */
        }
        assert_int_equal(f.caught.lines, 20);
    }
}

static void failures_and_refusals_grow_apart(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    for (int i = 0; i < 10; i++) (void)after(&f, 500, FK_REASON_NONE);
    assert_about(after(&f, 403, FK_REASON_NONE), FK_REFUSED_MIN_MS);
    assert_about(after(&f, 403, FK_REASON_NONE), 2 * FK_REFUSED_MIN_MS);
    assert_about(after(&f, 500, FK_REASON_NONE), FK_RETRY_MAX_MS);
    fk_retry_reset(&f.retry);
    assert_about(after(&f, 500, FK_REASON_NONE), FK_RETRY_MIN_MS);
    assert_about(after(&f, 403, FK_REASON_NONE), FK_REFUSED_MIN_MS);
}

static void the_first_turn_is_at_once(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    for (int round = 0; round < 2; round++) {
        uint32_t delay_ms = FK_RETRY_MIN_MS;
        assert_int_equal(fk_retry_turn(&f.retry, &f.env), 0);
        for (int call = 0; call < 10; call++) {
            assert_about(fk_retry_turn(&f.retry, &f.env), delay_ms);
            delay_ms = delay_ms * 2 < FK_RETRY_MAX_MS ? delay_ms * 2 : FK_RETRY_MAX_MS;
        }
        fk_retry_reset(&f.retry);
    }
    assert_int_equal(f.caught.lines, 0); /* an ordinary course of things */
}

static void turns_and_failures_grow_together(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    assert_about(after(&f, 500, FK_REASON_NONE), FK_RETRY_MIN_MS);
    assert_int_equal(fk_retry_turn(&f.retry, &f.env), 0); /* a failure is no turn */
    assert_about(fk_retry_turn(&f.retry, &f.env), 2 * FK_RETRY_MIN_MS);
    assert_about(after(&f, 500, FK_REASON_NONE), 4 * FK_RETRY_MIN_MS);
}

/* ---- Retry-After ---------------------------------------------------------------------------- */

struct asked_row {
    uint32_t asked_ms, least_ms, most_ms;
};

static void retry_after_is_heeded_within_reason(void **state) {
    (void)state;
    static const struct asked_row asked[] = {
        {0, 150, 250},
        {150, 150, 250}, /* below what we would wait anyway */
        {1000, 1000, 1250},
        {FK_RETRY_AFTER_MAX_MS - 1, FK_RETRY_AFTER_MAX_MS - 1, FK_RETRY_AFTER_MAX_MS * 5 / 4},
        {FK_RETRY_AFTER_MAX_MS, FK_RETRY_AFTER_MAX_MS, FK_RETRY_AFTER_MAX_MS * 5 / 4},
        {FK_RETRY_AFTER_MAX_MS + 1, FK_RETRY_AFTER_MAX_MS, FK_RETRY_AFTER_MAX_MS * 5 / 4},
        {86400000, FK_RETRY_AFTER_MAX_MS, FK_RETRY_AFTER_MAX_MS * 5 / 4},
        {UINT32_MAX, FK_RETRY_AFTER_MAX_MS, FK_RETRY_AFTER_MAX_MS * 5 / 4},
    };
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        uint32_t least_ms = UINT32_MAX, most_ms = 0;
        for (int n = 0; n < 2000; n++) {
            const struct fk_response response = {429, asked[i].asked_ms,
                                                 FK_REASON_TOO_MANY_REQUESTS, ""};
            fk_retry_reset(&f.retry);
            const uint32_t wait_ms = fk_retry_after(&f.retry, &f.env, "test", &response);
            if (wait_ms < least_ms) least_ms = wait_ms;
            if (wait_ms > most_ms) most_ms = wait_ms;
        }
        assert_in_range(least_ms, asked[i].least_ms, asked[i].least_ms * 21 / 20);
        assert_in_range(most_ms, asked[i].most_ms * 19 / 20, asked[i].most_ms); /* spread out */
    }
}

static void retry_after_never_shortens_a_wait(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    for (int i = 0; i < 8; i++) (void)after(&f, 503, FK_REASON_NONE);
    const struct fk_response soon = {503, 1000, FK_REASON_NONE, ""};
    assert_about(fk_retry_after(&f.retry, &f.env, "test", &soon), FK_RETRY_MAX_MS);
    const struct fk_response refused = {403, 1000, FK_REASON_NONE, ""};
    assert_about(fk_retry_after(&f.retry, &f.env, "test", &refused), FK_REFUSED_MIN_MS);
}

/* ---- what the operator sees ----------------------------------------------------------------- */

struct line_row {
    int status;
    const char *message, *advice; /* a part of it; "": there must be none */
};

static void the_line_says_what_failed_and_what_to_do(void **state) {
    (void)state;
    static const struct line_row lines[] = {
        {401, "Unauthorized", "does not know this node's credentials"},
        {403, "nodes is forbidden", "group system:nodes"},
        {300, "", "not an API server's address"},
        {301, "Moved", "not an API server's address"},
        {399, "", "not an API server's address"},
        {400, "bad request", ""},
        {422, "spec.taints: Invalid value", ""},
        {429, "Too many requests", ""},
        {500, "etcdserver: leader changed", ""},
        {FK_E_TIMEOUT, "no answer in time", ""},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct fixture f;
        begin(&f);
        const struct fk_response response = {.status = lines[i].status,
                                             .message = lines[i].message};
        const uint32_t wait_ms = fk_retry_after(&f.retry, &f.env, "node status", &response);
        assert_int_equal(f.caught.lines, 1);
        assert_int_equal(f.caught.level, FK_WARN);
        assert_string_equal(f.caught.message, "request failed");
        assert_string_equal(text_of(&f.caught, "what"), "node status");
        assert_int_equal(number_of(&f.caught, "status"), lines[i].status);
        assert_string_equal(text_of(&f.caught, "message"), lines[i].message);
        assert_int_equal(number_of(&f.caught, "retry_ms"), wait_ms);
        const char *advice = text_of(&f.caught, "advice");
        if (lines[i].advice[0] == '\0') assert_string_equal(advice, "");
        else if (strstr(advice, lines[i].advice) == NULL) fail_msg("row %zu: %s", i, advice);
    }
}

static void what_we_ended_ourselves_is_no_warning(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    (void)after(&f, FK_E_CANCELLED, FK_REASON_NONE);
    assert_int_equal(f.caught.lines, 1);
    assert_int_equal(f.caught.level, FK_DEBUG);
    f.log.level = FK_INFO;
    (void)after(&f, FK_E_CANCELLED, FK_REASON_NONE);
    assert_int_equal(f.caught.lines, 1);
    (void)after(&f, FK_E_CLOSED, FK_REASON_NONE);
    assert_int_equal(f.caught.lines, 2);
    assert_int_equal(f.caught.level, FK_WARN);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void a_request_begins_with_nothing_but_its_path(void **state) {
    (void)state;
    struct fk_request request;
    memset(&request, 0xff, sizeof request);
    fk_request_make(&request, FK_PATCH_MERGE, "/api/v1/nodes", "board-1", "/status");
    assert_int_equal(request.verb, FK_PATCH_MERGE);
    assert_string_equal(request.path, "/api/v1/nodes/board-1/status");
    assert_false(request.path_repeats || request.wants_body || request.lingers ||
                 request.metadata_only);
    assert_true(request.document == NULL);
    fk_request_make(&request, FK_POST, "/api/v1/nodes", NULL, "");
    assert_int_equal(request.verb, FK_POST);
    assert_string_equal(request.path, "/api/v1/nodes");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_verdict_waits_twice_as_long_each_time_up_to_its_cap),
        cmocka_unit_test(failures_and_refusals_grow_apart),
        cmocka_unit_test(the_first_turn_is_at_once),
        cmocka_unit_test(turns_and_failures_grow_together),
        cmocka_unit_test(retry_after_is_heeded_within_reason),
        cmocka_unit_test(retry_after_never_shortens_a_wait),
        cmocka_unit_test(the_line_says_what_failed_and_what_to_do),
        cmocka_unit_test(what_we_ended_ourselves_is_no_warning),
        cmocka_unit_test(a_request_begins_with_nothing_but_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
