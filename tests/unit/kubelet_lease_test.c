/* The Lease duty, as its own specification: (now, event, expected). */
#include "kubelet/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
#define UID "11111111-2222-3333-4444-555555555555"
#define WALL_S INT64_C(1781870400) /* 2026-06-19T12:00:00Z */

struct fixture {
    struct fk_rng rng;
    struct fk_lease lease;
    struct duty_case d;
};

static void begin(struct fixture *f) {
    const struct fk_duty_env env = duty_case_env(&f->rng);
    fk_lease_init(&f->lease, &env);
    f->d = (struct duty_case){
        .ops = &fk_lease_ops, .self = &f->lease, .now = {5000, WALL_S * 1000000}};
}

static void expect(struct fixture *f, const char *line) {
    assert_true(duty_case_ask(&f->d));
    assert_string_equal(f->d.line, line);
}

/* Up to the first renewal, which is next in 10 s to 10.4 s. */
static void begin_renewing(struct fixture *f) {
    begin(f);
    fk_lease_start(&f->lease, f->d.now, UID);
    expect(f, "GET " LEASES "/board-1");
    duty_case_status(&f->d, 404);
    expect(f, "POST " LEASES);
    duty_case_status(&f->d, 201);
    assert_int_equal(f->lease.state, FK_LEASE_RENEW);
}

/* A period and a half after the last renewal, 15 s here. */
static void is_overdue(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    assert_false(fk_lease_overdue(&f.lease, 1000000, FK_NEVER));
    assert_false(fk_lease_overdue(&f.lease, 16000, 1000));
    assert_true(fk_lease_overdue(&f.lease, 16001, 1000));
    begin_renewing(&f);
    const uint64_t renewed_ms = f.lease.renewed_ms;
    assert_false(fk_lease_overdue(&f.lease, renewed_ms + 15000, 0));
    assert_true(fk_lease_overdue(&f.lease, renewed_ms + 15001, 0));
    /* Who asks took the time before the step that renewed it. */
    assert_false(fk_lease_overdue(&f.lease, renewed_ms - 1, 0));
}

static void waits_for_the_node(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(fk_lease_ops.due(&f.lease) == FK_NEVER);
    fk_lease_start(&f.lease, f.d.now, UID);
    assert_true(fk_lease_ops.due(&f.lease) == f.d.now.mono_ms);
}

static void is_created_when_absent(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    fk_lease_start(&f.lease, f.d.now, UID);
    expect(&f, "GET " LEASES "/board-1");
    assert_true(f.d.request.wants_body);
    duty_case_status(&f.d, 404);
    expect(&f, "POST " LEASES);
    assert_false(f.d.request.wants_body);
    assert_string_equal(
        f.d.document,
        "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{"
        "\"name\":\"board-1\",\"namespace\":\"kube-node-lease\",\"ownerReferences\":[{"
        "\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"board-1\",\"uid\":\"" UID "\"}]},"
        "\"spec\":{\"holderIdentity\":\"board-1\",\"leaseDurationSeconds\":40,"
        "\"renewTime\":\"2026-06-19T12:00:00.000000Z\"}}");
    duty_case_status(&f.d, 201);
    assert_int_equal(f.lease.renewals, 1);
}

static void is_claimed_when_present_and_grows_strictly(void **state) {
    (void)state;
    struct fixture f;
    uint8_t buf[1024];
    begin(&f);
    fk_lease_start(&f.lease, f.d.now, UID);
    expect(&f, "GET " LEASES "/board-1");
    /* written by an earlier life whose clock was an hour ahead */
    duty_case_answer(&f.d, 200, FK_REASON_NONE,
                     duty_case_lease(buf, "board-1", WALL_S + 3600, 500000000));
    expect(&f, "PATCH-MERGE " LEASES "/board-1");
    assert_non_null(strstr(f.d.document, "\"renewTime\":\"2026-06-19T13:00:00.500001Z\""));
    assert_non_null(strstr(f.d.document, UID));
    duty_case_status(&f.d, 200);
    duty_case_pass(&f.d, 10500);
    expect(&f, "PATCH-MERGE " LEASES "/board-1");
    assert_string_equal(f.d.document, "{\"spec\":{\"renewTime\":\"2026-06-19T13:00:00.500002Z\"}}");
}

static void is_renewed_with_little_jitter(void **state) {
    (void)state;
    struct fixture f;
    begin_renewing(&f);
    uint64_t last_ms = 5000;
    bool seen[401] = {false};
    unsigned different = 0;
    for (int i = 0; i < 1000; i++) {
        const uint64_t due_ms = fk_lease_ops.due(&f.lease);
        assert_in_range(due_ms - last_ms, 10000, 10400);
        different += !seen[due_ms - last_ms - 10000];
        seen[due_ms - last_ms - 10000] = true;
        if (i == 200) assert_true(different >= 100); /* of 157 expected among 401 */
        duty_case_pass(&f.d, due_ms - f.d.now.mono_ms);
        assert_true(duty_case_ask(&f.d));
        assert_true(f.d.request.path_repeats);
        assert_false(f.d.request.wants_body);
        duty_case_pass(&f.d, 7); /* the answer takes a while */
        duty_case_status(&f.d, 200);
        last_ms = due_ms;
    }
    assert_int_equal(f.lease.renewals, 1001);
    assert_true(seen[0] || seen[1] || seen[2] || seen[3]); /* over the whole of it */
    assert_true(seen[400] || seen[399] || seen[398] || seen[397]);
    assert_in_range(f.lease.longest_gap_ms, 10000, 10407);
}

static void a_late_renewal_is_not_made_up_for(void **state) {
    (void)state;
    struct fixture f;
    begin_renewing(&f);
    duty_case_pass(&f.d, 60000); /* the connection was away */
    assert_true(duty_case_ask(&f.d));
    duty_case_status(&f.d, 200);
    assert_in_range(fk_lease_ops.due(&f.lease) - f.d.now.mono_ms, 10000, 10400);
}

static void a_lease_cut_short_is_read_again(void **state) {
    (void)state;
    uint8_t buf[1024];
    const struct fk_bytes whole = duty_case_lease(buf, "board-1", WALL_S + 3600, 0);
    for (size_t len = 0; len < whole.len; len++) {
        struct fixture f;
        begin(&f);
        fk_lease_start(&f.lease, f.d.now, UID);
        expect(&f, "GET " LEASES "/board-1");
        duty_case_answer(&f.d, 200, FK_REASON_NONE, fk_bytes(whole.p, len));
        assert_false(duty_case_ask(&f.d));
        duty_case_pass(&f.d, 300);
        expect(&f, "GET " LEASES "/board-1");
    }
}

static void the_owner_is_the_same_throughout_a_request(void **state) {
    (void)state;
    struct fixture f;
    char uid[] = UID;
    begin(&f);
    fk_lease_start(&f.lease, f.d.now, uid);
    expect(&f, "GET " LEASES "/board-1");
    duty_case_status(&f.d, 404);
    expect(&f, "POST " LEASES);
    memset(uid, 0, sizeof uid); /* registration reads another Node meanwhile */
    char again[sizeof f.d.document];
    struct fk_writer w;
    fk_writer_init(&w, again, sizeof again);
    f.d.request.document(f.d.request.owner, &w);
    assert_int_equal(fk_writer_finish(&w), 0);
    assert_string_equal(again, f.d.document);
}

static void time_never_goes_back(void **state) {
    (void)state;
    struct fixture f;
    begin_renewing(&f);
    const int64_t first_us = f.lease.renew_us;
    f.d.now.wall_us -= INT64_C(31536000000000); /* the server's clock jumps back a year */
    f.d.now.mono_ms += 10500;
    assert_true(duty_case_ask(&f.d));
    assert_int_equal(f.lease.renew_us, first_us + 1);
}

static void no_date_no_document(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    f.d.now.wall_us = FK_WALL_UNKNOWN;
    fk_lease_start(&f.lease, f.d.now, UID);
    expect(&f, "GET " LEASES "/board-1");
    duty_case_status(&f.d, 404);
    for (int i = 0; i < 10; i++) { /* it asks again, since a reply is what brings the date */
        assert_false(duty_case_ask(&f.d));
        duty_case_pass(&f.d, FK_NO_DATE_RETRY_MS - 1);
        assert_false(duty_case_ask(&f.d));
        duty_case_pass(&f.d, 1);
        expect(&f, "GET " LEASES "/board-1");
        duty_case_status(&f.d, 404);
    }
    f.d.now.wall_us = WALL_S * 1000000;
    expect(&f, "POST " LEASES);
}

static void orphaned_waits_for_the_node_and_comes_back_with_its_uid(void **state) {
    (void)state;
    struct fixture f;
    begin_renewing(&f);
    duty_case_pass(&f.d, 10500);
    assert_true(duty_case_ask(&f.d));
    duty_case_status(&f.d, 404);
    assert_int_equal(f.lease.state, FK_LEASE_ORPHANED);
    assert_true(fk_lease_ops.due(&f.lease) == FK_NEVER);
    fk_lease_start(&f.lease, f.d.now, "99999999-2222-3333-4444-555555555555");
    expect(&f, "POST " LEASES);
    assert_non_null(strstr(f.d.document, "99999999"));
    duty_case_status(&f.d, 201);
    assert_int_equal(f.lease.renewals, 2);
}

static void no_namespace_yet_is_no_loop(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    fk_lease_start(&f.lease, f.d.now, UID);
    expect(&f, "GET " LEASES "/board-1");
    duty_case_status(&f.d, 404);
    for (int i = 0; i < 8; i++) { /* POST answers 404 while kube-node-lease does not exist */
        expect(&f, "POST " LEASES);
        duty_case_status(&f.d, 404);
        const uint64_t due_ms = fk_lease_ops.due(&f.lease);
        assert_true(due_ms >= f.d.now.mono_ms + 150);
        duty_case_pass(&f.d, due_ms - f.d.now.mono_ms);
    }
}

struct failure {
    int status;
    enum fk_reason reason;
    uint32_t retry_after_ms;
    uint64_t least_ms, most_ms; /* wait after the first such answer */
};

static void failures_wait_as_long_as_they_should(void **state) {
    (void)state;
    static const struct failure rows[] = {
        {FK_E_RESET, FK_REASON_NONE, 0, 150, 250},
        {FK_E_TIMEOUT, FK_REASON_NONE, 0, 150, 250},
        {429, FK_REASON_TOO_MANY_REQUESTS, 1000, 1000, 1250},
        {429, FK_REASON_TOO_MANY_REQUESTS, FK_RETRY_AFTER_MAX_MS, FK_RETRY_AFTER_MAX_MS,
         FK_RETRY_AFTER_MAX_MS * 5 / 4},
        {429, FK_REASON_TOO_MANY_REQUESTS, FK_RETRY_AFTER_MAX_MS + 1, FK_RETRY_AFTER_MAX_MS,
         FK_RETRY_AFTER_MAX_MS * 5 / 4},
        {429, FK_REASON_TOO_MANY_REQUESTS, 86400000, FK_RETRY_AFTER_MAX_MS,
         FK_RETRY_AFTER_MAX_MS * 5 / 4},
        {500, FK_REASON_INTERNAL_ERROR, 0, 150, 250},
        {503, FK_REASON_SERVICE_UNAVAILABLE, 0, 150, 250},
        {504, FK_REASON_TIMEOUT, 0, 150, 250},
        {401, FK_REASON_UNAUTHORIZED, 0, FK_REFUSED_MIN_MS * 3 / 4, FK_REFUSED_MIN_MS * 5 / 4},
        {403, FK_REASON_FORBIDDEN, 0, FK_REFUSED_MIN_MS * 3 / 4, FK_REFUSED_MIN_MS * 5 / 4},
        {422, FK_REASON_INVALID, 0, FK_REFUSED_MIN_MS * 3 / 4, FK_REFUSED_MIN_MS * 5 / 4},
        {301, FK_REASON_NONE, 0, FK_REFUSED_MIN_MS * 3 / 4, FK_REFUSED_MIN_MS * 5 / 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        begin_renewing(&f);
        duty_case_pass(&f.d, 10500);
        assert_true(duty_case_ask(&f.d));
        const struct fk_response response = {rows[i].status, rows[i].retry_after_ms, rows[i].reason,
                                             ""};
        f.d.request.reply->response(f.d.request.owner, f.d.now, &response);
        const uint64_t wait_ms = fk_lease_ops.due(&f.lease) - f.d.now.mono_ms;
        assert_in_range(wait_ms, rows[i].least_ms, rows[i].most_ms);
        assert_true(10400 + wait_ms < 40000); /* one such answer does not cost the Lease */
        assert_int_equal(f.lease.failures, 1);
    }
}

static void failures_in_a_row_back_off_to_the_cap(void **state) {
    (void)state;
    struct fixture f;
    begin_renewing(&f);
    duty_case_pass(&f.d, 10500);
    uint64_t wait_ms = 0;
    for (int i = 0; i < 12; i++) {
        assert_true(duty_case_ask(&f.d));
        duty_case_status(&f.d, 500);
        wait_ms = fk_lease_ops.due(&f.lease) - f.d.now.mono_ms;
        duty_case_pass(&f.d, wait_ms);
    }
    assert_in_range(wait_ms, FK_RETRY_MAX_MS * 3 / 4, FK_RETRY_MAX_MS * 5 / 4);
    assert_true(duty_case_ask(&f.d));
    duty_case_status(&f.d, 200);
    duty_case_pass(&f.d, 10500);
    assert_true(duty_case_ask(&f.d));
    duty_case_status(&f.d, 500);
    assert_in_range(fk_lease_ops.due(&f.lease) - f.d.now.mono_ms, 150, 250); /* from the start */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_overdue),
        cmocka_unit_test(waits_for_the_node),
        cmocka_unit_test(is_created_when_absent),
        cmocka_unit_test(is_claimed_when_present_and_grows_strictly),
        cmocka_unit_test(is_renewed_with_little_jitter),
        cmocka_unit_test(a_late_renewal_is_not_made_up_for),
        cmocka_unit_test(a_lease_cut_short_is_read_again),
        cmocka_unit_test(the_owner_is_the_same_throughout_a_request),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(no_date_no_document),
        cmocka_unit_test(orphaned_waits_for_the_node_and_comes_back_with_its_uid),
        cmocka_unit_test(no_namespace_yet_is_no_loop),
        cmocka_unit_test(failures_wait_as_long_as_they_should),
        cmocka_unit_test(failures_in_a_row_back_off_to_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
