/* Settings in flash: what is put comes back, and whatever happens there is the old record or the
 * new one. */
#include "firmware/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/crc32.h"
#include "support/flash_model.h"

#define NUMBERS (FK_STORE_NUMBER_MAX + 1)
#define HEAD_LEN 24

static struct flash_model flash;
static struct fk_store store;

static void new_flash(uint32_t page, uint32_t sector, uint32_t count) {
    flash_model_free(&flash);
    flash_model_init(&flash, page, sector, count);
    assert_int_equal(fk_store_open(&store, &flash.flash), 0);
}

static int small_flash(void **state) {
    (void)state;
    flash_model_init(&flash, 64, 1024, 4);
    return fk_store_open(&store, &flash.flash);
}

static int free_flash(void **state) {
    (void)state;
    flash_model_free(&flash);
    return 0;
}

static void reboot(void) {
    flash_model_power_on(&flash);
    assert_int_equal(fk_store_open(&store, &flash.flash), 0);
}

/* Content of a value: its length and bytes follow from a seed. */
static uint8_t content[FK_STORE_VALUE_MAX + 1];

static struct fk_bytes some(size_t len, unsigned seed) {
    for (size_t i = 0; i < len; i++) content[i] = (uint8_t)(i * 31 + i / 7 + seed * 57);
    return fk_bytes(content, len);
}

static int put(unsigned number, struct fk_bytes value) {
    const int err = fk_store_put(&store, number, value.len);
    return err != 0 ? err : fk_store_write(&store, value.p, value.len);
}

static int save(unsigned number, struct fk_bytes value) {
    int err = fk_store_begin(&store);
    if (err == 0) err = put(number, value);
    return err == 0 ? fk_store_commit(&store) : err;
}

static void expect(struct fk_bytes got, struct fk_bytes wanted) {
    assert_non_null(got.p);
    assert_int_equal(got.len, wanted.len);
    if (wanted.len > 0) assert_memory_equal(got.p, wanted.p, wanted.len);
}

static void expect_number(unsigned number, struct fk_bytes wanted) {
    expect(fk_store_get(&store, number), wanted);
}

static void expect_none(unsigned number) { assert_null(fk_store_get(&store, number).p); }

/* ---- saving and reading -----------------------------------------------------------------------
 */

static void erased_flash_has_no_record(void **state) {
    (void)state;
    for (unsigned n = 0; n < NUMBERS; n++) expect_none(n);
    assert_false(fk_store_newer(&store));
    assert_false(fk_store_drafting(&store));
    assert_int_equal(put(1, some(3, 1)), FK_E_CONFIG); /* before begin */
    assert_int_equal(fk_store_commit(&store), FK_E_CONFIG);
}

static void a_record_replaces_what_it_names(void **state) {
    (void)state;
    assert_int_equal(fk_store_begin(&store), 0);
    assert_int_equal(fk_store_begin(&store), 0); /* the same draft */
    assert_true(fk_store_drafting(&store));
    assert_int_equal(put(1, fk_bytes_str("one")), 0);
    assert_int_equal(put(FK_STORE_NUMBER_MAX, fk_bytes_str("last")), 0);
    assert_int_equal(put(3, fk_bytes_str("three")), 0);
    expect_none(1); /* not yet */
    assert_int_equal(fk_store_commit(&store), 0);
    assert_false(fk_store_drafting(&store));
    expect_number(1, fk_bytes_str("one"));
    reboot();
    expect_number(1, fk_bytes_str("one"));
    expect_number(FK_STORE_NUMBER_MAX, fk_bytes_str("last"));
    expect_none(2);

    assert_int_equal(fk_store_begin(&store), 0);
    assert_int_equal(put(1, fk_bytes_str("uno")), 0);
    assert_int_equal(put(3, fk_bytes(NULL, 0)), 0); /* removes it */
    assert_int_equal(fk_store_commit(&store), 0);
    for (int i = 0; i < 3; i++) {
        expect_number(1, fk_bytes_str("uno"));
        expect_number(FK_STORE_NUMBER_MAX, fk_bytes_str("last"));
        expect_none(3);
        reboot();
        assert_int_equal(save(2, some(5, 1)), 0);
    }
}

static void of_duplicates_the_later_counts(void **state) {
    (void)state;
    assert_int_equal(fk_store_begin(&store), 0);
    assert_int_equal(put(4, fk_bytes_str("first")), 0);
    assert_int_equal(put(5, fk_bytes_str("other")), 0);
    assert_int_equal(put(4, fk_bytes_str("second")), 0);
    assert_int_equal(put(5, fk_bytes(NULL, 0)), 0);
    assert_int_equal(fk_store_commit(&store), 0);
    reboot();
    expect_number(4, fk_bytes_str("second"));
    expect_none(5);
}

/* Also when pieces end anywhere, and when the length is known only at the end. */
static void a_value_comes_in_pieces(void **state) {
    (void)state;
    for (size_t len = 1; len < 200; len++) {
        const struct fk_bytes value = some(len, (unsigned)len);
        new_flash(64, 1024, 4);
        assert_int_equal(fk_store_begin(&store), 0);
        const size_t step = 1 + len / 3;
        const bool unknown = len % 2 == 0;
        assert_int_equal(fk_store_put(&store, 7, unknown ? FK_STORE_LEN_UNKNOWN : len), 0);
        for (size_t at = 0; at < len; at += step) {
            const size_t piece = len - at < step ? len - at : step;
            assert_int_equal(fk_store_write(&store, value.p + at, piece), 0);
            assert_int_equal(fk_store_write(&store, NULL, 0), 0);
        }
        if (unknown) assert_int_equal(fk_store_end(&store), 0);
        assert_int_equal(fk_store_commit(&store), 0);
        reboot();
        expect_number(7, value);
    }
}

/* Each value of a draft is in one piece, wherever the pages end, also while another is written. */
static void a_draft_can_be_looked_at(void **state) {
    (void)state;
    static const uint8_t part[] = "partly written";
    struct fk_bytes value;
    assert_false(fk_store_drafted(&store, 1, &value));
    for (size_t len = 0; len < 150; len++) {
        new_flash(64, 1024, 4);
        assert_int_equal(fk_store_begin(&store), 0);
        assert_false(fk_store_drafted(&store, 1, &value));
        assert_int_equal(put(1, some(len, 1)), 0);
        assert_int_equal(put(2, some(len / 2, 2)), 0);
        for (size_t rest = 0; rest < 140; rest += sizeof part) {
            assert_true(fk_store_drafted(&store, 1, &value));
            expect(value, some(len, 1));
            assert_true(fk_store_drafted(&store, 2, &value));
            expect(value, some(len / 2, 2));
            assert_false(fk_store_drafted(&store, 3, &value));
            if (rest == 0) assert_int_equal(fk_store_put(&store, 3, FK_STORE_LEN_UNKNOWN), 0);
            assert_int_equal(fk_store_write(&store, part, sizeof part), 0);
        }
        assert_int_equal(fk_store_end(&store), 0);
        assert_true(fk_store_drafted(&store, 3, &value));
        assert_int_equal(value.len, 10 * sizeof part);
        assert_memory_equal(value.p, part, sizeof part);
        assert_false(fk_store_drafted(&store, 0, &value));
        assert_false(fk_store_drafted(&store, NUMBERS, &value));
        assert_int_equal(fk_store_commit(&store), 0);
        assert_false(fk_store_drafted(&store, 1, &value));
        reboot();
        if (len > 0) expect_number(1, some(len, 1));
    }
}

static void a_value_can_be_given_up(void **state) {
    (void)state;
    for (size_t len = 0; len < 150; len++) {
        new_flash(64, 1024, 4);
        assert_int_equal(fk_store_begin(&store), 0);
        assert_int_equal(fk_store_drop(&store), 0); /* there is none */
        assert_int_equal(put(1, fk_bytes_str("kept")), 0);
        assert_int_equal(fk_store_put(&store, 1, FK_STORE_LEN_UNKNOWN), 0);
        assert_int_equal(fk_store_write(&store, some(len, 9).p, len), 0);
        assert_int_equal(fk_store_drop(&store), 0);
        assert_int_equal(fk_store_end(&store), FK_E_CONFIG);
        assert_int_equal(fk_store_write(&store, "x", 1), FK_E_CONFIG);
        struct fk_bytes value;
        assert_true(fk_store_drafted(&store, 1, &value));
        expect(value, fk_bytes_str("kept"));
        assert_int_equal(put(2, fk_bytes_str("more")), 0);
        assert_int_equal(fk_store_commit(&store), 0);
        reboot();
        expect_number(1, fk_bytes_str("kept"));
        expect_number(2, fk_bytes_str("more"));
    }
}

static void an_abandoned_draft_leaves_nothing(void **state) {
    (void)state;
    assert_int_equal(save(1, fk_bytes_str("old")), 0);
    assert_int_equal(fk_store_begin(&store), 0);
    assert_int_equal(put(1, fk_bytes_str("new secret")), 0);
    assert_int_equal(fk_store_put(&store, 2, FK_STORE_LEN_UNKNOWN), 0);
    assert_int_equal(fk_store_write(&store, "new", 3), 0);
    fk_store_abandon(&store);
    for (size_t i = 0; i < sizeof store.page; i++) assert_int_equal(store.page[i], 0);
    assert_false(fk_store_drafting(&store));
    expect_number(1, fk_bytes_str("old"));
    reboot();
    expect_number(1, fk_bytes_str("old"));
    assert_int_equal(save(2, fk_bytes_str("x")), 0);
    expect_number(1, fk_bytes_str("old"));
}

/* ---- bounds -----------------------------------------------------------------------------------
 */

static void longest_value(void **state) {
    (void)state;
    for (int unknown = 0; unknown < 2; unknown++) {
        new_flash(256, 4096, 4);
        assert_int_equal(fk_store_begin(&store), 0);
        const struct fk_bytes value = some(FK_STORE_VALUE_MAX, 3);
        assert_int_equal(fk_store_put(&store, 1, unknown ? FK_STORE_LEN_UNKNOWN : value.len), 0);
        assert_int_equal(fk_store_write(&store, value.p, value.len), 0);
        if (unknown) assert_int_equal(fk_store_end(&store), 0);
        /* one more: that value alone is refused */
        assert_int_equal(fk_store_put(&store, 2, value.len + 1), FK_E_CONFIG);
        assert_int_equal(fk_store_put(&store, 2, FK_STORE_LEN_UNKNOWN), 0);
        assert_int_equal(fk_store_write(&store, value.p, 1000), 0);
        assert_int_equal(fk_store_write(&store, value.p, value.len - 999), FK_E_CONFIG);
        assert_int_equal(fk_store_write(&store, value.p, 1), FK_E_CONFIG);
        assert_int_equal(fk_store_end(&store), FK_E_CONFIG);
        assert_int_equal(put(3, fk_bytes_str("after")), 0);
        assert_int_equal(fk_store_commit(&store), 0);
        reboot();
        expect_number(1, value);
        expect_none(2);
        expect_number(3, fk_bytes_str("after"));
    }
}

/* A slot of 2048 bytes has room for 1984 of body: 1980 of value and the word behind it. */
static void a_full_slot(void **state) {
    (void)state;
    assert_int_equal(save(1, some(1980, 1)), 0);
    reboot();
    expect_number(1, some(1980, 1));
    assert_int_equal(fk_store_begin(&store), 0);
    assert_int_equal(put(1, some(1981, 2)), FK_E_NOMEM);
    assert_false(fk_store_drafting(&store));
    assert_int_equal(fk_store_commit(&store), FK_E_NOMEM); /* the same again */
    assert_int_equal(put(1, some(1, 2)), FK_E_NOMEM);
    expect_number(1, some(1980, 1));
    /* full when the old values are taken over */
    assert_int_equal(save(2, fk_bytes_str("x")), FK_E_NOMEM);
    expect_number(1, some(1980, 1));
    reboot();
    expect_number(1, some(1980, 1));
    expect_none(2);
    assert_int_equal(save(1, some(1976, 3)), 0);
    reboot();
    assert_int_equal(save(2, fk_bytes(NULL, 0)), 0); /* just fits; costs nothing the next time */
    reboot();
    assert_int_equal(save(1, some(1980, 4)), 0);
}

static void geometries(void **state) {
    (void)state;
    static const struct {
        uint32_t page, sector, count;
        int err;
    } rows[] = {
        {FK_STORE_PAGE_MAX, 4096, 2, 0},
        {FK_STORE_PAGE_MAX + 4, 4 * (FK_STORE_PAGE_MAX + 4), 2, FK_E_CONFIG},
        {24, 240, 2, 0},
        {20, 240, 2, FK_E_CONFIG},
        {0, 4096, 2, FK_E_CONFIG},
        {26, 260, 2, FK_E_CONFIG},
        {256, 4096, 0, FK_E_CONFIG},
        {256, 4096, 3, FK_E_CONFIG},
        {256, 0, 2, FK_E_CONFIG},
        {256, 4000, 2, FK_E_CONFIG},
        {256, 256, 2, FK_E_CONFIG}, /* a head and nothing behind it */
        {256, 256, 4, 0},
        {256, 1u << 31, 4, FK_E_CONFIG},
        {256, 1u << 24, 4, FK_E_CONFIG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fk_flash f = flash.flash;
        const bool small = rows[i].count <= 4 && rows[i].sector <= 4096;
        if (small) {
            flash_model_free(&flash);
            flash_model_init(&flash, rows[i].page, rows[i].sector, rows[i].count);
            f = flash.flash;
        }
        f.page_size = rows[i].page;
        f.sector_size = rows[i].sector;
        f.sector_count = rows[i].count;
        if (fk_store_open(&store, &f) != rows[i].err) fail_msg("row %zu", i);
        if (rows[i].err == 0) assert_int_equal(save(1, fk_bytes_str("works")), 0);
    }
}

/* Then the store is empty and stays so. */
static void without_flash(void **state) {
    (void)state;
    assert_int_equal(fk_store_open(&store, NULL), FK_E_CONFIG);
    expect_none(1);
    assert_int_equal(save(1, fk_bytes_str("x")), FK_E_CONFIG);
    assert_int_equal(put(1, fk_bytes_str("x")), FK_E_CONFIG);
    assert_int_equal(fk_store_commit(&store), FK_E_CONFIG);
    assert_int_equal(fk_store_erase(&store), FK_E_CONFIG);
    fk_store_abandon(&store);
    assert_false(fk_store_drafting(&store) || fk_store_newer(&store) || fk_store_waits(&store));
}

/* Views into the slot in use stay good until a reboot. */
static void the_slot_in_use_is_spared(void **state) {
    (void)state;
    assert_int_equal(save(1, fk_bytes_str("a")), 0);
    reboot();
    const struct fk_bytes in_use = fk_store_get(&store, 1);
    assert_false(fk_store_waits(&store));
    assert_int_equal(save(1, fk_bytes_str("b")), 0);
    assert_true(fk_store_waits(&store));
    assert_int_equal(fk_store_begin(&store), FK_E_BUSY);
    assert_false(fk_store_drafting(&store));
    expect(in_use, fk_bytes_str("a"));
    reboot();
    assert_int_equal(save(1, fk_bytes_str("c")), 0);
    expect_number(1, fk_bytes_str("c"));
    reboot();
    /* ... and a factory reset does not have new bytes appear under them */
    assert_int_equal(store.in_use, 0);
    assert_int_equal(fk_store_erase(&store), 0);
    assert_int_equal(save(1, fk_bytes_str("e")), 0);
    assert_int_equal(flash.bytes[0], 0xff);
    reboot();
    expect_number(1, fk_bytes_str("e"));
}

/* ---- power loss -------------------------------------------------------------------------------
 */

/* All values, as bytes that can be compared. */
struct picture {
    size_t len;
    uint8_t bytes[8192];
};

static void take_picture(struct picture *p) {
    p->len = 0;
    for (unsigned n = 1; n < NUMBERS; n++) {
        const struct fk_bytes value = fk_store_get(&store, n);
        assert_true(p->len + 3 + value.len <= sizeof p->bytes);
        p->bytes[p->len++] = value.p != NULL;
        p->bytes[p->len++] = (uint8_t)value.len;
        p->bytes[p->len++] = (uint8_t)(value.len >> 8);
        if (value.len > 0) memcpy(p->bytes + p->len, value.p, value.len);
        p->len += value.len;
    }
}

static bool same(const struct picture *a, const struct picture *b) {
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* The n-th of a series of records: some values change, one goes, one is put twice. */
static int save_nth(unsigned n) {
    int err = fk_store_begin(&store);
    if (err == 0) err = put(1, some(40 + n, n));
    if (err == 0) err = put(2 + n % 3, some(150 + 7 * (n % 8), n));
    if (err == 0) err = put(9, some(n % 2 == 0 ? 0 : 20, n));
    if (err == 0) err = put(1, some(61 + n, n));
    if (err == 0 && n == 0) err = put(31, some(500, n));
    return err == 0 ? fk_store_commit(&store) : err;
}

static int do_save(unsigned n) { return save_nth(n); }
static int do_factory_reset(unsigned n) {
    (void)n;
    return fk_store_erase(&store);
}

struct scene {
    unsigned n; /* after this many records */
    int (*act)(unsigned n);
    uint8_t *before; /* flash */
    struct picture old, new;
    unsigned ops;
    unsigned olds, news; /* how often it was which */
};

static void cut_once(struct scene *s, unsigned op, enum flash_cut cut, uint32_t arg) {
    static struct picture found;
    memcpy(flash.bytes, s->before, flash.size);
    reboot();
    flash.cut_at = op;
    flash.fault = FLASH_POWER_LOST;
    flash.cut = cut;
    flash.arg = arg;
    assert_int_not_equal(s->act(s->n), 0);
    assert_true(flash.dead);
    reboot();
    take_picture(&found);
    if (!same(&found, &s->old) && !same(&found, &s->new))
        fail_msg("after %u records, operation %u of %u, cut %d %u: neither", s->n, op, s->ops,
                 (int)cut, (unsigned)arg);
    *(same(&found, &s->new) ? &s->news : &s->olds) += 1;
    /* and life goes on, twice, so that both slots are written */
    for (unsigned again = 90; again < 92; again++) {
        assert_int_equal(save_nth(again), 0);
        reboot();
        expect_number(1, some(61 + again, again));
    }
}

/* After every byte where heads are written or erased, and after some in bodies. */
static void cut_everywhere(struct scene *s) {
    const uint32_t page = flash.flash.page_size, sector = flash.flash.sector_size;
    for (unsigned op = 1; op <= s->ops; op++) {
        const bool head = op == 1 || op == s->ops || s->act == do_factory_reset;
        for (uint32_t done = 0; done < page; done += head ? 1 : 11)
            cut_once(s, op, FLASH_CUT_PREFIX, done);
        const uint32_t some_more[] = {page - 1, page, sector / 2, sector - 1, sector};
        for (size_t i = 0; i < sizeof some_more / sizeof some_more[0]; i++)
            cut_once(s, op, FLASH_CUT_PREFIX, some_more[i]);
        for (uint32_t seed = 1; seed <= 8; seed++) {
            cut_once(s, op, FLASH_CUT_BITS, seed);
            cut_once(s, op, FLASH_CUT_ANYTHING, seed);
        }
    }
}

static void play(unsigned n, int (*act)(unsigned)) {
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    *s = (struct scene){.n = n, .act = act};
    memset(flash.bytes, 0xff, flash.size);
    for (unsigned i = 0; i < n; i++) {
        reboot();
        assert_int_equal(save_nth(i), 0);
    }
    reboot();
    take_picture(&s->old);
    s->before = malloc(flash.size);
    assert_non_null(s->before);
    memcpy(s->before, flash.bytes, flash.size);
    assert_int_equal(act(n), 0);
    s->ops = flash.ops;
    reboot();
    take_picture(&s->new);
    assert_true(s->ops > 1 && (same(&s->old, &s->new) == (n == 0 && act == do_factory_reset)));
    cut_everywhere(s);
    assert_true(s->news > 0 && (s->olds > 0 || same(&s->old, &s->new)));
    free(s->before);
    free(s);
}

/* Three shapes: several sectors a slot, one of them, and pages as large as can be. */
static void power_loss_leaves_the_old_or_the_new(void **state) {
    (void)state;
    static const uint32_t shapes[][3] = {{64, 1024, 4}, {32, 2048, 2}, {256, 1024, 8}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        new_flash(shapes[i][0], shapes[i][1], shapes[i][2]);
        for (unsigned n = 0; n < 5; n++) play(n, do_save);
        for (unsigned n = 0; n < 4; n++) play(n, do_factory_reset);
    }
}

/* ---- flash that fails or rots ------------------------------------------------------------------
 */

/* An operation reports an error, or went wrong without one; power stays on. */
static void fail_once(unsigned op, enum flash_fault fault, enum flash_cut cut, uint32_t arg) {
    static struct picture old, found;
    new_flash(64, 1024, 4);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(save_nth(i), 0);
        reboot();
    }
    take_picture(&old);
    flash.cut_at = op;
    flash.fault = fault;
    flash.cut = cut;
    flash.arg = arg;
    assert_int_equal(save_nth(2), FK_E_RANGE);
    assert_false(fk_store_drafting(&store));
    assert_int_equal(fk_store_write(&store, "x", 1), FK_E_RANGE);
    take_picture(&found);
    assert_true(same(&found, &old));
    reboot();
    take_picture(&found);
    assert_true(same(&found, &old));
    assert_int_equal(save_nth(2), 0);
}

static void an_error_leaves_the_old(void **state) {
    (void)state;
    assert_int_equal(save_nth(0), 0);
    reboot();
    assert_int_equal(save_nth(1), 0);
    reboot();
    assert_int_equal(save_nth(2), 0);
    const unsigned ops = flash.ops;
    assert_true(ops > 10);
    for (unsigned op = 1; op <= ops; op++) {
        fail_once(op, FLASH_ERROR, FLASH_CUT_PREFIX, 0);
        fail_once(op, FLASH_ERROR, FLASH_CUT_PREFIX, 30);
        fail_once(op, FLASH_ERROR, FLASH_CUT_BITS, op);
        fail_once(op, FLASH_ERROR, FLASH_CUT_PREFIX, UINT32_MAX);
        if (op <= 2) continue; /* programming where erasing lied breaks the flash's rules */
        fail_once(op, FLASH_LIE, FLASH_CUT_PREFIX, 7);
        fail_once(op, FLASH_LIE, FLASH_CUT_BITS, op);
    }
}

/* Factory reset: no success is claimed, and the old settings do not come back from the dead. */
static void an_error_of_the_factory_reset(void **state) {
    (void)state;
    for (unsigned op = 1; op <= 4; op++) {
        new_flash(64, 1024, 4);
        assert_int_equal(save(1, fk_bytes_str("older")), 0);
        reboot();
        assert_int_equal(save(1, fk_bytes_str("newer")), 0);
        reboot();
        flash.cut_at = op;
        flash.fault = FLASH_ERROR;
        flash.cut = FLASH_CUT_PREFIX;
        flash.arg = 0;
        assert_int_equal(fk_store_erase(&store), FK_E_RANGE);
        if (op <= 3) expect_number(1, fk_bytes_str("newer"));
        if (op > 3) expect_none(1);
        assert_int_equal(fk_store_erase(&store), 0);
        expect_none(1);
        for (size_t i = 0; i < flash.size; i++) assert_int_equal(flash.bytes[i], 0xff);
        assert_int_equal(save(1, fk_bytes_str("fresh")), 0);
        reboot();
        expect_number(1, fk_bytes_str("fresh"));
    }
}

/* Any one bit of a record: the record before it, or no change. */
static void rot_is_noticed(void **state) {
    (void)state;
    static struct picture older, newest, found;
    assert_int_equal(save_nth(0), 0);
    reboot();
    take_picture(&older);
    assert_int_equal(save_nth(1), 0);
    take_picture(&newest);
    const size_t slot = flash.size / 2;
    unsigned refused = 0;
    for (size_t bit = 0; bit < slot * 8; bit++) {
        uint8_t *byte = &flash.bytes[slot + bit / 8];
        *byte = (uint8_t)(*byte ^ 1u << bit % 8);
        reboot();
        take_picture(&found);
        if (!same(&found, &newest) && !same(&found, &older)) fail_msg("bit %zu", bit);
        if (bit / 8 < HEAD_LEN) assert_true(same(&found, &older));
        refused += same(&found, &older);
        *byte = (uint8_t)(*byte ^ 1u << bit % 8);
    }
    assert_true(refused > 8 * (HEAD_LEN + 41 + 157 + 20 + 62 + 150 + 500));
}

/* ---- heads of other times ----------------------------------------------------------------------
 */

/* Word `at` of a slot's head, its checksum made right. */
static void set_head(size_t slot, size_t at, uint32_t value) {
    uint8_t *head = flash.bytes + slot * flash.size / 2;
    for (size_t i = 0; i < 4; i++) head[at * 4 + i] = (uint8_t)(value >> 8 * i);
    const uint32_t crc = fk_crc32(0, head, 20);
    for (size_t i = 0; i < 4; i++) head[20 + i] = (uint8_t)(crc >> 8 * i);
}

static void sequence_wraps(void **state) {
    (void)state;
    assert_int_equal(save_nth(0), 0);
    set_head(0, 2, UINT32_MAX - 2);
    for (unsigned n = 1; n < 8; n++) {
        reboot();
        expect_number(1, some(60 + n, n - 1));
        assert_int_equal(save_nth(n), 0);
    }
    assert_int_equal(store.sequence, 4);
}

/* Of a later version: the other slot counts, and only a factory reset makes room. */
static void later_versions_are_spared(void **state) {
    (void)state;
    assert_int_equal(save(1, fk_bytes_str("ours")), 0);
    reboot();
    assert_int_equal(save(1, fk_bytes_str("theirs")), 0);
    set_head(1, 1, 2);
    reboot();
    assert_true(fk_store_newer(&store));
    expect_number(1, fk_bytes_str("ours"));
    assert_int_equal(fk_store_begin(&store), FK_E_CONFIG);
    assert_int_equal(flash.ops, 0);
    assert_int_equal(fk_store_erase(&store), 0);
    assert_false(fk_store_newer(&store));
    expect_none(1);
    reboot();
    assert_int_equal(save(1, fk_bytes_str("ours again")), 0);
    set_head(0, 1, 0); /* there never was a version 0 */
    reboot();
    assert_false(fk_store_newer(&store));
    expect_none(1);
    set_head(0, 1, UINT32_MAX); /* alone */
    reboot();
    assert_true(fk_store_newer(&store));
    expect_none(1);
    assert_int_equal(fk_store_begin(&store), FK_E_CONFIG);
}

/* Bodies that only a mistake could have written: every checksum right, and yet no record. */
static void malformed_bodies(void **state) {
    (void)state;
    static const struct {
        uint8_t bytes[12];
        uint32_t length;
        bool valid;
    } rows[] = {
        {{'a', 'b', 'c', 0xff, 1, 0xff, 3, 0}, 8, true},
        {{'a', 'b', 'c', 0xff, 1, 0xff, 4, 0}, 8, true},
        {{'a', 'b', 'c', 0xff, 1, 0xff, 5, 0}, 8, false},            /* begins before the body */
        {{'a', 'b', 'c', 0xff, 1, 0xff, 0, 0}, 8, false},            /* something before it */
        {{1, 0xff, 0, 0, 1, 0xff, 0, 0}, 8, true},                   /* two of them */
        {{'a', 'b', 'c', 0xff, 32, 0xff, 3, 0}, 8, false},           /* number */
        {{'a', 'b', 'c', 0xff, 31, 0xff, 3, 0}, 8, true},            /* */
        {{'a', 'b', 'c', 0xff, 1, 0xfe, 3, 0}, 8, false},            /* */
        {{'a', 'b', 'c', 0xff, 1, 0xff, 1, 16}, 8, false},           /* longer than the longest */
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, true}, /* filling only */
        {{1, 0xff, 0, 0, 1, 0xff, 0, 0}, 0, true},
        {{1, 0xff, 0, 0, 1, 0xff, 0, 0}, 7, false},
        {{0, 0xff, 0, 0, 1, 0xff, 0, 0}, 8, true}, /* the first was given up */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        new_flash(64, 1024, 4);
        assert_int_equal(save(1, fk_bytes_str("x")), 0);
        memcpy(flash.bytes + 64, rows[i].bytes, sizeof rows[i].bytes);
        set_head(0, 3, rows[i].length);
        set_head(0, 4, fk_crc32(0, flash.bytes + 64, rows[i].length));
        reboot();
        if ((store.active == 0) != rows[i].valid) fail_msg("row %zu", i);
    }
    memset(flash.bytes + 64, 0xff, 12);
    set_head(0, 3, 1024 * 2 - 64);
    set_head(0, 4, fk_crc32(0, flash.bytes + 64, 1024 * 2 - 64));
    reboot();
    assert_int_equal(store.active, 0);
    set_head(0, 3, 1024 * 2 - 64 + 4); /* longer than the slot */
    set_head(0, 4, fk_crc32(0, flash.bytes + 64, 1024 * 2 - 64 + 4));
    reboot();
    assert_int_equal(store.active, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, small_flash, free_flash)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(erased_flash_has_no_record),
        TEST(a_record_replaces_what_it_names),
        TEST(of_duplicates_the_later_counts),
        TEST(a_value_comes_in_pieces),
        TEST(a_draft_can_be_looked_at),
        TEST(a_value_can_be_given_up),
        TEST(an_abandoned_draft_leaves_nothing),
        TEST(longest_value),
        TEST(a_full_slot),
        TEST(geometries),
        TEST(without_flash),
        TEST(the_slot_in_use_is_spared),
        TEST(power_loss_leaves_the_old_or_the_new),
        TEST(an_error_leaves_the_old),
        TEST(an_error_of_the_factory_reset),
        TEST(rot_is_noticed),
        TEST(sequence_wraps),
        TEST(later_versions_are_spared),
        TEST(malformed_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
