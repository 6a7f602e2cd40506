/* drivers/lan9118 against a chip that behaves as the datasheet says, and one that does as QEMU's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/rng.h"
#include "drivers/lan9118.h"
#include "support/guard.h"
#include "support/lan9118_model.h"

void fk_assert_failed(const char *file, int line) {
    mock_assert(0, "FK_ASSERT", file, line);
    abort();
}

static struct lan9118_model chip;
static struct fk_lan9118 driver;
static struct fk_nic nic;
static struct fk_rng rng;

/* Most that one call may ask of the bus, for 100 ms at 0.6 us each. */
#define ACCESSES_MAX 160000

static void power_up(void) {
    lan9118_model_init(&chip);
    fk_lan9118_init(&driver, lan9118_model_bus(&chip));
    nic = fk_lan9118_nic(&driver);
    fk_rng_seed(&rng, 1);
}

static void expect_lawful(void) {
    if (chip.violations > 0) fail_msg("%u violations: %s", chip.violations, chip.violation);
}

static int start(void) {
    power_up();
    const int err = nic.ops->start(nic.ctx);
    assert_true(nic.ops->link(nic.ctx));
    return err;
}

static struct fk_nic_stats stats(void) {
    struct fk_nic_stats s;
    nic.ops->stats(nic.ctx, &s);
    return s;
}

static void fill(uint8_t *frame, size_t len) {
    for (size_t i = 0; i < len; i++) frame[i] = (uint8_t)fk_rng_u32(&rng);
    if (len >= 6) memcpy(frame, chip.eeprom_mac, 6);
}

static bool arrive(size_t len, uint32_t bits) {
    static uint8_t frame[4096];
    fill(frame, len);
    return lan9118_model_frame(&chip, frame, len, bits);
}

/* Reads what receive announced in pieces of step bytes, step 0: of any, up to an unreadable page.
 */
static void read_in_pieces(const uint8_t *expected, size_t len, size_t step) {
    struct guard g = guard_new(len);
    for (size_t at = 0; at < len;) {
        size_t piece = step > 0 ? step : fk_rng_below(&rng, 9);
        if (piece > len - at) piece = len - at;
        nic.ops->read(nic.ctx, g.p + at, piece);
        at += piece;
    }
    assert_memory_equal(g.p, expected, len);
    guard_free(&g);
}

static void write_in_pieces(const uint8_t *frame, size_t len, size_t step) {
    struct guard g = guard_copy(fk_bytes(frame, len));
    for (size_t at = 0; at < len;) {
        size_t piece = step > 0 ? step : fk_rng_below(&rng, 9);
        if (piece > len - at) piece = len - at;
        nic.ops->write(nic.ctx, g.p + at, piece);
        at += piece;
    }
    guard_free(&g);
}

static void starts(void **state) {
    (void)state;
    assert_int_equal(start(), 0);
    expect_lawful();
    assert_int_equal(chip.resets, 1);
    assert_int_equal(chip.phy_resets, 1);
    uint8_t mac[6];
    nic.ops->address(nic.ctx, mac);
    assert_memory_equal(mac, chip.eeprom_mac, 6);
    assert_int_equal(chip.mac[1], 0x0018000c); /* full duplex, all multicast, TX, RX, and no more */
    assert_int_equal(chip.phy[0] & 0x1000, 0x1000);
    assert_int_equal(chip.phy[4], 0x01e1);
    assert_int_equal(chip.phy[30], 0x50);
    assert_int_equal(chip.int_en, 0);
    assert_false(lan9118_model_irq(&chip));
    const struct fk_nic_stats none = {0};
    const struct fk_nic_stats now = stats();
    assert_memory_equal(&now, &none, sizeof now);
}

static void starts_again(void **state) {
    (void)state;
    assert_int_equal(start(), 0);
    assert_true(arrive(100, 0));
    assert_int_equal(nic.ops->receive(nic.ctx), 100);
    assert_int_equal(nic.ops->start(nic.ctx), 0);
    assert_int_equal(nic.ops->receive(nic.ctx), 0);
    assert_true(nic.ops->link(nic.ctx));
    expect_lawful();
}

static void knows_its_family(void **state) {
    (void)state;
    static const struct {
        uint32_t id;
        int err;
    } row[] = {
        {0x01180001, 0},
        {0x0115ffff, 0},
        {0x0114ffff, FK_E_UNREACHABLE},
        {0x01190000, FK_E_UNREACHABLE},
        {0x92200000, FK_E_UNREACHABLE},
        {0, FK_E_UNREACHABLE},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        power_up();
        chip.id_rev = row[i].id;
        assert_int_equal(nic.ops->start(nic.ctx), row[i].err);
    }
}

/* Each way in which a chip may fail to start: said, and in bounded time. */
static void gives_up(void **state) {
    (void)state;
    bool *const how[] = {&chip.absent,      &chip.csr_stuck,       &chip.mii_stuck,
                         &chip.reset_stuck, &chip.reset_times_out, &chip.phy_reset_stuck,
                         &chip.asleep,      &chip.eeprom_stuck};
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        power_up();
        *how[i] = true;
        assert_int_equal(nic.ops->start(nic.ctx), FK_E_UNREACHABLE);
        assert_in_range(chip.accesses, 1, ACCESSES_MAX);
    }
    power_up();
    chip.absent = true;
    chip.floating = 0;
    assert_int_equal(nic.ops->start(nic.ctx), FK_E_UNREACHABLE);
}

static void is_patient(void **state) {
    (void)state;
    power_up();
    chip.busy_reads = 990; /* the datasheet promises far less of the registers of the MAC */
    assert_int_equal(nic.ops->start(nic.ctx), 0);
    expect_lawful();
    power_up();
    chip.busy_reads = 1010;
    assert_int_equal(nic.ops->start(nic.ctx), FK_E_UNREACHABLE);
}

static void wants_an_address(void **state) {
    (void)state;
    static const struct {
        const char *mac;
        int err;
    } row[] = {
        {"\xff\xff\xff\xff\xff\xff", FK_E_CONFIG}, /* an empty EEPROM, or none */
        {"\x00\x00\x00\x00\x00\x00", FK_E_CONFIG},
        {"\x01\x00\x00\x00\x00\x00", FK_E_CONFIG}, /* a group */
        {"\x00\x00\x00\x00\x00\x01", 0},
        {"\x02\x00\x00\x00\x00\x00", 0},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        power_up();
        memcpy(chip.eeprom_mac, row[i].mac, 6);
        assert_int_equal(nic.ops->start(nic.ctx), row[i].err);
    }
}

static void receives_every_length(void **state) {
    (void)state;
    static uint8_t frame[FK_NIC_FRAME_MAX];
    assert_int_equal(start(), 0);
    for (size_t len = 14; len <= FK_NIC_FRAME_MAX; len++) {
        const size_t steps[] = {0, len, 1 + len % 7};
        for (size_t i = 0; i < 3; i++) {
            fill(frame, len);
            assert_true(lan9118_model_frame(&chip, frame, len, 0));
            assert_int_equal(nic.ops->receive(nic.ctx), len);
            read_in_pieces(frame, len, steps[i]);
        }
    }
    assert_int_equal(nic.ops->receive(nic.ctx), 0);
    assert_int_equal(chip.rx_data_count, 0);
    assert_int_equal(stats().rx_frames, 3 * (FK_NIC_FRAME_MAX - 13));
    assert_int_equal(stats().rx_dropped, 0);
    assert_int_equal(stats().rx_errors, 0);
    expect_lawful();
}

/* A frame may be left at any of its bytes; the next one is whole. */
static void skips_the_rest(void **state) {
    (void)state;
    static uint8_t frame[64];
    assert_int_equal(start(), 0);
    for (size_t left = 0; left <= 64; left++) {
        assert_true(arrive(64, 0));
        fill(frame, sizeof frame);
        assert_true(lan9118_model_frame(&chip, frame, sizeof frame, 0));
        uint8_t some[64];
        assert_int_equal(nic.ops->receive(nic.ctx), 64);
        nic.ops->read(nic.ctx, some, 64 - left);
        assert_int_equal(nic.ops->receive(nic.ctx), 64);
        read_in_pieces(frame, sizeof frame, 3);
    }
    assert_int_equal(stats().rx_dropped, 64); /* all but the one that was read to its end */
    expect_lawful();
}

static void counts_bad_frames(void **state) {
    (void)state;
    static const struct {
        uint32_t bits;
        bool good;
    } row[] = {
        {0x40000000, false}, /* filtering failed */
        {0x00008000, false}, /* the sum alone */
        {0x00000800, false}, /* runt */
        {0x00000080, false}, /* too long */
        {0x00000040, false}, /* collision */
        {0x00000010, false}, /* watchdog */
        {0x00000008, false}, /* MII error */
        {0x00000002, false}, /* check sequence */
        {0x00001000, true},  /* length error: of 802.3 frames */
        {0x00000004, true},  /* dribbling bit */
        {0x00002000, true},  /* broadcast */
        {0x00000400, true},  /* multicast */
        {0x00000020, true},  /* Ethernet type */
    };
    assert_int_equal(start(), 0);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const uint32_t errors = stats().rx_errors;
        assert_true(arrive(61, row[i].bits));
        assert_true(arrive(90, 0));
        if (row[i].good) assert_int_equal(nic.ops->receive(nic.ctx), 61);
        assert_int_equal(nic.ops->receive(nic.ctx), 90);
        assert_int_equal(nic.ops->receive(nic.ctx), 0);
        assert_int_equal(stats().rx_errors, errors + (row[i].good ? 0 : 1));
    }
    expect_lawful();
}

/* QEMU marks neither; so do chips with their VLAN register set. */
static void minds_the_length(void **state) {
    (void)state;
    static const struct {
        size_t len;
        size_t received;
    } row[] = {{0, 0}, {1, 0}, {13, 0}, {14, 14}, {1514, 1514}, {1515, 0}, {2047, 0}, {4092, 0}};
    assert_int_equal(start(), 0);
    chip.mac[1] |= 0x00040000; /* promiscuous: some are too short for an address */
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const uint32_t errors = stats().rx_errors;
        assert_true(arrive(row[i].len, 0));
        assert_true(arrive(60, 0));
        if (row[i].received > 0) assert_int_equal(nic.ops->receive(nic.ctx), row[i].received);
        assert_int_equal(nic.ops->receive(nic.ctx), 60);
        assert_int_equal(stats().rx_errors - errors, row[i].received > 0 ? 0 : 1);
    }
    expect_lawful();
}

static void filters(void **state) {
    (void)state;
    static const struct {
        const char *to;
        bool ours;
    } row[] = {
        {"\x52\x54\x00\x12\x34\x56", true}, {"\x52\x54\x00\x12\x34\x57", false},
        {"\xff\xff\xff\xff\xff\xff", true}, {"\x33\x33\xff\x12\x34\x56", true},
        {"\x33\x33\x00\x00\x00\x01", true},
    };
    uint8_t frame[60] = {0};
    assert_int_equal(start(), 0);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        memcpy(frame, row[i].to, 6);
        assert_int_equal(lan9118_model_frame(&chip, frame, sizeof frame, 0), row[i].ours);
    }
}

/* The FIFO full of frames, and more of them: those there are whole, the rest is counted. */
static void survives_a_flood(void **state) {
    (void)state;
    static const size_t len[] = {60, 61, 1514, 700};
    assert_int_equal(start(), 0);
    for (size_t i = 0; i < sizeof len / sizeof *len; i++) {
        const struct fk_nic_stats before = stats();
        uint32_t taken = 0;
        for (uint32_t n = 0; n < 200; n++) taken += arrive(len[i], 0) ? 1 : 0;
        assert_int_equal(taken, MODEL_RX_WORDS / ((len[i] + 4 + 3) / 4));
        for (uint32_t n = 0; n < taken; n++) assert_int_equal(nic.ops->receive(nic.ctx), len[i]);
        assert_int_equal(nic.ops->receive(nic.ctx), 0);
        const struct fk_nic_stats after = stats();
        assert_int_equal(after.rx_frames - before.rx_frames, taken);
        assert_int_equal(after.rx_dropped - before.rx_dropped, 200); /* by the chip, then by us */
    }
    assert_int_equal(chip.resets, 1);
    expect_lawful();
}

static void skips_a_flood_of_bad_frames(void **state) {
    (void)state;
    assert_int_equal(start(), 0);
    for (uint32_t n = 0; n < 200; n++) (void)arrive(60, 2);
    chip.accesses = 0;
    assert_int_equal(nic.ops->receive(nic.ctx), 0);
    assert_int_equal(stats().rx_errors, 165);
    assert_in_range(chip.accesses, 165 * 16, 165 * 24);
    expect_lawful();
}

static void sends_every_length(void **state) {
    (void)state;
    static uint8_t frame[FK_NIC_FRAME_MAX];
    static const uint8_t padding[60];
    assert_int_equal(start(), 0);
    for (size_t len = 14; len <= FK_NIC_FRAME_MAX; len++) {
        const size_t steps[] = {0, len, 1 + len % 7};
        for (size_t i = 0; i < 3; i++) {
            fill(frame, len);
            assert_true(nic.ops->transmit(nic.ctx, len));
            write_in_pieces(frame, len, steps[i]);
            assert_int_equal(chip.sent_len, len < 60 ? 60 : len);
            assert_memory_equal(chip.sent, frame, len);
            if (len < 60) assert_memory_equal(chip.sent + len, padding, 60 - len);
        }
    }
    assert_int_equal(chip.sent_count, 3 * (FK_NIC_FRAME_MAX - 13));
    assert_int_equal(stats().tx_frames, chip.sent_count);
    assert_int_equal(stats().tx_errors, 0);
    expect_lawful();
}

/* What came in goes out, piece by piece, without a buffer. */
static void echoes(void **state) {
    (void)state;
    static uint8_t frame[1001];
    assert_int_equal(start(), 0);
    fill(frame, sizeof frame);
    assert_true(lan9118_model_frame(&chip, frame, sizeof frame, 0));
    assert_int_equal(nic.ops->receive(nic.ctx), sizeof frame);
    assert_true(nic.ops->transmit(nic.ctx, sizeof frame));
    for (size_t at = 0; at < sizeof frame; at += 7) {
        uint8_t piece[7];
        nic.ops->read(nic.ctx, piece, sizeof piece);
        nic.ops->write(nic.ctx, piece, sizeof piece);
    }
    assert_int_equal(chip.sent_len, sizeof frame);
    assert_memory_equal(chip.sent, frame, sizeof frame);
    expect_lawful();
}

static void waits_for_room(void **state) {
    (void)state;
    static uint8_t frame[FK_NIC_FRAME_MAX];
    assert_int_equal(start(), 0);
    chip.wire_stopped = true;
    for (int i = 0; i < 3; i++) { /* 3 * (8 + 1516) = 4572: 36 bytes are left */
        assert_true(nic.ops->transmit(nic.ctx, sizeof frame));
        nic.ops->write(nic.ctx, frame, sizeof frame);
    }
    assert_false(nic.ops->transmit(nic.ctx, sizeof frame));
    assert_false(nic.ops->transmit(nic.ctx, 29));
    assert_true(nic.ops->transmit(nic.ctx, 28));
    nic.ops->write(nic.ctx, frame, 28);
    assert_false(nic.ops->transmit(nic.ctx, 14));
    assert_int_equal(stats().tx_dropped, 3);
    assert_int_equal(stats().tx_frames, 0);
    lan9118_model_send(&chip);
    assert_int_equal(chip.sent_count, 4);
    assert_true(nic.ops->transmit(nic.ctx, 14));
    nic.ops->write(nic.ctx, frame, 14);
    assert_int_equal(stats().tx_frames, 4);
    expect_lawful();
}

static void counts_lost_frames(void **state) {
    (void)state;
    static const uint32_t bit[] = {0x800, 0x400, 0x200, 0x100, 0x004, 0x002};
    static uint8_t frame[60];
    assert_int_equal(start(), 0);
    for (size_t i = 0; i < sizeof bit / sizeof *bit; i++) {
        chip.tx_status = bit[i];
        assert_true(nic.ops->transmit(nic.ctx, sizeof frame));
        nic.ops->write(nic.ctx, frame, sizeof frame);
        assert_int_equal(stats().tx_errors, i + 1);
    }
    assert_int_equal(stats().tx_frames, 0);
    expect_lawful();
}

/* The transmitter stops when 128 statuses wait; they never do, although nobody asks for stats. */
static void drains_statuses(void **state) {
    (void)state;
    static uint8_t frame[60];
    assert_int_equal(start(), 0);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(nic.ops->transmit(nic.ctx, sizeof frame));
        nic.ops->write(nic.ctx, frame, sizeof frame);
    }
    assert_int_equal(chip.sent_count, 1000);
    assert_int_equal(stats().tx_frames, 1000);
    expect_lawful();
}

static void interrupts(void **state) {
    const bool as_qemu = *state != NULL;
    assert_int_equal(start(), 0);
    chip.as_qemu = as_qemu;
    nic.ops->arm(nic.ctx);
    assert_false(lan9118_model_irq(&chip));
    assert_true(arrive(60, 0)); /* while asleep */
    assert_true(lan9118_model_irq(&chip));
    fk_lan9118_interrupt(&driver);
    assert_false(lan9118_model_irq(&chip));
    for (int i = 0; i < 3; i++) { /* nobody took it: at once, again and again, with a handler ... */
        nic.ops->arm(nic.ctx);
        assert_true(lan9118_model_irq(&chip));
        if (i < 1) fk_lan9118_interrupt(&driver); /* ... or without */
    }
    assert_int_equal(nic.ops->receive(nic.ctx), 60);
    nic.ops->arm(nic.ctx);
    assert_false(lan9118_model_irq(&chip));
    fk_lan9118_interrupt(&driver);
    assert_true(arrive(60, 0)); /* while awake */
    assert_true(arrive(60, 0));
    assert_false(lan9118_model_irq(&chip));
    assert_int_equal(nic.ops->receive(nic.ctx), 60);
    nic.ops->arm(nic.ctx); /* one is left */
    assert_true(lan9118_model_irq(&chip));
    expect_lawful();
}

static void link_is_noticed(void **state) {
    const bool as_qemu = *state != NULL;
    power_up();
    chip.as_qemu = as_qemu;
    chip.link_up = false;
    assert_int_equal(nic.ops->start(nic.ctx), 0);
    assert_false(nic.ops->link(nic.ctx));
    nic.ops->arm(nic.ctx);
    assert_false(lan9118_model_irq(&chip));
    for (uint32_t i = 0; i < 3; i++) {
        lan9118_model_link(&chip, true);
        assert_true(lan9118_model_irq(&chip));
        fk_lan9118_interrupt(&driver);
        assert_true(nic.ops->link(nic.ctx));
        chip.accesses = 0;
        assert_true(nic.ops->link(nic.ctx));
        assert_in_range(chip.accesses, 1, 4);
        assert_int_equal(stats().link_downs, i);
        nic.ops->arm(nic.ctx);
        assert_false(lan9118_model_irq(&chip));
        lan9118_model_link(&chip, false);
        assert_true(lan9118_model_irq(&chip));
        fk_lan9118_interrupt(&driver);
        nic.ops->arm(nic.ctx); /* not yet asked: it insists */
        assert_true(lan9118_model_irq(&chip));
        assert_false(nic.ops->link(nic.ctx));
        assert_false(nic.ops->link(nic.ctx));
        assert_int_equal(stats().link_downs, i + 1);
        assert_false(lan9118_model_irq(&chip));
    }
    expect_lawful();
}

/* Gone and back between two looks: true is the answer, and it is counted. */
static void link_flaps(void **state) {
    const bool as_qemu = *state != NULL;
    assert_int_equal(start(), 0);
    chip.as_qemu = as_qemu;
    for (uint32_t i = 1; i < 4; i++) {
        lan9118_model_link(&chip, false);
        lan9118_model_link(&chip, true);
        assert_true(nic.ops->link(nic.ctx));
        assert_int_equal(stats().link_downs, i);
        assert_true(nic.ops->link(nic.ctx));
    }
    lan9118_model_link(&chip, false);
    chip.phy[29] = 0x40; /* the PHY says something, but not this */
    assert_false(nic.ops->link(nic.ctx));
    assert_int_equal(stats().link_downs, 4);
    expect_lawful();
}

static void agrees_on_duplex(void **state) {
    (void)state;
    static const struct {
        uint32_t partner;
        bool full;
    } row[] = {
        {0x01e1, true},  {0x0101, true}, {0x00e1, false}, /* 100 half goes before 10 full */
        {0x0081, false}, {0x0061, true}, {0x0041, true},  {0x0021, false}, {0, false},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        power_up();
        chip.partner = row[i].partner;
        assert_int_equal(nic.ops->start(nic.ctx), 0);
        assert_true(nic.ops->link(nic.ctx));
        assert_int_equal(chip.mac[1], row[i].full ? 0x0018000c : 0x0088000c);
    }
    chip.partner = 0x01e1; /* plugged into another one */
    lan9118_model_link(&chip, false);
    lan9118_model_link(&chip, true);
    assert_true(nic.ops->link(nic.ctx));
    assert_int_equal(chip.mac[1], 0x0018000c);
    expect_lawful();
}

/* The FIFOs out of step: the chip says so, or a status claims more than is there. */
static void recovers(void **state) {
    (void)state;
    static uint8_t frame[100];
    static const struct {
        uint32_t bit;
        uint32_t rx_errors;
        uint32_t tx_errors;
    } row[] = {{MODEL_RXE, 1, 0}, {MODEL_TXE, 0, 1}, {MODEL_TDFO, 0, 1}, {0, 1, 0}};
    for (size_t as_qemu = 0; as_qemu < 2; as_qemu++) {
        for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
            power_up();
            chip.as_qemu = as_qemu != 0;
            chip.partner = 0x0081;
            assert_int_equal(nic.ops->start(nic.ctx), 0);
            assert_true(nic.ops->link(nic.ctx));
            assert_true(arrive(80, 0));
            assert_true(arrive(80, 0));
            assert_int_equal(nic.ops->receive(nic.ctx), 80);
            nic.ops->arm(nic.ctx);
            fk_lan9118_interrupt(&driver);
            chip.int_sts |= row[i].bit;
            if (row[i].bit == 0) chip.rx_status[chip.rx_status_head] = 85 << 16; /* of 84 */
            assert_int_equal(nic.ops->receive(nic.ctx), 0);
            assert_int_equal(chip.resets, 2);
            assert_int_equal(stats().rx_errors, row[i].rx_errors);
            assert_int_equal(stats().tx_errors, row[i].tx_errors);
            assert_int_equal(chip.phy[30], 0x50);
            assert_true(nic.ops->link(nic.ctx));
            assert_int_equal(chip.mac[1], 0x0088000c); /* half duplex still */
            assert_int_equal(stats().link_downs, 0);
            fill(frame, sizeof frame);
            assert_true(lan9118_model_frame(&chip, frame, sizeof frame, 0));
            assert_int_equal(nic.ops->receive(nic.ctx), sizeof frame);
            read_in_pieces(frame, sizeof frame, 0);
            assert_true(nic.ops->transmit(nic.ctx, sizeof frame));
            nic.ops->write(nic.ctx, frame, sizeof frame);
            assert_memory_equal(chip.sent, frame, sizeof frame);
            expect_lawful();
        }
    }
}

static void an_error_wakes(void **state) {
    (void)state;
    assert_int_equal(start(), 0);
    nic.ops->arm(nic.ctx);
    chip.int_sts |= MODEL_RXE;
    assert_true(lan9118_model_irq(&chip));
}

/* Pulled off its bus while working: every call ends soon, and says that nothing goes. */
static void dies(void **state) {
    (void)state;
    static const uint32_t floating[] = {0, UINT32_MAX, 0x87654321, 0x00ff0004};
    static uint8_t frame[100];
    for (size_t i = 0; i < sizeof floating / sizeof *floating; i++) {
        assert_int_equal(start(), 0);
        assert_true(arrive(80, 0));
        assert_int_equal(nic.ops->receive(nic.ctx), 80);
        chip.absent = true;
        chip.floating = floating[i];
        for (int k = 0; k < 3; k++) {
            chip.accesses = 0;
            nic.ops->read(nic.ctx, frame, 7);
            (void)nic.ops->link(nic.ctx);
            (void)nic.ops->receive(nic.ctx);
            if (nic.ops->transmit(nic.ctx, 100)) nic.ops->write(nic.ctx, frame, 100);
            nic.ops->arm(nic.ctx);
            fk_lan9118_interrupt(&driver);
            (void)stats();
            assert_in_range(chip.accesses, 1, ACCESSES_MAX);
            if (driver.rx_left < 7) break;
        }
        chip.absent = false; /* back, as after a brown-out */
        assert_int_equal(nic.ops->start(nic.ctx), 0);
        assert_true(nic.ops->link(nic.ctx));
    }
    assert_int_equal(start(), 0);
    chip.csr_stuck = true;
    lan9118_model_link(&chip, false);
    chip.accesses = 0;
    assert_false(nic.ops->link(nic.ctx));
    assert_false(nic.ops->link(nic.ctx));
    assert_in_range(chip.accesses, 1, 5000);
    assert_int_equal(stats().link_downs, 1);
}

static void mistakes_are_noticed(void **state) {
    (void)state;
    uint8_t frame[100] = {0};
    assert_int_equal(start(), 0);
    expect_assert_failure((void)nic.ops->transmit(nic.ctx, 13));
    expect_assert_failure((void)nic.ops->transmit(nic.ctx, 1515));
    expect_assert_failure(nic.ops->write(nic.ctx, frame, 1));
    expect_assert_failure(nic.ops->read(nic.ctx, frame, 1));
    assert_true(arrive(80, 0));
    assert_int_equal(nic.ops->receive(nic.ctx), 80);
    expect_assert_failure(nic.ops->read(nic.ctx, frame, 81));
    nic.ops->read(nic.ctx, frame, 80);
    expect_assert_failure(nic.ops->read(nic.ctx, frame, 1));
    assert_true(nic.ops->transmit(nic.ctx, 80));
    expect_assert_failure(nic.ops->write(nic.ctx, frame, 81));
    expect_assert_failure((void)nic.ops->transmit(nic.ctx, 80));
    expect_assert_failure((void)nic.ops->receive(nic.ctx));
}

int main(void) {
    static char qemu[] = "qemu";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts),
        cmocka_unit_test(starts_again),
        cmocka_unit_test(knows_its_family),
        cmocka_unit_test(gives_up),
        cmocka_unit_test(is_patient),
        cmocka_unit_test(wants_an_address),
        cmocka_unit_test(receives_every_length),
        cmocka_unit_test(skips_the_rest),
        cmocka_unit_test(counts_bad_frames),
        cmocka_unit_test(minds_the_length),
        cmocka_unit_test(filters),
        cmocka_unit_test(survives_a_flood),
        cmocka_unit_test(skips_a_flood_of_bad_frames),
        cmocka_unit_test(sends_every_length),
        cmocka_unit_test(echoes),
        cmocka_unit_test(waits_for_room),
        cmocka_unit_test(counts_lost_frames),
        cmocka_unit_test(drains_statuses),
        cmocka_unit_test(interrupts),
        {"interrupts, as QEMU", interrupts, NULL, NULL, qemu},
        cmocka_unit_test(link_is_noticed),
        {"link_is_noticed, as QEMU", link_is_noticed, NULL, NULL, qemu},
        cmocka_unit_test(link_flaps),
        {"link_flaps, as QEMU", link_flaps, NULL, NULL, qemu},
        cmocka_unit_test(agrees_on_duplex),
        cmocka_unit_test(recovers),
        cmocka_unit_test(an_error_wakes),
        cmocka_unit_test(dies),
        cmocka_unit_test(mistakes_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
