/* CRC-32 as in Ethernet, zip and PNG (reflected, polynomial 0xEDB88320). Finds accidents, not
 * attacks. */
#ifndef FK_BASE_CRC32_H
#define FK_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Of what crc was of (0 at the beginning) with len more bytes behind it. */
uint32_t fk_crc32(uint32_t crc, const void *bytes, size_t len);

#endif
