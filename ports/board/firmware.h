/* The firmware that all boards share: settings from flash, network, TLS, the node, console and LED
 * in one loop. The machine's start-up code calls it once, with interrupts on. */
#ifndef FK_BOARD_FIRMWARE_H
#define FK_BOARD_FIRMWARE_H

/* Does not return: ends in machine_reset. */
_Noreturn void fk_firmware_run(void);

#endif
