/* Between tls_server.c (sessions), tls_server_setup.c (configuration and certificates) and
 * tls_peer.c (who the client is). */
#ifndef FK_LINK_TLS_SERVER_INTERNAL_H
#define FK_LINK_TLS_SERVER_INTERNAL_H

#include "link/tls_internal.h"
#include "link/tls_server.h"

/* The largest payload of a record, bytes: RFC 8446 §5.1. Also what a handshake message from a
 * client (its certificate chain) may have. */
#define FK_TLS_RECORD_MAX 16384

/* Mbed TLS's verify callback, ctx is the struct fk_tls_session: notes the chain's validity. */
int fk_tls_peer_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags);

/* After the handshake: whom the certificate names, into s->peer. */
void fk_tls_peer_note(struct fk_tls_session *s);

/* As of fk_listener_ops.peer. */
const struct fk_user *fk_tls_peer_now(const struct fk_tls_session *s);

/* An identity for one user more, or one less: without any it is freed. The server's heap must be
 * set. NULL is fine. */
struct fk_tls_identity *fk_tls_identity_take(struct fk_tls_identity *id);
void fk_tls_identity_drop(struct fk_tls_identity *id);

/* An empty one with one user; NULL: no memory. */
struct fk_tls_identity *fk_tls_identity_new(void);

#endif
