#include "kubelet/config.h"

#include "base/err.h"

#define QUOTED_MAX 64 /* bytes of a value in a message: the rule behind it must stay readable */

static bool alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
static bool lower_alnum(char c) { return alnum(c) && !(c >= 'A' && c <= 'Z'); }

/* An RFC 1123 subdomain of len bytes: labels of lower-case letters, digits and inner dashes. */
static bool subdomain(const char *text, size_t len) {
    if (len == 0 || len > FK_NODE_NAME_MAX) return false;
    for (size_t i = 0; i < len; i++) {
        const bool edge = i == 0 || i == len - 1 || text[i - 1] == '.' || text[i + 1] == '.';
        if (lower_alnum(text[i])) continue;
        if (text[i] == '.' && i != 0 && i != len - 1 && text[i - 1] != '.') continue;
        if (text[i] == '-' && !edge) continue;
        return false;
    }
    return true;
}

/* Letters, digits and inner "-_." up to 63: the name of a label key, and a label value. */
static bool qualified(const char *text, size_t len) {
    if (len == 0 || len > 63 || !alnum(text[0]) || !alnum(text[len - 1])) return false;
    for (size_t i = 0; i < len; i++)
        if (!alnum(text[i]) && text[i] != '-' && text[i] != '_' && text[i] != '.') return false;
    return true;
}

bool fk_config_name_valid(const char *name) { return subdomain(name, strlen(name)); }

bool fk_config_label_key_valid(const char *key) {
    const char *slash = strchr(key, '/');
    if (slash == NULL) return qualified(key, strlen(key));
    return subdomain(key, (size_t)(slash - key)) && qualified(slash + 1, strlen(slash + 1));
}

bool fk_config_label_value_valid(const char *value) {
    return *value == '\0' || qualified(value, strlen(value));
}

/* Whether the prefix of key is domain or below it. */
static bool within(const char *key, const char *domain) {
    const char *slash = strchr(key, '/');
    if (slash == NULL) return false;
    const size_t prefix = (size_t)(slash - key);
    const size_t len = strlen(domain);
    if (prefix < len || memcmp(slash - len, domain, len) != 0) return false;
    return prefix == len || *(slash - len - 1) == '.';
}

bool fk_config_label_allowed(const char *key) {
    /* k8s.io/kubelet/pkg/apis/well_known_labels.go */
    static const char kubelet_labels[][44] = {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
    };
    if (within(key, "node-restriction.kubernetes.io")) return false;
    if (!within(key, "kubernetes.io") && !within(key, "k8s.io")) return true;
    if (within(key, "kubelet.kubernetes.io") || within(key, "node.kubernetes.io")) return true;
    for (size_t i = 0; i < sizeof kubelet_labels / sizeof kubelet_labels[0]; i++)
        if (strcmp(key, kubelet_labels[i]) == 0) return true;
    return false;
}

bool fk_config_quantity_valid(const char *text) {
    static const char suffixes[][3] = {"",  "n", "u",  "m",  "k",  "M",  "G",  "T",
                                       "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    size_t digits = 0;
    for (; *text >= '0' && *text <= '9'; text++) digits++;
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++) digits++;
    if (digits == 0 || digits > 18) return false;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (strcmp(text, suffixes[i]) == 0) return true;
    return false;
}

/* "<what> <quoted> <rule>" */
static int wrong(struct fk_writer *why, const char *what, const char *quoted, const char *rule) {
    fk_put_str(why, what);
    fk_put_str(why, " \"");
    fk_put_cut(why, quoted, QUOTED_MAX);
    fk_put_str(why, "\" ");
    fk_put_str(why, rule);
    return FK_E_CONFIG;
}

int fk_config_check_name(const char *name, struct fk_writer *why) {
    if (fk_config_name_valid(name)) return 0;
    return wrong(why, "node name", name,
                 "is not valid: lower-case letters, digits, '-' and '.', starting and ending "
                 "with a letter or digit, at most 253");
}

int fk_config_check_hostname(const char *hostname, struct fk_writer *why) {
    if (fk_config_label_value_valid(hostname)) return 0;
    return wrong(why, "host name", hostname,
                 "cannot be the label kubernetes.io/hostname: up to 63 letters, digits, '-', "
                 "'_' and '.'");
}

int fk_config_check_label(const struct fk_pair *label, struct fk_writer *why) {
    if (!fk_config_label_key_valid(label->key))
        return wrong(why, "label key", label->key,
                     "is malformed: use [prefix/]name, letters, "
                     "digits, '-', '_' and '.', name up to 63");
    if (!fk_config_label_value_valid(label->value))
        return wrong(why, "label value", label->value,
                     "is malformed: up to 63 letters, digits, '-', '_' and '.'");
    if (!fk_config_label_allowed(label->key))
        return wrong(why, "label", label->key,
                     "may not be set by a node (NodeRestriction): let an administrator set it "
                     "with kubectl label, or use a prefix of your own");
    if (strcmp(label->key, "kubernetes.io/os") == 0 && strcmp(label->value, "linux") == 0)
        return wrong(why, "label", label->key,
                     "must not claim linux: DaemonSets made for Linux would land here");
    return 0;
}

int fk_config_check_taint(const struct fk_taint *taint, struct fk_writer *why) {
    if (!fk_config_label_key_valid(taint->key))
        return wrong(why, "taint key", taint->key, "is malformed: use [prefix/]name");
    if (!fk_config_label_value_valid(taint->value))
        return wrong(why, "taint value", taint->value, "is malformed");
    if (strcmp(taint->effect, "NoSchedule") != 0 &&
        strcmp(taint->effect, "PreferNoSchedule") != 0 && strcmp(taint->effect, "NoExecute") != 0)
        return wrong(why, "taint effect", taint->effect,
                     "is unknown: use NoSchedule, PreferNoSchedule or NoExecute");
    return 0;
}

static int check_resource(const struct fk_pair *resource, struct fk_writer *why) {
    if (!fk_config_label_key_valid(resource->key))
        return wrong(why, "resource", resource->key,
                     "is malformed: cpu, memory, pods or domain/name");
    if (!fk_config_quantity_valid(resource->value))
        return wrong(why, "quantity", resource->value,
                     "is malformed: use for instance 240m or 320Ki");
    return 0;
}

int fk_config_check(const struct fk_node_config *c, struct fk_writer *why) {
    int err = fk_config_check_name(c->name, why);
    if (err != 0) return err;
    if (strcmp(c->system.operating_system, "linux") == 0)
        return wrong(why, "operating system", "linux", "must not be claimed");
    err = fk_config_check_hostname(c->hostname, why);
    if (err != 0) return err;
    if (!fk_config_label_value_valid(c->system.architecture))
        return wrong(why, "architecture", c->system.architecture, "cannot be a label");
    for (size_t i = 0; i < c->label_count && err == 0; i++)
        err = fk_config_check_label(&c->labels[i], why);
    for (size_t i = 0; i < c->taint_count && err == 0; i++)
        err = fk_config_check_taint(&c->taints[i], why);
    for (size_t i = 0; i < c->resource_count && err == 0; i++)
        err = check_resource(&c->resources[i], why);
    if (err == 0 && (c->lease_renew_ms == 0 || c->status_update_ms == 0 ||
                     c->status_report_ms == 0 || c->lease_renew_ms >= c->lease_duration_s * 1000)) {
        fk_put_str(why, "periods must be above zero, and the Lease renewed before it expires");
        err = FK_E_CONFIG;
    }
    return err;
}
