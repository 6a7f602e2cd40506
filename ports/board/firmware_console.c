/* The serial line: log, console and the figures behind its command status. */
#include <string.h>

#include "base/log_text.h"
#include "board/firmware_server.h"
#include "firmware/keep.h"
#include "version.h"

/* A log line is written in pieces of so many bytes, each formatted anew: a refused certificate
 * takes 700, and this is on the stack. */
#define PIECE 128

/* ---- log lines ----------------------------------------------------------------------------------
 */

struct line {
    uint64_t at_ms;
    enum fk_level level;
    const char *message;
    const struct fk_kv *kvs;
    size_t count;
};

/* "I 12.345 message key=value" */
static void put_line(struct fk_writer *w, const struct line *l) {
    fk_put_char(w, "EWID"[l->level]);
    fk_put_char(w, ' ');
    fk_put_u64(w, l->at_ms / 1000);
    fk_put_char(w, '.');
    fk_put_padded(w, l->at_ms % 1000, 3);
    fk_put_char(w, ' ');
    fk_put_str(w, l->message);
    fk_log_put_pairs(w, l->kvs, l->count);
}

/* What the serial line takes is not the program's work: an emulated one waits for whoever reads. */
static void put_out(struct fk_firmware *f, const char *text, size_t len) {
    const uint64_t begun_us = machine_us();
    machine_write(text, len);
    f->written_us += machine_us() - begun_us;
}

static void emit(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    struct fk_firmware *f = ctx;
    const struct line line = {machine_ms(), level, message, kvs, count};
    char piece[PIECE];
    struct fk_writer w;
    size_t done = 0;
    fk_console_before_output(&f->console);
    do {
        fk_writer_window(&w, piece, sizeof piece, done);
        put_line(&w, &line);
        put_out(f, piece, fk_writer_kept(&w));
        fk_firmware_server_log(piece, fk_writer_kept(&w));
        done += sizeof piece;
    } while (done < w.len);
    put_out(f, "\r\n", 2);
    fk_firmware_server_log("\n", 1);
    fk_console_after_output(&f->console);
}

/* ---- the console's commands ---------------------------------------------------------------------
 */

static void write_text(void *ctx, const char *text, size_t len) { put_out(ctx, text, len); }

static void reboot(void *ctx) {
    (void)ctx;
    machine_reboot();
}

/* Not in use: what is kept was read at the start, and the reboot follows. */
static int forget(void *ctx) {
    (void)ctx;
    return fk_keep_forget(machine_state_flash());
}

static const char *reset_text(void) { return fk_reset_text(machine_reset_record()->reason); }

static const char *down_text(const struct fk_firmware *f) {
    if (!fk_net_link(&f->net)) return "no link: plug the cable in, at both ends";
    if (*fk_net_address(&f->net) == '\0') return "no address: is there a DHCP server?";
    return "not connected: see the log for the reason";
}

static const char *state_text(const struct fk_firmware *f) {
    if (f->trouble != NULL) return f->trouble;
    if (!f->started) return f->why;
    switch (f->node.client.state) {
    case FK_LINK_DOWN: return down_text(f);
    case FK_LINK_CONNECTING: return "connecting";
    case FK_LINK_UP:
        return fk_lease_overdue(&f->node.lease, machine_ms(), FK_NEVER)
                   ? "connected, but the Lease is overdue"
                   : "connected";
    case FK_LINK_DRAINING: return "changing the connection";
    case FK_LINK_LEAVING: return "leaving";
    }
    return "";
}

static void put_node(struct fk_firmware *f, struct fk_console *c) {
    fk_console_pair(c, "node", f->settings.node.name, 0);
    fk_console_pair(c, "server", f->settings.authority, 0);
    fk_console_pair(c, "renewals", NULL, f->node.lease.renewals);
    fk_console_pair(c, "attempts", NULL, f->node.client.stats.connect_tries);
    fk_console_pair(c, "connections", NULL, f->node.client.stats.connects);
    fk_console_pair(c, "requests", NULL, f->node.client.stats.requests);
    fk_console_pair(c, "failures", NULL, f->node.client.stats.failures);
}

static void put_network(struct fk_firmware *f, struct fk_console *c) {
    struct fk_nic_stats n;
    f->nic.ops->stats(f->nic.ctx, &n);
    fk_console_pair(c, "link", fk_net_link(&f->net) ? "up" : "down", 0);
    fk_console_pair(c, "address", fk_net_address(&f->net), 0);
    fk_console_pair(c, "rx-frames", NULL, n.rx_frames);
    fk_console_pair(c, "rx-errors", NULL, n.rx_errors);
    fk_console_pair(c, "rx-dropped", NULL, n.rx_dropped);
    fk_console_pair(c, "rx-no-buffer", NULL, fk_net_dropped(&f->net));
    fk_console_pair(c, "tx-frames", NULL, n.tx_frames);
    fk_console_pair(c, "tx-errors", NULL, n.tx_errors);
    fk_console_pair(c, "tx-dropped", NULL, n.tx_dropped);
    fk_console_pair(c, "link-downs", NULL, n.link_downs);
}

static void put_memory(struct fk_firmware *f, struct fk_console *c) {
    fk_console_pair(c, "heap-used", NULL, f->heap.used_bytes);
    fk_console_pair(c, "heap-peak", NULL, f->heap.peak_bytes);
    fk_console_pair(c, "heap-size", NULL, f->heap.size);
    fk_console_pair(c, "heap-failures", NULL, f->heap.failures);
    fk_console_pair(c, "stack-peak", NULL, (int64_t)machine_stack_peak());
    fk_console_pair(c, "stack-size", NULL, (int64_t)machine_stack_size());
}

static void put_time(struct fk_firmware *f, struct fk_console *c) {
    const uint64_t now_us = machine_us();
    fk_console_pair(c, "uptime-s", NULL, (int64_t)(now_us / 1000000));
    fk_console_pair(c, "busy-us", NULL, (int64_t)(now_us - f->slept_us - f->written_us));
    fk_console_pair(c, "sleeps", NULL, f->sleeps);
    fk_console_pair(c, "ready-busy-us", NULL, (int64_t)f->ready_busy_us);
    fk_console_pair(c, "max-step-us", NULL, f->max_step_us);
    fk_console_pair(c, "led-gap-ms", NULL, f->led_gap_ms);
}

static void status(void *ctx, struct fk_console *c) {
    struct fk_firmware *f = ctx;
    fk_console_pair(c, "version", FK_VERSION, 0);
    fk_console_pair(c, "machine", machine_facts.name, 0);
    fk_console_pair(c, "reset", reset_text(), 0);
    fk_console_pair(c, "state", state_text(f), 0);
    fk_console_pair(c, "led", fk_led_name((enum fk_led_pattern)f->led.pattern), 0);
    if (f->started) put_node(f, c);
    if (f->started) put_network(f, c);
    if (f->started) fk_firmware_server_status(f, c);
    put_memory(f, c);
    put_time(f, c);
}

static void put_hex(struct fk_writer *w, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        fk_put_char(w, "0123456789abcdef"[bytes[i] >> 4]);
        fk_put_char(w, "0123456789abcdef"[bytes[i] & 15]);
    }
}

/* file, line and pc only where they are known; the pc as tools that look it up want it. */
static void log_start(struct fk_firmware *f) {
    const struct fk_reset_record *reset = machine_reset_record();
    char line[12] = "", pc[12] = "";
    struct fk_writer w;
    if (reset->file != NULL) {
        fk_writer_init(&w, line, sizeof line);
        fk_put_u64(&w, reset->line);
        (void)fk_writer_finish(&w);
    }
    if (reset->pc != 0) {
        const uint8_t bytes[] = {(uint8_t)(reset->pc >> 24), (uint8_t)(reset->pc >> 16),
                                 (uint8_t)(reset->pc >> 8), (uint8_t)reset->pc};
        fk_writer_init(&w, pc, sizeof pc);
        fk_put_str(&w, "0x");
        put_hex(&w, bytes, sizeof bytes);
        (void)fk_writer_finish(&w);
    }
    fk_log(&f->log, FK_INFO, "femtokubelet " FK_VERSION, FK_STR("machine", machine_facts.name),
           FK_STR("reset", reset_text()), FK_STR("file", reset->file != NULL ? reset->file : ""),
           FK_STR("line", line), FK_STR("pc", pc), FK_INT("restarts", reset->restarts));
}

void fk_firmware_console_init(struct fk_firmware *f) {
    static const struct fk_console_ops ops = {write_text, status, reboot, forget};
    fk_firmware_server_init();
    f->log = (struct fk_log){.level = FK_INFO, .ctx = f, .emit = emit};
    const int err = fk_store_open(&f->store, machine_flash());
    fk_console_init(&f->console, &ops, f, &f->store);
    log_start(f);
    if (err != 0)
        fk_log(&f->log, FK_ERROR, "no flash for settings", FK_STR("reason", "none is usable"));
}

/* ---- the Node object ----------------------------------------------------------------------------
 */

/* RFC 9562 version 4: of random bytes, new at each boot. */
static void make_boot_id(char out[37]) {
    uint8_t b[16];
    if (machine_entropy(b, sizeof b) != 0) memset(b, 0, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    struct fk_writer w;
    fk_writer_init(&w, out, 37);
    for (size_t g = 0, at = 0; g < sizeof groups; at += groups[g++]) {
        if (g > 0) fk_put_char(&w, '-');
        put_hex(&w, b + at, groups[g]);
    }
    (void)fk_writer_finish(&w);
}

/* As machine-id(5), 32 hexadecimal digits; ours are the MAC address behind zeros. */
static void make_machine_id(struct fk_firmware *f) {
    uint8_t id[16] = {0};
    f->nic.ops->address(f->nic.ctx, id + 10);
    struct fk_writer w;
    fk_writer_init(&w, f->machine_id, sizeof f->machine_id);
    put_hex(&w, id, sizeof id);
    (void)fk_writer_finish(&w);
}

void fk_firmware_describe(struct fk_firmware *f) {
    make_boot_id(f->boot_id);
    make_machine_id(f);
    struct fk_node_config *n = &f->settings.node;
    n->system = (struct fk_system_info){
        .machine_id = f->machine_id,
        .system_uuid = f->machine_id,
        .boot_id = f->boot_id,
        .kernel_version = "none",
        .os_image = machine_facts.image,
        .container_runtime = "none://" FK_VERSION,
        .kubelet_version = FK_KUBELET_VERSION,
        .operating_system = "none", /* as in target triples; see DESIGN.md */
        .architecture = machine_facts.architecture,
    };
    n->reset_reason = reset_text();
    n->resource_count = 0;
    n->resources[n->resource_count++] = (struct fk_pair){"cpu", machine_facts.cpu};
    n->resources[n->resource_count++] = (struct fk_pair){"memory", machine_facts.memory};
    n->resources[n->resource_count++] = (struct fk_pair){"pods", "0"};
    struct fk_writer w;
    fk_writer_init(&w, f->user_agent, sizeof f->user_agent);
    fk_put_str(&w, "femtokubelet/" FK_VERSION " (none/");
    fk_put_str(&w, machine_facts.architecture);
    fk_put_char(&w, ')');
    (void)fk_writer_finish(&w);
}
