#include "boards/mps2_an385.h"
#include "qemu/cortex_m.h"
#include "qemu/machine.h"

#define FPGAIO_LED REG(BOARD_FPGAIO + 0x0)

/* Two LEDs without colour or brightness stand for one that has both: LED 0 is on while green or
 * blue shine with half of their brightness or more, LED 1 while red does. So healthy breathes on
 * LED 0, disconnected flashes LED 1, and warning (yellow) has both. */
#define HALF ((FK_LED_MAX + 1) / 2)

void machine_led(struct fk_rgb color) {
    const uint32_t cool = color.g >= HALF || color.b >= HALF;
    const uint32_t red = color.r >= HALF;
    FPGAIO_LED = cool | red << 1;
}
