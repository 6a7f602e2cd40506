/* TLS towards the API server, as a pipe over a pipe.
 *
 * Owns everything that is Mbed TLS on the client's side: certificates, the key, the session and
 * its record buffers. The server is always verified: chain, name and validity; there is no switch.
 * It refuses to: open sockets, keep time, decide about timeouts or retries (the client's matters),
 * resume sessions.
 *
 * Two things are process-wide because they are so in Mbed TLS: the heap (fk_tls_use_heap) and PSA's
 * random generator. The latter is whichever fk_tls is being called at the moment, so several of
 * them in one thread may have different sources. One thread only.
 *
 * RAM: struct fk_tls itself, and of the heap about FK_TLS_IN_MAX + FK_TLS_OUT_MAX + 2 to 3 KB while
 * connected, more during the handshake; next to nothing but the certificates while closed. */
#ifndef FK_LINK_TLS_H
#define FK_LINK_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/heap.h"
#include "base/log.h"
#include "link/crypto.h"
#include "pipe.h"

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

struct fk_tls_config {
    struct fk_pipe under; /* carries the records; opened and closed by us */

    /* What the certificate must be for: a DNS name or an IP literal (without brackets), matched
     * with the subject alternative names alone. Must stay valid as long as the fk_tls. */
    const char *server_name;

    /* Certificates and key, each PEM with its terminating zero counted in the length, or DER. DER
     * certificates are referred to in place and must stay; PEM and the key are copied into the
     * heap and may go after fk_tls_init. */
    const uint8_t *ca; /* one or several, any of which may have signed */
    size_t ca_len;
    const uint8_t *cert; /* ours, leaf first; NULL when a bearer token is used */
    size_t cert_len;
    const uint8_t *key; /* P-256, P-384 or RSA, not encrypted; NULL together with cert */
    size_t key_len;

    /* As in port.h: 0, or FK_E_ENTROPY. Then the connection ends and nothing further is sent. */
    int (*entropy)(void *ctx, void *buf, size_t len);
    void *entropy_ctx;

    /* Microseconds since 1970, FK_WALL_UNKNOWN while not known; NULL: never known. */
    int64_t (*wall_us)(void *ctx);
    void *wall_ctx;

    /* At most one handshake message is worked on per recv or send (one or two operations with a
     * large number, about a second on a Cortex-M0+), and fk_tls_ready says whether the next could
     * follow at once. Otherwise the handshake runs until it has to wait for the peer. */
    bool step_by_step;

    /* Do not check at init that key and certificate belong together (a multiplication on the curve,
     * a sixth of a second on a Cortex-M0+): the server finds out, and its alert is explained. */
    bool pair_unchecked;

    const struct fk_log *log; /* not NULL; must stay valid */
};

/* Members are private. Does not move after fk_tls_init. */
struct fk_tls {
    struct fk_tls_config cfg;
    struct fk_crypto_source source;
    mbedtls_x509_crt ca;
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl; /* holds memory from open to close */
    const char *alpn[2];     /* Mbed TLS refers to it */
    uint8_t server_ip[16];
    uint8_t server_ip_len; /* 0: server_name is a DNS name */
    uint8_t state;         /* enum fk_tls_state */
    bool starved;          /* in this call, the pipe below had nothing more */
    bool more;             /* the call ended although more could be done */
    bool refused;          /* the verification did, and has logged why */
    int16_t err;           /* why the connection is over, until close; 0 otherwise */
    int16_t under_err;     /* what the pipe below said */
    int16_t send_err;      /* the same of sending, held back: an alert may explain it */
    uint32_t failures;     /* of the heap, when the call began */
    int64_t not_before_s;  /* narrowest validity of the chain presented, unix seconds */
    int64_t not_after_s;
};

/* Mbed TLS's calloc and free, process-wide, from now on. Before the first fk_tls_init, and again
 * only after the last fk_tls_free; the heap must stay. Required. */
void fk_tls_use_heap(struct fk_heap *heap);

/* Parses what it is given; opens nothing. 0, FK_E_CONFIG (the log says what is wrong with which of
 * CA, certificate and key), FK_E_NOMEM, FK_E_ENTROPY. After an error there is nothing to free. */
int fk_tls_init(struct fk_tls *t, const struct fk_tls_config *config);

/* The pipe, for as long as t lives. open starts over from nothing, also after an error.
 *
 * recv and send drive the handshake, and return 0 until it is over. A port that sleeps must call
 * recv whenever the pipe below may have bytes or room again, until it returns 0.
 * send: what was taken is in a record that may wait for the pipe below; the next recv or send
 * sends it on. See fk_tls_wants_out.
 *
 * Errors, the same one until close: FK_E_CLOSED (close_notify), FK_E_RESET (the pipe ended without
 * it), FK_E_CERT (the server's certificate was refused), FK_E_TLS (handshake failed or the server
 * sent an alert), FK_E_PROTO (no HTTP/2 over there, or a record that TLS forbids), FK_E_RANGE (a
 * record or handshake message beyond FK_TLS_IN_MAX), FK_E_NOMEM, FK_E_ENTROPY, or what the pipe
 * below says. All but CLOSED, RESET and those from below come with a log line. */
struct fk_pipe fk_tls_pipe(struct fk_tls *t);

/* Closes, wipes and gives back everything. */
void fk_tls_free(struct fk_tls *t);

/* There is work that needs no bytes from below: call recv again rather than sleep. */
bool fk_tls_ready(const struct fk_tls *t);

/* A record waits for room in the pipe below. */
bool fk_tls_wants_out(const struct fk_tls *t);

/* The handshake is over and the server is who it should be. */
bool fk_tls_connected(const struct fk_tls *t);

/* For when wall time became known after the handshake: 0 when every certificate of the verified
 * chain is valid then (or nothing is connected, or wall_us is FK_WALL_UNKNOWN), otherwise FK_E_CERT
 * and a log line; the caller then closes. */
int fk_tls_check_validity(const struct fk_tls *t, int64_t wall_us);

/* When our own certificate ends, unix seconds; FK_WALL_UNKNOWN when there is none. */
int64_t fk_tls_client_not_after(const struct fk_tls *t);

#endif
