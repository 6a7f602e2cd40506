/* The rules of NOR flash over plain memory: erasing sets bits, programming only clears them. Pure.
 */
#ifndef FK_QEMU_NOR_H
#define FK_QEMU_NOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOR_SECTOR 4096
#define NOR_SECTORS 10
#define NOR_PAGE 64
#define NOR_SIZE (NOR_SECTOR * NOR_SECTORS)

/* Whether whole pages inside the memory are meant. */
bool nor_pages(uint32_t offset, size_t len);
bool nor_sector(uint32_t offset);

/* ANDs bytes into memory. Programming what is not erased is an assertion: hardware would take it,
 * but parity bits of real parts forbid it, and flash.h does. */
void nor_program(uint8_t *memory, const uint8_t *bytes, size_t len);
void nor_erase(uint8_t *memory);

#endif
