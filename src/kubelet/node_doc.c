#include "kubelet/node_doc.h"

static void put_labels(const struct fk_node_config *c, struct fk_json *j) {
    fk_json_object(j, "labels");
    fk_json_str(j, "kubernetes.io/hostname", c->hostname);
    fk_json_str(j, "kubernetes.io/os", c->system.operating_system);
    fk_json_str(j, "kubernetes.io/arch", c->system.architecture);
    for (size_t i = 0; i < c->label_count; i++)
        fk_json_member(j, fk_bytes_str(c->labels[i].key), fk_bytes_str(c->labels[i].value));
    fk_json_object_end(j);
}

static void put_taints(const struct fk_node_config *c, struct fk_json *j) {
    fk_json_array(j, "taints");
    for (size_t i = 0; i < c->taint_count; i++) {
        fk_json_object(j, NULL);
        fk_json_str(j, "key", c->taints[i].key);
        if (c->taints[i].value[0] != '\0') fk_json_str(j, "value", c->taints[i].value);
        fk_json_str(j, "effect", c->taints[i].effect);
        fk_json_object_end(j);
    }
    fk_json_array_end(j);
}

static void put_resources(const struct fk_node_config *c, struct fk_json *j, const char *key) {
    fk_json_object(j, key);
    for (size_t i = 0; i < c->resource_count; i++)
        fk_json_member(j, fk_bytes_str(c->resources[i].key), fk_bytes_str(c->resources[i].value));
    fk_json_object_end(j);
}

static void put_system(const struct fk_system_info *s, struct fk_json *j) {
    fk_json_object(j, "nodeInfo");
    fk_json_str(j, "machineID", s->machine_id);
    fk_json_str(j, "systemUUID", s->system_uuid);
    fk_json_str(j, "bootID", s->boot_id);
    fk_json_str(j, "kernelVersion", s->kernel_version);
    fk_json_str(j, "osImage", s->os_image);
    fk_json_str(j, "containerRuntimeVersion", s->container_runtime);
    fk_json_str(j, "kubeletVersion", s->kubelet_version);
    fk_json_str(j, "operatingSystem", s->operating_system);
    fk_json_str(j, "architecture", s->architecture);
    fk_json_object_end(j);
}

static void put_daemon_endpoints(const struct fk_node_config *c, struct fk_json *j) {
    fk_json_object(j, "daemonEndpoints");
    fk_json_object(j, "kubeletEndpoint");
    fk_json_i64(j, "Port", c->kubelet_port);
    fk_json_object_end(j);
    fk_json_object_end(j);
}

/* What is the same from boot to shutdown. */
static void put_standing(const struct fk_node_config *c, struct fk_json *j) {
    put_daemon_endpoints(c, j); /* also port 0: there may have been one before */
    put_resources(c, j, "capacity");
    put_resources(c, j, "allocatable");
    put_system(&c->system, j);
}

void fk_node_doc_put_node(const struct fk_node_config *c, struct fk_writer *w) {
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_str(&j, "apiVersion", "v1");
    fk_json_str(&j, "kind", "Node");
    fk_json_object(&j, "metadata");
    fk_json_str(&j, "name", c->name);
    put_labels(c, &j);
    fk_json_object_end(&j);
    fk_json_object(&j, "spec");
    if (c->taint_count > 0) put_taints(c, &j);
    fk_json_object_end(&j);
    fk_json_object(&j, "status");
    put_standing(c, &j);
    fk_json_object_end(&j);
    fk_json_object_end(&j);
}

void fk_node_doc_put_labels_patch(const struct fk_node_config *c, struct fk_writer *w) {
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_object(&j, "metadata");
    put_labels(c, &j);
    fk_json_object_end(&j);
    fk_json_object_end(&j);
}

static void put_address(struct fk_json *j, const char *type, const char *address) {
    fk_json_object(j, NULL);
    fk_json_str(j, "type", type);
    fk_json_str(j, "address", address);
    fk_json_object_end(j);
}

/* The list is replaced whole: merged by type, an address that is gone would stay for ever. */
static void put_addresses(const struct fk_node_config *c, const char *address, struct fk_json *j) {
    fk_json_array(j, "addresses");
    fk_json_object(j, NULL);
    fk_json_str(j, "$patch", "replace");
    fk_json_object_end(j);
    if (address[0] != '\0') put_address(j, "InternalIP", address);
    put_address(j, "Hostname", c->hostname);
    fk_json_array_end(j);
}

void fk_node_doc_put_status_patch(const struct fk_node_config *c,
                                  const struct fk_conditions *conditions,
                                  const struct fk_status_snapshot *snapshot, struct fk_writer *w) {
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_object(&j, "status");
    fk_json_array(&j, "conditions");
    fk_conditions_put(conditions, &j, snapshot->heartbeat_us, snapshot->whole);
    fk_json_array_end(&j);
    if (snapshot->whole) {
        put_addresses(c, snapshot->address, &j);
        put_standing(c, &j);
    }
    fk_json_object_end(&j);
    fk_json_object_end(&j);
}

void fk_node_doc_put_annotations_patch(const struct fk_node_config *c, uint32_t free_bytes,
                                       struct fk_writer *w) {
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_object(&j, "metadata");
    fk_json_object(&j, "annotations");
    fk_json_text(&j, "femtokubelet.dev/free-heap-bytes");
    fk_put_u64(w, free_bytes);
    fk_json_text_end(&j);
    if (c->reset_reason != NULL) fk_json_str(&j, "femtokubelet.dev/reset-reason", c->reset_reason);
    fk_json_object_end(&j);
    fk_json_object_end(&j);
    fk_json_object_end(&j);
}
