/* A key of our own, and a certificate for it that nobody else has signed: what the kubelet serves
 * with until it is given one (k8s.io/client-go/util/cert, GenerateSelfSignedCertKey; but one
 * certificate, without the CA that signs once and is thrown away). Over Mbed TLS; the caller has
 * set a source of randomness (link/crypto.h). */
#ifndef FK_LINK_SELF_SIGNED_H
#define FK_LINK_SELF_SIGNED_H

#include <stddef.h>
#include <stdint.h>

#include <mbedtls/pk.h>

/* Longest, DER, bytes: what one TLS record of a board takes, and two names of 253 bytes. */
#define FK_SELF_SIGNED_MAX 1024

struct fk_self_signed {
    const char *name; /* of the node: a DNS name of it; subject CN = name@now, cut to 64 bytes */
    const char *hostname; /* another DNS name; may be the same, or "" */
    const char *address;  /* IP literal, "" for none */
    int64_t now_s;        /* unix seconds: valid from an hour before for a year */
};

/* A new P-256 key into an initialized key. 0 or Mbed TLS's error. */
int fk_self_signed_key(mbedtls_pk_context *key);

/* The certificate, at the end of der. Its length; FK_E_RANGE: it does not fit, or address is no IP
 * literal, or the dates are outside 1970 to 9999; else Mbed TLS's error. */
int fk_self_signed_write(const struct fk_self_signed *what, mbedtls_pk_context *key,
                         uint8_t der[FK_SELF_SIGNED_MAX]);

#endif
