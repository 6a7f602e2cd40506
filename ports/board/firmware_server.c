#include "board/firmware_server.h"

#include <string.h>

#if FK_SERVER

#include "base/date.h"
#include "firmware/keep.h"
#include "kubelet/server.h"
#include "link/listen_lwip.h"
#include "link/tls_server.h"

#define DAY_S 86400
#define SIGN_AGAIN_MS 60000  /* after a failure: it takes a tenth of a second and more */
#define READY_FIRST_MS 10000 /* so long after the start that does not delay Ready */

static struct {
    bool listens; /* there is a port */
    void (*emit)(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count); /* the log's, while the port starts */
    struct fk_heap heap;
    struct fk_listen_lwip tcp;
    struct fk_tls_server tls;
    struct fk_server server;
    struct fk_events events;
    struct fk_configmaps configmaps;
    struct fk_keep keep;
    struct fk_log_ring ring;
    uint64_t sign_ms;      /* no self-signed certificate before */
    int64_t fits_until_us; /* the present one, of our own: a day before its end. In every round, so
                              not a date to be taken apart */
    char named[IPADDR_STRLEN_MAX]; /* the address that the present one names */
} server;

static _Alignas(8) uint8_t heap_bytes[FK_BOARD_SERVER_HEAP_BYTES];
static char ring_bytes[FK_LOG_RING];

/* ---- starting -----------------------------------------------------------------------------------
 */

void fk_firmware_server_init(void) {
    fk_log_ring_init(&server.ring, ring_bytes, sizeof ring_bytes);
    fk_heap_init(&server.heap, heap_bytes, sizeof heap_bytes);
    (void)fk_keep_open(&server.keep, machine_state_flash());
}

void fk_firmware_server_log(const char *text, size_t len) {
    fk_log_ring_add(&server.ring, text, len);
}

void fk_firmware_server_prepare(struct fk_firmware *f) { (void)f; }

static int64_t wall_us(void *ctx) {
    const struct fk_firmware *f = ctx;
    return fk_client_now(&f->node.client, machine_ms()).wall_us;
}

/* What was refused and why is said in the log alone, which scrolls away: it is kept for status. */
static void keep_error(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                       size_t count) {
    struct fk_firmware *f = ctx;
    struct fk_writer w;
    server.emit(ctx, level, message, kvs, count);
    if (level != FK_ERROR) return;
    fk_writer_init(&w, f->why, sizeof f->why);
    if (kvs->str != NULL) fk_put_str(&w, kvs->str);
    if (kvs->str != NULL) fk_put_str(&w, ": ");
    fk_put_str(&w, message);
    (void)fk_writer_finish(&w);
}

static int start_tls(struct fk_firmware *f) {
    const struct fk_settings *s = &f->settings;
    const struct fk_tls_server_config config = {
        .under = fk_listen_lwip_listener(&server.tcp),
        .heap = &server.heap,
        .cert = s->server_cert.p,
        .cert_len = s->server_cert.len,
        .key = s->server_key.p,
        .key_len = s->server_key.len,
        .client_ca = s->client_ca.p,
        .client_ca_len = s->client_ca.len,
        .cert_name = "server-cert",
        .key_name = "server-key",
        .client_ca_name = "client-ca",
        .entropy = fk_firmware_port_ops.entropy,
        .wall_us = wall_us,
        .wall_ctx = f,
        .log = &f->log,
    };
    server.emit = f->log.emit;
    f->log.emit = keep_error;
    const int err = fk_tls_server_init(&server.tls, &config);
    f->log.emit = server.emit;
    return err;
}

/* The node needs no port of its own, and the cluster is told that there is none. */
static void stay_closed(struct fk_firmware *f, int err) {
    if (*f->why == '\0') (void)strncpy(f->why, fk_err_text(err), sizeof f->why - 1);
    f->port_closed = true;
    f->settings.node.kubelet_port = 0;
    fk_log(&f->log, FK_ERROR, "the kubelet's port stays closed", FK_STR("reason", f->why));
}

/* Listening last: nothing is to be undone. */
static void start_port(struct fk_firmware *f) {
    const struct fk_settings *s = &f->settings;
    int err = start_tls(f);
    if (err == 0) err = fk_listen_lwip_open(&server.tcp, &f->net, s->node.kubelet_port);
    if (err != 0) {
        stay_closed(f, err);
        return;
    }
    const struct fk_server_setup setup = {
        .heap = &server.heap,
        .handshakes = FK_SERVER_HANDSHAKES,
        .listener = fk_tls_server_listener(&server.tls),
        .log = &f->log,
        .sha256 = fk_crypto_sha256,
        .configmaps = &server.configmaps,
        .ring = &server.ring,
        .always_allowed = s->api_server_user,
        .open_health = s->open_health,
        .authn_hit_ms = s->authn_hit_ms,
        .authn_miss_ms = s->authn_miss_ms,
        .authz_allowed_ms = s->authz_allowed_ms,
        .authz_denied_ms = s->authz_denied_ms,
    };
    fk_server_init(&server.server, &f->node, &setup);
    server.listens = true;
}

void fk_firmware_server_start(struct fk_firmware *f) {
    const struct fk_settings *s = &f->settings;
    const struct fk_duty_env env = {&s->node, &f->log, &f->node.rng};
    const struct fk_options defaults = {
        .log_level = s->log_level,
        .led_brightness = s->led_brightness,
        .status_period_ms = s->node.status_update_ms,
    };
    fk_events_init(&server.events, &env);
    fk_node_add_duty(&f->node, &fk_events_ops, &server.events);
    fk_configmaps_init(&server.configmaps, &env, &f->node.port, &f->heap, &server.events, &defaults,
                       s->config_maps);
    fk_configmaps_attach(&server.configmaps, &f->node);
    if (s->node.kubelet_port != 0) start_port(f);
}

/* ---- running ------------------------------------------------------------------------------------
 */

/* As soon as address and date are known and the node is Ready, and again with each new address.
 * Without an address the former one will do: nobody comes. */
static void look_at_certificate(struct fk_firmware *f) {
    const char *address = fk_net_address(&f->net);
    const int64_t now_us = wall_us(f);
    const uint64_t now_ms = machine_ms();
    if (f->settings.server_cert.len > 0 || *address == '\0' || now_us == FK_WALL_UNKNOWN) return;
    if (f->ready_busy_us == 0 && now_ms < READY_FIRST_MS) return;
    const bool fits = now_us < server.fits_until_us && strcmp(address, server.named) == 0;
    if (fits || now_ms < server.sign_ms) return;
    server.sign_ms = fk_after(now_ms, SIGN_AGAIN_MS);
    const int err = fk_tls_server_self_sign(&server.tls, f->settings.node.name,
                                            f->settings.node.hostname, address, now_us);
    if (err != 0) {
        fk_log(&f->log, FK_WARN, "no certificate for the kubelet's port: tried again in a minute",
               FK_STR("error", fk_err_text(err)));
        return;
    }
    server.sign_ms = 0;
    server.fits_until_us = (fk_tls_server_not_after(&server.tls) - DAY_S) * 1000000;
    (void)strncpy(server.named, address, sizeof server.named - 1);
    fk_log(&f->log, FK_INFO, "signed a certificate for the kubelet's port",
           FK_STR("address", address));
}

bool fk_firmware_server_step(struct fk_firmware *f) {
    const struct fk_now now = fk_client_now(&f->node.client, machine_ms());
    const bool kept = fk_configmaps_step(&server.configmaps, now);
    if (!server.listens) return kept;
    look_at_certificate(f);
    return fk_server_step(&server.server) || kept;
}

uint64_t fk_firmware_server_due(void) {
    const uint64_t due_ms = fk_configmaps_due(&server.configmaps);
    return server.listens ? fk_sooner(due_ms, fk_server_due(&server.server)) : due_ms;
}

/* ---- what others ask ----------------------------------------------------------------------------
 */

void fk_firmware_server_figures(struct fk_port_figures *out) {
    if (!server.listens) return;
    out->handshakes = server.tls.stats.handshakes;
    out->handshake_failures = server.tls.stats.failures;
    out->server_heap_bytes = server.heap.size;
    out->server_heap_free_bytes = server.heap.size - server.heap.used_bytes;
    out->server_heap_low_bytes = server.heap.size - server.heap.peak_bytes;
}

int fk_firmware_server_keep(void *ctx, const void *bytes, size_t len) {
    (void)ctx;
    return fk_keep_save(&server.keep, bytes, len);
}

int fk_firmware_server_recall(void *ctx, void *buf, size_t cap) {
    (void)ctx;
    return fk_keep_load(&server.keep, buf, cap);
}

static void put_certificate(struct fk_console *c) {
    char text[24] = "";
    struct fk_writer w;
    const int64_t end_s = fk_tls_server_not_after(&server.tls);
    fk_writer_init(&w, text, sizeof text);
    if (end_s == FK_WALL_UNKNOWN) fk_put_str(&w, "none as yet");
    else fk_date_put_seconds(&w, end_s * 1000000);
    (void)fk_writer_finish(&w);
    fk_console_pair(c, "port-cert-end", text, 0);
}

static void put_port(struct fk_console *c) {
    const struct fk_house *h = &server.server.house;
    put_certificate(c);
    fk_console_pair(c, "port-open", NULL, h->connections);
    fk_console_pair(c, "port-accepted", NULL, h->accepted);
    fk_console_pair(c, "port-evicted", NULL, h->evicted);
    fk_console_pair(c, "port-turned-away", NULL, h->turned_away + server.tcp.refused);
    fk_console_pair(c, "port-handshakes", NULL, server.tls.stats.handshakes);
    fk_console_pair(c, "port-failures", NULL, server.tls.stats.failures);
    fk_console_pair(c, "port-no-memory", NULL, server.tls.stats.no_memory);
    fk_console_pair(c, "port-heap-used", NULL, server.heap.used_bytes);
    fk_console_pair(c, "port-heap-peak", NULL, server.heap.peak_bytes);
    fk_console_pair(c, "port-heap-size", NULL, server.heap.size);
}

static const char *configmap_text(const struct fk_configmap *m) {
    switch (m->state) {
    case FK_CONFIGMAP_UNKNOWN: return "not heard of since the start";
    case FK_CONFIGMAP_ABSENT: return "absent";
    case FK_CONFIGMAP_APPLIED: return "applied";
    case FK_CONFIGMAP_REFUSED: return m->why;
    }
    return "";
}

void fk_firmware_server_status(const struct fk_firmware *f, struct fk_console *c) {
    fk_console_pair(c, "port", NULL, f->settings.node.kubelet_port);
    if (f->port_closed) fk_console_pair(c, "port-closed", f->why, 0);
    if (server.listens) put_port(c);
    fk_console_pair(c, "memory-writes", NULL, server.configmaps.writes);
    fk_console_pair(c, "flash-writes", NULL, server.keep.writes);
    for (unsigned i = 0; i < server.configmaps.count; i++) {
        const struct fk_configmap *m = &server.configmaps.all[i];
        fk_console_pair(c, "config-map", m->ref, 0);
        fk_console_pair(c, "config-map-state", configmap_text(m), 0);
    }
}

#endif
