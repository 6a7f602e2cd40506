/* What lwIP wants to know of the compiler and the machine; included by lwip/arch.h. What lwIP is to
 * do is in link/lwipopts.h. */
#ifndef FK_LINK_ARCH_CC_H
#define FK_LINK_ARCH_CC_H

#include <stdint.h>

#include "base/assert.h"

/* Diagnostics would need printf, and their texts 10 KB of flash. */
#define LWIP_PLATFORM_DIAG(x)
/* Asserts stay: they guard against mistakes in the stack, and a reset heals. */
#define LWIP_PLATFORM_ASSERT(message) fk_assert_failed(__FILE__, __LINE__)

#define LWIP_NO_CTYPE_H 1

/* link/net_lwip.c: from the port's entropy. For transaction ids, ports and sequence numbers. */
uint32_t fk_net_random(void);
#define LWIP_RAND() fk_net_random()

/* A sequence number that nobody can guess, each time anew (RFC 6528 allows it: what it wants more,
 * growth for a reused pair of ports, is served by the ports being random as well). */
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) fk_net_random()

#endif
