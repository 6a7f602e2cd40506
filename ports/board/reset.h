/* Why a board started, as its port found it in memory that a reset leaves alone. */
#ifndef FK_BOARD_RESET_H
#define FK_BOARD_RESET_H

#include <stdint.h>

enum fk_reset {
    FK_RESET_POWER_ON,
    FK_RESET_PIN,       /* none that the program asked for: the button, a debugger, the emulator */
    FK_RESET_REQUESTED, /* reboot */
    FK_RESET_WATCHDOG,  /* the loop was stuck; pc says where */
    FK_RESET_FAULT,     /* the processor refused an access or an instruction */
    FK_RESET_STACK,     /* the stack overflowed */
    FK_RESET_ASSERTION, /* file and line are known */
    FK_RESET_BROWN_OUT, /* on boards that can tell */
};

/* Words not known are 0. */
struct fk_reset_record {
    uint32_t reason; /* enum fk_reset */
    uint32_t pc;     /* of what was running */
    uint32_t lr;
    uint32_t line;
    const char *file;  /* static text of the program, or NULL */
    uint32_t restarts; /* since power-on */
};

const char *fk_reset_text(uint32_t reason); /* "watchdog": for logs and annotations; static */

#endif
