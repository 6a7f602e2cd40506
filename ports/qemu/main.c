/* femtokubelet on the mps2-an385 of QEMU: what the machine is, and its Ethernet chip. */
#include "board/firmware.h"
#include "board/machine.h"
#include "boards/mps2_an385.h"
#include "drivers/lan9118.h"
#include "qemu/cortex_m.h"
#include "qemu/machine.h"
#include "version.h"

#ifdef __ARM_ARCH_6M__
#define CORE "Cortex-M0+ code"
#else
#define CORE "Cortex-M3"
#endif

const struct machine_facts machine_facts = {
    .name = "mps2-an385 in QEMU, " CORE,
    .image = "femtokubelet " FK_VERSION " (mps2-an385 in QEMU, " CORE ")",
    .architecture = "arm",
    .cpu = "25m",
    .memory = BOARD_RAM_TEXT,
    .cpu_mhz = BOARD_CPU_HZ / 1000000,
};

/* ---- Ethernet -----------------------------------------------------------------------------------
 */

static struct fk_lan9118 ethernet;

static volatile uint32_t *ethernet_register(uint32_t offset) {
    return (volatile uint32_t *)(uintptr_t)(BOARD_ETHERNET + offset);
}

static uint32_t bus_read(void *ctx, uint32_t offset) {
    (void)ctx;
    return *ethernet_register(offset);
}

static void bus_write(void *ctx, uint32_t offset, uint32_t value) {
    (void)ctx;
    *ethernet_register(offset) = value;
}

/* Until the driver has set the chip up, its interrupt line has the wrong polarity and would call
 * for ever: so the line is open only from arm to the next interrupt. */
static struct fk_nic_ops ops;
static void (*chip_arm)(void *ctx);

static void arm(void *ctx) {
    const uint32_t was = cpu_mask();
    chip_arm(ctx);
    NVIC_ISER = 1U << BOARD_ETHERNET_IRQ;
    cpu_unmask(was);
}

void machine_on_ethernet(void) {
    NVIC_ICER = 1U << BOARD_ETHERNET_IRQ;
    fk_lan9118_interrupt(&ethernet);
}

struct fk_nic machine_nic(void) {
    fk_lan9118_init(&ethernet, (struct fk_lan9118_bus){bus_read, bus_write, NULL});
    const struct fk_nic chip = fk_lan9118_nic(&ethernet);
    ops = *chip.ops;
    chip_arm = ops.arm;
    ops.arm = arm;
    return (struct fk_nic){&ops, chip.ctx};
}

int main(void) { fk_firmware_run(); }
