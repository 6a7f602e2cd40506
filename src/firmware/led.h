/* The status LED: what colour it has at a moment, given the node's state. A pure function, so that
 * an interrupt may ask while the node is busy with a handshake. Knows no pins and no timers. */
#ifndef FK_FIRMWARE_LED_H
#define FK_FIRMWARE_LED_H

#include <stdbool.h>
#include <stdint.h>

#define FK_LED_MAX 38 /* brightest value of any colour: 15 % of 255 */

/* How long the self-test takes, ms: four steps of 200. */
#define FK_LED_SELF_TEST_MS 800

/* How far apart two looks may be for the patterns to be seen as meant, ms. */
#define FK_LED_PERIOD_MS 20

struct fk_rgb {
    uint8_t r, g, b; /* 0 to FK_LED_MAX */
};

enum fk_led_pattern {
    FK_LED_OFF,
    FK_LED_SELF_TEST,    /* red, green, blue, off, 200 ms each; once */
    FK_LED_BOOTING,      /* dim white: starting, or waiting to be provisioned */
    FK_LED_CONNECTING,   /* blue, breathing at 1.5 Hz: link, DHCP, TLS, registration, first Lease */
    FK_LED_HEALTHY,      /* green, breathing at 0.33 Hz: the Lease has been renewed */
    FK_LED_WARNING,      /* yellow, breathing at 1 Hz: something wants a look */
    FK_LED_DISCONNECTED, /* red, 100 ms of every second: was healthy, and the Lease is overdue */
    FK_LED_PANIC,        /* red and off at 5 Hz: the program is wrong; a reset follows */
};

/* Written by the loop, read by an interrupt: members change one at a time, each in one store, and
 * in an order that shows nothing that is not so. All zero: off. */
struct fk_led {
    volatile uint32_t pattern;    /* enum fk_led_pattern */
    volatile uint32_t since_ms;   /* when it began; the low half of the monotonic clock */
    volatile uint32_t renewed_ms; /* the last renewal, for the yellow flash of 100 ms on healthy */
    volatile uint32_t flashes;    /* renewals so far; 0: renewed_ms means nothing */
    volatile uint32_t dimmed;     /* percent of brightness taken off, 0 to 100 */
};

/* now_ms: low half of the monotonic clock; it may wrap. */
struct fk_rgb fk_led_color(const struct fk_led *led, uint32_t now_ms);

/* Begins a pattern, unless it is the present one. True if it changed. */
bool fk_led_set(struct fk_led *led, enum fk_led_pattern pattern, uint32_t now_ms);
void fk_led_renewed(struct fk_led *led, uint32_t now_ms);

/* Percent of the usual brightness, 0 (dark) to 100; more is 100. Any above 0 leaves what shines a
 * little light. */
void fk_led_brightness(struct fk_led *led, unsigned percent);

/* What the node's state asks for. Panic is not among it: a fault handler sets it. */
struct fk_led_facts {
    bool self_testing;
    bool provisioned; /* settings are complete, and the node has been started with them */
    bool renewed;     /* a Lease was renewed since boot; its creation is not enough */
    bool overdue;     /* ... and the next renewal is late by half a period and more */
    bool warning;     /* a condition is not as it should be, the node cannot be started, ... */
};
enum fk_led_pattern fk_led_choose(const struct fk_led_facts *facts);

const char *fk_led_name(enum fk_led_pattern pattern); /* "healthy": for the console; static */

#endif
