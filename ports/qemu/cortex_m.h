/* The parts of a Cortex-M processor that the port touches; ARMv6-M has all of them but the fault
 * status registers, which read as 0 there (Arm DDI 0403 and DDI 0419, chapter B3). */
#ifndef FK_QEMU_CORTEX_M_H
#define FK_QEMU_CORTEX_M_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define SYST_CSR REG(0xe000e010)
#define SYST_RVR REG(0xe000e014)
#define SYST_CVR REG(0xe000e018)
#define SYST_CSR_ENABLE 1U
#define SYST_CSR_TICKINT 2U
#define SYST_CSR_CPU_CLOCK 4U

#define NVIC_ISER REG(0xe000e100)
#define NVIC_ICER REG(0xe000e180)

#define SCB_AIRCR REG(0xe000ed0c)
#define SCB_AIRCR_RESET 0x05fa0004U /* the key, and SYSRESETREQ */
#define SCB_CCR REG(0xe000ed14)
#define SCB_CCR_UNALIGN_TRP 8U
#define SCB_CFSR REG(0xe000ed28)
#define SCB_HFSR REG(0xe000ed2c)
#define SCB_MMFAR REG(0xe000ed34)
#define SCB_BFAR REG(0xe000ed38)
#define SCB_CFSR_MSTKERR 0x10U

#define MPU_TYPE REG(0xe000ed90)
#define MPU_CTRL REG(0xe000ed94)
#define MPU_RNR REG(0xe000ed98)
#define MPU_RBAR REG(0xe000ed9c)
#define MPU_RASR REG(0xe000eda0)
#define MPU_CTRL_ENABLE 1U
#define MPU_CTRL_DEFAULT_MAP 4U            /* what no region names stays as it is */
#define MPU_RASR_NO_ACCESS (1U << 28 | 1U) /* XN, AP 0, enabled */
#define MPU_RASR_SIZE(log2) (((log2)-1U) << 1)

static inline void cpu_barrier(void) { __asm__ volatile("dsb\n\tisb" ::: "memory"); }

/* Interrupts off; what it was before goes back into cpu_unmask. */
static inline uint32_t cpu_mask(void) {
    uint32_t was;
    __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(was)::"memory");
    return was;
}
static inline void cpu_unmask(uint32_t was) {
    __asm__ volatile("msr primask, %0\n\tisb" ::"r"(was) : "memory");
}

/* Sleeps until an interrupt is pending, even one that is masked. */
static inline void cpu_wait(void) { __asm__ volatile("dsb\n\twfi" ::: "memory"); }

static inline uint32_t cpu_exception(void) {
    uint32_t ipsr;
    __asm__ volatile("mrs %0, ipsr" : "=r"(ipsr));
    return ipsr & 0x1ff;
}

#endif
