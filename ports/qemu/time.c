/* Time is the FPGA's counter of cycles, extended to 64 bits by whoever reads it, and by SysTick's
 * interrupt at least. SysTick's own count would not do: two ticks that fall due while interrupts
 * are off, or while the host lets the emulator wait, merge into one, and time would be lost. */
#include "base/clock.h"
#include "boards/mps2_an385.h"
#include "qemu/cortex_m.h"
#include "qemu/machine.h"

#define FPGAIO_COUNTER REG(BOARD_FPGAIO + 0x18)
#define FPGAIO_PRESCALE REG(BOARD_FPGAIO + 0x1c)

#define CYCLES_PER_US (BOARD_CPU_HZ / 1000000)
#define CYCLES_PER_MS (BOARD_CPU_HZ / 1000)

static struct fk_tick extension; /* "ms" of base/clock are cycles here: it wraps every 171 s */
static volatile bool awake;

void machine_time_init(void) {
    FPGAIO_PRESCALE = 0;
    FPGAIO_COUNTER = 0;
    SYST_RVR = CYCLES_PER_MS * MACHINE_TICK_MS - 1;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_ENABLE | SYST_CSR_TICKINT | SYST_CSR_CPU_CLOCK;
}

uint64_t machine_cycles(void) {
    /* The counter is read and remembered as one: an interrupt in between that saw the wrap would
     * have it counted twice. */
    const uint32_t was = cpu_mask();
    const uint64_t now = fk_tick_extend(&extension, FPGAIO_COUNTER);
    cpu_unmask(was);
    return now;
}

uint64_t machine_us(void) { return machine_cycles() / CYCLES_PER_US; }

uint64_t machine_ms(void) { return machine_cycles() / CYCLES_PER_MS; }

void machine_busy_wait_ms(uint32_t ms) {
    const uint64_t end = machine_cycles() + (uint64_t)ms * CYCLES_PER_MS;
    while (machine_cycles() < end) {
    }
}

void machine_systick_interrupt(void) { machine_on_tick((uint32_t)machine_ms()); }

void machine_wake(void) { awake = true; }

void machine_sleep_until(uint64_t due_ms) {
    const uint64_t end_ms = fk_sooner(due_ms, machine_ms() + MACHINE_SLEEP_MAX_MS);
    /* With interrupts masked, one that comes between the question and WFI stays pending and ends
     * WFI at once; it runs when they are unmasked. */
    uint32_t was = cpu_mask();
    while (!awake && !machine_console_waits() && machine_ms() < end_ms) {
        cpu_wait();
        cpu_unmask(was);
        was = cpu_mask();
    }
    awake = false;
    cpu_unmask(was);
}
