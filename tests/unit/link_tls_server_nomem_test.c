/* link/tls_server: a connection, memory or random numbers end at any point. */
#include "link_tls_server_world.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_handshake_cut_anywhere_leaves_nothing),
        T(memory_may_end_anywhere_in_a_handshake),
        T(memory_may_end_with_a_heap_of_any_size),
        T(without_random_numbers_nothing_leaves),
    };
    return cmocka_run_group_tests_name("link_tls_server_nomem", tests, group_setup, group_teardown);
}
