/* What a port owes the node. ports/<name>/ implements it; nothing in src/ but these calls touches
 * the world. */
#ifndef FK_PORT_H
#define FK_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "opts.h"

/* What the machine is and how it fares, read afresh whenever the node judges its conditions. */
struct fk_port_facts {
    uint32_t heap_free_bytes;       /* of the node's own heap; kubectl sees it as an annotation */
    uint32_t heap_total_bytes;      /* > 0 */
    uint32_t memory_pressure_bytes; /* free heap below this is MemoryPressure */
    uint64_t gateway_id;            /* MAC of the gateway, or BSSID; 0 while unknown */
};

/* What /metrics and /stats/summary show besides; read when somebody asks. Counts since start. */
struct fk_port_figures {
    uint64_t cpu_us;               /* time of a processor that we used */
    uint64_t memory_total_bytes;   /* that the program may use */
    uint64_t memory_working_bytes; /* in use: static data, heap and the deepest stack so far */
    uint32_t heap_low_bytes;       /* the least that was ever free */
    uint32_t heap_largest_bytes;   /* largest block that could be had now */
    uint32_t heap_failures;        /* requests that could not be met */
    uint32_t stack_size_bytes;     /* 0: not known */
    uint32_t stack_peak_bytes;
    uint32_t restarts; /* since power came */
    uint32_t cpu_mhz;  /* 0: not known */
    bool has_nic;      /* the following are known */
    uint32_t rx_frames, rx_errors, rx_dropped, tx_frames, tx_errors, tx_dropped, link_downs;
    /* of the kubelet's own port */
    uint32_t handshakes, handshake_failures;
    uint32_t server_heap_bytes, server_heap_free_bytes,
        server_heap_low_bytes; /* 0: shares the node's */
    const char *led_pattern;   /* as docs/led.md names it; NULL: no LED */
    uint8_t led_rgb[3];        /* as it shines now */
};

/* A pin that a program or an operator may look at. */
struct fk_gpio {
    const char *name; /* static text, "button0" */
    bool output;
    bool level;
};

/* What may change at run time (kubelet/configmap). */
struct fk_options {
    uint8_t log_level;         /* enum fk_level */
    uint8_t led_brightness;    /* percent, 0 to 100 */
    uint32_t status_period_ms; /* how often the conditions are judged */
};

struct fk_port_ops {
    /* Milliseconds since some moment of the past; never goes back, never wraps (a port with a
     * 32-bit tick extends it with base/clock's fk_tick). */
    uint64_t (*mono_ms)(void *ctx);

    /* Fills buf with len bytes fit for keys. Returns 0, or FK_E_ENTROPY: then nothing is sent. */
    int (*entropy)(void *ctx, void *buf, size_t len);

    void (*facts)(void *ctx, struct fk_port_facts *out);

    /* The node's own IP address as text, "" while it has none; valid until the next call. */
    const char *(*address)(void *ctx);

    /* The following may be NULL: then the port has nothing of the kind. */

    uint64_t (*mono_us)(void *ctx); /* the same clock as mono_ms, for measuring */

    void (*figures)(void *ctx, struct fk_port_figures *out);

    /* The pin of that index, from 0 on; false: there is none, nor any behind it. */
    bool (*gpio)(void *ctx, unsigned index, struct fk_gpio *out);

    /* Log level and LED brightness are from now on as they say. */
    void (*apply)(void *ctx, const struct fk_options *options);

    /* One small document that survives a reboot: keep writes it whole or leaves the former one (0,
     * FK_E_NOMEM: too long, FK_E_RANGE: the memory failed; may take 100 ms and more), recall reads
     * it (its length, 0: there is none, or a negative enum fk_err). */
    int (*keep)(void *ctx, const void *bytes, size_t len);
    int (*recall)(void *ctx, void *buf, size_t cap);
};

/* What is kept is at most so long, bytes. */
#define FK_PORT_KEEP_MAX (FK_MEMORY_BYTES + 512)

struct fk_port {
    const struct fk_port_ops *ops;
    void *ctx;
};

/* And fk_assert_failed of base/assert.h: says where the program itself is wrong, and resets or
 * aborts.
 *
 * What entropy takes. A port answers FK_E_ENTROPY until it has gathered 32 bytes or more of full
 * entropy since this start, and seeds a DRBG with them (link/drbg); nothing kept from an earlier
 * start counts, since two boards with one image would share it.
 *   Linux          getrandom(2), which waits for the same by itself.
 *   RP2040         has no generator, but a ring oscillator whose state a register shows a bit at a
 *                  time (RP2040 datasheet 2.17: ROSC RANDOMBIT; not while the core runs from it).
 *                  Neighbouring bits depend on each other and on temperature. So: samples spaced
 *                  out, the two health tests of NIST SP 800-90B 4.4 on all of them, at the start
 *                  (1,024 samples) and ever after, repetition count and adaptive proportion, with
 *                  cutoffs for the 0.1 bit per sample or less that may be claimed without an
 *                  assessment of one's own; ten times as many bits as claimed, conditioned by
 *                  SHA-256. A test that fails is FK_E_ENTROPY until the next start.
 *   ESP32          its generator's register, true only while Wi-Fi or Bluetooth feed it, or between
 *                  bootloader_random_enable and _disable (ESP-IDF, "Random Number Generation");
 *                  else it is a pseudo-random sequence, and the answer is FK_E_ENTROPY.
 *   QEMU's mps2    has no source at all: ports/qemu/seed.c takes a seed from the host. That is
 *                  emulation only. Without it TLS does not start. */

#endif
