/* What we rely on in the libraries that we do not write, under our settings of them: patches that
 * took effect, and features that a change of mbedtls_config.h could lose without a compile error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <nghttp2/nghttp2.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <psa/crypto.h>
#include <yaml.h>

/* --- Mbed TLS --- */

/* Pseudo-random is enough here: nothing made by this test leaves it. */
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *out, size_t len, size_t *out_len) {
    static uint32_t state = 1;
    (void)context;
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525U + 1013904223U;
        out[i] = (uint8_t)(state >> 24);
    }
    *out_len = len;
    return PSA_SUCCESS;
}

/* A self-signed certificate for 192.0.2.7 and node.example, as DER at the end of der[]. */
static int write_certificate(mbedtls_pk_context *key, unsigned char *der, size_t cap) {
    static unsigned char ip[4] = {192, 0, 2, 7};
    static unsigned char dns[] = "node.example";
    unsigned char serial[1] = {1};
    mbedtls_x509_san_list names[2] = {0};
    names[0].node.type = MBEDTLS_X509_SAN_IP_ADDRESS;
    names[0].node.san.unstructured_name.p = ip;
    names[0].node.san.unstructured_name.len = sizeof(ip);
    names[0].next = &names[1];
    names[1].node.type = MBEDTLS_X509_SAN_DNS_NAME;
    names[1].node.san.unstructured_name.p = dns;
    names[1].node.san.unstructured_name.len = sizeof(dns) - 1;

    mbedtls_x509write_cert cert;
    mbedtls_x509write_crt_init(&cert);
    mbedtls_x509write_crt_set_md_alg(&cert, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&cert, key);
    mbedtls_x509write_crt_set_issuer_key(&cert, key);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(&cert, "CN=node"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&cert, "CN=node"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&cert, serial, sizeof(serial)), 0);
    assert_int_equal(mbedtls_x509write_crt_set_validity(&cert, "20000101000000", "20010101000000"),
                     0);
    assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(&cert, 1, 0), 0);
    assert_int_equal(mbedtls_x509write_crt_set_subject_alternative_name(&cert, names), 0);
    int len = mbedtls_x509write_crt_der(&cert, der, cap, mbedtls_psa_get_random,
                                        MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_x509write_crt_free(&cert);
    return len;
}

static void a_name_or_an_address_is_verified(void **state) {
    (void)state;
    assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    assert_int_equal(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    assert_int_equal(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP384R1, mbedtls_pk_ec(key),
                                         mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE),
                     0);
    unsigned char der[1024];
    int len = write_certificate(&key, der, sizeof(der));
    assert_true(len > 0);

    mbedtls_x509_crt crt;
    mbedtls_x509_crt_init(&crt);
    assert_int_equal(mbedtls_x509_crt_parse_der(&crt, der + sizeof(der) - (size_t)len, (size_t)len),
                     0);
    static const struct {
        const char *name;
        uint32_t flags;
    } rows[] = {
        /* Expired in 2001, and yet no flag: validity is ours to judge (mbedtls_config.h). */
        {"192.0.2.7", 0},
        {"node.example", 0},
        {"192.0.2.8", MBEDTLS_X509_BADCERT_CN_MISMATCH},
        {"node", MBEDTLS_X509_BADCERT_CN_MISMATCH},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t flags = 0;
        (void)mbedtls_x509_crt_verify(&crt, &crt, NULL, rows[i].name, &flags, NULL, NULL);
        assert_int_equal(flags, rows[i].flags);
    }
    mbedtls_x509_crt_free(&crt);
    mbedtls_pk_free(&key);
    mbedtls_psa_crypto_free();
}

static void suites_and_keys_of_real_clusters_are_there(void **state) {
    (void)state;
    static const int wanted[] = {
        MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
        MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
        MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const int *suite = mbedtls_ssl_list_ciphersuites();
        while (*suite != 0 && *suite != wanted[i]) {
            suite++;
        }
        assert_int_equal(*suite, wanted[i]);
    }
    assert_non_null(mbedtls_pk_info_from_type(MBEDTLS_PK_RSA));
    assert_non_null(mbedtls_ecp_curve_info_from_grp_id(MBEDTLS_ECP_DP_SECP256R1));
}

/* --- nghttp2 --- */

struct counter {
    size_t total;
};

static void *counting_malloc(size_t size, void *user) {
    struct counter *counter = user;
    counter->total += size;
    return malloc(size);
}

static void *counting_calloc(size_t count, size_t size, void *user) {
    struct counter *counter = user;
    counter->total += count * size;
    return calloc(count, size);
}

static void *counting_realloc(void *old, size_t size, void *user) {
    struct counter *counter = user;
    counter->total += size;
    return realloc(old, size);
}

static void counting_free(void *old, void *user) {
    (void)user;
    free(old);
}

static void a_session_is_small(void **state) {
    (void)state;
    struct counter counter = {0};
    nghttp2_mem mem = {&counter, counting_malloc, counting_free, counting_calloc, counting_realloc};
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_session *session = NULL;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    assert_int_equal(nghttp2_session_client_new3(&session, callbacks, NULL, NULL, &mem), 0);
    print_message("nghttp2: %zu bytes for a new session\n", counter.total);
    /* Unpatched: 19 KB with pointers of 4 bytes, 21 KB with 8. */
    assert_true(counter.total < 4500);
    nghttp2_session_del(session);
    nghttp2_session_callbacks_del(callbacks);
}

static void a_path_sent_again_costs_one_byte(void **state) {
    (void)state;
    static uint8_t name[] = ":path";
    static uint8_t value[] = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/a";
    nghttp2_nv header = {name, value, sizeof(name) - 1, sizeof(value) - 1, NGHTTP2_NV_FLAG_NONE};
    nghttp2_hd_deflater *deflater = NULL;
    uint8_t out[256];
    assert_int_equal(nghttp2_hd_deflate_new(&deflater, 512), 0);
    /* The first block also carries the table's size. */
    assert_true(nghttp2_hd_deflate_hd2(deflater, out, sizeof(out), &header, 1) > 30);
    assert_int_equal(nghttp2_hd_deflate_hd2(deflater, out, sizeof(out), &header, 1), 1);
    nghttp2_hd_deflate_del(deflater);
}

/* --- nanopb, libyaml --- */

static void nanopb_reads_what_it_wrote(void **state) {
    (void)state;
    pb_byte_t buf[16];
    pb_ostream_t out = pb_ostream_from_buffer(buf, sizeof(buf));
    assert_true(pb_encode_varint(&out, 300));
    pb_istream_t in = pb_istream_from_buffer(buf, out.bytes_written);
    uint64_t value = 0;
    assert_true(pb_decode_varint(&in, &value));
    assert_int_equal(value, 300);
}

static void libyaml_parses(void **state) {
    (void)state;
    static const unsigned char text[] = "kind: Config\n";
    yaml_parser_t parser;
    yaml_document_t document;
    assert_true(yaml_parser_initialize(&parser));
    yaml_parser_set_input_string(&parser, text, sizeof(text) - 1);
    assert_true(yaml_parser_load(&parser, &document));
    assert_int_equal(yaml_document_get_root_node(&document)->type, YAML_MAPPING_NODE);
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_or_an_address_is_verified),
        cmocka_unit_test(suites_and_keys_of_real_clusters_are_there),
        cmocka_unit_test(a_session_is_small),
        cmocka_unit_test(a_path_sent_again_costs_one_byte),
        cmocka_unit_test(nanopb_reads_what_it_wrote),
        cmocka_unit_test(libyaml_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
