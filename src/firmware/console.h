/* The serial console: lines in, commands, lines out. Owns the editing of a line, the commands that
 * change settings (set, unset, show, save, discard, factory-reset, reboot, status, help), and the
 * pasting of PEM. It never prints a secret, and echoes nothing that is pasted. Knows no UART: bytes
 * are passed in, text is passed out.
 *
 * For people and for tools/provision alike: every command ends with a line that begins with "ok" or
 * "error: ", and the prompt "> " follows. While PEM is pasted the prompt is the number of the line
 * awaited, "7| ", and a line with a single dot ends it. Input may be anything; a line beyond
 * FK_CONSOLE_LINE_MAX is refused whole, bytes that are not printable ASCII are dropped and counted
 * in the refusal, escape sequences (arrow keys) are passed over. */
#ifndef FK_FIRMWARE_CONSOLE_H
#define FK_FIRMWARE_CONSOLE_H

#include "firmware/pem.h"
#include "firmware/settings.h"
#include "firmware/store.h"

/* Longest line, bytes with its terminating zero; "set server" and "set tls-server-name" with the
 * longest host name fit. Costs its size in RAM, and its size and 500 bytes of stack in set. */
#ifndef FK_CONSOLE_LINE_MAX
#define FK_CONSOLE_LINE_MAX 288
#endif

struct fk_console;

struct fk_console_ops {
    void (*write)(void *ctx, const char *text, size_t len); /* to the terminal; "\r\n" ends lines */
    void (*status)(void *ctx, struct fk_console *console);  /* prints with fk_console_pair */
    void (*reboot)(void *ctx);                              /* may return */
    /* Factory reset: erases what the board keeps besides its settings. 0 or FK_E_RANGE. NULL: there
     * is nothing. */
    int (*forget)(void *ctx);
};

/* Members are private. */
struct fk_console {
    const struct fk_console_ops *ops;
    void *ctx;
    struct fk_store *store;
    struct fk_pem pem;
    uint16_t len;       /* of line */
    uint16_t dropped;   /* bytes of this line that were no printable ASCII */
    uint16_t paste_len; /* bytes of DER given to the store */
    int8_t paste_err;   /* what the store said to them */
    uint8_t pasting;    /* number of the setting whose PEM is awaited, 0: none */
    uint8_t escape;
    bool overlong;
    bool after_cr;
    bool answering; /* a command is printing: the line is not on the screen */
    char line[FK_CONSOLE_LINE_MAX];
};

/* Prints the first prompt. All three are referred to and outlive the console. */
void fk_console_init(struct fk_console *c, const struct fk_console_ops *ops, void *ctx,
                     struct fk_store *store);

/* What the terminal sent, in pieces of any size. Bounded work: a command at each line's end, which
 * may erase or program flash. */
void fk_console_input(struct fk_console *c, const void *bytes, size_t len);

/* "key              value" on a line of its own: for status. str NULL: num is the value. */
void fk_console_pair(struct fk_console *c, const char *key, const char *str, int64_t num);

/* A log line or the like is about to be printed and has been printed: the line being typed is taken
 * away meanwhile and comes back behind it. */
void fk_console_before_output(struct fk_console *c);
void fk_console_after_output(struct fk_console *c);

#endif
