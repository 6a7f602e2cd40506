/* The command line. Flags that the upstream kubelet has, too, have its names and its meaning. */
#ifndef FK_PORTS_LINUX_FLAGS_H
#define FK_PORTS_LINUX_FLAGS_H

#include "kubelet/config.h"

/* Room for the text of all list flags together, bytes. */
#define FK_FLAGS_TEXT_MAX 8192

enum fk_flags_action { FK_FLAGS_RUN, FK_FLAGS_HELP, FK_FLAGS_VERSION };

struct fk_flags {
    enum fk_flags_action action;

    /* NULL: not given. They refer to argv. */
    const char *kubeconfig;
    const char *hostname_override;
    const char *node_ip;
    const char *server;
    const char *ca;
    const char *cert;
    const char *key;
    const char *token_file;
    const char *tls_server_name;

    struct fk_pair labels[FK_LABELS_MAX];
    size_t label_count;
    struct fk_taint taints[FK_TAINTS_MAX];
    size_t taint_count;
    struct fk_pair resources[FK_RESOURCES_MAX];
    size_t resource_count;
    bool taints_given, resources_given; /* otherwise the defaults stand there */

    /* the kubelet's own port */
    const char *address;
    uint16_t port;                                    /* 0: none */
    const char *tls_cert_file, *tls_private_key_file; /* both or none */
    const char *client_ca_file;
    const char *api_server_user;
    bool anonymous_healthz;
    uint32_t authn_ms, allowed_ms, denied_ms; /* how long answers are remembered */

    const char *config_map; /* "" for none */
    const char *root_dir;   /* NULL: nothing outlives the process */

    uint32_t status_update_ms;
    uint32_t status_report_ms;
    uint32_t lease_duration_s;
    uint32_t verbosity;
    bool json;

    size_t text_len;
    char text[FK_FLAGS_TEXT_MAX]; /* what the lists refer to, so that argv stays as it is */
};

/* 0, or FK_E_CONFIG and in `why` one line for the user: what is wrong, and what would be right.
 * flags must not move afterwards. */
int fk_flags_parse(struct fk_flags *flags, int argc, char *const argv[], struct fk_writer *why);

/* What --help prints: complete, from the same table. */
void fk_flags_help(struct fk_writer *w);

#endif
