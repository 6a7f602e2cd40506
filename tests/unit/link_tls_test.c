/* link/tls: the pipe. What it does with a server's certificate is in link_tls_verify_test.c. */
#include "link_tls_world.h"

/* A handshake per byte is a matter of seconds, but not under sanitizers: there some bytes and fewer
 * allocations must do (all of the first ALLOC_STEP). */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SANITIZED)
#define STRIDE 29
#define ALLOC_STEP 10
#else
#define STRIDE 1
#define ALLOC_STEP 30
#endif

static void force_version(mbedtls_ssl_protocol_version version) {
    w.server.min = version;
    w.server.max = version;
}

static const mbedtls_ssl_protocol_version versions[] = {MBEDTLS_SSL_VERSION_TLS1_2,
                                                        MBEDTLS_SSL_VERSION_TLS1_3};

/* ---- It works ------------------------------------------------------------------------------- */

static void data_passes_both_ways(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        (void)world_setup(NULL);
        force_version(versions[i]);
        start();
        assert_int_equal(connect_now(), 0);
        assert_true(fk_tls_connected(&w.tls));
        assert_string_equal(mbedtls_ssl_get_version(&w.tls.ssl), i == 0 ? "TLSv1.2" : "TLSv1.3");
        assert_int_equal(echo(1), 0);
        assert_int_equal(echo(3000), 0);
        assert_string_equal(w.server.sni, "api.example");
        assert_string_equal(w.lines, "");
        finish();
    }
}

static void every_kind_of_server_key(void **state) {
    (void)state;
    static struct certs_id leaf;
    static const char *const names[] = {"P-256", "P-384", "RSA-2048", "RSA-4096"};
    for (int kind = CERTS_P256; kind <= CERTS_RSA4096; kind++) {
        for (size_t i = 0; i < 2; i++) {
            (void)world_setup(NULL);
            w.serving = true;
            issue(&leaf, (enum certs_kind)kind, (struct certs_spec){.dns = {"api.example"}},
                  &id.ca);
            w.serving = false;
            w.server.leaf = &leaf;
            force_version(versions[i]);
            start();
            const unsigned before = w.heap.used_bytes;
            assert_int_equal(connect_now(), 0);
            assert_int_equal(echo(100), 0);
            print_message("%-8s TLS 1.%d: heap peak %5u, connected %5u, closed %4u bytes\n",
                          names[kind], (int)i + 2, w.heap.peak_bytes, w.heap.used_bytes, before);
            finish();
            certs_free(&leaf);
        }
    }
    print_message("sizeof(struct fk_tls) %zu, FK_TLS_IN_MAX %d, FK_TLS_OUT_MAX %d\n",
                  sizeof(struct fk_tls), FK_TLS_IN_MAX, FK_TLS_OUT_MAX);
}

static void what_the_handshake_took_is_given_back(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        (void)world_setup(NULL);
        force_version(versions[i]);
        start();
        const uint32_t closed = w.heap.used_bytes;
        assert_int_equal(connect_now(), 0);
        assert_int_equal(echo(100), 0);
        assert_null(w.tls.ssl.MBEDTLS_PRIVATE(handshake));
        assert_true(w.heap.used_bytes - closed < FK_TLS_IN_MAX + FK_TLS_OUT_MAX + 2560);
        finish();
    }
}

static void a_bearer_token_needs_no_certificate(void **state) {
    (void)state;
    w.cfg.cert = NULL;
    w.cfg.key = NULL;
    w.server.client_auth = MBEDTLS_SSL_VERIFY_OPTIONAL;
    start();
    assert_int_equal(fk_tls_client_not_after(&w.tls), FK_WALL_UNKNOWN);
    assert_int_equal(connect_now(), 0);
    assert_int_equal(echo(10), 0);
    finish();
}

static void a_certificate_that_nobody_asks_for_does_no_harm(void **state) {
    (void)state;
    w.server.client_auth = MBEDTLS_SSL_VERIFY_NONE;
    start();
    assert_int_equal(fk_tls_client_not_after(&w.tls), INT64_C(2208988800)); /* 2040-01-01 */
    assert_int_equal(connect_now(), 0);
    finish();
}

static void der_is_read_in_place(void **state) {
    (void)state;
    static uint8_t both[16384], key[512];
    memcpy(both, id.other_ca.der, id.other_ca.der_len);
    memcpy(both + id.other_ca.der_len, id.ca.der, id.ca.der_len);
    w.cfg.ca = both;
    w.cfg.ca_len = id.other_ca.der_len + id.ca.der_len;
    w.cfg.cert = id.client.der;
    w.cfg.cert_len = id.client.der_len;
    w.cfg.key = key;
    w.serving = true;
    w.cfg.key_len = certs_key_der(&id.client, key, sizeof key);
    w.serving = false;
    start();
    memset(key, 0, sizeof key);
    assert_int_equal(connect_now(), 0);
    finish();
}

/* OpenSSL and Go take the first that their key can do. If that were PSS, Mbed TLS would refuse it
 * from a TLS 1.2 server, although it has offered it. */
static void plain_rsa_signatures_are_preferred_to_pss(void **state) {
    (void)state;
    static const uint8_t order[] = {4, 3, 5, 3, 4, 1, 5, 1, 6, 1, 8, 4, 8, 5, 8, 6};
    start();
    assert_int_equal(fk_pipe_open(w.pipe), 0);
    client_step();
    assert_non_null(memmem(w.link.to_far.bytes, w.link.to_far.sent, order, sizeof order));
    finish();
}

static void the_handshake_can_go_step_by_step(void **state) {
    (void)state;
    w.cfg.step_by_step = true;
    start();
    assert_int_equal(connect_now(), 0);
    assert_int_equal(echo(2000), 0);
    finish();

    (void)world_setup(NULL);
    w.cfg.step_by_step = true;
    start();
    assert_int_equal(fk_pipe_open(w.pipe), 0);
    uint8_t buf[8];
    assert_int_equal(fk_pipe_recv(w.pipe, buf, sizeof buf), 0);
    assert_true(fk_tls_ready(&w.tls)); /* there is a ClientHello to be made */
    assert_int_equal(w.link.to_far.sent, 0);
    finish();
}

/* ---- However the bytes arrive --------------------------------------------------------------- */

static void byte_by_byte(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        (void)world_setup(NULL);
        force_version(versions[i]);
        w.link.to_near.chunk = 1;
        w.link.to_far.chunk = 1;
        start();
        assert_int_equal(connect_now(), 0);
        assert_int_equal(echo(600), 0);
        finish();
    }
}

/* Room for one byte at a time: each of our records is sent in as many pieces as it has bytes. */
static void a_narrow_pipe_loses_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        (void)world_setup(NULL);
        force_version(versions[i]);
        w.link.to_near.room = 3;
        w.link.to_far.room = 1;
        start();
        assert_int_equal(connect_now(), 0);
        assert_int_equal(echo(2500), 0);
        finish();
    }
}

static void split_anywhere(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        (void)world_setup(NULL);
        force_version(versions[i]);
        start();
        bool past = false;
        for (size_t at = 1; !past; at += STRIDE) {
            w.link.to_near.split = at;
            w.link.to_far.split = at;
            assert_int_equal(connect_now(), 0);
            assert_int_equal(echo(50), 0);
            past = at > w.link.to_near.sent && at > w.link.to_far.sent;
            fk_pipe_close(w.pipe);
        }
        finish();
    }
}

/* What send took is encrypted although the pipe below had no room: other bytes may follow. */
static void what_was_taken_is_sent_before_what_comes_next(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(), 0);
    w.link.to_far.room = 0;
    assert_int_equal(fk_pipe_send(w.pipe, "first ", 6), 6);
    assert_true(fk_tls_wants_out(&w.tls));
    assert_int_equal(fk_pipe_send(w.pipe, "second", 6), 0);
    w.link.to_far.room = 4096;
    assert_int_equal(fk_pipe_send(w.pipe, "third!!!", 8), 8);
    assert_false(fk_tls_wants_out(&w.tls));
    pump();
    assert_int_equal(w.got_len, 14);
    assert_memory_equal(w.got, "first third!!!", 14);

    w.link.to_far.room = 0; /* and a recv sends it, too */
    w.got_len = 0;
    assert_int_equal(fk_pipe_send(w.pipe, "fourth", 6), 6);
    w.link.to_far.room = 4096;
    pump();
    assert_memory_equal(w.got, "fourth", 6);
    finish();
}

static void more_than_a_record_is_taken_in_parts(void **state) {
    (void)state;
    static const uint8_t big[3 * FK_TLS_OUT_MAX];
    start();
    assert_int_equal(connect_now(), 0);
    const int n = fk_pipe_send(w.pipe, big, sizeof big);
    assert_in_range(n, FK_TLS_OUT_MAX - 1, FK_TLS_OUT_MAX);
    finish();
}

static void a_record_may_be_read_in_small_pieces(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(), 0);
    assert_int_equal(fk_pipe_send(w.pipe, "abc", 3), 3);
    server_step();
    char c;
    assert_int_equal(fk_pipe_recv(w.pipe, &c, 1), 1);
    assert_int_equal(c, 'a');
    assert_true(fk_tls_ready(&w.tls)); /* no event will come for the rest */
    assert_int_equal(fk_pipe_recv(w.pipe, &c, 1), 1);
    assert_int_equal(fk_pipe_recv(w.pipe, &c, 1), 1);
    assert_int_equal(c, 'c');
    assert_false(fk_tls_ready(&w.tls));
    assert_int_equal(fk_pipe_recv(w.pipe, &c, 1), 0);
    finish();
}

/* ---- However the connection ends ------------------------------------------------------------ */

static void server_close(bool in_order) {
    w.serving = true;
    if (in_order) {
        (void)mbedtls_ssl_close_notify(&w.server.ssl);
    }
    w.server.over = true;
    fk_pipe_close(mem_pipe_far(&w.link));
    w.serving = false;
}

static void close_notify_is_an_end_in_order(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        (void)world_setup(NULL);
        force_version(versions[i]);
        start();
        assert_int_equal(connect_now(), 0);
        server_close(true);
        pump();
        assert_int_equal(w.err, FK_E_CLOSED);
        uint8_t buf[4];
        assert_int_equal(fk_pipe_recv(w.pipe, buf, 4), FK_E_CLOSED); /* latched */
        assert_int_equal(fk_pipe_send(w.pipe, buf, 4), FK_E_CLOSED);
        finish();
    }
}

static void an_end_without_it_is_not(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        (void)world_setup(NULL);
        force_version(versions[i]);
        start();
        assert_int_equal(connect_now(), 0);
        server_close(false);
        pump();
        assert_int_equal(w.err, FK_E_RESET);
        finish();
    }
}

static void we_end_in_order(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(), 0);
    fk_pipe_close(w.pipe);
    server_step();
    assert_int_equal(w.server.err, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    fk_pipe_close(w.pipe); /* idempotent */
    uint8_t buf[4];
    assert_int_equal(fk_pipe_recv(w.pipe, buf, 4), FK_E_CLOSED);
    assert_int_equal(fk_pipe_send(w.pipe, buf, 4), FK_E_CLOSED);
    finish();
}

static void a_silent_peer_is_no_error(void **state) {
    (void)state;
    for (size_t heard = 0; heard < 1200; heard += 97) {
        (void)world_setup(NULL);
        start();
        w.err = fk_pipe_open(w.pipe);
        w.link.to_near.room = heard;
        client_step();
        server_step();
        client_step();
        w.link.to_near.silent = true;
        pump();
        assert_int_equal(w.err, 0);
        assert_false(fk_tls_ready(&w.tls)); /* nothing to spin for */
        w.link.to_near.silent = false;
        finish();
    }
}

static void open_passes_on_what_the_pipe_below_says(void **state) {
    (void)state;
    w.link.open_err = FK_E_RESOLVE;
    start();
    assert_int_equal(fk_pipe_open(w.pipe), FK_E_RESOLVE);
    w.link.open_err = 0;
    assert_int_equal(connect_now(), 0);
    finish();
}

/* A connection that dies after every byte of either direction; then the next one works, and the
 * heap is what it was. */
static void dies_and_recovers(struct mem_flow *flow) {
    start();
    assert_int_equal(connect_now(), 0); /* PSA keeps a table of key slots from now on */
    fk_pipe_close(w.pipe);
    const unsigned closed = w.heap.used_bytes;
    bool survived = false;
    for (size_t at = 0; !survived; at += STRIDE) {
        flow->die_at = at;
        w.err = fk_pipe_open(w.pipe);
        w.got_len = 0;
        pump();
        if (w.err == 0) {
            w.err = echo(40);
        }
        survived = w.err == 0;
        if (!survived) {
            assert_int_equal(w.err, FK_E_RESET);
        }
        fk_pipe_close(w.pipe);
        assert_int_equal(w.heap.used_bytes, closed);
    }
    flow->die_at = MEM_NEVER;
    assert_int_equal(connect_now(), 0);
    assert_int_equal(echo(40), 0);
    assert_string_equal(w.lines, ""); /* a broken connection is the client's to log */
    finish();
}

static void it_dies_at_every_byte(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        (void)world_setup(NULL);
        force_version(versions[i]);
        dies_and_recovers(&w.link.to_near);
        (void)world_setup(NULL);
        force_version(versions[i]);
        dies_and_recovers(&w.link.to_far);
    }
}

static void many_reconnects_leak_nothing(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(), 0);
    fk_pipe_close(w.pipe);
    const unsigned closed = w.heap.used_bytes;
    for (int i = 0; i < 50; i++) {
        force_version(versions[i % 2]);
        assert_int_equal(connect_now(), 0);
        assert_int_equal(echo(10), 0);
        if (i % 3 != 0) { /* open without close, too */
            fk_pipe_close(w.pipe);
            assert_int_equal(w.heap.used_bytes, closed);
        }
    }
    finish();
}

/* ---- Ourselves ------------------------------------------------------------------------------ */

static void without_entropy_nothing_is_sent(void **state) {
    (void)state;
    start();
    w.entropy_left = 0;
    assert_int_equal(connect_now(), FK_E_ENTROPY);
    assert_int_equal(w.link.to_far.sent, 0);
    assert_logged("no random numbers");
    w.entropy_left = SIZE_MAX;
    assert_int_equal(connect_now(), 0);
    finish();
}

/* The source is not asked again even if it would have recovered: a key must not be half made of it.
 * And nothing leaves us from that moment on, not even an alert. */
static bool entropy_fails_at(size_t call, bool lucky, size_t i) {
    (void)world_setup(NULL);
    force_version(versions[i]);
    start();
    w.entropy_left = call;
    w.entropy_lucky = lucky;
    const int ret = connect_now();
    if (ret != 0) {
        assert_int_equal(ret, FK_E_ENTROPY);
        assert_int_equal(w.refusals, 1);
        assert_int_equal(w.second_tries, 0);
        pump();
        fk_pipe_close(w.pipe);
        assert_int_equal(w.link.to_far.sent, w.sent_before);
        assert_false(w.server.up && w.server.received > 0);
    }
    finish();
    return ret != 0;
}

static void entropy_may_fail_at_any_time(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t calls = 0;
        while (entropy_fails_at(calls, false, i) && entropy_fails_at(calls, true, i)) {
            calls++;
        }
        assert_true(calls > 2);
    }
}

/* Each of the first, when everything is set up; of the thousands of big numbers behind them, ever
 * fewer. */
static void every_allocation_may_fail(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        bool done = false;
        for (size_t n = 0; !done; n += 1 + n / ALLOC_STEP) {
            (void)world_setup(NULL);
            force_version(versions[i]);
            start();
            const unsigned closed = w.heap.used_bytes;
            w.allocs_left = n;
            const int ret = connect_now();
            done = ret == 0;
            if (!done) {
                assert_int_equal(ret, FK_E_NOMEM);
                assert_logged("no memory for TLS");
                assert_null(strstr(w.lines, "certificate refused"));
            }
            w.allocs_left = SIZE_MAX;
            fk_pipe_close(w.pipe);
            if (!done) {
                /* PSA keeps a table of key slots from the first handshake on */
                assert_in_range(w.heap.used_bytes, closed, closed + 1200);
            }
            assert_int_equal(connect_now(), 0); /* and then it works */
            finish();
        }
    }
}

static void every_allocation_of_init_may_fail(void **state) {
    (void)state;
    int ret = FK_E_NOMEM;
    for (size_t n = 0; ret != 0; n++) {
        (void)world_setup(NULL);
        w.allocs_left = n;
        ret = fk_tls_init(&w.tls, &w.cfg);
        if (ret != 0) {
            assert_int_equal(ret, FK_E_NOMEM);
            assert_int_equal(w.heap.used_bytes, 0);
        }
    }
    w.allocs_left = SIZE_MAX;
    w.pipe = fk_tls_pipe(&w.tls);
    finish();
}

/* ---- What is no TLS, or too much of it ------------------------------------------------------ */

static void far_says(const void *bytes, size_t len) {
    assert_int_equal(fk_pipe_send(mem_pipe_far(&w.link), bytes, len), (int)len);
}

static void plain_http_is_named(void **state) {
    (void)state;
    start();
    w.err = fk_pipe_open(w.pipe);
    client_step();
    far_says("HTTP/1.0 400 Bad Request\r\n\r\n", 28);
    client_step();
    assert_int_equal(w.err, FK_E_PROTO);
    assert_logged("does not speak TLS");
    finish();
}

static void a_record_beyond_the_bound_is_named(void **state) {
    (void)state;
    static const uint8_t huge[] = {23, 3, 3, 0x40, 0x11};
    for (size_t i = 0; i < 2; i++) {
        (void)world_setup(NULL);
        force_version(versions[i]);
        start();
        assert_int_equal(connect_now(), 0);
        far_says(huge, sizeof huge);
        client_step();
        assert_int_equal(w.err, FK_E_RANGE);
        assert_logged("FK_TLS_IN_MAX");
        assert_logged("bytes=16401");
        finish();
    }
}

/* A message of 6,000 bytes in records that would each fit. */
static void a_chain_beyond_the_bound_is_named(void **state) {
    (void)state;
    static uint8_t record[5 + 2000] = {22, 3, 3,         2000 >> 8, 2000 & 255,
                                       2,  0, 6000 >> 8, 6000 & 255};
    w.link.to_near.room = MEM_FLOW_CAP;
    start();
    w.err = fk_pipe_open(w.pipe);
    client_step();
    for (int i = 0; i < 3; i++) {
        far_says(record, sizeof record);
    }
    client_step();
    assert_int_equal(w.err, FK_E_RANGE);
    assert_logged("FK_TLS_IN_MAX");
    finish();
}

static void a_forged_record_ends_it(void **state) {
    (void)state;
    static const uint8_t forged[5 + 40] = {23, 3, 3, 0, 40};
    start();
    assert_int_equal(connect_now(), 0);
    far_says(forged, sizeof forged);
    client_step();
    assert_int_equal(w.err, FK_E_PROTO);
    finish();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(data_passes_both_ways, world_setup),
        cmocka_unit_test_setup(every_kind_of_server_key, world_setup),
        cmocka_unit_test_setup(what_the_handshake_took_is_given_back, world_setup),
        cmocka_unit_test_setup(a_bearer_token_needs_no_certificate, world_setup),
        cmocka_unit_test_setup(a_certificate_that_nobody_asks_for_does_no_harm, world_setup),
        cmocka_unit_test_setup(der_is_read_in_place, world_setup),
        cmocka_unit_test_setup(plain_rsa_signatures_are_preferred_to_pss, world_setup),
        cmocka_unit_test_setup(the_handshake_can_go_step_by_step, world_setup),
        cmocka_unit_test_setup(byte_by_byte, world_setup),
        cmocka_unit_test_setup(a_narrow_pipe_loses_nothing, world_setup),
        cmocka_unit_test_setup(split_anywhere, world_setup),
        cmocka_unit_test_setup(what_was_taken_is_sent_before_what_comes_next, world_setup),
        cmocka_unit_test_setup(more_than_a_record_is_taken_in_parts, world_setup),
        cmocka_unit_test_setup(a_record_may_be_read_in_small_pieces, world_setup),
        cmocka_unit_test_setup(close_notify_is_an_end_in_order, world_setup),
        cmocka_unit_test_setup(an_end_without_it_is_not, world_setup),
        cmocka_unit_test_setup(we_end_in_order, world_setup),
        cmocka_unit_test_setup(a_silent_peer_is_no_error, world_setup),
        cmocka_unit_test_setup(open_passes_on_what_the_pipe_below_says, world_setup),
        cmocka_unit_test_setup(it_dies_at_every_byte, world_setup),
        cmocka_unit_test_setup(many_reconnects_leak_nothing, world_setup),
        cmocka_unit_test_setup(without_entropy_nothing_is_sent, world_setup),
        cmocka_unit_test_setup(entropy_may_fail_at_any_time, world_setup),
        cmocka_unit_test_setup(every_allocation_may_fail, world_setup),
        cmocka_unit_test_setup(every_allocation_of_init_may_fail, world_setup),
        cmocka_unit_test_setup(plain_http_is_named, world_setup),
        cmocka_unit_test_setup(a_record_beyond_the_bound_is_named, world_setup),
        cmocka_unit_test_setup(a_chain_beyond_the_bound_is_named, world_setup),
        cmocka_unit_test_setup(a_forged_record_ends_it, world_setup),
    };
    const int failed = cmocka_run_group_tests_name("link_tls", tests, NULL, NULL);
    free_identities();
    return failed;
}
