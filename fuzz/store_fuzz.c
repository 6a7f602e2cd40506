/* Any flash contents: what is found there lies inside its slot, settings are loaded from it or are
 * refused in words, and it can be saved and erased as any other. The first byte chooses: bit 0, the
 * heads' checksums are made right, so that bodies are reached; bit 1, those of the bodies, too; bit
 * 2 and 3, the page size; bit 7, the version may be any. The rest is a head of 24 bytes and a body,
 * and what does not fit into the first slot goes into the second. */
#include "base/assert.h"
#include "base/crc32.h"
#include "firmware/settings.h"
#include "support/flash_model.h"

#define SECTOR 1024u
#define SECTORS 4u
#define SLOT (SECTOR * SECTORS / 2)

static uint32_t get32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

static void make_right(uint8_t *slot, uint32_t page_size, unsigned choice) {
    put32(slot, 0x52534B46);
    put32(slot + 4, (choice & 0x80) == 0 ? 1 : get32(slot + 4)); /* version */
    const uint32_t length = get32(slot + 12) % (SLOT + 8);
    put32(slot + 12, length);
    if ((choice & 2) != 0 && length <= SLOT - page_size)
        put32(slot + 16, fk_crc32(0, slot + page_size, length));
    put32(slot + 20, fk_crc32(0, slot, 20));
}

static void load(const struct fk_store *store) {
    static char text[512];
    struct fk_settings settings;
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    const int err = fk_settings_load(&settings, store, &why);
    FK_ASSERT((err == 0) == (why.len == 0));
    if (err != 0) return;
    struct fk_writer again;
    fk_writer_init(&again, text, sizeof text);
    FK_ASSERT(fk_config_check(&settings.node, &again) == 0);
    FK_ASSERT(strlen(settings.host) <= FK_HOST_MAX && settings.port > 0);
    FK_ASSERT(settings.ca.len > 0 && settings.cert.len > 0 && settings.key.len > 0);
}

static void look_at_all(const struct flash_model *m, const struct fk_store *store) {
    char text[64];
    for (unsigned n = 0; n <= FK_STORE_NUMBER_MAX + 1; n++) {
        const struct fk_bytes value = fk_store_get(store, n);
        if (value.p == NULL) continue;
        const size_t at = (size_t)(value.p - m->bytes);
        FK_ASSERT(value.len > 0 && value.len <= FK_STORE_VALUE_MAX);
        FK_ASSERT(at < m->size && at % SLOT >= m->flash.page_size);
        FK_ASSERT(value.len <= SLOT - at % SLOT);
        for (size_t i = 0; i < fk_setting_count; i++) {
            struct fk_writer w;
            fk_writer_init(&w, text, sizeof text);
            if (fk_setting_table[i].number == n && fk_setting_table[i].kind != FK_SETTING_PEM)
                fk_setting_decode(&fk_setting_table[i], value, &w);
        }
    }
}

/* Whatever it was: something can be saved there, after a factory reset if need be. */
static void save(struct fk_store *store) {
    int err = fk_store_begin(store);
    if (err == 0) err = fk_store_put(store, 31, 4);
    if (err == 0) err = fk_store_write(store, "four", 4);
    if (err == 0) err = fk_store_commit(store);
    FK_ASSERT(err == 0 || err == FK_E_NOMEM || (err == FK_E_CONFIG && fk_store_newer(store)));
    if (err != 0) {
        FK_ASSERT(fk_store_erase(store) == 0 && !fk_store_newer(store));
        return;
    }
    FK_ASSERT(fk_bytes_is(fk_store_get(store, 31), "four"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (len == 0) return 0;
    const unsigned choice = *data++;
    len--;
    struct flash_model m;
    struct fk_store store;
    flash_model_init(&m, 32u << (choice >> 2 & 3), SECTOR, SECTORS);
    for (unsigned slot = 0; slot < 2; slot++) {
        uint8_t *bytes = m.bytes + slot * SLOT;
        const size_t head_len = len < 24 ? len : 24;
        size_t body_len = len - head_len;
        if (body_len > SLOT - m.flash.page_size) body_len = SLOT - m.flash.page_size;
        memcpy(bytes, data, head_len);
        if (body_len > 0) memcpy(bytes + m.flash.page_size, data + head_len, body_len);
        data += head_len + body_len;
        len -= head_len + body_len;
        if ((choice & 1) != 0) make_right(bytes, m.flash.page_size, choice);
    }
    FK_ASSERT(fk_store_open(&store, &m.flash) == 0);
    look_at_all(&m, &store);
    load(&store);
    save(&store);
    flash_model_free(&m);
    return 0;
}
