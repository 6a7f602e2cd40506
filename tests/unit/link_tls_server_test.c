/* link/tls_server: the kubelet's own port, against Mbed TLS's client. */
#include "link_tls_server_world.h"

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
    finish();
}

static void a_client_without_one_is_nobody(void **state) {
    (void)state;
    w.clients[0].leaf = NULL;
    start();
    assert_int_equal(connect_now(0), 0);
    assert_true(established(0));
    assert_null(peer(0));
    finish();
}

static void bytes_go_both_ways(void **state) {
    (void)state;
    start();
    assert_int_equal(connect_now(0), 0);
    client_send(0, "GET / HTTP/1.1\r\n", 16);
    pump(0);
    assert_int_equal(w.got_len[0], 16);
    assert_memory_equal(w.got[0], "GET / HTTP/1.1\r\n", 16);
    assert_int_equal(fk_pipe_send(session(0), "HTTP/1.1 200 OK\r\n", 17), 17);
    pump(0);
    assert_int_equal(w.clients[0].got_len, 17);
    assert_memory_equal(w.clients[0].got, "HTTP/1.1 200 OK\r\n", 17);
    fk_pipe_close(session(0));
    client_step(0);
    assert_int_equal(w.clients[0].err, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    finish();
}

/* ---- Memory --------------------------------------------------------------------------------- */

static void memory_returns_to_its_level(void **state) {
    (void)state;
    start();
    const uint32_t level = w.heap.used_bytes;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(connect_now(0), 0);
        assert_true(established(0));
        hang_up(0);
        assert_int_equal(w.heap.used_bytes, level);
    }
    assert_logged("a client's TLS is established");
    finish();
}

/* ---- A certificate of our own --------------------------------------------------------------- */

static void a_server_signs_for_itself(void **state) {
    (void)state;
    w.cfg.cert = NULL;
    w.cfg.key = NULL;
    w.clients[0].no_check = true;
    start();
    assert_false(fk_tls_server_ready(&w.server));
    assert_int_equal(fk_tls_server_not_after(&w.server), FK_WALL_UNKNOWN);
    w.calling[0] = true;
    assert_false(w.listener.ops->waiting(w.listener.ctx));
    assert_int_equal(fk_pipe_open(session(0)), FK_E_BUSY);

    assert_int_equal(
        fk_tls_server_self_sign(&w.server, "node.example", "host", "192.0.2.7", IN_2026), 0);
    assert_true(fk_tls_server_ready(&w.server));
    assert_int_equal(connect_now(0), 0);
    assert_true(established(0));
    finish();
}

#define T(name) cmocka_unit_test_setup(name, world_setup)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_client_with_a_certificate_is_known),
        T(a_client_without_one_is_nobody),
        T(memory_returns_to_its_level),
        T(a_server_signs_for_itself),
        T(bytes_go_both_ways),
    };
    return cmocka_run_group_tests_name("link_tls_server", tests, group_setup, group_teardown);
}
