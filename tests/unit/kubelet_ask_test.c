/* Tables of verdicts and the one review, as rows of (now, event, expected). */
#include "kubelet/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"
#include "support/review_case.h"

static void key_of(const char *text, uint8_t key[FK_ASK_KEY]) {
    fk_ask_key(review_sha256, text, strlen(text), key);
}

static void keys_are_compared_whole(void **state) {
    (void)state;
    uint8_t a[FK_ASK_KEY], b[FK_ASK_KEY];
    key_of("token", a);
    key_of("token", b);
    assert_true(fk_ask_same(a, b));
    for (size_t bit = 0; bit < (size_t)FK_ASK_KEY * 8; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(fk_ask_same(a, b));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* ---- tables --------------------------------------------------------------------------------- */

enum { SLOTS = 3 };

static size_t keep(struct fk_ask_entry *table, const char *text, uint64_t now_ms,
                   uint64_t until_ms) {
    uint8_t key[FK_ASK_KEY];
    key_of(text, key);
    return fk_ask_keep(table, SLOTS, key, now_ms, until_ms);
}

static int find(const struct fk_ask_entry *table, const char *text, uint64_t now_ms) {
    uint8_t key[FK_ASK_KEY];
    key_of(text, key);
    return fk_ask_find(table, SLOTS, key, now_ms);
}

static void an_entry_ends_at_its_time(void **state) {
    (void)state;
    static const uint64_t ends[] = {
        1, 2, 5000, UINT32_MAX, UINT32_MAX + UINT64_C(1), FK_NEVER - 1, FK_NEVER};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct fk_ask_entry table[SLOTS] = {{{0}, 0}};
        assert_int_equal(find(table, "a", 0), -1);
        assert_int_equal(keep(table, "a", 0, ends[i]), 0);
        assert_int_equal(find(table, "a", ends[i] - 1), 0);
        assert_int_equal(find(table, "a", ends[i]), -1);
        assert_int_equal(find(table, "b", 0), -1);
    }
}

static void nothing_is_found_in_an_empty_table(void **state) {
    (void)state;
    const struct fk_ask_entry table[SLOTS] = {{{0}, 0}};
    const uint8_t zeros[FK_ASK_KEY] = {0};
    assert_int_equal(fk_ask_find(table, SLOTS, zeros, 0), -1);
    assert_int_equal(fk_ask_find(table, SLOTS, zeros, FK_NEVER), -1);
}

static void what_ends_soonest_gives_way(void **state) {
    (void)state;
    static const struct {
        uint64_t now_ms;
        const char *text;
        uint64_t until_ms;
        size_t expected;
    } rows[] = {
        {100, "a", 1100, 0},  {200, "b", 900, 1},   {300, "c", 1300, 2},  /* free ones first */
        {400, "a", 1400, 0},                                              /* its own entry */
        {500, "d", 1500, 1},                                              /* b ends soonest */
        {1300, "e", 2300, 2},                                             /* c has ended just now */
        {1350, "f", 2350, 0},                                             /* a ends soonest */
        {5000, "g", 6000, 0},                                             /* all ended: the first */
        {5000, "h", 6000, 1}, {5000, "i", 6000, 2}, {5000, "j", 6000, 0}, /* all alike: the first */
    };
    struct fk_ask_entry table[SLOTS] = {{{0}, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(keep(table, rows[i].text, rows[i].now_ms, rows[i].until_ms),
                         rows[i].expected);
        assert_int_equal(find(table, rows[i].text, rows[i].now_ms), rows[i].expected);
    }
    assert_int_equal(find(table, "a", 5000), -1);
    assert_int_equal(find(table, "i", 5000), 2);
}

/* A table of one, and one whose entries never end. */
static void tables_at_their_edges(void **state) {
    (void)state;
    struct fk_ask_entry one[1] = {{{0}, 0}};
    uint8_t a[FK_ASK_KEY], b[FK_ASK_KEY];
    key_of("a", a);
    key_of("b", b);
    assert_int_equal(fk_ask_keep(one, 1, a, 0, FK_NEVER), 0);
    assert_int_equal(fk_ask_keep(one, 1, b, 0, FK_NEVER), 0);
    assert_int_equal(fk_ask_find(one, 1, a, 0), -1);
    assert_int_equal(fk_ask_find(one, 1, b, 0), 0);
}

/* ---- the one review ------------------------------------------------------------------------- */

static enum fk_verdict_state turn(struct fk_ask *a, uint64_t now_ms, const char *text, bool able,
                                  bool begins) {
    uint8_t key[FK_ASK_KEY];
    bool begun;
    key_of(text, key);
    const enum fk_verdict_state verdict = fk_ask_turn(a, now_ms, key, able, &begun);
    assert_int_equal(begun, begins);
    return verdict;
}

static void one_is_asked_about_at_a_time(void **state) {
    (void)state;
    struct fk_ask a = {.stage = FK_ASK_IDLE};
    assert_int_equal(turn(&a, 1000, "a", false, false), FK_ASK_AWAY);
    assert_int_equal(turn(&a, 1000, "a", true, true), FK_ASK_WAIT);
    assert_int_equal(turn(&a, 1001, "a", true, false), FK_ASK_WAIT);
    assert_int_equal(turn(&a, 1001, "b", true, false), FK_ASK_WAIT);
    a.stage = FK_ASK_SENT;
    assert_int_equal(turn(&a, 1002, "a", true, false), FK_ASK_WAIT);
    assert_int_equal(turn(&a, 1002, "a", false, false), FK_ASK_WAIT); /* it is on its way */
    assert_int_equal(turn(&a, 1002, "b", true, false), FK_ASK_WAIT);
    assert_int_equal(turn(&a, 1002, "b", false, false), FK_ASK_AWAY);
    fk_ask_settle(&a, 1003, FK_ASK_NO, true);
    assert_int_equal(turn(&a, 1003, "b", true, true), FK_ASK_WAIT);
}

static void what_is_wanted_is_dropped_when_the_server_goes(void **state) {
    (void)state;
    struct fk_ask a = {.stage = FK_ASK_IDLE};
    assert_int_equal(turn(&a, 1000, "a", true, true), FK_ASK_WAIT);
    assert_int_equal(turn(&a, 1001, "b", false, false), FK_ASK_AWAY);
    assert_int_equal(a.stage, FK_ASK_WANTED);
    assert_int_equal(turn(&a, 1001, "a", false, false), FK_ASK_AWAY);
    assert_int_equal(a.stage, FK_ASK_IDLE);
    assert_int_equal(turn(&a, 1002, "a", true, true), FK_ASK_WAIT); /* afresh */
}

static void a_held_verdict_is_told_once(void **state) {
    (void)state;
    static const enum fk_verdict_state verdicts[] = {FK_ASK_AWAY, FK_ASK_YES, FK_ASK_NO};
    for (size_t i = 0; i < 3; i++) {
        struct fk_ask a = {.stage = FK_ASK_IDLE};
        assert_int_equal(turn(&a, 1000, "a", true, true), FK_ASK_WAIT);
        a.stage = FK_ASK_SENT;
        fk_ask_settle(&a, 2000, verdicts[i], false);
        assert_int_equal(turn(&a, 2000, "b", true, false), FK_ASK_WAIT);
        assert_int_equal(turn(&a, 2000, "a", false, false), verdicts[i]);
        assert_int_equal(turn(&a, 2000, "a", true, true), FK_ASK_WAIT);
    }
}

static void a_held_verdict_ends(void **state) {
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct fk_ask a = {.stage = FK_ASK_IDLE};
        const uint64_t now_ms = 1000 + FK_ASK_HELD_MS - 1 + (uint64_t)late;
        assert_int_equal(turn(&a, 0, "a", true, true), FK_ASK_WAIT);
        fk_ask_settle(&a, 1000, FK_ASK_YES, false);
        assert_int_equal(turn(&a, now_ms, "b", true, late), FK_ASK_WAIT);
        assert_int_equal(turn(&a, now_ms, "a", true, false), late ? FK_ASK_WAIT : FK_ASK_YES);
    }
}

/* ---- what the log says ------------------------------------------------------------------------
 */

struct lines {
    unsigned aloud, quiet;
    char advice[256];
};

static void count(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                  size_t n) {
    struct lines *l = ctx;
    assert_string_equal(message, "review failed");
    if (level == FK_WARN) l->aloud++;
    else l->quiet++;
    (void)snprintf(l->advice, sizeof l->advice, "%s", kvs[n - 1].str);
}

static void refusals_are_told_once_a_minute(void **state) {
    (void)state;
    static const struct {
        uint64_t now_ms;
        int status;
        unsigned aloud;
        const char *advice;
    } rows[] = {
        {0, 403, 1, "system:node"},
        {1, 403, 1, "system:node"},
        {59999, 401, 1, "credentials"},
        {60000, 401, 2, "credentials"},
        {119999, 422, 2, ""},
        {120000, FK_E_PARSE, 3, ""},
        {180000, 503, 3, ""}, /* passes by itself */
        {180000, 429, 3, ""},
        {180000, FK_E_RESET, 3, ""},
        {180000, FK_E_CANCELLED, 3, ""},
        {180000, 400, 4, ""},
    };
    struct lines lines = {.aloud = 0};
    const struct fk_log log = {FK_DEBUG, &lines, count};
    const struct fk_duty_env env = {&duty_case_config, &log, NULL};
    struct fk_ask a = {.stage = FK_ASK_IDLE};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fk_response response = {.status = rows[i].status, .message = ""};
        fk_ask_complain(&a, &env, rows[i].now_ms, "token review", &response);
        assert_int_equal(lines.aloud, rows[i].aloud);
        assert_int_equal(lines.aloud + lines.quiet, i + 1);
        assert_non_null(strstr(lines.advice, rows[i].advice));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_compared_whole),
        cmocka_unit_test(an_entry_ends_at_its_time),
        cmocka_unit_test(nothing_is_found_in_an_empty_table),
        cmocka_unit_test(what_ends_soonest_gives_way),
        cmocka_unit_test(tables_at_their_edges),
        cmocka_unit_test(one_is_asked_about_at_a_time),
        cmocka_unit_test(what_is_wanted_is_dropped_when_the_server_goes),
        cmocka_unit_test(a_held_verdict_is_told_once),
        cmocka_unit_test(a_held_verdict_ends),
        cmocka_unit_test(refusals_are_told_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
