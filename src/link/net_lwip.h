/* lwIP (NO_SYS) over one Ethernet chip: DHCP, DNS, ARP, and IPv6 where it is built in (FK_IPV6).
 * Owns the stack and its timers. lwIP has process globals: one of these per program.
 *
 * The chip is asked, never called back: the loop calls fk_net_step when an interrupt or a deadline
 * woke it, before whatever uses the network.
 *
 * What is in lwIP and what its pools cost is in link/lwipopts.h. */
#ifndef FK_LINK_NET_LWIP_H
#define FK_LINK_NET_LWIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/rng.h"
#include "nic.h"

#include <lwip/dhcp.h>
#include <lwip/netif.h>

/* Frames moved by one step, count: a flood cannot keep the node from its own work. */
#define FK_NET_FRAMES_PER_STEP 4

/* The longest that a quiet stack sleeps, ms; ages are made up for at the next step. IPv6 has more
 * to time. */
#define FK_NET_IDLE_MS (LWIP_IPV6 ? 1000 : 5000)

/* Longest host name that is sent with DHCP, bytes (RFC 1035 §2.3.4, one label). A longer one is
 * left out. */
#define FK_NET_HOSTNAME_MAX 63

struct fk_net_config {
    struct fk_nic nic;
    const char *hostname; /* sent with DHCP; must stay valid; NULL: none */
    uint64_t (*mono_ms)(void *ctx);
    int (*entropy)(void *ctx, void *buf,
                   size_t len); /* port.h: for ports, ids and sequence numbers */
    void *ctx;
    const struct fk_log *log;
};

/* Members are private. Does not move after fk_net_init. */
struct fk_net {
    struct fk_net_config config;
    struct netif netif;
    struct dhcp dhcp;
    bool (*relief)(void *ctx);
    void *relief_ctx;
    struct fk_rng rng; /* stands in when the entropy source fails later */
    uint64_t beat_ms;  /* up to here lwIP's clock has run */
    uint32_t beats;
    uint32_t changes;
    uint32_t dropped;
    ip_addr_t known; /* the address that was logged; any: none */
    ip4_addr_t known_gateway;
    bool link;
    bool waits_for_link; /* the log says so; of the first link only */
    bool waits_for_dhcp; /* likewise */
    char address[IPADDR_STRLEN_MAX];
};

/* Starts the chip and the stack. 0; FK_E_ENTROPY; or what the chip's start said. */
int fk_net_init(struct fk_net *n, const struct fk_net_config *config);

/* Moves at most FK_NET_FRAMES_PER_STEP frames and runs the timers that are due. True: more may be
 * waiting. */
bool fk_net_step(struct fk_net *n);

/* When step is to be called although the chip is silent; absolute ms. Ask after everything that may
 * have sent. */
uint64_t fk_net_due(const struct fk_net *n);

bool fk_net_link(const struct fk_net *n);           /* the cable has a partner */
const char *fk_net_address(const struct fk_net *n); /* "" while there is none */
uint64_t fk_net_gateway_id(const struct fk_net *n); /* its MAC; 0 while unknown */

/* Whom lwIP knows by MAC address is asked for anew: where nobody answers any more, a router may
 * have been replaced, or the cable have moved to a network with the same addresses, and lwIP would
 * hold on to the old one for five minutes. */
void fk_net_forget_neighbors(struct fk_net *n);

/* Strangers (link/listen_lwip) share lwIP's memory with the connection to the API server, and give
 * way to it: relief ends a connection of theirs. Returns false when none held anything. NULL: there
 * are no strangers. */
void fk_net_set_relief(struct fk_net *n, bool (*relief)(void *ctx), void *ctx);

/* Not from within lwIP's callbacks. True: there is memory that was not there before, try again. */
bool fk_net_relieve(const struct fk_net *n);

/* Counts each time that an address was obtained, changed or lost, or the link came or went: a sign
 * to try again what failed before. */
uint32_t fk_net_changes(const struct fk_net *n);

/* Frames received that found no buffer. The peer repeats what mattered. */
uint32_t fk_net_dropped(const struct fk_net *n);

#endif
