/* What the LED shows, millisecond by millisecond. */
#include "firmware/led.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PATTERNS (FK_LED_PANIC + 1)

/* Moments at which patterns begin: the clock's beginning, its middle, and just before it wraps. */
static const uint32_t starts[] = {0, 1, 123456789, 0x7fffffff, UINT32_MAX - 4321, UINT32_MAX};
#define STARTS (sizeof starts / sizeof starts[0])

static struct fk_led begun(enum fk_led_pattern pattern, uint32_t now_ms) {
    struct fk_led led = {0};
    assert_int_equal(fk_led_set(&led, pattern, now_ms), pattern != FK_LED_OFF);
    return led;
}

static bool is(struct fk_rgb color, unsigned r, unsigned g, unsigned b) {
    return color.r == r && color.g == g && color.b == b;
}

struct row {
    enum fk_led_pattern pattern;
    uint32_t at_ms; /* after its beginning */
    struct fk_rgb color;
};

#define MAX FK_LED_MAX
#define DARK                                                                                       \
    { 0, 0, 0 }
#define RED                                                                                        \
    { MAX, 0, 0 }

static void edges(void **state) {
    (void)state;
    static const struct row rows[] = {
        {FK_LED_OFF, 0, DARK},
        {FK_LED_OFF, 1000000, DARK},
        {FK_LED_SELF_TEST, 0, RED},
        {FK_LED_SELF_TEST, 199, RED},
        {FK_LED_SELF_TEST, 200, {0, MAX, 0}},
        {FK_LED_SELF_TEST, 399, {0, MAX, 0}},
        {FK_LED_SELF_TEST, 400, {0, 0, MAX}},
        {FK_LED_SELF_TEST, 599, {0, 0, MAX}},
        {FK_LED_SELF_TEST, 600, DARK},
        {FK_LED_SELF_TEST, 800, DARK}, /* once */
        {FK_LED_SELF_TEST, 1000, DARK},
        {FK_LED_SELF_TEST, UINT32_MAX, DARK},
        {FK_LED_BOOTING, 0, {8, 8, 8}},
        {FK_LED_BOOTING, 123456, {8, 8, 8}},
        {FK_LED_CONNECTING, 0, {0, 0, 2}},
        {FK_LED_CONNECTING, 333, {0, 0, MAX - 1}},
        {FK_LED_CONNECTING, 1000, {0, 0, MAX}}, /* the second of three breaths in two seconds */
        {FK_LED_CONNECTING, 2000, {0, 0, 2}},
        {FK_LED_HEALTHY, 0, {0, 2, 0}},
        {FK_LED_HEALTHY, 750, {0, 2 + 36 / 4, 0}}, /* half way up is a quarter of the light */
        {FK_LED_HEALTHY, 1500, {0, MAX, 0}},
        {FK_LED_HEALTHY, 3000, {0, 2, 0}},
        {FK_LED_WARNING, 0, {2, 2, 0}},
        {FK_LED_WARNING, 500, {MAX, MAX, 0}},
        {FK_LED_WARNING, 1000, {2, 2, 0}},
        {FK_LED_DISCONNECTED, 0, RED},
        {FK_LED_DISCONNECTED, 99, RED},
        {FK_LED_DISCONNECTED, 100, DARK},
        {FK_LED_DISCONNECTED, 999, DARK},
        {FK_LED_DISCONNECTED, 1000, RED},
        {FK_LED_DISCONNECTED, 5100, DARK},
        {FK_LED_PANIC, 0, RED},
        {FK_LED_PANIC, 99, RED},
        {FK_LED_PANIC, 100, DARK},
        {FK_LED_PANIC, 199, DARK},
        {FK_LED_PANIC, 200, RED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t s = 0; s < STARTS; s++) {
            const struct fk_led led = begun(rows[i].pattern, starts[s]);
            const struct fk_rgb got = fk_led_color(&led, starts[s] + rows[i].at_ms);
            if (!is(got, rows[i].color.r, rows[i].color.g, rows[i].color.b))
                fail_msg("row %zu from %u: %d %d %d", i, (unsigned)starts[s], got.r, got.g, got.b);
        }
    }
}

/* Every pattern for 10 s, also across the clock's wrap, with a renewal in the midst. */
static void never_too_bright(void **state) {
    (void)state;
    for (unsigned pattern = 0; pattern < PATTERNS + 2; pattern++) {
        for (size_t s = 0; s < STARTS; s++) {
            struct fk_led led = begun((enum fk_led_pattern)pattern, starts[s]);
            for (uint32_t ms = 0; ms < 10000; ms++) {
                if (ms == 5000) fk_led_renewed(&led, starts[s] + ms);
                const struct fk_rgb c = fk_led_color(&led, starts[s] + ms);
                assert_true(c.r <= FK_LED_MAX && c.g <= FK_LED_MAX && c.b <= FK_LED_MAX);
                if (pattern >= PATTERNS) assert_true(is(c, 0, 0, 0)); /* no such pattern */
            }
        }
    }
}

/* Upward crossings of half the brightness, of the channel that the pattern has. */
static unsigned beats(enum fk_led_pattern pattern, uint32_t start, uint32_t span_ms) {
    const struct fk_led led = begun(pattern, start);
    unsigned count = 0;
    bool was_bright = true; /* what begins bright has not risen */
    for (uint32_t ms = 0; ms < span_ms; ms++) {
        const struct fk_rgb c = fk_led_color(&led, start + ms);
        const bool bright = c.r > FK_LED_MAX / 2 || c.g > FK_LED_MAX / 2 || c.b > FK_LED_MAX / 2;
        count += bright && !was_bright;
        was_bright = bright;
    }
    return count;
}

static void rhythms(void **state) {
    (void)state;
    for (size_t s = 0; s < STARTS; s++) {
        assert_int_equal(beats(FK_LED_CONNECTING, starts[s], 60000), 90);   /* 1.5 Hz */
        assert_int_equal(beats(FK_LED_HEALTHY, starts[s], 60000), 20);      /* 0.33 Hz */
        assert_int_equal(beats(FK_LED_WARNING, starts[s], 60000), 60);      /* 1 Hz */
        assert_int_equal(beats(FK_LED_DISCONNECTED, starts[s], 60001), 60); /* 1 Hz */
        assert_int_equal(beats(FK_LED_PANIC, starts[s], 60001), 300);       /* 5 Hz */
        assert_int_equal(beats(FK_LED_BOOTING, starts[s], 60000), 0);
    }
}

/* Breathing is smooth: no step that an eye would take for a flash, and it is symmetric. */
static void breathing_is_smooth(void **state) {
    (void)state;
    const struct fk_led led = begun(FK_LED_HEALTHY, 7);
    for (uint32_t ms = 0; ms <= 3000; ms++) {
        const int here = fk_led_color(&led, 7 + ms).g;
        const int next = fk_led_color(&led, 7 + ms + 1).g;
        assert_in_range(next - here + 1, 0, 2);
        assert_int_equal(here, fk_led_color(&led, 7 + 3000 - ms).g);
    }
}

/* 100 ms of yellow for each renewal, on healthy and on nothing else. */
static void renewals_flash(void **state) {
    (void)state;
    for (size_t s = 0; s < STARTS; s++) {
        struct fk_led led = begun(FK_LED_HEALTHY, starts[s]);
        unsigned yellow = 0;
        for (uint32_t ms = 0; ms < 30000; ms++) {
            const uint32_t now_ms = starts[s] + ms;
            if (ms % 10000 == 2345) fk_led_renewed(&led, now_ms);
            const bool flash = is(fk_led_color(&led, now_ms), FK_LED_MAX, FK_LED_MAX, 0);
            yellow += flash;
            assert_int_equal(flash, ms % 10000 >= 2345 && ms % 10000 < 2445);
        }
        assert_int_equal(yellow, 300);
        fk_led_renewed(&led, starts[s]);
        for (unsigned p = 0; p < PATTERNS; p++) {
            if (p == FK_LED_HEALTHY) continue;
            const struct fk_led plain = begun((enum fk_led_pattern)p, starts[s] - 5000);
            led.pattern = plain.pattern;
            led.since_ms = plain.since_ms;
            const struct fk_rgb a = fk_led_color(&led, starts[s] + 50);
            const struct fk_rgb b = fk_led_color(&plain, starts[s] + 50);
            assert_true(is(a, b.r, b.g, b.b));
        }
    }
    /* the very first, at the moment that renewed_ms has from the beginning */
    struct fk_led led = begun(FK_LED_HEALTHY, 0);
    assert_true(is(fk_led_color(&led, 0), 0, 2, 0));
    fk_led_renewed(&led, 0);
    assert_true(is(fk_led_color(&led, 0), FK_LED_MAX, FK_LED_MAX, 0));
    led.flashes = UINT32_MAX;
    fk_led_renewed(&led, 10);
    assert_int_not_equal(led.flashes, 0);
}

static void a_pattern_begins_once(void **state) {
    (void)state;
    struct fk_led led = {0};
    assert_false(fk_led_set(&led, FK_LED_OFF, 5));
    assert_true(fk_led_set(&led, FK_LED_DISCONNECTED, 1000));
    assert_false(fk_led_set(&led, FK_LED_DISCONNECTED, 1500)); /* keeps its rhythm */
    assert_true(is(fk_led_color(&led, 1500), 0, 0, 0));
    assert_true(fk_led_set(&led, FK_LED_PANIC, 1550));
    assert_true(is(fk_led_color(&led, 1550), FK_LED_MAX, 0, 0));
}

/* Each pattern at each brightness: in proportion, what shone still shines, and 0 is dark. */
static void brightness_scales_every_pattern(void **state) {
    (void)state;
    for (unsigned pattern = 0; pattern < PATTERNS; pattern++) {
        struct fk_led led = begun((enum fk_led_pattern)pattern, 1000);
        for (uint32_t ms = 1000; ms < 5000; ms += 7) {
            fk_led_brightness(&led, 100);
            const struct fk_rgb full = fk_led_color(&led, ms);
            fk_led_brightness(&led, UINT32_MAX);
            struct fk_rgb c = fk_led_color(&led, ms);
            assert_true(is(c, full.r, full.g, full.b));
            fk_led_brightness(&led, 0);
            c = fk_led_color(&led, ms);
            assert_true(is(c, 0, 0, 0));
            for (unsigned percent = 1; percent < 100; percent += 14) {
                fk_led_brightness(&led, percent);
                c = fk_led_color(&led, ms);
                assert_int_equal(c.r, (full.r * percent + 99) / 100);
                assert_int_equal(c.g > 0, full.g > 0);
                assert_true(c.b <= full.b);
            }
        }
    }
}

static void chosen_by_state(void **state) {
    (void)state;
    static const struct {
        struct fk_led_facts facts; /* self_testing, provisioned, renewed, overdue, warning */
        enum fk_led_pattern pattern;
    } rows[] = {
        {{true, false, false, false, false}, FK_LED_SELF_TEST},
        {{true, true, true, true, true}, FK_LED_SELF_TEST},
        {{false, false, false, false, false}, FK_LED_BOOTING},
        {{false, false, false, false, true}, FK_LED_WARNING}, /* it cannot start */
        {{false, true, false, false, false}, FK_LED_CONNECTING},
        {{false, true, false, true, true}, FK_LED_CONNECTING}, /* healthy only after a renewal */
        {{false, true, true, false, false}, FK_LED_HEALTHY},
        {{false, true, true, false, true}, FK_LED_WARNING},
        {{false, true, true, true, false}, FK_LED_DISCONNECTED},
        {{false, true, true, true, true}, FK_LED_DISCONNECTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fk_led_choose(&rows[i].facts) != rows[i].pattern) fail_msg("row %zu", i);
}

static void names(void **state) {
    (void)state;
    static const char *const wanted[] = {"off",          "self-test", "booting",
                                         "connecting",   "healthy",   "warning",
                                         "disconnected", "panic",     "unknown"};
    for (unsigned p = 0; p <= PATTERNS; p++)
        assert_string_equal(fk_led_name((enum fk_led_pattern)p), wanted[p]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges),
        cmocka_unit_test(never_too_bright),
        cmocka_unit_test(rhythms),
        cmocka_unit_test(breathing_is_smooth),
        cmocka_unit_test(renewals_flash),
        cmocka_unit_test(a_pattern_begins_once),
        cmocka_unit_test(chosen_by_state),
        cmocka_unit_test(names),
        cmocka_unit_test(brightness_scales_every_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
