/* A stranger at the kubelet's port. Whatever bytes come, in the clear, amid a handshake that had
 * been a good one, or behind it: the session ends with an error or goes on, touches no memory but
 * its own, makes nobody of the stranger, and gives all of it back.
 *
 * Input: a byte with the manner (0: in the clear; 1: a client of Mbed TLS, of whose bytes the one
 * at the offset in the next two bytes is changed by the third; 2: what follows comes behind its
 * handshake), a byte with the most that is read at once, then the bytes. */
#include <mbedtls/platform.h>
#include <mbedtls/ssl.h>

#include "base/assert.h"
#include "base/err.h"
#include "link/tls_server.h"
#include "support/certs.h"
#include "support/mem_pipe.h"

#define HEAP_SIZE 49152

static _Alignas(8) uint8_t heap_bytes[HEAP_SIZE], far_bytes[262144];
static struct fk_heap heap, far_heap;
static struct certs_id ca, leaf;
static uint8_t key[256];
static size_t key_len;
static struct mem_pipe link;
static struct fk_tls_server server;
static struct fk_crypto_source far_source = {.entropy = certs_entropy};

static bool below_waiting(void *ctx) {
    (void)ctx;
    return true;
}

static struct fk_pipe below_pipe(void *ctx, unsigned slot) {
    (void)ctx, (void)slot;
    return mem_pipe_near(&link);
}

static int64_t wall(void *ctx) {
    (void)ctx;
    return INT64_C(1782864000000000);
}

static void log_nothing(void *ctx, enum fk_level level, const char *message,
                        const struct fk_kv *kvs, size_t count) {
    (void)ctx, (void)level, (void)message, (void)kvs, (void)count;
}

static void once(void) {
    fk_heap_init(&far_heap, far_bytes, sizeof far_bytes);
    fk_crypto_use_heap(&far_heap);
    (void)fk_crypto_swap(&far_source);
    FK_ASSERT(fk_crypto_start() == 0);
    certs_key(&ca, CERTS_P256);
    certs_issue(&ca, &(struct certs_spec){.subject = "CN=ca", .ca = true}, NULL);
    certs_key(&leaf, CERTS_P256);
    certs_issue(&leaf, &(struct certs_spec){.subject = "CN=leaf", .dns = {"n"}}, &ca);
    key_len = certs_key_der(&leaf, key, sizeof key);
    mem_pipe_init(&link);
}

static void start(void) {
    static const struct fk_listener_ops below = {.waiting = below_waiting, .pipe = below_pipe};
    static const struct fk_log log = {FK_ERROR, NULL, log_nothing};
    const struct fk_tls_server_config cfg = {
        .under = {.ops = &below, .count = 1},
        .heap = &heap,
        .cert = leaf.der,
        .cert_len = leaf.der_len,
        .key = key,
        .key_len = key_len,
        .client_ca = ca.der,
        .client_ca_len = ca.der_len,
        .entropy = certs_entropy,
        .wall_us = wall,
        .log = &log,
    };
    fk_heap_init(&heap, heap_bytes, sizeof heap_bytes);
    FK_ASSERT(fk_tls_server_init(&server, &cfg) == 0);
}

/* ---- The stranger -----------------------------------------------------------------------------
 */

static size_t change_at; /* SIZE_MAX: nowhere */
static uint8_t change;

static int far_send(void *ctx, const unsigned char *buf, size_t len) {
    uint8_t byte = buf[0];
    (void)ctx;
    if (link.to_near.sent == change_at) {
        byte ^= change;
        return fk_pipe_send(mem_pipe_far(&link), &byte, 1);
    }
    const size_t until = change_at > link.to_near.sent ? change_at - link.to_near.sent : len;
    const int n = fk_pipe_send(mem_pipe_far(&link), buf, until < len ? until : len);
    return n > 0 ? n : n == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int far_recv(void *ctx, unsigned char *buf, size_t cap) {
    (void)ctx;
    const int n = fk_pipe_recv(mem_pipe_far(&link), buf, cap);
    return n > 0 ? n : n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

/* Reads until there is nothing more or the session is over; true: it is. */
static bool serve(const struct fk_listener *l) {
    uint8_t buf[700];
    int n = 0;
    for (int calls = 0, idle = 0; n >= 0 && idle < 2; calls++) { /* the pipe pauses once */
        FK_ASSERT(calls < 100000);
        n = fk_pipe_recv(l->ops->pipe(l->ctx, 0), buf, sizeof buf);
        idle = n == 0 && !l->ops->ready(l->ctx, 0) ? idle + 1 : 0;
    }
    return n < 0;
}

static void shake_hands(const struct fk_listener *l) {
    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_config_init(&conf);
    FK_ASSERT(mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT, 0, 0) == 0);
    mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&conf, certs_random, NULL);
    FK_ASSERT(mbedtls_ssl_setup(&ssl, &conf) == 0 && mbedtls_ssl_set_hostname(&ssl, "n") == 0);
    mbedtls_ssl_set_bio(&ssl, NULL, far_send, far_recv, NULL);
    bool over = false;
    for (int i = 0; i < 20 && !over; i++) {
        const int ret = mbedtls_ssl_handshake(&ssl);
        over = serve(l) || (ret != 0 && ret != MBEDTLS_ERR_SSL_WANT_READ);
    }
    mbedtls_ssl_free(&ssl);
    mbedtls_ssl_config_free(&conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (far_heap.size == 0) once();
    if (len < 5) return 0;
    const unsigned manner = data[0] % 3;
    link.to_near.chunk = data[1];
    change_at = manner == 1 ? (size_t)data[2] << 8 | data[3] : SIZE_MAX;
    change = data[4];
    data += manner == 1 ? 5 : 2;
    len -= manner == 1 ? 5 : 2;

    start();
    const struct fk_listener l = fk_tls_server_listener(&server);
    const uint32_t level = heap.used_bytes;
    FK_ASSERT(fk_pipe_open(l.ops->pipe(l.ctx, 0)) == 0);
    if (manner != 0) shake_hands(&l);
    if (len > 0) (void)fk_pipe_send(mem_pipe_far(&link), data, len < 20000 ? len : 20000);
    (void)serve(&l);
    FK_ASSERT(l.ops->peer(l.ctx, 0) == NULL);
    fk_pipe_close(l.ops->pipe(l.ctx, 0));
    FK_ASSERT(heap.used_bytes == level && heap.peak_bytes <= HEAP_SIZE);
    fk_tls_server_free(&server);
    FK_ASSERT(heap.used_bytes == 0);
    return 0;
}
