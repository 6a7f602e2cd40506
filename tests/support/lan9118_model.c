#include "support/lan9118_model.h"

#define NEVER UINT32_C(0x7fffffff)
#define MAC_CR 1
#define RXEN 4u
#define TXEN 8u

static void violate(struct lan9118_model *m, const char *what) {
    m->violations++;
    m->violation = what;
}

/* --- the PHY --- */

static uint32_t phy_pending(const struct lan9118_model *m) { return m->phy[29] & m->phy[30]; }

static void phy_reset(struct lan9118_model *m) {
    memset(m->phy, 0, sizeof m->phy);
    m->phy[0] = 0x3000;
    m->phy[4] = 0x01e1;
    m->link_lost = !m->link_up;
    m->phy_resets++;
}

void lan9118_model_link(struct lan9118_model *m, bool up) {
    if (m->link_up == up) return;
    m->link_up = up;
    m->phy[29] |= up ? 0xc0 : 0x10;
    if (!up) m->link_lost = true;
}

static uint32_t phy_read(struct lan9118_model *m, uint32_t reg) {
    uint32_t value = m->phy[reg];
    if (reg == 1) {
        value = 0x7809 | (m->link_up ? 0x20u : 0);
        if (m->link_up && (!m->link_lost || m->as_qemu)) value |= 0x04;
        m->link_lost = !m->link_up;
    } else if (reg == 5) {
        value = m->link_up ? m->partner : 0;
    } else if (reg == 29) {
        m->phy[29] = 0;
    } else if (reg != 0 && reg != 4 && reg != 30) {
        violate(m, "a PHY register that this driver has no business with");
    }
    return value;
}

static void mii_command(struct lan9118_model *m, uint32_t value) {
    const uint32_t reg = value >> 6 & 31;
    if ((value >> 11 & 31) != 1) violate(m, "not the internal PHY");
    if ((value & 1) == 0) violate(m, "MII_ACC without MII_BUSY");
    m->mii_busy = m->mii_stuck ? NEVER : m->busy_reads;
    if ((value & 2) == 0) {
        m->mac[7] = phy_read(m, reg);
    } else if (reg == 0 || reg == 4 || reg == 30) {
        m->phy[reg] = m->mac[7] & (reg == 0 ? 0xfdff : 0xffff);
    } else {
        violate(m, "a PHY register written");
    }
}

/* --- the MAC --- */

static void mac_write(struct lan9118_model *m, uint32_t reg, uint32_t value) {
    if (m->mii_busy > 0 && (reg == 6 || reg == 7)) violate(m, "MII used while busy");
    m->mac[reg] = value;
    if (reg == 6) mii_command(m, value);
}

static uint32_t mac_read(struct lan9118_model *m, uint32_t reg) {
    if (reg != 6) return m->mac[reg];
    const uint32_t busy = m->mii_busy > 0 ? 1 : 0;
    if (m->mii_busy > 0 && m->mii_busy != NEVER) m->mii_busy--;
    return (m->mac[6] & ~1u) | busy;
}

static void csr_command(struct lan9118_model *m, uint32_t value) {
    if (m->csr_busy > 0) violate(m, "MAC_CSR_CMD while busy");
    m->csr_cmd = value & 0x400000ff;
    if ((value & 0x80000000) == 0) return;
    const uint32_t reg = value & 0xff;
    if (reg == 0 || reg > 8) {
        violate(m, "no such register of the MAC");
    } else if ((value & 0x40000000) != 0) {
        m->csr_data = mac_read(m, reg);
    } else {
        mac_write(m, reg, m->csr_data);
    }
    m->csr_busy = m->csr_stuck ? NEVER : m->busy_reads;
}

static void reset(struct lan9118_model *m) {
    const uint32_t mac_address[2] = {(uint32_t)m->eeprom_mac[5] << 8 | m->eeprom_mac[4],
                                     (uint32_t)m->eeprom_mac[3] << 24 |
                                         (uint32_t)m->eeprom_mac[2] << 16 |
                                         (uint32_t)m->eeprom_mac[1] << 8 | m->eeprom_mac[0]};
    m->int_sts = m->int_en = m->rx_cfg = m->tx_cfg = m->rx_drop = 0;
    m->fifo_int = 0x48000000;
    m->hw_cfg = 0x00050000;
    m->csr_cmd = m->csr_data = m->csr_busy = m->mii_busy = 0;
    memset(m->mac, 0, sizeof m->mac);
    m->mac[MAC_CR] = 0x00040000;
    m->mac[2] = mac_address[0];
    m->mac[3] = mac_address[1];
    m->rx_data_head = m->rx_data_count = m->rx_status_head = m->rx_status_count = 0;
    m->tx_count = m->tx_frame_words = m->tx_used_bytes = m->tx_status_count = 0;
    m->reset_busy = m->reset_stuck ? NEVER : m->busy_reads;
    m->eeprom_busy = m->eeprom_stuck ? NEVER : m->busy_reads;
    if (m->reset_times_out) m->hw_cfg |= 2;
    m->resets++;
    if (m->as_qemu) phy_reset(m);
}

/* --- receiving --- */

static bool filtered(const struct lan9118_model *m, const uint8_t *to) {
    static const uint8_t everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if ((m->mac[MAC_CR] & 0x00040000) != 0) return false;
    if (memcmp(to, everyone, 6) == 0) return (m->mac[MAC_CR] & 0x00000800) != 0;
    if ((to[0] & 1) != 0) return (m->mac[MAC_CR] & 0x00080000) == 0;
    return memcmp(to, m->eeprom_mac, 6) != 0;
}

bool lan9118_model_frame(struct lan9118_model *m, const uint8_t *frame, size_t len, uint32_t bits) {
    if ((m->mac[MAC_CR] & RXEN) == 0 || !m->link_up || filtered(m, frame)) return false;
    const size_t whole = len + 4;
    const uint32_t words = (uint32_t)(whole + 3) / 4;
    if (m->rx_data_count + words > MODEL_RX_WORDS || m->rx_status_count == MODEL_RX_STATUSES) {
        m->rx_drop++;
        m->int_sts |= 0x40;
        return false;
    }
    for (uint32_t i = 0; i < words; i++) {
        uint32_t word = 0;
        for (size_t k = 0; k < 4; k++) {
            const size_t at = (size_t)i * 4 + k;
            word |= (uint32_t)(at < len ? frame[at] : at < whole ? 0xc5 : 0x99) << 8 * k;
        }
        m->rx_data[(m->rx_data_head + m->rx_data_count++) % MODEL_RX_WORDS] = word;
    }
    if ((bits & 0x08c2) != 0) bits |= 0x8000; /* the sum of four of them */
    m->rx_status[(m->rx_status_head + m->rx_status_count++) % MODEL_RX_STATUSES] =
        (uint32_t)whole << 16 | bits;
    if (m->rx_status_count > (m->fifo_int & 0xff)) m->int_sts |= MODEL_RSFL;
    return true;
}

static uint32_t rx_pop(struct lan9118_model *m, uint32_t *ring, uint32_t size, uint32_t *head,
                       uint32_t *count) {
    m->since_fifo = 0;
    if (*count == 0) {
        m->int_sts |= MODEL_RXE;
        violate(m, "an empty FIFO read");
        return 0xdeadbeef;
    }
    const uint32_t value = ring[*head];
    *head = (*head + 1) % size;
    --*count;
    return value;
}

/* --- sending --- */

static void tx_frame(struct lan9118_model *m, uint32_t len) {
    m->sent_len = len;
    for (uint32_t i = 0; i < len; i++)
        m->sent[i] = (uint8_t)(m->tx_words[2 + i / 4] >> 8 * (i & 3));
    const bool pad = (m->tx_words[1] & 0x1000) == 0;
    while (pad && m->sent_len < 60) m->sent[m->sent_len++] = 0;
    m->sent_count++;
}

void lan9118_model_send(struct lan9118_model *m) {
    while (m->tx_frame_words > 0) {
        const uint32_t len = m->tx_words[0] & 0x7ff;
        const uint32_t words = 2 + (len + 3) / 4;
        if (m->tx_status_count == MODEL_TX_STATUSES) return; /* without TXSAO it stops */
        tx_frame(m, len);
        m->tx_statuses[m->tx_status_count++] =
            (m->tx_words[1] & 0xffff0000) | m->tx_status | (m->tx_status != 0 ? 0x8000u : 0);
        m->tx_frame_words -= words;
        m->tx_count -= words;
        m->tx_used_bytes -= 4 * words;
        memmove(m->tx_words, m->tx_words + words, m->tx_count * 4);
    }
}

static void tx_push(struct lan9118_model *m, uint32_t word) {
    if (m->tx_used_bytes + 4 > MODEL_TX_BYTES) {
        m->int_sts |= MODEL_TDFO | MODEL_TXE;
        violate(m, "TX data FIFO overrun");
        return;
    }
    m->tx_words[m->tx_count++] = word;
    m->tx_used_bytes += 4;
    const uint32_t *frame = m->tx_words + m->tx_frame_words;
    const uint32_t have = m->tx_count - m->tx_frame_words;
    if (have < 2) return;
    const uint32_t len = frame[0] & 0x7ff;
    if ((frame[0] & 0x831f3000) != 0x3000) violate(m, "not a whole frame, or aligned otherwise");
    if ((frame[1] & 0x7ff) != len) {
        m->int_sts |= MODEL_TXE;
        violate(m, "the lengths of both commands differ");
    }
    if (have < 2 + (len + 3) / 4) return;
    m->tx_frame_words = m->tx_count;
    if (!m->wire_stopped && (m->mac[MAC_CR] & TXEN) != 0 && (m->tx_cfg & 2) != 0) {
        lan9118_model_send(m);
    }
}

static uint32_t tx_status_pop(struct lan9118_model *m) {
    m->since_fifo = 0;
    if (m->tx_status_count == 0) {
        violate(m, "an empty status FIFO read");
        return 0xdeadbeef;
    }
    const uint32_t status = m->tx_statuses[0];
    m->tx_status_count--;
    memmove(m->tx_statuses, m->tx_statuses + 1, m->tx_status_count * sizeof status);
    return status;
}

/* --- the bus --- */

static uint32_t int_sts(const struct lan9118_model *m) {
    uint32_t value = m->int_sts | (phy_pending(m) != 0 ? MODEL_PHY : 0);
    if (!m->as_qemu && m->rx_status_count > (m->fifo_int & 0xff)) value |= MODEL_RSFL;
    return value;
}

bool lan9118_model_irq(const struct lan9118_model *m) {
    return (m->irq_cfg & 0x111) == 0x111 && (int_sts(m) & m->int_en) != 0;
}

static uint32_t count_down(uint32_t *busy, uint32_t bit) {
    if (*busy == 0) return 0;
    if (*busy != NEVER) --*busy;
    return bit;
}

/* Tables 6.1 and 6.2: reads of 45 ns between a write, or a FIFO, and this register. */
static void check_time(struct lan9118_model *m, uint32_t reg) {
    if (m->as_qemu) return;
    const bool inf = reg == 0x7c || reg == 0x80;
    uint32_t wait = 1;
    if (reg == 0x50 || reg == 0x64 || reg == 0x7c || reg == 0xa0 || reg < 0x50) wait = 0;
    if (reg == 0x58) wait = 2;
    if (reg == 0x80 || reg == 0x54) wait = 3;
    if (reg == 0x84) wait = 7;
    if (m->since_write < wait) violate(m, "read too soon after a write");
    if (inf && m->since_fifo < 3) violate(m, "read too soon after a FIFO");
}

static uint32_t control_read(struct lan9118_model *m, uint32_t reg) {
    switch (reg) {
    case 0x50: return m->id_rev;
    case 0x54: return m->irq_cfg;
    case 0x58: return int_sts(m);
    case 0x5c: return m->int_en;
    case 0x64: return 0x87654321;
    case 0x74: return m->hw_cfg | count_down(&m->reset_busy, 1);
    case 0x7c: return m->rx_status_count << 16 | m->rx_data_count * 4;
    case 0x80: return m->tx_status_count << 16 | (MODEL_TX_BYTES - m->tx_used_bytes);
    case 0x84: return (m->asleep ? 0 : 1u) | count_down(&m->phy_reset_busy, 0x400);
    case 0xa4: return m->csr_cmd | count_down(&m->csr_busy, 0x80000000);
    case 0xa8: return m->csr_data;
    case 0xb0: return count_down(&m->eeprom_busy, 0x80000000);
    default: violate(m, "no register to read"); return 0;
    }
}

static uint32_t bus_read(void *ctx, uint32_t reg) {
    struct lan9118_model *m = ctx;
    m->accesses++;
    if (m->absent) return m->floating;
    check_time(m, reg);
    m->since_write++;
    m->since_fifo++;
    if (reg == 0x00) {
        return rx_pop(m, m->rx_data, MODEL_RX_WORDS, &m->rx_data_head, &m->rx_data_count);
    }
    if (reg == 0x40) {
        return rx_pop(m, m->rx_status, MODEL_RX_STATUSES, &m->rx_status_head, &m->rx_status_count);
    }
    if (reg == 0x48) return tx_status_pop(m);
    if (reg == 0xa0) {
        const uint32_t dropped = m->rx_drop;
        m->rx_drop = 0;
        return dropped;
    }
    return control_read(m, reg);
}

static void control_write(struct lan9118_model *m, uint32_t reg, uint32_t value) {
    switch (reg) {
    case 0x54: m->irq_cfg = value; break;
    case 0x58: m->int_sts &= ~value; break;
    case 0x5c:
        if ((value & ~m->int_en & MODEL_SW) != 0) m->int_sts |= MODEL_SW;
        m->int_en = value;
        break;
    case 0x68: m->fifo_int = value; break;
    case 0x6c:
        if (value != 0) violate(m, "offsets and alignment are not modelled");
        break;
    case 0x70: m->tx_cfg = value; break;
    case 0x74:
        if ((value & 1) != 0) {
            reset(m);
        } else if ((value & 0x001f0000) != 0x00150000) {
            violate(m, "HW_CFG: must be one, or a split that is not modelled");
        }
        break;
    case 0x84:
        if ((value & 0x400) == 0) break;
        phy_reset(m);
        m->phy_reset_busy = m->phy_reset_stuck ? NEVER : m->busy_reads;
        break;
    case 0xa4: csr_command(m, value); break;
    case 0xa8: m->csr_data = value; break;
    default: violate(m, "no register to write");
    }
}

static void bus_write(void *ctx, uint32_t reg, uint32_t value) {
    struct lan9118_model *m = ctx;
    m->accesses++;
    if (m->absent) return;
    if (m->reset_busy > 0 || m->eeprom_busy > 0) violate(m, "written amid a reset");
    m->since_write = 0;
    if (reg == 0x20) {
        tx_push(m, value);
    } else {
        control_write(m, reg, value);
    }
}

void lan9118_model_init(struct lan9118_model *m) {
    memset(m, 0, sizeof *m);
    memcpy(m->eeprom_mac, "\x52\x54\x00\x12\x34\x56", 6);
    m->id_rev = 0x01180002;
    m->floating = UINT32_MAX;
    m->busy_reads = 3;
    m->partner = 0x01e1;
    m->link_up = true;
    reset(m);
    m->resets = 0;
    m->reset_busy = m->eeprom_busy = 0;
}

struct fk_lan9118_bus lan9118_model_bus(struct lan9118_model *m) {
    return (struct fk_lan9118_bus){.read = bus_read, .write = bus_write, .ctx = m};
}
