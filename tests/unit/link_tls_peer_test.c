/* link/tls_peer: whose certificate counts, and when. */
#include "link_tls_server_world.h"

/* Connects with such a certificate: an odd one is no reason not to talk. */
static const struct fk_user *peer_with(struct certs_spec spec, struct certs_id *by) {
    static struct certs_id leaf;
    struct fk_crypto_source *former = go_far();
    issue(&leaf, spec, by);
    come_back(former);
    w.clients[0].leaf = &leaf;
    assert_int_equal(connect_now(0), 0);
    assert_true(established(0));
    const struct fk_user *u = peer(0);
    static struct fk_user copy;
    if (u != NULL) copy = *u;
    assert_talks(0);
    hang_up(0);
    former = go_far();
    certs_free(&leaf);
    come_back(former);
    return u == NULL ? NULL : &copy;
}

static void only_a_good_certificate_counts(void **state) {
    (void)state;
    const struct {
        struct certs_spec spec;
        struct certs_id *by;
        bool counts;
    } rows[] = {
        {{.subject = "CN=good", .client_only = true}, &id.ca, true},
        {{.subject = "CN=any"}, &id.ca, true}, /* no extended key usage: any */
        {{.subject = "CN=eve"}, &id.other_ca, false},
        {{.subject = "CN=eve"}, &id.same_name_ca, false},
        {{.subject = "CN=eve"}, NULL, false}, /* self-signed */
        {{.subject = "CN=kubernetes-ca"}, NULL, false},
        {{.subject = "CN=server", .server_only = true}, &id.ca, false},
        {{.subject = "CN=old", .to = "20260630235959"}, &id.ca, false},
        {{.subject = "CN=last", .to = "20260701000000"}, &id.ca, true},
        {{.subject = "CN=first", .from = "20260701000000"}, &id.ca, true},
        {{.subject = "CN=new", .from = "20260701000001"}, &id.ca, false},
        {{.subject = "O=nameless"}, &id.ca, false},
        {{.subject = "CN=\xc3\xa9t\xc3\xa9"}, &id.ca, true},
        {{.subject = "CN=two-bytes", .groups = {"gr"}, .group_tag = MBEDTLS_ASN1_BMP_STRING},
         &id.ca,
         false},
        {{.subject = "CN=printable", .groups = {"gr"}, .group_tag = MBEDTLS_ASN1_PRINTABLE_STRING},
         &id.ca,
         true},
    };
    start();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fk_user *u = peer_with(rows[i].spec, rows[i].by);
        if ((u != NULL) != rows[i].counts) {
            fail_msg("%s (row %zu): %s", rows[i].spec.subject, i, u == NULL ? "nobody" : "counts");
        }
        if (u != NULL) {
            assert_string_equal(fk_user_name(u), rows[i].spec.subject + 3);
        }
    }
    finish();
}

/* Name, UID, groups and system:authenticated with their zeros: FK_USER_MAX bytes, and one more. */
static void a_user_must_fit(void **state) {
    (void)state;
    char group[FK_USER_MAX + 1];
    const size_t room = FK_USER_MAX - sizeof "name" - 1 - sizeof "system:authenticated";
    memset(group, 'g', sizeof group);
    start();
    group[room - 1] = '\0';
    const struct fk_user *u =
        peer_with((struct certs_spec){.subject = "CN=name", .groups = {group}}, &id.ca);
    assert_non_null(u);
    assert_int_equal(u->len, FK_USER_MAX);
    assert_string_equal(fk_user_group(u, fk_user_uid(u)), group);
    group[room - 1] = 'g';
    group[room] = '\0';
    assert_null(peer_with((struct certs_spec){.subject = "CN=name", .groups = {group}}, &id.ca));
    finish();
}

static void the_whole_chain_must_be_valid(void **state) {
    (void)state;
    static struct certs_id between, leaf;
    const char *ends[] = {"20300101000000", "20260630000000"};
    start();
    for (int i = 0; i < 2; i++) {
        struct fk_crypto_source *former = go_far();
        issue(&between, (struct certs_spec){.subject = "CN=between", .ca = true, .to = ends[i]},
              &id.ca);
        issue(&leaf, (struct certs_spec){.subject = "CN=leaf"}, &between);
        come_back(former);
        w.clients[0].leaf = &leaf;
        w.clients[0].intermediate = &between;
        assert_int_equal(connect_now(0), 0);
        assert_int_equal(peer(0) != NULL, i == 0);
        hang_up(0);
        former = go_far();
        certs_free(&between);
        certs_free(&leaf);
        come_back(former);
    }
    finish();
}

static void time_decides_again_at_each_look(void **state) {
    (void)state;
    start();
    w.wall_us = FK_WALL_UNKNOWN;
    assert_int_equal(connect_now(0), 0);
    assert_true(established(0));
    assert_null(peer(0)); /* not yet */
    w.wall_us = IN_2026;
    assert_non_null(peer(0));
    w.wall_us = INT64_C(2208988800) * SECOND; /* the first second of 2040, its last */
    assert_non_null(peer(0));
    w.wall_us += SECOND;
    assert_null(peer(0));
    w.wall_us = (INT64_C(1577836800) * SECOND) - 1; /* before 2020 */
    assert_null(peer(0));
    w.wall_us++;
    assert_non_null(peer(0));
    assert_talks(0);
    finish();

    w.cfg.wall_us = NULL;
    start();
    assert_int_equal(connect_now(0), 0);
    assert_null(peer(0));
    finish();
}

static void other_kinds_of_keys(void **state) {
    (void)state;
    const enum certs_kind kinds[] = {CERTS_P384, CERTS_RSA2048};
    static struct certs_id leaf;
    start();
    for (size_t i = 0; i < 2; i++) {
        for (unsigned version = 0; version < 2; version++) {
            struct fk_crypto_source *former = go_far();
            certs_key(&leaf, kinds[i]);
            certs_issue(&leaf, &(struct certs_spec){.subject = "CN=other-key"}, &id.ca);
            come_back(former);
            w.clients[0].leaf = &leaf;
            w.clients[0].max =
                version == 0 ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3;
            assert_int_equal(connect_now(0), 0);
            assert_non_null(peer(0));
            hang_up(0);
            former = go_far();
            certs_free(&leaf);
            come_back(former);
        }
    }
    finish();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(only_a_good_certificate_counts),
        T(a_user_must_fit),
        T(the_whole_chain_must_be_valid),
        T(time_decides_again_at_each_look),
        T(other_kinds_of_keys),
    };
    return cmocka_run_group_tests_name("link_tls_peer", tests, group_setup, group_teardown);
}
