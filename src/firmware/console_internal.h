/* Between console.c (the line and the terminal) and console_commands.c (what a line does). */
#ifndef FK_FIRMWARE_CONSOLE_INTERNAL_H
#define FK_FIRMWARE_CONSOLE_INTERNAL_H

#include "firmware/console.h"

void fk_console_say_bytes(struct fk_console *c, struct fk_bytes text);
void fk_console_say(struct fk_console *c, const char *text);
void fk_console_say_num(struct fk_console *c, int64_t num);
/* Text from elsewhere: what is not printable becomes '?', so it moves no cursor. */
void fk_console_say_clean(struct fk_console *c, struct fk_bytes text);
void fk_console_say_padded(struct fk_console *c, const char *text); /* the first of two columns */

/* One line of three parts; of "error: " and what to do. */
void fk_console_answer(struct fk_console *c, const char *a, const char *b, const char *end);
void fk_console_answer_error(struct fk_console *c, const char *problem);

/* c->line as a command; while c->pasting, as a line of PEM (it is overwritten). */
void fk_console_run(struct fk_console *c);
void fk_console_paste_line(struct fk_console *c);
/* Gives up what is being pasted; the rest of the draft stays. */
void fk_console_paste_drop(struct fk_console *c);

#endif
