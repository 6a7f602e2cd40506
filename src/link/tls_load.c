#include <mbedtls/asn1.h>
#include <mbedtls/error.h>

#include "link/tls_internal.h"

static bool is_pem(const uint8_t *p, size_t len) {
    return len > 0 && p[len - 1] == '\0' && strstr((const char *)p, "-----BEGIN ") != NULL;
}

static int refuse(const struct fk_tls_files *f, const char *message, const char *what, int code) {
    const struct fk_heap *heap = fk_crypto_heap_of(f->source);
    if (heap->failures != f->failures) {
        fk_log(f->log, FK_ERROR, "no memory to read a certificate or key: enlarge the TLS heap",
               FK_STR("what", what), FK_INT("heap_bytes", heap->size));
        return FK_E_NOMEM;
    }
    fk_log(f->log, FK_ERROR, message, FK_STR("what", what), FK_INT("mbedtls_code", code));
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

static int load_ca(const struct fk_tls_files *f) {
    const int ret = parse_certificates(f->to_ca, f->ca, f->ca_len);
    if (ret < 0) {
        return refuse(f, UNREADABLE, f->ca_name, ret);
    }
    if (ret > 0) {
        if (fk_crypto_heap_of(f->source)->failures != f->failures) {
            return refuse(f, "", f->ca_name, ret);
        }
        fk_log(f->log, FK_WARN, "some certificates could not be read and do not count",
               FK_STR("what", f->ca_name), FK_INT("count", ret));
    }
    return 0;
}

static int load_key(const struct fk_tls_files *f) {
    if (is_pem(f->key, f->key_len) && strstr((const char *)f->key, "ENCRYPTED") != NULL) {
        return refuse(f, "an encrypted key is not supported: decrypt it first", f->key_name, 0);
    }
    int ret = mbedtls_pk_parse_key(f->to_key, f->key, f->key_len, NULL, 0, fk_crypto_random, NULL);
    if (ret != 0) {
        return refuse(f, UNREADABLE_KEY, f->key_name, ret);
    }
    if (f->pair_unchecked) {
        return 0;
    }
    ret = mbedtls_pk_check_pair(&f->to_cert->pk, f->to_key, fk_crypto_random, NULL);
    if (ret != 0 && f->source->failed) {
        return FK_E_ENTROPY;
    }
    if (ret != 0) {
        return refuse(f, "the key does not belong to the certificate", f->key_name, ret);
    }
    return 0;
}

static int load_pair(const struct fk_tls_files *f) {
    if (f->cert == NULL || f->key == NULL) {
        return refuse(f, "a certificate and its key go together: one is missing",
                      f->cert == NULL ? f->cert_name : f->key_name, 0);
    }
    const int ret = parse_certificates(f->to_cert, f->cert, f->cert_len);
    if (ret != 0) {
        return refuse(f, UNREADABLE, f->cert_name, ret);
    }
    return load_key(f);
}

int fk_tls_load(const struct fk_tls_files *f) {
    const int ret = f->to_ca == NULL ? 0 : load_ca(f);
    if (ret != 0 || (f->cert == NULL && f->key == NULL)) {
        return ret;
    }
    return load_pair(f);
}
