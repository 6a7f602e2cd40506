#include "linux/services.h"

#include <string.h>
#include <sys/epoll.h>

#include "base/err.h"
#include "linux/host.h"

#define DAY_S 86400
#define SIGN_AGAIN_MS                                                                              \
    60000 /* after a failure: a key takes time to make, and so does its log line */

/* ---- starting ----------------------------------------------------------------------------------
 */

static int read_file(struct fk_services *s, struct fk_blob *blob, const char *path, bool secret,
                     struct fk_writer *why) {
    bool others_read = false;
    if (path == NULL) return 0;
    const int err = fk_blob_read(blob, path, &others_read, why);
    if (err == 0 && secret && others_read) fk_access_warn_shared(path, s->config.log);
    return err;
}

static int read_files(struct fk_services *s, struct fk_writer *why) {
    const struct fk_flags *f = s->config.flags;
    int err = read_file(s, &s->cert, f->tls_cert_file, false, why);
    if (err == 0) err = read_file(s, &s->key, f->tls_private_key_file, true, why);
    if (err == 0) err = read_file(s, &s->client_ca, f->client_ca_file, false, why);
    return err;
}

static int start_tls(struct fk_services *s) {
    const struct fk_flags *f = s->config.flags;
    fk_heap_init(&s->heap, s->heap_bytes, sizeof s->heap_bytes);
    const struct fk_tls_server_config config = {
        .under = fk_listen_socket_listener(&s->tcp),
        .heap = &s->heap,
        .cert = s->cert.p,
        .cert_len = fk_blob_tls_len(&s->cert),
        .key = s->key.p,
        .key_len = fk_blob_tls_len(&s->key),
        .client_ca = s->client_ca.p,
        .client_ca_len = fk_blob_tls_len(&s->client_ca),
        .cert_name = f->tls_cert_file,
        .key_name = f->tls_private_key_file,
        .client_ca_name = f->client_ca_file,
        .entropy = fk_host_entropy,
        .wall_us = fk_host_wall_us,
        .log = s->config.log,
    };
    const int err = fk_tls_server_init(&s->tls, &config);
    fk_blob_free(&s->key); /* TLS has its own copy */
    return err;
}

/* Nothing is wrong with that, and it is easily forgotten: tokens go on to count. */
static void warn_without_client_ca(const struct fk_services *s) {
    const struct fk_flags *f = s->config.flags;
    if (f->client_ca_file != NULL) return;
    fk_log(s->config.log, FK_WARN,
           "client certificates do not count, so the API server's proxy, kubectl logs and the like "
           "are refused: give --client-ca-file",
           FK_INT("port", f->port));
    if (f->api_server_user[0] != '\0')
        fk_log(s->config.log, FK_WARN,
               "--api-server-user can never match: it wants --client-ca-file as well",
               FK_STR("user", f->api_server_user));
}

static int start_port(struct fk_services *s, struct fk_writer *why) {
    const struct fk_flags *f = s->config.flags;
    int err = read_files(s, why);
    if (err == 0) err = fk_listen_socket_open(&s->tcp, f->address, f->port, s->config.log);
    if (err == 0) err = start_tls(s);
    if (err != 0) return err;
    const struct fk_server_setup setup = {
        .heap = &s->heap,
        .handshakes = FK_SERVER_HANDSHAKES,
        .listener = fk_tls_server_listener(&s->tls),
        .log = s->config.log,
        .sha256 = fk_crypto_sha256,
        .configmaps = &s->configmaps,
        .ring = s->config.ring,
        .always_allowed = f->api_server_user,
        .open_health = f->anonymous_healthz,
        .authn_hit_ms = f->authn_ms,
        .authn_miss_ms = f->authn_ms < FK_AUTHN_MISS_MS ? f->authn_ms : FK_AUTHN_MISS_MS,
        .authz_allowed_ms = f->allowed_ms,
        .authz_denied_ms = f->denied_ms,
    };
    fk_server_init(&s->server, s->config.node, &setup);
    s->listens = true;
    fk_log(s->config.log, FK_INFO, "listening", FK_STR("address", f->address),
           FK_INT("port", f->port));
    warn_without_client_ca(s);
    return 0;
}

int fk_services_init(struct fk_services *s, const struct fk_services_config *config,
                     struct fk_writer *why) {
    struct fk_node *n = config->node;
    s->config = *config;
    const struct fk_duty_env env = {n->config, config->log, &n->rng};
    fk_events_init(&s->events, &env);
    fk_node_add_duty(n, &fk_events_ops, &s->events);
    fk_configmaps_init(&s->configmaps, &env, &n->port, n->client.config.heap, &s->events,
                       &config->defaults, config->flags->config_map);
    fk_configmaps_attach(&s->configmaps, n);
    return config->flags->port == 0 ? 0 : start_port(s, why);
}

/* ---- running -----------------------------------------------------------------------------------
 */

/* A certificate of our own names the address that the cluster reaches us at, and lasts a year. */
static void look_at_certificate(struct fk_services *s) {
    if (s->cert.p != NULL) return;
    const struct fk_node *n = s->config.node;
    const char *address = n->port.ops->address(n->port.ctx);
    const int64_t wall_us = fk_host_wall_us(NULL);
    const bool lasts = fk_tls_server_ready(&s->tls) &&
                       wall_us / 1000000 < fk_tls_server_not_after(&s->tls) - DAY_S;
    const uint64_t now_ms = n->port.ops->mono_ms(n->port.ctx);
    if (lasts && (address[0] == '\0' || strcmp(address, s->named) == 0)) return;
    if (now_ms < s->sign_ms) return;
    s->sign_ms = fk_after(now_ms, SIGN_AGAIN_MS);
    if (fk_tls_server_self_sign(&s->tls, n->config->name, n->config->hostname, address, wall_us) !=
        0)
        return;
    s->sign_ms = 0;
    (void)strncpy(s->named, address, sizeof s->named - 1);
}

bool fk_services_step(struct fk_services *s) {
    const struct fk_node *n = s->config.node;
    const struct fk_now now = fk_client_now(&n->client, fk_host_mono_ms());
    const bool kept = fk_configmaps_step(&s->configmaps, now);
    if (!s->listens) return kept;
    look_at_certificate(s);
    return fk_server_step(&s->server) || kept;
}

uint64_t fk_services_due(const struct fk_services *s) {
    const uint64_t due_ms = fk_configmaps_due(&s->configmaps);
    return s->listens ? fk_sooner(due_ms, fk_server_due(&s->server)) : due_ms;
}

/* Once: what failed would fail again, and be complained of twice. But while a change is arriving
 * nothing can be saved, so that is left for the next call. */
static void save(struct fk_services *s) {
    if (s->config.node == NULL || s->saved) return;
    s->saved = s->configmaps.parsing == NULL;
    fk_configmaps_flush(&s->configmaps, fk_client_now(&s->config.node->client, fk_host_mono_ms()));
}

void fk_services_stop(struct fk_services *s) {
    save(s);
    if (s->listens) {
        fk_server_stop(&s->server);
        fk_tls_server_free(&s->tls);
        fk_listen_socket_close(&s->tcp);
    }
    s->listens = false;
}

void fk_services_wipe(struct fk_services *s) {
    fk_blob_free(&s->key);
    explicit_bzero(s->heap_bytes, sizeof s->heap_bytes);
    explicit_bzero(&s->server, sizeof s->server);
}

void fk_services_figures(const struct fk_services *s, struct fk_port_figures *out) {
    if (!s->listens) return;
    out->handshakes = s->tls.stats.handshakes;
    out->handshake_failures = s->tls.stats.failures;
    out->server_heap_bytes = s->heap.size;
    out->server_heap_free_bytes = s->heap.size - s->heap.used_bytes;
    out->server_heap_low_bytes = s->heap.size - s->heap.peak_bytes;
}

/* ---- sleeping ----------------------------------------------------------------------------------
 */

static bool set(int epoll_fd, int operation, int fd, uint32_t events, uint32_t which) {
    struct epoll_event e = {.events = events, .data = {.u32 = FK_SERVICES_WATCH + which}};
    return epoll_ctl(epoll_fd, operation, fd, &e) == 0;
}

/* Only while whoever waits there would be taken in. */
static bool watch_port(struct fk_services *s, int epoll_fd) {
    const bool wanted = fk_tls_server_ready(&s->tls) && fk_server_has_room(&s->server);
    if (wanted == s->watches_port) return true;
    const int fd = fk_listen_socket_fd(&s->tcp);
    s->watches_port = wanted;
    return set(epoll_fd, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, EPOLLIN, 0);
}

/* A closed socket has left the set by itself. One that is not being read does not wake us either,
 * nor one that nothing is sent to: a client that sends on while its answer is on the way, or reads
 * the one before while its next request is looked into, would keep us awake. */
static bool watch_slot(struct fk_services *s, int epoll_fd, unsigned slot) {
    const int fd = fk_listen_socket_slot_fd(&s->tcp, slot);
    const uint32_t serial = fk_listen_socket_slot_serial(&s->tcp, slot);
    if (serial != s->watched_serial[slot]) s->watched_events[slot] = 0;
    s->watched_serial[slot] = serial;
    if (fd < 0) return true;
    const bool out =
        fk_server_sends(&s->server, slot) &&
        (fk_listen_socket_slot_wants_out(&s->tcp, slot) || fk_tls_server_wants_out(&s->tls, slot));
    const uint32_t events =
        (fk_server_reads(&s->server, slot) ? (uint32_t)EPOLLIN : 0U) | (out ? EPOLLOUT : 0U);
    if (events == s->watched_events[slot]) return true;
    const int operation = s->watched_events[slot] == 0 ? EPOLL_CTL_ADD
                          : events == 0                ? EPOLL_CTL_DEL
                                                       : EPOLL_CTL_MOD;
    s->watched_events[slot] = events;
    return set(epoll_fd, operation, fd, events, 1 + slot);
}

bool fk_services_watch(struct fk_services *s, int epoll_fd) {
    if (!s->listens) return true;
    bool watched = watch_port(s, epoll_fd);
    for (unsigned slot = 0; slot < FK_SERVER_CONNECTIONS; slot++)
        watched = watch_slot(s, epoll_fd, slot) && watched;
    return watched;
}
