/* Authorization, as its own specification: (now, event, expected). */
#include "kubelet/authz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"
#include "support/review_case.h"

struct fixture {
    struct fk_rng rng;
    struct fk_authz authz;
    struct duty_case d;
    struct fk_user ann;
    uint8_t reply[2200];
};

static void name(struct fk_user *u, const char *user, const char *uid, const char *group) {
    u->len = 0;
    assert_true(fk_user_add(u, fk_bytes_str(user)));
    assert_true(fk_user_add(u, fk_bytes_str(uid)));
    if (group != NULL) assert_true(fk_user_add(u, fk_bytes_str(group)));
}

static void begin_with(struct fixture *f, uint32_t allowed_ms, uint32_t denied_ms) {
    const struct fk_duty_env env = duty_case_env(&f->rng);
    fk_authz_init(&f->authz, &env, review_sha256, allowed_ms, denied_ms);
    f->d =
        (struct duty_case){.ops = &fk_authz_ops, .self = &f->authz, .now = {5000, FK_WALL_UNKNOWN}};
    name(&f->ann, "ann", "", "g");
}

static void begin(struct fixture *f) { begin_with(f, FK_AUTHZ_ALLOWED_MS, FK_AUTHZ_DENIED_MS); }

static void expect(struct fixture *f, enum fk_subresource subresource,
                   enum fk_verdict_state expected) {
    assert_int_equal(fk_authz_check(&f->authz, f->d.now, &f->ann, "get", subresource, true),
                     expected);
}

static void expect_unable(struct fixture *f, enum fk_subresource subresource,
                          enum fk_verdict_state expected) {
    assert_int_equal(fk_authz_check(&f->authz, f->d.now, &f->ann, "get", subresource, false),
                     expected);
}

/* The review of this subresource is under way: answer it. */
static void answer(struct fixture *f, const char *subresource, bool allowed) {
    char member[64];
    assert_true(duty_case_ask(&f->d));
    (void)snprintf(member, sizeof member, "\"subresource\":\"%s\"", subresource);
    assert_non_null(strstr(f->d.document, member));
    duty_case_answer(&f->d, 201, FK_REASON_NONE, review_access(f->reply, allowed));
}

/* ---- one question ---------------------------------------------------------------------------- */

static void a_question_is_reviewed(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(fk_authz_ops.due(&f.authz) == FK_NEVER);
    expect(&f, FK_NODES_METRICS, FK_ASK_WAIT);
    memset(&f.ann, 0, sizeof f.ann); /* the asker's memory is its own */
    assert_true(duty_case_ask(&f.d));
    assert_string_equal(f.d.line, "POST " FK_ACCESS_REVIEWS);
    assert_string_equal(
        f.d.document,
        "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\",\"spec\":{"
        "\"user\":\"ann\",\"groups\":[\"g\"],\"resourceAttributes\":{\"verb\":\"get\","
        "\"group\":\"\",\"version\":\"v1\",\"resource\":\"nodes\",\"subresource\":\"metrics\","
        "\"name\":\"board-1\"}}}");
    assert_true(f.d.request.wants_body);
    assert_true(f.d.request.path_repeats);
    name(&f.ann, "ann", "", "g");
    expect(&f, FK_NODES_METRICS, FK_ASK_WAIT);
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_access(f.reply, true));
    expect(&f, FK_NODES_METRICS, FK_ASK_YES);
    expect(&f, FK_NODES_METRICS, FK_ASK_YES);
    assert_int_equal(f.authz.reviews, 1);
    assert_int_equal(f.authz.refusals + f.authz.failures, 0);
}

static void verbs_and_subresources_are_named_as_upstream(void **state) {
    (void)state;
    static const char *const names[] = {
        [FK_NODES_PROXY] = "proxy",     [FK_NODES_METRICS] = "metrics", [FK_NODES_STATS] = "stats",
        [FK_NODES_LOG] = "log",         [FK_NODES_HEALTHZ] = "healthz", [FK_NODES_PODS] = "pods",
        [FK_NODES_CONFIGZ] = "configz",
    };
    static const char *const verbs[] = {"get", "create", "update", "patch", "delete"};
    for (int s = FK_NODES_PROXY; s <= FK_NODES_CONFIGZ; s++) {
        for (size_t v = 0; v < 5; v++) {
            struct fixture f;
            char member[32];
            begin(&f);
            assert_int_equal(
                fk_authz_check(&f.authz, f.d.now, &f.ann, verbs[v], (enum fk_subresource)s, true),
                FK_ASK_WAIT);
            answer(&f, names[s], true);
            (void)snprintf(member, sizeof member, "\"verb\":\"%s\"", verbs[v]);
            assert_non_null(strstr(f.d.document, member));
        }
    }
}

static void nobody_may_nothing(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    f.ann.len = 0;
    expect(&f, FK_NODES_METRICS, FK_ASK_NO);
    expect_unable(&f, FK_NODES_HEALTHZ, FK_ASK_NO);
    assert_false(duty_case_ask(&f.d));
}

static void answers_last_as_long_as_they_should(void **state) {
    (void)state;
    for (int allowed = 0; allowed < 2; allowed++) {
        const enum fk_verdict_state verdict = allowed ? FK_ASK_YES : FK_ASK_NO;
        struct fixture f;
        begin(&f);
        expect(&f, FK_NODES_STATS, FK_ASK_WAIT);
        answer(&f, "stats", allowed);
        duty_case_pass(&f.d, (allowed ? FK_AUTHZ_ALLOWED_MS : FK_AUTHZ_DENIED_MS) - 1);
        expect(&f, FK_NODES_STATS, verdict);
        expect_unable(&f, FK_NODES_STATS, verdict);
        duty_case_pass(&f.d, 1);
        expect_unable(&f, FK_NODES_STATS, FK_ASK_AWAY);
        expect(&f, FK_NODES_STATS, FK_ASK_WAIT);
        answer(&f, "stats", !allowed); /* rights have changed */
        expect(&f, FK_NODES_STATS, allowed ? FK_ASK_NO : FK_ASK_YES);
    }
}

/* What tells one question from another: each part of the user, the verb, the subresource. */
static void an_answer_is_for_its_own_question_only(void **state) {
    (void)state;
    static const struct {
        const char *user, *uid, *group, *verb;
        enum fk_subresource subresource;
    } rows[] = {
        {"ann", "", "g", "create", FK_NODES_METRICS}, {"ann", "", "g", "get", FK_NODES_STATS},
        {"ann", "", "h", "get", FK_NODES_METRICS},    {"ann", "", NULL, "get", FK_NODES_METRICS},
        {"ann", "7", "g", "get", FK_NODES_METRICS},   {"bob", "", "g", "get", FK_NODES_METRICS},
        {"ann", "g", "", "get", FK_NODES_METRICS},    {"an", "n", "g", "get", FK_NODES_METRICS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        struct fk_user user;
        begin(&f);
        expect(&f, FK_NODES_METRICS, FK_ASK_WAIT);
        answer(&f, "metrics", true);
        name(&user, rows[i].user, rows[i].uid, rows[i].group);
        assert_int_equal(
            fk_authz_check(&f.authz, f.d.now, &user, rows[i].verb, rows[i].subresource, false),
            FK_ASK_AWAY);
        expect(&f, FK_NODES_METRICS, FK_ASK_YES);
    }
}

/* ---- the finer ones, then proxy ------------------------------------------------------------- */

static void finer_first_then_proxy(void **state) {
    (void)state;
    static const struct {
        enum fk_subresource subresource;
        const char *name;
    } rows[] = {
        {FK_NODES_HEALTHZ, "healthz"}, {FK_NODES_PODS, "pods"}, {FK_NODES_CONFIGZ, "configz"}};
    for (size_t i = 0; i < 3; i++) {
        for (int proxy = 0; proxy < 2; proxy++) {
            struct fixture f;
            begin(&f);
            expect(&f, rows[i].subresource, FK_ASK_WAIT);
            answer(&f, rows[i].name, false);
            expect(&f, rows[i].subresource, FK_ASK_WAIT);
            answer(&f, "proxy", proxy);
            expect(&f, rows[i].subresource, proxy ? FK_ASK_YES : FK_ASK_NO);
            expect(&f, FK_NODES_PROXY, proxy ? FK_ASK_YES : FK_ASK_NO); /* known as well */
            assert_int_equal(f.authz.reviews, 2);
            assert_int_equal(f.authz.refusals, proxy ? 1 : 2);
        }
    }
}

static void a_finer_yes_is_enough(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, FK_NODES_PODS, FK_ASK_WAIT);
    answer(&f, "pods", true);
    expect(&f, FK_NODES_PODS, FK_ASK_YES);
    assert_false(duty_case_ask(&f.d));
    expect_unable(&f, FK_NODES_PROXY, FK_ASK_AWAY); /* says nothing about the rest */
    expect_unable(&f, FK_NODES_CONFIGZ, FK_ASK_AWAY);
}

static void others_have_no_finer_one(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, FK_NODES_PROXY, FK_ASK_WAIT);
    answer(&f, "proxy", true);
    expect(&f, FK_NODES_LOG, FK_ASK_WAIT); /* proxy does not help */
    answer(&f, "log", false);
    expect(&f, FK_NODES_LOG, FK_ASK_NO);
    assert_false(duty_case_ask(&f.d));
}

static void what_is_known_of_proxy_is_not_asked_again(void **state) {
    (void)state;
    for (int proxy = 0; proxy < 2; proxy++) {
        struct fixture f;
        begin(&f);
        expect(&f, FK_NODES_PROXY, FK_ASK_WAIT);
        answer(&f, "proxy", proxy);
        expect(&f, FK_NODES_CONFIGZ, FK_ASK_WAIT);
        answer(&f, "configz", false);
        assert_false(duty_case_ask(&f.d));
        expect(&f, FK_NODES_CONFIGZ, proxy ? FK_ASK_YES : FK_ASK_NO);
    }
}

/* Known denials of both end before the yes does. */
static void each_is_remembered_for_its_own_time(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, FK_NODES_HEALTHZ, FK_ASK_WAIT);
    answer(&f, "healthz", false);
    answer(&f, "proxy", true);
    duty_case_pass(&f.d, FK_AUTHZ_DENIED_MS);
    expect(&f, FK_NODES_HEALTHZ, FK_ASK_WAIT);
    answer(&f, "healthz", false);
    expect(&f, FK_NODES_HEALTHZ, FK_ASK_YES); /* proxy is still known */
    duty_case_pass(&f.d, FK_AUTHZ_ALLOWED_MS - FK_AUTHZ_DENIED_MS);
    expect(&f, FK_NODES_HEALTHZ, FK_ASK_WAIT);
    answer(&f, "healthz", false);
    answer(&f, "proxy", false);
    expect(&f, FK_NODES_HEALTHZ, FK_ASK_NO);
}

static void a_known_denial_leads_to_proxy_at_once(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, FK_NODES_PODS, FK_ASK_WAIT);
    answer(&f, "pods", false);
    assert_true(duty_case_ask(&f.d)); /* proxy */
    duty_case_status(&f.d, 503);
    expect(&f, FK_NODES_PODS, FK_ASK_AWAY);
    expect(&f, FK_NODES_PODS, FK_ASK_WAIT);
    answer(&f, "proxy", true);
    expect(&f, FK_NODES_PODS, FK_ASK_YES);
    assert_int_equal(f.authz.reviews, 3);
    assert_int_equal(f.authz.failures, 1);
}

static void nothing_is_remembered_for_no_time(void **state) {
    (void)state;
    static const struct {
        uint32_t allowed_ms, denied_ms;
        bool finer, proxy;
        uint32_t again; /* reviews for the same question once more */
    } rows[] = {
        {0, 0, true, false, 1},      {0, 0, false, true, 2},       {0, 0, false, false, 2},
        {1000, 0, true, false, 0},   {1000, 0, false, true, 1},    {1000, 0, false, false, 2},
        {0, 1000, true, false, 1},   {0, 1000, false, true, 1},    {0, 1000, false, false, 0},
        {1000, 1000, true, true, 0}, {1000, 1000, false, true, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const enum fk_verdict_state verdict =
            rows[i].finer || rows[i].proxy ? FK_ASK_YES : FK_ASK_NO;
        struct fixture f;
        begin_with(&f, rows[i].allowed_ms, rows[i].denied_ms);
        expect(&f, FK_NODES_PODS, FK_ASK_WAIT);
        answer(&f, "pods", rows[i].finer);
        if (!rows[i].finer) answer(&f, "proxy", rows[i].proxy);
        expect(&f, FK_NODES_PODS, verdict);
        const uint32_t before = f.authz.reviews;
        const enum fk_verdict_state now =
            fk_authz_check(&f.authz, f.d.now, &f.ann, "get", FK_NODES_PODS, true);
        assert_int_equal(now, rows[i].again == 0 ? verdict : FK_ASK_WAIT);
        while (duty_case_ask(&f.d)) {
            const bool finer = strstr(f.d.document, "\"pods\"") != NULL;
            duty_case_answer(&f.d, 201, FK_REASON_NONE,
                             review_access(f.reply, finer ? rows[i].finer : rows[i].proxy));
        }
        expect(&f, FK_NODES_PODS, verdict);
        assert_int_equal(f.authz.reviews - before, rows[i].again);
    }
}

/* ---- no answer ------------------------------------------------------------------------------- */

static void no_answer_is_no_and_not_remembered(void **state) {
    (void)state;
    static const int rows[] = {FK_E_CLOSED, FK_E_RESET, FK_E_TIMEOUT, FK_E_CANCELLED,
                               FK_E_BUSY,   301,        400,          401,
                               403,         404,        422,          429,
                               500,         503};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        begin(&f);
        expect(&f, FK_NODES_PODS, FK_ASK_WAIT);
        assert_true(duty_case_ask(&f.d));
        duty_case_answer(&f.d, rows[i], FK_REASON_NONE, review_access(f.reply, true));
        assert_false(duty_case_ask(&f.d));
        expect(&f, FK_NODES_PODS, FK_ASK_AWAY);
        expect(&f, FK_NODES_PODS, FK_ASK_WAIT); /* afresh */
        assert_int_equal(f.authz.failures, 1);
        answer(&f, "pods", true);
        expect(&f, FK_NODES_PODS, FK_ASK_YES);
    }
}

static void a_reply_cut_anywhere_is_no_answer(void **state) {
    (void)state;
    uint8_t buf[2200];
    const struct fk_bytes whole = review_access(buf, true);
    for (size_t len = 0; len < whole.len; len++) {
        struct fixture f;
        begin(&f);
        expect(&f, FK_NODES_METRICS, FK_ASK_WAIT);
        assert_true(duty_case_ask(&f.d));
        duty_case_answer(&f.d, 201, FK_REASON_NONE, fk_bytes(whole.p, len));
        expect(&f, FK_NODES_METRICS, FK_ASK_AWAY);
    }
}

static void the_server_is_away(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect_unable(&f, FK_NODES_METRICS, FK_ASK_AWAY);
    assert_false(duty_case_ask(&f.d));
    expect(&f, FK_NODES_METRICS, FK_ASK_WAIT);
    expect_unable(&f, FK_NODES_METRICS, FK_ASK_AWAY);
    assert_false(duty_case_ask(&f.d));
    expect(&f, FK_NODES_METRICS, FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    expect_unable(&f, FK_NODES_METRICS, FK_ASK_WAIT);
    duty_case_status(&f.d, FK_E_RESET);
    expect_unable(&f, FK_NODES_METRICS, FK_ASK_AWAY);
}

/* ---- several, and many -------------------------------------------------------------------------
 */

static void askers_take_turns(void **state) {
    (void)state;
    struct fixture f;
    struct fk_user bob;
    begin(&f);
    name(&bob, "bob", "", NULL);
    expect(&f, FK_NODES_METRICS, FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    assert_int_equal(fk_authz_check(&f.authz, f.d.now, &bob, "get", FK_NODES_METRICS, true),
                     FK_ASK_WAIT);
    assert_non_null(strstr(f.d.document, "\"ann\""));
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_access(f.reply, true));
    assert_int_equal(fk_authz_check(&f.authz, f.d.now, &bob, "get", FK_NODES_METRICS, true),
                     FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    assert_non_null(strstr(f.d.document, "\"bob\""));
    duty_case_answer(&f.d, 201, FK_REASON_NONE, review_access(f.reply, false));
    expect(&f, FK_NODES_METRICS, FK_ASK_YES);
    assert_int_equal(fk_authz_check(&f.authz, f.d.now, &bob, "get", FK_NODES_METRICS, true),
                     FK_ASK_NO);
}

/* Whoever asked is gone: others wait for the answer, and no longer. */
static void nobody_comes_for_the_answer(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, FK_NODES_METRICS, FK_ASK_WAIT);
    assert_true(duty_case_ask(&f.d));
    duty_case_status(&f.d, 500);
    expect(&f, FK_NODES_STATS, FK_ASK_WAIT);
    assert_false(duty_case_ask(&f.d));
    duty_case_pass(&f.d, FK_ASK_HELD_MS);
    expect(&f, FK_NODES_STATS, FK_ASK_WAIT);
    answer(&f, "stats", true);
    expect(&f, FK_NODES_STATS, FK_ASK_YES);
}

static void ask_as(struct fixture *f, const char *prefix, int i, bool allowed) {
    char user[24];
    (void)snprintf(user, sizeof user, "%s%d", prefix, i);
    name(&f->ann, user, "", "g");
    duty_case_pass(&f->d, 1);
    expect(f, FK_NODES_METRICS, FK_ASK_WAIT);
    answer(f, "metrics", allowed);
    expect(f, FK_NODES_METRICS, allowed ? FK_ASK_YES : FK_ASK_NO);
}

static void known_as(struct fixture *f, const char *prefix, int i, enum fk_verdict_state verdict) {
    char user[24];
    (void)snprintf(user, sizeof user, "%s%d", prefix, i);
    name(&f->ann, user, "", "g");
    expect_unable(f, FK_NODES_METRICS, verdict);
}

static void denied_questions_push_out_no_allowed_one(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    for (int i = 0; i < FK_AUTHZ_ALLOWED; i++) ask_as(&f, "friend", i, true);
    for (int i = 0; i < 5 * FK_AUTHZ_DENIED; i++) ask_as(&f, "foe", i, false);
    for (int i = 0; i < FK_AUTHZ_ALLOWED; i++) known_as(&f, "friend", i, FK_ASK_YES);
    for (int i = 4 * FK_AUTHZ_DENIED; i < 5 * FK_AUTHZ_DENIED; i++)
        known_as(&f, "foe", i, FK_ASK_NO);
    known_as(&f, "foe", 4 * FK_AUTHZ_DENIED - 1, FK_ASK_AWAY);
    ask_as(&f, "friend", FK_AUTHZ_ALLOWED, true); /* one too many: the oldest goes */
    known_as(&f, "friend", 0, FK_ASK_AWAY);
    for (int i = 1; i <= FK_AUTHZ_ALLOWED; i++) known_as(&f, "friend", i, FK_ASK_YES);
}

static void the_longest_user_fits(void **state) {
    (void)state;
    struct fixture f;
    char longest[FK_USER_MAX];
    memset(longest, 'u', sizeof longest);
    longest[FK_USER_MAX - 2] = '\0';
    begin(&f);
    name(&f.ann, longest, "", NULL);
    assert_int_equal(f.ann.len, FK_USER_MAX);
    expect(&f, FK_NODES_METRICS, FK_ASK_WAIT);
    answer(&f, "metrics", true);
    assert_non_null(strstr(f.d.document, longest));
    expect(&f, FK_NODES_METRICS, FK_ASK_YES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_reviewed),
        cmocka_unit_test(verbs_and_subresources_are_named_as_upstream),
        cmocka_unit_test(nobody_may_nothing),
        cmocka_unit_test(answers_last_as_long_as_they_should),
        cmocka_unit_test(an_answer_is_for_its_own_question_only),
        cmocka_unit_test(finer_first_then_proxy),
        cmocka_unit_test(a_finer_yes_is_enough),
        cmocka_unit_test(others_have_no_finer_one),
        cmocka_unit_test(what_is_known_of_proxy_is_not_asked_again),
        cmocka_unit_test(each_is_remembered_for_its_own_time),
        cmocka_unit_test(a_known_denial_leads_to_proxy_at_once),
        cmocka_unit_test(nothing_is_remembered_for_no_time),
        cmocka_unit_test(no_answer_is_no_and_not_remembered),
        cmocka_unit_test(a_reply_cut_anywhere_is_no_answer),
        cmocka_unit_test(the_server_is_away),
        cmocka_unit_test(askers_take_turns),
        cmocka_unit_test(nobody_comes_for_the_answer),
        cmocka_unit_test(denied_questions_push_out_no_allowed_one),
        cmocka_unit_test(the_longest_user_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
