#include <mbedtls/asn1.h>
#include <mbedtls/error.h>

#include "link/tls_internal.h"

#define CA "certificate-authority"
#define CERT "client-certificate"
#define KEY "client-key"

static bool is_pem(const uint8_t *p, size_t len) {
    return len > 0 && p[len - 1] == '\0' && strstr((const char *)p, "-----BEGIN ") != NULL;
}

static int refuse(const struct fk_tls *t, const char *message, const char *what, int code) {
    if (fk_crypto_heap()->failures != t->failures) {
        fk_log(t->cfg.log, FK_ERROR, "no memory to read a certificate or key: enlarge the TLS heap",
               FK_STR("what", what), FK_INT("heap_bytes", fk_crypto_heap()->size));
        return FK_E_NOMEM;
    }
    fk_log(t->cfg.log, FK_ERROR, message, FK_STR("what", what), FK_INT("mbedtls_code", code));
    return FK_E_CONFIG;
}

/* One certificate behind the other. They stay where they are: on boards that is flash. */
static int parse_der(mbedtls_x509_crt *chain, const uint8_t *der, size_t len) {
    const uint8_t *const end = der + len;
    while (der < end) {
        uint8_t *body = (uint8_t *)(uintptr_t)der; /* asn1's in-out pointer is not const */
        size_t body_len;
        int ret = mbedtls_asn1_get_tag(&body, end, &body_len,
                                       MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
        if (ret != 0) {
            return ret;
        }
        const uint8_t *next = body + body_len;
        ret = mbedtls_x509_crt_parse_der_nocopy(chain, der, (size_t)(next - der));
        if (ret != 0) {
            return ret;
        }
        der = next;
    }
    return 0;
}

/* Negative: nothing usable; positive: so many certificates of it could not be read. */
static int parse_certificates(mbedtls_x509_crt *chain, const uint8_t *p, size_t len) {
    if (p == NULL || len == 0) {
        return MBEDTLS_ERR_X509_BAD_INPUT_DATA;
    }
    if (is_pem(p, len)) {
        return mbedtls_x509_crt_parse(chain, p, len);
    }
    return parse_der(chain, p, len);
}

/* Mbed TLS tells these apart only by where it stumbled. */
#define UNREADABLE                                                                                 \
    (FK_TLS_P256M                                                                                  \
         ? "no certificate could be read: it must be whole, and of a P-256 or RSA key"             \
         : "no certificate could be read: it must be PEM or DER, whole, of a P-256, P-384 or RSA " \
           "key")
#define UNREADABLE_KEY                                                                             \
    (FK_TLS_P256M                                                                                  \
         ? "no key could be read: it must be P-256; this build knows no RSA key of its own"        \
         : "no key could be read: it must be P-256, P-384 or RSA, in PEM or DER")

static int load_ca(struct fk_tls *t) {
    const int ret = parse_certificates(&t->ca, t->cfg.ca, t->cfg.ca_len);
    if (ret < 0) {
        return refuse(t, UNREADABLE, CA, ret);
    }
    if (ret > 0) {
        if (fk_crypto_heap()->failures != t->failures) {
            return refuse(t, "", CA, ret);
        }
        fk_log(t->cfg.log, FK_WARN, "some certificates could not be read and do not count",
               FK_STR("what", CA), FK_INT("count", ret));
    }
    return 0;
}

static int load_key(struct fk_tls *t) {
    const struct fk_tls_config *c = &t->cfg;
    if (is_pem(c->key, c->key_len) && strstr((const char *)c->key, "ENCRYPTED") != NULL) {
        return refuse(t, "an encrypted key is not supported: decrypt it first", KEY, 0);
    }
    int ret = mbedtls_pk_parse_key(&t->key, c->key, c->key_len, NULL, 0, fk_crypto_random, NULL);
    if (ret != 0) {
        return refuse(t, UNREADABLE_KEY, KEY, ret);
    }
    if (c->pair_unchecked) {
        return 0;
    }
    ret = mbedtls_pk_check_pair(&t->cert.pk, &t->key, fk_crypto_random, NULL);
    if (ret != 0 && t->source.failed) {
        return FK_E_ENTROPY;
    }
    if (ret != 0) {
        return refuse(t, "the key does not belong to the client certificate", KEY, ret);
    }
    return 0;
}

static int load_client(struct fk_tls *t) {
    const struct fk_tls_config *c = &t->cfg;
    if (c->cert == NULL && c->key == NULL) {
        return 0;
    }
    if (c->cert == NULL || c->key == NULL) {
        return refuse(t, "a client certificate and its key go together: one is missing",
                      c->cert == NULL ? CERT : KEY, 0);
    }
    const int ret = parse_certificates(&t->cert, c->cert, c->cert_len);
    if (ret != 0) {
        return refuse(t, UNREADABLE, CERT, ret);
    }
    return load_key(t);
}

int fk_tls_load(struct fk_tls *t) {
    const int ret = load_ca(t);
    return ret != 0 ? ret : load_client(t);
}
