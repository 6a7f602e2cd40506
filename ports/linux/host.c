#include "linux/host.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "linux/facts.h"
#include "linux/keep.h"
#include "linux/services.h"

uint64_t fk_host_mono_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int64_t fk_host_wall_us(void *ctx) {
    (void)ctx;
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int fk_host_entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    uint8_t *p = buf;
    while (len > 0) {
        const ssize_t got = getrandom(p, len, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return FK_E_ENTROPY;
        p += got;
        len -= (size_t)got;
    }
    return 0;
}

static uint64_t port_mono_ms(void *ctx) {
    (void)ctx;
    return fk_host_mono_ms();
}

static void port_facts(void *ctx, struct fk_port_facts *out) {
    const struct fk_host *h = ctx;
    *out = (struct fk_port_facts){
        .heap_free_bytes = h->heap.size - h->heap.used_bytes,
        .heap_total_bytes = h->heap.size,
        .memory_pressure_bytes = FK_HOST_MEMORY_PRESSURE_BYTES,
        .gateway_id = fk_gateway_read(),
    };
}

static const char *port_address(void *ctx) {
    const struct fk_host *h = ctx;
    return h->node_ip != NULL ? h->node_ip : fk_tcp_local_address(h->tcp);
}

static uint64_t port_mono_us(void *ctx) {
    (void)ctx;
    struct timespec t;
    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Memory is what the node itself needs, of what is set aside for it: code and the C library are not
 * its own, and a board would not have them. */
static void port_figures(void *ctx, struct fk_port_figures *out) {
    const struct fk_host *h = ctx;
    struct timespec cpu;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    *out = (struct fk_port_figures){
        .cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000 + 1,
        .memory_total_bytes = h->static_bytes,
        .heap_low_bytes = h->heap.size - h->heap.peak_bytes,
        .heap_largest_bytes = fk_heap_largest(&h->heap),
        .heap_failures = h->heap.failures,
    };
    if (h->services != NULL) fk_services_figures(h->services, out);
    out->memory_working_bytes =
        h->static_bytes - (h->heap.size - h->heap.used_bytes) - out->server_heap_free_bytes;
}

static void port_apply(void *ctx, const struct fk_options *options) {
    const struct fk_host *h = ctx;
    h->log->level = (enum fk_level)options->log_level; /* there is no LED */
}

static int port_keep(void *ctx, const void *bytes, size_t len) {
    const struct fk_host *h = ctx;
    return h->root_dir == NULL ? 0 : fk_keep_write(h->root_dir, bytes, len, h->log);
}

static int port_recall(void *ctx, void *buf, size_t cap) {
    const struct fk_host *h = ctx;
    return h->root_dir == NULL ? 0 : fk_keep_read(h->root_dir, buf, cap, h->log);
}

struct fk_port fk_host_port(struct fk_host *h) {
    static const struct fk_port_ops ops = {
        .mono_ms = port_mono_ms,
        .entropy = fk_host_entropy,
        .facts = port_facts,
        .address = port_address,
        .mono_us = port_mono_us,
        .figures = port_figures,
        .apply = port_apply,
        .keep = port_keep,
        .recall = port_recall,
    };
    return (struct fk_port){&ops, h};
}

void fk_host_init(struct fk_host *h, const char *node_ip, const struct fk_tcp *tcp) {
    h->node_ip = node_ip;
    h->tcp = tcp;
    fk_heap_init(&h->heap, h->heap_bytes, sizeof h->heap_bytes);
}
