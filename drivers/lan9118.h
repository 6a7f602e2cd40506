/* SMSC/Microchip LAN9118 Ethernet MAC and PHY on a 32-bit memory bus (datasheet DS00002266), as a
 * struct fk_nic. Also what QEMU emulates on the mps2 boards. Knows neither board nor stack.
 *
 * Every call is bounded: waiting for the chip is counted in bus reads, of which each takes it 45 ns
 * at least. When the chip itself is wrong (its FIFOs overrun or out of step), its MAC is reset:
 * what the FIFOs held is lost, the link stays. */
#ifndef FK_DRIVERS_LAN9118_H
#define FK_DRIVERS_LAN9118_H

#include "base/err.h"
#include "nic.h"

/* How the chip's registers are reached: plain memory on a board, a model in tests. */
struct fk_lan9118_bus {
    uint32_t (*read)(void *ctx, uint32_t offset);
    void (*write)(void *ctx, uint32_t offset, uint32_t value);
    void *ctx;
};

/* Members are private. */
struct fk_lan9118 {
    struct fk_lan9118_bus bus;
    struct fk_nic_stats stats;
    uint32_t rx_word;  /* bytes out of the FIFO that were not yet asked for, the next one lowest */
    uint32_t tx_word;  /* bytes written that do not fill a word yet, likewise */
    uint16_t rx_words; /* of the current frame still in the FIFO, check sequence included */
    uint16_t rx_left;  /* bytes of the current frame that were not yet read */
    uint16_t tx_left;  /* bytes of the frame begun that were not yet written */
    uint8_t rx_word_len;
    uint8_t tx_word_len;
    bool link;
};

void fk_lan9118_init(struct fk_lan9118 *d, struct fk_lan9118_bus bus);
struct fk_nic fk_lan9118_nic(struct fk_lan9118 *d);

/* From the interrupt handler: silences the chip until arm. The loop, awake now, does the rest.
 * One write to the bus; it may come amid any other call but arm, which wants interrupts masked. */
void fk_lan9118_interrupt(struct fk_lan9118 *d);

#endif
