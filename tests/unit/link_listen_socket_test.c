/* link/listen_socket over loopback. Nothing sleeps: waits are polls with a deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log_text.h"
#include "link/listen_socket.h"

#define PATIENCE_MS 20000

static struct fk_listen_socket l;
static struct fk_listener listener;
static char lines[1024]; /* "message key=value ...\n" */
static int line_count;

static void emit(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    (void)ctx;
    (void)level;
    struct fk_writer w;
    fk_writer_init(&w, lines, sizeof lines);
    fk_put_str(&w, message);
    fk_log_put_pairs(&w, kvs, count);
    (void)fk_writer_finish(&w);
    line_count++;
}

static const struct fk_log logger = {FK_INFO, NULL, emit};

static int set_up(void **state) {
    (void)state;
    lines[0] = '\0';
    line_count = 0;
    const int err = fk_listen_socket_open(&l, "127.0.0.1", 0, &logger);
    listener = fk_listen_socket_listener(&l);
    return err;
}

static int tear_down(void **state) {
    (void)state;
    fk_listen_socket_close(&l);
    return 0;
}

static struct fk_pipe slot(unsigned i) { return listener.ops->pipe(listener.ctx, i); }

static bool somebody_waits(void) { return listener.ops->waiting(listener.ctx); }

/* Until fd is readable (or writable). */
static void wait_for(int fd, short events) {
    struct pollfd p = {fd, events, 0};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

/* A client's socket; connect has returned, so that the connection waits already. */
static int client(void) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
    } a;
    memset(&a, 0, sizeof a);
    a.v4.sin_family = AF_INET;
    a.v4.sin_port = htons(fk_listen_socket_port(&l));
    a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, &a.any, sizeof a.v4), 0);
    return fd;
}

static int connect_slot(unsigned i) {
    const int fd = client();
    wait_for(fk_listen_socket_fd(&l), POLLIN);
    assert_true(somebody_waits());
    assert_int_equal(fk_pipe_open(slot(i)), 0);
    return fd;
}

/* recv until it moves something or fails. */
static int recv_now(unsigned i, void *buf, size_t cap) {
    int n = fk_pipe_recv(slot(i), buf, cap);
    while (n == 0) {
        wait_for(fk_listen_socket_slot_fd(&l, i), POLLIN);
        n = fk_pipe_recv(slot(i), buf, cap);
    }
    return n;
}

/* ---- Opening ----------------------------------------------------------------------------------
 */

static void a_port_of_its_own_choice(void **state) {
    (void)state;
    assert_true(fk_listen_socket_port(&l) > 0);
    assert_true(fk_listen_socket_fd(&l) >= 0);
    assert_int_equal(listener.count, FK_SERVER_CONNECTIONS);
    assert_true((fcntl(fk_listen_socket_fd(&l), F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(fk_listen_socket_fd(&l), F_GETFL) & O_NONBLOCK) != 0);
    assert_false(somebody_waits());
    fk_listen_socket_close(&l);
    assert_int_equal(fk_listen_socket_fd(&l), -1);
    assert_int_equal(fk_listen_socket_port(&l), 0);
    assert_false(somebody_waits());
    fk_listen_socket_close(&l);
    assert_int_equal(line_count, 0);
}

static void a_port_in_use_says_what_to_do(void **state) {
    (void)state;
    struct fk_listen_socket second;
    assert_int_equal(
        fk_listen_socket_open(&second, "127.0.0.1", fk_listen_socket_port(&l), &logger),
        FK_E_CONFIG);
    char expected[256];
    (void)snprintf(expected, sizeof expected,
                   "cannot listen address=127.0.0.1 port=%u error=\"Address already in use\" "
                   "advice=\"another kubelet on this host? choose another port with --port\"",
                   fk_listen_socket_port(&l));
    assert_string_equal(lines, expected);
    assert_int_equal(fk_listen_socket_fd(&second), -1);
    fk_listen_socket_close(&second);
}

static void addresses_that_are_none_of_ours(void **state) {
    (void)state;
    struct fk_listen_socket second;
    assert_int_equal(fk_listen_socket_open(&second, "203.0.113.9", 0, &logger), FK_E_CONFIG);
    assert_non_null(strstr(lines, "no interface has this address"));
    static const char *const wrong[] = {"", "localhost", "[::]", "1.2.3", "127.0.0.1:10250", "::g"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(fk_listen_socket_open(&second, wrong[i], 0, &logger), FK_E_CONFIG);
        assert_non_null(strstr(lines, "cannot listen: not an IP address"));
        assert_int_equal(fk_listen_socket_fd(&second), -1);
    }
}

/* After a restart, connections of the former life are still in TIME_WAIT. */
static void the_port_can_be_taken_again_at_once(void **state) {
    (void)state;
    const uint16_t port = fk_listen_socket_port(&l);
    const int fd = connect_slot(0);
    fk_pipe_close(slot(0));
    (void)close(fd);
    fk_listen_socket_close(&l);
    assert_int_equal(fk_listen_socket_open(&l, "127.0.0.1", port, &logger), 0);
    assert_int_equal(fk_listen_socket_port(&l), port);
}

static void version_6_is_both(void **state) {
    (void)state;
    fk_listen_socket_close(&l);
    if (fk_listen_socket_open(&l, "::", 0, &logger) != 0) {
        skip(); /* a machine without IPv6 */
    }
    const int fd = connect_slot(0); /* over version 4 */
    (void)close(fd);
    fk_listen_socket_close(&l);
    if (fk_listen_socket_open(&l, "::1", 0, &logger) != 0) {
        skip();
    }
    const int six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    union {
        struct sockaddr any;
        struct sockaddr_in6 v6;
    } a;
    memset(&a, 0, sizeof a);
    a.v6.sin6_family = AF_INET6;
    a.v6.sin6_port = htons(fk_listen_socket_port(&l));
    a.v6.sin6_addr = in6addr_loopback;
    assert_int_equal(connect(six, &a.any, sizeof a.v6), 0);
    wait_for(fk_listen_socket_fd(&l), POLLIN);
    assert_int_equal(fk_pipe_open(slot(0)), 0);
    (void)close(six);
}

/* ---- Connections ------------------------------------------------------------------------------
 */

static void bytes_pass_both_ways(void **state) {
    (void)state;
    char buf[8];
    assert_int_equal(fk_pipe_open(slot(1)), FK_E_BUSY);
    assert_int_equal(fk_pipe_recv(slot(1), buf, sizeof buf), FK_E_CLOSED);
    assert_int_equal(fk_pipe_send(slot(1), "x", 1), FK_E_CLOSED);
    assert_false(listener.ops->established(listener.ctx, 1));
    const int fd = connect_slot(1);
    assert_true(listener.ops->established(listener.ctx, 1));
    assert_false(listener.ops->ready(listener.ctx, 1));
    assert_null(listener.ops->peer(listener.ctx, 1));
    assert_false(somebody_waits());
    assert_int_equal(fk_pipe_recv(slot(1), buf, sizeof buf), 0);
    assert_int_equal(send(fd, "hello", 5, 0), 5);
    assert_int_equal(recv_now(1, buf, sizeof buf), 5);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(fk_pipe_send(slot(1), "world", 5), 5);
    assert_false(fk_listen_socket_slot_wants_out(&l, 1));
    wait_for(fd, POLLIN);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), 5);
    assert_memory_equal(buf, "world", 5);
    fk_pipe_close(slot(1));
    fk_pipe_close(slot(1));
    wait_for(fd, POLLIN);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), 0);
    (void)close(fd);
}

static void the_sockets_are_as_they_should_be(void **state) {
    (void)state;
    const int fd = connect_slot(0), own = fk_listen_socket_slot_fd(&l, 0);
    int on = 0;
    socklen_t len = sizeof on;
    assert_int_equal(getsockopt(own, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on != 0);
    assert_true((fcntl(own, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(own, F_GETFL) & O_NONBLOCK) != 0);
    (void)close(fd);
}

static void each_slot_has_its_own(void **state) {
    (void)state;
    int fd[FK_SERVER_CONNECTIONS];
    uint8_t byte;
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) fd[i] = connect_slot(i);
    const int late = client();
    wait_for(fk_listen_socket_fd(&l), POLLIN);
    assert_true(somebody_waits()); /* and goes on waiting */
    for (uint8_t i = 0; i < FK_SERVER_CONNECTIONS; i++) {
        assert_int_equal(send(fd[i], &i, 1, 0), 1);
        assert_int_equal(recv_now(i, &byte, 1), 1);
        assert_int_equal(byte, i);
    }
    fk_pipe_close(slot(1));
    assert_int_equal(fk_pipe_open(slot(1)), 0);
    assert_false(somebody_waits());
    assert_int_equal(send(late, "L", 1, 0), 1);
    assert_int_equal(recv_now(1, &byte, 1), 1);
    assert_int_equal(byte, 'L');
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) (void)close(fd[i]);
    (void)close(late);
}

/* The system gives the lowest free number: epoll's user must see that it is another socket. */
static void a_different_connection_has_a_different_serial(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        int fd = connect_slot(0);
        const int number = fk_listen_socket_slot_fd(&l, 0);
        const uint32_t serial = fk_listen_socket_slot_serial(&l, 0);
        (void)close(fd);
        fd = client(); /* waits already: the slot's number is the lowest one then */
        wait_for(fk_listen_socket_fd(&l), POLLIN);
        fk_pipe_close(slot(0));
        assert_int_equal(fk_listen_socket_slot_fd(&l, 0), -1);
        assert_int_equal(fk_pipe_open(slot(0)), 0);
        assert_int_equal(fk_listen_socket_slot_fd(&l, 0), number);
        assert_true(fk_listen_socket_slot_serial(&l, 0) != serial);
        fk_pipe_close(slot(0));
        (void)close(fd);
    }
}

static void the_peer_resets(void **state) {
    (void)state;
    const int fd = connect_slot(0);
    const struct linger hard = {1, 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    (void)close(fd);
    char c;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(recv_now(0, &c, 1), FK_E_RESET);
        assert_int_equal(fk_pipe_send(slot(0), &c, 1), FK_E_RESET); /* and no SIGPIPE */
    }
    fk_pipe_close(slot(0));
    assert_int_equal(fk_pipe_recv(slot(0), &c, 1), FK_E_CLOSED);
}

/* It may have gone before it was taken in. */
static void the_peer_resets_while_it_waits(void **state) {
    (void)state;
    const int fd = client();
    const struct linger hard = {1, 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    wait_for(fk_listen_socket_fd(&l), POLLIN);
    (void)close(fd);
    assert_true(somebody_waits());
    char c;
    if (fk_pipe_open(slot(0)) == 0) {
        assert_int_equal(recv_now(0, &c, 1), FK_E_RESET);
    }
    assert_false(somebody_waits());
}

static void the_peer_has_said_all(void **state) {
    (void)state;
    const int fd = connect_slot(0);
    assert_int_equal(send(fd, "bye", 3, 0), 3);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    char buf[8];
    assert_int_equal(recv_now(0, buf, sizeof buf), 3);
    assert_int_equal(recv_now(0, buf, sizeof buf), FK_E_CLOSED);
    assert_int_equal(fk_pipe_send(slot(0), "still", 5), 5);
    wait_for(fd, POLLIN);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), 5);
    assert_int_equal(fk_pipe_recv(slot(0), buf, sizeof buf), FK_E_CLOSED);
    (void)close(fd);
}

/* A request that is refused before it was read: the refusal arrives all the same. */
static void last_words_arrive_although_bytes_are_unread(void **state) {
    (void)state;
    const int fd = connect_slot(0);
    static char much[5000];
    assert_int_equal(send(fd, much, sizeof much, 0), (int)sizeof much);
    wait_for(fk_listen_socket_slot_fd(&l, 0), POLLIN);
    assert_int_equal(fk_pipe_send(slot(0), "413", 3), 3);
    fk_pipe_close(slot(0));
    char buf[8];
    wait_for(fd, POLLIN);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), 3);
    wait_for(fd, POLLIN);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), 0);
    (void)close(fd);
}

static void a_slow_reader_is_waited_for(void **state) {
    (void)state;
    static uint8_t much[65536], got[65536];
    const int fd = connect_slot(0);
    size_t sent = 0, read_len = 0;
    int n;
    do {
        for (size_t i = 0; i < sizeof much; i++) much[i] = (uint8_t)((sent + i) * 31 >> 3);
        n = fk_pipe_send(slot(0), much, sizeof much);
        assert_true(n >= 0);
        sent += (size_t)n;
    } while (n == (int)sizeof much);
    assert_true(fk_listen_socket_slot_wants_out(&l, 0));
    while (read_len < sent) {
        const ssize_t m = recv(fd, got, sizeof got, 0);
        assert_true(m > 0);
        for (size_t i = 0; i < (size_t)m; i++)
            assert_int_equal(got[i], (uint8_t)((read_len + i) * 31 >> 3));
        read_len += (size_t)m;
    }
    wait_for(fk_listen_socket_slot_fd(&l, 0), POLLOUT);
    assert_int_equal(fk_pipe_send(slot(0), "x", 1), 1);
    assert_false(fk_listen_socket_slot_wants_out(&l, 0));
    (void)close(fd);
}

static void a_thousand_connections_opened_and_left(void **state) {
    (void)state;
    const int next = dup(0);
    (void)close(next);
    for (unsigned i = 0; i < 1000; i++) {
        const int fd = connect_slot(i % FK_SERVER_CONNECTIONS);
        (void)close(fd);
    }
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) fk_pipe_close(slot(i));
    const int again = dup(0);
    (void)close(again);
    assert_int_equal(again, next); /* no descriptor has leaked */
    assert_int_equal(line_count, 0);
}

/* ---- Out of descriptors ------------------------------------------------------------------------
 */

/* Takes every descriptor that is left; returns the former limit. */
static struct rlimit no_more_descriptors(void) {
    struct rlimit former;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &former), 0);
    const int lowest = dup(0);
    (void)close(lowest);
    const struct rlimit none = {(rlim_t)lowest, former.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return former;
}

static void who_finds_no_descriptor_is_turned_away(void **state) {
    (void)state;
    int fd[3];
    char c;
    for (int i = 0; i < 3; i++) fd[i] = client();
    wait_for(fk_listen_socket_fd(&l), POLLIN);
    const struct rlimit former = no_more_descriptors();
    for (int i = 0; i < 3; i++) {
        assert_true(somebody_waits());
        assert_int_equal(fk_pipe_open(slot(0)), FK_E_NOMEM);
        assert_true(recv(fd[i], &c, 1, 0) <= 0); /* told so */
    }
    assert_false(somebody_waits());
    assert_int_equal(line_count, 1);
    assert_non_null(strstr(lines, "raise the limit of open files"));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &former), 0);
    for (int i = 0; i < 3; i++) (void)close(fd[i]);
    fd[0] = connect_slot(0);
    (void)close(fd[0]);
}

/* And somebody else took the spare one's place: nothing can be done, and nothing spins. */
static void who_can_not_even_be_turned_away_is_left_alone(void **state) {
    (void)state;
    const int fd = client();
    wait_for(fk_listen_socket_fd(&l), POLLIN);
    assert_int_equal(close(l.spare), 0);
    l.spare = -1;
    const int taken = dup(0);
    const struct rlimit former = no_more_descriptors();
    assert_true(somebody_waits());
    assert_int_equal(fk_pipe_open(slot(0)), FK_E_NOMEM);
    assert_false(somebody_waits());
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &former), 0);
    (void)close(taken);
    assert_int_equal(fk_pipe_open(slot(0)), 0); /* still there when there is room again */
    assert_false(somebody_waits());
    (void)close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_port_of_its_own_choice),
        TEST(a_port_in_use_says_what_to_do),
        TEST(addresses_that_are_none_of_ours),
        TEST(the_port_can_be_taken_again_at_once),
        TEST(version_6_is_both),
        TEST(bytes_pass_both_ways),
        TEST(the_sockets_are_as_they_should_be),
        TEST(each_slot_has_its_own),
        TEST(a_different_connection_has_a_different_serial),
        TEST(the_peer_resets),
        TEST(the_peer_resets_while_it_waits),
        TEST(the_peer_has_said_all),
        TEST(last_words_arrive_although_bytes_are_unread),
        TEST(a_slow_reader_is_waited_for),
        TEST(a_thousand_connections_opened_and_left),
        TEST(who_finds_no_descriptor_is_turned_away),
        TEST(who_can_not_even_be_turned_away_is_left_alone),
    };
    return cmocka_run_group_tests_name("link/listen_socket", tests, NULL, NULL);
}
