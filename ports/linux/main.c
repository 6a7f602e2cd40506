/* femtokubelet: the node as a process of Linux. Wires the parts and lets them run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "linux/facts.h"
#include "linux/flags.h"
#include "linux/host.h"
#include "linux/keep.h"
#include "linux/kubeconfig.h"
#include "linux/log.h"
#include "linux/run.h"
#include "version.h"

enum { EXIT_LEFT = 0, EXIT_NO_START = 1, EXIT_USAGE = 2 };

#define RUNTIME "none://" FK_VERSION
#define OS_IMAGE "femtokubelet " FK_VERSION " (Linux host process)"
#define DEBUG_FROM_V 4

/* One node per process: all of it lives as long as the process. */
struct program {
    struct fk_flags flags;
    struct fk_log log;
    struct fk_log_sink sink;
    struct fk_machine machine;
    struct fk_node_config config;
    struct fk_access access;
    char user_agent[128];
    struct fk_host host;
    struct fk_tcp tcp;
    struct fk_tls tls;
    struct fk_node node;
    struct fk_services services;
    struct fk_run run;
    struct fk_log_ring ring;
    char ring_bytes[FK_LOG_RING];
};

/* ---- settings ----------------------------------------------------------------------------------
 */

static void describe_node(struct program *p) {
    const struct fk_flags *f = &p->flags;
    const char *name = f->hostname_override != NULL ? f->hostname_override : p->machine.hostname;
    p->config = (struct fk_node_config){
        .name = name,
        .hostname = name,
        .system = {.machine_id = p->machine.machine_id,
                   .system_uuid = p->machine.system_uuid,
                   .boot_id = p->machine.boot_id,
                   .kernel_version = p->machine.kernel_version,
                   .os_image = OS_IMAGE,
                   .container_runtime = RUNTIME,
                   .kubelet_version = FK_KUBELET_VERSION,
                   /* As in target triples; "linux" would invite what runs on Linux. */
                   .operating_system = "none",
                   .architecture = p->machine.architecture},
        .label_count = f->label_count,
        .taint_count = f->taint_count,
        .resource_count = f->resource_count,
        .kubelet_port = f->port,
        .lease_duration_s = f->lease_duration_s,
        .lease_renew_ms = f->lease_duration_s * 1000 / 4,
        .status_update_ms = f->status_update_ms,
        .status_report_ms = f->status_report_ms,
    };
    memcpy(p->config.labels, f->labels, sizeof f->labels);
    memcpy(p->config.taints, f->taints, sizeof f->taints);
    memcpy(p->config.resources, f->resources, sizeof f->resources);
    (void)snprintf(p->user_agent, sizeof p->user_agent, "femtokubelet/" FK_VERSION " (linux/%s)",
                   p->machine.architecture);
}

static int wrong_usage(struct fk_writer *why) {
    (void)fk_writer_finish(why);
    (void)fprintf(stderr, "femtokubelet: %s\n", why->buf);
    return EXIT_USAGE;
}

static int cannot_start(const struct program *p, struct fk_writer *why) {
    (void)fk_writer_finish(why);
    fk_log(&p->log, FK_ERROR, "cannot start", FK_STR("reason", why->buf));
    return EXIT_NO_START;
}

/* ---- answers without a node ---------------------------------------------------------------------
 */

static int print(const char *text) {
    return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? EXIT_LEFT : EXIT_NO_START;
}

static int print_help(void) {
    char text[8192];
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    fk_flags_help(&w);
    (void)fk_writer_finish(&w);
    return print(text);
}

static int print_version(void) {
    return print("femtokubelet " FK_VERSION " (Kubernetes API v" FK_KUBERNETES_VERSION ")\n");
}

/* ---- starting -------------------------------------------------------------------------------- */

static int read_access(struct program *p, struct fk_writer *why) {
    const struct fk_flags *f = &p->flags;
    struct fk_access *a = &p->access;
    if (f->kubeconfig != NULL) return fk_kubeconfig_load(f->kubeconfig, a, &p->log, why);
    int err = 0;
    if (f->tls_server_name != NULL) err = fk_access_set_server_name(a, f->tls_server_name, why);
    if (err == 0) err = fk_access_set_server(a, f->server, why);
    if (err == 0) err = fk_access_set_path(a->ca_file, f->ca, NULL, why);
    if (err == 0 && f->cert != NULL) err = fk_access_set_path(a->cert_file, f->cert, NULL, why);
    if (err == 0 && f->key != NULL) err = fk_access_set_path(a->key_file, f->key, NULL, why);
    if (err == 0 && f->token_file != NULL)
        err = fk_access_set_path(a->token_file, f->token_file, NULL, why);
    return err != 0 ? err : fk_access_read_files(a, &p->log, why);
}

static int start_tls(struct program *p) {
    struct fk_access *a = &p->access;
    fk_tcp_init(&p->tcp, a->host, a->port);
    fk_host_init(&p->host, p->flags.node_ip, &p->tcp);
    p->host.log = &p->log;
    p->host.root_dir = p->flags.root_dir;
    p->host.static_bytes = sizeof *p;
    fk_tls_use_heap(&p->host.heap);
    const struct fk_tls_config config = {
        .under = fk_tcp_pipe(&p->tcp),
        .server_name = a->server_name,
        .ca = a->ca.p,
        .ca_len = fk_blob_tls_len(&a->ca),
        .cert = a->cert.p,
        .cert_len = fk_blob_tls_len(&a->cert),
        .key = a->key.p,
        .key_len = fk_blob_tls_len(&a->key),
        .entropy = fk_host_entropy,
        .wall_us = fk_host_wall_us,
        .log = &p->log,
    };
    const int err = fk_tls_init(&p->tls, &config);
    fk_blob_free(&a->key); /* fk_tls has its own copy; the certificates may be used in place */
    return err;
}

static int start_node(struct program *p, uint64_t seed) {
    const struct fk_node_setup setup = {
        .config = &p->config,
        .port = fk_host_port(&p->host),
        .pipe = fk_tls_pipe(&p->tls),
        .heap = &p->host.heap,
        .authority = p->access.authority,
        .authorization = p->access.authorization[0] != '\0' ? p->access.authorization : NULL,
        .user_agent = p->user_agent,
        .log = &p->log,
        .seed = seed,
    };
    return fk_node_init(&p->node, &setup);
}

static int start_serving(struct program *p, struct fk_writer *why) {
    const struct fk_services_config config = {
        .flags = &p->flags,
        .node = &p->node,
        .log = &p->log,
        .ring = &p->ring,
        .defaults = {.log_level = (uint8_t)p->log.level,
                     .led_brightness = 100,
                     .status_period_ms = p->flags.status_update_ms},
    };
    const int err = fk_services_init(&p->services, &config, why);
    p->host.services = &p->services;
    return err;
}

/* The private key stays in memory as long as we run: it must not end in a core dump. */
static void keep_secrets_in_memory(void) {
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
}

static int start(struct program *p) {
    char text[1024];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    keep_secrets_in_memory();
    uint64_t seed = 0;
    if (fk_host_entropy(NULL, &seed, sizeof seed) != 0) {
        fk_put_str(&why, "the kernel gives no random numbers (getrandom): TLS is not possible");
        return cannot_start(p, &why);
    }
    const char *root_dir = p->flags.root_dir;
    if (root_dir != NULL && fk_keep_check(root_dir, &why) != 0) return cannot_start(p, &why);
    if (read_access(p, &why) != 0) return cannot_start(p, &why);
    if (start_tls(p) != 0) return EXIT_NO_START; /* and has logged why */
    if (!fk_run_check_certificate(&p->tls, &p->log)) return EXIT_NO_START;
    if (start_node(p, seed) != 0) return EXIT_NO_START;
    if (start_serving(p, &why) != 0) return why.len > 0 ? cannot_start(p, &why) : EXIT_NO_START;
    p->run = (struct fk_run){.node = &p->node,
                             .services = &p->services,
                             .tls = &p->tls,
                             .tcp = &p->tcp,
                             .access = &p->access,
                             .log = &p->log};
    if (fk_run_init(&p->run) == 0) return EXIT_LEFT;
    fk_put_str(&why, "no file descriptors left: raise the limit of open files (ulimit -n)");
    return cannot_start(p, &why);
}

/* The resolver's thread may still be at work for tcp, so that is left as it is. */
static void wipe(struct program *p, bool in_order) {
    fk_services_stop(&p->services);
    if (in_order) fk_tls_free(&p->tls);
    fk_services_wipe(&p->services);
    fk_access_wipe(&p->access);
    explicit_bzero(p->host.heap_bytes, sizeof p->host.heap_bytes);
}

static int run(struct program *p) {
    int status = start(p);
    if (status == EXIT_LEFT) {
        fk_log(&p->log, FK_INFO, "femtokubelet " FK_VERSION, FK_STR("node", p->config.name),
               FK_STR("server", p->access.authority), FK_INT("pid", getpid()));
        status = fk_run(&p->run);
        wipe(p, status == EXIT_LEFT);
        return status;
    }
    wipe(p, false);
    return status;
}

/* Here and not in linux/host.c: tests have one of their own. */
_Noreturn void fk_assert_failed(const char *file, int line) {
    (void)dprintf(STDERR_FILENO, "femtokubelet: internal error at %s:%d, please report it\n", file,
                  line);
    abort();
}

int main(int argc, char *argv[]) {
    static struct program p;
    char text[512];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    if (fk_flags_parse(&p.flags, argc, argv, &why) != 0) return wrong_usage(&why);
    if (p.flags.action == FK_FLAGS_HELP) return print_help();
    if (p.flags.action == FK_FLAGS_VERSION) return print_version();
    fk_log_ring_init(&p.ring, p.ring_bytes, sizeof p.ring_bytes);
    p.sink = (struct fk_log_sink){.fd = STDERR_FILENO, .json = p.flags.json, .ring = &p.ring};
    fk_log_sink_init(&p.log, &p.sink, p.flags.verbosity >= DEBUG_FROM_V ? FK_DEBUG : FK_INFO);
    fk_machine_read(&p.machine);
    describe_node(&p);
    if (fk_config_check(&p.config, &why) != 0) return wrong_usage(&why);
    return run(&p);
}
