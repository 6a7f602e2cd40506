#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

static void unknown_before_the_first_anchor(void **state) {
    (void)state;
    const struct fk_clock c = {0};
    const struct fk_now now = fk_clock_read(&c, 1234);
    assert_true(now.mono_ms == 1234);
    assert_true(now.wall_us == FK_WALL_UNKNOWN);
}

/* A Date tells the second, and a reply may be one more under way: an estimate up to 2 s ahead of
 * it stands, one outside is moved to the nearer edge. Rows continue each other. */
static void anchors(void **state) {
    (void)state;
    static const struct {
        uint64_t mono_ms;
        int64_t date_s;
        int64_t wall_us; /* right after */
        uint32_t slips;
    } rows[] = {
        {1000, 5000, 5000000000, 0},       /* the first is taken as it is, however far off */
        {1500, 5000, 5000500000, 0},       /* inside */
        {2999, 5001, 5001999000, 0},       /* inside */
        {3000, 5000, 5002000000, 0},       /* at the late edge: stays */
        {3000, 4999, 5001000000, 0},       /* ahead: back to the edge */
        {3000, 5001, 5001000000, 0},       /* at the early edge: stays */
        {3000, 5002, 5002000000, 0},       /* behind: up to the edge */
        {3000, 5007, 5007000000, 0},       /* by 5 s: not yet a slip */
        {3000, 5013, 5013000000, 1},       /* by 6 s */
        {3000, 5000, 5002000000, 2},       /* by 11 s, backwards */
        {3001, 5000, 5002000000, 2},       /* 1 ms */
        {86403001, 91405, 91405000000, 2}, /* a day later, 3 s slow */
    };
    struct fk_clock c = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fk_clock_anchor(&c, rows[i].mono_ms, rows[i].date_s);
        const struct fk_now now = fk_clock_read(&c, rows[i].mono_ms);
        print_message("row %zu\n", i);
        assert_true(now.wall_us == rows[i].wall_us);
        assert_int_equal(c.slips, rows[i].slips);
        assert_true(fk_clock_read(&c, rows[i].mono_ms + 7).wall_us == rows[i].wall_us + 7000);
    }
    assert_true(c.slipped_ms == 3000);
}

static void a_tick_that_wraps(void **state) {
    (void)state;
    struct fk_tick t = {0};
    static const struct {
        uint32_t tick;
        uint64_t ms;
    } rows[] = {
        {0, 0},           {0, 0},
        {5, 5},           {0xFFFFFFFF, 0xFFFFFFFF},
        {0, 0x100000000}, {0, 0x100000000},
        {7, 0x100000007}, {6, 0x200000006}, /* backwards can only mean around */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(fk_tick_extend(&t, rows[i].tick) == rows[i].ms);
}

static void deadlines(void **state) {
    (void)state;
    assert_true(fk_after(1, 2) == 3);
    assert_true(fk_after(FK_NEVER, 0) == FK_NEVER);
    assert_true(fk_after(FK_NEVER, 1) == FK_NEVER);
    assert_true(fk_after(FK_NEVER - 1, 1) == FK_NEVER);
    assert_true(fk_after(FK_NEVER - 1, 2) == FK_NEVER);
    assert_true(fk_sooner(1, FK_NEVER) == 1);
    assert_true(fk_sooner(2, 1) == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_before_the_first_anchor),
        cmocka_unit_test(anchors),
        cmocka_unit_test(a_tick_that_wraps),
        cmocka_unit_test(deadlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
