/* Emulation only: calls to the debugger, which is QEMU here ("Semihosting for AArch32 and AArch64"
 * by Arm). A real board has no such thing; what is built on it, flash_file.c and seed.c, is
 * hardware there.
 *
 * Arguments come from QEMU's command line, as arg=NAME=VALUE of -semihosting-config; see
 * tools/board. */
#ifndef FK_QEMU_SEMIHOSTING_H
#define FK_QEMU_SEMIHOSTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_ARGUMENTS_MAX 256 /* all of them, bytes with terminating zero */

/* Value of the argument NAME=VALUE; a value holds no blank. All arguments are read into line, of
 * which the result is a part. NULL: there is none, or they are too long. */
const char *machine_argument(const char *name, char line[MACHINE_ARGUMENTS_MAX]);

/* A file of the host, opened to read and to write; negative: there is none. create: made, or made
 * empty. */
int machine_file_open(const char *path, bool create);
int machine_file_close(int file);
int machine_file_length(int file); /* negative: failed */
/* Bytes at an offset; true if all len of them were moved. */
bool machine_file_read(int file, uint32_t offset, void *bytes, size_t len);
bool machine_file_write(int file, uint32_t offset, const void *bytes, size_t len);

/* Ends the emulator if it was started with arg=exit=yes; otherwise returns. */
void machine_exit(int code);

/* A fault at pc: whether it was such a call that nobody answered. It then fails (result), and
 * execution goes on behind it (pc). */
bool machine_semihosting_absent(uint32_t *result, uint32_t *pc);

#endif
