/* What the program does when it is wrong: says so on the console, keeps the reason for the next
 * start, and resets. Runs with interrupts off, on what is left of the stack (startup.S). */
#include "base/assert.h"
#include "qemu/cortex_m.h"
#include "qemu/machine.h"
#include "qemu/semihosting.h"

#define EXCEPTION_NMI 2U /* the watchdog's */
#define STACK_WORDS 48   /* printed of the stack, from the newest */
#define PANIC_MS 1000U   /* how long the LED shows it */

/* What the processor stacks (Arm DDI 0403, B1.5.6). */
enum { R0, R1, R2, R3, R12, LR, PC, PSR, FRAME_WORDS };

static void put(const char *name, uint32_t value) {
    machine_put_text(name);
    machine_put_hex(value);
}

/* Red and off at 5 Hz, as FK_LED_PANIC; no interrupt helps here. */
static void show_panic(void) {
    for (uint32_t ms = 0; ms < PANIC_MS; ms += 100) {
        machine_led((struct fk_rgb){.r = ms % 200 == 0 ? FK_LED_MAX : 0});
        machine_busy_wait_ms(100);
    }
}

_Noreturn static void give_up(const struct fk_reset_record *why) {
    machine_put_text("\r\nresetting\r\n");
    show_panic();
    machine_exit(1); /* returns, unless this run is a test that asked for it */
    machine_reset_because(why);
}

static bool inside_stack(const uint32_t *p) { return p >= __stack_bottom && p < __stack_top; }

static void print_registers(const uint32_t *frame) {
    static const char *const names[FRAME_WORDS] = {"r0 ",      " r1 ", " r2 ", " r3 ",
                                                   "\r\nr12 ", " lr ", " pc ", " psr "};
    for (size_t i = 0; i < FRAME_WORDS; i++) {
        put(names[i], frame[i]);
    }
    machine_put_text("\r\n");
}

static void print_stack(const uint32_t *p) {
    for (size_t i = 0; i < STACK_WORDS && inside_stack(p); i++, p++) {
        if (i % 8 == 0) {
            put("\r\n", (uint32_t)(uintptr_t)p);
            machine_put_text(":");
        }
        put(" ", *p);
    }
}

/* Where the stack was ever written, for when the stack pointer tells nothing. */
static const uint32_t *deepest(void) {
    return (const uint32_t *)((uintptr_t)__stack_top - machine_stack_peak());
}

static uint32_t say_why(const uint32_t *frame) {
    if (cpu_exception() == EXCEPTION_NMI) {
        machine_put_text("\r\nwatchdog: the loop is stuck\r\n");
        return FK_RESET_WATCHDOG;
    }
    /* No room for the frame, or it could not be stored where it should go. */
    if (frame < __stack_bottom || (SCB_CFSR & SCB_CFSR_MSTKERR) != 0) {
        machine_put_text("\r\nstack overflow\r\n");
        return FK_RESET_STACK;
    }
    machine_put_text("\r\nfault, exception ");
    machine_put_dec(cpu_exception());
    machine_put_text("\r\n");
    return FK_RESET_FAULT;
}

void machine_fault(uint32_t *frame) {
    const bool framed = inside_stack(frame) && inside_stack(frame + PSR);
    if (framed && machine_semihosting_absent(&frame[R0], &frame[PC])) return;
    (void)cpu_mask();
    struct fk_reset_record why = {.reason = say_why(frame)};
    if (framed && why.reason != FK_RESET_STACK) {
        why.pc = frame[PC];
        why.lr = frame[LR];
        print_registers(frame);
    }
    put("sp ", (uint32_t)(uintptr_t)frame);
    put(" cfsr ", SCB_CFSR);
    put(" hfsr ", SCB_HFSR);
    put(" mmfar ", SCB_MMFAR);
    put(" bfar ", SCB_BFAR);
    print_stack(why.reason == FK_RESET_STACK ? deepest() : frame);
    give_up(&why);
}

_Noreturn void fk_assert_failed(const char *file, int line) {
    (void)cpu_mask();
    const struct fk_reset_record why = {
        .reason = FK_RESET_ASSERTION,
        .lr = (uint32_t)(uintptr_t)__builtin_return_address(0),
        .file = file,
        .line = (uint32_t)line,
    };
    machine_put_text("\r\nassertion failed: ");
    machine_put_text(file);
    machine_put_text(":");
    machine_put_dec(why.line);
    put(", called from ", why.lr);
    print_stack(__builtin_frame_address(0));
    give_up(&why);
}
