/* A program for the machine alone, without the node: does what single letters on the console ask
 * for, most of it wrong on purpose. tools/check-machine asks, and judges. */
#include "base/assert.h"
#include "link/crypto.h"
#include "qemu/cortex_m.h"
#include "qemu/machine.h"
#include "qemu/semihosting.h"

static _Alignas(8) uint8_t heap_bytes[2048];
static struct fk_heap heap;
static volatile uint32_t ticks;

void machine_on_tick(uint32_t now_ms) {
    ticks++;
    machine_led((struct fk_rgb){.r = FK_LED_MAX, .g = now_ms < 5000 ? 0 : FK_LED_MAX});
}

void machine_on_ethernet(void) {}

struct fk_nic machine_nic(void) {
    FK_ASSERT(!"no network here");
}

static void say(const char *name, int64_t value) {
    machine_put_text(name);
    machine_put_text(value < 0 ? " -" : " ");
    machine_put_dec((uint32_t)(value < 0 ? -value : value));
    machine_put_text("\r\n");
}

static void say_hex(const char *name, uint32_t value) {
    machine_put_text(name);
    machine_put_text(" ");
    machine_put_hex(value);
    machine_put_text("\r\n");
}

/* ---- what is wrong ----------------------------------------------------------------------------
 */

static void use_stack(int depth) {
    volatile uint8_t frame[128];
    frame[0] = (uint8_t)depth;
    if (depth > 0) use_stack(depth - 1);
    frame[1] = frame[0]; /* not a tail call */
}

/* Addresses that the compiler must not know. */
static volatile uint32_t *at(uint32_t address) {
    volatile uint32_t hidden = address;
    return (volatile uint32_t *)(uintptr_t)hidden;
}

/* Found by its name. */
static __attribute__((noinline)) void stuck(void) {
    for (;;) {
    }
}

static bool go_wrong(int c) {
    switch (c) {
    case 'f': *at(0x90000000U) = 1; return true;
    case 'u': __asm__ volatile("udf #1"); return true;
    case 'n': say_hex("unaligned", *at(0x20000001U)); return true;
    case 'g': say_hex("below RAM", *at(0x1ffffffcU)); return true;
    case 'a': FK_ASSERT(c == 0); return true;
    case 's': use_stack(1000); return true;
    case 'w': stuck(); return true;
    case 'r': machine_reboot();
    case 'x': machine_exit(7); return true;
    default: return false;
    }
}

/* ---- flash and entropy ------------------------------------------------------------------------
 */

static bool use_files(int c) {
    static uint8_t page[64];
    uint32_t random;
    const struct fk_flash *flash =
        c == 'e' || c == 'p' || c == 'q' || c == 'l' ? machine_flash() : NULL;
    const struct fk_flash *state = c == 'E' || c == 'P' || c == 'L' ? machine_state_flash() : NULL;
    switch (c) {
    case 'e': say("erase", flash->ops->erase(flash->ctx, 4096)); return true;
    case 'p': say("program", flash->ops->program(flash->ctx, 4096, page, sizeof page)); return true;
    case 'q': say("program", flash->ops->program(flash->ctx, 4097, page, sizeof page)); return true;
    case 'l':
        if (flash == NULL) say("flash", -1);
        else
            say_hex("flash",
                    (uint32_t)(flash->map[4095] << 16 | flash->map[4096] << 8 | flash->map[4160]));
        return true;
    case 'E':
        if (state == NULL) return false;
        say("erase", state->ops->erase(state->ctx, 4096));
        return true;
    case 'P':
        if (state == NULL) return false;
        say("program", state->ops->program(state->ctx, 4096, page, sizeof page));
        return true;
    case 'L':
        if (state == NULL) return false;
        say_hex("state", (uint32_t)(state->map[4095] << 8 | state->map[4096]));
        say("apart", state->map - machine_flash()->map);
        return true;
    case 'h':
        say("entropy", machine_entropy(&random, sizeof random));
        say_hex("random", random);
        return true;
    default: return false;
    }
}

/* ---- time and console -------------------------------------------------------------------------
 */

static void sleep_for(uint32_t ms) {
    const uint64_t begin_ms = machine_ms();
    machine_sleep_until(begin_ms + ms);
    say("slept", (int64_t)(machine_ms() - begin_ms));
}

/* Longer than several ticks with interrupts off: time goes on, ticks do not. */
static void mask(void) {
    const uint64_t begin_ms = machine_ms();
    const uint32_t begin_ticks = ticks;
    const uint32_t was = cpu_mask();
    machine_busy_wait_ms(100);
    cpu_unmask(was);
    say("ticks", ticks - begin_ticks);
    say("masked", (int64_t)(machine_ms() - begin_ms));
}

static void listen(void) {
    machine_put_text("busy\r\n");
    machine_busy_wait_ms(1000);
    int count = 0, gaps = 0;
    for (int c; (c = machine_getc()) >= 0; count++) gaps += c == MACHINE_LOST;
    say("kept", count);
    say("gaps", gaps);
    say("dropped", machine_console_dropped());
}

static void flood(void) {
    for (int i = 0; i < 20000; i++)
        machine_put_text("0123456789012345678901234567890123456789\r\n");
}

static bool use_time(int c) {
    switch (c) {
    case 'd': sleep_for(50); return true;
    case 'z': sleep_for(600000); return true;
    case 'm': mask(); return true;
    case 'b': listen(); return true;
    case 'o': flood(); return true;
    case 't': say("ms", (int64_t)machine_ms()); return true;
    case 'k':
        use_stack(8);
        say("peak", (int64_t)machine_stack_peak());
        return true;
    default: return false;
    }
}

static bool use_figures(int c) {
    struct fk_gpio pin;
    switch (c) {
    case 'i':
        for (unsigned i = 0; machine_gpio(i, &pin); i++) {
            machine_put_text(pin.name);
            machine_put_text(pin.output ? " out" : " in");
            say("", pin.level);
        }
        say("pins", 0);
        return true;
    case 'v':
        say("size", (int64_t)machine_ram_size());
        say("static", (int64_t)machine_ram_static());
        return true;
    default: return false;
    }
}

static void greet(void) {
    const struct fk_reset_record *r = machine_reset_record();
    machine_put_text("start ");
    machine_put_text(fk_reset_text(r->reason));
    if (r->file != NULL) {
        machine_put_text(" in ");
        machine_put_text(r->file);
        say("", r->line);
    }
    machine_put_text("\r\n");
    say_hex("was-pc", r->pc);
    say("restarts", r->restarts);
    say("ready", 1);
}

int main(void) {
    fk_heap_init(&heap, heap_bytes, sizeof heap_bytes);
    fk_crypto_use_heap(&heap);
    (void)machine_flash();
    greet();
    machine_watchdog_start();
    for (;;) {
        machine_watchdog_feed();
        const int c = machine_getc();
        if (c >= 0 && !go_wrong(c) && !use_files(c) && !use_time(c) && !use_figures(c))
            say("what", c);
        if (c < 0) machine_sleep_until(UINT64_MAX);
    }
}
