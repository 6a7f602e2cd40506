#include "support/flash_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"

static uint32_t random32(uint32_t *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8 ^ *seed << 13;
}

/* to: what the operation makes of these bytes when it is whole. */
static void do_partly(struct flash_model *m, uint8_t *at, const uint8_t *to, size_t len) {
    uint32_t seed = m->arg;
    for (size_t i = 0; i < len; i++) {
        const uint8_t chance = (uint8_t)random32(&seed);
        if (m->cut == FLASH_CUT_PREFIX && i < m->arg) at[i] = to[i];
        if (m->cut == FLASH_CUT_BITS) at[i] = (uint8_t)(at[i] ^ ((at[i] ^ to[i]) & chance));
        if (m->cut == FLASH_CUT_ANYTHING) at[i] = chance;
    }
}

static int operate(struct flash_model *m, uint8_t *at, const uint8_t *to, size_t len) {
    if (m->dead) return FK_E_RANGE;
    if (++m->ops != m->cut_at) {
        memcpy(at, to, len);
        return 0;
    }
    do_partly(m, at, to, len);
    m->dead = m->fault == FLASH_POWER_LOST;
    return m->fault == FLASH_LIE ? 0 : FK_E_RANGE;
}

static int program(void *ctx, uint32_t offset, const void *bytes, size_t len) {
    struct flash_model *m = ctx;
    FK_ASSERT(offset % m->flash.page_size == 0 && len % m->flash.page_size == 0 && len > 0);
    FK_ASSERT(offset < m->size && len <= m->size - offset);
    for (size_t i = 0; i < len && !m->dead; i++) FK_ASSERT(m->bytes[offset + i] == 0xff);
    return operate(m, m->bytes + offset, bytes, len);
}

static int erase(void *ctx, uint32_t offset) {
    struct flash_model *m = ctx;
    FK_ASSERT(offset % m->flash.sector_size == 0 && offset < m->size);
    uint8_t *blank = malloc(m->flash.sector_size);
    FK_ASSERT(blank != NULL);
    memset(blank, 0xff, m->flash.sector_size);
    const int err = operate(m, m->bytes + offset, blank, m->flash.sector_size);
    free(blank);
    return err;
}

void flash_model_init(struct flash_model *m, uint32_t page_size, uint32_t sector_size,
                      uint32_t sector_count) {
    static const struct fk_flash_ops ops = {program, erase};
    *m = (struct flash_model){.size = (size_t)sector_size * sector_count};
    m->bytes = malloc(m->size);
    FK_ASSERT(m->bytes != NULL);
    memset(m->bytes, 0xff, m->size);
    m->flash = (struct fk_flash){&ops, m, m->bytes, sector_size, sector_count, page_size};
}

void flash_model_free(struct flash_model *m) { free(m->bytes); }

void flash_model_power_on(struct flash_model *m) {
    m->ops = m->cut_at = 0;
    m->dead = false;
}
