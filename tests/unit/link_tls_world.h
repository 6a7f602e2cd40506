/* For link_tls_*_test.c: a client under test, a memory pipe, and an Mbed TLS server behind it that
 * echoes. The client's memory comes from a bounded heap and is counted; the server's from libc. */
#ifndef TESTS_UNIT_LINK_TLS_WORLD_H
#define TESTS_UNIT_LINK_TLS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mbedtls/oid.h>
#include <mbedtls/platform.h>
#include <mbedtls/ssl.h>

#include "base/clock.h"
#include "base/writer.h"
#include "link/tls.h"
#include "opts.h"
#include "support/certs.h"
#include "support/mem_pipe.h"

#define HEAP_SIZE 65536
#define SECOND INT64_C(1000000)
#define IN_2026 (INT64_C(1782864000) * SECOND) /* 2026-07-01 */

/* ---- Identities, made once ------------------------------------------------------------------ */

static struct {
    struct certs_id ca, other_ca, same_name_ca; /* P-256; the last has the first one's subject */
    struct certs_id server, client;
    char client_key[512];
    size_t client_key_len;
    bool made;
} id;

static const uint8_t ip4[4] = {192, 0, 2, 7};
static const uint8_t ip6[16] = {0x20, 1, 0xd, 0xb8, [15] = 7};

/* A key of this kind, with a certificate for "api.example" by id.ca unless spec says otherwise. */
static void issue(struct certs_id *out, enum certs_kind kind, struct certs_spec spec,
                  struct certs_id *by) {
    certs_key(out, kind);
    if (spec.subject == NULL) {
        spec.subject = "CN=kube-apiserver";
    }
    certs_issue(out, &spec, by);
}

static void make_identities(void) {
    if (id.made) {
        return;
    }
    id.made = true;
    issue(&id.ca, CERTS_P256, (struct certs_spec){.subject = "CN=kubernetes", .ca = true}, NULL);
    issue(&id.other_ca, CERTS_P256, (struct certs_spec){.subject = "CN=other", .ca = true}, NULL);
    issue(&id.same_name_ca, CERTS_P256, (struct certs_spec){.subject = "CN=kubernetes", .ca = true},
          NULL);
    issue(&id.server, CERTS_P256,
          (struct certs_spec){.dns = {"api.example"}, .ip = ip4, .ip_len = sizeof ip4}, &id.ca);
    issue(&id.client, CERTS_P256, (struct certs_spec){.subject = "CN=system:node:n,O=system:nodes"},
          &id.ca);
    id.client_key_len = certs_key_pem(&id.client, id.client_key, sizeof id.client_key);
}

static void free_identities(void) {
    certs_free(&id.ca);
    certs_free(&id.other_ca);
    certs_free(&id.same_name_ca);
    certs_free(&id.server);
    certs_free(&id.client);
}

/* ---- The world ------------------------------------------------------------------------------ */

struct server {
    /* knobs */
    mbedtls_ssl_protocol_version min, max;
    struct certs_id *leaf, *intermediate;
    const char *alpn[3];
    int client_auth; /* MBEDTLS_SSL_VERIFY_*; verified against client_ca */
    struct certs_id *client_ca;

    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt chain, ca;
    bool up, over;
    unsigned connection; /* of link.opens */
    int err;
    size_t received;
    char sni[64];
    uint8_t echo[4096];
    size_t echo_len;
};

static struct {
    struct fk_heap heap;
    _Alignas(8) uint8_t memory[HEAP_SIZE];
    struct fk_log log;
    char lines[8192]; /* what was logged as warning or error */
    struct mem_pipe link;
    struct server server;
    struct fk_tls_config cfg;
    struct fk_tls tls;
    struct fk_pipe pipe;
    int64_t wall_us;
    size_t entropy_left;   /* calls until it fails; SIZE_MAX: never */
    bool entropy_lucky;    /* it fails once only */
    size_t sent_before;    /* link.to_far.sent when it first failed */
    unsigned refusals;     /* calls that failed */
    unsigned second_tries; /* calls behind the first that failed */
    size_t allocs_left;    /* of the client until one fails; SIZE_MAX: never */
    bool serving;          /* whose memory it is */
    uint8_t got[8192];     /* what the client received */
    size_t got_len;
    int err; /* of the client */
} w;

static void *world_calloc(size_t count, size_t size) {
    if (w.serving) {
        return calloc(count, size);
    }
    if (w.allocs_left == 0) {
        w.heap.failures++;
        return NULL;
    }
    w.allocs_left -= w.allocs_left != SIZE_MAX;
    return fk_heap_calloc(&w.heap, count, size);
}

static void world_free(void *p) {
    const uintptr_t at = (uintptr_t)p, base = (uintptr_t)w.memory;
    if (at >= base && at < base + HEAP_SIZE) {
        fk_heap_free(&w.heap, p);
    } else {
        free(p);
    }
}

static int world_entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    w.second_tries += w.refusals > 0;
    if (w.entropy_left == 0) {
        w.sent_before = w.refusals == 0 ? w.link.to_far.sent : w.sent_before;
        w.entropy_left = w.entropy_lucky ? SIZE_MAX : 0;
        w.refusals++;
        return FK_E_ENTROPY;
    }
    w.entropy_left -= w.entropy_left != SIZE_MAX;
    return certs_entropy(NULL, buf, len);
}

static int64_t world_wall(void *ctx) {
    (void)ctx;
    return w.wall_us;
}

static void world_log(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                      size_t count) {
    (void)ctx;
    struct fk_writer line;
    const size_t at = strlen(w.lines);
    fk_writer_init(&line, w.lines + at, sizeof w.lines - at);
    fk_put_u64(&line, (unsigned)level);
    fk_put_char(&line, ' ');
    fk_put_str(&line, message);
    for (size_t i = 0; i < count; i++) {
        fk_put_char(&line, ' ');
        fk_put_str(&line, kvs[i].key);
        fk_put_char(&line, '=');
        if (kvs[i].str != NULL) {
            fk_put_str(&line, kvs[i].str);
        } else {
            fk_put_i64(&line, kvs[i].num);
        }
    }
    fk_put_char(&line, '\n');
    (void)fk_writer_finish(&line);
}

static void assert_logged(const char *text) {
    if (strstr(w.lines, text) == NULL) {
        fail_msg("not logged: \"%s\"\nlogged:\n%s", text, w.lines);
    }
}

/* ---- Server --------------------------------------------------------------------------------- */

static struct fk_crypto_source far_source = {.entropy = certs_entropy, .ctx = NULL};

static int far_send(void *ctx, const unsigned char *buf, size_t len) {
    (void)ctx;
    const int n = fk_pipe_send(mem_pipe_far(&w.link), buf, len);
    return n > 0 ? n : n == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int far_recv(void *ctx, unsigned char *buf, size_t cap) {
    (void)ctx;
    const int n = fk_pipe_recv(mem_pipe_far(&w.link), buf, cap);
    return n > 0 ? n : n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int note_sni(void *ctx, mbedtls_ssl_context *ssl, const unsigned char *name, size_t len) {
    (void)ctx, (void)ssl;
    assert_true(len < sizeof w.server.sni);
    memcpy(w.server.sni, name, len);
    w.server.sni[len] = '\0';
    return 0;
}

static void server_down(void) {
    struct server *s = &w.server;
    if (s->up) {
        mbedtls_ssl_free(&s->ssl);
        mbedtls_ssl_config_free(&s->conf);
        mbedtls_x509_crt_free(&s->chain);
        mbedtls_x509_crt_free(&s->ca);
    }
    s->up = false;
}

static void server_up(void) {
    struct server *s = &w.server;
    mbedtls_ssl_init(&s->ssl);
    mbedtls_ssl_config_init(&s->conf);
    mbedtls_x509_crt_init(&s->chain);
    mbedtls_x509_crt_init(&s->ca);
    assert_int_equal(mbedtls_ssl_config_defaults(&s->conf, MBEDTLS_SSL_IS_SERVER, 0, 0), 0);
    assert_int_equal(mbedtls_x509_crt_parse_der(&s->chain, s->leaf->der, s->leaf->der_len), 0);
    /* Mbed TLS itself would not serve with a certificate for clients; others do. */
    s->chain.MBEDTLS_PRIVATE(ext_types) &= ~MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE;
    if (s->intermediate != NULL) {
        assert_int_equal(
            mbedtls_x509_crt_parse_der(&s->chain, s->intermediate->der, s->intermediate->der_len),
            0);
    }
    assert_int_equal(mbedtls_x509_crt_parse_der(&s->ca, s->client_ca->der, s->client_ca->der_len),
                     0);
    assert_int_equal(mbedtls_ssl_conf_own_cert(&s->conf, &s->chain, &s->leaf->key), 0);
    mbedtls_ssl_conf_ca_chain(&s->conf, &s->ca, NULL);
    mbedtls_ssl_conf_authmode(&s->conf, s->client_auth);
    mbedtls_ssl_conf_rng(&s->conf, certs_random, NULL);
    mbedtls_ssl_conf_min_tls_version(&s->conf, s->min);
    mbedtls_ssl_conf_max_tls_version(&s->conf, s->max);
    mbedtls_ssl_conf_sni(&s->conf, note_sni, NULL);
    if (s->alpn[0] != NULL) {
        assert_int_equal(mbedtls_ssl_conf_alpn_protocols(&s->conf, s->alpn), 0);
    }
    assert_int_equal(mbedtls_ssl_setup(&s->ssl, &s->conf), 0);
    mbedtls_ssl_set_bio(&s->ssl, NULL, far_send, far_recv, NULL);
    s->up = true;
    s->over = false;
    s->err = 0;
    s->received = 0;
    s->echo_len = 0;
    s->sni[0] = '\0';
    s->connection = w.link.opens;
}

static int server_work(struct server *s) {
    if (!mbedtls_ssl_is_handshake_over(&s->ssl)) {
        const int ret = mbedtls_ssl_handshake(&s->ssl);
        if (ret != 0) {
            return ret;
        }
    }
    if (s->echo_len == 0) {
        const int n = mbedtls_ssl_read(&s->ssl, s->echo, sizeof s->echo);
        if (n <= 0) {
            return n == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : n;
        }
        s->echo_len = (size_t)n;
        s->received += (size_t)n;
    }
    const int n = mbedtls_ssl_write(&s->ssl, s->echo, s->echo_len);
    if (n <= 0) {
        return n;
    }
    memmove(s->echo, s->echo + n, s->echo_len - (size_t)n);
    s->echo_len -= (size_t)n;
    return 0;
}

static void server_step(void) {
    struct server *s = &w.server;
    if (w.link.opens == 0) {
        return;
    }
    w.serving = true;
    struct fk_crypto_source *former = fk_crypto_swap(&far_source);
    if (s->up && s->connection != w.link.opens) {
        server_down();
    }
    if (!s->up) {
        server_up();
    }
    int ret = s->over ? MBEDTLS_ERR_SSL_CONN_EOF : 0;
    while (ret == 0) {
        ret = server_work(s);
    }
    if (ret != MBEDTLS_ERR_SSL_WANT_READ && ret != MBEDTLS_ERR_SSL_WANT_WRITE && !s->over) {
        s->over = true;
        s->err = ret;
        fk_pipe_close(mem_pipe_far(&w.link)); /* as a server that gives up does */
    }
    (void)fk_crypto_swap(former);
    w.serving = false;
}

/* ---- Client --------------------------------------------------------------------------------- */

static void world_knobs(void) {
    w.wall_us = IN_2026;
    w.entropy_left = SIZE_MAX;
    w.allocs_left = SIZE_MAX;
    w.log = (struct fk_log){FK_WARN, NULL, world_log};
    w.server.min = MBEDTLS_SSL_VERSION_TLS1_2;
    w.server.max = MBEDTLS_SSL_VERSION_TLS1_3;
    w.server.leaf = &id.server;
    w.server.alpn[0] = "h2";
    w.server.alpn[1] = "http/1.1";
    w.server.client_auth = MBEDTLS_SSL_VERIFY_REQUIRED;
    w.server.client_ca = &id.ca;
    w.cfg = (struct fk_tls_config){
        .under = mem_pipe_near(&w.link),
        .server_name = "api.example",
        .ca = (const uint8_t *)id.ca.pem,
        .ca_len = strlen(id.ca.pem) + 1,
        .cert = (const uint8_t *)id.client.pem,
        .cert_len = strlen(id.client.pem) + 1,
        .key = (const uint8_t *)id.client_key,
        .key_len = id.client_key_len,
        .entropy = world_entropy,
        .wall_us = world_wall,
        .log = &w.log,
    };
}

/* Everything good; a test turns knobs and then calls start. */
static int world_setup(void **state) {
    (void)state;
    memset(&w, 0, sizeof w);
    w.serving = true;
    fk_heap_init(&w.heap, w.memory, HEAP_SIZE);
    fk_tls_use_heap(&w.heap);
    (void)mbedtls_platform_set_calloc_free(world_calloc, world_free);
    make_identities();
    mem_pipe_init(&w.link);
    world_knobs();
    w.serving = false;
    w.link.to_near.room = 4096;
    return 0;
}

static void start(void) {
    assert_int_equal(fk_tls_init(&w.tls, &w.cfg), 0);
    w.pipe = fk_tls_pipe(&w.tls);
}

static void finish(void) {
    w.serving = true;
    server_down();
    w.serving = false;
    fk_tls_free(&w.tls);
    assert_int_equal(w.heap.used_bytes, 0);
    assert_int_equal(w.link.near_open, false);
}

/* Calls recv until it has nothing more. */
static void client_step(void) {
    int n = 1;
    while (w.err == 0 && n > 0) {
        n = fk_pipe_recv(w.pipe, w.got + w.got_len, sizeof w.got - w.got_len);
        w.got_len += n > 0 ? (size_t)n : 0;
        w.err = n < 0 ? n : w.err;
    }
}

/* Until nothing moves any more: a pause of the pipe takes at most one turn on each side. */
static void pump(void) {
    for (int idle = 0; idle < 4 && w.err == 0; idle++) {
        const size_t before = w.link.to_far.sent + w.link.to_far.received + w.link.to_near.sent +
                              w.link.to_near.received + w.got_len;
        client_step();
        server_step();
        const size_t after = w.link.to_far.sent + w.link.to_far.received + w.link.to_near.sent +
                             w.link.to_near.received + w.got_len;
        if (before != after || fk_tls_ready(&w.tls)) {
            idle = -1;
        }
    }
}

static int connect_now(void) {
    w.err = fk_pipe_open(w.pipe);
    w.got_len = 0;
    pump();
    if (getenv("FK_TLS_TEST_LOG") != NULL && w.err != 0) {
        print_message("%d, far %d: %s", w.err, -w.server.err, w.lines);
    }
    return w.err;
}

static uint8_t pattern(size_t i) { return (uint8_t)(i * 7 + i / 251); }

/* Sends len patterned bytes and expects them back. Returns 0 or the client's error. */
static int echo(size_t len) {
    uint8_t out[4096];
    assert_true(len <= sizeof out);
    for (size_t i = 0; i < len; i++) {
        out[i] = pattern(i);
    }
    w.got_len = 0;
    size_t sent = 0;
    for (int idle = 0; (sent < len || w.got_len < len) && idle < 64; idle++) {
        const size_t before = w.got_len;
        int n = sent < len ? fk_pipe_send(w.pipe, out + sent, len - sent) : 0;
        if (n < 0) {
            w.err = n;
        }
        sent += n > 0 ? (size_t)n : 0;
        pump();
        if (w.err != 0) {
            return w.err;
        }
        idle = n > 0 || w.got_len != before ? 0 : idle;
    }
    assert_int_equal(w.got_len, len);
    assert_memory_equal(w.got, out, len);
    return 0;
}

#endif
