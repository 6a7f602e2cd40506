#include "support/certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>

#include "base/rng.h"

int certs_random(void *ctx, unsigned char *out, size_t len) {
    static struct fk_rng rng = {20260701};
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        out[i] = (unsigned char)fk_rng_u32(&rng);
    }
    return 0;
}

int certs_entropy(void *ctx, void *out, size_t len) { return certs_random(ctx, out, len); }

void certs_key(struct certs_id *id, enum certs_kind kind) {
    const bool rsa = kind == CERTS_RSA2048 || kind == CERTS_RSA4096;
    memset(id, 0, sizeof *id);
    mbedtls_pk_init(&id->key);
    const mbedtls_pk_type_t type = rsa ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECKEY;
    assert_int_equal(mbedtls_pk_setup(&id->key, mbedtls_pk_info_from_type(type)), 0);
    if (rsa) {
        const unsigned bits = kind == CERTS_RSA2048 ? 2048 : 4096;
        assert_int_equal(
            mbedtls_rsa_gen_key(mbedtls_pk_rsa(id->key), certs_random, NULL, bits, 65537), 0);
    } else {
        const mbedtls_ecp_group_id group =
            kind == CERTS_P256 ? MBEDTLS_ECP_DP_SECP256R1 : MBEDTLS_ECP_DP_SECP384R1;
        assert_int_equal(mbedtls_ecp_gen_key(group, mbedtls_pk_ec(id->key), certs_random, NULL), 0);
    }
}

#define NAMES_MAX 128

/* The list refers to spec and to text. */
static mbedtls_x509_san_list *names_of(const struct certs_spec *spec, mbedtls_x509_san_list *list,
                                       char text[NAMES_MAX][64]) {
    size_t n = 0;
    for (size_t i = 0; i < 3 && spec->dns[i] != NULL; i++) {
        (void)snprintf(text[n], sizeof text[n], "%s", spec->dns[i]);
        n++;
    }
    for (unsigned i = 0; i < spec->many_names; i++) {
        (void)snprintf(text[n], sizeof text[n], "%045u.many.example", i);
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        list[i].node.type = MBEDTLS_X509_SAN_DNS_NAME;
        list[i].node.san.unstructured_name.p = (unsigned char *)text[i];
        list[i].node.san.unstructured_name.len = strlen(text[i]);
    }
    if (spec->ip != NULL) {
        list[n].node.type = MBEDTLS_X509_SAN_IP_ADDRESS;
        list[n].node.san.unstructured_name.p = (unsigned char *)(uintptr_t)spec->ip;
        list[n].node.san.unstructured_name.len = spec->ip_len;
        n++;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        list[i].next = &list[i + 1];
    }
    return n > 0 ? list : NULL;
}

static void set_extensions(mbedtls_x509write_cert *w, const struct certs_spec *spec) {
    assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(w, spec->ca, -1), 0);
    mbedtls_x509_san_list list[NAMES_MAX];
    char text[NAMES_MAX][64];
    memset(list, 0, sizeof list);
    const mbedtls_x509_san_list *names = names_of(spec, list, text);
    if (names != NULL) {
        assert_int_equal(mbedtls_x509write_crt_set_subject_alternative_name(w, names), 0);
    }
    if (spec->client_only || spec->server_only) {
        mbedtls_asn1_sequence usage;
        memset(&usage, 0, sizeof usage);
        usage.buf.tag = MBEDTLS_ASN1_OID;
        usage.buf.p = (unsigned char *)(uintptr_t)(spec->client_only ? MBEDTLS_OID_CLIENT_AUTH
                                                                     : MBEDTLS_OID_SERVER_AUTH);
        usage.buf.len = MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH); /* of both */
        assert_int_equal(mbedtls_x509write_crt_set_ext_key_usage(w, &usage), 0);
    }
}

/* mbedtls_x509write_crt_set_subject_name has but one of each kind. */
static void add_groups(mbedtls_x509write_cert *w, const struct certs_spec *spec) {
    size_t n = 0;
    while (n < 4 && spec->groups[n] != NULL) {
        n++;
    }
    for (size_t i = 0; i < n; i++) { /* they are written from the last to the first */
        const char *group = spec->groups[i];
        mbedtls_asn1_named_data *o = mbedtls_calloc(1, sizeof *o);
        assert_non_null(o);
        o->oid.len = MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_ORGANIZATION);
        o->oid.p = mbedtls_calloc(1, o->oid.len);
        o->val.tag = spec->group_tag != 0 ? spec->group_tag : MBEDTLS_ASN1_UTF8_STRING;
        o->val.len = strlen(group);
        o->val.p = mbedtls_calloc(1, o->val.len + 1);
        assert_true(o->oid.p != NULL && o->val.p != NULL);
        memcpy(o->oid.p, MBEDTLS_OID_AT_ORGANIZATION, o->oid.len);
        memcpy(o->val.p, group, o->val.len);
        o->next = w->MBEDTLS_PRIVATE(subject);
        w->MBEDTLS_PRIVATE(subject) = o;
    }
}

static void write_pem(struct certs_id *id) {
    size_t len;
    if (mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
                                 id->der, id->der_len, (unsigned char *)id->pem, sizeof id->pem,
                                 &len) != 0) {
        id->pem[0] = '\0';
    }
}

void certs_issue(struct certs_id *id, const struct certs_spec *spec, struct certs_id *issuer) {
    static uint8_t serial;
    struct certs_id *by = issuer == NULL ? id : issuer;
    (void)snprintf(id->subject, sizeof id->subject, "%s", spec->subject);

    mbedtls_x509write_cert w;
    mbedtls_x509write_crt_init(&w);
    mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&w, &id->key);
    mbedtls_x509write_crt_set_issuer_key(&w, &by->key);
    serial = (uint8_t)(serial % 100 + 1);
    assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&w, &serial, 1), 0);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(&w, id->subject), 0);
    add_groups(&w, spec);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&w, by->subject), 0);
    assert_int_equal(
        mbedtls_x509write_crt_set_validity(&w, spec->from != NULL ? spec->from : "20200101000000",
                                           spec->to != NULL ? spec->to : "20400101000000"),
        0);
    set_extensions(&w, spec);

    const int len = mbedtls_x509write_crt_der(&w, id->der, sizeof id->der, certs_random, NULL);
    assert_true(len > 0);
    id->der_len = (size_t)len;
    memmove(id->der, id->der + sizeof id->der - id->der_len, id->der_len);
    mbedtls_x509write_crt_free(&w);
    write_pem(id);
}

size_t certs_key_pem(const struct certs_id *id, char *buf, size_t cap) {
    assert_int_equal(mbedtls_pk_write_key_pem(&id->key, (unsigned char *)buf, cap), 0);
    return strlen(buf) + 1;
}

size_t certs_key_der(const struct certs_id *id, uint8_t *buf, size_t cap) {
    const int len = mbedtls_pk_write_key_der(&id->key, buf, cap);
    assert_true(len > 0);
    memmove(buf, buf + cap - (size_t)len, (size_t)len);
    return (size_t)len;
}

void certs_free(struct certs_id *id) { mbedtls_pk_free(&id->key); }
