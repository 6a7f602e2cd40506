/* TLS for the kubelet's own port, as a listener over a listener.
 *
 * Owns our serving certificate (given, or self-signed until one is issued), the sessions and their
 * record buffers, and the verification of client certificates against the cluster's client CA. It
 * asks for a client certificate and goes on without: who may do what is not decided here.
 *
 * Its memory is a heap of its own, so that no client can take what the connection to the API server
 * needs. A session has FK_SERVER_IN_BUF for a record; a larger one (16 KB at most) makes that
 * buffer grow, where the heap allows, until the record has been read; else the session ends with an
 * alert and a log line. At most one handshake message is worked on per recv or send, and a few
 * records without one.
 *
 * No renegotiation, no session tickets, no early data. ALPN http/1.1, or none. */
#ifndef FK_LINK_TLS_SERVER_H
#define FK_LINK_TLS_SERVER_H

#include "link/crypto.h"
#include "listener.h"

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "base/log.h"

struct fk_tls_server_config {
    struct fk_listener under; /* TCP */
    struct fk_heap *heap;     /* ours alone */

    /* As in struct fk_tls_config. cert and key NULL: fk_tls_server_self_sign makes them. */
    const uint8_t *cert;
    size_t cert_len;
    const uint8_t *key;
    size_t key_len;
    const uint8_t *client_ca; /* NULL: no client certificate counts */
    size_t client_ca_len;
    /* What the log calls them, files for instance; NULL: tls-cert, tls-private-key, client-ca. */
    const char *cert_name, *key_name, *client_ca_name;

    int (*entropy)(void *ctx, void *buf, size_t len);
    void *entropy_ctx;
    int64_t (*wall_us)(void *ctx); /* FK_WALL_UNKNOWN: no client certificate counts as yet */
    void *wall_ctx;
    const struct fk_log *log;
};

/* Counts since start; each wraps. */
struct fk_tls_server_stats {
    uint32_t handshakes; /* finished */
    uint32_t failures;   /* not finished: an error, a client that left, no memory */
    uint32_t no_memory;  /* of those, and of open sessions, ended for want of heap */
};

/* Private. A certificate with its key, in the server's heap, and who uses it: the server as its
 * present one, and sessions amid their handshake. */
struct fk_tls_identity {
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
    unsigned users;
};

/* Private. */
struct fk_tls_server;
struct fk_tls_session {
    struct fk_tls_server *server;
    struct fk_crypto_source source;
    struct fk_tls_identity *identity; /* during the handshake */
    mbedtls_ssl_context ssl;          /* holds memory from open to close */
    uint32_t failures;                /* of the heap, when the call began */
    uint32_t first_len;               /* of the input buffer, as it was at open */
    uint8_t slot;
    uint8_t state;                     /* enum fk_tls_state */
    uint8_t reads;                     /* of the pipe below, in this call */
    bool starved;                      /* in this call, the pipe below had nothing more */
    bool more;                         /* the call ended although more could be done */
    int16_t err;                       /* why the connection is over, until close; 0 otherwise */
    int16_t under_err;                 /* what the pipe below said */
    uint16_t sealed;                   /* bytes of send's that are in the record on its way */
    int64_t not_before_s, not_after_s; /* narrowest validity of the peer's chain, unix seconds */
    struct fk_user peer;               /* nobody: none whose certificate could count */
};

/* Members are private but for stats. Does not move after init. */
struct fk_tls_server {
    struct fk_tls_server_config cfg;
    struct fk_crypto_source source;
    mbedtls_ssl_config conf;
    mbedtls_x509_crt client_ca;
    struct fk_tls_identity *identity; /* NULL: none as yet */
    const char *alpn[2];
    struct fk_tls_server_stats stats;
    struct fk_tls_session sessions[FK_SERVER_CONNECTIONS];
};

/* Parses what it is given, and warns of a client CA that is none. 0, FK_E_CONFIG, FK_E_NOMEM,
 * FK_E_ENTROPY, logged in words; after an error there is nothing to free. */
int fk_tls_server_init(struct fk_tls_server *s, const struct fk_tls_server_config *config);
void fk_tls_server_free(struct fk_tls_server *s);

/* A new P-256 key, kept in RAM only, and a certificate for it, as the kubelet makes one that was
 * given none: subject CN = name@unix seconds (name cut to fit 64 bytes), subject alternative names
 * name, hostname and address (an IP literal, "" for none), valid from an hour before wall_us for a
 * year, server authentication. Sessions that are amid their handshake finish it with theirs; those
 * behind it need none. 0; FK_E_NOMEM, FK_E_ENTROPY, FK_E_RANGE (names too long, wall time unknown),
 * logged: then the former one stays. */
int fk_tls_server_self_sign(struct fk_tls_server *s, const char *name, const char *hostname,
                            const char *address, int64_t wall_us);

/* There is a certificate to serve with. Until then nothing is taken in (open says FK_E_BUSY). */
bool fk_tls_server_ready(const struct fk_tls_server *s);

/* When our certificate ends, unix seconds; FK_WALL_UNKNOWN while there is none. */
int64_t fk_tls_server_not_after(const struct fk_tls_server *s);

/* A record of that slot waits for room in the pipe below. */
bool fk_tls_server_wants_out(const struct fk_tls_server *s, unsigned slot);

/* A send that returned 0 wants the same bytes again: they may be in a record that is on its way. So
 * what was taken is out, and close cuts none of it.
 *
 * Errors of its pipes, the same one until close: FK_E_CLOSED (close_notify), FK_E_RESET (cut
 * without it), FK_E_TLS (the handshake failed), FK_E_PROTO (later, a record or message that TLS
 * forbids), FK_E_RANGE (a record or message of more than 16 KB), FK_E_NOMEM (heap, or PSA's key
 * slots), FK_E_ENTROPY, or what the pipe below says. Only want of memory and of randomness is
 * logged above FK_DEBUG: strangers must not fill the log. A certificate that does not count is no
 * error: peer is NULL. */
struct fk_listener fk_tls_server_listener(struct fk_tls_server *s);

#endif
