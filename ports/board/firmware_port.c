/* What the node asks of its port (src/port.h), as a board has it. */
#include "board/firmware_server.h"

static uint64_t mono_ms(void *ctx) {
    (void)ctx;
    return machine_ms();
}

static int entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    return machine_entropy(buf, len);
}

static void facts(void *ctx, struct fk_port_facts *out) {
    const struct fk_firmware *f = ctx;
    *out = (struct fk_port_facts){
        .heap_free_bytes = f->heap.size - f->heap.used_bytes,
        .heap_total_bytes = f->heap.size,
        .memory_pressure_bytes = FK_BOARD_MEMORY_PRESSURE_BYTES,
        .gateway_id = fk_net_gateway_id(&f->net),
    };
}

static const char *address(void *ctx) {
    const struct fk_firmware *f = ctx;
    return fk_net_address(&f->net);
}

#if FK_SERVER /* who would ask for the rest */

static uint64_t mono_us(void *ctx) {
    (void)ctx;
    return machine_us();
}

static void put_nic(const struct fk_firmware *f, struct fk_port_figures *out) {
    struct fk_nic_stats n;
    f->nic.ops->stats(f->nic.ctx, &n);
    out->has_nic = true;
    out->rx_frames = n.rx_frames;
    out->rx_errors = n.rx_errors;
    out->rx_dropped = n.rx_dropped + fk_net_dropped(&f->net);
    out->tx_frames = n.tx_frames;
    out->tx_errors = n.tx_errors;
    out->tx_dropped = n.tx_dropped;
    out->link_downs = n.link_downs;
}

static void put_led(const struct fk_firmware *f, struct fk_port_figures *out) {
    const struct fk_rgb color = fk_led_color(&f->led, (uint32_t)machine_ms());
    out->led_pattern = fk_led_name((enum fk_led_pattern)f->led.pattern);
    out->led_rgb[0] = color.r;
    out->led_rgb[1] = color.g;
    out->led_rgb[2] = color.b;
}

/* What the heaps have free is in use by nobody; of the stack counts what was ever written. */
static void put_memory(const struct fk_firmware *f, struct fk_port_figures *out) {
    out->stack_size_bytes = (uint32_t)machine_stack_size();
    out->stack_peak_bytes = (uint32_t)machine_stack_peak();
    out->heap_low_bytes = f->heap.size - f->heap.peak_bytes;
    out->heap_largest_bytes = fk_heap_largest(&f->heap);
    out->heap_failures = f->heap.failures;
    fk_firmware_server_figures(out);
    out->memory_total_bytes = machine_ram_size();
    out->memory_working_bytes = machine_ram_static() + out->stack_peak_bytes -
                                (f->heap.size - f->heap.used_bytes) - out->server_heap_free_bytes;
}

static void figures(void *ctx, struct fk_port_figures *out) {
    const struct fk_firmware *f = ctx;
    *out = (struct fk_port_figures){
        .cpu_us = machine_us() - f->slept_us + 1, /* never 0 */
        .restarts = machine_reset_record()->restarts,
        .cpu_mhz = machine_facts.cpu_mhz,
    };
    put_memory(f, out);
    put_nic(f, out);
    put_led(f, out);
}

static bool gpio(void *ctx, unsigned index, struct fk_gpio *out) {
    (void)ctx;
    return machine_gpio(index, out);
}

static void apply(void *ctx, const struct fk_options *options) {
    struct fk_firmware *f = ctx;
    f->log.level = (enum fk_level)options->log_level;
    fk_led_brightness(&f->led, options->led_brightness);
}

#endif

const struct fk_port_ops fk_firmware_port_ops = {
    .mono_ms = mono_ms,
    .entropy = entropy,
    .facts = facts,
    .address = address,
#if FK_SERVER
    .mono_us = mono_us,
    .figures = figures,
    .gpio = gpio,
    .apply = apply,
    .keep = fk_firmware_server_keep,
    .recall = fk_firmware_server_recall,
#endif
};
