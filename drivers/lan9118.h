/* SMSC/Microchip LAN9118 Ethernet MAC and PHY on a 32-bit memory bus (datasheet DS00002266), as a
 * struct fk_nic. Also what QEMU emulates on the mps2 boards. Knows neither board nor stack. */
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
    uint32_t rx_left; /* bytes of the current frame, with check sequence and padding, in the FIFO */
    uint32_t rx_word; /* bytes of the last word read that were not yet asked for */
    uint32_t tx_left;
    uint32_t tx_word;
    uint8_t rx_word_len;
    uint8_t tx_word_len;
    bool link;
};

void fk_lan9118_init(struct fk_lan9118 *d, struct fk_lan9118_bus bus);
struct fk_nic fk_lan9118_nic(struct fk_lan9118 *d);

/* From the interrupt handler: silences the chip until arm. The loop, awake now, does the rest. */
void fk_lan9118_interrupt(struct fk_lan9118 *d);

#endif
