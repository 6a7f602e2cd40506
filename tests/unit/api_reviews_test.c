/* Reviews: documents, and replies of a real API server (tests/golden/api/README.md). */
#include "api/reviews.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/guard.h"
#include "support/review_case.h"

/* ---- documents ------------------------------------------------------------------------------ */

static void a_token_is_asked_about(void **state) {
    (void)state;
    char text[256];
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    fk_token_review_put(fk_bytes_str("abc.d\"ef\\"), &w);
    assert_int_equal(fk_writer_finish(&w), 0);
    assert_string_equal(text,
                        "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
                        "\"spec\":{\"token\":\"abc.d\\\"ef\\\\\"}}");
}

static void user_of(struct fk_user *u, const char *const *texts) {
    u->len = 0;
    for (; *texts != NULL; texts++) assert_true(fk_user_add(u, fk_bytes_str(*texts)));
}

static void expect_question(const char *const *texts, const char *user) {
    char text[1024], expected[1024];
    struct fk_writer w;
    struct fk_user u;
    user_of(&u, texts);
    fk_writer_init(&w, text, sizeof text);
    const struct fk_access_question question = {&u, "get", "nodes", "metrics", "board-1"};
    fk_access_review_put(&question, &w);
    assert_int_equal(fk_writer_finish(&w), 0);
    (void)snprintf(expected, sizeof expected,
                   "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\","
                   "\"spec\":{%s,\"resourceAttributes\":{\"verb\":\"get\",\"group\":\"\","
                   "\"version\":\"v1\",\"resource\":\"nodes\",\"subresource\":\"metrics\","
                   "\"name\":\"board-1\"}}}",
                   user);
    assert_string_equal(text, expected);
}

static void a_user_is_asked_about(void **state) {
    (void)state;
    expect_question((const char *const[]){"ann", "", NULL}, "\"user\":\"ann\",\"groups\":[]");
    expect_question((const char *const[]){"ann", "7", "a", "b", NULL},
                    "\"user\":\"ann\",\"uid\":\"7\",\"groups\":[\"a\",\"b\"]");
    expect_question((const char *const[]){"a\"b", "", "c\\d", NULL},
                    "\"user\":\"a\\\"b\",\"groups\":[\"c\\\\d\"]");
}

/* ---- replies ------------------------------------------------------------------------------- */

static int read_token(struct fk_token_review_reader *r, struct fk_bytes b, size_t split) {
    fk_token_review_begin(r);
    (void)fk_token_review_feed(r, fk_bytes(b.p, split));
    (void)fk_token_review_feed(r, fk_bytes(b.p + split, b.len - split));
    return fk_token_review_end(r);
}

static void expect_user(const struct fk_user *u, const char *const *texts) {
    struct fk_user expected;
    user_of(&expected, texts);
    assert_int_equal(u->len, expected.len);
    assert_memory_equal(u->text, expected.text, u->len);
}

static const char *const scraper[] = {"system:serviceaccount:default:scraper",
                                      "017d620a-d23b-4469-bc47-9556022e8a9e",
                                      "system:serviceaccounts",
                                      "system:serviceaccounts:default",
                                      "system:authenticated",
                                      NULL};

static void a_good_token_at_every_split(void **state) {
    (void)state;
    struct guard g = guard_golden("api/tokenreview-good.pb");
    struct fk_token_review_reader r;
    for (size_t split = 0; split <= g.len; split++) {
        assert_int_equal(read_token(&r, guard_bytes(&g), split), 0);
        assert_true(r.authenticated);
        assert_false(r.oversize);
        assert_string_equal(r.error, "");
        expect_user(&r.user, scraper);
    }
    guard_free(&g);
}

static void a_refused_token_at_every_split(void **state) {
    (void)state;
    struct guard g = guard_golden("api/tokenreview-refused.pb");
    struct fk_token_review_reader r;
    for (size_t split = 0; split <= g.len; split++) {
        assert_int_equal(read_token(&r, guard_bytes(&g), split), 0);
        assert_false(r.authenticated);
        assert_false(fk_user_known(&r.user));
        assert_string_equal(r.error, "invalid bearer token");
    }
    guard_free(&g);
}

/* A cut where only runtime.Unknown's two empty texts are missing is whole. */
static bool is_whole(size_t len, size_t all) { return len == all - 4 || len == all - 2; }

static void a_cut_reply_authenticates_nobody(void **state) {
    (void)state;
    static const char *const names[] = {"api/tokenreview-good.pb", "api/tokenreview-refused.pb"};
    for (size_t i = 0; i < 2; i++) {
        struct guard g = guard_golden(names[i]);
        struct fk_token_review_reader r;
        for (size_t len = 0; len < g.len; len++) {
            const int expected = is_whole(len, g.len) ? 0 : FK_E_PARSE;
            assert_int_equal(read_token(&r, fk_bytes(g.p, len), len / 2), expected);
            if (expected == 0) continue;
            assert_false(r.authenticated);
            assert_false(fk_user_known(&r.user));
        }
        guard_free(&g);
    }
}

static int read_access(struct fk_access_review_reader *r, struct fk_bytes b, size_t split) {
    fk_access_review_begin(r);
    (void)fk_access_review_feed(r, fk_bytes(b.p, split));
    (void)fk_access_review_feed(r, fk_bytes(b.p + split, b.len - split));
    return fk_access_review_end(r);
}

static void access_at_every_split_and_cut(void **state) {
    (void)state;
    static const char *const names[] = {"api/accessreview-refused.pb",
                                        "api/accessreview-allowed.pb"};
    for (size_t i = 0; i < 2; i++) {
        struct guard g = guard_golden(names[i]);
        struct fk_access_review_reader r;
        for (size_t split = 0; split <= g.len; split++) {
            assert_int_equal(read_access(&r, guard_bytes(&g), split), 0);
            assert_int_equal(r.allowed, i);
        }
        for (size_t len = 0; len < g.len; len++) {
            const bool whole = is_whole(len, g.len);
            assert_int_equal(read_access(&r, fk_bytes(g.p, len), 0), whole ? 0 : FK_E_PARSE);
            assert_int_equal(r.allowed, whole ? i : 0);
        }
        guard_free(&g);
    }
}

/* ---- odd replies --------------------------------------------------------------------------- */

/* One more than the longest name that has room, with its zero and that of an empty UID. */
#define LONGEST (FK_USER_MAX - 1)

static void users_at_the_bound(void **state) {
    (void)state;
    char name[FK_USER_MAX + 1];
    uint8_t buf[2200];
    const char *const none[] = {NULL};
    struct fk_token_review_reader r;
    for (size_t len = LONGEST - 2; len <= FK_USER_MAX; len++) {
        memset(name, 'n', len);
        name[len] = '\0';
        assert_int_equal(read_token(&r, review_token(buf, name, "", none), 9), 0);
        const bool fits = len < LONGEST; /* two zeros */
        assert_true(r.authenticated);
        assert_int_equal(r.oversize, !fits);
        assert_int_equal(fk_user_known(&r.user), fits);
        if (fits) assert_string_equal(fk_user_uid(&r.user), "");
    }
}

static void groups_at_the_bound(void **state) {
    (void)state;
    char group[FK_PB_LEAF_MAX + 2];
    uint8_t buf[2200];
    const char *const groups[] = {"g", group, "h", NULL};
    struct fk_token_review_reader r;
    const size_t room = FK_USER_MAX - 2 - 2 - 2 - 2; /* n, u, g, h with their zeros */
    for (size_t len = room - 2; len <= FK_PB_LEAF_MAX + 1; len++) {
        memset(group, 'x', len);
        group[len] = '\0';
        assert_int_equal(read_token(&r, review_token(buf, "n", "u", groups), 9), 0);
        assert_int_equal(r.oversize, len > room - 1);
        assert_int_equal(fk_user_known(&r.user), len <= room - 1);
    }
}

/* What follows does not make up for it, even if it had room. */
static void a_name_too_long_is_nobody(void **state) {
    (void)state;
    char name[FK_PB_LEAF_MAX + 2];
    uint8_t buf[2200];
    struct fk_token_review_reader r;
    memset(name, 'n', sizeof name);
    name[FK_PB_LEAF_MAX + 1] = '\0';
    assert_int_equal(
        read_token(&r, review_token(buf, name, "u", (const char *const[]){"g", NULL}), 0), 0);
    assert_true(r.authenticated && r.oversize);
    assert_false(fk_user_known(&r.user));
}

struct row {
    const char *user; /* its message, or NULL: none */
    size_t len;
    int expected;
    const char *const *texts;
};
#define ROW(bytes, expected, ...)                                                                  \
    {                                                                                              \
        bytes, sizeof bytes - 1, expected, (const char *const[]) { __VA_ARGS__, NULL }             \
    }

static void odd_users(void **state) {
    (void)state;
    static const char name[] = "\x0A\x01n", no_uid[] = "\x0A\x01n\x1A\x01g",
                      empty_group[] = "\x0A\x01n\x12\x00\x1A\x00", zero[] = "\x0A\x03n\0m",
                      empty[] = "\x0A\x00\x12\x01u", uid_first[] = "\x12\x01u\x0A\x01n",
                      group_first[] = "\x1A\x01g\x0A\x01n", two_names[] = "\x0A\x01n\x0A\x01m",
                      two_uids[] = "\x0A\x01n\x12\x01u\x12\x01v",
                      late_uid[] = "\x0A\x01n\x1A\x01g\x12\x01u", number[] = "\x08\x01\x0A\x01n",
                      extra[] = "\x0A\x01n\x22\x04\x0A\x02xy", nothing[] = "";
    const struct row rows[] = {
        ROW(name, 0, "n", ""),
        ROW(no_uid, 0, "n", "", "g"),
        ROW(empty_group, 0, "n", "", ""),
        ROW(extra, 0, "n", ""),
        ROW(zero, FK_E_PARSE, ""),
        ROW(empty, FK_E_PARSE, ""),
        ROW(uid_first, FK_E_PARSE, ""),
        ROW(group_first, FK_E_PARSE, ""),
        ROW(two_names, FK_E_PARSE, ""),
        ROW(two_uids, FK_E_PARSE, ""),
        ROW(late_uid, FK_E_PARSE, ""),
        ROW(number, FK_E_PARSE, ""),
        ROW(nothing, FK_E_PARSE, ""),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct review_message status = {.len = 0};
        struct fk_token_review_reader r;
        uint8_t buf[2200];
        review_number(&status, 1, 1);
        review_bytes(&status, 2, fk_bytes(rows[i].user, rows[i].len));
        const struct fk_bytes reply = review_reply(buf, &status);
        for (size_t split = 0; split <= reply.len; split++) {
            assert_int_equal(read_token(&r, reply, split), rows[i].expected);
            assert_int_equal(r.authenticated, rows[i].expected == 0);
            if (rows[i].expected == 0) expect_user(&r.user, rows[i].texts);
            else assert_false(fk_user_known(&r.user));
        }
    }
}

/* status: field, value; "authenticated" that is a text, left out, or told before the user or
 * behind.
 */
static void odd_statuses(void **state) {
    (void)state;
    struct fk_token_review_reader r;
    uint8_t buf[2200];
    struct review_message text = {.len = 0}, none = {.len = 0}, behind = {.len = 0};
    const struct fk_bytes user = fk_bytes("\x0A\x01n", 3);
    review_text(&text, 1, "1");
    review_bytes(&text, 2, user);
    assert_int_equal(read_token(&r, review_reply(buf, &text), 0), FK_E_PARSE);
    assert_false(fk_user_known(&r.user));

    review_bytes(&none, 2, user);
    assert_int_equal(read_token(&r, review_reply(buf, &none), 0), 0);
    assert_false(r.authenticated);
    assert_false(fk_user_known(&r.user));

    review_bytes(&behind, 2, user);
    review_number(&behind, 1, 1);
    assert_int_equal(read_token(&r, review_reply(buf, &behind), 0), 0);
    assert_true(r.authenticated);
    expect_user(&r.user, (const char *const[]){"n", "", NULL});

    const struct review_message empty = {.len = 0};
    assert_int_equal(read_token(&r, review_reply(buf, &empty), 0), 0);
    assert_false(r.authenticated);
}

static void errors_are_kept_for_the_log(void **state) {
    (void)state;
    char text[1000];
    uint8_t buf[2200];
    for (size_t len = FK_REVIEW_ERROR_MAX - 2; len < sizeof text; len += len < 70 ? 1 : 300) {
        struct review_message status = {.len = 0};
        struct fk_token_review_reader r;
        memset(text, 'e', sizeof text);
        text[0] = '\n';
        text[1] = '\x7F';
        text[len] = '\0';
        review_text(&status, 3, text);
        assert_int_equal(read_token(&r, review_reply(buf, &status), 12), 0);
        assert_int_equal(strlen(r.error),
                         len < FK_REVIEW_ERROR_MAX ? len : FK_REVIEW_ERROR_MAX - 1);
        assert_memory_equal(r.error, "??ee", 4);
    }
}

static void allowed_and_not_denied(void **state) {
    (void)state;
    static const struct {
        const char *status;
        size_t len;
        int expected;
        bool allowed;
    } rows[] = {
        {"\x08\x01", 2, 0, true},
        {"\x08\x01\x20\x00", 4, 0, true},
        {"\x08\x01\x20\x01", 4, 0, false},
        {"\x20\x01\x08\x01", 4, 0, false},
        {"\x20\x01\x20\x00\x08\x01", 6, 0, false},
        {"\x08\x00\x20\x01", 4, 0, false},
        {"\x08\x00", 2, 0, false},
        {"\x20\x00", 2, 0, false},
        {"", 0, 0, false},
        {"\x08\x01\x12\x03why", 7, 0, true},
        {"\x08\x01\x1A\x03oops", 8, FK_E_PARSE, false}, /* a byte too many */
        {"\x0A\x01\x01", 3, FK_E_PARSE, false},         /* a truth that is a text */
        {"\x08\x01\x22\x00", 4, FK_E_PARSE, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct review_message status = {.len = rows[i].len};
        struct fk_access_review_reader r;
        uint8_t buf[2200];
        memcpy(status.p, rows[i].status, rows[i].len);
        const struct fk_bytes reply = review_reply(buf, &status);
        for (size_t split = 0; split <= reply.len; split++) {
            assert_int_equal(read_access(&r, reply, split), rows[i].expected);
            assert_int_equal(r.allowed, rows[i].allowed);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_asked_about),
        cmocka_unit_test(a_user_is_asked_about),
        cmocka_unit_test(a_good_token_at_every_split),
        cmocka_unit_test(a_refused_token_at_every_split),
        cmocka_unit_test(a_cut_reply_authenticates_nobody),
        cmocka_unit_test(access_at_every_split_and_cut),
        cmocka_unit_test(users_at_the_bound),
        cmocka_unit_test(groups_at_the_bound),
        cmocka_unit_test(a_name_too_long_is_nobody),
        cmocka_unit_test(odd_users),
        cmocka_unit_test(odd_statuses),
        cmocka_unit_test(errors_are_kept_for_the_log),
        cmocka_unit_test(allowed_and_not_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
