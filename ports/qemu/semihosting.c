#include "qemu/semihosting.h"

#include <string.h>

#include "boards/mps2_an385.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_SEEK = 0x0a,
    SYS_FLEN = 0x0c,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20,
};
#define MODE_READ_WRITE 3U   /* "r+b" */
#define MODE_CREATE 7U       /* "w+b" */
#define EXIT_REASON 0x20026U /* ADP_Stopped_ApplicationExit */
#define FAILED ((uint32_t)-1)
#define BKPT_SEMIHOST 0xbeabU /* the instruction */

static int call(uint32_t operation, const void *block) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory", "cc", "r2", "r3", "r12", "lr");
    return (int)r0;
}

static uint32_t address(const void *p) { return (uint32_t)(uintptr_t)p; }

bool machine_semihosting_absent(uint32_t *result, uint32_t *pc) {
    if (*pc >= BOARD_FLASH_WINDOW || *(const uint16_t *)(uintptr_t)*pc != BKPT_SEMIHOST)
        return false;
    *result = FAILED;
    *pc += 2;
    return true;
}

const char *machine_argument(const char *name, char line[MACHINE_ARGUMENTS_MAX]) {
    const uint32_t block[] = {address(line), MACHINE_ARGUMENTS_MAX};
    if (call(SYS_GET_CMDLINE, block) != 0) return NULL;
    const size_t name_len = strlen(name);
    /* The first word is the program's name. */
    for (char *p = strchr(line, ' '); p != NULL; p = strchr(p, ' ')) {
        p++;
        if (strncmp(p, name, name_len) != 0 || p[name_len] != '=') continue;
        p += name_len + 1;
        char *end = strchr(p, ' ');
        if (end != NULL) *end = '\0';
        return p;
    }
    return NULL;
}

int machine_file_open(const char *path, bool create) {
    const uint32_t block[] = {address(path), create ? MODE_CREATE : MODE_READ_WRITE, strlen(path)};
    return call(SYS_OPEN, block);
}

int machine_file_close(int file) {
    const uint32_t block[] = {(uint32_t)file};
    return call(SYS_CLOSE, block);
}

int machine_file_length(int file) {
    const uint32_t block[] = {(uint32_t)file};
    return call(SYS_FLEN, block);
}

/* Read and write answer with the count of bytes that were not moved. */
static bool move(uint32_t operation, int file, uint32_t offset, const void *bytes, size_t len) {
    const uint32_t seek[] = {(uint32_t)file, offset};
    if (call(SYS_SEEK, seek) != 0) return false;
    const uint32_t block[] = {(uint32_t)file, address(bytes), len};
    return call(operation, block) == 0;
}

bool machine_file_read(int file, uint32_t offset, void *bytes, size_t len) {
    return move(SYS_READ, file, offset, bytes, len);
}

bool machine_file_write(int file, uint32_t offset, const void *bytes, size_t len) {
    return move(SYS_WRITE, file, offset, bytes, len);
}

void machine_exit(int code) {
    char line[MACHINE_ARGUMENTS_MAX];
    if (machine_argument("exit", line) == NULL) return;
    const uint32_t block[] = {EXIT_REASON, (uint32_t)code};
    (void)call(SYS_EXIT_EXTENDED, block);
}
