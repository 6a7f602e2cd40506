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
 * aborts. */

#endif
