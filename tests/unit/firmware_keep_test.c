/* A document that is saved while the board runs: again and again, and whatever happens to the power
 * there is the former one or the new one. */
#include "firmware/keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/flash_model.h"

#define PAGE 64
#define SECTOR 4096
#define SECTORS 2 /* a slot of one sector each */

static struct flash_model flash;
static struct fk_keep keep;
static uint8_t found[FK_PORT_KEEP_MAX];

static void power_on(void) {
    flash_model_power_on(&flash);
    assert_int_equal(fk_keep_open(&keep, &flash.flash), 0);
}

static int begin(void **state) {
    (void)state;
    flash_model_init(&flash, PAGE, SECTOR, SECTORS);
    power_on();
    return 0;
}

static int end(void **state) {
    (void)state;
    flash_model_free(&flash);
    return 0;
}

/* The n-th document: its length and bytes follow from n. */
static struct fk_bytes nth(unsigned n) {
    static uint8_t document[FK_PORT_KEEP_MAX + 1];
    const size_t len = n % 2 == 0 ? FK_PORT_KEEP_MAX : FK_PORT_KEEP_MAX - 40 - n % 7;
    for (size_t i = 0; i < sizeof document; i++) document[i] = (uint8_t)(i * 31 + i / 7 + n * 57);
    return fk_bytes(document, len);
}

static int save(unsigned n) {
    const struct fk_bytes document = nth(n);
    return fk_keep_save(&keep, document.p, document.len);
}

static bool is_nth(unsigned n) {
    const struct fk_bytes wanted = nth(n);
    const int len = fk_keep_load(&keep, found, sizeof found);
    return len == (int)wanted.len && memcmp(found, wanted.p, wanted.len) == 0;
}

static void at_first_there_is_none(void **state) {
    (void)state;
    assert_int_equal(fk_keep_load(&keep, found, sizeof found), 0);
}

static void the_last_one_counts_without_a_reboot(void **state) {
    (void)state;
    for (unsigned n = 0; n < 1000; n++) {
        assert_int_equal(save(n), 0);
        assert_true(is_nth(n));
        if (n % 97 != 0) continue;
        power_on();
        assert_true(is_nth(n));
    }
}

static void bounds(void **state) {
    (void)state;
    const struct fk_bytes longest = nth(0);
    assert_int_equal(longest.len, FK_PORT_KEEP_MAX);
    assert_int_equal(fk_keep_save(&keep, longest.p, longest.len + 1), FK_E_NOMEM);
    assert_int_equal(fk_keep_save(&keep, longest.p, longest.len), 0);
    assert_int_equal(fk_keep_save(&keep, longest.p, longest.len + 1), FK_E_NOMEM);
    assert_int_equal(fk_keep_load(&keep, found, longest.len - 1), FK_E_NOMEM);
    assert_int_equal(fk_keep_load(&keep, found, longest.len), longest.len);
    assert_int_equal(fk_keep_save(&keep, "x", 1), 0);
    assert_int_equal(fk_keep_load(&keep, found, 1), 1);
    assert_int_equal(fk_keep_save(&keep, NULL, 0), 0); /* none any more */
    assert_int_equal(fk_keep_load(&keep, found, sizeof found), 0);
    power_on();
    assert_int_equal(fk_keep_load(&keep, found, sizeof found), 0);
}

static void a_region_that_is_too_small(void **state) {
    (void)state;
    flash_model_free(&flash);
    flash_model_init(&flash, PAGE, 1024, 2);
    power_on();
    assert_int_equal(fk_keep_save(&keep, "former", 6), 0);
    assert_int_equal(save(0), FK_E_NOMEM);
    assert_int_equal(fk_keep_load(&keep, found, sizeof found), 6);
    assert_int_equal(fk_keep_save(&keep, "latter", 6), 0);
    assert_int_equal(fk_keep_load(&keep, found, sizeof found), 6);
    assert_memory_equal(found, "latter", 6);
}

static void what_has_not_changed_is_not_written(void **state) {
    (void)state;
    assert_int_equal(save(3), 0);
    power_on();
    assert_int_equal(save(3), 0);
    assert_int_equal(flash.ops, 0);
    assert_int_equal(keep.writes, 0);
    assert_int_equal(save(4), 0);
    assert_int_equal(keep.writes, 1);
    /* one erase, the pages of the document with its word, and the head */
    assert_int_equal(flash.ops, 1 + (FK_PORT_KEEP_MAX + 4 + PAGE - 1) / PAGE + 1);
}

static void without_flash(void **state) {
    (void)state;
    assert_int_equal(fk_keep_open(&keep, NULL), FK_E_CONFIG);
    assert_int_equal(save(0), FK_E_RANGE);
    assert_int_equal(fk_keep_load(&keep, found, sizeof found), 0);
    assert_int_equal(fk_keep_forget(NULL), 0);
}

static void erased_for_the_next_owner(void **state) {
    (void)state;
    assert_int_equal(save(1), 0);
    assert_int_equal(save(2), 0);
    flash.cut_at = flash.ops + 2;
    flash.fault = FLASH_ERROR;
    assert_int_equal(fk_keep_forget(&flash.flash), FK_E_RANGE);
    assert_int_equal(fk_keep_forget(&flash.flash), 0);
    power_on();
    for (size_t i = 0; i < flash.size; i++) assert_int_equal(flash.bytes[i], 0xff);
    assert_int_equal(fk_keep_load(&keep, found, sizeof found), 0);
    assert_int_equal(save(3), 0);
    power_on();
    assert_true(is_nth(3));
}

/* ---- power loss --------------------------------------------------------------------------------
 */

static uint8_t before[SECTOR * SECTORS];

/* With n documents saved before, power fails in that operation of saving the next. Returns whether
 * the new one is there. */
static bool cut_once(unsigned n, bool rebooted, unsigned op, enum flash_cut cut, uint32_t arg) {
    memcpy(flash.bytes, before, sizeof before);
    power_on();
    if (!rebooted && n > 0) { /* the slot to be erased is the one that was active at the start */
        assert_int_equal(save(n - 1), 0);
        assert_int_equal(flash.ops, 0);
    }
    flash.cut_at = op;
    flash.fault = FLASH_POWER_LOST;
    flash.cut = cut;
    flash.arg = arg;
    assert_int_not_equal(save(n), 0);
    assert_true(flash.dead);
    power_on();
    const bool new = is_nth(n);
    const bool old = n == 0 ? fk_keep_load(&keep, found, sizeof found) == 0 : !new &&is_nth(n - 1);
    if (!new && !old) fail_msg("%u, operation %u, cut %d %u: neither", n, op, (int)cut, arg);
    assert_int_equal(save(n + 5), 0); /* and life goes on */
    assert_int_equal(save(n + 6), 0);
    power_on();
    assert_true(is_nth(n + 6));
    return new;
}

static void cut_everywhere(unsigned n, unsigned ops) {
    unsigned olds = 0, news = 0;
    for (unsigned op = 1; op <= ops; op++) {
        const bool head = op == 1 || op == ops;
        for (uint32_t done = 0; done <= PAGE; done += head ? 1 : 13)
            *(cut_once(n, true, op, FLASH_CUT_PREFIX, done) ? &news : &olds) += 1;
        const uint32_t more[] = {SECTOR / 2, SECTOR - 1, SECTOR};
        for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
            *(cut_once(n, false, op, FLASH_CUT_PREFIX, more[i]) ? &news : &olds) += 1;
        for (uint32_t seed = 1; seed <= 8; seed++) {
            *(cut_once(n, true, op, FLASH_CUT_BITS, seed) ? &news : &olds) += 1;
            *(cut_once(n, true, op, FLASH_CUT_ANYTHING, seed) ? &news : &olds) += 1;
        }
    }
    assert_true(olds > 0 && news > 0);
}

/* Also of a slot that has been written in the same run. */
static void power_loss_leaves_the_old_or_the_new(void **state) {
    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        memset(flash.bytes, 0xff, flash.size);
        power_on();
        for (unsigned i = 0; i < n; i++) assert_int_equal(save(i), 0);
        memcpy(before, flash.bytes, sizeof before);
        power_on();
        assert_int_equal(save(n), 0);
        cut_everywhere(n, flash.ops);
    }
}

/* An operation reports an error; power stays on. */
static void an_error_leaves_the_old(void **state) {
    (void)state;
    assert_int_equal(save(0), 0);
    power_on();
    assert_int_equal(save(1), 0);
    const unsigned ops = flash.ops;
    for (unsigned op = 1; op <= ops; op++) {
        flash_model_power_on(&flash);
        flash.cut_at = op;
        flash.fault = FLASH_ERROR;
        flash.cut = FLASH_CUT_BITS;
        flash.arg = op;
        assert_int_equal(save(2), FK_E_RANGE);
        assert_true(is_nth(1));
        power_on();
        assert_true(is_nth(1));
    }
    assert_int_equal(save(2), 0);
    assert_true(is_nth(2));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(at_first_there_is_none),
        TEST(the_last_one_counts_without_a_reboot),
        TEST(bounds),
        TEST(a_region_that_is_too_small),
        TEST(what_has_not_changed_is_not_written),
        TEST(without_flash),
        TEST(erased_for_the_next_owner),
        TEST(power_loss_leaves_the_old_or_the_new),
        TEST(an_error_leaves_the_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
