/* Between tls.c (the pipe), tls_load.c (what we are given) and tls_verify.c (what we are shown). */
#ifndef FK_LINK_TLS_INTERNAL_H
#define FK_LINK_TLS_INTERNAL_H

#include "base/writer.h"
#include "link/tls.h"

enum fk_tls_state { FK_TLS_CLOSED, FK_TLS_HANDSHAKE, FK_TLS_OPEN, FK_TLS_OVER };

/* Parses CA, certificate and key out of t->cfg: 0, FK_E_CONFIG or FK_E_NOMEM, logged. */
int fk_tls_load(struct fk_tls *t);

/* Mbed TLS's verify callback, ctx is the struct fk_tls: called for each certificate of the chain,
 * the leaf last. Adds validity and name to what Mbed TLS has found, and logs a refusal. */
int fk_tls_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags);

/* What only shows after the callbacks (key usage); true when it is a reason to refuse. */
bool fk_tls_verify_rest(struct fk_tls *t, uint32_t flags);

/* Unix seconds; years before 1970 count as 1970. */
int64_t fk_tls_unix(const mbedtls_x509_time *time);

/* "2026-07-01T12:34:56Z" with its zero; returns buf. */
#define FK_TLS_DATE_CAP 24
const char *fk_tls_date(char buf[FK_TLS_DATE_CAP], int64_t unix_s);

/* Logs an alert of the peer in words; returns the error that it amounts to. */
int fk_tls_alert(const struct fk_tls *t, uint8_t description);

#endif
