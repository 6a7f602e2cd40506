/* Authentication by token, as its own specification: (now, event, expected). */
#include "kubelet/authn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"
#include "support/review_case.h"

struct fixture {
    struct fk_rng rng;
    struct fk_authn authn;
    struct duty_case d;
    const struct fk_user *user;
    uint8_t reply[2200];
};

static void begin_with(struct fixture *f, uint32_t hit_ms, uint32_t miss_ms) {
    const struct fk_duty_env env = duty_case_env(&f->rng);
    fk_authn_init(&f->authn, &env, review_sha256, hit_ms, miss_ms);
    f->d =
        (struct duty_case){.ops = &fk_authn_ops, .self = &f->authn, .now = {5000, FK_WALL_UNKNOWN}};
}

static void begin(struct fixture *f) { begin_with(f, FK_AUTHN_HIT_MS, FK_AUTHN_MISS_MS); }

static void expect(struct fixture *f, const char *token, enum fk_verdict_state expected) {
    assert_int_equal(fk_authn_check(&f->authn, f->d.now, token, true, &f->user), expected);
    assert_int_equal(f->user != NULL, expected == FK_ASK_YES);
}

static void expect_unable(struct fixture *f, const char *token, enum fk_verdict_state expected) {
    assert_int_equal(fk_authn_check(&f->authn, f->d.now, token, false, &f->user), expected);
}

/* The API server knows tokens that begin with "good", by their own name. */
static void answer(struct fixture *f, const char *token) {
    static const char *const groups[] = {"system:authenticated", NULL};
    assert_true(duty_case_ask(&f->d));
    duty_case_answer(&f->d, 201, FK_REASON_NONE,
                     strncmp(token, "good", 4) == 0 ? review_token(f->reply, token, "7", groups)
                                                    : review_no_token(f->reply));
}

static void learn(struct fixture *f, const char *token, enum fk_verdict_state expected) {
    expect(f, token, FK_ASK_WAIT);
    answer(f, token);
    expect(f, token, expected);
}

/* ---- one token ------------------------------------------------------------------------------- */

static void a_token_is_reviewed(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(fk_authn_ops.due(&f.authn) == FK_NEVER);
    expect(&f, "good.1", FK_ASK_WAIT);
    expect(&f, "good.1", FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    assert_string_equal(f.d.line, "POST " FK_TOKEN_REVIEWS);
    assert_string_equal(f.d.document,
                        "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
                        "\"spec\":{\"token\":\"good.1\"}}");
    assert_true(f.d.request.wants_body);
    assert_true(f.d.request.path_repeats);
    assert_false(f.d.request.metadata_only);
    expect(&f, "good.1", FK_ASK_WAIT);
    static const char *const groups[] = {"a", "b", NULL};
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_token(f.reply, "ann", "7", groups));
    expect(&f, "good.1", FK_ASK_YES);
    assert_string_equal(fk_user_name(f.user), "ann");
    assert_string_equal(fk_user_uid(f.user), "7");
    const char *group = fk_user_group(f.user, fk_user_uid(f.user));
    assert_string_equal(group, "a");
    assert_string_equal(fk_user_group(f.user, group), "b");
    assert_int_equal(f.authn.reviews, 1);
    assert_int_equal(f.authn.refusals + f.authn.failures, 0);
    assert_true(fk_authn_ops.due(&f.authn) == FK_NEVER);
}

static void a_bad_token_is_refused(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    learn(&f, "bad", FK_ASK_NO);
    expect(&f, "bad", FK_ASK_NO);
    assert_int_equal(f.authn.reviews, 1);
    assert_int_equal(f.authn.refusals, 1);
    assert_int_equal(f.authn.failures, 0);
}

static void what_is_no_token_is_not_asked_about(void **state) {
    (void)state;
    static const char *const rows[] = {"", " ", "a b", "a\x7F", "a\xC3\xA4", "\n", "\x01", "a\t"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        begin(&f);
        expect(&f, rows[i], FK_ASK_NO);
        assert_false(duty_case_ask(&f.d));
    }
    struct fixture f;
    begin(&f);
    learn(&f, "good!~\"\\", FK_ASK_YES); /* odd, and printable */
}

static void a_hit_lasts_as_long_as_it_should(void **state) {
    (void)state;
    static const uint32_t ttls[] = {1, 2, FK_AUTHN_HIT_MS};
    for (size_t i = 0; i < 3; i++) {
        struct fixture f;
        begin_with(&f, ttls[i], FK_AUTHN_MISS_MS);
        learn(&f, "good", FK_ASK_YES);
        duty_case_pass(&f.d, ttls[i] - 1);
        expect(&f, "good", FK_ASK_YES);
        expect_unable(&f, "good", FK_ASK_YES);
        duty_case_pass(&f.d, 1);
        expect_unable(&f, "good", FK_ASK_AWAY);
        expect(&f, "good", FK_ASK_WAIT);
        assert_true(duty_case_ask(&f.d)); /* revoked meanwhile */
        duty_case_answer(&f.d, 201, FK_REASON_NONE, review_no_token(f.reply));
        expect(&f, "good", FK_ASK_NO);
    }
}

/* A token whose claims are {"exp":1795290661}. */
#define EXPIRES_S INT64_C(1795290661)
#define EXPIRING "e30.eyJleHAiOjE3OTUyOTA2NjF9.c2ln"

static void a_hit_ends_with_its_token(void **state) {
    (void)state;
    static const struct {
        int64_t left_us;      /* when it was reviewed; FK_WALL_UNKNOWN: the time is not known */
        uint64_t expected_ms; /* for so long it is remembered */
    } rows[] = {
        {60000000, 60000},
        {60000999, 60000},
        {1000, 1},
        {INT64_C(1000) * FK_AUTHN_HIT_MS - 1000, FK_AUTHN_HIT_MS - 1},
        {INT64_C(1000) * FK_AUTHN_HIT_MS, FK_AUTHN_HIT_MS},
        {INT64_C(1000) * FK_AUTHN_HIT_MS + 1000, FK_AUTHN_HIT_MS},
        {INT64_C(1000000000000), FK_AUTHN_HIT_MS},
        {FK_WALL_UNKNOWN, FK_AUTHN_HIT_MS},
        {999, 0},
        {0, 0},
        {-1, 0},
        {-INT64_C(1000000000000), 0},
    };
    static const char *const none[] = {NULL};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        begin(&f);
        if (rows[i].left_us != FK_WALL_UNKNOWN)
            f.d.now.wall_us = EXPIRES_S * 1000000 - rows[i].left_us;
        expect(&f, EXPIRING, FK_ASK_WAIT);
        assert_true(duty_case_ask(&f.d));
        duty_case_answer(&f.d, 201, FK_REASON_NONE, review_token(f.reply, "n", "", none));
        if (rows[i].expected_ms == 0) {
            expect(&f, EXPIRING, FK_ASK_YES); /* the API server says so; once */
        } else {
            duty_case_pass(&f.d, rows[i].expected_ms - 1);
            expect(&f, EXPIRING, FK_ASK_YES);
            duty_case_pass(&f.d, 1);
        }
        expect(&f, EXPIRING, FK_ASK_WAIT);
    }
}

static void a_miss_lasts_as_long_as_it_should(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    learn(&f, "bad", FK_ASK_NO);
    duty_case_pass(&f.d, FK_AUTHN_MISS_MS - 1);
    expect_unable(&f, "bad", FK_ASK_NO);
    duty_case_pass(&f.d, 1);
    expect(&f, "bad", FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d)); /* made meanwhile */
    static const char *const none[] = {NULL};
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_token(f.reply, "n", "", none));
    expect(&f, "bad", FK_ASK_YES);
}

static void clocks_at_their_edges(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    f.d.now.mono_ms = 0;
    learn(&f, "good", FK_ASK_YES);
    learn(&f, "bad", FK_ASK_NO);
    f.d.now.mono_ms = FK_NEVER - 2; /* its end is beyond time */
    learn(&f, "good", FK_ASK_YES);
    f.d.now.mono_ms = FK_NEVER - 1;
    expect(&f, "good", FK_ASK_YES);
}

static unsigned digests;
static void counting_sha256(const void *bytes, size_t len, uint8_t out[32]) {
    digests++;
    review_sha256(bytes, len, out);
}

/* A board needs milliseconds for one, and asks after each step. */
static void waiting_costs_no_digest(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    f.authn.sha256 = counting_sha256;
    digests = 0;
    for (int i = 0; i < 10; i++) expect(&f, "good", FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    for (int i = 0; i < 10; i++) expect_unable(&f, "good", FK_ASK_WAIT);
    static const char *const none[] = {NULL};
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_token(f.reply, "n", "", none));
    expect(&f, "good", FK_ASK_YES);
    assert_int_equal(digests, 3); /* asked, answered, told */
}

/* ---- no answer ------------------------------------------------------------------------------- */

static void no_answer_is_told_once_and_not_remembered(void **state) {
    (void)state;
    static const struct {
        int status;
        enum fk_reason reason;
    } rows[] = {
        {FK_E_CLOSED, FK_REASON_NONE},
        {FK_E_RESET, FK_REASON_NONE},
        {FK_E_TIMEOUT, FK_REASON_NONE},
        {FK_E_CANCELLED, FK_REASON_NONE},
        {FK_E_BUSY, FK_REASON_NONE},
        {301, FK_REASON_NONE},
        {400, FK_REASON_OTHER},
        {401, FK_REASON_UNAUTHORIZED},
        {403, FK_REASON_FORBIDDEN},
        {404, FK_REASON_NOT_FOUND},
        {409, FK_REASON_ALREADY_EXISTS},
        {422, FK_REASON_INVALID},
        {429, FK_REASON_TOO_MANY_REQUESTS},
        {500, FK_REASON_INTERNAL_ERROR},
        {503, FK_REASON_SERVICE_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        begin(&f);
        expect(&f, "good", FK_ASK_WAIT);
        assert_true(duty_case_ask(&f.d));
        /* Even with a body that says yes. */
        static const char *const none[] = {NULL};
        duty_case_answer(&f.d, rows[i].status, rows[i].reason,
                         review_token(f.reply, "n", "", none));
        assert_true(fk_authn_ops.due(&f.authn) == FK_NEVER); /* not by itself */
        expect(&f, "good", FK_ASK_AWAY);
        assert_int_equal(f.authn.failures, 1);
        assert_int_equal(f.authn.refusals, 0);
        learn(&f, "good", FK_ASK_YES); /* the next check starts afresh */
    }
}

static void a_reply_cut_anywhere_is_no_answer(void **state) {
    (void)state;
    uint8_t buf[2200];
    static const char *const groups[] = {"g", NULL};
    const struct fk_bytes whole = review_token(buf, "ann", "7", groups);
    for (size_t len = 0; len < whole.len; len++) {
        struct fixture f;
        begin(&f);
        expect(&f, "good", FK_ASK_WAIT);
        assert_true(duty_case_ask(&f.d));
        duty_case_answer(&f.d, 201, FK_REASON_NONE, fk_bytes(whole.p, len));
        expect(&f, "good", FK_ASK_AWAY);
        expect(&f, "good", FK_ASK_WAIT);
    }
}

static void a_nameless_user_is_no_answer(void **state) {
    (void)state;
    struct fixture f;
    static const char *const groups[] = {"system:masters", NULL};
    begin(&f);
    expect(&f, "good", FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_token(f.reply, "", "", groups));
    expect(&f, "good", FK_ASK_AWAY);
}

static void a_user_too_long_is_refused(void **state) {
    (void)state;
    struct fixture f;
    char name[FK_USER_MAX + 1];
    static const char *const none[] = {NULL};
    memset(name, 'n', sizeof name);
    name[FK_USER_MAX - 1] = '\0';
    begin(&f);
    expect(&f, "good", FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_token(f.reply, name, "", none));
    expect(&f, "good", FK_ASK_NO);
    expect(&f, "good", FK_ASK_NO);
    assert_int_equal(f.authn.refusals, 1);
}

static void the_server_is_away(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect_unable(&f, "good", FK_ASK_AWAY);
    assert_false(duty_case_ask(&f.d));
    expect(&f, "good", FK_ASK_WAIT);
    expect_unable(&f, "good", FK_ASK_AWAY); /* gone before it was sent */
    assert_false(duty_case_ask(&f.d));
    expect(&f, "good", FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    expect_unable(&f, "good", FK_ASK_WAIT); /* on its way: its answer decides */
    expect_unable(&f, "other", FK_ASK_AWAY);
    duty_case_status(&f.d, FK_E_RESET);
    expect_unable(&f, "good", FK_ASK_AWAY);
    assert_int_equal(f.authn.failures, 1);
}

/* ---- several askers ---------------------------------------------------------------------------
 */

static void askers_take_turns(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, "good.1", FK_ASK_WAIT);
    expect(&f, "bad.2", FK_ASK_WAIT);
    answer(&f, "good.1");
    expect(&f, "bad.2", FK_ASK_WAIT); /* what is remembered holds up nobody */
    assert_true(duty_case_ask(&f.d));
    assert_non_null(strstr(f.d.document, "bad.2"));
    expect(&f, "good.1", FK_ASK_YES);
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_no_token(f.reply));
    expect(&f, "bad.2", FK_ASK_NO);
    assert_int_equal(f.authn.reviews, 2);
}

static void two_with_the_same_token_are_one_review(void **state) {
    (void)state;
    struct fixture f;
    const char first[] = "good", second[] = "good";
    begin(&f);
    expect(&f, first, FK_ASK_WAIT);
    expect(&f, second, FK_ASK_WAIT);
    answer(&f, "good");
    expect(&f, second, FK_ASK_YES);
    expect(&f, first, FK_ASK_YES);
    assert_int_equal(f.authn.reviews, 1);
}

static void an_untold_failure_holds_up_others_for_a_while_only(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, "good.1", FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    duty_case_status(&f.d, 500);
    expect(&f, "good.2", FK_ASK_WAIT);
    assert_false(duty_case_ask(&f.d));
    duty_case_pass(&f.d, FK_ASK_HELD_MS);
    learn(&f, "good.2", FK_ASK_YES);
}

static void nothing_is_remembered_for_no_time(void **state) {
    (void)state;
    struct fixture f;
    begin_with(&f, 0, 0);
    for (unsigned i = 1; i < 4; i++) {
        learn(&f, "good", FK_ASK_YES); /* told once */
        assert_string_equal(fk_user_name(f.user), "good");
        assert_int_equal(f.authn.reviews, i);
    }
    learn(&f, "bad", FK_ASK_NO);
    learn(&f, "bad", FK_ASK_NO);
    assert_int_equal(f.authn.reviews, 5);
    expect(&f, "good", FK_ASK_WAIT);
    answer(&f, "good");
    duty_case_pass(&f.d, FK_ASK_HELD_MS);
    expect(&f, "good", FK_ASK_WAIT); /* fetched too late */
    assert_true(duty_case_ask(&f.d));
}

/* ---- the asker leaves ---------------------------------------------------------------------- */

static void leaving_before_it_is_sent(void **state) {
    (void)state;
    struct fixture f;
    char token[] = "good";
    begin(&f);
    expect(&f, token, FK_ASK_WAIT);
    assert_true(fk_authn_forget(&f.authn, "other")); /* is not in the way of anything */
    assert_true(fk_authn_forget(&f.authn, token));
    memset(token, 0, sizeof token);
    assert_false(duty_case_ask(&f.d));
    learn(&f, "good.2", FK_ASK_YES);
}

static void leaving_while_it_is_under_way(void **state) {
    (void)state;
    static const int statuses[] = {201, 500, FK_E_RESET};
    for (size_t i = 0; i < 3; i++) {
        struct fixture f;
        char token[] = "good", other[] = "bad";
        begin_with(&f, i == 0 ? FK_AUTHN_HIT_MS : 0, 0);
        expect(&f, token, FK_ASK_WAIT);
        assert_true(duty_case_ask(&f.d));
        assert_true(fk_authn_forget(&f.authn, other));
        assert_false(fk_authn_forget(&f.authn, token));
        assert_false(fk_authn_forget(&f.authn, token));
        expect(&f, other, FK_ASK_WAIT);
        static const char *const none[] = {NULL};
        duty_case_answer(&f.d, statuses[i], FK_REASON_NONE, review_token(f.reply, "n", "", none));
        assert_true(fk_authn_forget(&f.authn, token));
        memset(token, 0, sizeof token);
        expect(&f, other, FK_ASK_WAIT); /* nobody is waited for: it begins at once */
        assert_true(duty_case_ask(&f.d));
        assert_non_null(strstr(f.d.document, "\"bad\""));
        duty_case_status(&f.d, 500);
        expect(&f, other, FK_ASK_AWAY); /* and is waited for */
    }
}

static void leaving_after_the_answer(void **state) {
    (void)state;
    struct fixture f;
    char token[] = "good";
    begin(&f);
    expect(&f, token, FK_ASK_WAIT);
    answer(&f, token);
    assert_true(fk_authn_forget(&f.authn, token));
    assert_true(fk_authn_forget(&f.authn, token));
    expect(&f, "good", FK_ASK_YES); /* who comes next profits */
}

/* The connection's memory holds another token, or anything: never is that one's verdict taken. */
static void a_token_that_changes_under_review_is_not_believed(void **state) {
    (void)state;
    struct fixture f;
    char token[] = "good.1";
    begin(&f);
    expect(&f, token, FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    memcpy(token, "bad.11", sizeof token);
    static const char *const none[] = {NULL};
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_token(f.reply, "n", "", none));
    expect(&f, token, FK_ASK_WAIT); /* what is held is the other's */
    expect(&f, "good.1", FK_ASK_AWAY);
    expect(&f, "good.1", FK_ASK_WAIT);
    assert_int_equal(f.authn.failures, 1);
}

/* ---- floods ------------------------------------------------------------------------------------
 */

static void bad_tokens_push_out_no_good_one(void **state) {
    (void)state;
    struct fixture f;
    char token[24];
    begin(&f);
    for (int i = 0; i < FK_AUTHN_HITS; i++) {
        (void)snprintf(token, sizeof token, "good.%d", i);
        learn(&f, token, FK_ASK_YES);
    }
    for (int i = 0; i < 5 * FK_AUTHN_MISSES; i++) {
        (void)snprintf(token, sizeof token, "bad.%d", i);
        duty_case_pass(&f.d, 1);
        learn(&f, token, FK_ASK_NO);
    }
    const uint32_t reviews = f.authn.reviews;
    for (int i = 0; i < FK_AUTHN_HITS; i++) {
        (void)snprintf(token, sizeof token, "good.%d", i);
        expect(&f, token, FK_ASK_YES);
        assert_string_equal(fk_user_name(f.user), token);
    }
    for (int i = 4 * FK_AUTHN_MISSES; i < 5 * FK_AUTHN_MISSES; i++) { /* the latest are known */
        (void)snprintf(token, sizeof token, "bad.%d", i);
        expect(&f, token, FK_ASK_NO);
    }
    expect(&f, "bad.0", FK_ASK_WAIT);
    assert_int_equal(f.authn.reviews, reviews);
}

static void a_token_at_its_end_pushes_out_nobody(void **state) {
    (void)state;
    struct fixture f;
    char token[24];
    static const char *const none[] = {NULL};
    begin(&f);
    f.d.now.wall_us = EXPIRES_S * 1000000;
    for (int i = 0; i < FK_AUTHN_HITS; i++) {
        (void)snprintf(token, sizeof token, "good.%d", i);
        learn(&f, token, FK_ASK_YES);
    }
    expect(&f, EXPIRING, FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_token(f.reply, "n", "", none));
    expect(&f, EXPIRING, FK_ASK_YES);
    for (int i = 0; i < FK_AUTHN_HITS; i++) {
        (void)snprintf(token, sizeof token, "good.%d", i);
        expect(&f, token, FK_ASK_YES);
    }
}

static void one_good_token_too_many_takes_the_oldest_place(void **state) {
    (void)state;
    struct fixture f;
    char token[24];
    begin(&f);
    for (int i = 0; i <= FK_AUTHN_HITS; i++) {
        (void)snprintf(token, sizeof token, "good.%d", i);
        duty_case_pass(&f.d, 1);
        learn(&f, token, FK_ASK_YES);
    }
    for (int i = 1; i <= FK_AUTHN_HITS; i++) {
        (void)snprintf(token, sizeof token, "good.%d", i);
        expect(&f, token, FK_ASK_YES);
        assert_string_equal(fk_user_name(f.user), token);
    }
    expect(&f, "good.0", FK_ASK_WAIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_reviewed),
        cmocka_unit_test(a_bad_token_is_refused),
        cmocka_unit_test(what_is_no_token_is_not_asked_about),
        cmocka_unit_test(a_hit_lasts_as_long_as_it_should),
        cmocka_unit_test(a_hit_ends_with_its_token),
        cmocka_unit_test(a_miss_lasts_as_long_as_it_should),
        cmocka_unit_test(clocks_at_their_edges),
        cmocka_unit_test(waiting_costs_no_digest),
        cmocka_unit_test(no_answer_is_told_once_and_not_remembered),
        cmocka_unit_test(a_reply_cut_anywhere_is_no_answer),
        cmocka_unit_test(a_nameless_user_is_no_answer),
        cmocka_unit_test(a_user_too_long_is_refused),
        cmocka_unit_test(the_server_is_away),
        cmocka_unit_test(askers_take_turns),
        cmocka_unit_test(two_with_the_same_token_are_one_review),
        cmocka_unit_test(an_untold_failure_holds_up_others_for_a_while_only),
        cmocka_unit_test(nothing_is_remembered_for_no_time),
        cmocka_unit_test(leaving_before_it_is_sent),
        cmocka_unit_test(leaving_while_it_is_under_way),
        cmocka_unit_test(leaving_after_the_answer),
        cmocka_unit_test(a_token_that_changes_under_review_is_not_believed),
        cmocka_unit_test(bad_tokens_push_out_no_good_one),
        cmocka_unit_test(a_token_at_its_end_pushes_out_nobody),
        cmocka_unit_test(one_good_token_too_many_takes_the_oldest_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
