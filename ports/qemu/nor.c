#include "qemu/nor.h"

#include <string.h>

#include "base/assert.h"

bool nor_pages(uint32_t offset, size_t len) {
    return offset % NOR_PAGE == 0 && len % NOR_PAGE == 0 && offset <= NOR_SIZE &&
           len <= NOR_SIZE - offset;
}

bool nor_sector(uint32_t offset) { return offset % NOR_SECTOR == 0 && offset < NOR_SIZE; }

void nor_program(uint8_t *memory, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        FK_ASSERT(memory[i] == 0xff);
        memory[i] &= bytes[i];
    }
}

void nor_erase(uint8_t *memory) { memset(memory, 0xff, NOR_SECTOR); }
