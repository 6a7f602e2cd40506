/* Anything that a serial line may bring, in pieces of any size: what is written is printable, every
 * command is answered, and behind Ctrl-C the console takes the next one.
 *
 * The first byte chooses the size of the pieces; a byte 0xff in the rest is a log line at that
 * moment, 0xfe an operation of the flash that fails. */
#include <stdlib.h>

#include "base/assert.h"
#include "firmware/console.h"
#include "support/flash_model.h"

struct bench {
    struct flash_model flash;
    struct fk_store store;
    struct fk_console console;
    char tail[16]; /* of what was written */
    unsigned oks;  /* lines that begin with "ok" */
};

static void write_out(void *ctx, const char *text, size_t len) {
    struct bench *b = ctx;
    FK_ASSERT(len > 0);
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        FK_ASSERT((c >= ' ' && c <= '~') || c == '\r' || c == '\n' || c == '\b' || c == '\x1b');
        memmove(b->tail, b->tail + 1, sizeof b->tail - 1);
        b->tail[sizeof b->tail - 1] = c;
        b->oks += memcmp(b->tail + sizeof b->tail - 4, "\r\nok", 4) == 0;
    }
}

static void print_status(void *ctx, struct fk_console *console) {
    (void)ctx;
    fk_console_pair(console, "key", "value", 0);
}

static void reboot(void *ctx) {
    struct bench *b = ctx;
    FK_ASSERT(fk_store_open(&b->store, &b->flash.flash) == 0);
}

static void log_line(struct bench *b) {
    fk_console_before_output(&b->console);
    write_out(b, "I\r\n", 3);
    fk_console_after_output(&b->console);
}

static void feed(struct bench *b, const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (data[i] == 0xfe) {
            b->flash.fault = FLASH_ERROR;
            b->flash.cut_at = b->flash.ops + 1;
        }
        if (data[i] == 0xff) log_line(b);
    }
    fk_console_input(&b->console, data, len);
}

static void expect_recovery(struct bench *b) {
    fk_console_input(&b->console, "\x03", 1);
    FK_ASSERT(memcmp(b->tail + sizeof b->tail - 4, "\r\n> ", 4) == 0);
    const unsigned before = b->oks;
    fk_console_input(&b->console, "show\r", 5);
    FK_ASSERT(b->oks == before + 1);
    FK_ASSERT(b->console.len == 0 && b->console.pasting == 0 && b->console.pem.bits == 0);
    for (size_t i = 0; i < sizeof b->console.line; i++) FK_ASSERT(b->console.line[i] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const struct fk_console_ops ops = {write_out, print_status, reboot, NULL};
    static struct bench b;
    if (len == 0) return 0;
    memset(&b, 0, sizeof b);
    flash_model_init(&b.flash, 256, 4096, 2);
    reboot(&b);
    fk_console_init(&b.console, &ops, &b, &b.store);
    const size_t step = (size_t)data[0] + 1;
    for (size_t at = 1; at < len; at += step)
        feed(&b, data + at, len - at < step ? len - at : step);
    expect_recovery(&b);
    flash_model_free(&b.flash);
    return 0;
}
