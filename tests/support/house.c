#include "support/house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"
#include "support/guard.h"

/* ---- the port -----------------------------------------------------------------------------------
 */

static uint64_t mono_ms(void *ctx) { return ((struct house *)ctx)->now.mono_ms; }
static int entropy(void *ctx, void *buf, size_t len) {
    (void)ctx, (void)buf, (void)len;
    return FK_E_ENTROPY;
}
static void facts(void *ctx, struct fk_port_facts *out) { *out = ((struct house *)ctx)->facts; }
static const char *address(void *ctx) { return ((struct house *)ctx)->address; }
static void figures(void *ctx, struct fk_port_figures *out) {
    struct house *h = ctx;
    h->figures_asked++;
    *out = h->figures;
}
static bool gpio(void *ctx, unsigned index, struct fk_gpio *out) {
    const struct house *h = ctx;
    if (index >= h->pin_count) return false;
    *out = h->pins[index];
    return true;
}

/* Nobody to talk to: the node's own steps end there. */
static int pipe_open(void *ctx) {
    (void)ctx;
    return FK_E_UNREACHABLE;
}
static int pipe_recv(void *ctx, void *buf, size_t cap) {
    (void)ctx, (void)buf, (void)cap;
    return FK_E_CLOSED;
}
static int pipe_send(void *ctx, const void *bytes, size_t len) {
    (void)ctx, (void)bytes, (void)len;
    return FK_E_CLOSED;
}
static void pipe_close(void *ctx) { (void)ctx; }
static const struct fk_pipe_ops dead_pipe = {pipe_open, pipe_recv, pipe_send, pipe_close};

/* ---- beginnings ---------------------------------------------------------------------------------
 */

void house_begin(struct house *h) {
    memset(h, 0, sizeof *h);
    h->config = duty_case_config;
    h->config.kubelet_port = 10250;
    h->now = (struct fk_now){.mono_ms = 500, .wall_us = FK_WALL_UNKNOWN};
    h->address = "";
    h->facts = (struct fk_port_facts){.heap_free_bytes = 90000, .heap_total_bytes = 98304};
    h->figures = (struct fk_port_figures){
        .memory_total_bytes = 4194304, .memory_working_bytes = 160000, .restarts = 1};
    h->ops = (struct fk_port_ops){.mono_ms = mono_ms,
                                  .entropy = entropy,
                                  .facts = facts,
                                  .address = address,
                                  .figures = figures};
    const struct fk_node_setup setup = {.config = &h->config,
                                        .port = {&h->ops, h},
                                        .pipe = {&dead_pipe, NULL},
                                        .authority = "10.0.0.1:6443",
                                        .user_agent = "test",
                                        .log = &duty_case_log};
    assert_int_equal(fk_node_init(&h->node, &setup), 0);
    h->authn.hit_ms = 120000;
    h->authz.allowed_ms = 300000;
    h->authz.denied_ms = 30000;
    h->house = (struct fk_house){.node = &h->node, .authn = &h->authn, .authz = &h->authz};
}

static void know_conditions(struct fk_conditions *c) {
    const struct fk_facts f = {.uptime_ms = 3600000,
                               .heap_free_bytes = 60000,
                               .heap_total_bytes = 98304,
                               .memory_pressure_bytes = 8192,
                               .renewals = 360};
    (void)fk_conditions_judge(c, &f, HOUSE_WALL_S * 1000000);
}

static void talk_to_the_api_server(struct house *h) {
    struct fk_node *n = &h->node;
    n->client.state = FK_LINK_UP;
    n->client.stats = (struct fk_client_stats){.connect_tries = 3, .connects = 2, .requests = 374};
    for (unsigned i = 0; i < 360; i++)
        fk_request_counts_add(&n->client.counts, FK_METHOD_PATCH, 200, true, i % 30);
    fk_request_counts_add(&n->client.counts, FK_METHOD_POST, 201, true, 40);
    fk_request_counts_add(&n->client.counts, FK_METHOD_GET, FK_E_TIMEOUT, true, 10000);
    n->registration.rounds = 1;
    n->lease.renewals = 360;
    n->lease.failures = 1;
    n->lease.renewed_ms = h->now.mono_ms - 4200;
    n->lease.longest_gap_ms = 10400;
    n->status.ready_reported = FK_CONDITION_TRUE;
    know_conditions(&n->conditions);
}

static void serve_others(struct house *h) {
    h->house.connections = 2;
    h->house.accepted = 40;
    h->house.evicted = 1;
    h->house.served[FK_SERVED_2XX] = 100;
    h->house.served[FK_SERVED_403] = 3;
    h->authn.reviews = 31;
    h->authn.refusals = 1;
    h->authz.reviews = 13;
    h->authz.refusals = 3;
    h->authz.failures = 1;
}

static void configure(struct house *h) {
    struct fk_configmaps *c = &h->configmaps;
    h->events = (struct fk_events){.written = 2, .dropped = 1};
    c->events = &h->events;
    c->options = (struct fk_options){FK_INFO, 15, 10000};
    c->count = 2;
    c->writes = 7;
    for (unsigned i = 0; i < FK_MEMORY_BYTES; i++) c->memory[i] = (uint8_t)(i * 7);
    c->all[0] = (struct fk_configmap){.ref = "default/rack-1,default/site",
                                      .state = FK_CONFIGMAP_APPLIED,
                                      .resource_version = "1234",
                                      .applied = 7};
    c->all[1] =
        (struct fk_configmap){.ref = "default/site",
                              .state = FK_CONFIGMAP_REFUSED,
                              .refused = 1,
                              .why = "log_level is one of error, warn, info, debug, not \"x\""};
    h->house.configmaps = c;
}

void house_hour(struct house *h) {
    house_begin(h);
    h->now = (struct fk_now){.mono_ms = 3600500, .wall_us = (HOUSE_WALL_S + 3600) * 1000000};
    h->address = "192.0.2.7";
    h->config.reset_reason = "watchdog";
    h->facts.heap_free_bytes = 60000;
    h->figures = (struct fk_port_figures){
        .cpu_us = 4321098,
        .memory_total_bytes = 4194304,
        .memory_working_bytes = 210000,
        .heap_low_bytes = 31000,
        .heap_largest_bytes = 52000,
        .stack_size_bytes = 8192,
        .stack_peak_bytes = 4000,
        .restarts = 2,
        .cpu_mhz = 25,
        .has_nic = true,
        .rx_frames = 5000,
        .rx_dropped = 2,
        .tx_frames = 4000,
        .link_downs = 1,
        .handshakes = 39,
        .handshake_failures = 1,
        .server_heap_bytes = 24576,
        .server_heap_free_bytes = 20000,
        .server_heap_low_bytes = 9000,
        .led_pattern = "healthy",
        .led_rgb = {0, 0x26, 0x0a},
    };
    h->ops.gpio = gpio;
    h->pin_count = 2;
    h->pins[0] = (struct fk_gpio){"button0", false, true};
    h->pins[1] = (struct fk_gpio){"led0", true, false};
    for (unsigned i = 0; i < 900; i++)
        fk_histogram_add(&h->node.step_us, fk_node_step_bounds_us, 40 + i % 7 * 900);
    h->node.cpu[0] = (struct fk_cpu_sample){h->now.mono_ms - 15000, 4300000};
    talk_to_the_api_server(h);
    serve_others(h);
    configure(h);
    fk_log_ring_init(&h->ring, h->ring_bytes, sizeof h->ring_bytes);
    static const char line[] = "I lease renewed renewals=360\n";
    for (unsigned i = 0; i < 100; i++) fk_log_ring_add(&h->ring, line, sizeof line - 1);
    h->house.ring = &h->ring;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

/* An item that does not fit is asked for again: one byte less than it needs must latch an error,
 * and the same cursor must give the same bytes. */
static void check_again(const struct fk_exchange *x, uint32_t cursor, const char *bytes,
                        size_t len) {
    char again[FK_HTTP1_ITEM_MAX];
    struct fk_writer w;
    uint32_t moved = cursor;
    if (len > 0) {
        fk_writer_init(&w, again, len - 1);
        assert_true(x->items(x, &moved, &w));
        assert_int_not_equal(w.err, 0);
    }
    moved = cursor;
    fk_writer_init(&w, again, len);
    assert_true(x->items(x, &moved, &w));
    assert_int_equal(w.err, 0);
    assert_int_equal(w.len, len);
    if (len > 0) assert_memory_equal(again, bytes, len);
}

static void read_body(struct house *h) {
    uint32_t cursor = 0;
    for (h->items = 0;; h->items++) {
        char *const at = h->body + h->len;
        const uint32_t before = cursor;
        struct fk_writer w;
        assert_true(sizeof h->body - h->len > FK_HTTP1_ITEM_MAX);
        fk_writer_init(&w, at, FK_HTTP1_ITEM_MAX);
        if (!h->exchange.items(&h->exchange, &cursor, &w)) {
            assert_int_equal(w.len, 0);
            break;
        }
        assert_int_equal(w.err, 0);
        check_again(&h->exchange, before, at, w.len);
        h->len += w.len;
    }
    h->body[h->len] = '\0';
}

static int ask(struct house *h, char *path) {
    char *mark = strchr(path, '?');
    if (mark != NULL) *mark++ = '\0';
    const struct fk_route *route = fk_route_find(path, &h->exchange.rest);
    h->exchange.query = mark == NULL ? "" : mark;
    if (route == NULL) return 404;
    if (route->start == NULL) return 501;
    return route->start(&h->exchange);
}

int house_ask(struct house *h, const char *target) {
    char *path = strdup(target); /* gone when the body is written, and nothing reads past it */
    assert_non_null(path);
    h->exchange = (struct fk_exchange){.house = &h->house, .now = h->now};
    const int status = ask(h, path);
    free(path);
    h->exchange.rest = h->exchange.query = NULL;
    h->content_type = h->exchange.content_type;
    h->message = h->exchange.message;
    h->len = h->items = 0;
    h->body[0] = '\0';
    if (h->exchange.items != NULL) read_body(h);
    return status;
}

/* ---- JSON ---------------------------------------------------------------------------------------
 */

struct json {
    const char *at, *end;
    unsigned depth;
};

static bool json_value(struct json *j);

static bool json_is(struct json *j, char c) {
    if (j->at == j->end || *j->at != c) return false;
    j->at++;
    return true;
}

static bool json_word(struct json *j, const char *word) {
    const size_t len = strlen(word);
    if ((size_t)(j->end - j->at) < len || memcmp(j->at, word, len) != 0) return false;
    j->at += len;
    return true;
}

static bool json_string(struct json *j) {
    if (!json_is(j, '"')) return false;
    for (; j->at < j->end && *j->at != '"'; j->at++) {
        if ((unsigned char)*j->at < 0x20) return false;
        if (*j->at != '\\') continue;
        j->at++;
        if (j->at == j->end || strchr("\"\\/bfnrtu", *j->at) == NULL) return false;
    }
    return json_is(j, '"');
}

static bool json_number(struct json *j) {
    (void)json_is(j, '-');
    const char *first = j->at;
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9') j->at++;
    return j->at > first && (*first != '0' || j->at == first + 1);
}

static bool json_list(struct json *j, char close, bool named) {
    if (json_is(j, close)) return true;
    do {
        if (named && !(json_string(j) && json_is(j, ':'))) return false;
        if (!json_value(j)) return false;
    } while (json_is(j, ','));
    return json_is(j, close);
}

static bool json_value(struct json *j) {
    if (j->at == j->end || j->depth > 16) return false;
    j->depth++;
    bool ok = false;
    switch (*j->at) {
    case '{': ok = json_is(j, '{') && json_list(j, '}', true); break;
    case '[': ok = json_is(j, '[') && json_list(j, ']', false); break;
    case '"': ok = json_string(j); break;
    case 't': ok = json_word(j, "true"); break;
    case 'f': ok = json_word(j, "false"); break;
    case 'n': ok = json_word(j, "null"); break;
    default: ok = json_number(j);
    }
    j->depth--;
    return ok;
}

bool house_json_valid(struct fk_bytes text) {
    struct json j = {(const char *)text.p, (const char *)text.p + text.len, 0};
    return json_value(&j) && j.at == j.end;
}

void house_check_json(const struct house *h) {
    assert_string_equal(h->content_type, "application/json");
    if (!house_json_valid(fk_bytes(h->body, h->len))) fail_msg("no JSON: %s", h->body);
}

/* ---- golden files -------------------------------------------------------------------------------
 */

/* FK_GOLDEN_WRITE=1 writes them anew: then the difference is what is to be judged. */
void house_check_golden(const struct house *h, const char *name) {
    if (getenv("FK_GOLDEN_WRITE") != NULL) {
        char path[256];
        (void)snprintf(path, sizeof path, "golden/%s", name);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(h->body, 1, h->len, file), h->len);
        assert_int_equal(fclose(file), 0);
    }
    struct guard g = guard_golden(name);
    if (g.len != h->len || memcmp(g.p, h->body, h->len) != 0)
        fail_msg("not as in golden/%s:\n%s", name, h->body);
    guard_free(&g);
}
