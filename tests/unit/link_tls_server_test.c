/* link/tls_server: the kubelet's own port, against Mbed TLS's client. */
#include "link_tls_server_world.h"

#include <psa/crypto.h>

/* ---- A handshake ----------------------------------------------------------------------------- */

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

/* ---- Records of all sizes -------------------------------------------------------------------- */

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

/* ---- Memory ---------------------------------------------------------------------------------- */

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

/* Nothing is taken before the last byte of its record is: who hangs up after its last words have
 * been taken, as an answer with Connection: close does, must not cut them. */
static void slow_readers_get_all_that_was_taken(void **state) {
    (void)state;
    fill_large();
    start();
    assert_int_equal(connect_now(0), 0);
    assert_false(fk_tls_server_wants_out(&w.server, 0));
    w.links[0].to_far.room = 100;
    assert_int_equal(fk_pipe_send(session(0), large, 1000), 0);
    assert_true(fk_tls_server_wants_out(&w.server, 0));
    int n = 0, calls = 1;
    for (; n == 0 && calls < 50; calls++) {
        client_step(0);
        if (calls % 3 == 0) (void)fk_pipe_recv(session(0), w.got[0], 1); /* goes on with it, too */
        n = fk_pipe_send(session(0), large, 1000);
    }
    assert_int_equal(n, 1000);
    assert_in_range(calls, 10, 49);
    assert_false(fk_tls_server_wants_out(&w.server, 0));
    fk_pipe_close(session(0));
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

/* Mbed TLS passes over warnings without a word, one record after the other, as fast as they come.
 */
static void warnings_do_not_hold_up_the_node(void **state) {
    (void)state;
    const uint8_t warning[] = {21, 3, 3, 0, 2, 1, 90}; /* "user canceled" */
    uint8_t buf[64];
    start();
    w.calling[0] = true;
    assert_int_equal(take_in(0), 0);
    for (unsigned i = 0; i < 1000; i++) send_raw(0, warning, sizeof warning);
    size_t before = 0;
    while (w.links[0].to_near.received < 1000 * sizeof warning) {
        assert_int_equal(fk_pipe_recv(session(0), buf, sizeof buf), 0);
        const size_t taken = w.links[0].to_near.received - before;
        assert_true(taken <= 16 * sizeof warning);
        before += taken;
        assert_true(w.listener.ops->ready(w.listener.ctx, 0) || before == 1000 * sizeof warning);
    }
    assert_int_equal(fk_pipe_recv(session(0), buf, sizeof buf), 0);
    assert_false(w.listener.ops->ready(w.listener.ctx, 0));
    finish();
}

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
        T(a_record_of_16_kb_is_read_and_its_memory_given_back),
        T(what_has_grown_stays_until_all_is_read),
        T(padding_counts_as_well),
        T(a_record_beyond_16_kb_ends_the_session),
        T(a_record_for_which_there_is_no_memory_ends_its_session_only),
        T(a_hello_may_be_large_and_in_pieces),
        T(a_hello_beyond_16_kb_is_refused),
        T(what_is_no_tls_is_told_so),
        T(sessions_give_their_memory_back),
        T(without_key_slots_a_client_is_turned_away),
        T(slow_readers_get_all_that_was_taken),
        T(empty_records_do_not_hold_up_the_node),
        T(warnings_do_not_hold_up_the_node),
        T(handshake_messages_behind_the_handshake_end_it),
    };
    return cmocka_run_group_tests_name("link_tls_server", tests, group_setup, group_teardown);
}
