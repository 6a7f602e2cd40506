#include "firmware/store.h"

#include "base/assert.h"
#include "base/crc32.h"

#define MAGIC 0x52534B46u /* "FKSR" */
#define VERSION 1u
#define HEAD_LEN 24
#define WORD 4 /* entries are made of words */
#define NO_DRAFT FK_E_CONFIG
#define SLOT_SIZE_MAX (1u << 24) /* so that no sum of offsets can wrap */

_Static_assert(FK_STORE_VALUE_MAX < 0xffff, "a length must not look like erased flash");
_Static_assert(FK_STORE_NUMBER_MAX < 32, "kept has a bit for each");
_Static_assert(FK_STORE_PAGE_MAX >= HEAD_LEN, "a head is one page");

/* ---- reading ----------------------------------------------------------------------------------
 */

struct head {
    uint32_t magic, version, sequence, length, body_crc, head_crc;
};

static uint32_t get32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t slot_offset(const struct fk_store *s, int slot) {
    return slot == 0 ? 0 : s->slot_size;
}

static const uint8_t *body_of(const struct fk_store *s, int slot) {
    return s->flash->map + slot_offset(s, slot) + s->flash->page_size;
}

static uint32_t body_max(const struct fk_store *s) { return s->slot_size - s->flash->page_size; }

/* False: no record of any version was completed here. */
static bool read_head(const struct fk_store *s, int slot, struct head *h) {
    const uint8_t *p = s->flash->map + slot_offset(s, slot);
    *h = (struct head){get32(p),      get32(p + 4),  get32(p + 8),
                       get32(p + 12), get32(p + 16), get32(p + 20)};
    return h->magic == MAGIC && h->version >= VERSION && h->head_crc == fk_crc32(0, p, 20);
}

struct entry {
    unsigned number;
    struct fk_bytes value;
};

/* The entry that ends at *at, or before it with filling in between; *at moves to its start. False
 * when there is none: *at is 0 then, unless the body is malformed. */
static bool previous(const uint8_t *body, uint32_t *at, struct entry *e) {
    while (*at >= WORD) {
        const uint8_t *word = body + *at - WORD;
        const uint32_t len = word[2] | (uint32_t)word[3] << 8;
        const uint32_t stored = (len + WORD - 1) / WORD * WORD;
        const bool filling = get32(word) == UINT32_MAX;
        if (!filling && (word[0] > FK_STORE_NUMBER_MAX || word[1] != 0xff ||
                         len > FK_STORE_VALUE_MAX || stored > *at - WORD))
            return false;
        *at -= filling ? WORD : WORD + stored;
        if (filling) continue;
        *e = (struct entry){word[0], fk_bytes(body + *at, len)};
        return true;
    }
    return false;
}

static bool find(const uint8_t *body, uint32_t length, unsigned number, struct fk_bytes *value) {
    struct entry e;
    while (previous(body, &length, &e)) {
        if (e.number != number) continue;
        *value = e.value;
        return true;
    }
    return false;
}

static bool record_valid(const struct fk_store *s, int slot, const struct head *h) {
    if (h->version != VERSION || h->length > body_max(s)) return false;
    const uint8_t *body = body_of(s, slot);
    if (fk_crc32(0, body, h->length) != h->body_crc) return false;
    struct entry e;
    uint32_t at = h->length;
    while (previous(body, &at, &e)) continue;
    return at == 0;
}

/* Finds out what flash holds. */
static void scan(struct fk_store *s) {
    s->active = -1;
    s->newer = false;
    s->sequence = s->length = 0;
    for (int slot = 0; slot < 2; slot++) {
        struct head h;
        if (!read_head(s, slot, &h)) continue;
        s->newer = s->newer || h.version > VERSION;
        if (!record_valid(s, slot, &h)) continue;
        /* One follows the other, also where the number wraps. */
        if (s->active >= 0 && h.sequence - s->sequence > UINT32_MAX / 2) continue;
        s->active = (int8_t)slot;
        s->sequence = h.sequence;
        s->length = h.length;
    }
}

static bool usable(const struct fk_flash *f) {
    if (f == NULL) return false;
    if (f->page_size < HEAD_LEN || f->page_size > FK_STORE_PAGE_MAX || f->page_size % WORD != 0)
        return false;
    if (f->sector_size == 0 || f->sector_size % f->page_size != 0) return false;
    if (f->sector_count == 0 || f->sector_count % 2 != 0) return false;
    const uint64_t slot_size = (uint64_t)(f->sector_count / 2) * f->sector_size;
    return slot_size > f->page_size && slot_size <= SLOT_SIZE_MAX;
}

int fk_store_open(struct fk_store *s, const struct fk_flash *flash) {
    *s = (struct fk_store){.active = -1, .in_use = -1, .err = NO_DRAFT};
    if (!usable(flash)) return FK_E_CONFIG;
    *s = (struct fk_store){
        .flash = flash,
        .slot_size = flash->sector_count / 2 * flash->sector_size,
        .err = NO_DRAFT,
    };
    scan(s);
    s->in_use = s->active;
    return 0;
}

bool fk_store_newer(const struct fk_store *s) { return s->newer; }

bool fk_store_waits(const struct fk_store *s) { return s->active != s->in_use; }

void fk_store_release(struct fk_store *s) {
    FK_ASSERT(s->err != 0);
    s->in_use = s->active;
}

struct fk_bytes fk_store_get(const struct fk_store *s, unsigned number) {
    struct fk_bytes value = fk_bytes(NULL, 0);
    if (s->active < 0 || !find(body_of(s, s->active), s->length, number, &value)) return value;
    return value.len == 0 ? fk_bytes(NULL, 0) : value;
}

/* ---- flash ------------------------------------------------------------------------------------
 */

/* The slot in use is spared as long as there is another. */
static int draft_slot(const struct fk_store *s) {
    if (s->active >= 0) return 1 - s->active;
    return s->in_use == 0 ? 1 : 0;
}

static int program_page(struct fk_store *s, uint32_t offset) {
    offset += slot_offset(s, draft_slot(s));
    return s->flash->ops->program(s->flash->ctx, offset, s->page, s->flash->page_size);
}

/* The head goes first: no power loss can leave it over a body that is half erased and looks well.
 */
static int erase_slot(const struct fk_store *s, int slot) {
    int err = 0;
    for (uint32_t at = 0; at < s->slot_size && err == 0; at += s->flash->sector_size)
        err = s->flash->ops->erase(s->flash->ctx, slot_offset(s, slot) + at);
    return err == 0 ? 0 : FK_E_RANGE;
}

/* There is no draft any more, because of err. The page may hold a part of a key. */
static int end_draft(struct fk_store *s, int err) {
    s->err = (int8_t)err;
    s->entry_number = 0;
    s->kept = 0;
    memset(s->page, 0, sizeof s->page);
    return err;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

int fk_store_begin(struct fk_store *s) {
    if (s->err == 0) return 0;
    if (s->flash == NULL || s->newer) return FK_E_CONFIG;
    const int slot = draft_slot(s);
    if (slot == s->in_use) return FK_E_BUSY;
    (void)end_draft(s, NO_DRAFT);
    s->draft_len = s->draft_crc = 0;
    const int err = erase_slot(s, slot);
    s->err = (int8_t)err;
    return err;
}

static int append(struct fk_store *s, const void *bytes, size_t len) {
    const uint32_t page = s->flash->page_size;
    const uint8_t *p = bytes;
    if (s->err != 0) return s->err;
    if (len > body_max(s) - s->draft_len) return end_draft(s, FK_E_NOMEM);
    s->draft_crc = fk_crc32(s->draft_crc, p, len);
    while (len > 0) {
        const uint32_t at = s->draft_len % page;
        const size_t piece = len < page - at ? len : page - at;
        memcpy(s->page + at, p, piece);
        p += piece;
        len -= piece;
        s->draft_len += (uint32_t)piece;
        if (s->draft_len % page == 0 && program_page(s, s->draft_len) != 0)
            return end_draft(s, FK_E_RANGE);
    }
    return 0;
}

static int fill(struct fk_store *s, uint32_t multiple) {
    static const uint8_t erased = 0xff;
    while (s->draft_len % multiple != 0 && s->err == 0) (void)append(s, &erased, 1);
    return s->err;
}

/* The value that is being written becomes that of number, or of nothing (0). */
static int close_entry(struct fk_store *s, unsigned number) {
    const uint32_t len = s->draft_len - s->entry_start;
    const uint8_t word[WORD] = {(uint8_t)number, 0xff, (uint8_t)len, (uint8_t)(len >> 8)};
    s->entry_number = 0;
    (void)fill(s, WORD);
    (void)append(s, word, sizeof word);
    if (s->entry_start < s->draft_len - s->draft_len % s->flash->page_size)
        (void)fill(s, s->flash->page_size);
    if (s->err == 0 && number != 0) s->kept |= UINT32_C(1) << number;
    return s->err;
}

int fk_store_put(struct fk_store *s, unsigned number, size_t len) {
    FK_ASSERT(number >= 1 && number <= FK_STORE_NUMBER_MAX && s->entry_number == 0);
    if (s->err != 0) return s->err;
    if (len > FK_STORE_VALUE_MAX && len != FK_STORE_LEN_UNKNOWN) return FK_E_CONFIG;
    s->entry_number = (uint8_t)number;
    s->entry_start = s->draft_len;
    s->entry_left = len == FK_STORE_LEN_UNKNOWN ? UINT32_MAX : (uint32_t)len;
    return len == 0 ? close_entry(s, number) : 0;
}

int fk_store_write(struct fk_store *s, const void *bytes, size_t len) {
    if (s->err != 0) return s->err;
    if (len == 0) return 0;
    if (s->entry_number == 0) return FK_E_CONFIG; /* it was given up */
    if (s->entry_left == UINT32_MAX) {
        if (len <= FK_STORE_VALUE_MAX - (s->draft_len - s->entry_start))
            return append(s, bytes, len);
        const int err = fk_store_drop(s);
        return err == 0 ? FK_E_CONFIG : err;
    }
    FK_ASSERT(len <= s->entry_left);
    s->entry_left -= (uint32_t)len;
    const int err = append(s, bytes, len);
    return err == 0 && s->entry_left == 0 ? close_entry(s, s->entry_number) : err;
}

int fk_store_end(struct fk_store *s) {
    if (s->err != 0) return s->err;
    if (s->entry_number == 0) return FK_E_CONFIG;
    FK_ASSERT(s->entry_left == UINT32_MAX);
    return close_entry(s, s->entry_number);
}

int fk_store_drop(struct fk_store *s) {
    return s->err != 0 || s->entry_number == 0 ? s->err : close_entry(s, 0);
}

bool fk_store_drafting(const struct fk_store *s) { return s->err == 0; }

bool fk_store_drafted(const struct fk_store *s, unsigned number, struct fk_bytes *value) {
    if (s->err != 0 || number > FK_STORE_NUMBER_MAX || (s->kept >> number & 1) == 0) return false;
    const uint32_t end = s->entry_number == 0 ? s->draft_len : s->entry_start;
    const uint32_t in_flash = s->draft_len - s->draft_len % s->flash->page_size;
    if (end > in_flash && find(s->page, end - in_flash, number, value)) return true;
    return find(body_of(s, draft_slot(s)), end < in_flash ? end : in_flash, number, value);
}

/* ---- making it count --------------------------------------------------------------------------
 */

/* What the draft has nothing to say about stays as it is. */
static int carry_over(struct fk_store *s) {
    for (unsigned n = 1; n <= FK_STORE_NUMBER_MAX; n++) {
        const struct fk_bytes value = fk_store_get(s, n);
        if ((s->kept >> n & 1) != 0 || value.len == 0) continue;
        (void)fk_store_put(s, n, value.len);
        (void)fk_store_write(s, value.p, value.len);
    }
    return s->err;
}

/* The last, partly filled page; what stands behind the record's length means nothing. */
static int write_rest(struct fk_store *s) {
    const uint32_t page = s->flash->page_size, at = s->draft_len % page;
    if (at == 0) return 0;
    memset(s->page + at, 0xff, page - at);
    return program_page(s, s->draft_len - at + page);
}

static int write_head(struct fk_store *s) {
    const uint32_t words[] = {MAGIC, VERSION, s->sequence + 1, s->draft_len, s->draft_crc};
    memset(s->page, 0xff, sizeof s->page);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) put32(s->page + 4 * i, words[i]);
    put32(s->page + 20, fk_crc32(0, s->page, 20));
    return program_page(s, 0);
}

int fk_store_commit(struct fk_store *s) {
    FK_ASSERT(s->entry_number == 0);
    const int slot = draft_slot(s);
    if (carry_over(s) != 0) return s->err;
    if (write_rest(s) != 0) return end_draft(s, FK_E_RANGE);
    const int err = write_head(s);
    if (err == 0) scan(s); /* which reads back all that was written */
    if (err == 0 && s->active == slot) {
        (void)end_draft(s, NO_DRAFT);
        return 0;
    }
    /* What is not saved must not be found at the next boot. */
    (void)s->flash->ops->erase(s->flash->ctx, slot_offset(s, slot));
    scan(s);
    return end_draft(s, FK_E_RANGE);
}

void fk_store_abandon(struct fk_store *s) { (void)end_draft(s, NO_DRAFT); }

int fk_store_erase(struct fk_store *s) {
    if (s->flash == NULL) return FK_E_CONFIG;
    const int older = s->active == 0 ? 1 : 0;
    int err = erase_slot(s, older);
    if (err == 0) err = erase_slot(s, 1 - older);
    (void)end_draft(s, NO_DRAFT);
    scan(s);
    return err;
}
