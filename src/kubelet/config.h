/* What an operator says about a node. The port fills it from flags, files or flash and keeps it as
 * long as the node lives; the node refers to it and copies nothing. */
#ifndef FK_KUBELET_CONFIG_H
#define FK_KUBELET_CONFIG_H

#include "base/writer.h"
#include "opts.h"

/* A label, an annotation or a resource: "cpu" = "240m". */
struct fk_pair {
    const char *key;
    const char *value;
};

struct fk_taint {
    const char *key;
    const char *value;  /* "" for none */
    const char *effect; /* NoSchedule, PreferNoSchedule or NoExecute */
};

/* v1.NodeSystemInfo (k8s.io/api/core/v1). Zero-terminated, "" where there is nothing honest to say.
 */
struct fk_system_info {
    const char *machine_id;
    const char *system_uuid;
    const char *boot_id;
    const char *kernel_version;
    const char *os_image;
    const char *container_runtime; /* "type://version" */
    const char *kubelet_version;   /* semver, since tools compare it with the API server's */
    const char *operating_system;  /* never "linux": DaemonSets made for Linux must stay away */
    const char *architecture;
};

struct fk_node_config {
    const char *name;     /* the Node's and the Lease's; must equal the credential's */
    const char *hostname; /* kubernetes.io/hostname and the Hostname address */
    struct fk_system_info system;
    const char
        *reset_reason; /* why the board began anew, as an annotation; NULL: it says nothing */

    struct fk_pair labels[FK_LABELS_MAX]; /* on top of hostname, os and arch, which are ours */
    size_t label_count;
    struct fk_taint taints[FK_TAINTS_MAX]; /* only at registration */
    size_t taint_count;
    struct fk_pair resources[FK_RESOURCES_MAX]; /* capacity and allocatable */
    size_t resource_count;

    uint16_t kubelet_port;     /* status.daemonEndpoints; 0: nothing listens */
    uint32_t lease_duration_s; /* 40 */
    uint32_t lease_renew_ms;   /* 10 000: a quarter of the duration */
    uint32_t status_update_ms; /* 10 000: how often conditions are judged */
    uint32_t status_report_ms; /* 300 000: how often an unchanged status is sent */
};

/* RFC 1123 subdomain of at most FK_NODE_NAME_MAX bytes: what the API server accepts as a name. */
bool fk_config_name_valid(const char *name);

/* Labels: [prefix/]name and value as the API server accepts them. */
bool fk_config_label_key_valid(const char *key);
bool fk_config_label_value_valid(const char *value);

/* Whether NodeRestriction lets a node give itself this label (KEP-279): any key outside
 * kubernetes.io and k8s.io, and those set aside for kubelets inside. */
bool fk_config_label_allowed(const char *key);

/* A resource quantity: digits, an optional fraction, an optional suffix (m, k, Ki, M, Mi …). */
bool fk_config_quantity_valid(const char *text);

/* 0, or FK_E_CONFIG and in `why` a sentence that says what is wrong and what would be right. */
int fk_config_check(const struct fk_node_config *config, struct fk_writer *why);

/* The same for one part of it, as soon as it is typed. */
int fk_config_check_name(const char *name, struct fk_writer *why);
int fk_config_check_hostname(const char *hostname, struct fk_writer *why);
int fk_config_check_label(const struct fk_pair *label, struct fk_writer *why);
int fk_config_check_taint(const struct fk_taint *taint, struct fk_writer *why);

#endif
