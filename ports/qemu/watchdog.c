/* The first timeout raises NMI, and fault.c says where the loop is stuck; a second one, should even
 * that hang, resets the board in hardware. */
#include "boards/mps2_an385.h"
#include "qemu/cortex_m.h"
#include "qemu/machine.h"

#define WATCHDOG_LOAD REG(BOARD_WATCHDOG + 0x0)
#define WATCHDOG_CONTROL REG(BOARD_WATCHDOG + 0x8)
#define WATCHDOG_INTCLEAR REG(BOARD_WATCHDOG + 0xc)
#define WATCHDOG_LOCK REG(BOARD_WATCHDOG + 0xc00)
#define UNLOCK 0x1acce551U
#define CONTROL_INTERRUPT 1U
#define CONTROL_RESET 2U

void machine_watchdog_start(void) {
    WATCHDOG_LOCK = UNLOCK;
    WATCHDOG_LOAD = BOARD_CPU_HZ / 1000 * MACHINE_WATCHDOG_MS;
    WATCHDOG_CONTROL = CONTROL_INTERRUPT | CONTROL_RESET;
    WATCHDOG_LOCK = 0;
}

void machine_watchdog_feed(void) {
    WATCHDOG_LOCK = UNLOCK;
    WATCHDOG_INTCLEAR = 1; /* begins anew from LOAD */
    WATCHDOG_LOCK = 0;     /* a stray write must not stop it */
}
