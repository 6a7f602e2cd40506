#include "boards/mps2_an385.h"
#include "qemu/cortex_m.h"
#include "qemu/machine.h"

/* Both have a bit for each pin, from 0 (Arm DAI 0385, FPGA system control and I/O). QEMU's buttons
 * are never pushed. */
#define FPGAIO_LED REG(BOARD_FPGAIO + 0x0)
#define FPGAIO_BUTTON REG(BOARD_FPGAIO + 0x8)

bool machine_gpio(unsigned index, struct fk_gpio *out) {
    static const char names[][8] = {"button0", "button1", "led0", "led1"};
    if (index >= sizeof names / sizeof names[0]) return false;
    const bool output = index >= 2;
    const uint32_t levels = output ? FPGAIO_LED : FPGAIO_BUTTON;
    *out = (struct fk_gpio){names[index], output, (levels >> (index & 1) & 1) != 0};
    return true;
}
