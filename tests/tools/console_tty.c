/* The board's console over standard input and output, for the tests of tools/provision.
 *
 *     console_tty FLASH [--chatty]
 *
 * FLASH is a file that is the flash (made when there is none); a reboot reads the settings from it
 * anew. --chatty: a log line after every seventh byte that comes in, wherever that is. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "firmware/console.h"

#define PAGE 256
#define SECTOR 4096
#define SIZE (8 * SECTOR)

static void give_up(const char *what) {
    perror(what);
    exit(EXIT_FAILURE);
}

_Noreturn void fk_assert_failed(const char *file, int line) {
    fprintf(stderr, "console_tty: assertion in %s:%d\n", file, line);
    abort();
}

/* ---- flash -------------------------------------------------------------------------------------
 */

static uint8_t *map_file(const char *path) {
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) give_up(path);
    const off_t old_size = lseek(fd, 0, SEEK_END);
    if (ftruncate(fd, SIZE) != 0) give_up(path);
    uint8_t *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) give_up(path);
    if (old_size != SIZE) memset(map, 0xff, SIZE);
    (void)close(fd);
    return map;
}

static int program(void *ctx, uint32_t offset, const void *bytes, size_t len) {
    memcpy((uint8_t *)ctx + offset, bytes, len);
    return 0;
}

static int erase(void *ctx, uint32_t offset) {
    memset((uint8_t *)ctx + offset, 0xff, SECTOR);
    return 0;
}

/* ---- the terminal ------------------------------------------------------------------------------
 */

struct terminal {
    struct fk_flash flash;
    struct fk_store store;
    struct fk_console console;
    unsigned reboots;
};

static void write_out(void *ctx, const char *text, size_t len) {
    (void)ctx;
    while (len > 0) {
        const ssize_t put = write(STDOUT_FILENO, text, len);
        if (put < 0) exit(EXIT_SUCCESS); /* nobody listens any more */
        text += put;
        len -= (size_t)put;
    }
}

static void print_status(void *ctx, struct fk_console *console) {
    const struct terminal *t = ctx;
    fk_console_pair(console, "reboots", NULL, t->reboots);
}

static void reboot(void *ctx) {
    struct terminal *t = ctx;
    t->reboots++;
    if (fk_store_open(&t->store, &t->flash) != 0) give_up("flash");
}

static void log_line(struct terminal *t) {
    static const char text[] = "I 12.345 lease renewed renewals=7\r\n";
    fk_console_before_output(&t->console);
    write_out(NULL, text, sizeof text - 1);
    fk_console_after_output(&t->console);
}

int main(int argc, char **argv) {
    static const struct fk_flash_ops flash_ops = {program, erase};
    static const struct fk_console_ops ops = {write_out, print_status, reboot, NULL};
    static struct terminal t;
    if (argc < 2) {
        fprintf(stderr, "usage: console_tty FLASH [--chatty]\n");
        return EXIT_FAILURE;
    }
    const bool chatty = argc > 2 && strcmp(argv[2], "--chatty") == 0;
    uint8_t *map = map_file(argv[1]);
    t.flash = (struct fk_flash){&flash_ops, map, map, SECTOR, SIZE / SECTOR, PAGE};
    if (fk_store_open(&t.store, &t.flash) != 0) give_up(argv[1]);
    fk_console_init(&t.console, &ops, &t, &t.store);
    char bytes[7];
    size_t count = 0;
    for (ssize_t got; (got = read(STDIN_FILENO, bytes, sizeof bytes - count)) > 0;) {
        fk_console_input(&t.console, bytes, (size_t)got);
        count = (count + (size_t)got) % sizeof bytes;
        if (chatty && count == 0) log_line(&t);
    }
    return EXIT_SUCCESS;
}
