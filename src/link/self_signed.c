#include "link/self_signed.h"

#include <mbedtls/asn1.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
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
#define SIGNATURE_MAX 72 /* two numbers of 33 bytes and their heads */

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

/* ---- The certificate ------------------------------------------------------------------------
 *
 * One fixed shape, where the writer of Mbed TLS takes any: 2.5 KB of flash less. */

/* DER is written from its end, where the length of everything behind is known. */
struct der {
    uint8_t *begin, *at; /* of the buffer; of what is written so far, to the buffer's end */
    bool full;
};

static void put(struct der *d, const void *bytes, size_t len) {
    d->full = d->full || (size_t)(d->at - d->begin) < len;
    if (!d->full) {
        d->at -= len;
        memcpy(d->at, bytes, len);
    }
}

static void put_byte(struct der *d, size_t byte) { put(d, &(uint8_t){(uint8_t)byte}, 1); }

/* All from here to `end` becomes the content of one value. */
static void wrap(struct der *d, uint8_t tag, const uint8_t *end) {
    const size_t len = (size_t)(end - d->at);
    put_byte(d, len & 0xff);
    if (len > 0xff) {
        put_byte(d, len >> 8);
        put_byte(d, 0x82);
    } else if (len > 0x7f) {
        put_byte(d, 0x81);
    }
    put_byte(d, tag);
}

static void put_value(struct der *d, uint8_t tag, const void *bytes, size_t len) {
    const uint8_t *const end = d->at;
    put(d, bytes, len);
    wrap(d, tag, end);
}

#define INTEGER 0x02
#define BIT_STRING 0x03
#define OCTET_STRING 0x04
#define UTF8_STRING 0x0c
#define UTC_TIME 0x17
#define GENERALIZED_TIME 0x18
#define SEQUENCE 0x30
#define SET 0x31
#define VERSION 0xa0
#define EXTENSIONS 0xa3
#define DNS_NAME 0x82
#define IP_ADDRESS 0x87

static const uint8_t version_3[] = {INTEGER, 1, 2};
static const uint8_t ecdsa_with_sha256[] = {SEQUENCE, 10,   0x06, 8, 0x2a, 0x86,
                                            0x48,     0xce, 0x3d, 4, 3,    2};
/* id-ecPublicKey, secp256r1, and the head of the string of bits that the key is */
static const uint8_t p256_key[] = {
    SEQUENCE, 19,   0x06, 7,    0x2a, 0x86, 0x48, 0xce,       0x3d,           2, 1, 0x06, 8, 0x2a,
    0x86,     0x48, 0xce, 0x3d, 3,    1,    7,    BIT_STRING, PUBLIC_LEN + 1, 0};
static const uint8_t common_name[] = {0x06, 3, 0x55, 4, 3};
static const uint8_t subject_alt_name[] = {0x06, 3, 0x55, 0x1d, 17};
/* The other extensions: basicConstraints of no CA; keyUsage digitalSignature and extKeyUsage
 * serverAuth, both critical. */
static const uint8_t usage[] = {SEQUENCE,
                                9,
                                0x06,
                                3,
                                0x55,
                                0x1d,
                                19,
                                OCTET_STRING,
                                2,
                                SEQUENCE,
                                0, /**/
                                SEQUENCE,
                                14,
                                0x06,
                                3,
                                0x55,
                                0x1d,
                                15,
                                0x01,
                                1,
                                0xff,
                                OCTET_STRING,
                                4,
                                BIT_STRING,
                                2,
                                7,
                                0x80,
                                SEQUENCE,
                                22,
                                0x06,
                                3,
                                0x55,
                                0x1d,
                                37,
                                0x01,
                                1,
                                0xff,
                                OCTET_STRING,
                                12, /**/
                                SEQUENCE,
                                10,
                                0x06,
                                8,
                                0x2b,
                                6,
                                1,
                                5,
                                5,
                                7,
                                3,
                                1};

/* ub-common-name of RFC 5280 appendix A.1, bytes. */
#define COMMON_NAME_MAX 64

/* CN=name@1782864000. A name too long for it is cut: clients go by the alternative names, and tell
 * the certificates of one name apart by this. */
static void put_subject(struct der *d, const struct fk_self_signed *what) {
    const uint8_t *const end = d->at;
    char number[24];
    struct fk_writer text;
    fk_writer_init(&text, number, sizeof number);
    fk_put_char(&text, '@');
    fk_put_i64(&text, what->now_s);
    put(d, number, text.len);
    put(d, what->name, strnlen(what->name, COMMON_NAME_MAX - text.len));
    wrap(d, UTF8_STRING, end);
    put(d, common_name, sizeof common_name);
    wrap(d, SEQUENCE, end);
    wrap(d, SET, end);
    wrap(d, SEQUENCE, end);
}

/* "20260701123456Z"; before 2050 without the century (RFC 5280 4.1.2.5). */
static void put_time(struct der *d, int64_t unix_s) {
    struct fk_civil c;
    char stamp[15];
    struct fk_writer text;
    fk_date_from_unix(unix_s, &c);
    const int32_t fields[] = {c.month, c.day, c.hour, c.minute, c.second};
    fk_writer_init(&text, stamp, sizeof stamp);
    fk_put_padded(&text, (uint64_t)c.year, 4);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        fk_put_padded(&text, (uint64_t)fields[i], 2);
    }
    fk_put_char(&text, 'Z');
    if (c.year < 2050) {
        put_value(d, UTC_TIME, stamp + 2, sizeof stamp - 2);
    } else {
        put_value(d, GENERALIZED_TIME, stamp, sizeof stamp);
    }
}

static void put_validity(struct der *d, int64_t now_s) {
    const uint8_t *const end = d->at;
    put_time(d, now_s - HOUR_S + YEAR_S);
    put_time(d, now_s - HOUR_S);
    wrap(d, SEQUENCE, end);
}

static void put_extensions(struct der *d, const struct fk_self_signed *what, const uint8_t *ip,
                           size_t ip_len) {
    const uint8_t *const end = d->at;
    if (ip_len > 0) {
        put_value(d, IP_ADDRESS, ip, ip_len);
    }
    if (what->hostname[0] != '\0' && strcmp(what->hostname, what->name) != 0) {
        put_value(d, DNS_NAME, what->hostname, strlen(what->hostname));
    }
    put_value(d, DNS_NAME, what->name, strlen(what->name));
    wrap(d, SEQUENCE, end);
    wrap(d, OCTET_STRING, end);
    put(d, subject_alt_name, sizeof subject_alt_name);
    wrap(d, SEQUENCE, end);
    put(d, usage, sizeof usage);
    wrap(d, SEQUENCE, end);
    wrap(d, EXTENSIONS, end);
}

static int put_key(struct der *d, const mbedtls_pk_context *key) {
    const uint8_t *const end = d->at;
    const int len = mbedtls_pk_write_pubkey(&d->at, d->begin, key);
    d->full = d->full || len == MBEDTLS_ERR_ASN1_BUF_TOO_SMALL;
    put(d, p256_key, sizeof p256_key);
    wrap(d, SEQUENCE, end);
    return d->full || len == PUBLIC_LEN ? 0 : MBEDTLS_ERR_PK_BAD_INPUT_DATA;
}

/* Random, as RFC 5280 4.1.2.2 and clients that remember certificates want it: positive. */
static int put_serial(struct der *d) {
    uint8_t serial[16];
    const int ret = fk_crypto_random(NULL, serial, sizeof serial);
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
    put_value(d, INTEGER, serial, sizeof serial);
    return ret;
}

/* What is signed. */
static int put_body(struct der *d, const struct fk_self_signed *what,
                    const mbedtls_pk_context *key) {
    const uint8_t *const end = d->at;
    uint8_t ip[16];
    const bool has_ip = what->address[0] != '\0';
    const size_t ip_len = has_ip ? mbedtls_x509_crt_parse_cn_inet_pton(what->address, ip) : 0;
    if ((has_ip && ip_len == 0) || what->now_s < HOUR_S ||
        what->now_s > INT64_C(253402300799) - YEAR_S) { /* the end of 9999 */
        return FK_E_RANGE;
    }
    put_extensions(d, what, ip, ip_len);
    int ret = put_key(d, key);
    put_subject(d, what);
    put_validity(d, what->now_s);
    put_subject(d, what); /* the issuer */
    put(d, ecdsa_with_sha256, sizeof ecdsa_with_sha256);
    ret = ret != 0 ? ret : put_serial(d);
    const uint8_t *const version_end = d->at;
    put(d, version_3, sizeof version_3);
    wrap(d, VERSION, version_end);
    wrap(d, SEQUENCE, end);
    return ret;
}

/* Makes room behind the body, and signs it there. */
static int sign(struct der *d, mbedtls_pk_context *key) {
    uint8_t hash[32], signature[SIGNATURE_MAX];
    uint8_t *const end = d->begin + FK_SELF_SIGNED_MAX, *const body = d->at;
    const size_t len = (size_t)(end - body);
    size_t signature_len;
    int ret = mbedtls_sha256(body, len, hash, 0);
    ret = ret != 0 ? ret
                   : mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, sizeof hash, signature,
                                     sizeof signature, &signature_len, fk_crypto_random, NULL);
    if (ret != 0) {
        return ret;
    }
    const size_t behind = sizeof ecdsa_with_sha256 + 3 + signature_len;
    if ((size_t)(body - d->begin) < behind) {
        return FK_E_RANGE;
    }
    memmove(body - behind, body, len);
    d->at = end;
    put(d, signature, signature_len);
    put_byte(d, 0); /* no bits are unused */
    wrap(d, BIT_STRING, end);
    put(d, ecdsa_with_sha256, sizeof ecdsa_with_sha256);
    d->at -= len;
    wrap(d, SEQUENCE, end);
    return d->full ? FK_E_RANGE : (int)(end - d->at);
}

int fk_self_signed_write(const struct fk_self_signed *what, mbedtls_pk_context *key,
                         uint8_t der[FK_SELF_SIGNED_MAX]) {
    struct der d = {der, der + FK_SELF_SIGNED_MAX, false};
    const int ret = put_body(&d, what, key);
    if (ret != 0 || d.full) {
        return ret != 0 ? ret : FK_E_RANGE;
    }
    return sign(&d, key);
}

#endif
