/* link/tls_server_setup and link/self_signed: the certificates that we serve with. */
#include "link_tls_server_world.h"

#include <mbedtls/oid.h>

#include "link/self_signed.h"

static void unsigned_server(void) {
    w.cfg.cert = NULL;
    w.cfg.key = NULL;
    for (unsigned i = 0; i < CLIENTS; i++) {
        w.clients[i].no_check = true;
    }
    start();
}

static int sign(const char *name, const char *hostname, const char *address) {
    return fk_tls_server_self_sign(&w.server, name, hostname, address, IN_2026);
}

static void without_a_certificate_nobody_is_taken_in(void **state) {
    (void)state;
    unsigned_server();
    assert_false(fk_tls_server_ready(&w.server));
    assert_int_equal(fk_tls_server_not_after(&w.server), FK_WALL_UNKNOWN);
    w.calling[0] = true;
    assert_false(w.listener.ops->waiting(w.listener.ctx));
    assert_int_equal(fk_pipe_open(session(0)), FK_E_BUSY);
    assert_int_equal(sign("node.example", "host", "192.0.2.7"), 0);
    assert_true(fk_tls_server_ready(&w.server));
    assert_true(w.listener.ops->waiting(w.listener.ctx));
    assert_int_equal(connect_now(0), 0);
    assert_talks(0);
    finish();
}

static bool has_name(const mbedtls_x509_crt *crt, int type, const void *name, size_t len) {
    for (const mbedtls_x509_sequence *san = &crt->subject_alt_names; san != NULL; san = san->next) {
        if ((san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == type && san->buf.len == len &&
            memcmp(san->buf.p, name, len) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned count_names(const mbedtls_x509_crt *crt) {
    unsigned n = 0;
    for (const mbedtls_x509_sequence *san = &crt->subject_alt_names; san != NULL; san = san->next) {
        n++;
    }
    return n;
}

static void a_certificate_of_our_own_names_the_node(void **state) {
    (void)state;
    const uint8_t ip4[4] = {192, 0, 2, 7};
    const uint8_t ip6[16] = {0x20, 1, 0xd, 0xb8, [15] = 7};
    unsigned_server();
    assert_int_equal(sign("node.example", "host", "192.0.2.7"), 0);
    const mbedtls_x509_crt *crt = &w.server.identity->cert;
    assert_true(has_name(crt, MBEDTLS_X509_SAN_DNS_NAME, "node.example", 12));
    assert_true(has_name(crt, MBEDTLS_X509_SAN_DNS_NAME, "host", 4));
    assert_true(has_name(crt, MBEDTLS_X509_SAN_IP_ADDRESS, ip4, sizeof ip4));
    assert_int_equal(count_names(crt), 3);
    assert_memory_equal(crt->subject.val.p, "node.example@1782864000", 23);
    assert_int_equal(crt->subject.val.len, 23);
    assert_int_equal(crt->serial.len, 16);
    assert_int_equal(crt->valid_from.year, 2026); /* an hour before, and a year later */
    assert_int_equal(crt->valid_from.mon, 6);
    assert_int_equal(crt->valid_from.day, 30);
    assert_int_equal(crt->valid_from.hour, 23);
    assert_int_equal(crt->valid_to.year, 2027);
    assert_int_equal(fk_tls_server_not_after(&w.server), 1782864000 - 3600 + 365 * 86400);
    assert_int_equal(mbedtls_x509_crt_check_extended_key_usage(
                         crt, MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)),
                     0);

    assert_int_equal(sign("n", "n", "2001:db8::7"), 0);
    crt = &w.server.identity->cert;
    assert_int_equal(count_names(crt), 2);
    assert_true(has_name(crt, MBEDTLS_X509_SAN_IP_ADDRESS, ip6, sizeof ip6));
    assert_int_equal(sign("n", "", ""), 0);
    assert_int_equal(count_names(&w.server.identity->cert), 1);
    finish();
}

static void each_key_and_serial_is_new(void **state) {
    (void)state;
    unsigned_server();
    uint8_t first[FK_SELF_SIGNED_MAX];
    assert_int_equal(sign("n", "", ""), 0);
    const mbedtls_x509_crt *crt = &w.server.identity->cert;
    memcpy(first, crt->raw.p, crt->raw.len);
    const size_t key_at = (size_t)(crt->pk_raw.p - crt->raw.p), key_len = crt->pk_raw.len;
    const size_t serial_at = (size_t)(crt->serial.p - crt->raw.p);
    assert_int_equal(sign("n", "", ""), 0);
    crt = &w.server.identity->cert;
    assert_memory_not_equal(crt->pk_raw.p + 27, first + key_at + 27, key_len - 27);
    assert_memory_not_equal(crt->serial.p, first + serial_at, 16);
    finish();
}

static void what_cannot_be_signed_leaves_the_former(void **state) {
    (void)state;
    char name[701];
    memset(name, 'n', sizeof name);
    name[700] = '\0';
    unsigned_server();
    assert_int_equal(sign("node.example", "", ""), 0);
    const struct fk_tls_identity *former = w.server.identity;
    const uint32_t level = w.heap.used_bytes;
    assert_int_equal(sign(name, "", ""), FK_E_RANGE);
    assert_int_equal(sign("n", name, name), FK_E_RANGE);
    assert_int_equal(sign("n", "", "192.0.2"), FK_E_RANGE);
    assert_int_equal(fk_tls_server_self_sign(&w.server, "n", "", "", FK_WALL_UNKNOWN), FK_E_RANGE);
    assert_logged("no certificate for the kubelet's port could be made");
    assert_ptr_equal(w.server.identity, former);
    assert_int_equal(w.heap.used_bytes, level);

    finish();
}

/* The name of a Node and a host's may have 253 bytes, a CN only 64. */
static void the_longest_names_can_be_signed(void **state) {
    (void)state;
    char name[254], hostname[254], subject[200];
    memset(name, 'n', sizeof name);
    memset(hostname, 'h', sizeof hostname);
    name[253] = hostname[253] = '\0';
    unsigned_server();
    assert_int_equal(sign(name, hostname, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), 0);
    const mbedtls_x509_crt *crt = &w.server.identity->cert;
    assert_true(crt->raw.len <= FK_SELF_SIGNED_MAX);
    assert_true(mbedtls_x509_dn_gets(subject, sizeof subject, &crt->subject) > 0);
    assert_memory_equal(subject, "CN=nnn", 6);
    assert_non_null(strchr(subject, '@'));
    assert_true(crt->subject.val.len <= 64);
    assert_int_equal(connect_now(0), 0);
    assert_talks(0);
    finish();
}

static void signing_fails_cleanly_without_memory_or_randomness(void **state) {
    (void)state;
    unsigned_server();
    assert_int_equal(sign("node.example", "", ""), 0);
    const uint32_t level = w.heap.used_bytes;
    size_t n = 0;
    do {
        w.entropy_left = n;
        const int err = sign("node.example", "host", "192.0.2.7");
        w.entropy_left = SIZE_MAX;
        if (err == 0) break;
        assert_int_equal(err, FK_E_ENTROPY);
        assert_int_equal(w.heap.used_bytes, level);
    } while (++n < 1000);
    assert_true(n > 1 && n < 1000);

    assert_int_equal(sign("node.example", "", ""), 0);
    fail_allocations();
    for (n = 0; n < 100000; n = next(n)) {
        w.allocs_left = n;
        const int err = sign("node.example", "host", "192.0.2.7");
        w.allocs_left = SIZE_MAX;
        if (err == 0) break;
        assert_int_equal(err, FK_E_NOMEM);
        assert_int_equal(w.heap.used_bytes, level);
    }
    assert_true(n > 10 && n < 100000);
    assert_int_equal(connect_now(0), 0);
    assert_talks(0);
    finish();
}

static void sessions_amid_their_handshake_keep_their_certificate(void **state) {
    (void)state;
    unsigned_server();
    assert_int_equal(sign("node.example", "", ""), 0);
    assert_int_equal(connect_now(1), 0);
    uint8_t byte;
    client_up(0);
    assert_int_equal(take_in(0), 0);
    client_step(0);
    for (int i = 0; i < 4; i++) { /* it has begun to answer */
        assert_int_equal(fk_pipe_recv(session(0), &byte, 1), 0);
    }
    assert_int_equal(sign("node.example", "", ""), 0);
    assert_int_equal(connect_now(2), 0);
    pump(0);
    assert_true(established(0));
    assert_talks(0);
    assert_talks(1);
    assert_talks(2);
    finish();
}

static void a_chain_may_be_given(void **state) {
    (void)state;
    static struct certs_id between, leaf;
    uint8_t chain[2048], key[256];
    struct fk_crypto_source *former = go_far();
    issue(&between, (struct certs_spec){.subject = "CN=between", .ca = true}, &id.ca);
    certs_key(&leaf, CERTS_P384);
    certs_issue(&leaf, &(struct certs_spec){.subject = "CN=n", .dns = {"node.example"}}, &between);
    const size_t key_len = certs_key_der(&leaf, key, sizeof key);
    come_back(former);
    memcpy(chain, leaf.der, leaf.der_len);
    memcpy(chain + leaf.der_len, between.der, between.der_len);
    w.cfg.cert = chain;
    w.cfg.cert_len = leaf.der_len + between.der_len;
    w.cfg.key = key;
    w.cfg.key_len = key_len;
    start();
    assert_int_equal(fk_tls_server_not_after(&w.server), INT64_C(2208988800));
    for (int version = 0; version < 2; version++) {
        w.clients[0].max = version == 0 ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3;
        assert_int_equal(connect_now(0), 0);
        assert_talks(0);
        hang_up(0);
    }
    finish();
    former = go_far();
    certs_free(&between);
    certs_free(&leaf);
    come_back(former);
}

/* Often it is the API server's own certificate that is taken for its CA's. */
static void a_client_ca_that_is_none_is_warned_of(void **state) {
    (void)state;
    static const char warning[] = "no certificate of the client CA is a CA's";
    start();
    assert_null(strstr(w.lines, warning));
    finish();
    w.cfg.client_ca = id.client.der;
    w.cfg.client_ca_len = id.client.der_len;
    w.cfg.client_ca_name = "/etc/node/client.crt";
    start();
    assert_logged(warning);
    assert_logged("what=/etc/node/client.crt");
    finish();
    static uint8_t both[sizeof id.client.der + sizeof id.ca.der]; /* one that is suffices */
    memcpy(both, id.client.der, id.client.der_len);
    memcpy(both + id.client.der_len, id.ca.der, id.ca.der_len);
    w.lines[0] = '\0';
    w.cfg.client_ca = both;
    w.cfg.client_ca_len = id.client.der_len + id.ca.der_len;
    start();
    assert_null(strstr(w.lines, warning));
    finish();
}

static void refused(int err, const char *why) {
    w.lines[0] = '\0';
    assert_int_equal(fk_tls_server_init(&w.server, &w.cfg), err);
    assert_logged(why);
    assert_int_equal(w.heap.used_bytes, 0);
    world_knobs();
}

static void what_cannot_be_used_is_said_at_the_start(void **state) {
    (void)state;
    w.cfg.cert_len--;
    refused(FK_E_CONFIG, "no certificate could be read");
    w.cfg.key = (const uint8_t *)"nonsense";
    w.cfg.key_len = 9;
    refused(FK_E_CONFIG, "no key could be read");
    w.cfg.key = NULL;
    refused(FK_E_CONFIG, "go together");
    w.cfg.cert = id.client.der;
    w.cfg.cert_len = id.client.der_len;
    refused(FK_E_CONFIG, "the key does not belong to the certificate what=tls-private-key");
    w.cfg.cert = id.client.der;
    w.cfg.cert_len = id.client.der_len;
    w.cfg.key_name = "/etc/node/port.key";
    refused(FK_E_CONFIG, "what=/etc/node/port.key");
    w.cfg.cert_len--;
    w.cfg.cert_name = "/etc/node/port.crt";
    refused(FK_E_CONFIG, "what=/etc/node/port.crt");
    w.cfg.client_ca_len--;
    w.cfg.client_ca_name = "/etc/node/client-ca.crt";
    refused(FK_E_CONFIG, "what=/etc/node/client-ca.crt");
    w.cfg.client_ca = (const uint8_t *)"nonsense";
    w.cfg.client_ca_len = 9;
    refused(FK_E_CONFIG, "no certificate could be read");
    fail_allocations();
    for (size_t n = 0;; n = next(n)) {
        w.allocs_left = n;
        if (fk_tls_server_init(&w.server, &w.cfg) == 0) break;
        w.allocs_left = SIZE_MAX;
        assert_int_equal(w.heap.used_bytes, 0);
    }
    w.listener = fk_tls_server_listener(&w.server);
    finish();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(without_a_certificate_nobody_is_taken_in),
        T(a_certificate_of_our_own_names_the_node),
        T(each_key_and_serial_is_new),
        T(what_cannot_be_signed_leaves_the_former),
        T(the_longest_names_can_be_signed),
        T(signing_fails_cleanly_without_memory_or_randomness),
        T(sessions_amid_their_handshake_keep_their_certificate),
        T(a_chain_may_be_given),
        T(a_client_ca_that_is_none_is_warned_of),
        T(what_cannot_be_used_is_said_at_the_start),
    };
    return cmocka_run_group_tests_name("link_tls_server_setup", tests, group_setup, group_teardown);
}
