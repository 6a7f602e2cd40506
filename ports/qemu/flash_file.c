/* Emulation only: the flash for settings and state is a file of the host, named by arg=flash=PATH.
 * Its content lies in code memory, to be read in place as on a board that runs from its flash;
 * program and erase change both. Without the argument it lasts until the emulator ends. */
#include "base/err.h"
#include "boards/mps2_an385.h"
#include "qemu/machine.h"
#include "qemu/nor.h"
#include "qemu/semihosting.h"

#define NO_FILE (-1)

/* The settings first, two slots of 16 KB; behind them what changes at run time, two of 4 KB. */
#define SETTINGS_SECTORS 8
#define STATE ((uintptr_t)SETTINGS_SECTORS * NOR_SECTOR)
#define STATE_SECTORS 2

_Static_assert(SETTINGS_SECTORS + STATE_SECTORS == NOR_SECTORS, "all of it is used");

static struct {
    int file;
    bool opened;
    bool works;
} flash;

static uint8_t *window(uint32_t offset) {
    return (uint8_t *)(uintptr_t)(BOARD_FLASH_WINDOW + offset);
}

/* Memory first: where the file cannot follow, the caller learns it, and a restart shows what the
 * file has, as after a loss of power. */
static int store(uint32_t offset, size_t len) {
    if (flash.file == NO_FILE) return 0;
    return machine_file_write(flash.file, offset, window(offset), len) ? 0 : FK_E_RANGE;
}

/* ctx: where the region begins, as a number. */
static int program(void *ctx, uint32_t offset, const void *bytes, size_t len) {
    offset += (uint32_t)(uintptr_t)ctx;
    if (!nor_pages(offset, len)) return FK_E_RANGE;
    nor_program(window(offset), bytes, len);
    return store(offset, len);
}

static int erase(void *ctx, uint32_t offset) {
    offset += (uint32_t)(uintptr_t)ctx;
    if (!nor_sector(offset)) return FK_E_RANGE;
    nor_erase(window(offset));
    return store(offset, NOR_SECTOR);
}

static void erase_all(void) {
    for (uint32_t offset = 0; offset < NOR_SIZE; offset += NOR_SECTOR) {
        nor_erase(window(offset));
    }
}

/* A file that is missing or short is erased flash from where it ends, and made whole. */
static bool load(void) {
    const int file_len = machine_file_length(flash.file);
    if (file_len < 0) return false;
    const size_t len = file_len < NOR_SIZE ? (size_t)file_len : NOR_SIZE;
    erase_all();
    if (len > 0 && !machine_file_read(flash.file, 0, window(0), len)) return false;
    return len == NOR_SIZE || store((uint32_t)len, NOR_SIZE - len) == 0;
}

static bool open_flash(void) {
    char line[MACHINE_ARGUMENTS_MAX];
    const char *path = machine_argument("flash", line);
    flash.file = NO_FILE;
    if (path == NULL) {
        if (machine_reset_record()->reason == FK_RESET_POWER_ON) erase_all();
        return true;
    }
    flash.file = machine_file_open(path, false);
    if (flash.file < 0) flash.file = machine_file_open(path, true);
    if (flash.file >= 0 && load()) return true;
    machine_put_text("flash: cannot read and write the file ");
    machine_put_text(path);
    machine_put_text("\r\n");
    return false;
}

static const struct fk_flash *region(const struct fk_flash *chip) {
    if (!flash.opened) flash.works = open_flash();
    flash.opened = true;
    return flash.works ? chip : NULL;
}

static const struct fk_flash_ops ops = {program, erase};

const struct fk_flash *machine_flash(void) {
    static const struct fk_flash chip = {
        .ops = &ops,
        .map = (const uint8_t *)BOARD_FLASH_WINDOW,
        .sector_size = NOR_SECTOR,
        .sector_count = SETTINGS_SECTORS,
        .page_size = NOR_PAGE,
    };
    return region(&chip);
}

const struct fk_flash *machine_state_flash(void) {
    static const struct fk_flash chip = {
        .ops = &ops,
        .ctx = (void *)STATE,
        .map = (const uint8_t *)BOARD_FLASH_WINDOW + STATE,
        .sector_size = NOR_SECTOR,
        .sector_count = STATE_SECTORS,
        .page_size = NOR_PAGE,
    };
    return region(&chip);
}
