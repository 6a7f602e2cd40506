/* Replies in protobuf: the fields of Node and Lease that a kubelet may read, and bulk that it must
 * skip. Field numbers are upstream's: k8s.io/api/core/v1/generated.proto,
 * k8s.io/api/coordination/v1/generated.proto, k8s.io/apimachinery/pkg/{runtime,apis/meta/v1}. */
#include <stdio.h>
#include <stdlib.h>

#include "base/date.h"
#include "sim/api_server.h"

/* A real Node carries kilobytes of managedFields; so does ours. */
#define NODE_BULK 1800
#define LEASE_BULK 120

static void need(struct sim_reply *r, size_t more) {
    if (r->body_len + more <= r->body_cap) return;
    r->body_cap = (r->body_len + more) * 2 + 256;
    r->body = realloc(r->body, r->body_cap);
    if (r->body == NULL) abort();
}

static void put_varint(struct sim_reply *r, uint64_t v) {
    need(r, 10);
    for (; v >= 0x80; v >>= 7) r->body[r->body_len++] = (uint8_t)(v | 0x80);
    r->body[r->body_len++] = (uint8_t)v;
}

static void put_number(struct sim_reply *r, unsigned field, uint64_t v) {
    put_varint(r, field << 3);
    put_varint(r, v);
}

static void put_text(struct sim_reply *r, unsigned field, const char *text) {
    const size_t len = strlen(text);
    put_varint(r, field << 3 | 2);
    put_varint(r, len);
    need(r, len);
    memcpy(r->body + r->body_len, text, len);
    r->body_len += len;
}

/* A message of unknown length: begin it, write its fields, end it. */
static size_t begin(struct sim_reply *r, unsigned field) {
    put_varint(r, field << 3 | 2);
    return r->body_len;
}

static void end(struct sim_reply *r, size_t mark) {
    uint8_t head[10];
    size_t head_len = 0;
    const size_t len = r->body_len - mark;
    size_t v = len;
    for (; v >= 0x80; v >>= 7) head[head_len++] = (uint8_t)(v | 0x80);
    head[head_len++] = (uint8_t)v;
    need(r, head_len);
    memmove(r->body + mark + head_len, r->body + mark, len);
    memcpy(r->body + mark, head, head_len);
    r->body_len += head_len;
}

static void put_time(struct sim_reply *r, unsigned field, const char *text) {
    int64_t us = 0;
    if (fk_date_parse_rfc3339(fk_bytes_str(text), &us) != 0) return;
    const size_t mark = begin(r, field);
    put_number(r, 1, (uint64_t)(us / 1000000));
    put_number(r, 2, (uint64_t)(us % 1000000 * 1000));
    end(r, mark);
}

static void put_map(struct sim_reply *r, unsigned field, const struct sim_json *map,
                    bool quantity) {
    if (map == NULL) return;
    for (const struct sim_json *c = map->child; c != NULL; c = c->next) {
        const size_t mark = begin(r, field);
        put_text(r, 1, c->key);
        const size_t inner = quantity ? begin(r, 2) : 0;
        put_text(r, quantity ? 1 : 2, c->text);
        if (quantity) end(r, inner);
        end(r, mark);
    }
}

static void put_managed_fields(struct sim_reply *r, size_t bulk) {
    char filler[NODE_BULK + 1];
    memset(filler, 'f', bulk);
    filler[bulk] = '\0';
    const size_t mark = begin(r, 17);
    put_text(r, 1, "femtosim");
    const size_t fields = begin(r, 7);
    put_text(r, 1, filler);
    end(r, fields);
    end(r, mark);
}

static void put_meta(struct sim_reply *r, const struct sim_record *record, bool lease) {
    const struct sim_object *object = lease ? &record->lease : &record->node;
    const struct sim_json *meta = sim_json_get(object->doc, "metadata");
    const struct sim_json *owners = sim_json_get(meta, "ownerReferences");
    char version[24];
    (void)snprintf(version, sizeof version, "%llu", (unsigned long long)object->version);
    const size_t mark = begin(r, 1);
    put_text(r, 1, record->name);
    if (lease) put_text(r, 3, "kube-node-lease");
    put_text(r, 5, object->uid);
    put_text(r, 6, version);
    const size_t created = begin(r, 8);
    put_number(r, 1, (uint64_t)(object->created_us / 1000000));
    end(r, created);
    put_map(r, 11, sim_json_get(meta, "labels"), false);
    put_map(r, 12, sim_json_get(meta, "annotations"), false);
    for (const struct sim_json *o = owners != NULL ? owners->child : NULL; o != NULL; o = o->next) {
        const size_t owner = begin(r, 13);
        put_text(r, 1, sim_json_str(o, "kind"));
        put_text(r, 3, sim_json_str(o, "name"));
        put_text(r, 4, sim_json_str(o, "uid"));
        put_text(r, 5, sim_json_str(o, "apiVersion"));
        end(r, owner);
    }
    put_managed_fields(r, lease ? LEASE_BULK : NODE_BULK);
    end(r, mark);
}

static void put_condition(struct sim_reply *r, const struct sim_json *c) {
    const size_t mark = begin(r, 4);
    put_text(r, 1, sim_json_str(c, "type"));
    put_text(r, 2, sim_json_str(c, "status"));
    put_time(r, 3, sim_json_str(c, "lastHeartbeatTime"));
    put_time(r, 4, sim_json_str(c, "lastTransitionTime"));
    put_text(r, 5, sim_json_str(c, "reason"));
    put_text(r, 6, sim_json_str(c, "message"));
    end(r, mark);
}

static void put_node(struct sim_reply *r, const struct sim_json *doc) {
    const struct sim_json *taints = sim_json_get(sim_json_get(doc, "spec"), "taints");
    const struct sim_json *status = sim_json_get(doc, "status");
    const struct sim_json *list = sim_json_get(status, "conditions");
    size_t mark = begin(r, 2);
    for (const struct sim_json *t = taints != NULL ? taints->child : NULL; t != NULL; t = t->next) {
        const size_t taint = begin(r, 5);
        put_text(r, 1, sim_json_str(t, "key"));
        put_text(r, 2, sim_json_str(t, "value"));
        put_text(r, 3, sim_json_str(t, "effect"));
        end(r, taint);
    }
    end(r, mark);
    mark = begin(r, 3);
    put_map(r, 1, sim_json_get(status, "capacity"), true);
    put_map(r, 2, sim_json_get(status, "allocatable"), true);
    for (const struct sim_json *c = list != NULL ? list->child : NULL; c != NULL; c = c->next)
        put_condition(r, c);
    end(r, mark);
}

static void put_lease(struct sim_reply *r, const struct sim_json *doc) {
    const struct sim_json *spec = sim_json_get(doc, "spec");
    const struct sim_json *duration = sim_json_get(spec, "leaseDurationSeconds");
    const size_t mark = begin(r, 2);
    put_text(r, 1, sim_json_str(spec, "holderIdentity"));
    put_number(r, 2, duration != NULL ? strtoull(duration->text, NULL, 10) : 0);
    put_time(r, 4, sim_json_str(spec, "renewTime"));
    end(r, mark);
}

/* "k8s\0" and runtime.Unknown around the object that the caller writes between begin and end. */
static size_t begin_envelope(struct sim_reply *r, const char *version, const char *kind) {
    r->body_len = 0;
    r->content_type = "application/vnd.kubernetes.protobuf";
    need(r, 4);
    memcpy(r->body, "k8s", 4);
    r->body_len = 4;
    const size_t type = begin(r, 1);
    put_text(r, 1, version);
    put_text(r, 2, kind);
    end(r, type);
    return begin(r, 2);
}

static void end_envelope(struct sim_reply *r, size_t raw) {
    end(r, raw);
    put_text(r, 3, "");
    put_text(r, 4, "");
}

void sim_reply_object(struct sim_reply *r, const struct sim_record *record, bool lease,
                      bool metadata_only) {
    const char *version = lease ? "coordination.k8s.io/v1" : "v1";
    const size_t raw = metadata_only ? begin_envelope(r, "meta.k8s.io/v1", "PartialObjectMetadata")
                                     : begin_envelope(r, version, lease ? "Lease" : "Node");
    put_meta(r, record, lease);
    if (!metadata_only && lease) put_lease(r, record->lease.doc);
    if (!metadata_only && !lease) put_node(r, record->node.doc);
    end_envelope(r, raw);
}

void sim_reply_error(struct sim_reply *r, int status, const char *reason, int32_t retry_after_s,
                     const char *message) {
    r->status = status;
    r->reason = reason;
    r->retry_after_s = retry_after_s;
    (void)snprintf(r->message, sizeof r->message, "%s", message);
    const size_t raw = begin_envelope(r, "v1", "Status");
    end(r, begin(r, 1));
    put_text(r, 2, "Failure");
    put_text(r, 3, message);
    put_text(r, 4, reason);
    if (retry_after_s > 0) {
        const size_t details = begin(r, 5);
        put_number(r, 5, (uint64_t)retry_after_s);
        end(r, details);
    }
    put_number(r, 6, (uint64_t)status);
    end_envelope(r, raw);
}
