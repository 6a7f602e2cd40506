/* The mps2-an385 with 32 KB of RAM for everything, stack and heap included: for API servers with
 * P-256 certificates. The heap has room for what was measured (board_heap_peak_bytes) and a tenth.
 */
#ifndef FK_BOARDS_MPS2_AN385_32K_OPTS_H
#define FK_BOARDS_MPS2_AN385_32K_OPTS_H

#define FK_TLS_SERVER 0

#include "boards/mps2_an385_opts.h"

#define FK_SERVER 0

#define FK_BOARD_HEAP_BYTES 12288
#define BOARD_RAM_TEXT "32Ki"

#endif
