/* One node in virtual time against an API server in memory: the real core, real TLS (Mbed TLS at
 * both ends) and real HTTP/2 (nghttp2 at both ends), with fixed entropy, so that every run does the
 * same, to the instruction. No network and no clock.
 *
 *   renewal_bench memory       what a node takes, counted by the allocator and sizeof
 *   renewal_bench hour         one virtual hour: handshakes, renewals, bytes
 *   renewal_bench renewals N   joins and renews N times; for a profiler's eyes
 *
 * Prints one figure per line: name, value, unit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mbedtls/platform.h>

#include "base/err.h"
#include "kubelet/node.h"
#include "link/tls.h"
#include "support/certs.h"
#include "support/duty_case.h"
#include "support/h2_peer.h"
#include "support/mem_pipe.h"

#define HEAP_SIZE 65536
#define BEGIN_S INT64_C(1782864000) /* 2026-07-01 */
#define HOUR_MS 3600000u
#define DAY_MS 86400000u
#define RENEWALS_TO_STEADY 60 /* by then HPACK's tables have been full for a while */

struct heap {
    struct fk_heap heap;
    _Alignas(8) uint8_t memory[HEAP_SIZE];
    uint32_t steady_bytes; /* largest use while nothing is under way, since the last reset */
};

struct far {
    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt chain, ca;
    struct h2_peer peer;
    struct fk_crypto_source source;
    uint32_t requests;
    bool secured; /* the handshake is over */
};

static struct {
    struct certs_id ca, server, client;
    char client_key[512];
    size_t client_key_len;

    uint64_t now_ms;
    struct heap tls_heap, h2_heap;
    bool serving; /* whose memory it is */
    struct mem_pipe link;
    struct far far;
    uint32_t handshakes;

    struct fk_log log;
    struct fk_node_config config;
    struct fk_tls tls;
    struct fk_node node;
} w;

static void must(bool fact, const char *what) {
    if (fact) return;
    (void)fprintf(stderr, "renewal_bench: %s\n", what);
    exit(1);
}

/* ---- the port ------------------------------------------------------------------------------- */

static uint64_t port_mono_ms(void *ctx) {
    (void)ctx;
    return w.now_ms;
}

static int64_t wall_us(void *ctx) {
    (void)ctx;
    return BEGIN_S * 1000000 + (int64_t)w.now_ms * 1000;
}

static void port_facts(void *ctx, struct fk_port_facts *out) {
    (void)ctx;
    *out = (struct fk_port_facts){
        .heap_free_bytes = 40000, .heap_total_bytes = HEAP_SIZE, .memory_pressure_bytes = 4096};
}

static const char *port_address(void *ctx) {
    (void)ctx;
    return "192.0.2.7";
}

static const struct fk_port_ops port_ops = {.mono_ms = port_mono_ms,
                                            .entropy = certs_entropy,
                                            .facts = port_facts,
                                            .address = port_address};

static void drop_line(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                      size_t count) {
    (void)ctx, (void)kvs, (void)count;
    if (level <= FK_WARN) (void)fprintf(stderr, "renewal_bench: %s\n", message);
}

/* ---- memory: the node's is counted, the server's comes from libc ------------------------------
 */

static void *world_calloc(size_t count, size_t size) {
    return w.serving ? calloc(count, size) : fk_heap_calloc(&w.tls_heap.heap, count, size);
}

static void world_free(void *p) {
    const uintptr_t at = (uintptr_t)p, base = (uintptr_t)w.tls_heap.memory;
    if (at >= base && at < base + HEAP_SIZE) fk_heap_free(&w.tls_heap.heap, p);
    else free(p);
}

/* ---- the API server ----------------------------------------------------------------------------
 */

static int far_send(void *ctx, const unsigned char *buf, size_t len) {
    (void)ctx;
    const int n = fk_pipe_send(mem_pipe_far(&w.link), buf, len);
    return n > 0 ? n : MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int far_recv(void *ctx, unsigned char *buf, size_t cap) {
    (void)ctx;
    const int n = fk_pipe_recv(mem_pipe_far(&w.link), buf, cap);
    return n > 0 ? n : n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

static bool asks_for(const struct h2_peer_stream *s, const char *method, const char *path) {
    char line[64];
    (void)snprintf(line, sizeof line, ":method: %s\n", method);
    if (strstr(s->head, line) == NULL) return false;
    (void)snprintf(line, sizeof line, ":path: %s", path);
    return strstr(s->head, line) != NULL;
}

/* The head that kube-apiserver 1.36 sends; its bodies are of the usual length, though only those
 * that the node reads have meaning. */
static void asked(void *ctx, struct h2_peer *p, struct h2_peer_stream *s) {
    (void)ctx;
    static uint8_t node[1024];
    char audit_id[40], date[40];
    const time_t now_s = (time_t)(wall_us(NULL) / 1000000);
    struct tm tm;
    must(gmtime_r(&now_s, &tm) != NULL, "gmtime");
    must(strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0, "strftime");
    w.far.requests++;
    (void)snprintf(audit_id, sizeof audit_id, "%08x-dead-4bee-8ace-%012llx",
                   w.far.requests * 2654435761u, (unsigned long long)w.far.requests * 7919);
    const char *fields[] = {"audit-id",
                            audit_id,
                            "cache-control",
                            "no-cache, private",
                            "content-type",
                            "application/vnd.kubernetes.protobuf",
                            "date",
                            date,
                            "x-kubernetes-pf-flowschema-uid",
                            "2b4e0b5f-7a1e-4a6a-9c0f-31e5c0ffee01",
                            "x-kubernetes-pf-prioritylevel-uid",
                            "c4d1e0aa-0b5e-4f0e-8d3b-31e5c0ffee02",
                            NULL};
    struct h2_peer_reply reply = {.status = "200", .fields = fields, .body_len = 485};
    if (asks_for(s, "GET", "/apis/coordination.k8s.io/")) {
        reply.status = "404";
        reply.body_len = 0;
    } else if (asks_for(s, "POST", "/api/v1/nodes")) {
        const struct fk_bytes body =
            duty_case_node(node, "6f1ed002-ab5d-42ff-ad53-0123456789ab", NULL, NULL, 0);
        reply.status = "201";
        reply.body = body.p;
        reply.body_len = body.len;
    } else if (asks_for(s, "POST", "/apis/coordination.k8s.io/")) {
        reply.status = "201";
    } else {
        must(asks_for(s, "PATCH", "/api"), "a request that this server does not know");
    }
    h2_peer_reply(p, s->id, &reply);
}

static void far_start(void) {
    struct far *f = &w.far;
    mbedtls_ssl_init(&f->ssl);
    mbedtls_ssl_config_init(&f->conf);
    mbedtls_x509_crt_init(&f->chain);
    mbedtls_x509_crt_init(&f->ca);
    static const char *alpn[] = {"h2", NULL};
    must(mbedtls_ssl_config_defaults(&f->conf, MBEDTLS_SSL_IS_SERVER, 0, 0) == 0 &&
             mbedtls_x509_crt_parse_der(&f->chain, w.server.der, w.server.der_len) == 0 &&
             mbedtls_x509_crt_parse_der(&f->ca, w.ca.der, w.ca.der_len) == 0 &&
             mbedtls_ssl_conf_own_cert(&f->conf, &f->chain, &w.server.key) == 0 &&
             mbedtls_ssl_conf_alpn_protocols(&f->conf, alpn) == 0,
         "TLS server");
    mbedtls_ssl_conf_ca_chain(&f->conf, &f->ca, NULL);
    mbedtls_ssl_conf_authmode(&f->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_rng(&f->conf, certs_random, NULL);
    must(mbedtls_ssl_setup(&f->ssl, &f->conf) == 0, "TLS server's session");
    mbedtls_ssl_set_bio(&f->ssl, NULL, far_send, far_recv, NULL);
    f->peer.asked = asked;
    /* What kube-apiserver announces. */
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 262144},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 262144},
    };
    h2_peer_open(&f->peer, settings, sizeof settings / sizeof settings[0]);
}

static void far_stop(void) {
    h2_peer_close(&w.far.peer);
    mbedtls_ssl_free(&w.far.ssl);
    mbedtls_ssl_config_free(&w.far.conf);
    mbedtls_x509_crt_free(&w.far.chain);
    mbedtls_x509_crt_free(&w.far.ca);
}

static void far_handshake(void) {
    const int ret = mbedtls_ssl_handshake(&w.far.ssl);
    must(ret == 0 || ret == MBEDTLS_ERR_SSL_WANT_READ, "the server's handshake failed");
    w.far.secured = ret == 0;
    w.handshakes += ret == 0;
}

static void far_talk(void) {
    uint8_t buf[4096];
    for (int n; (n = mbedtls_ssl_read(&w.far.ssl, buf, sizeof buf)) > 0;)
        must(h2_peer_feed(&w.far.peer, fk_bytes(buf, (size_t)n)) == 0, "the client's frames");
    const size_t len = h2_peer_pull(&w.far.peer, buf, 2048);
    if (len > 0) must(mbedtls_ssl_write(&w.far.ssl, buf, len) == (int)len, "the server's record");
}

static void far_work(void) {
    w.serving = true;
    struct fk_crypto_source *former = fk_crypto_swap(&w.far.source);
    if (!w.far.secured) far_handshake();
    if (w.far.secured) far_talk();
    (void)fk_crypto_swap(former);
    w.serving = false;
}

/* ---- the world ----------------------------------------------------------------------------------
 */

static void make_identities(enum certs_kind server) {
    static const struct certs_spec ca = {.subject = "CN=kubernetes", .ca = true};
    static const struct certs_spec leaf = {
        .subject = "CN=kube-apiserver",
        .dns = {"kubernetes", "kubernetes.default.svc.cluster.local", "api.example"}};
    static const struct certs_spec node = {.subject = "CN=system:node:board-1,O=system:nodes",
                                           .client_only = true};
    certs_key(&w.ca, server); /* kubeadm and k3s: the CA has the kind of key that it signs for */
    certs_issue(&w.ca, &ca, NULL);
    certs_key(&w.server, server);
    certs_issue(&w.server, &leaf, &w.ca);
    certs_key(&w.client, CERTS_P256);
    certs_issue(&w.client, &node, &w.ca);
    w.client_key_len = certs_key_pem(&w.client, w.client_key, sizeof w.client_key);
}

static void start_tls(void) {
    fk_heap_init(&w.tls_heap.heap, w.tls_heap.memory, HEAP_SIZE);
    fk_heap_init(&w.h2_heap.heap, w.h2_heap.memory, HEAP_SIZE);
    fk_tls_use_heap(&w.tls_heap.heap);
    mbedtls_platform_set_calloc_free(world_calloc, world_free);
    const struct fk_tls_config tls = {
        .under = mem_pipe_near(&w.link),
        .server_name = "api.example",
        .ca = (const uint8_t *)w.ca.pem,
        .ca_len = strlen(w.ca.pem) + 1,
        .cert = (const uint8_t *)w.client.pem,
        .cert_len = strlen(w.client.pem) + 1,
        .key = (const uint8_t *)w.client_key,
        .key_len = w.client_key_len,
        .entropy = certs_entropy,
        .wall_us = wall_us,
        .log = &w.log,
    };
    must(fk_tls_init(&w.tls, &tls) == 0, "fk_tls_init");
}

/* one_heap: as every port has it; otherwise TLS and HTTP/2 are counted apart. */
static void world_start(enum certs_kind server, bool one_heap, uint32_t report_ms) {
    memset(&w, 0, sizeof w);
    w.far.source.entropy = certs_entropy;
    w.log = (struct fk_log){FK_WARN, NULL, drop_line};
    w.now_ms = 1000;
    mbedtls_platform_set_calloc_free(calloc, free);
    make_identities(server);
    mem_pipe_init(&w.link);
    start_tls();
    w.serving = true;
    far_start();
    w.serving = false;
    w.config = duty_case_config;
    w.config.status_report_ms = report_ms;
    const struct fk_node_setup setup = {
        .config = &w.config,
        .port = {&port_ops, NULL},
        .pipe = fk_tls_pipe(&w.tls),
        .heap = one_heap ? &w.tls_heap.heap : &w.h2_heap.heap,
        .authority = "api.example:6443",
        .user_agent = "femtokubelet/0.1.0 (linux/amd64)",
        .log = &w.log,
        .seed = 1,
    };
    must(fk_node_init(&w.node, &setup) == 0, "fk_node_init");
}

static void world_end(void) {
    while (!fk_client_shutdown(&w.node.client, w.now_ms)) {
    }
    fk_tls_free(&w.tls);
    must(w.tls_heap.heap.used_bytes == 0 && w.h2_heap.heap.used_bytes == 0, "a leak");
    w.serving = true;
    far_stop();
    certs_free(&w.ca);
    certs_free(&w.server);
    certs_free(&w.client);
}

static void note_steady(struct heap *h) {
    if (h->heap.used_bytes > h->steady_bytes) h->steady_bytes = h->heap.used_bytes;
}

/* Everything that can happen without time passing; then on to the next moment when something is
 * due. The network has no latency. */
static void pass(void) {
    size_t before;
    do {
        before = w.link.to_near.received + w.link.to_far.sent;
        while (fk_node_step(&w.node) || fk_tls_ready(&w.tls)) {
        }
        far_work();
    } while (before != w.link.to_near.received + w.link.to_far.sent ||
             w.link.to_near.sent != w.link.to_near.received);
    note_steady(&w.tls_heap);
    note_steady(&w.h2_heap);
    const uint64_t due_ms = fk_node_due(&w.node);
    must(due_ms != FK_NEVER, "the node waits for nothing");
    w.now_ms = due_ms > w.now_ms ? due_ms : w.now_ms + 1;
}

static void pass_until_renewals(uint32_t renewals) {
    while (w.node.lease.renewals < renewals) {
        pass();
        must(w.now_ms < (uint64_t)DAY_MS * 365, "no renewals");
    }
}

/* ---- figures
 * ---------------------------------------------------------------------------------------- */

static void print(const char *name, size_t value, const char *unit) {
    (void)printf("%s %zu %s\n", name, value, unit);
}

static void print_parts(const char *suffix, size_t peak, size_t steady) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s_peak_bytes", suffix);
    print(name, peak, "B");
    (void)snprintf(name, sizeof name, "%s_steady_bytes", suffix);
    print(name, steady, "B");
}

static void run_to_steady(enum certs_kind server, bool one_heap) {
    world_start(server, one_heap, 300000);
    pass_until_renewals(2);
    w.tls_heap.steady_bytes = w.h2_heap.steady_bytes = 0; /* of the handshake */
    pass_until_renewals(RENEWALS_TO_STEADY);
}

static void print_memory_of(enum certs_kind server, const char *suffix) {
    const size_t structs = sizeof w.node + sizeof w.tls;
    char name[64];
    run_to_steady(server, true);
    (void)snprintf(name, sizeof name, "node_memory%s", suffix);
    print_parts(name, structs + w.tls_heap.heap.peak_bytes, structs + w.tls_heap.steady_bytes);
    world_end();
    run_to_steady(server, false);
    (void)snprintf(name, sizeof name, "heap_tls%s", suffix);
    print_parts(name, w.tls_heap.heap.peak_bytes, w.tls_heap.steady_bytes);
    (void)snprintf(name, sizeof name, "heap_h2%s", suffix);
    print_parts(name, w.h2_heap.heap.peak_bytes, w.h2_heap.steady_bytes);
    world_end();
}

static void print_sizes(void) {
    print("sizeof_node_bytes", sizeof(struct fk_node), "B");
    print("sizeof_client_bytes", sizeof(struct fk_client), "B");
    print("sizeof_conditions_bytes", sizeof(struct fk_conditions), "B");
    print("sizeof_register_bytes", sizeof(struct fk_register), "B");
    print("sizeof_lease_bytes", sizeof(struct fk_lease), "B");
    print("sizeof_status_bytes", sizeof(struct fk_status), "B");
    print("sizeof_pb_bytes", sizeof(struct fk_pb), "B");
    print("sizeof_tls_bytes", sizeof(struct fk_tls), "B");
}

static void memory(void) {
    print_sizes();
    print_memory_of(CERTS_P256, "");
    print_memory_of(CERTS_RSA2048, "_rsa");
}

static void hour(void) {
    world_start(CERTS_P256, true, 300000);
    const uint64_t end_ms = w.now_ms + HOUR_MS;
    while (w.now_ms < end_ms) pass();
    print("handshakes_per_hour", w.handshakes, "handshakes");
    print("renewals_per_hour", w.node.lease.renewals, "renewals");
    print("status_reports_per_hour", w.node.status.reports, "reports");
    print("requests_per_hour", w.far.requests, "requests");
    world_end();
}

static void renewals(uint32_t count) {
    world_start(CERTS_P256, true, DAY_MS);
    pass_until_renewals(count);
    print("renewals", w.node.lease.renewals, "renewals");
    world_end();
}

int main(int argc, char *argv[]) {
    if (argc == 2 && strcmp(argv[1], "memory") == 0) memory();
    else if (argc == 2 && strcmp(argv[1], "hour") == 0) hour();
    else if (argc == 3 && strcmp(argv[1], "renewals") == 0)
        renewals((uint32_t)strtoul(argv[2], NULL, 10));
    else must(false, "usage: renewal_bench memory | hour | renewals N");
    return 0;
}
