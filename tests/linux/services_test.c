/* The wiring of the kubelet's port: what it does when its parts fail, wait or end. */
#include "linux/services.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "linux/host.h"
#include "support/duty_case.h"

#define NOT_SIGNED "no certificate for the kubelet's port could be made"

static struct {
    uint64_t now_ms;
    const char *address;
    unsigned not_signed; /* lines of the log that say so */
    unsigned kept;       /* how often the port was given what ConfigMaps set */
    char said[512];      /* warnings and errors */
    struct fk_flags flags;
    struct fk_heap heap;
    _Alignas(8) uint8_t heap_bytes[65536];
    struct fk_node node;
    struct fk_services services;
} w;

static void emit(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    (void)ctx;
    if (strcmp(message, NOT_SIGNED) == 0) w.not_signed++;
    const size_t len = strlen(w.said);
    if (level <= FK_WARN)
        (void)snprintf(w.said + len, sizeof w.said - len, "%s %s=%s\n", message, kvs[0].key,
                       count > 0 && kvs[0].str != NULL ? kvs[0].str : "");
}
static const struct fk_log logger = {.level = FK_DEBUG, .emit = emit};

static uint64_t mono_ms(void *ctx) {
    (void)ctx;
    return w.now_ms;
}

static void facts(void *ctx, struct fk_port_facts *out) {
    (void)ctx;
    *out = (struct fk_port_facts){.heap_free_bytes = 1000, .heap_total_bytes = 2000};
}

static const char *address(void *ctx) {
    (void)ctx;
    return w.address;
}

static int keep(void *ctx, const void *bytes, size_t len) {
    (void)ctx, (void)bytes, (void)len;
    w.kept++;
    return FK_E_RANGE;
}

static const struct fk_port_ops port_ops = {.mono_ms = mono_ms,
                                            .entropy = fk_host_entropy,
                                            .facts = facts,
                                            .address = address,
                                            .keep = keep};

/* A port that is free now. */
static uint16_t free_port(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}

static void prepare(const char *node_address) {
    memset(&w, 0, sizeof w);
    w.now_ms = 1000;
    w.address = node_address;
    w.flags = (struct fk_flags){.address = "127.0.0.1",
                                .port = free_port(),
                                .config_map = "",
                                .api_server_user = "",
                                .authn_ms = 1000,
                                .allowed_ms = 1000,
                                .denied_ms = 1000};
    fk_heap_init(&w.heap, w.heap_bytes, sizeof w.heap_bytes);
    fk_crypto_use_heap(&w.heap);
    const struct fk_node_setup node = {
        .config = &duty_case_config,
        .port = {&port_ops, NULL},
        .heap = &w.heap,
        .authority = "server:6443",
        .user_agent = "test/1",
        .log = &logger,
        .seed = 1,
    };
    assert_int_equal(fk_node_init(&w.node, &node), 0);
    w.node.client.state = FK_LINK_UP; /* never stepped */
}

static int start(void) {
    char text[200];
    struct fk_writer why;
    const struct fk_services_config config = {.flags = &w.flags, .node = &w.node, .log = &logger};
    fk_writer_init(&why, text, sizeof text);
    return fk_services_init(&w.services, &config, &why);
}

static void begin(const char *node_address) {
    prepare(node_address);
    assert_int_equal(start(), 0);
}

static void end(void) {
    fk_services_stop(&w.services);
    fk_services_wipe(&w.services);
}

static void settle(void) {
    for (int i = 0; i < 50; i++) (void)fk_services_step(&w.services);
}

/* The connection to the API server is ended after the port, and tells all who still wait for an
 * answer that there will be none. */
static void a_review_may_outlive_the_port(void **state) {
    (void)state;
    begin("192.0.2.7");
    struct fk_authn *authn = &w.services.server.authn;
    const struct fk_now now = {w.now_ms, FK_WALL_UNKNOWN};
    const struct fk_user *user;
    struct fk_request review;
    assert_int_equal(fk_authn_check(authn, now, "token", true, &user), FK_ASK_WAIT);
    assert_true(fk_authn_ops.request(authn, now, &review));
    fk_services_stop(&w.services);
    const struct fk_response none = {.status = FK_E_CANCELLED, .message = "cancelled"};
    review.reply->response(review.owner, now, &none);
    assert_int_equal(authn->failures, 1);
    end();
}

/* It ends in two steps: the goodbye, and the wiping of memory. What cannot be saved is tried, and
 * complained of, in one of them. */
static void what_cannot_be_saved_is_tried_once_at_the_end(void **state) {
    (void)state;
    begin("192.0.2.7");
    w.services.configmaps.dirty = true;
    fk_services_stop(&w.services);
    assert_int_equal(w.kept, 1);
    end();
    assert_int_equal(w.kept, 1);

    begin("192.0.2.7"); /* amid a change, which ends with the connection: the second step's */
    struct fk_configmap coming = {0};
    w.services.configmaps.dirty = true;
    w.services.configmaps.parsing = &coming;
    fk_services_stop(&w.services);
    assert_int_equal(w.kept, 0);
    w.services.configmaps.parsing = NULL;
    end();
    assert_int_equal(w.kept, 1);
}

static void it_signs_again_for_another_address(void **state) {
    (void)state;
    begin("");
    settle();
    assert_string_equal(w.services.named, "");
    assert_true(fk_tls_server_ready(&w.services.tls));
    w.address = "192.0.2.7";
    settle();
    assert_string_equal(w.services.named, "192.0.2.7");
    assert_int_equal(w.not_signed, 0);
    end();
}

/* A key takes time to make, and a line of the log room. */
static void what_it_cannot_sign_it_tries_once_a_minute(void **state) {
    (void)state;
    begin("no address");
    settle();
    assert_int_equal(w.not_signed, 1);
    w.now_ms += 59999;
    settle();
    assert_int_equal(w.not_signed, 1);
    w.now_ms += 1;
    settle();
    assert_int_equal(w.not_signed, 2);
    w.address = "192.0.2.7";
    w.now_ms += 60000;
    settle();
    assert_true(fk_tls_server_ready(&w.services.tls));
    end();
}

static int wakes(int epoll_fd) {
    struct epoll_event events[8];
    assert_true(fk_services_watch(&w.services, epoll_fd));
    return epoll_wait(epoll_fd, events, 8, 0);
}

static int client(void) {
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr = {htonl(INADDR_LOOPBACK)},
                            .sin_port = htons(w.flags.port)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* Who comes before there is a certificate waits, and does not keep us awake. */
static void without_a_certificate_nobody_wakes_it(void **state) {
    (void)state;
    begin("no address");
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC), fd = client();
    settle();
    assert_int_equal(wakes(epoll_fd), 0);
    w.address = "192.0.2.7";
    w.now_ms += 60000;
    (void)fk_services_step(&w.services);
    settle();
    assert_int_equal(w.services.server.house.connections, 1);
    (void)close(fd);
    (void)close(epoll_fd);
    end();
}

/* What an operator forgets, and does not see before the API server calls. */
static void without_a_client_ca_it_warns(void **state) {
    (void)state;
    begin("192.0.2.7");
    assert_non_null(strstr(w.said, "client certificates do not count"));
    assert_non_null(strstr(w.said, "give --client-ca-file"));
    assert_null(strstr(w.said, "--api-server-user"));
    end();
    prepare("192.0.2.7");
    w.flags.api_server_user = "kube-apiserver";
    assert_int_equal(start(), 0);
    assert_non_null(strstr(w.said, "--api-server-user can never match"));
    end();
    prepare("192.0.2.7");
    w.flags.port = 0;
    assert_int_equal(start(), 0);
    assert_string_equal(w.said, "");
    end();
}

static void a_file_that_is_no_certificate_is_named(void **state) {
    (void)state;
    char path[] = "/tmp/fk-ca-XXXXXX";
    const int fd = mkstemp(path);
    assert_int_equal(write(fd, "nonsense", 8), 8);
    (void)close(fd);
    prepare("192.0.2.7");
    w.flags.client_ca_file = path;
    assert_int_equal(start(), FK_E_CONFIG);
    assert_non_null(strstr(w.said, path));
    assert_null(strstr(w.said, "do not count"));
    end();
    (void)unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_review_may_outlive_the_port),
        cmocka_unit_test(what_cannot_be_saved_is_tried_once_at_the_end),
        cmocka_unit_test(it_signs_again_for_another_address),
        cmocka_unit_test(what_it_cannot_sign_it_tries_once_a_minute),
        cmocka_unit_test(without_a_certificate_nobody_wakes_it),
        cmocka_unit_test(without_a_client_ca_it_warns),
        cmocka_unit_test(a_file_that_is_no_certificate_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
