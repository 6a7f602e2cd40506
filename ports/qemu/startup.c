#include "boards/mps2_an385.h"
#include "qemu/cortex_m.h"
#include "qemu/machine.h"

/* 2^15 = 32 KB below RAM: no frame of ours is larger than that, so none steps over it. Real chips
 * have nothing there and refuse by themselves; QEMU answers 0. */
#define GUARD_LOG2 15U

static void guard_stack(void) {
    if (MPU_TYPE == 0) return;
    MPU_RNR = 0;
    MPU_RBAR = BOARD_RAM - (1U << GUARD_LOG2);
    MPU_RASR = MPU_RASR_NO_ACCESS | MPU_RASR_SIZE(GUARD_LOG2);
    MPU_CTRL = MPU_CTRL_ENABLE | MPU_CTRL_DEFAULT_MAP;
    cpu_barrier();
}

_Noreturn void machine_start(void) {
    guard_stack();
#ifndef __ARM_FEATURE_UNALIGNED
    /* Compiled for a core that faults on unaligned access: have this one do the same. */
    SCB_CCR |= SCB_CCR_UNALIGN_TRP;
#endif
    machine_reset_init();
    machine_uart_init();
    machine_time_init();
    NVIC_ISER = 1U << BOARD_UART_RX_IRQ;
    cpu_unmask(0);
    (void)main();
    machine_reboot();
}

void machine_ethernet_interrupt(void) {
    machine_on_ethernet();
    machine_wake();
}

size_t machine_stack_size(void) {
    return (size_t)((uintptr_t)__stack_top - (uintptr_t)__stack_bottom);
}

size_t machine_stack_peak(void) {
    const volatile uint32_t *p = __stack_bottom;
    while (p < __stack_top && *p == MACHINE_STACK_FILL) {
        p++;
    }
    return (size_t)((uintptr_t)__stack_top - (uintptr_t)p);
}

size_t machine_ram_size(void) { return (size_t)(uintptr_t)__ram_bytes; }

/* From the stack, which lies below, to the end of what survives a reset. */
size_t machine_ram_static(void) { return (size_t)((uintptr_t)__ram_end - (uintptr_t)__stack_top); }
