/* port.h for Linux: clocks, randomness, facts, and the heap of fixed size that TLS and HTTP/2 live
 * in. */
#ifndef FK_PORTS_LINUX_HOST_H
#define FK_PORTS_LINUX_HOST_H

#include "base/heap.h"
#include "link/tcp_socket.h"
#include "port.h"

#define FK_HOST_HEAP_BYTES 65536u
/* picokubelet's threshold: below it, free heap is MemoryPressure. */
#define FK_HOST_MEMORY_PRESSURE_BYTES 20480u

struct fk_services;

struct fk_host {
    const char *node_ip; /* NULL: the connection's own address */
    const struct fk_tcp *tcp;
    const struct fk_services *services; /* NULL: none as yet */
    struct fk_log *log;                 /* whose level ConfigMaps may set */
    const char *root_dir;               /* NULL: nothing is kept */
    size_t static_bytes;                /* of the program's own state, heaps included */
    struct fk_heap heap;
    _Alignas(8) uint8_t heap_bytes[FK_HOST_HEAP_BYTES];
};

/* Does not move afterwards. */
void fk_host_init(struct fk_host *h, const char *node_ip, const struct fk_tcp *tcp);
struct fk_port fk_host_port(struct fk_host *h);

/* CLOCK_BOOTTIME in ms: it goes on while the machine is suspended. The Lease ran out meanwhile and
 * the connection is dead, and with CLOCK_MONOTONIC nobody would notice until the rest of the old
 * deadline has passed; wall time, which is carried on by this clock, would be behind. */
uint64_t fk_host_mono_ms(void);

/* getrandom(2), which waits only until the kernel was seeded once since boot. 0 or FK_E_ENTROPY.
 * ctx is not used: shaped for fk_port_ops and fk_tls_config. */
int fk_host_entropy(void *ctx, void *buf, size_t len);

/* CLOCK_REALTIME in us, for judging certificates. ctx is not used. */
int64_t fk_host_wall_us(void *ctx);

#endif
