#include <stdio.h>

#include "base/date.h"
#include "sim/api_server.h"

/* A flip without a new transition time is forgiven for so long after the flip before: times have
 * whole seconds, and what the lifecycle controller wrote after its last look a kubelet cannot know
 * (upstream's does not, either). */
#define FLIP_AGAIN_US 2000000

#define YEAR_2020_US INT64_C(1577836800000000)

static bool ends_with(const char *text, const char *end) {
    const size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The domain itself or one below it. */
static bool within(const char *domain, const char *parent) {
    if (strcmp(domain, parent) == 0) return true;
    const size_t len = strlen(domain), parent_len = strlen(parent);
    return len > parent_len && domain[len - parent_len - 1] == '.' && ends_with(domain, parent);
}

/* kubernetes/pkg/kubelet/apis/well_known_labels.go, plugin/pkg/admission/noderestriction. */
bool sim_rules_label_allowed(const char *key) {
    static const char *const known[] = {
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
    const char *slash = strchr(key, '/');
    if (slash == NULL) return true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(key, known[i]) == 0) return true;
    char domain[256] = "";
    const size_t len = (size_t)(slash - key);
    if (len >= sizeof domain) return false;
    memcpy(domain, key, len);
    if (within(domain, "kubelet.kubernetes.io")) return true;
    if (within(domain, "node.kubernetes.io")) return true;
    return !within(domain, "kubernetes.io") && !within(domain, "k8s.io");
}

const char *sim_rules_label_refused(const struct sim_json *before, const struct sim_json *after) {
    const struct sim_json *was = sim_json_get(sim_json_get(before, "metadata"), "labels");
    const struct sim_json *is = sim_json_get(sim_json_get(after, "metadata"), "labels");
    if (is == NULL) return NULL;
    for (const struct sim_json *label = is->child; label != NULL; label = label->next) {
        const struct sim_json *old = sim_json_get(was, label->key);
        if (old != NULL && strcmp(old->text, label->text) == 0) continue;
        if (!sim_rules_label_allowed(label->key)) return label->key;
    }
    return NULL;
}

void sim_rules_dates(struct sim_api *a, size_t node, const struct sim_json *doc) {
    char text[160];
    for (const struct sim_json *c = doc->child; c != NULL; c = c->next) {
        sim_rules_dates(a, node, c);
        if (c->type != SIM_JSON_STRING || !ends_with(c->key, "Time")) continue;
        int64_t us = 0;
        const bool valid = fk_date_parse_rfc3339(fk_bytes(c->text, c->text_len), &us) == 0;
        if (valid && (us >= YEAR_2020_US || a->trusting)) continue;
        (void)snprintf(text, sizeof text, "%s is %s", c->key, c->text);
        a->complain(a->ctx, node, text);
    }
}

void sim_rules_conditions(struct sim_api *a, size_t node, const struct sim_json *before,
                          const struct sim_json *after) {
    char text[160];
    const struct sim_json *was = sim_json_get(sim_json_get(before, "status"), "conditions");
    const struct sim_json *is = sim_json_get(sim_json_get(after, "status"), "conditions");
    if (was == NULL || is == NULL) return;
    for (const struct sim_json *c = is->child; c != NULL; c = c->next) {
        const char *type = sim_json_str(c, "type");
        const struct sim_json *old = was->child;
        while (old != NULL && strcmp(sim_json_str(old, "type"), type) != 0) old = old->next;
        if (old == NULL) continue;
        const char *status = sim_json_str(c, "status");
        const char *since = sim_json_str(c, "lastTransitionTime");
        const bool flipped = strcmp(status, sim_json_str(old, "status")) != 0;
        const bool moved = strcmp(since, sim_json_str(old, "lastTransitionTime")) != 0;
        int64_t since_us = 0;
        (void)fk_date_parse_rfc3339(fk_bytes_str(since), &since_us);
        if (flipped == moved || (flipped && a->wall_us - since_us < FLIP_AGAIN_US)) continue;
        (void)snprintf(text, sizeof text, "%s: status %s to %s, lastTransitionTime %s to %s", type,
                       sim_json_str(old, "status"), status, sim_json_str(old, "lastTransitionTime"),
                       since);
        a->complain(a->ctx, node, text);
    }
}

int64_t sim_rules_renew_us(const struct sim_json *lease) {
    const char *text = sim_json_str(sim_json_get(lease, "spec"), "renewTime");
    int64_t us = 0;
    return fk_date_parse_rfc3339(fk_bytes_str(text), &us) == 0 ? us : 0;
}

const char *sim_rules_lease(const struct sim_json *doc, const char *name) {
    const struct sim_json *meta = sim_json_get(doc, "metadata");
    const struct sim_json *spec = sim_json_get(doc, "spec");
    const char *renew = sim_json_str(spec, "renewTime");
    const struct sim_json *duration = sim_json_get(spec, "leaseDurationSeconds");
    if (strcmp(sim_json_str(meta, "name"), name) != 0) return "metadata.name is not the node's";
    if (strcmp(sim_json_str(spec, "holderIdentity"), name) != 0)
        return "spec.holderIdentity is not the node's name";
    if (duration == NULL || duration->type != SIM_JSON_NUMBER || duration->text[0] == '-' ||
        strcmp(duration->text, "0") == 0)
        return "spec.leaseDurationSeconds must be greater than 0";
    if (sim_rules_renew_us(doc) == 0) return "spec.renewTime is missing or malformed";
    if (strlen(renew) != strlen("2026-07-01T12:34:56.000001Z") || renew[19] != '.')
        return "spec.renewTime must have 6 digits of fraction";
    return NULL;
}
