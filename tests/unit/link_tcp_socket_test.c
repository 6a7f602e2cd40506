/* link/tcp_socket over loopback. Nothing sleeps: waits are polls with a deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "link/tcp_socket.h"

#define PATIENCE_MS 20000

static int64_t now_ms(void) {
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* More connections than any test leaves unaccepted: beyond it, SYNs are dropped without a word. */
#define BACKLOG 64

/* A listening socket on 127.0.0.1 (or ::1) with a port of the kernel's choice. */
static int listen_on(int family, uint16_t *port) {
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a;
    memset(&a, 0, sizeof a);
    a.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        a.v6.sin6_addr = in6addr_loopback;
    }
    socklen_t len = family == AF_INET ? sizeof a.v4 : sizeof a.v6;
    if (bind(fd, &a.any, len) != 0 || listen(fd, BACKLOG) != 0) {
        (void)close(fd);
        return -1;
    }
    assert_int_equal(getsockname(fd, &a.any, &len), 0);
    *port = ntohs(family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    return fd;
}

static int accept_one(int listener) {
    struct pollfd p = {listener, POLLIN, 0};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

/* As a port does: sleeps on the socket, or for as long as poll_ms says. */
static void wait_for(const struct fk_tcp *t) {
    struct pollfd p = {fk_tcp_fd(t), POLLIN, 0};
    p.events = (short)(p.events | (fk_tcp_wants_out(t) ? POLLOUT : 0));
    const int ms = fk_tcp_poll_ms(t);
    assert_true(p.fd >= 0 || ms >= 0); /* or nobody would ever wake us */
    (void)poll(&p, 1, ms >= 0 ? ms : PATIENCE_MS);
}

/* recv until it moves something or fails. */
static int recv_now(struct fk_tcp *t, void *buf, size_t cap) {
    const int64_t deadline = now_ms() + PATIENCE_MS;
    int n = fk_pipe_recv(fk_tcp_pipe(t), buf, cap);
    while (n == 0) {
        assert_true(now_ms() < deadline);
        wait_for(t);
        n = fk_pipe_recv(fk_tcp_pipe(t), buf, cap);
    }
    return n;
}

static int send_now(struct fk_tcp *t, const void *buf, size_t len) {
    const int64_t deadline = now_ms() + PATIENCE_MS;
    int n = fk_pipe_send(fk_tcp_pipe(t), buf, len);
    while (n == 0) {
        assert_true(now_ms() < deadline);
        wait_for(t);
        n = fk_pipe_send(fk_tcp_pipe(t), buf, len);
    }
    return n;
}

/* A client with an accepted connection behind it. */
static int connect_to(struct fk_tcp *t, int listener, const char *host, uint16_t port) {
    fk_tcp_init(t, host, port);
    assert_int_equal(fk_pipe_open(fk_tcp_pipe(t)), 0);
    assert_int_equal(send_now(t, "hello", 5), 5);
    const int peer = accept_one(listener);
    char got[8];
    struct pollfd p = {peer, POLLIN, 0};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(recv(peer, got, sizeof got, 0), 5);
    return peer;
}

static void bytes_pass_both_ways(void **state) {
    (void)state;
    uint16_t port;
    const int listener = listen_on(AF_INET, &port);
    struct fk_tcp t;
    const int peer = connect_to(&t, listener, "127.0.0.1", port);
    assert_string_equal(fk_tcp_local_address(&t), "127.0.0.1");
    assert_string_equal(fk_tcp_remote_address(&t), "127.0.0.1");
    assert_string_equal(fk_tcp_error(&t), "");
    assert_false(fk_tcp_wants_out(&t));
    assert_int_equal(fk_tcp_poll_ms(&t), -1);

    char got[8];
    assert_int_equal(fk_pipe_recv(fk_tcp_pipe(&t), got, sizeof got), 0);
    assert_int_equal(send(peer, "world", 5, 0), 5);
    assert_int_equal(recv_now(&t, got, sizeof got), 5);
    assert_memory_equal(got, "world", 5);

    fk_pipe_close(fk_tcp_pipe(&t));
    assert_int_equal(fk_tcp_fd(&t), -1);
    assert_string_equal(fk_tcp_local_address(&t), "");
    assert_int_equal(fk_pipe_recv(fk_tcp_pipe(&t), got, sizeof got), FK_E_CLOSED);
    fk_tcp_free(&t);
    (void)close(peer);
    (void)close(listener);
}

static void the_socket_is_as_it_should_be(void **state) {
    (void)state;
    uint16_t port;
    const int listener = listen_on(AF_INET, &port);
    struct fk_tcp t;
    const int peer = connect_to(&t, listener, "127.0.0.1", port);
    int on = 0;
    socklen_t len = sizeof on;
    assert_int_equal(getsockopt(fk_tcp_fd(&t), IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on != 0);
    assert_true((fcntl(fk_tcp_fd(&t), F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(fk_tcp_fd(&t), F_GETFL) & O_NONBLOCK) != 0);
    fk_tcp_free(&t);
    (void)close(peer);
    (void)close(listener);
}

static void version_6_as_well(void **state) {
    (void)state;
    uint16_t port;
    const int listener = listen_on(AF_INET6, &port);
    if (listener < 0) {
        skip(); /* a machine without IPv6 */
    }
    struct fk_tcp t;
    const int peer = connect_to(&t, listener, "::1", port);
    assert_string_equal(fk_tcp_local_address(&t), "::1");
    fk_tcp_free(&t);
    (void)close(peer);
    (void)close(listener);
}

static void a_numeric_address_needs_no_resolver(void **state) {
    (void)state;
    uint16_t port;
    const int listener = listen_on(AF_INET, &port);
    struct fk_tcp t;
    fk_tcp_init(&t, "127.0.0.1", port);
    assert_int_equal(fk_tcp_fd(&t), -1);
    const uint32_t serial = fk_tcp_serial(&t);
    assert_int_equal(fk_pipe_open(fk_tcp_pipe(&t)), 0);
    assert_true(fk_tcp_fd(&t) >= 0);
    assert_true(fk_tcp_serial(&t) != serial);
    fk_tcp_free(&t);
    (void)close(listener);
}

static void nobody_listens(void **state) {
    (void)state;
    uint16_t port;
    (void)close(listen_on(AF_INET, &port)); /* free again */
    struct fk_tcp t;
    fk_tcp_init(&t, "127.0.0.1", port);
    assert_int_equal(fk_pipe_open(fk_tcp_pipe(&t)), 0);
    char c;
    assert_int_equal(recv_now(&t, &c, 1), FK_E_UNREACHABLE);
    assert_non_null(strstr(fk_tcp_error(&t), "connect to 127.0.0.1 port "));
    assert_non_null(strstr(fk_tcp_error(&t), "refused"));
    assert_int_equal(fk_pipe_send(fk_tcp_pipe(&t), "x", 1), FK_E_UNREACHABLE); /* latched */
    assert_int_equal(fk_tcp_fd(&t), -1);

    assert_int_equal(fk_pipe_open(fk_tcp_pipe(&t)), 0); /* and may be tried again */
    assert_int_equal(recv_now(&t, &c, 1), FK_E_UNREACHABLE);
    fk_tcp_free(&t);
}

/* "localhost" is 127.0.0.1, and ::1 on many machines, where only one of them listens. */
static void a_name_and_all_its_addresses(void **state) {
    (void)state;
    uint16_t port;
    const int listener = listen_on(AF_INET, &port);
    struct fk_tcp t;
    const int peer = connect_to(&t, listener, "localhost", port);
    assert_string_equal(fk_tcp_local_address(&t), "127.0.0.1");
    assert_string_equal(fk_tcp_error(&t), ""); /* not that of an address before it */
    fk_tcp_free(&t);
    (void)close(peer);
    (void)close(listener);
}

/* An empty label: the resolver knows without asking anybody, who may take his time. */
static void a_name_without_address(void **state) {
    (void)state;
    struct fk_tcp t;
    char c;
    fk_tcp_init(&t, "no-such-host..invalid", 6443);
    assert_int_equal(fk_pipe_open(fk_tcp_pipe(&t)), 0);
    assert_int_equal(recv_now(&t, &c, 1), FK_E_RESOLVE);
    assert_non_null(strstr(fk_tcp_error(&t), "resolve no-such-host..invalid port 6443: "));
    fk_tcp_free(&t);
}

static void a_lookup_outlives_close(void **state) {
    (void)state;
    uint16_t port;
    const int listener = listen_on(AF_INET, &port);
    struct fk_tcp t;
    fk_tcp_init(&t, "localhost", port);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(fk_pipe_open(fk_tcp_pipe(&t)), 0); /* connects if the answer is there */
        fk_pipe_close(fk_tcp_pipe(&t));
    }
    assert_int_equal(fk_pipe_open(fk_tcp_pipe(&t)), 0);
    assert_int_equal(send_now(&t, "x", 1), 1);
    fk_pipe_close(fk_tcp_pipe(&t));
    assert_int_equal(fk_pipe_open(fk_tcp_pipe(&t)), 0);
    fk_tcp_free(&t); /* in the middle of one */
    (void)close(listener);
}

static void the_peer_resets(void **state) {
    (void)state;
    uint16_t port;
    const int listener = listen_on(AF_INET, &port);
    struct fk_tcp t;
    const int peer = connect_to(&t, listener, "127.0.0.1", port);
    const struct linger hard = {1, 0};
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    (void)close(peer);
    char c;
    assert_int_equal(recv_now(&t, &c, 1), FK_E_RESET);
    assert_int_equal(fk_pipe_recv(fk_tcp_pipe(&t), &c, 1), FK_E_RESET);
    assert_int_equal(fk_pipe_send(fk_tcp_pipe(&t), &c, 1), FK_E_RESET); /* and no SIGPIPE */
    assert_non_null(strstr(fk_tcp_error(&t), "receive from 127.0.0.1 port "));
    fk_tcp_free(&t);
    (void)close(listener);
}

static void the_peer_has_said_all(void **state) {
    (void)state;
    uint16_t port;
    const int listener = listen_on(AF_INET, &port);
    struct fk_tcp t;
    const int peer = connect_to(&t, listener, "127.0.0.1", port);
    assert_int_equal(send(peer, "bye", 3, 0), 3);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    char got[8];
    assert_int_equal(recv_now(&t, got, sizeof got), 3);
    assert_int_equal(recv_now(&t, got, sizeof got), FK_E_CLOSED);
    assert_int_equal(fk_pipe_send(fk_tcp_pipe(&t), "still", 5), 5);
    struct pollfd p = {peer, POLLIN, 0};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(recv(peer, got, sizeof got, 0), 5);
    assert_int_equal(fk_pipe_recv(fk_tcp_pipe(&t), got, sizeof got), FK_E_CLOSED);
    fk_tcp_free(&t);
    (void)close(peer);
    (void)close(listener);
}

static uint8_t pattern(size_t i) { return (uint8_t)(i * 31 + i / 253); }

/* A megabyte there, through socket buffers of the kernel's smallest size. */
static void much_through_little(void **state) {
    (void)state;
    uint16_t port;
    const int listener = listen_on(AF_INET, &port);
    const int tiny = 1;
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny), 0);
    struct fk_tcp t;
    const int peer = connect_to(&t, listener, "127.0.0.1", port);
    assert_int_equal(setsockopt(fk_tcp_fd(&t), SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny), 0);
    const size_t total = 1 << 20;
    size_t sent = 0, got = 0;
    unsigned full = 0;
    while (got < total) {
        uint8_t out[1000], in[700];
        size_t len = 0;
        for (; len < sizeof out && sent + len < total; len++) {
            out[len] = pattern(sent + len);
        }
        const int n = len > 0 ? fk_pipe_send(fk_tcp_pipe(&t), out, len) : 0;
        assert_true(n >= 0);
        sent += (size_t)n;
        if (len > 0 && (size_t)n < len) {
            full++;
            assert_true(fk_tcp_wants_out(&t));
        }
        /* All may have arrived that was sent, and only its acknowledgement be under way. */
        struct pollfd p[2] = {{peer, POLLIN, 0}, {fk_tcp_fd(&t), len > 0 ? POLLOUT : 0, 0}};
        if (n == 0) {
            assert_true(poll(p, 2, PATIENCE_MS) > 0);
        }
        const ssize_t m = recv(peer, in, sizeof in, 0);
        for (ssize_t i = 0; i < m; i++) {
            assert_int_equal(in[i], pattern(got + (size_t)i));
        }
        got += m > 0 ? (size_t)m : 0;
    }
    assert_true(full > 0);
    fk_tcp_free(&t);
    (void)close(peer);
    (void)close(listener);
}

static void a_different_socket_has_a_different_serial(void **state) {
    (void)state;
    uint16_t port;
    const int listener = listen_on(AF_INET, &port);
    struct fk_tcp t;
    fk_tcp_init(&t, "127.0.0.1", port);
    assert_int_equal(fk_pipe_open(fk_tcp_pipe(&t)), 0);
    const int fd = fk_tcp_fd(&t);
    const uint32_t serial = fk_tcp_serial(&t);
    assert_int_equal(fk_pipe_open(fk_tcp_pipe(&t)), 0);
    assert_int_equal(fk_tcp_fd(&t), fd); /* the kernel gives the lowest free number */
    assert_true(fk_tcp_serial(&t) != serial);
    fk_tcp_free(&t);
    (void)close(listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_both_ways),
        cmocka_unit_test(the_socket_is_as_it_should_be),
        cmocka_unit_test(version_6_as_well),
        cmocka_unit_test(a_numeric_address_needs_no_resolver),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_name_and_all_its_addresses),
        cmocka_unit_test(a_name_without_address),
        cmocka_unit_test(a_lookup_outlives_close),
        cmocka_unit_test(the_peer_resets),
        cmocka_unit_test(the_peer_has_said_all),
        cmocka_unit_test(much_through_little),
        cmocka_unit_test(a_different_socket_has_a_different_serial),
    };
    return cmocka_run_group_tests_name("link_tcp_socket", tests, NULL, NULL);
}
