#include "firmware/console_internal.h"

#define ERASE_LINE "\r\x1b[K"
#define NAME_WIDTH 17 /* of the first column */

enum { NO_ESCAPE, ESCAPE, SEQUENCE };
enum { CTRL_C = 0x03, BACKSPACE = 0x08, CTRL_U = 0x15, ESC = 0x1b, DEL = 0x7f };

/* ---- output ----------------------------------------------------------------------------------
 */

void fk_console_say_bytes(struct fk_console *c, struct fk_bytes text) {
    if (text.len > 0) c->ops->write(c->ctx, (const char *)text.p, text.len);
}

void fk_console_say(struct fk_console *c, const char *text) {
    fk_console_say_bytes(c, fk_bytes_str(text));
}

void fk_console_say_num(struct fk_console *c, int64_t num) {
    char text[20];
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    fk_put_i64(&w, num);
    fk_console_say_bytes(c, fk_bytes(text, fk_writer_kept(&w)));
}

static bool printable(uint8_t byte) { return byte >= ' ' && byte < DEL; }

void fk_console_say_clean(struct fk_console *c, struct fk_bytes text) {
    while (text.len > 0) {
        size_t run = 0;
        while (run < text.len && printable(text.p[run])) run++;
        fk_console_say_bytes(c, fk_bytes(text.p, run));
        if (run == text.len) return;
        fk_console_say(c, "?");
        text = fk_bytes(text.p + run + 1, text.len - run - 1);
    }
}

void fk_console_say_padded(struct fk_console *c, const char *text) {
    size_t len = strlen(text);
    fk_console_say(c, text);
    do fk_console_say(c, " ");
    while (++len < NAME_WIDTH);
}

void fk_console_answer(struct fk_console *c, const char *a, const char *b, const char *end) {
    fk_console_say(c, a);
    fk_console_say(c, b);
    fk_console_say(c, end);
    fk_console_say(c, "\r\n");
}

void fk_console_answer_error(struct fk_console *c, const char *problem) {
    fk_console_answer(c, "error: ", problem, "");
}

static void say_prompt(struct fk_console *c) {
    if (c->pasting == 0) {
        fk_console_say(c, "> ");
    } else {
        fk_console_say_num(c, c->pem.line + 1);
        fk_console_say(c, "| ");
    }
}

void fk_console_pair(struct fk_console *c, const char *key, const char *str, int64_t num) {
    fk_console_say_padded(c, key);
    if (str != NULL) fk_console_say_clean(c, fk_bytes_str(str));
    else fk_console_say_num(c, num);
    fk_console_say(c, "\r\n");
}

void fk_console_before_output(struct fk_console *c) {
    if (!c->answering) fk_console_say(c, ERASE_LINE);
}

void fk_console_after_output(struct fk_console *c) {
    if (c->answering) return;
    say_prompt(c);
    if (c->pasting == 0) fk_console_say_bytes(c, fk_bytes(c->line, c->len));
}

/* ---- the line --------------------------------------------------------------------------------
 */

static void wipe_line(struct fk_console *c) {
    memset(c->line, 0, sizeof c->line);
    c->len = 0;
    c->dropped = 0;
    c->overlong = false;
}

static void end_line(struct fk_console *c) {
    fk_console_say(c, "\r\n");
    c->answering = true;
    if (c->pasting != 0) {
        fk_console_paste_line(c);
    } else if (c->overlong) {
        fk_console_answer_error(c, "the line is too long; shorten it");
    } else if (c->dropped > 0) {
        fk_console_say(c, "error: ");
        fk_console_say_num(c, c->dropped);
        fk_console_answer(
            c, " bytes of this line were lost or are not printable ASCII; type it again", "", "");
    } else {
        fk_console_run(c);
    }
    c->answering = false;
    wipe_line(c);
    say_prompt(c);
}

static void cancel(struct fk_console *c) {
    fk_console_say(c, "^C\r\n");
    if (c->pasting != 0) fk_console_answer_error(c, "cancelled; the setting is as it was");
    if (c->pasting != 0) fk_console_paste_drop(c);
    wipe_line(c);
    say_prompt(c);
}

static void add(struct fk_console *c, uint8_t byte) {
    if (!printable(byte)) {
        if (c->dropped < UINT16_MAX) c->dropped++;
    } else if (c->len == FK_CONSOLE_LINE_MAX - 1) {
        c->overlong = true;
    } else {
        c->line[c->len++] = (char)byte;
        if (c->pasting == 0) fk_console_say_bytes(c, fk_bytes(&byte, 1));
    }
}

static void backspace(struct fk_console *c) {
    if (c->len == 0 || c->overlong) return;
    c->line[--c->len] = '\0';
    if (c->pasting == 0) fk_console_say(c, "\b \b");
}

/* Whether the byte belongs to an escape sequence (ECMA-48: ESC [ parameters, and a letter); any
 * control character ends one. */
static bool swallowed(struct fk_console *c, uint8_t byte) {
    const uint8_t was = c->escape;
    c->escape = NO_ESCAPE;
    if (was == NO_ESCAPE || byte < ' ' || byte == DEL) return false;
    const bool opens = was == ESCAPE && (byte == '[' || byte == 'O');
    if (opens || (was == SEQUENCE && byte < '@')) c->escape = SEQUENCE;
    return true;
}

static void take(struct fk_console *c, uint8_t byte) {
    const bool crlf = c->after_cr && byte == '\n';
    c->after_cr = byte == '\r';
    if (crlf || swallowed(c, byte)) return;
    switch (byte) {
    case '\r':
    case '\n': end_line(c); return;
    case CTRL_C: cancel(c); return;
    case CTRL_U:
        wipe_line(c);
        fk_console_say(c, ERASE_LINE);
        say_prompt(c);
        return;
    case BACKSPACE:
    case DEL: backspace(c); return;
    case ESC: c->escape = ESCAPE; return;
    case '\t': add(c, ' '); return;
    default: add(c, byte); return;
    }
}

void fk_console_init(struct fk_console *c, const struct fk_console_ops *ops, void *ctx,
                     struct fk_store *store) {
    *c = (struct fk_console){.ops = ops, .ctx = ctx, .store = store};
    fk_console_say(c, "\r\n");
    say_prompt(c);
}

void fk_console_input(struct fk_console *c, const void *bytes, size_t len) {
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i++) take(c, p[i]);
}
