/* What a machine gives the firmware that all boards share. ports/<machine>/ implements it, and its
 * reset handler calls fk_firmware_run. A machine has one of everything, so there is no context. */
#ifndef FK_BOARD_MACHINE_H
#define FK_BOARD_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board/reset.h"
#include "firmware/led.h"
#include "flash.h"
#include "nic.h"
#include "port.h"

/* ---- time: callable from interrupts, too ------------------------------------------------------
 */
uint64_t machine_ms(void); /* since reset; never wraps */
uint64_t machine_us(void); /* the same clock, for measurements */

/* Sleeps until an interrupt comes, machine_ms is due_ms or later, or 1 s has passed; not at
 * all when something is waiting already (a byte on the console, an armed chip that interrupted). */
void machine_sleep_until(uint64_t due_ms);

/* Called by the machine's timer interrupt every FK_LED_PERIOD_MS or more often, even during a long
 * computation; the firmware defines it. now_ms: low half of machine_ms. */
void machine_on_tick(uint32_t now_ms);

/* ---- the parts --------------------------------------------------------------------------------
 */

/* Random bytes fit for keys: 0, or FK_E_ENTROPY. What that takes is written in src/port.h. */
int machine_entropy(void *buf, size_t len);

void machine_write(const char *text, size_t len); /* to the console; may wait for the line */
/* A byte from the console, -1: none. Where bytes were lost MACHINE_LOST stands, which is no ASCII:
 * the console refuses its line, rather than to take what is left of it. */
int machine_getc(void);
#define MACHINE_LOST 0xff

void machine_led(struct fk_rgb color); /* from the timer interrupt */

const struct fk_flash *machine_flash(void); /* for settings; NULL: there is none */
/* For what changes at run time, two slots of FK_PORT_KEEP_MAX + 100 bytes or more: programmed and
 * erased at any time, while the one for settings is read in place. NULL: there is none. */
const struct fk_flash *machine_state_flash(void);
struct fk_nic machine_nic(void);

void machine_watchdog_start(void);
void machine_watchdog_feed(void); /* or the board is reset, FK_RESET_WATCHDOG, some seconds later */

/* As fk_port_ops.gpio: what is for people and programs to look at, not what drives the board. */
bool machine_gpio(unsigned index, struct fk_gpio *out);

const struct fk_reset_record *machine_reset_record(void); /* why this start */
_Noreturn void machine_reboot(void);                      /* FK_RESET_REQUESTED */

/* ---- figures ----------------------------------------------------------------------------------
 */
size_t machine_stack_peak(void); /* deepest so far, bytes */
size_t machine_stack_size(void);
size_t machine_ram_size(void);   /* what the program may use */
size_t machine_ram_static(void); /* of it, what has its place for good: all but the stack */

/* ---- what it is, for the Node object; zero-terminated, static ----------------------------------
 */
struct machine_facts {
    const char *name;         /* "QEMU mps2-an385" */
    const char *image;        /* with the version: "femtokubelet 0.1.0 (mps2-an385 in QEMU)" */
    const char *architecture; /* as GOARCH: "arm" */
    const char *cpu;          /* capacity: a millicore for each MHz, "25m" */
    const char *memory;       /* capacity: RAM that the linker script may use, "96Ki" */
    uint32_t cpu_mhz;
};
extern const struct machine_facts machine_facts;

#endif
