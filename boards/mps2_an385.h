/* Arm MPS2 with the image AN385: Cortex-M3 and CMSDK peripherals (Arm DAI 0385), as QEMU emulates
 * it. Addresses and figures only. */
#ifndef FK_BOARDS_MPS2_AN385_H
#define FK_BOARDS_MPS2_AN385_H

#include "opts.h" /* a build may have its own values */

#define BOARD_CPU_HZ 25000000

/* RAM that the program may use, as Kubernetes writes it; ports/qemu/mps2.ld. */
#ifndef BOARD_RAM_TEXT
#define BOARD_RAM_TEXT "96Ki"
#endif

/* Code memory is 4 MB of static RAM at 0 that the debugger (or -kernel) loads: the program has the
 * lower half, the upper half begins with what stands for the flash of settings and state. */
#define BOARD_FLASH_WINDOW 0x00200000

/* 4 MB at 0x20000000, of which the linker script grants the program 96 KB. */
#define BOARD_RAM 0x20000000

/* Interrupt numbers. The watchdog's goes to NMI. */
#define BOARD_UART_RX_IRQ 0
#define BOARD_ETHERNET_IRQ 13

/* CMSDK APB UART 0 (Arm DDI 0479). */
#define BOARD_UART 0x40004000
#define BOARD_UART_BAUD 115200

/* CMSDK APB watchdog, counts down at BOARD_CPU_HZ (Arm DDI 0479). */
#define BOARD_WATCHDOG 0x40008000

/* FPGA I/O: two LEDs, two buttons, and a counter of BOARD_CPU_HZ that nothing stops. */
#define BOARD_FPGAIO 0x40028000

/* LAN9118 Ethernet. */
#define BOARD_ETHERNET 0x40200000

#endif
