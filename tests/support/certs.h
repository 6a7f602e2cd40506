/* Keys and certificates, made when a test needs them. Worthless by intent: the random numbers come
 * from a fixed seed, so that every run sees the same bytes. */
#ifndef TESTS_SUPPORT_CERTS_H
#define TESTS_SUPPORT_CERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mbedtls/pk.h>

enum certs_kind { CERTS_P256, CERTS_P384, CERTS_RSA2048, CERTS_RSA4096 };

struct certs_id {
    mbedtls_pk_context key;
    char subject[80];
    uint8_t der[8192];
    size_t der_len;
    char pem[4096]; /* "" when it does not fit */
};

struct certs_spec {
    const char *subject;   /* "CN=...,O=..." */
    const char *groups[4]; /* an O each, before the subject's others; NULL ends */
    int group_tag;         /* MBEDTLS_ASN1_*_STRING of them; 0: UTF-8 */
    const char *from, *to; /* "20260101000000"; NULL: 2020 to 2040 */
    const char *dns[3];    /* NULL ends */
    const uint8_t *ip;
    size_t ip_len;
    bool ca;
    bool client_only;    /* extended key usage clientAuth */
    bool server_only;    /* serverAuth */
    unsigned many_names; /* so many DNS names more, 64 bytes each */
};

/* Mbed TLS must have a heap or libc's calloc. */
void certs_key(struct certs_id *id, enum certs_kind kind);
/* Signed by issuer (NULL: by itself). Fails the test when something is wrong. */
void certs_issue(struct certs_id *id, const struct certs_spec *spec, struct certs_id *issuer);
/* The private key in PEM, its zero counted in the result. */
size_t certs_key_pem(const struct certs_id *id, char *buf, size_t cap);
size_t certs_key_der(const struct certs_id *id, uint8_t *buf, size_t cap); /* at buf's start */
void certs_free(struct certs_id *id);

/* f_rng, and the same as a port's entropy. */
int certs_random(void *ctx, unsigned char *out, size_t len);
int certs_entropy(void *ctx, void *out, size_t len);

#endif
