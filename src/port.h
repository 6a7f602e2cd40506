/* What a port owes the node. ports/<name>/ implements it; nothing in src/ but these calls touches
 * the world. */
#ifndef FK_PORT_H
#define FK_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

/* What the machine is and how it fares, read afresh whenever the node judges its conditions. */
struct fk_port_facts {
    uint32_t heap_free_bytes;       /* of the node's own heap; kubectl sees it as an annotation */
    uint32_t heap_total_bytes;      /* > 0 */
    uint32_t memory_pressure_bytes; /* free heap below this is MemoryPressure */
    uint64_t gateway_id;            /* MAC of the gateway, or BSSID; 0 while unknown */
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
};

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
