/* Non-volatile memory for settings, by the rules of NOR flash: erasing a sector makes it all 0xff,
 * programming clears bits, a page at a time, and everything can be read in place. Power may fail in
 * the midst of either; then the sector or page holds anything. */
#ifndef FK_FLASH_H
#define FK_FLASH_H

#include <stddef.h>
#include <stdint.h>

struct fk_flash_ops {
    /* Programs whole pages: offset and len are multiples of page_size, the bytes there are 0xff.
     * 0, or FK_E_RANGE when the memory did not take it. May take milliseconds. */
    int (*program)(void *ctx, uint32_t offset, const void *bytes, size_t len);

    /* Makes the sector at offset 0xff. 0, or FK_E_RANGE. May take 100 ms and more. */
    int (*erase)(void *ctx, uint32_t offset);
};

struct fk_flash {
    const struct fk_flash_ops *ops;
    void *ctx;
    const uint8_t *map;    /* the memory itself, readable always but during program and erase */
    uint32_t sector_size;  /* bytes; a multiple of page_size */
    uint32_t sector_count; /* even: the store makes two slots of them */
    uint32_t page_size;    /* bytes, at most FK_STORE_PAGE_MAX of firmware/store.h */
};

#endif
