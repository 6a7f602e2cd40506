/* The driver contract: an Ethernet chip as the network stack sees it.
 *
 * Frames are moved in pieces, oldest first, so that a driver needs no buffer of its own and the
 * stack may scatter a frame over small ones. Nothing blocks and nothing calls back: an interrupt
 * only wakes the loop, and the loop asks. One user, no threads. */
#ifndef FK_NIC_H
#define FK_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Largest frame, bytes: Ethernet header and payload without VLAN tag and check sequence (IEEE
 * 802.3).
 */
#define FK_NIC_FRAME_MAX 1514

/* Counts since start; each wraps. */
struct fk_nic_stats {
    uint32_t rx_frames;
    uint32_t rx_errors;  /* bad check sequence, too short, too long, cut */
    uint32_t rx_dropped; /* the chip or the stack had no room */
    uint32_t tx_frames;
    uint32_t tx_errors;
    uint32_t tx_dropped; /* the chip had no room */
    uint32_t link_downs;
};

struct fk_nic_ops {
    /* Resets the chip and begins to receive; may busy-wait up to 100 ms. 0, or FK_E_UNREACHABLE:
     * no such chip there, or it does not work, or FK_E_CONFIG: it was given no MAC address. */
    int (*start)(void *ctx);

    void (*address)(void *ctx, uint8_t mac[6]); /* after start */

    /* Whether the cable has a partner now. Cheap enough to ask in every step. */
    bool (*link)(void *ctx);

    /* Length of the oldest frame received, without its check sequence (at most FK_NIC_FRAME_MAX);
     * 0: none. What was left of the frame before is skipped, and that frame counted as dropped. Bad
     * frames are counted and skipped. */
    size_t (*receive)(void *ctx);

    /* The next len bytes of that frame; never more in all than receive said. */
    void (*read)(void *ctx, void *buf, size_t len);

    /* Begins a frame of len bytes (14 to FK_NIC_FRAME_MAX); shorter than 60 is padded by the chip.
     * It is written whole before anything else is asked but read. False: no room now, counted as
     * dropped; nothing may be written then. */
    bool (*transmit)(void *ctx, size_t len);

    /* The next len bytes of that frame; the one that completes it sends it off. */
    void (*write)(void *ctx, const void *buf, size_t len);

    /* The loop is about to sleep: interrupt when a frame or a change of the link comes, or at once
     * when one is there already. */
    void (*arm)(void *ctx);

    void (*stats)(void *ctx, struct fk_nic_stats *out);
};

struct fk_nic {
    const struct fk_nic_ops *ops;
    void *ctx; /* owned by whoever made it; outlives every call */
};

#endif
