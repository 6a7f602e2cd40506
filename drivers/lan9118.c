/* Figures are the datasheet's: DS00002266, chapters 3 (FIFOs), 5 (registers) and 6 (timing).
 *
 * Where QEMU 7.2 differs, and what is done about it:
 * - RSFL is set when a frame comes, not as long as one is there: arm looks for itself.
 * - A fast forward (RX_DP_CTRL) never gives its room back: seven long frames, and reception has
 *   ended. Frames are skipped by reading them out, right everywhere and 640 reads at most.
 * - A soft reset resets the PHY, too: its interrupt mask is written behind each one.
 * - BSR does not latch a lost link; the PHY's interrupt source does here and there.
 * - No frame is ever bad, none is counted in RX_DROP or TX status, short ones are sent unpadded,
 *   and up to 2047 bytes are received: so the length is looked at besides the error bits. */
#include "lan9118.h"

#include "base/assert.h"
#include "lan9118_regs.h"

/* 4608 bytes for frames to send, three of the longest, and 10560 for those received, seven. With
 * this split the data runs full before the 176 words of status do (165 of the shortest frames), so
 * that no flood can put the two FIFOs out of step. */
#define HW_CFG_TX_SIZE UINT32_C(0x00050000)

/* Filtering failed, the sum (runt, too long, collision, check sequence), watchdog, MII error. A
 * dribbling bit is harmless when the check sequence is right, and the length error concerns 802.3
 * length fields, which nobody here reads. */
#define RX_BAD (STATUS_ERROR | UINT32_C(0x40000018))
#define RX_STATUS_MAX 176

#define FCS_LEN 4
#define HEADER_LEN 14

/* 10 and 100 Mb/s, half and full duplex. No pause: a board that is too slow drops its own frames
 * and does not stop others'. So AFC_CFG and FLOW stay as reset leaves them, off. */
#define ANAR_ALL UINT32_C(0x01e1)

/* Bus reads to wait for the chip, and what they are at 45 ns: EEPROM, resets and power-up end
 * within 1 ms, an MII frame within 26 us (asked for by several reads each), a register of the MAC
 * within one. The PHY is ready 256 us after its reset. */
#define SLOW_TRIES 22000
#define FAST_TRIES 1000
#define PHY_SETTLE_READS 6000

static uint32_t get(struct fk_lan9118 *d, uint32_t reg) { return d->bus.read(d->bus.ctx, reg); }

static void put(struct fk_lan9118 *d, uint32_t reg, uint32_t value) {
    d->bus.write(d->bus.ctx, reg, value);
}

static void settle(struct fk_lan9118 *d, uint32_t reads) {
    for (uint32_t i = 0; i < reads; i++) (void)get(d, BYTE_TEST);
}

/* Registers that follow a write, or a FIFO that was read, within 135 ns (tables 6.1 and 6.2). */
static uint32_t get_settled(struct fk_lan9118 *d, uint32_t reg) {
    settle(d, 3);
    return get(d, reg);
}

static bool wait_for(struct fk_lan9118 *d, uint32_t reg, uint32_t mask, uint32_t value) {
    settle(d, 7); /* PMT_CTRL, the slowest: 315 ns */
    for (uint32_t i = 0; i < SLOW_TRIES; i++) {
        if ((get(d, reg) & mask) == value) return true;
    }
    return false;
}

static bool csr_idle(struct fk_lan9118 *d) {
    settle(d, 1);
    for (uint32_t i = 0; i < FAST_TRIES; i++) {
        if ((get(d, MAC_CSR_CMD) & BUSY) == 0) return true;
    }
    return false;
}

static bool mac_write(struct fk_lan9118 *d, uint32_t reg, uint32_t value) {
    if (!csr_idle(d)) return false;
    put(d, MAC_CSR_DATA, value);
    put(d, MAC_CSR_CMD, BUSY | reg);
    return csr_idle(d);
}

static bool mac_read(struct fk_lan9118 *d, uint32_t reg, uint32_t *value) {
    if (!csr_idle(d)) return false;
    put(d, MAC_CSR_CMD, BUSY | CSR_READ | reg);
    if (!csr_idle(d)) return false;
    *value = get(d, MAC_CSR_DATA);
    return true;
}

static bool mii_idle(struct fk_lan9118 *d) {
    for (uint32_t i = 0; i < FAST_TRIES; i++) {
        uint32_t acc = 0;
        if (!mac_read(d, MII_ACC, &acc)) return false;
        if ((acc & MII_BUSY) == 0) return true;
    }
    return false;
}

static bool mii_write(struct fk_lan9118 *d, uint32_t reg, uint32_t value) {
    return mii_idle(d) && mac_write(d, MII_DATA, value) &&
           mac_write(d, MII_ACC, MII_PHY | reg << 6 | MII_WRITE | MII_BUSY) && mii_idle(d);
}

static bool mii_read(struct fk_lan9118 *d, uint32_t reg, uint32_t *value) {
    return mii_idle(d) && mac_write(d, MII_ACC, MII_PHY | reg << 6 | MII_BUSY) && mii_idle(d) &&
           mac_read(d, MII_DATA, value);
}

/* All multicast frames: IPv6 neighbour discovery needs the groups of every address there is, which
 * come and go. To tell the chip's hash filter would widen the contract; the stack filters anyway,
 * and what a LAN multicasts is little. */
static bool mac_enable(struct fk_lan9118 *d, bool full_duplex) {
    return mac_write(d, MAC_CR, (full_duplex ? CR_FDPX : CR_RCVOWN) | CR_MCPAS | CR_TXEN | CR_RXEN);
}

/* Resets all but the PHY and begins to receive, with whatever duplex until link knows better. The
 * MAC's address comes out of the EEPROM again. */
static bool mac_restart(struct fk_lan9118 *d) {
    d->rx_words = d->rx_left = d->tx_left = 0;
    d->rx_word = d->tx_word = 0;
    d->rx_word_len = d->tx_word_len = 0;
    d->link = false;
    put(d, HW_CFG, HW_CFG_SRST);
    if (!wait_for(d, HW_CFG, HW_CFG_SRST | HW_CFG_SRST_TO, 0)) return false;
    if (!wait_for(d, BYTE_TEST, UINT32_MAX, BYTE_TEST_VALUE)) return false;
    if (!wait_for(d, PMT_CTRL, PMT_READY, PMT_READY)) return false;
    if (!wait_for(d, E2P_CMD, BUSY, 0)) return false;
    put(d, HW_CFG, HW_CFG_MBO | HW_CFG_TX_SIZE);
    put(d, FIFO_INT, 0); /* RSFL from the first frame on */
    put(d, RX_CFG, 0);   /* no offset: reads are of any length, so alignment is read's matter */
    put(d, TX_CFG, TX_CFG_ON);
    put(d, INT_EN, 0);
    put(d, INT_STS, UINT32_MAX);
    put(d, IRQ_CFG, IRQ_CFG_EN_HIGH);
    return mii_write(d, PHY_MASK, PHY_NEGOTIATED | PHY_LINK_DOWN) && mac_enable(d, true);
}

static bool identified(struct fk_lan9118 *d) {
    if (!wait_for(d, BYTE_TEST, UINT32_MAX, BYTE_TEST_VALUE)) return false;
    const uint32_t id = get(d, ID_REV) >> 16;
    return id >= 0x0115 && id <= 0x0118; /* the family of one datasheet's registers */
}

/* A soft reset needs the PHY's clock: so the PHY comes first. */
static bool phy_reset(struct fk_lan9118 *d) {
    if (!wait_for(d, PMT_CTRL, PMT_READY, PMT_READY)) return false;
    put(d, PMT_CTRL, PMT_PHY_RST);
    if (!wait_for(d, PMT_CTRL, PMT_PHY_RST, 0)) return false;
    settle(d, PHY_SETTLE_READS);
    return true;
}

static bool read_address(struct fk_lan9118 *d, uint8_t mac[6]) {
    uint32_t low = 0;
    uint32_t high = 0;
    const bool read = mac_read(d, ADDRL, &low) && mac_read(d, ADDRH, &high);
    for (size_t i = 0; i < 4; i++) mac[i] = (uint8_t)(low >> 8 * i);
    for (size_t i = 0; i < 2; i++) mac[4 + i] = (uint8_t)(high >> 8 * i);
    const bool group = (mac[0] & 1) != 0; /* and all ones: what an empty EEPROM leaves */
    return read && !group && (low | (high & 0xffff)) != 0;
}

static int nic_start(void *ctx) {
    struct fk_lan9118 *d = ctx;
    if (!identified(d) || !phy_reset(d) || !mac_restart(d)) return FK_E_UNREACHABLE;
    if (!mii_write(d, ANAR, ANAR_ALL) || !mii_write(d, BCR, BCR_NEGOTIATE)) {
        return FK_E_UNREACHABLE;
    }
    uint8_t mac[6];
    return read_address(d, mac) ? 0 : FK_E_CONFIG;
}

static void nic_address(void *ctx, uint8_t mac[6]) { (void)read_address(ctx, mac); }

static bool link_begin(struct fk_lan9118 *d) {
    uint32_t partner = 0;
    if (!mii_read(d, ANLPAR, &partner)) return false;
    /* The best that both can; we can all. A partner that does not negotiate appears as half. */
    const bool full = (partner & AN_100_FULL) != 0 ||
                      ((partner & AN_100_HALF) == 0 && (partner & AN_10_FULL) != 0);
    return mac_enable(d, full);
}

/* Up and quiet costs four bus reads. Down, the PHY is asked each time, since the end of its
 * negotiation and the link need not come in one instant, and nothing else is to be done then. */
static bool nic_link(void *ctx) {
    struct fk_lan9118 *d = ctx;
    if (d->link && (get_settled(d, INT_STS) & INT_PHY) == 0) return true;
    uint32_t source = 0;
    uint32_t status = 0; /* holds a lost link until read: the second time says what is */
    const bool up = mii_read(d, PHY_SOURCE, &source) && mii_read(d, BSR, &status) &&
                    mii_read(d, BSR, &status) && (status & BSR_UP) == BSR_UP;
    if (d->link && (!up || (source & PHY_LINK_DOWN) != 0)) {
        d->stats.link_downs++;
        d->link = false;
    }
    if (!d->link && up) d->link = link_begin(d);
    return d->link;
}

/* True: the FIFOs are in step. What breaks them is a bus error or a mistake of ours. */
static bool in_step(struct fk_lan9118 *d) {
    const uint32_t broken = get_settled(d, INT_STS) & INT_BROKEN;
    if (broken == 0) return true;
    if ((broken & INT_RXE) != 0) d->stats.rx_errors++;
    if ((broken & (INT_TXE | INT_TDFO)) != 0) d->stats.tx_errors++;
    return mac_restart(d);
}

static void rx_skip(struct fk_lan9118 *d) {
    if (d->rx_left > 0) d->stats.rx_dropped++;
    for (; d->rx_words > 0; d->rx_words--) (void)get(d, RX_DATA_FIFO);
    d->rx_left = 0;
    d->rx_word_len = 0;
}

/* Takes the next status; false: there is none. A frame that is no good is left with rx_left 0. */
static bool rx_next(struct fk_lan9118 *d) {
    const uint32_t inf = get_settled(d, RX_FIFO_INF);
    if ((inf & 0x00ff0000) == 0) return false;
    const uint32_t status = get(d, RX_STATUS_FIFO);
    const uint32_t len = status >> 16 & 0x3fff;
    const uint32_t words = (len + 3) / 4;
    if (words * 4 > (inf & 0xffff)) { /* the status belongs to something else */
        d->stats.rx_errors++;
        (void)mac_restart(d);
        return false;
    }
    d->rx_words = (uint16_t)words;
    if ((status & RX_BAD) == 0 && len >= HEADER_LEN + FCS_LEN &&
        len <= FK_NIC_FRAME_MAX + FCS_LEN) {
        d->rx_left = (uint16_t)(len - FCS_LEN);
    }
    return true;
}

static size_t nic_receive(void *ctx) {
    struct fk_lan9118 *d = ctx;
    FK_ASSERT(d->tx_left == 0);
    if (!in_step(d)) return 0;
    for (uint32_t i = 0; i < RX_STATUS_MAX; i++) { /* more bad ones wait for the next call */
        rx_skip(d);
        if (!rx_next(d)) return 0;
        if (d->rx_left > 0) {
            d->stats.rx_frames++;
            return d->rx_left;
        }
        d->stats.rx_errors++;
    }
    return 0;
}

static uint32_t rx_take_word(struct fk_lan9118 *d) {
    FK_ASSERT(d->rx_words > 0);
    d->rx_words--;
    return get(d, RX_DATA_FIFO);
}

static void nic_read(void *ctx, void *buf, size_t len) {
    struct fk_lan9118 *d = ctx;
    uint8_t *out = buf;
    FK_ASSERT(len <= d->rx_left);
    d->rx_left = (uint16_t)(d->rx_left - len);
    while (len > 0) {
        if (d->rx_word_len == 0) {
            d->rx_word = rx_take_word(d);
            d->rx_word_len = 4;
        }
        if (d->rx_word_len == 4 && len >= 4) {
            const uint32_t w = d->rx_word;
            out[0] = (uint8_t)w;
            out[1] = (uint8_t)(w >> 8);
            out[2] = (uint8_t)(w >> 16);
            out[3] = (uint8_t)(w >> 24);
            out += 4;
            len -= 4;
            d->rx_word_len = 0;
            continue;
        }
        *out++ = (uint8_t)d->rx_word;
        d->rx_word >>= 8;
        d->rx_word_len--;
        len--;
    }
}

/* Counts what became of the frames sent, and so makes room for the status of the next ones: the
 * transmitter would stop when 128 are waiting. Returns the bytes free for data. */
static uint32_t tx_drain(struct fk_lan9118 *d) {
    const uint32_t inf = get_settled(d, TX_FIFO_INF);
    for (uint32_t n = inf >> 16 & 0xff; n > 0; n--) {
        if ((get(d, TX_STATUS_FIFO) & STATUS_ERROR) != 0) {
            d->stats.tx_errors++;
        } else {
            d->stats.tx_frames++;
        }
    }
    return inf & 0xffff;
}

static bool nic_transmit(void *ctx, size_t len) {
    struct fk_lan9118 *d = ctx;
    FK_ASSERT(d->tx_left == 0 && len >= HEADER_LEN && len <= FK_NIC_FRAME_MAX);
    /* Two words of command, and the data's last word whole. */
    if (!in_step(d) || tx_drain(d) < 8 + ((len + 3) & ~(size_t)3)) {
        d->stats.tx_dropped++;
        return false;
    }
    put(d, TX_DATA_FIFO, TX_A_WHOLE | (uint32_t)len);
    put(d, TX_DATA_FIFO, (uint32_t)len);
    d->tx_left = (uint16_t)len;
    return true;
}

static void tx_put_word(struct fk_lan9118 *d, uint32_t word) {
    put(d, TX_DATA_FIFO, word);
    d->tx_word = 0;
    d->tx_word_len = 0;
}

static void nic_write(void *ctx, const void *buf, size_t len) {
    struct fk_lan9118 *d = ctx;
    const uint8_t *in = buf;
    FK_ASSERT(len <= d->tx_left);
    d->tx_left = (uint16_t)(d->tx_left - len);
    while (len > 0) {
        if (d->tx_word_len == 0 && len >= 4) {
            tx_put_word(d, (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 |
                               (uint32_t)in[3] << 24);
            in += 4;
            len -= 4;
            continue;
        }
        d->tx_word |= (uint32_t)*in++ << 8 * d->tx_word_len++;
        len--;
        if (d->tx_word_len == 4) tx_put_word(d, d->tx_word);
    }
    if (d->tx_left == 0 && d->tx_word_len > 0) tx_put_word(d, d->tx_word);
}

/* SW_INT is set when its enable bit is, the first time, and never cleared: from then on the bit is
 * an interrupt at will. */
static void nic_arm(void *ctx) {
    struct fk_lan9118 *d = ctx;
    put(d, INT_STS, INT_RSFL);
    const bool waiting = (get_settled(d, RX_FIFO_INF) & 0x00ff0000) != 0;
    put(d, INT_EN, INT_RSFL | INT_PHY | INT_BROKEN | (waiting ? INT_SW : 0));
}

static void nic_stats(void *ctx, struct fk_nic_stats *out) {
    struct fk_lan9118 *d = ctx;
    (void)tx_drain(d);
    d->stats.rx_dropped += get_settled(d, RX_DROP); /* reading clears it */
    *out = d->stats;
}

void fk_lan9118_init(struct fk_lan9118 *d, struct fk_lan9118_bus bus) {
    *d = (struct fk_lan9118){.bus = bus};
}

struct fk_nic fk_lan9118_nic(struct fk_lan9118 *d) {
    static const struct fk_nic_ops ops = {
        .start = nic_start,
        .address = nic_address,
        .link = nic_link,
        .receive = nic_receive,
        .read = nic_read,
        .transmit = nic_transmit,
        .write = nic_write,
        .arm = nic_arm,
        .stats = nic_stats,
    };
    return (struct fk_nic){.ops = &ops, .ctx = d};
}

void fk_lan9118_interrupt(struct fk_lan9118 *d) { put(d, INT_EN, 0); }
