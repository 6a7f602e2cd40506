/* For link_tls_server_*_test.c and link_tls_peer_test.c: the server under test over pipes in
 * memory, and Mbed TLS clients at their far ends. The server has a heap of its own; clients and
 * certificates have another. */
#ifndef TESTS_UNIT_LINK_TLS_SERVER_WORLD_H
#define TESTS_UNIT_LINK_TLS_SERVER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/platform.h>
#include <mbedtls/ssl.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/writer.h"
#include "link/tls_server.h"
#include "support/certs.h"
#include "support/mem_pipe.h"

#define HEAP_SIZE 131072
#define FAR_HEAP_SIZE (1 << 20)
#define SECOND INT64_C(1000000)
#define IN_2026 (INT64_C(1782864000) * SECOND) /* 2026-07-01 */
#define CLIENTS FK_SERVER_CONNECTIONS

/* ---- Identities, made once ------------------------------------------------------------------ */

static struct {
    struct certs_id ca, other_ca, same_name_ca, server, client;
    uint8_t server_key[256];
    size_t server_key_len;
} id;

static inline void issue(struct certs_id *out, struct certs_spec spec, struct certs_id *by) {
    certs_key(out, CERTS_P256);
    certs_issue(out, &spec, by);
}

static inline void make_identities(void) {
    issue(&id.ca, (struct certs_spec){.subject = "CN=kubernetes-ca", .ca = true}, NULL);
    issue(&id.other_ca, (struct certs_spec){.subject = "CN=other", .ca = true}, NULL);
    issue(&id.same_name_ca, (struct certs_spec){.subject = "CN=kubernetes-ca", .ca = true}, NULL);
    issue(&id.server, (struct certs_spec){.subject = "CN=node", .dns = {"node.example"}}, &id.ca);
    issue(&id.client,
          (struct certs_spec){.subject = "CN=kube-apiserver-kubelet-client",
                              .groups = {"system:masters", "second"},
                              .client_only = true},
          &id.ca);
    id.server_key_len = certs_key_der(&id.server, id.server_key, sizeof id.server_key);
}

/* ---- The world ------------------------------------------------------------------------------ */

struct client {
    /* knobs */
    mbedtls_ssl_protocol_version min, max;
    struct certs_id *leaf, *intermediate; /* leaf NULL: no certificate */
    const char *alpn[3];

    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt chain, server_ca;
    bool up, over, no_check;
    int err;
    uint8_t secret[32]; /* TLS 1.3: of its application data */
    uint8_t got[32768];
    size_t got_len;
};

static struct {
    struct fk_heap heap, far_heap;
    _Alignas(8) uint8_t memory[HEAP_SIZE];
    _Alignas(8) uint8_t far_memory[FAR_HEAP_SIZE];
    struct fk_log log;
    char lines[8192];
    struct mem_pipe links[CLIENTS];
    bool calling[CLIENTS]; /* a client waits to be taken in there */
    struct client clients[CLIENTS];
    struct fk_tls_server_config cfg;
    struct fk_tls_server server;
    struct fk_listener listener;
    int64_t wall_us;
    size_t entropy_left; /* calls until it fails; SIZE_MAX: never */
    size_t allocs_left;  /* the same of the server's memory, with fail_allocations */
    bool far;            /* a client is at work */
    int err[CLIENTS];    /* of the server's sessions */
    uint8_t got[CLIENTS][32768];
    size_t got_len[CLIENTS];
} w;

/* Memory as link/crypto gives it, but that of the server runs out after allocs_left requests. */
static inline void *failing_calloc(size_t count, size_t size) {
    if (w.far) {
        return fk_heap_calloc(&w.far_heap, count, size);
    }
    if (w.allocs_left == 0) {
        w.heap.failures++;
        return NULL;
    }
    w.allocs_left -= w.allocs_left != SIZE_MAX;
    return fk_heap_calloc(&w.heap, count, size);
}

static inline void failing_free(void *p) {
    const uintptr_t at = (uintptr_t)p, base = (uintptr_t)w.memory;
    fk_heap_free(at >= base && at - base < HEAP_SIZE ? &w.heap : &w.far_heap, p);
}

/* For the rest of the test. */
static inline void fail_allocations(void) {
    (void)mbedtls_platform_set_calloc_free(failing_calloc, failing_free);
}

static inline int world_entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    if (w.entropy_left == 0) {
        return FK_E_ENTROPY;
    }
    w.entropy_left -= w.entropy_left != SIZE_MAX;
    return certs_entropy(NULL, buf, len);
}

static inline int64_t world_wall(void *ctx) {
    (void)ctx;
    return w.wall_us;
}

static inline void world_log(void *ctx, enum fk_level level, const char *message,
                             const struct fk_kv *kvs, size_t count) {
    (void)ctx, (void)level;
    struct fk_writer line;
    const size_t at = strlen(w.lines);
    if (sizeof w.lines - at < 256) {
        return;
    }
    fk_writer_init(&line, w.lines + at, sizeof w.lines - at);
    fk_put_str(&line, message);
    for (size_t i = 0; i < count; i++) {
        if (kvs[i].str == NULL) continue;
        fk_put_char(&line, ' ');
        fk_put_str(&line, kvs[i].key);
        fk_put_char(&line, '=');
        fk_put_str(&line, kvs[i].str);
    }
    fk_put_char(&line, '\n');
    (void)fk_writer_finish(&line);
}

static inline void assert_logged(const char *text) {
    if (strstr(w.lines, text) == NULL) {
        fail_msg("not logged: \"%s\"\nlogged:\n%s", text, w.lines);
    }
}

/* ---- TCP below ------------------------------------------------------------------------------ */

static inline bool below_waiting(void *ctx) {
    (void)ctx;
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (w.calling[i]) return true;
    }
    return false;
}

/* Each slot has its own client, so that tests know who is where. */
static inline int below_open(void *ctx) {
    const unsigned slot = (unsigned)((struct mem_pipe *)ctx - w.links);
    if (!w.calling[slot]) {
        return FK_E_BUSY;
    }
    w.calling[slot] = false;
    return fk_pipe_open(mem_pipe_near(ctx));
}
static inline int below_recv(void *ctx, void *buf, size_t cap) {
    return fk_pipe_recv(mem_pipe_near(ctx), buf, cap);
}
static inline int below_send(void *ctx, const void *buf, size_t len) {
    return fk_pipe_send(mem_pipe_near(ctx), buf, len);
}
static inline void below_close(void *ctx) { fk_pipe_close(mem_pipe_near(ctx)); }

static inline struct fk_pipe below_pipe(void *ctx, unsigned slot) {
    static const struct fk_pipe_ops ops = {below_open, below_recv, below_send, below_close};
    (void)ctx;
    return (struct fk_pipe){&ops, &w.links[slot]};
}

static const struct fk_listener_ops below = {.waiting = below_waiting, .pipe = below_pipe};

/* ---- Clients -------------------------------------------------------------------------------- */

static struct fk_crypto_source far_source = {.entropy = certs_entropy};

static inline struct fk_crypto_source *go_far(void) {
    w.far = true;
    return fk_crypto_swap(&far_source);
}

static inline void come_back(struct fk_crypto_source *former) {
    (void)fk_crypto_swap(former);
    w.far = false;
}

static inline int far_send(void *ctx, const unsigned char *buf, size_t len) {
    const int n = fk_pipe_send(mem_pipe_far(ctx), buf, len);
    return n > 0 ? n : n == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
}

static inline int far_recv(void *ctx, unsigned char *buf, size_t cap) {
    const int n = fk_pipe_recv(mem_pipe_far(ctx), buf, cap);
    return n > 0 ? n : n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

static inline void client_down(unsigned i) {
    struct client *c = &w.clients[i];
    if (c->up) {
        struct fk_crypto_source *former = go_far();
        mbedtls_ssl_free(&c->ssl);
        mbedtls_ssl_config_free(&c->conf);
        mbedtls_x509_crt_free(&c->chain);
        mbedtls_x509_crt_free(&c->server_ca);
        come_back(former);
    }
    c->up = false;
}

/* ---- Records that Mbed TLS's client would not send ------------------------------------------ */

/* The only suite that clients offer in version 1.3, so that records can be made here. */
static const int suites[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                             MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                             MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, 0};

static inline void note_secret(void *ctx, mbedtls_ssl_key_export_type type,
                               const unsigned char *secret, size_t len,
                               const unsigned char client_random[32],
                               const unsigned char server_random[32], mbedtls_tls_prf_types prf) {
    struct client *c = ctx;
    (void)client_random, (void)server_random, (void)prf;
    if (type == MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_APPLICATION_TRAFFIC_SECRET) {
        assert_int_equal(len, sizeof c->secret);
        memcpy(c->secret, secret, len);
    }
}

/* HKDF-Expand-Label with an empty context, RFC 8446 7.1. */
static inline void expand(const struct client *c, const char *label, uint8_t *out, size_t len) {
    uint8_t info[32];
    const size_t label_len = strlen(label);
    info[0] = 0;
    info[1] = (uint8_t)len;
    info[2] = (uint8_t)label_len;
    memcpy(info + 3, label, label_len);
    info[3 + label_len] = 0;
    assert_int_equal(mbedtls_hkdf_expand(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), c->secret,
                                         sizeof c->secret, info, 4 + label_len, out, len),
                     0);
}

/* A record of version 1.3 with that content (its type and padding behind it), into out. Its length.
 */
static inline size_t seal(struct client *c, uint8_t type, const uint8_t *content, size_t len,
                          size_t padding, uint8_t *out) {
    uint8_t key[16], nonce[12];
    uint8_t *number = c->ssl.MBEDTLS_PRIVATE(cur_out_ctr);
    const size_t body = len + 1 + padding;
    expand(c, "tls13 key", key, sizeof key);
    expand(c, "tls13 iv", nonce, sizeof nonce);
    for (int i = 0; i < 8; i++) {
        nonce[4 + i] ^= number[i];
    }
    for (int i = 7; i >= 0 && ++number[i] == 0; i--) {
    }
    memcpy(out, (const uint8_t[]){23, 3, 3, (uint8_t)((body + 16) >> 8), (uint8_t)(body + 16)}, 5);
    memcpy(out + 5, content, len);
    memset(out + 5 + len, 0, 1 + padding);
    out[5 + len] = type;

    struct fk_crypto_source *former = go_far();
    mbedtls_gcm_context gcm;
    mbedtls_gcm_init(&gcm);
    assert_int_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 128), 0);
    assert_int_equal(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, body, nonce, sizeof nonce,
                                               out, 5, out + 5, out + 5, 16, out + 5 + body),
                     0);
    mbedtls_gcm_free(&gcm);
    come_back(former);
    return 5 + body + 16;
}

static inline void send_raw(unsigned i, const uint8_t *bytes, size_t len) {
    assert_int_equal(fk_pipe_send(mem_pipe_far(&w.links[i]), bytes, len), len);
}

#define SEALED_MAX 20000

static inline void send_sealed(unsigned i, const uint8_t *content, size_t len, size_t padding) {
    static uint8_t record[SEALED_MAX];
    assert_true(len + padding + 32 <= sizeof record);
    send_raw(i, record, seal(&w.clients[i], 23, content, len, padding, record));
}

static inline void load_chain(struct client *c) {
    const struct certs_id *ids[] = {c->leaf, c->intermediate};
    for (int i = 0; i < 2 && ids[i] != NULL; i++) {
        assert_int_equal(mbedtls_x509_crt_parse_der(&c->chain, ids[i]->der, ids[i]->der_len), 0);
    }
    if (c->leaf != NULL) {
        assert_int_equal(mbedtls_ssl_conf_own_cert(&c->conf, &c->chain, &c->leaf->key), 0);
    }
}

static inline void client_configure(struct client *c) {
    assert_int_equal(mbedtls_ssl_config_defaults(&c->conf, MBEDTLS_SSL_IS_CLIENT, 0, 0), 0);
    load_chain(c);
    assert_int_equal(mbedtls_x509_crt_parse_der(&c->server_ca, id.ca.der, id.ca.der_len), 0);
    mbedtls_ssl_conf_ca_chain(&c->conf, &c->server_ca, NULL);
    mbedtls_ssl_conf_authmode(&c->conf, c->no_check ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                                    : MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_rng(&c->conf, certs_random, NULL);
    mbedtls_ssl_conf_ciphersuites(&c->conf, suites);
    mbedtls_ssl_conf_min_tls_version(&c->conf, c->min);
    mbedtls_ssl_conf_max_tls_version(&c->conf, c->max);
    if (c->alpn[0] != NULL) {
        assert_int_equal(mbedtls_ssl_conf_alpn_protocols(&c->conf, c->alpn), 0);
    }
}

/* A client calls; the knobs are set. */
static inline void client_up(unsigned i) {
    struct client *c = &w.clients[i];
    client_down(i);
    struct fk_crypto_source *former = go_far();
    mbedtls_ssl_init(&c->ssl);
    mbedtls_ssl_config_init(&c->conf);
    mbedtls_x509_crt_init(&c->chain);
    mbedtls_x509_crt_init(&c->server_ca);
    client_configure(c);
    assert_int_equal(mbedtls_ssl_setup(&c->ssl, &c->conf), 0);
    assert_int_equal(mbedtls_ssl_set_hostname(&c->ssl, "node.example"), 0);
    mbedtls_ssl_set_export_keys_cb(&c->ssl, note_secret, c);
    mbedtls_ssl_set_bio(&c->ssl, &w.links[i], far_send, far_recv, NULL);
    come_back(former);
    c->up = true;
    c->over = false;
    c->err = 0;
    c->got_len = 0;
    w.calling[i] = true;
}

static inline void client_step(unsigned i) {
    struct client *c = &w.clients[i];
    if (!c->up || c->over || w.calling[i]) {
        return;
    }
    struct fk_crypto_source *former = go_far();
    int ret = 0;
    if (!mbedtls_ssl_is_handshake_over(&c->ssl)) {
        ret = mbedtls_ssl_handshake(&c->ssl);
    }
    while (ret == 0) {
        const int n = mbedtls_ssl_read(&c->ssl, c->got + c->got_len, sizeof c->got - c->got_len);
        c->got_len += n > 0 ? (size_t)n : 0;
        ret = n > 0 ? 0 : n == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : n;
    }
    if (ret != MBEDTLS_ERR_SSL_WANT_READ && ret != MBEDTLS_ERR_SSL_WANT_WRITE) {
        c->over = true;
        c->err = ret;
        fk_pipe_close(mem_pipe_far(&w.links[i]));
    }
    come_back(former);
}

/* In one record. */
static inline void client_send(unsigned i, const void *bytes, size_t len) {
    struct fk_crypto_source *former = go_far();
    assert_int_equal(mbedtls_ssl_write(&w.clients[i].ssl, bytes, len), len);
    come_back(former);
}

/* ---- Server --------------------------------------------------------------------------------- */

static inline struct fk_pipe session(unsigned slot) {
    return w.listener.ops->pipe(w.listener.ctx, slot);
}

static inline void server_step(unsigned i) {
    const struct fk_listener *l = &w.listener;
    int n = 1;
    while (w.err[i] == 0 && (n > 0 || l->ops->ready(l->ctx, i))) {
        n = fk_pipe_recv(session(i), w.got[i] + w.got_len[i], sizeof w.got[i] - w.got_len[i]);
        w.got_len[i] += n > 0 ? (size_t)n : 0;
        w.err[i] = n < 0 ? n : 0;
    }
}

static inline size_t moved(unsigned i) {
    const struct mem_pipe *m = &w.links[i];
    return m->to_far.sent + m->to_far.received + m->to_near.sent + m->to_near.received +
           w.got_len[i];
}

/* Until nothing moves any more. */
static inline void pump(unsigned i) {
    for (int idle = 0; idle < 4; idle++) {
        const size_t before = moved(i);
        client_step(i);
        server_step(i);
        idle = moved(i) != before ? -1 : idle;
    }
}

static inline int take_in(unsigned i) {
    w.got_len[i] = 0;
    w.err[i] = fk_pipe_open(session(i));
    return w.err[i];
}

/* A new client calls, is taken in and does its handshake. */
static inline int connect_now(unsigned i) {
    client_up(i);
    if (take_in(i) == 0) {
        pump(i);
    }
    if (getenv("FK_TLS_TEST_LOG") != NULL && getenv("FK_TLS_TEST_LOG")[0] != 0) {
        print_message("%d, far %d: %s", w.err[i], -w.clients[i].err, w.lines);
    }
    return w.err[i];
}

static inline bool established(unsigned i) {
    return w.listener.ops->established(w.listener.ctx, i);
}
static inline const struct fk_user *peer(unsigned i) {
    return w.listener.ops->peer(w.listener.ctx, i);
}

static inline void hang_up(unsigned i) {
    fk_pipe_close(session(i));
    client_down(i);
}

static inline void world_knobs(void) {
    w.wall_us = IN_2026;
    w.entropy_left = SIZE_MAX;
    w.allocs_left = SIZE_MAX;
    w.log = (struct fk_log){FK_DEBUG, NULL, world_log};
    for (unsigned i = 0; i < CLIENTS; i++) {
        mem_pipe_init(&w.links[i]);
        w.clients[i].min = MBEDTLS_SSL_VERSION_TLS1_2;
        w.clients[i].max = MBEDTLS_SSL_VERSION_TLS1_3;
        w.clients[i].leaf = &id.client;
    }
    w.cfg = (struct fk_tls_server_config){
        .under = {.ops = &below, .count = CLIENTS},
        .heap = &w.heap,
        .cert = id.server.der,
        .cert_len = id.server.der_len,
        .key = id.server_key,
        .key_len = id.server_key_len,
        .client_ca = id.ca.der,
        .client_ca_len = id.ca.der_len,
        .entropy = world_entropy,
        .wall_us = world_wall,
        .log = &w.log,
    };
}

static inline int group_setup(void **state) {
    (void)state;
    fk_heap_init(&w.far_heap, w.far_memory, FAR_HEAP_SIZE);
    fk_crypto_use_heap(&w.far_heap);
    struct fk_crypto_source *former = go_far();
    assert_int_equal(fk_crypto_start(), 0);
    make_identities();
    come_back(former);
    return 0;
}

static inline int group_teardown(void **state) {
    (void)state;
    struct certs_id *all[] = {&id.ca, &id.other_ca, &id.same_name_ca, &id.server, &id.client};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        certs_free(all[i]);
    }
    fk_crypto_stop();
    assert_int_equal(w.far_heap.used_bytes, 0);
    return 0;
}

/* Everything good; a test turns knobs and then calls start. */
static inline int world_setup(void **state) {
    (void)state;
    w.lines[0] = '\0';
    memset(w.clients, 0, sizeof w.clients);
    memset(w.calling, 0, sizeof w.calling);
    memset(w.err, 0, sizeof w.err);
    struct fk_crypto_source *former = go_far();
    fk_crypto_stop();
    fk_crypto_use_heap(&w.far_heap); /* as a test may have changed it */
    assert_int_equal(fk_crypto_start(), 0);
    come_back(former);
    fk_heap_init(&w.heap, w.memory, HEAP_SIZE);
    world_knobs();
    return 0;
}

static inline void start(void) {
    assert_int_equal(fk_tls_server_init(&w.server, &w.cfg), 0);
    w.listener = fk_tls_server_listener(&w.server);
}

static inline void finish(void) {
    w.allocs_left = SIZE_MAX;
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_down(i);
    }
    fk_tls_server_free(&w.server);
    assert_int_equal(w.heap.used_bytes, 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_false(w.links[i].near_open);
    }
}

/* ---- What tests have in common ------------------------------------------------------------- */

static inline uint8_t pattern(size_t i) { return (uint8_t)(i * 7 + i / 251); }

static inline void assert_received(unsigned i, size_t len) {
    assert_int_equal(w.got_len[i], len);
    for (size_t k = 0; k < len; k++) {
        assert_int_equal(w.got[i][k], pattern(k));
    }
}

/* The client's request reaches us and our answer the client. */
static inline void assert_talks(unsigned i) {
    w.got_len[i] = 0;
    w.clients[i].got_len = 0;
    client_send(i, "GET / HTTP/1.1\r\n", 16);
    pump(i);
    assert_int_equal(w.got_len[i], 16);
    assert_memory_equal(w.got[i], "GET / HTTP/1.1\r\n", 16);
    assert_int_equal(fk_pipe_send(session(i), "HTTP/1.1 200 OK\r\n", 17), 17);
    pump(i);
    assert_int_equal(w.clients[i].got_len, 17);
    assert_memory_equal(w.clients[i].got, "HTTP/1.1 200 OK\r\n", 17);
}

static uint8_t large[17000];

static inline void fill_large(void) {
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = pattern(i);
    }
}

/* Which request for memory fails next: numbers on the curve make thousands, not all are tried. */
static inline size_t next(size_t n) { return n + 1 + n / 12; }

#define T(name) cmocka_unit_test_setup(name, world_setup)

#endif
