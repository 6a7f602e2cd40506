#include "link/self_signed.h"

#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include "base/date.h"
#include "base/err.h"
#include "link/crypto.h"

/* With FK_TLS_SERVER 0 boards are without the writer of certificates. */
#if FK_TLS_SERVER

#define HOUR_S 3600
#define YEAR_S (365 * 24 * HOUR_S)

/* ---- The key -------------------------------------------------------------------------------- */

#define PRIVATE_LEN 32
#define PUBLIC_LEN 65

/* ECPrivateKey of RFC 5915 for P-256: what is before the private key, between, and then the public
 * one. Made by PSA and read again, for Mbed TLS's keys of this kind are not made by PSA in every
 * build of ours. */
static const uint8_t before_private[] = {0x30, 0x77, 0x02, 0x01, 0x01, 0x04, PRIVATE_LEN};
static const uint8_t before_public[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                        0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00};
#define KEY_LEN (sizeof before_private + PRIVATE_LEN + sizeof before_public + PUBLIC_LEN)

static psa_status_t generate(psa_key_id_t *id) {
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT);
    return psa_generate_key(&attributes, id);
}

/* The public key first: see link/p256_pair.h. */
static psa_status_t export(psa_key_id_t id, uint8_t private[PRIVATE_LEN],
                           uint8_t public[PUBLIC_LEN]) {
    size_t len;
    const psa_status_t status = psa_export_public_key(id, public, PUBLIC_LEN, &len);
    return status != PSA_SUCCESS ? status : psa_export_key(id, private, PRIVATE_LEN, &len);
}

static int no_key(psa_status_t status) {
    return status == PSA_ERROR_INSUFFICIENT_MEMORY ? MBEDTLS_ERR_PK_ALLOC_FAILED
                                                   : MBEDTLS_ERR_PK_BAD_INPUT_DATA;
}

int fk_self_signed_key(mbedtls_pk_context *key) {
    uint8_t der[KEY_LEN];
    uint8_t *private = der + sizeof before_private;
    psa_key_id_t id;
    psa_status_t status = generate(&id);
    if (status != PSA_SUCCESS) {
        return no_key(status);
    }
    memcpy(der, before_private, sizeof before_private);
    memcpy(private + PRIVATE_LEN, before_public, sizeof before_public);
    status = export(id, private, private + PRIVATE_LEN + sizeof before_public);
    (void)psa_destroy_key(id);
    const int ret = status == PSA_SUCCESS ? mbedtls_pk_parse_key(key, der, sizeof der, NULL, 0,
                                                                 fk_crypto_random, NULL)
                                          : no_key(status);
    mbedtls_platform_zeroize(der, sizeof der);
    return ret;
}

/* ---- The certificate ------------------------------------------------------------------------ */

static int put_common_name(mbedtls_asn1_named_data **list, const char *text) {
    mbedtls_asn1_named_data *cn =
        mbedtls_asn1_store_named_data(list, MBEDTLS_OID_AT_CN, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN),
                                      (const unsigned char *)text, strlen(text));
    if (cn == NULL) {
        return MBEDTLS_ERR_X509_ALLOC_FAILED;
    }
    cn->val.tag = MBEDTLS_ASN1_UTF8_STRING;
    return 0;
}

/* ub-common-name of RFC 5280 appendix A.1, bytes. */
#define COMMON_NAME_MAX 64

/* "@1782864000", and more digits in times to come. */
#define MADE_AT_MAX 13

/* "name@1782864000", and the issuer is the subject. A name too long for it is cut: clients go by
 * the alternative names, and tell the certificates of one name apart by this. Not
 * mbedtls_x509write_crt_set_subject_name: it reads a text with all kinds of names in it, 1.5 KB of
 * flash. */
static int set_subject(mbedtls_x509write_cert *w, const struct fk_self_signed *what) {
    char subject[COMMON_NAME_MAX + 1];
    struct fk_writer text;
    const size_t len = strlen(what->name), most = COMMON_NAME_MAX - MADE_AT_MAX;
    fk_writer_init(&text, subject, sizeof subject);
    fk_put(&text, what->name, len < most ? len : most);
    fk_put_char(&text, '@');
    fk_put_i64(&text, what->now_s);
    if (fk_writer_finish(&text) != 0) {
        return FK_E_RANGE;
    }
    const int ret = put_common_name(&w->MBEDTLS_PRIVATE(subject), subject);
    return ret != 0 ? ret : put_common_name(&w->MBEDTLS_PRIVATE(issuer), subject);
}

/* "20260701123456" */
#define STAMP_CAP 15
static void stamp(char buf[STAMP_CAP], int64_t unix_s) {
    struct fk_civil c;
    struct fk_writer text;
    fk_date_from_unix(unix_s, &c);
    const int32_t fields[] = {c.month, c.day, c.hour, c.minute, c.second};
    fk_writer_init(&text, buf, STAMP_CAP);
    fk_put_padded(&text, (uint64_t)c.year, 4);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        fk_put_padded(&text, (uint64_t)fields[i], 2);
    }
    (void)fk_writer_finish(&text);
}

static int set_validity(mbedtls_x509write_cert *w, int64_t now_s) {
    char from[STAMP_CAP], to[STAMP_CAP];
    if (now_s < HOUR_S || now_s > INT64_C(253402300799) - YEAR_S) { /* the end of 9999 */
        return FK_E_RANGE;
    }
    stamp(from, now_s - HOUR_S);
    stamp(to, now_s - HOUR_S + YEAR_S);
    return mbedtls_x509write_crt_set_validity(w, from, to);
}

/* Random, as RFC 5280 §4.1.2.2 and clients that remember certificates want it: positive. */
static int set_serial(mbedtls_x509write_cert *w) {
    uint8_t serial[16];
    const int ret = fk_crypto_random(NULL, serial, sizeof serial);
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
    return ret != 0 ? ret : mbedtls_x509write_crt_set_serial_raw(w, serial, sizeof serial);
}

static mbedtls_x509_san_list *put_name(mbedtls_x509_san_list *list, int type, const void *p,
                                       size_t len, mbedtls_x509_san_list *next) {
    list->node.type = type;
    list->node.san.unstructured_name.p = (unsigned char *)(uintptr_t)p;
    list->node.san.unstructured_name.len = len;
    list->next = next;
    return list;
}

static int set_names(mbedtls_x509write_cert *w, const struct fk_self_signed *what) {
    mbedtls_x509_san_list list[3] = {0};
    mbedtls_x509_san_list *names = NULL;
    uint8_t ip[16];
    if (what->address[0] != '\0') {
        const size_t len = mbedtls_x509_crt_parse_cn_inet_pton(what->address, ip);
        if (len == 0) {
            return FK_E_RANGE;
        }
        names = put_name(&list[0], MBEDTLS_X509_SAN_IP_ADDRESS, ip, len, names);
    }
    if (what->hostname[0] != '\0' && strcmp(what->hostname, what->name) != 0) {
        names = put_name(&list[1], MBEDTLS_X509_SAN_DNS_NAME, what->hostname,
                         strlen(what->hostname), names);
    }
    names = put_name(&list[2], MBEDTLS_X509_SAN_DNS_NAME, what->name, strlen(what->name), names);
    return mbedtls_x509write_crt_set_subject_alternative_name(w, names);
}

static int set_usage(mbedtls_x509write_cert *w) {
    mbedtls_asn1_sequence server = {0};
    server.buf.tag = MBEDTLS_ASN1_OID;
    server.buf.p = (unsigned char *)(uintptr_t)MBEDTLS_OID_SERVER_AUTH;
    server.buf.len = MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH);
    int ret = mbedtls_x509write_crt_set_basic_constraints(w, 0, -1);
    if (ret == 0) {
        ret = mbedtls_x509write_crt_set_key_usage(w, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    }
    return ret != 0 ? ret : mbedtls_x509write_crt_set_ext_key_usage(w, &server);
}

static int fill(mbedtls_x509write_cert *w, const struct fk_self_signed *what) {
    int ret = set_subject(w, what);
    if (ret == 0) {
        ret = set_validity(w, what->now_s);
    }
    if (ret == 0) {
        ret = set_serial(w);
    }
    if (ret == 0) {
        ret = set_names(w, what);
    }
    return ret != 0 ? ret : set_usage(w);
}

int fk_self_signed_write(const struct fk_self_signed *what, mbedtls_pk_context *key,
                         uint8_t der[FK_SELF_SIGNED_MAX]) {
    mbedtls_x509write_cert w;
    mbedtls_x509write_crt_init(&w);
    mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&w, key);
    mbedtls_x509write_crt_set_issuer_key(&w, key);
    int ret = fill(&w, what);
    if (ret == 0) {
        ret = mbedtls_x509write_crt_der(&w, der, FK_SELF_SIGNED_MAX, fk_crypto_random, NULL);
        ret = ret == MBEDTLS_ERR_ASN1_BUF_TOO_SMALL ? FK_E_RANGE : ret;
    }
    mbedtls_x509write_crt_free(&w);
    return ret;
}

#endif
