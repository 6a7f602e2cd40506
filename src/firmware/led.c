#include "firmware/led.h"

#include <stddef.h>

#define STEP_MS (FK_LED_SELF_TEST_MS / 4)
#define DIM 8          /* of each colour: white is three of them */
#define BREATH_MIN 2   /* never dark, or healthy would look like off for half a second */
#define FLASH_MS 100   /* yellow, for a renewal */
#define BLINK_MS 100   /* red, of every second, while disconnected */
#define PANIC_HALF 100 /* ms on, and as many off: 5 Hz */

/* Brightness of something that breathes so many times in span_ms, 0 being its darkest moment. The
 * eye sees the square root of light, roughly, so the ramps are squared. */
static uint8_t breath(uint32_t elapsed_ms, uint32_t times, uint32_t span_ms) {
    const uint32_t phase = elapsed_ms % span_ms * times % span_ms;
    const uint32_t ramp = (phase < span_ms / 2 ? phase : span_ms - phase) * 512 / span_ms; /* 256 */
    return (uint8_t)(BREATH_MIN + (FK_LED_MAX - BREATH_MIN) * ramp * ramp / 65536);
}

static struct fk_rgb self_test(uint32_t elapsed_ms) {
    struct fk_rgb color = {0, 0, 0};
    switch (elapsed_ms / STEP_MS) {
    case 0: color.r = FK_LED_MAX; break;
    case 1: color.g = FK_LED_MAX; break;
    case 2: color.b = FK_LED_MAX; break;
    default: break;
    }
    return color;
}

static struct fk_rgb healthy(const struct fk_led *led, uint32_t elapsed_ms, uint32_t now_ms) {
    if (led->flashes != 0 && now_ms - led->renewed_ms < FLASH_MS)
        return (struct fk_rgb){FK_LED_MAX, FK_LED_MAX, 0};
    return (struct fk_rgb){0, breath(elapsed_ms, 1, 3000), 0};
}

static struct fk_rgb red_if(bool on) { return (struct fk_rgb){on ? FK_LED_MAX : 0, 0, 0}; }

static struct fk_rgb undimmed(const struct fk_led *led, uint32_t now_ms) {
    const uint32_t elapsed_ms = now_ms - led->since_ms;
    uint8_t level;
    switch ((enum fk_led_pattern)led->pattern) {
    case FK_LED_SELF_TEST: return self_test(elapsed_ms);
    case FK_LED_BOOTING: return (struct fk_rgb){DIM, DIM, DIM};
    case FK_LED_CONNECTING: return (struct fk_rgb){0, 0, breath(elapsed_ms, 3, 2000)};
    case FK_LED_HEALTHY: return healthy(led, elapsed_ms, now_ms);
    case FK_LED_WARNING:
        level = breath(elapsed_ms, 1, 1000);
        return (struct fk_rgb){level, level, 0};
    case FK_LED_DISCONNECTED: return red_if(elapsed_ms % 1000 < BLINK_MS);
    case FK_LED_PANIC: return red_if(elapsed_ms % (2 * PANIC_HALF) < PANIC_HALF);
    case FK_LED_OFF:
    default: return red_if(false);
    }
}

static uint8_t dim(uint8_t level, uint32_t percent) {
    return (uint8_t)((level * percent + 99) / 100);
}

struct fk_rgb fk_led_color(const struct fk_led *led, uint32_t now_ms) {
    const uint32_t percent = 100 - led->dimmed;
    const struct fk_rgb color = undimmed(led, now_ms);
    return (struct fk_rgb){dim(color.r, percent), dim(color.g, percent), dim(color.b, percent)};
}

void fk_led_brightness(struct fk_led *led, unsigned percent) {
    led->dimmed = percent < 100 ? 100 - percent : 0;
}

/* An interrupt between the two lines sees the old pattern from its beginning. */
bool fk_led_set(struct fk_led *led, enum fk_led_pattern pattern, uint32_t now_ms) {
    if (led->pattern == (uint32_t)pattern) return false;
    led->since_ms = now_ms;
    led->pattern = (uint32_t)pattern;
    return true;
}

/* The count last: until then a first renewal has no time. Zero is left out when it wraps. */
void fk_led_renewed(struct fk_led *led, uint32_t now_ms) {
    const uint32_t flashes = led->flashes + 1;
    led->renewed_ms = now_ms;
    led->flashes = flashes == 0 ? 1 : flashes;
}

enum fk_led_pattern fk_led_choose(const struct fk_led_facts *facts) {
    if (facts->self_testing) return FK_LED_SELF_TEST;
    if (!facts->provisioned) return facts->warning ? FK_LED_WARNING : FK_LED_BOOTING;
    if (!facts->renewed) return FK_LED_CONNECTING;
    if (facts->overdue) return FK_LED_DISCONNECTED;
    return facts->warning ? FK_LED_WARNING : FK_LED_HEALTHY;
}

const char *fk_led_name(enum fk_led_pattern pattern) {
    static const char names[][13] = {
        "off", "self-test", "booting", "connecting", "healthy", "warning", "disconnected", "panic",
    };
    return (size_t)pattern < sizeof names / sizeof names[0] ? names[pattern] : "unknown";
}
