/* A LAN9118 on a bus, as its datasheet describes it: FIFOs, status words, the registers behind
 * MAC_CSR_CMD and MII_ACC, latched and read-to-clear bits, and the time that registers need after
 * writes and after FIFO reads. What a driver must not do is counted in violations. */
#ifndef FK_TESTS_SUPPORT_LAN9118_MODEL_H
#define FK_TESTS_SUPPORT_LAN9118_MODEL_H

#include "base/bytes.h"
#include "drivers/lan9118.h"

enum {
    MODEL_RX_WORDS = 2640, /* the split of the FIFOs for TX_FIF_SZ 5, the only one modelled */
    MODEL_RX_STATUSES = 176,
    MODEL_TX_BYTES = 4608,
    MODEL_TX_STATUSES = 128,
    MODEL_SENT_MAX = 256,
};

/* Bits of INT_STS. */
#define MODEL_SW UINT32_C(0x80000000)
#define MODEL_PHY UINT32_C(0x00040000)
#define MODEL_RXE UINT32_C(0x00004000)
#define MODEL_TXE UINT32_C(0x00002000)
#define MODEL_TDFO UINT32_C(0x00000400)
#define MODEL_RSFL UINT32_C(0x00000008)

struct lan9118_model {
    /* How this chip is; set at any time. */
    bool absent; /* the bus floats: every register reads as floating */
    uint32_t floating;
    bool csr_stuck;       /* MAC_CSR_CMD stays busy */
    bool mii_stuck;       /* MII_ACC likewise */
    bool reset_stuck;     /* HW_CFG keeps SRST */
    bool reset_times_out; /* ... or sets SRST_TO */
    bool phy_reset_stuck; /* PMT_CTRL keeps PHY_RST */
    bool asleep;          /* PMT_CTRL without READY */
    bool eeprom_stuck;    /* E2P_CMD stays busy */
    bool as_qemu;         /* RSFL is a latch, BSR is not, SRST resets the PHY, no time rules */
    bool wire_stopped;    /* frames to send stay in the FIFO */
    uint32_t busy_reads;  /* for how many reads a busy bit stays after its command */
    uint32_t tx_status;   /* of the frames to come: error bits */
    uint32_t partner;     /* ANLPAR */
    uint32_t id_rev;
    uint8_t eeprom_mac[6];

    /* What it did. */
    uint32_t accesses;   /* to the bus */
    uint32_t violations; /* of the datasheet's rules */
    const char *violation;
    uint32_t resets;
    uint32_t phy_resets;
    uint32_t sent_count;
    uint8_t sent[1600]; /* the last frame sent, as it went over the wire, without check sequence */
    size_t sent_len;

    /* The chip's inside. */
    uint32_t since_write, since_fifo; /* reads since then */
    uint32_t int_sts, int_en, irq_cfg, fifo_int, rx_cfg, tx_cfg, hw_cfg, rx_drop;
    uint32_t csr_cmd, csr_data, csr_busy, mii_busy, reset_busy, phy_reset_busy, eeprom_busy;
    uint32_t mac[16];
    uint32_t phy[32];
    bool link_up, link_lost; /* lost: latched until BSR is read */
    uint32_t rx_data[MODEL_RX_WORDS], rx_status[MODEL_RX_STATUSES];
    uint32_t rx_data_head, rx_data_count, rx_status_head, rx_status_count;
    uint32_t tx_words[MODEL_TX_BYTES / 4 + 2];
    uint32_t tx_count, tx_frame_words; /* words in the FIFO, and of whole frames at its beginning */
    uint32_t tx_used_bytes;
    uint32_t tx_statuses[MODEL_TX_STATUSES], tx_status_count;
};

void lan9118_model_init(struct lan9118_model *m);
struct fk_lan9118_bus lan9118_model_bus(struct lan9118_model *m);

/* A frame comes over the wire (without check sequence), and its status has these error bits. False:
 * filtered, no room, or not receiving. */
bool lan9118_model_frame(struct lan9118_model *m, const uint8_t *frame, size_t len, uint32_t bits);

void lan9118_model_link(struct lan9118_model *m, bool up);

/* Lets the frames in the FIFO go when the wire was stopped. */
void lan9118_model_send(struct lan9118_model *m);

bool lan9118_model_irq(const struct lan9118_model *m);

#endif
