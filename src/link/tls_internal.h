/* Between tls.c (the pipe), tls_load.c (what we are given), tls_verify.c (what we are shown) and
 * the server's side, tls_server.c. */
#ifndef FK_LINK_TLS_INTERNAL_H
#define FK_LINK_TLS_INTERNAL_H

#include "base/writer.h"
#include "link/tls.h"

enum fk_tls_state { FK_TLS_CLOSED, FK_TLS_HANDSHAKE, FK_TLS_OPEN, FK_TLS_OVER };

/* What we are given, and where it goes. cert and key NULL, or to_ca NULL: not wanted. */
struct fk_tls_files {
    const struct fk_log *log;
    const struct fk_crypto_source *source; /* the one that is set */
    uint32_t failures;                     /* of its heap so far */
    const char *ca_name, *cert_name, *key_name;
    const uint8_t *ca, *cert, *key; /* as in struct fk_tls_config */
    size_t ca_len, cert_len, key_len;
    bool pair_unchecked;
    mbedtls_x509_crt *to_ca, *to_cert;
    mbedtls_pk_context *to_key;
};

/* Parses it: 0, FK_E_CONFIG, FK_E_NOMEM or FK_E_ENTROPY, all but the last logged. */
int fk_tls_load(const struct fk_tls_files *files);

/* Mbed TLS's verify callback, ctx is the struct fk_tls: called for each certificate of the chain,
 * the leaf last. Adds validity and name to what Mbed TLS has found, and logs a refusal. */
int fk_tls_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags);

/* What only shows after the callbacks (key usage); true when it is a reason to refuse. */
bool fk_tls_verify_rest(struct fk_tls *t, uint32_t flags);

/* Gives back what Mbed TLS keeps of a handshake that is over, and the peer's certificate. */
void fk_tls_forget_handshake(mbedtls_ssl_context *ssl);

/* Unix seconds; years before 1970 count as 1970. */
int64_t fk_tls_unix(const mbedtls_x509_time *time);

/* "2026-07-01T12:34:56Z" with its zero; returns buf. */
#define FK_TLS_DATE_CAP 24
const char *fk_tls_date(char buf[FK_TLS_DATE_CAP], int64_t unix_s);

/* Logs an alert of the peer in words; returns the error that it amounts to. */
int fk_tls_alert(const struct fk_tls *t, uint8_t description);

#endif
