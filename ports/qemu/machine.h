/* The mps2-an385 of QEMU, to its own files and to main.c; board/machine.h is what others see of it.
 * What exists only in the emulator is in semihosting.c, flash_file.c and seed.c. */
#ifndef FK_QEMU_MACHINE_H
#define FK_QEMU_MACHINE_H

#include "board/machine.h"

/* ---- what main.c owes ------------------------------------------------------------------------ */

int main(void); /* if it returns, the board resets */

/* From the interrupt of the Ethernet chip; must silence it. */
void machine_on_ethernet(void);

/* ---- console (uart.c) ------------------------------------------------------------------------ */

#define MACHINE_RX_RING 128 /* bytes received and not yet asked for; a power of two */
/* How long a byte may wait for the transmitter. QEMU's socket to a reader takes but 280 bytes
 * ahead, and a busy host may not let that reader run for a while. */
#define MACHINE_TX_PATIENCE_MS 300

/* machine_write has sent all of it when it returns, from any context. A transmitter that takes
 * nothing for MACHINE_TX_PATIENCE_MS loses the rest, and all that follows until it takes bytes
 * again: a console that nobody reads must not stop a node. */
void machine_put_text(const char *text);
void machine_put_hex(uint32_t value); /* 8 digits */
void machine_put_dec(uint32_t value);

bool machine_console_waits(void);       /* machine_getc has a byte */
uint32_t machine_console_dropped(void); /* bytes in, lost: the ring was full */

/* ---- time (time.c) --------------------------------------------------------------------------- */

#define MACHINE_TICK_MS (FK_LED_PERIOD_MS / 2)
#define MACHINE_SLEEP_MAX_MS 1000 /* well within the watchdog's patience */

/* From any context, as long as interrupts are never off for a minute: machine_ms, machine_us, and
 * the cycles of BOARD_CPU_HZ that both are made of. */
uint64_t machine_cycles(void);
void machine_busy_wait_ms(uint32_t ms); /* even with interrupts off */

/* An interrupt left work for the loop: machine_sleep_until does not sleep, or ends, as it does
 * while the console has a byte. A deadline is noticed at the next tick. */
void machine_wake(void);

/* ---- watchdog (watchdog.c) ------------------------------------------------------------------- */

#define MACHINE_WATCHDOG_MS 8000

/* ---- reset (reset.c) ------------------------------------------------------------------------- */

/* Keeps r for machine_reset_record of the next start (restarts is filled in), and resets. */
_Noreturn void machine_reset_because(const struct fk_reset_record *r);

/* ---- stack (startup.S, startup.c) ------------------------------------------------------------ */

#define MACHINE_STACK_FILL 0x5aa5c33cU /* written all over the stack before its first use */

/* mps2.ld; __ram_bytes is a number: its address. */
extern const uint32_t __stack_bottom[], __stack_top[];
extern const uint8_t __ram_end[], __ram_bytes[];

/* ---- between these files: vectors, and what machine_start begins in this order ----------------
 */

_Noreturn void machine_start(void);
void machine_fault(uint32_t *frame);
void machine_systick_interrupt(void);
void machine_uart_interrupt(void);
void machine_ethernet_interrupt(void);

void machine_reset_init(void);
void machine_uart_init(void);
void machine_time_init(void);

#endif
