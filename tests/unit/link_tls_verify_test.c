/* link/tls: whose certificates are accepted, and what the log says about the others. */
#include "link_tls_world.h"

/* ---- The server's certificate --------------------------------------------------------------- */

/* A server with this certificate is refused: the code, no request, and words in the log. */
static void refused(const struct certs_spec *spec, struct certs_id *by, const char *const *words) {
    static struct certs_id leaf;
    w.serving = true;
    certs_key(&leaf, CERTS_P256);
    struct certs_spec named = *spec;
    named.subject = spec->subject == NULL ? "CN=kube-apiserver" : spec->subject;
    certs_issue(&leaf, &named, by);
    w.serving = false;
    w.server.leaf = &leaf;
    start();
    assert_int_equal(connect_now(), FK_E_CERT);
    assert_false(fk_tls_connected(&w.tls));
    assert_int_equal(w.server.received, 0);
    const size_t sent = w.link.to_far.sent;
    assert_int_equal(fk_pipe_send(w.pipe, "GET", 3), FK_E_CERT);
    assert_int_equal(w.link.to_far.sent, sent);
    for (; *words != NULL; words++) {
        assert_logged(*words);
    }
    assert_logged("sha256=");
    finish();
    certs_free(&leaf);
}

#define REFUSED(by, spec, ...)                                                                     \
    refused(&(const struct certs_spec)spec, by, (const char *const[]){__VA_ARGS__, NULL})
#define SPEC(...)                                                                                  \
    { __VA_ARGS__ }

static void by_an_unknown_ca(void **state) {
    (void)state;
    REFUSED(&id.other_ca, SPEC(.dns = {"api.example"}), "not in certificate-authority",
            "issuer=CN=other", "subject=CN=kube-apiserver");
}

static void names_of_all_kinds(void **state) {
    (void)state;
    REFUSED(&id.other_ca,
            SPEC(.subject = "C=DE,ST=BY,L=M,O=a\\, b,OU=x\\+y=z,CN=\\C3\\A4\\1B,emailAddress=a@b",
                 .dns = {"api.example"}),
            "subject=C=DE, ST=BY, L=M, O=a\\, b, OU=x\\+y\\=z, CN=???, ?=a@b");
    /* Of a long one, the first 127 bytes. */
#define HALF "==============================="
#define HALF_SHOWN                                                                                 \
    "\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\=\\="   \
    "\\="
    REFUSED(&id.other_ca, SPEC(.subject = "CN=" HALF HALF, .dns = {"api.example"}),
            "subject=CN=" HALF_SHOWN HALF_SHOWN " issuer=CN=other");
    REFUSED(&id.other_ca, SPEC(.subject = "CN=" HALF HALF "=", .dns = {"api.example"}),
            "subject=CN=" HALF_SHOWN HALF_SHOWN " issuer=CN=other");
}

static void by_a_ca_of_the_same_name(void **state) {
    (void)state;
    REFUSED(&id.same_name_ca, SPEC(.dns = {"api.example"}), "made anew", "issuer=CN=kubernetes");
}

static void self_signed_leaf(void **state) {
    (void)state;
    REFUSED(NULL, SPEC(.dns = {"api.example"}), "self-signed");
}

static void expired(void **state) {
    (void)state;
    REFUSED(&id.ca, SPEC(.dns = {"api.example"}, .to = "20260630235959"), "it has expired",
            "not_after=2026-06-30T23:59:59Z", "clock=2026-07-01T00:00:00Z");
}

static void not_yet_valid(void **state) {
    (void)state;
    REFUSED(&id.ca, SPEC(.dns = {"api.example"}, .from = "20260701000001"), "not valid yet",
            "not_before=2026-07-01T00:00:01Z", "clock=2026-07-01T00:00:00Z");
}

static void for_another_name(void **state) {
    (void)state;
    REFUSED(&id.ca, SPEC(.dns = {"kubernetes", "kubernetes.default"}, .ip = ip4, .ip_len = 4),
            "other names", "names=192.0.2.7, kubernetes.default, kubernetes",
            "server_name=api.example");
}

static void for_a_common_name_only(void **state) {
    (void)state;
    REFUSED(&id.ca, SPEC(.subject = "CN=api.example"), "other names", "(no subject alternative");
}

static void for_clients(void **state) {
    (void)state;
    REFUSED(&id.ca, SPEC(.dns = {"api.example"}, .client_only = true), "key usage");
}

static void for_another_address(void **state) {
    (void)state;
    w.cfg.server_name = "192.0.2.8";
    REFUSED(&id.ca, SPEC(.dns = {"192.0.2.8"}, .ip = ip4, .ip_len = 4), "other names",
            "server_name=192.0.2.8");
}

/* Bytes that a name and an address have in common make neither the other. The longer address goes
 * on as the certificate does: behind its IP entry stands the DNS entry, tag and length first. */
static void an_address_matches_whole_and_its_own_kind(void **state) {
    (void)state;
    w.cfg.server_name = "2001:db8:820a:6162:6364:6566:6768:696a";
    REFUSED(&id.ca, SPEC(.dns = {"abcdefghij"}, .ip = ip6, .ip_len = 4), "other names",
            "names=32.1.13.184, abcdefghij");
    (void)world_setup(NULL);
    w.cfg.server_name = "32.1.13.184"; /* ip6's first four bytes */
    REFUSED(&id.ca, SPEC(.ip = ip6, .ip_len = 16), "other names", "names=2001:0db8:");
    (void)world_setup(NULL);
    w.cfg.server_name = "97.98.99.100";
    REFUSED(&id.ca, SPEC(.dns = {"abcd"}), "other names", "names=abcd");
    (void)world_setup(NULL);
    w.cfg.server_name = "6162:6364:6566:6768:696a:6b6c:6d6e:6f70";
    REFUSED(&id.ca, SPEC(.dns = {"abcdefghijklmnop"}), "other names", "names=abcdefghijklmnop");
}

static void names_cannot_forge_log_lines(void **state) {
    (void)state;
    REFUSED(&id.ca, SPEC(.dns = {"a\nb\x1b[0m"}), "names=a?b?[0m");
}

static void the_address_is_its_name(void **state) {
    (void)state;
    static struct certs_id leaf;
    static const char *const names[] = {"192.0.2.7", "2001:db8::7"};
    for (size_t i = 0; i < 2; i++) {
        (void)world_setup(NULL);
        w.serving = true;
        issue(&leaf, CERTS_P256,
              (struct certs_spec){.ip = i == 0 ? ip4 : ip6, .ip_len = i == 0 ? 4 : 16}, &id.ca);
        w.serving = false;
        w.server.leaf = &leaf;
        w.cfg.server_name = names[i];
        start();
        assert_int_equal(connect_now(), 0);
        assert_string_equal(w.server.sni, ""); /* RFC 6066 §3: literals are not permitted */
        assert_int_equal(echo(10), 0);
        finish();
        certs_free(&leaf);
    }
}

static void wildcards_match_one_label(void **state) {
    (void)state;
    static struct certs_id leaf;
    w.serving = true;
    issue(&leaf, CERTS_P256, (struct certs_spec){.dns = {"*.example"}}, &id.ca);
    w.serving = false;
    w.server.leaf = &leaf;
    start();
    assert_int_equal(connect_now(), 0);
    finish();
    (void)world_setup(NULL);
    w.server.leaf = &leaf;
    w.cfg.server_name = "a.api.example";
    start();
    assert_int_equal(connect_now(), FK_E_CERT);
    finish();
    certs_free(&leaf);
}

/* ---- Chains --------------------------------------------------------------------------------- */

static void through_an_intermediate(void **state) {
    (void)state;
    static struct certs_id middle, leaf;
    w.serving = true;
    issue(&middle, CERTS_P256, (struct certs_spec){.subject = "CN=middle", .ca = true}, &id.ca);
    issue(&leaf, CERTS_P256, (struct certs_spec){.dns = {"api.example"}}, &middle);
    w.serving = false;
    w.server.leaf = &leaf;
    w.server.intermediate = &middle;
    start();
    assert_int_equal(connect_now(), 0);
    finish();

    (void)world_setup(NULL);
    w.server.leaf = &leaf; /* not sent along */
    start();
    assert_int_equal(connect_now(), FK_E_CERT);
    assert_logged("does not send the intermediate");
    finish();

    (void)world_setup(NULL);
    w.server.leaf = &leaf;
    w.serving = true;
    certs_issue(&middle,
                &(struct certs_spec){.subject = "CN=middle", .ca = true, .to = "20260101000000"},
                &id.ca);
    w.serving = false;
    w.server.intermediate = &middle;
    start();
    assert_int_equal(connect_now(), FK_E_CERT);
    assert_logged("subject=CN=middle");
    assert_logged("it has expired");
    finish();
    certs_free(&middle);
    certs_free(&leaf);
}

static void a_leaf_cannot_sign(void **state) {
    (void)state;
    static struct certs_id leaf;
    w.serving = true;
    issue(&leaf, CERTS_P256, (struct certs_spec){.dns = {"api.example"}}, &id.client);
    w.serving = false;
    w.server.leaf = &leaf;
    w.server.intermediate = &id.client;
    start();
    assert_int_equal(connect_now(), FK_E_CERT);
    finish();
    certs_free(&leaf);
}

static void any_ca_of_several(void **state) {
    (void)state;
    static char bundle[8192];
    (void)snprintf(bundle, sizeof bundle, "%s%s", id.other_ca.pem, id.ca.pem);
    w.cfg.ca = (const uint8_t *)bundle;
    w.cfg.ca_len = strlen(bundle) + 1;
    start();
    assert_int_equal(connect_now(), 0);
    finish();
}

/* ---- Time ----------------------------------------------------------------------------------- */

static void an_unknown_time_is_made_up_for(void **state) {
    (void)state;
    static struct certs_id leaf;
    w.serving = true;
    issue(&leaf, CERTS_P256,
          (struct certs_spec){
              .dns = {"api.example"}, .from = "20260101000000", .to = "20261231235959"},
          &id.ca);
    w.serving = false;
    w.server.leaf = &leaf;
    w.wall_us = FK_WALL_UNKNOWN;
    start();
    assert_int_equal(fk_tls_check_validity(&w.tls, IN_2026), 0); /* nothing to check yet */
    assert_int_equal(connect_now(), 0);
    const int64_t from = INT64_C(1767225600) * SECOND, to = INT64_C(1798761599) * SECOND;
    const struct {
        int64_t wall_us;
        int expected;
    } rows[] = {
        {FK_WALL_UNKNOWN, 0},     {IN_2026, 0},   {from, 0},
        {from - 1, FK_E_CERT},    {to, 0},        {to + SECOND - 1, 0},
        {to + SECOND, FK_E_CERT}, {0, FK_E_CERT}, {-1, FK_E_CERT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(fk_tls_check_validity(&w.tls, rows[i].wall_us), rows[i].expected);
    }
    assert_logged("it has expired");
    assert_logged("not_after=2026-12-31T23:59:59Z");
    finish();
    certs_free(&leaf);
}

static void no_clock_at_all(void **state) {
    (void)state;
    w.cfg.wall_us = NULL;
    start();
    assert_int_equal(connect_now(), 0);
    assert_int_equal(fk_tls_check_validity(&w.tls, INT64_C(4102444800) * SECOND), FK_E_CERT);
    finish();
}

/* ---- HTTP/2 --------------------------------------------------------------------------------- */

static void no_alpn(void **state) {
    (void)state;
    w.server.alpn[0] = NULL;
    start();
    assert_int_equal(connect_now(), FK_E_PROTO);
    assert_logged("not an HTTP/2 API server");
    assert_int_equal(fk_pipe_send(w.pipe, "PRI", 3), FK_E_PROTO);
    assert_int_equal(w.server.received, 0);
    finish();
}

static void http1_only(void **state) {
    (void)state;
    w.server.alpn[0] = "http/1.1";
    w.server.alpn[1] = NULL;
    start();
    assert_int_equal(connect_now(), FK_E_PROTO);
    assert_logged("not an HTTP/2 API server");
    finish();
}

/* ---- Our certificate ------------------------------------------------------------------------ */

/* As a TLS 1.3 server that looks at our certificate when our handshake is already over. (Mbed TLS's
 * own server encrypts this alert with keys that are out of use then.) */
static void server_alert(uint8_t description) {
    w.serving = true;
    assert_int_equal(mbedtls_ssl_send_alert_message(&w.server.ssl, 2, description), 0);
    w.serving = false;
    w.server.over = true;
    fk_pipe_close(mem_pipe_far(&w.link));
}

static void the_server_does_not_know_our_ca(void **state) {
    (void)state;
    w.server.max = MBEDTLS_SSL_VERSION_TLS1_2;
    w.server.client_ca = &id.other_ca;
    start();
    assert_int_equal(connect_now(), FK_E_TLS);
    assert_logged("does not know the CA of our client certificate");
    assert_logged("client_certificate_not_after=2040-01-01T00:00:00Z");
    finish();
}

static void alerts_come_in_words(void **state) {
    (void)state;
    static const struct {
        uint8_t alert;
        const char *words;
    } rows[] = {
        {42, "refused our client certificate as bad"},   {44, "has been revoked"},
        {45, "our client certificate has expired"},      {48, "does not know the CA"},
        {51, "does the key belong to the certificate?"}, {116, "demands a client certificate"},
        {80, "ended TLS with an alert alert=80"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)world_setup(NULL);
        start();
        assert_int_equal(connect_now(), 0);
        server_alert(rows[i].alert);
        client_step();
        assert_int_equal(w.err, FK_E_TLS);
        assert_logged(rows[i].words);
        finish();
    }
}

/* What we send meets a closed door, and the alert behind it must still be read. */
static void the_alert_is_read_though_sending_fails(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(), 0);
    server_alert(48);
    w.link.to_far.ended = true;
    assert_int_equal(fk_pipe_send(w.pipe, "PRI", 3), 0);
    client_step();
    assert_int_equal(w.err, FK_E_TLS);
    assert_logged("does not know the CA of our client certificate");
    finish();
}

static void a_failure_to_send_is_told_in_the_end(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(), 0);
    w.link.to_far.ended = true;
    assert_int_equal(fk_pipe_send(w.pipe, "PRI", 3), 0);
    assert_int_equal(fk_pipe_send(w.pipe, "PRI", 3), FK_E_RESET);
    finish();

    (void)world_setup(NULL);
    start();
    assert_int_equal(connect_now(), 0);
    w.link.to_far.ended = true;
    assert_int_equal(fk_pipe_send(w.pipe, "PRI", 3), 0);
    client_step();
    assert_int_equal(w.err, FK_E_RESET);
    finish();
}

/* ---- What we are given ---------------------------------------------------------------------- */

static void rejected(const char *words) {
    assert_int_equal(fk_tls_init(&w.tls, &w.cfg), FK_E_CONFIG);
    assert_logged(words);
    assert_int_equal(w.heap.used_bytes, 0);
}

static void unusable_settings_are_named(void **state) {
    (void)state;
    static const char nonsense[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    static const char locked[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
                                 "-----END ENCRYPTED PRIVATE KEY-----\n";
    w.cfg.server_name = "";
    rejected("name or IP address to verify");

    (void)world_setup(NULL);
    w.cfg.ca = NULL;
    rejected("what=certificate-authority");

    (void)world_setup(NULL);
    w.cfg.ca = (const uint8_t *)nonsense;
    w.cfg.ca_len = sizeof nonsense;
    rejected("what=certificate-authority");

    (void)world_setup(NULL);
    w.cfg.ca = id.ca.der;
    w.cfg.ca_len = id.ca.der_len - 1;
    rejected("what=certificate-authority");

    (void)world_setup(NULL);
    w.cfg.cert = (const uint8_t *)nonsense;
    w.cfg.cert_len = sizeof nonsense;
    rejected("what=client-certificate");

    (void)world_setup(NULL);
    w.cfg.key = NULL;
    rejected("one is missing what=client-key");

    (void)world_setup(NULL);
    w.cfg.cert = NULL;
    rejected("one is missing what=client-certificate");

    (void)world_setup(NULL);
    w.cfg.key = (const uint8_t *)nonsense;
    w.cfg.key_len = sizeof nonsense;
    rejected("no key could be read");

    (void)world_setup(NULL);
    w.cfg.key = (const uint8_t *)locked;
    w.cfg.key_len = sizeof locked;
    rejected("encrypted key is not supported");

    (void)world_setup(NULL);
    w.cfg.cert = (const uint8_t *)id.server.pem;
    w.cfg.cert_len = strlen(id.server.pem) + 1;
    rejected("the key does not belong to the certificate");

    (void)world_setup(NULL);
    w.cfg.cert = (const uint8_t *)id.server.pem;
    w.cfg.cert_len = strlen(id.server.pem) + 1;
    w.cfg.pair_unchecked = true; /* accepted: the server will find out */
    start();
    finish();
}

static void a_bundle_with_a_bad_one_still_serves(void **state) {
    (void)state;
    static char bundle[8192];
    (void)snprintf(bundle, sizeof bundle, "%s%s",
                   "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", id.ca.pem);
    w.cfg.ca = (const uint8_t *)bundle;
    w.cfg.ca_len = strlen(bundle) + 1;
    start();
    assert_logged("do not count");
    assert_int_equal(connect_now(), 0);
    finish();
}

/* Nothing that was logged in this file held a part of the key. */
static void keys_stay_out_of_the_log(void **state) {
    (void)state;
    char piece[33];
    const char *body = strchr(id.client_key, '\n') + 1;
    (void)snprintf(piece, sizeof piece, "%.32s", body);
    w.log.level = FK_DEBUG;
    start();
    assert_int_equal(connect_now(), 0);
    assert_logged("TLS established");
    assert_null(strstr(w.lines, piece));
    finish();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(by_an_unknown_ca, world_setup),
        cmocka_unit_test_setup(names_of_all_kinds, world_setup),
        cmocka_unit_test_setup(by_a_ca_of_the_same_name, world_setup),
        cmocka_unit_test_setup(self_signed_leaf, world_setup),
        cmocka_unit_test_setup(expired, world_setup),
        cmocka_unit_test_setup(not_yet_valid, world_setup),
        cmocka_unit_test_setup(for_another_name, world_setup),
        cmocka_unit_test_setup(for_a_common_name_only, world_setup),
        cmocka_unit_test_setup(for_clients, world_setup),
        cmocka_unit_test_setup(for_another_address, world_setup),
        cmocka_unit_test_setup(an_address_matches_whole_and_its_own_kind, world_setup),
        cmocka_unit_test_setup(names_cannot_forge_log_lines, world_setup),
        cmocka_unit_test_setup(the_address_is_its_name, world_setup),
        cmocka_unit_test_setup(wildcards_match_one_label, world_setup),
        cmocka_unit_test_setup(through_an_intermediate, world_setup),
        cmocka_unit_test_setup(a_leaf_cannot_sign, world_setup),
        cmocka_unit_test_setup(any_ca_of_several, world_setup),
        cmocka_unit_test_setup(an_unknown_time_is_made_up_for, world_setup),
        cmocka_unit_test_setup(no_clock_at_all, world_setup),
        cmocka_unit_test_setup(no_alpn, world_setup),
        cmocka_unit_test_setup(http1_only, world_setup),
        cmocka_unit_test_setup(the_server_does_not_know_our_ca, world_setup),
        cmocka_unit_test_setup(alerts_come_in_words, world_setup),
        cmocka_unit_test_setup(the_alert_is_read_though_sending_fails, world_setup),
        cmocka_unit_test_setup(a_failure_to_send_is_told_in_the_end, world_setup),
        cmocka_unit_test_setup(unusable_settings_are_named, world_setup),
        cmocka_unit_test_setup(a_bundle_with_a_bad_one_still_serves, world_setup),
        cmocka_unit_test_setup(keys_stay_out_of_the_log, world_setup),
    };
    const int failed = cmocka_run_group_tests_name("link_tls_verify", tests, NULL, NULL);
    free_identities();
    return failed;
}
