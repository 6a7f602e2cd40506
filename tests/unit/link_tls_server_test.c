/* link/tls_server: the kubelet's own port, against Mbed TLS's client. */
#include "link_tls_server_world.h"

#include <mbedtls/oid.h>
#include <psa/crypto.h>

#include "link/self_signed.h"

static uint8_t pattern(size_t i) { return (uint8_t)(i * 7 + i / 251); }

static void assert_received(unsigned i, size_t len) {
    assert_int_equal(w.got_len[i], len);
    for (size_t k = 0; k < len; k++) {
        assert_int_equal(w.got[i][k], pattern(k));
    }
}

/* The client's request reaches us and our answer the client. */
static void assert_talks(unsigned i) {
    w.got_len[i] = 0;
    w.clients[i].got_len = 0;
    client_send(i, "GET / HTTP/1.1\r\n", 16);
    pump(i);
    assert_int_equal(w.got_len[i], 16);
    assert_memory_equal(w.got[i], "GET / HTTP/1.1\r\n", 16);
    assert_int_equal(fk_pipe_send(session(i), "HTTP/1.1 200 OK\r\n", 17), 17);
    pump(i);
    assert_int_equal(w.clients[i].got_len, 17);
    assert_memory_equal(w.clients[i].got, "HTTP/1.1 200 OK\r\n", 17);
}

/* ---- A handshake ---------------------------------------------------------------------------- */

static void a_client_with_a_certificate_is_known(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(0), 0);
    assert_true(established(0));
    const struct fk_user *u = peer(0);
    assert_non_null(u);
    assert_string_equal(fk_user_name(u), "kube-apiserver-kubelet-client");
    assert_string_equal(fk_user_uid(u), "");
    const char *group = fk_user_group(u, fk_user_uid(u));
    assert_string_equal(group, "system:masters");
    group = fk_user_group(u, group);
    assert_string_equal(group, "second");
    group = fk_user_group(u, group);
    assert_string_equal(group, "system:authenticated");
    assert_null(fk_user_group(u, group));
    assert_int_equal(w.server.stats.handshakes, 1);
    assert_int_equal(w.server.stats.failures, 0);
    hang_up(0);
    assert_null(peer(0));
    finish();
}

static void a_client_without_one_is_nobody(void **state) {
    (void)state;
    w.clients[0].leaf = NULL;
    start();
    assert_int_equal(connect_now(0), 0);
    assert_true(established(0));
    assert_null(peer(0));
    assert_talks(0);
    finish();
}

static void without_a_client_ca_none_is_asked_for(void **state) {
    (void)state;
    w.cfg.client_ca = NULL;
    start();
    assert_int_equal(connect_now(0), 0);
    assert_true(established(0));
    assert_null(peer(0));
    finish();
}

static void bytes_go_both_ways_until_we_close(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(0), 0);
    assert_talks(0);
    assert_talks(0);
    fk_pipe_close(session(0));
    client_step(0);
    assert_int_equal(w.clients[0].err, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    assert_int_equal(fk_pipe_recv(session(0), w.got[0], 1), FK_E_CLOSED);
    finish();
}

static void a_client_may_close(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(0), 0);
    struct fk_crypto_source *former = go_far();
    assert_int_equal(mbedtls_ssl_close_notify(&w.clients[0].ssl), 0);
    come_back(former);
    server_step(0);
    assert_int_equal(w.err[0], FK_E_CLOSED);
    hang_up(0);

    assert_int_equal(connect_now(0), 0);
    fk_pipe_close(mem_pipe_far(&w.links[0])); /* anybody could have cut it */
    server_step(0);
    assert_int_equal(w.err[0], FK_E_RESET);
    finish();
}

static void both_versions_of_tls_are_spoken(void **state) {
    (void)state;
    const struct {
        mbedtls_ssl_protocol_version max;
        const char *name;
    } rows[] = {{MBEDTLS_SSL_VERSION_TLS1_2, "TLSv1.2"}, {MBEDTLS_SSL_VERSION_TLS1_3, "TLSv1.3"}};
    start();
    for (unsigned i = 0; i < 2; i++) {
        w.clients[i].max = rows[i].max;
        assert_int_equal(connect_now(i), 0);
        assert_true(established(i));
        assert_non_null(peer(i));
        assert_string_equal(mbedtls_ssl_get_version(&w.clients[i].ssl), rows[i].name);
        assert_talks(i);
    }
    finish();
}

static void every_way_to_cut_bytes_is_fine(void **state) {
    (void)state;
    start();
    const uint32_t level = w.heap.used_bytes;
    for (size_t chunk = 1; chunk < 40; chunk += 19) {
        w.links[0].to_near.chunk = chunk;
        w.links[0].to_far.room = 100 * chunk;
        assert_int_equal(connect_now(0), 0);
        assert_true(established(0));
        assert_talks(0);
        hang_up(0);
        assert_int_equal(w.heap.used_bytes, level);
    }
    finish();
}

/* A turn of the node must not last longer than one operation with large numbers or two. */
static void a_call_works_on_one_message(void **state) {
    (void)state;
    start();
    client_up(0);
    assert_int_equal(take_in(0), 0);
    client_step(0); /* ClientHello */
    unsigned calls = 0;
    uint8_t byte;
    do {
        assert_int_equal(fk_pipe_recv(session(0), &byte, 1), 0);
        calls++;
    } while (w.listener.ops->ready(w.listener.ctx, 0));
    assert_true(calls >= 5); /* ServerHello to Finished */
    client_step(0);          /* Certificate, CertificateVerify, Finished */
    calls = 0;
    while (!established(0)) {
        assert_int_equal(fk_pipe_recv(session(0), &byte, 1), 0);
        calls++;
    }
    assert_true(calls >= 3);
    finish();
}

static void alpn_is_http_1_1_or_none(void **state) {
    (void)state;
    const struct {
        const char *offered[3];
        const char *chosen; /* NULL with ok: none */
        bool ok;
    } rows[] = {
        {{NULL}, NULL, true},
        {{"http/1.1"}, "http/1.1", true},
        {{"h2", "http/1.1"}, "http/1.1", true},
        {{"h2"}, NULL, false},
    };
    start();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(w.clients[0].alpn, rows[i].offered, sizeof rows[i].offered);
        const int err = connect_now(0);
        const char *chosen = mbedtls_ssl_get_alpn_protocol(&w.clients[0].ssl);
        assert_int_equal(established(0), rows[i].ok);
        if (rows[i].chosen != NULL) {
            assert_string_equal(chosen, rows[i].chosen);
        } else {
            assert_null(chosen);
        }
        if (!rows[i].ok) {
            assert_int_equal(err, FK_E_TLS);
            assert_int_equal(w.clients[0].ssl.MBEDTLS_PRIVATE(in_msg)[1],
                             MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL);
        }
        hang_up(0);
    }
    finish();
}

/* ---- Whose certificate counts -----------------------------------------------------------------
 */

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

/* ---- Records of all sizes ------------------------------------------------------------------- */

static uint8_t large[17000];

static void fill_large(void) {
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = pattern(i);
    }
}

static void a_record_of_16_kb_is_read_and_its_memory_given_back(void **state) {
    (void)state;
    const size_t sizes[] = {FK_SERVER_IN_BUF,
                            FK_SERVER_IN_BUF + 16,
                            FK_SERVER_IN_BUF + 17,
                            FK_SERVER_IN_BUF + 40,
                            5000,
                            16383,
                            16384};
    fill_large();
    start();
    assert_int_equal(connect_now(0), 0);
    const uint32_t level = w.heap.used_bytes;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t chunk = 0; chunk < 3000; chunk += 1499) {
            w.got_len[0] = 0;
            w.links[0].to_near.chunk = chunk;
            send_sealed(0, large, sizes[i], 0);
            pump(0);
            assert_int_equal(w.err[0], 0);
            assert_received(0, sizes[i]);
            assert_int_equal(w.heap.used_bytes, level);
            assert_talks(0);
        }
    }
    finish();
}

static void what_has_grown_stays_until_all_is_read(void **state) {
    (void)state;
    fill_large();
    start();
    assert_int_equal(connect_now(0), 0);
    const uint32_t level = w.heap.used_bytes;
    send_sealed(0, large, 10000, 0);
    send_sealed(0, large + 10000, 100, 0); /* waits behind it */
    while (w.got_len[0] < 9999) {
        const int n = fk_pipe_recv(session(0), w.got[0] + w.got_len[0], 9999 - w.got_len[0]);
        assert_true(n > 0);
        w.got_len[0] += (size_t)n;
    }
    assert_true(w.heap.used_bytes > level + 7000);
    assert_true(w.listener.ops->ready(w.listener.ctx, 0));
    assert_int_equal(fk_pipe_recv(session(0), w.got[0] + 9999, 100), 1);
    assert_int_equal(w.heap.used_bytes, level);
    w.got_len[0] = 10000;
    pump(0);
    assert_received(0, 10100);
    finish();
}

static void padding_counts_as_well(void **state) {
    (void)state;
    fill_large();
    start();
    assert_int_equal(connect_now(0), 0);
    send_sealed(0, large, 10, 16374);
    pump(0);
    assert_received(0, 10);
    assert_talks(0);
    finish();
}

static void a_record_beyond_16_kb_ends_the_session(void **state) {
    (void)state;
    const uint8_t header[5] = {23, 3, 3, 0x40, 0x21 + 8}; /* more than 16 KB, nonce and tag */
    start();
    assert_int_equal(connect_now(0), 0);
    send_raw(0, header, sizeof header);
    pump(0);
    assert_int_equal(w.err[0], FK_E_RANGE);
    assert_int_equal(w.clients[0].err, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    assert_int_equal(w.clients[0].ssl.MBEDTLS_PRIVATE(in_msg)[1],
                     MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW);
    hang_up(0);

    fill_large(); /* a content of one byte more than there may be, in a record that could be */
    assert_int_equal(connect_now(0), 0);
    send_sealed(0, large, 16385, 0);
    pump(0);
    assert_int_equal(w.err[0], FK_E_PROTO);
    finish();
}

/* Leaves `room` bytes of the heap in one piece. */
static void *fill_heap(uint32_t room) {
    return fk_heap_alloc(&w.heap, fk_heap_largest(&w.heap) - room - 16);
}

static void a_record_for_which_there_is_no_memory_ends_its_session_only(void **state) {
    (void)state;
    fill_large();
    start();
    assert_int_equal(connect_now(0), 0);
    assert_int_equal(connect_now(1), 0);
    const uint32_t level = w.heap.used_bytes;
    const uint32_t far_failures = w.far_heap.failures;
    void *rest = fill_heap(6000);
    send_sealed(0, large, 5000, 0);
    pump(0);
    assert_received(0, 5000);
    send_sealed(0, large, 16384, 0);
    pump(0);
    assert_int_equal(w.err[0], FK_E_NOMEM);
    assert_int_equal(w.server.stats.no_memory, 1);
    assert_logged("no memory for a client's connection");
    assert_int_equal(w.clients[0].ssl.MBEDTLS_PRIVATE(in_msg)[1],
                     MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR);
    assert_talks(1);
    hang_up(0);
    fk_heap_free(&w.heap, rest);
    assert_true(w.heap.used_bytes < level);
    assert_int_equal(w.far_heap.failures, far_failures);
    assert_int_equal(connect_now(0), 0);
    assert_talks(0);
    assert_int_equal(w.heap.used_bytes, level);
    finish();
}

/* ---- Large ClientHellos ---------------------------------------------------------------------- */

static size_t put(uint8_t *out, const void *bytes, size_t len) {
    memcpy(out, bytes, len);
    return len;
}

/* A ClientHello of version 1.3 of len bytes in all, most of them padding (RFC 7685), and with no
 * key share: the answer is a HelloRetryRequest. */
static void make_hello(uint8_t *out, size_t len) {
    static const uint8_t behind_random[] = {
        0, 0,    2, 0x13, 0x01, 1, 0,       /* session id, suites, compression */
        0, 0,                               /* extensions' length, filled in below */
        0, 0x2b, 0, 3,    2,    3, 4,       /* supported_versions */
        0, 0x0a, 0, 4,    0,    2, 0, 0x17, /* groups: P-256 */
        0, 0x0d, 0, 4,    0,    2, 4, 3,    /* its ECDSA with SHA-256 */
        0, 0x33, 0, 2,    0,    0,          /* key_share: none */
        0, 0x15,                            /* padding */
    };
    size_t at = put(out, (const uint8_t[]){1, 0, (uint8_t)((len - 4) >> 8), (uint8_t)(len - 4)}, 4);
    at += put(out + at, (const uint8_t[]){3, 3}, 2);
    memset(out + at, 0x5a, 32);
    at += 32;
    const size_t extensions = at + 7;
    at += put(out + at, behind_random, sizeof behind_random);
    const size_t padding = len - at - 2;
    at += put(out + at, (const uint8_t[]){(uint8_t)(padding >> 8), (uint8_t)padding}, 2);
    memset(out + at, 0, padding);
    const size_t rest = len - extensions - 2;
    (void)put(out + extensions, (const uint8_t[]){(uint8_t)(rest >> 8), (uint8_t)rest}, 2);
}

/* In records of at most `piece` bytes. What the session comes to. */
static int say_hello(size_t len, size_t piece) {
    static uint8_t hello[20000];
    make_hello(hello, len);
    w.calling[0] = true;
    assert_int_equal(take_in(0), 0);
    for (size_t at = 0; at < len && w.err[0] == 0; at += piece) {
        const size_t n = len - at < piece ? len - at : piece;
        send_raw(0, (const uint8_t[]){22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n}, 5);
        send_raw(0, hello + at, n);
        server_step(0);
    }
    return w.err[0];
}

static bool asked_for_a_key_share(void) {
    uint8_t answer[64] = {0};
    (void)fk_pipe_recv(mem_pipe_far(&w.links[0]), answer, sizeof answer);
    return answer[0] == 22 && answer[5] == 2; /* ServerHello */
}

static void a_hello_may_be_large_and_in_pieces(void **state) {
    (void)state;
    const size_t lens[] = {200, FK_SERVER_IN_BUF, FK_SERVER_IN_BUF + 1, 9000, 16384};
    const size_t pieces[] = {16384, 4096, 1000, 77};
    start();
    const uint32_t level = w.heap.used_bytes;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            assert_int_equal(say_hello(lens[i], pieces[k]), 0);
            assert_true(asked_for_a_key_share());
            fk_pipe_close(session(0));
            assert_int_equal(w.heap.used_bytes, level);
        }
    }
    finish();
}

static void a_hello_beyond_16_kb_is_refused(void **state) {
    (void)state;
    start();
    const uint32_t level = w.heap.used_bytes;
    assert_int_equal(say_hello(16500, 4096), FK_E_RANGE);
    uint8_t alert[7] = {0};
    assert_int_equal(fk_pipe_recv(mem_pipe_far(&w.links[0]), alert, sizeof alert), sizeof alert);
    assert_int_equal(alert[0], MBEDTLS_SSL_MSG_ALERT);
    assert_int_equal(alert[6], MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW);
    fk_pipe_close(session(0));

    assert_int_equal(say_hello(200, 17000), 0); /* and the next client is served */
    assert_true(asked_for_a_key_share());
    fk_pipe_close(session(0));
    assert_int_equal(w.heap.used_bytes, level);
    finish();
}

static void what_is_no_tls_is_told_so(void **state) {
    (void)state;
    start();
    w.calling[0] = true;
    assert_int_equal(take_in(0), 0);
    send_raw(0, (const uint8_t *)"GET / HTTP/1.1\r\nHost: node\r\n\r\n", 30);
    pump(0);
    assert_int_equal(w.err[0], FK_E_TLS);
    assert_int_equal(w.server.stats.failures, 1);
    finish();
}

/* ---- Ends at every point --------------------------------------------------------------------- */

static void a_handshake_cut_anywhere_leaves_nothing(void **state) {
    (void)state;
    start();
    const uint32_t level = w.heap.used_bytes;
    assert_int_equal(connect_now(0), 0);
    const size_t in = w.links[0].to_near.sent, out = w.links[0].to_far.sent;
    hang_up(0);
    /* Each costs a handshake, but in the ClientHello. */
    for (size_t at = 0; at < in + out; at += at < 200 ? 1 : 29) {
        w.links[0].to_near.die_at = at < in ? at : MEM_NEVER;
        w.links[0].to_far.die_at = at < in ? MEM_NEVER : at - in;
        assert_int_equal(connect_now(0), FK_E_RESET);
        if (at < in) {
            assert_false(established(0));
        }
        hang_up(0);
        assert_int_equal(w.heap.used_bytes, level);
    }
    finish();
}

/* The other session's, which is open meanwhile. */
static void assert_other_goes_on(void) {
    const size_t left = w.allocs_left;
    w.allocs_left = SIZE_MAX;
    assert_talks(1);
    w.allocs_left = left;
}

/* Numbers on the curve are thousands of requests: not each of them. */
static size_t next(size_t n) { return n + 1 + n / 12; }

static void memory_may_end_anywhere_in_a_handshake(void **state) {
    (void)state;
    fail_allocations();
    for (int version = 0; version < 2; version++) {
        start();
        w.clients[0].max = version == 0 ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3;
        assert_int_equal(connect_now(1), 0);
        const uint32_t level = w.heap.used_bytes;
        size_t n = 0;
        for (;; n = next(n)) {
            w.allocs_left = n;
            const int err = connect_now(0);
            const bool through = err == 0 && established(0) && peer(0) != NULL;
            if (!through) {
                assert_int_equal(err, FK_E_NOMEM);
                assert_false(established(0));
            }
            assert_other_goes_on();
            hang_up(0);
            assert_int_equal(w.heap.used_bytes, level);
            if (through) {
                break;
            }
        }
        assert_true(n > 30);
        finish();
    }
}

static void memory_may_end_with_a_heap_of_any_size(void **state) {
    (void)state;
    uint32_t enough = 0;
    for (uint32_t size = 4096; enough == 0; size += 512) {
        fk_heap_init(&w.heap, w.memory, size);
        w.cfg.heap = &w.heap;
        if (fk_tls_server_init(&w.server, &w.cfg) != 0) {
            assert_int_equal(w.heap.used_bytes, 0);
            continue;
        }
        w.listener = fk_tls_server_listener(&w.server);
        const uint32_t far_failures = w.far_heap.failures;
        if (connect_now(0) == 0 && established(0)) {
            enough = size;
            assert_talks(0);
        } else {
            assert_int_equal(w.err[0], FK_E_NOMEM);
        }
        assert_int_equal(w.far_heap.failures, far_failures);
        finish();
    }
    assert_true(enough < 64 * 1024);
}

static void without_random_numbers_nothing_leaves(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(1), 0);
    const uint32_t level = w.heap.used_bytes;
    for (size_t n = 0;; n++) {
        w.entropy_left = n;
        const int err = connect_now(0);
        w.entropy_left = SIZE_MAX;
        const bool through = established(0);
        if (!through) {
            assert_int_equal(err, FK_E_ENTROPY);
        }
        if (n == 0) {
            assert_int_equal(w.links[0].to_far.sent, 0);
        }
        assert_talks(1);
        hang_up(0);
        assert_int_equal(w.heap.used_bytes, level);
        if (through) {
            assert_true(n > 1);
            break;
        }
    }
    finish();
}

/* ---- Memory -----------------------------------------------------------------------------------
 */

static void sessions_give_their_memory_back(void **state) {
    (void)state;
    start();
    const uint32_t level = w.heap.used_bytes;
    const uint32_t far_level = w.far_heap.used_bytes;
    uint32_t open[CLIENTS + 1] = {level};
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(connect_now(i), 0);
        open[i + 1] = w.heap.used_bytes;
        assert_int_equal(open[i + 1] - open[i], open[1] - level); /* all take the same */
    }
    print_message("heap bytes: server %u, with a session %u more, peak of all %u\n", level,
                  open[1] - level, w.heap.peak_bytes);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_talks(i);
        hang_up(i);
    }
    assert_int_equal(w.heap.used_bytes, level);
    assert_int_equal(w.far_heap.used_bytes, far_level);
    finish();
}

/* Takes key slots of PSA until `left` are left. */
static size_t take_slots(psa_key_id_t *keys, size_t left) {
    size_t n = 0;
    struct fk_crypto_source *former = go_far();
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_HMAC);
    while (psa_import_key(&attributes, (const uint8_t *)"key", 3, &keys[n]) == PSA_SUCCESS) {
        n++;
    }
    for (; left > 0; left--) {
        assert_int_equal(psa_destroy_key(keys[--n]), PSA_SUCCESS);
    }
    come_back(former);
    return n;
}

static void give_slots(const psa_key_id_t *keys, size_t n) {
    struct fk_crypto_source *former = go_far();
    while (n > 0) {
        assert_int_equal(psa_destroy_key(keys[--n]), PSA_SUCCESS);
    }
    come_back(former);
}

static void without_key_slots_a_client_is_turned_away(void **state) {
    (void)state;
    psa_key_id_t keys[MBEDTLS_PSA_KEY_SLOT_COUNT];
    start();
    assert_int_equal(connect_now(1), 0);
    const uint32_t level = w.heap.used_bytes;
    bool through = false;
    for (size_t left = 0; !through && left < 10; left++) {
        client_up(0);
        client_step(0);
        assert_int_equal(take_in(0), 0);
        client_step(0);
        const size_t taken = take_slots(keys, left);
        server_step(0);
        if (w.err[0] == 0) {
            through = true;
        } else {
            assert_int_equal(w.err[0], FK_E_NOMEM);
        }
        give_slots(keys, taken);
        assert_talks(1);
        hang_up(0);
        assert_int_equal(w.heap.used_bytes, level);
    }
    assert_true(through);
    finish();
}

static void slow_readers_wait_in_their_record(void **state) {
    (void)state;
    fill_large();
    start();
    assert_int_equal(connect_now(0), 0);
    assert_false(fk_tls_server_wants_out(&w.server, 0));
    w.links[0].to_far.room = 100;
    const int n = fk_pipe_send(session(0), large, 1000);
    assert_int_equal(n, 1000);
    assert_true(fk_tls_server_wants_out(&w.server, 0));
    assert_int_equal(fk_pipe_send(session(0), large + 1000, 1000), 0);
    for (int i = 0; i < 20 && fk_tls_server_wants_out(&w.server, 0); i++) {
        client_step(0);
        (void)fk_pipe_recv(session(0), w.got[0], 1);
    }
    assert_false(fk_tls_server_wants_out(&w.server, 0));
    client_step(0);
    assert_int_equal(w.clients[0].got_len, 1000);
    assert_memory_equal(w.clients[0].got, large, 1000);
    finish();
}

static void empty_records_do_not_hold_up_the_node(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(0), 0);
    for (int i = 0; i < 20; i++) {
        send_sealed(0, large, 0, 1);
    }
    server_step(0); /* Mbed TLS takes four in a row for an attack */
    assert_int_equal(w.err[0], FK_E_PROTO);
    finish();
}

static void handshake_messages_behind_the_handshake_end_it(void **state) {
    (void)state;
    const uint8_t key_update[] = {24, 0, 0, 1, 0};
    uint8_t record[64];
    start();
    assert_int_equal(connect_now(0), 0);
    send_raw(0, record, seal(&w.clients[0], 22, key_update, sizeof key_update, 0, record));
    pump(0);
    assert_int_equal(w.err[0], FK_E_PROTO);
    hang_up(0);
    finish();
}

/* ---- Certificates of the server ---------------------------------------------------------------
 */

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
    char name[254];
    memset(name, 'n', sizeof name);
    name[253] = '\0';
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

    name[200] = '\0';
    assert_int_equal(sign(name, "", "192.0.2.7"), 0); /* long, but it fits */
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
    refused(FK_E_CONFIG, "the key does not belong to the certificate");
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

#define T(name) cmocka_unit_test_setup(name, world_setup)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_client_with_a_certificate_is_known),
        T(a_client_without_one_is_nobody),
        T(without_a_client_ca_none_is_asked_for),
        T(bytes_go_both_ways_until_we_close),
        T(a_client_may_close),
        T(both_versions_of_tls_are_spoken),
        T(every_way_to_cut_bytes_is_fine),
        T(a_call_works_on_one_message),
        T(alpn_is_http_1_1_or_none),
        T(only_a_good_certificate_counts),
        T(a_user_must_fit),
        T(the_whole_chain_must_be_valid),
        T(time_decides_again_at_each_look),
        T(other_kinds_of_keys),
        T(a_record_of_16_kb_is_read_and_its_memory_given_back),
        T(what_has_grown_stays_until_all_is_read),
        T(padding_counts_as_well),
        T(a_record_beyond_16_kb_ends_the_session),
        T(a_record_for_which_there_is_no_memory_ends_its_session_only),
        T(a_hello_may_be_large_and_in_pieces),
        T(a_hello_beyond_16_kb_is_refused),
        T(what_is_no_tls_is_told_so),
        T(a_handshake_cut_anywhere_leaves_nothing),
        T(memory_may_end_anywhere_in_a_handshake),
        T(memory_may_end_with_a_heap_of_any_size),
        T(without_random_numbers_nothing_leaves),
        T(sessions_give_their_memory_back),
        T(without_key_slots_a_client_is_turned_away),
        T(slow_readers_wait_in_their_record),
        T(empty_records_do_not_hold_up_the_node),
        T(handshake_messages_behind_the_handshake_end_it),
        T(without_a_certificate_nobody_is_taken_in),
        T(a_certificate_of_our_own_names_the_node),
        T(each_key_and_serial_is_new),
        T(what_cannot_be_signed_leaves_the_former),
        T(signing_fails_cleanly_without_memory_or_randomness),
        T(sessions_amid_their_handshake_keep_their_certificate),
        T(a_chain_may_be_given),
        T(what_cannot_be_used_is_said_at_the_start),
    };
    return cmocka_run_group_tests_name("link_tls_server", tests, group_setup, group_teardown);
}
