/* lwIP (NO_SYS) over one Ethernet chip: DHCP, DNS, ARP, and IPv6 where it is built in. Owns the
 * stack and its timers. lwIP has process globals: one of these per program.
 *
 * The chip is asked, never called back: the loop calls fk_net_step when an interrupt or a deadline
 * woke it. */
#ifndef FK_LINK_NET_LWIP_H
#define FK_LINK_NET_LWIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "nic.h"

#include <lwip/netif.h>

struct fk_net_config {
    struct fk_nic nic;
    const char *hostname; /* sent with DHCP; must stay valid; NULL: none */
    uint64_t (*mono_ms)(void *ctx);
    int (*entropy)(void *ctx, void *buf,
                   size_t len); /* port.h: for ports, ids and sequence numbers */
    void *ctx;
    const struct fk_log *log;
};

/* Members are private. */
struct fk_net {
    struct fk_net_config config;
    struct netif netif;
    bool link;
    uint32_t changes;
    char address[46];
    char logged[46];
};

/* Starts the chip and the stack. 0, or what the chip's start said. */
int fk_net_init(struct fk_net *n, const struct fk_net_config *config);

/* Moves at most a few frames and runs the timers that are due. True: more is waiting. */
bool fk_net_step(struct fk_net *n);

/* When step is to be called although the chip is silent; absolute ms. */
uint64_t fk_net_due(const struct fk_net *n);

bool fk_net_link(const struct fk_net *n);           /* the cable has a partner */
const char *fk_net_address(const struct fk_net *n); /* "" while there is none */
uint64_t fk_net_gateway_id(const struct fk_net *n); /* its MAC; 0 while unknown */

/* Counts each time that an address was obtained, changed or lost, or the link came or went: a sign
 * to try again what failed before. */
uint32_t fk_net_changes(const struct fk_net *n);

#endif
