#include "qemu/cortex_m.h"
#include "qemu/machine.h"

#define MAGIC 0x464b5231U /* "FKR1" */

/* Outside of every segment, so that neither start-up nor the emulator writes it. `next` is what the
 * coming start will find: the reset pin, until somebody knows better. */
static struct {
    uint32_t magic;
    struct fk_reset_record last;
    struct fk_reset_record next;
    uint32_t check; /* of next */
} kept __attribute__((section(".noinit")));

/* Whether memory kept its content, not whether anyone meddled with it. */
static uint32_t checksum(const struct fk_reset_record *r) {
    return MAGIC + r->reason * 3 + r->pc * 5 + r->lr * 7 + r->line * 11 +
           (uint32_t)(uintptr_t)r->file * 13 + r->restarts * 17;
}

static void keep(const struct fk_reset_record *r) {
    kept.next = *r;
    kept.next.restarts = kept.last.restarts + 1;
    kept.check = checksum(&kept.next);
    kept.magic = MAGIC;
}

void machine_reset_init(void) {
    if (kept.magic == MAGIC && kept.check == checksum(&kept.next)) {
        kept.last = kept.next;
    } else {
        kept.last = (struct fk_reset_record){.reason = FK_RESET_POWER_ON};
    }
    keep(&(struct fk_reset_record){.reason = FK_RESET_PIN});
}

const struct fk_reset_record *machine_reset_record(void) { return &kept.last; }

_Noreturn void machine_reset_because(const struct fk_reset_record *r) {
    keep(r);
    cpu_barrier();
    SCB_AIRCR = SCB_AIRCR_RESET;
    cpu_barrier();
    for (;;) {
    }
}

_Noreturn void machine_reboot(void) {
    machine_reset_because(&(struct fk_reset_record){.reason = FK_RESET_REQUESTED});
}
