#include "board/reset.h"

#include <stddef.h>

const char *fk_reset_text(uint32_t reason) {
    static const char *const texts[] = {
        [FK_RESET_POWER_ON] = "power-on",   [FK_RESET_PIN] = "reset pin",
        [FK_RESET_REQUESTED] = "reboot",    [FK_RESET_WATCHDOG] = "watchdog",
        [FK_RESET_FAULT] = "fault",         [FK_RESET_STACK] = "stack overflow",
        [FK_RESET_ASSERTION] = "assertion", [FK_RESET_BROWN_OUT] = "brown-out",
    };
    return reason < sizeof texts / sizeof texts[0] ? texts[reason] : "unknown";
}
