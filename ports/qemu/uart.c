#include <string.h>

#include "boards/mps2_an385.h"
#include "qemu/cortex_m.h"
#include "qemu/machine.h"

#define UART_DATA REG(BOARD_UART + 0x0)
#define UART_STATE REG(BOARD_UART + 0x4)
#define UART_CTRL REG(BOARD_UART + 0x8)
#define UART_INTCLEAR REG(BOARD_UART + 0xc)
#define UART_BAUDDIV REG(BOARD_UART + 0x10)
#define STATE_TX_FULL 1U
#define STATE_RX_FULL 2U
#define CTRL_TX 1U
#define CTRL_RX 2U
#define CTRL_RX_INTERRUPT 8U
#define INT_RX 2U

_Static_assert((MACHINE_RX_RING & (MACHINE_RX_RING - 1)) == 0, "positions wrap by masking");

static struct {
    volatile uint32_t in;  /* bytes ever received; the interrupt's */
    volatile uint32_t out; /* bytes ever asked for; the loop's */
    volatile uint32_t dropped;
    bool deaf; /* the transmitter takes nothing */
    uint8_t ring[MACHINE_RX_RING];
} uart;

void machine_uart_init(void) {
    UART_BAUDDIV = BOARD_CPU_HZ / BOARD_UART_BAUD;
    UART_CTRL = CTRL_TX | CTRL_RX | CTRL_RX_INTERRUPT;
}

void machine_uart_interrupt(void) {
    UART_INTCLEAR = INT_RX;
    while ((UART_STATE & STATE_RX_FULL) != 0) {
        const uint8_t byte = (uint8_t)UART_DATA;
        if (uart.in - uart.out < MACHINE_RX_RING) {
            uart.ring[uart.in % MACHINE_RX_RING] = byte;
            uart.in++;
        } else { /* the ring is full: its newest byte gives way, so that the gap is seen */
            uart.ring[(uart.in - 1) % MACHINE_RX_RING] = MACHINE_LOST;
            uart.dropped++;
        }
    }
}

int machine_getc(void) {
    if (uart.in == uart.out) return -1;
    const int byte = uart.ring[uart.out % MACHINE_RX_RING];
    uart.out++;
    return byte;
}

bool machine_console_waits(void) { return uart.in != uart.out; }

uint32_t machine_console_dropped(void) { return uart.dropped; }

static bool can_send(void) {
    if ((UART_STATE & STATE_TX_FULL) == 0) return true;
    if (uart.deaf) return false;
    const uint64_t start_ms = machine_ms();
    while ((UART_STATE & STATE_TX_FULL) != 0) {
        if (machine_ms() - start_ms > MACHINE_TX_PATIENCE_MS) return false;
    }
    return true;
}

void machine_write(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        uart.deaf = !can_send();
        if (uart.deaf) return;
        UART_DATA = (uint8_t)text[i];
    }
}

void machine_put_text(const char *text) { machine_write(text, strlen(text)); }

void machine_put_hex(uint32_t value) {
    char text[8];
    for (size_t i = sizeof text; i-- > 0; value >>= 4) {
        text[i] = "0123456789abcdef"[value & 15];
    }
    machine_write(text, sizeof text);
}

void machine_put_dec(uint32_t value) {
    char text[10];
    size_t i = sizeof text;
    do {
        text[--i] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    machine_write(text + i, sizeof text - i);
}
