/* A LAN9118 gone mad: any register may read as anything at any time, and frames come in between.
 * The driver ends every call within its bound, touches no memory but what it was given, asserts
 * nothing, uses no register that is not there, and works again once the chip does.
 *
 * Input: a byte says what to do, up to 16 times; and with each bus read, one byte whether the model
 * of the chip is right (even, or no input left) or four bytes are (odd; the high bit: from now on
 * for ever). */
#include "base/assert.h"
#include "drivers/lan9118.h"
#include "support/lan9118_model.h"

/* receive: 176 statuses, each of 16383 bytes, is the worst; the rest is far below. */
#define ACCESSES_MAX 800000

static struct lan9118_model model;
static struct fk_lan9118 driver;
static struct fk_bytes in;
static uint32_t stuck;
static bool is_stuck;

static uint8_t next(void) {
    if (in.len == 0) return 0;
    in.len--;
    return *in.p++;
}

static uint32_t next_word(void) {
    uint32_t word = 0;
    for (int i = 0; i < 4; i++) word = word << 8 | next();
    return word;
}

static uint32_t mad_read(void *ctx, uint32_t reg) {
    (void)ctx;
    FK_ASSERT(reg % 4 == 0 && reg <= 0xb0);
    const uint32_t right = lan9118_model_bus(&model).read(&model, reg);
    if (is_stuck) return stuck;
    /* Data may be anything already; BYTE_TEST is mostly read to pass the time. */
    if (in.len == 0 || reg == 0 || reg == 0x64) return right;
    const uint8_t how = next();
    if ((how & 1) == 0) return right;
    stuck = next_word();
    is_stuck = (how & 0x80) != 0;
    return stuck;
}

static void mad_write(void *ctx, uint32_t reg, uint32_t value) {
    (void)ctx;
    FK_ASSERT(reg % 4 == 0 && reg <= 0xb0);
    lan9118_model_bus(&model).write(&model, reg, value);
}

static void frame_comes(void) {
    static uint8_t frame[4096];
    memcpy(frame, model.eeprom_mac, 6);
    for (size_t i = 6; i < 14; i++) frame[i] = next();
    (void)lan9118_model_frame(&model, frame, next_word() % sizeof frame, next_word() & 0x40009cfe);
}

static void receive(struct fk_nic nic) {
    static uint8_t buf[FK_NIC_FRAME_MAX];
    size_t left = nic.ops->receive(nic.ctx);
    FK_ASSERT(left <= FK_NIC_FRAME_MAX);
    for (uint8_t piece = next(); left > 0 && piece > 0; piece = next()) {
        const size_t len = piece < left ? piece : left;
        nic.ops->read(nic.ctx, buf + sizeof buf - len, len); /* its end is the buffer's */
        left -= len;
    }
}

static void transmit(struct fk_nic nic) {
    static const uint8_t buf[FK_NIC_FRAME_MAX];
    size_t left = 14 + next_word() % (FK_NIC_FRAME_MAX - 13);
    if (!nic.ops->transmit(nic.ctx, left)) return;
    while (left > 0) {
        const size_t piece = 1u + next();
        const size_t len = piece < left ? piece : left;
        nic.ops->write(nic.ctx, buf + sizeof buf - len, len);
        left -= len;
    }
}

static void act(struct fk_nic nic, uint8_t what) {
    struct fk_nic_stats stats;
    uint8_t mac[6];
    switch (what % 10) {
    case 0: (void)nic.ops->start(nic.ctx); break;
    case 1: nic.ops->address(nic.ctx, mac); break;
    case 2: (void)nic.ops->link(nic.ctx); break;
    case 3: receive(nic); break;
    case 4: transmit(nic); break;
    case 5: nic.ops->arm(nic.ctx); break;
    case 6: nic.ops->stats(nic.ctx, &stats); break;
    case 7: frame_comes(); break;
    case 8: lan9118_model_link(&model, !model.link_up); break;
    default: fk_lan9118_interrupt(&driver); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    in.len = 0;
    is_stuck = false;
    lan9118_model_init(&model);
    fk_lan9118_init(&driver, (struct fk_lan9118_bus){mad_read, mad_write, NULL});
    const struct fk_nic nic = fk_lan9118_nic(&driver);
    FK_ASSERT(nic.ops->start(nic.ctx) == 0 && nic.ops->link(nic.ctx));
    in = fk_bytes(data, len);
    for (int i = 0; i < 16 && in.len > 0; i += is_stuck ? 4 : 1) { /* a dead chip takes time */
        model.accesses = 0;
        act(nic, next());
        FK_ASSERT(model.accesses <= ACCESSES_MAX);
    }
    in.len = 0;
    is_stuck = false;
    lan9118_model_link(&model, true);
    FK_ASSERT(nic.ops->start(nic.ctx) == 0 && nic.ops->link(nic.ctx));
    return 0;
}
