#include "sim/api_server.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/date.h"

#define NODES "/api/v1/nodes"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

/* One request on its way through the checks. */
struct call {
    struct sim_api *a;
    const struct sim_request *q;
    struct sim_reply *r;
    struct sim_record *record; /* the caller's own */
    struct sim_json *body;     /* NULL: none */
    bool lease;                /* else a Node */
    bool status;               /* the subresource */
};

void sim_api_init(struct sim_api *a, size_t nodes) {
    *a = (struct sim_api){.count = nodes, .version = 1000, .collect_after_ms = 3000};
    a->records = calloc(nodes, sizeof *a->records);
    if (a->records == NULL) abort();
    for (size_t i = 0; i < nodes; i++)
        a->records[i].renewed_ms = a->records[i].collect_ms = FK_NEVER;
}

void sim_api_free(struct sim_api *a) {
    for (size_t i = 0; i < a->count; i++) {
        sim_json_free(a->records[i].node.doc);
        sim_json_free(a->records[i].lease.doc);
    }
    free(a->records);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void complain(struct call *c, const char *what) {
    char text[600];
    (void)snprintf(text, sizeof text, "%s %s: %s", c->q->method, c->q->path, what);
    c->a->complain(c->a->ctx, c->q->node, text);
}

/* A refusal that a correct kubelet never sees. */
static void refuse(struct call *c, int status, const char *reason, const char *why) {
    complain(c, why);
    sim_reply_error(c->r, status, reason, 0, why);
}

static void not_found(struct call *c) {
    sim_reply_error(c->r, 404, "NotFound", 0, c->lease ? "leases not found" : "nodes not found");
}

static void succeed(struct call *c, int status) {
    c->r->status = status;
    const bool partial = strstr(c->q->accept, "as=PartialObjectMetadata") != NULL;
    sim_reply_object(c->r, c->record, c->lease, partial);
}

static struct sim_object *object_of(const struct call *c) {
    return c->lease ? &c->record->lease : &c->record->node;
}

void sim_api_touch(struct sim_api *a, struct sim_object *object) { object->version = ++a->version; }

static void store(struct call *c, struct sim_json *doc) {
    struct sim_object *object = object_of(c);
    if (object->doc != doc) sim_json_free(object->doc);
    object->doc = doc;
    sim_api_touch(c->a, object);
}

/* ---- Leases --------------------------------------------------------------------------------- */

static void note_renewal(struct call *c) {
    struct sim_record *record = c->record;
    const int64_t us = sim_rules_renew_us(record->lease.doc);
    if (us <= record->renew_us) {
        complain(c, "renewTime did not grow");
        return;
    }
    record->renew_was_us = record->renew_us;
    record->renew_us = us;
    record->renewed_ms = c->a->now_ms;
    record->renewals++;
}

/* The owner must be the Node that is there now, or the garbage collector takes the Lease. */
static void look_at_owner(struct call *c) {
    const struct sim_record *record = c->record;
    const struct sim_json *meta = sim_json_get(record->lease.doc, "metadata");
    const struct sim_json *owners = sim_json_get(meta, "ownerReferences");
    if (owners == NULL || owners->child == NULL) {
        complain(c, "the Lease has no owner");
        return;
    }
    const char *uid = sim_json_str(owners->child, "uid");
    const bool theirs = record->node.doc != NULL && strcmp(uid, record->node.uid) == 0;
    if (theirs) c->record->collect_ms = FK_NEVER;
    else if (record->collect_ms == FK_NEVER)
        c->record->collect_ms = c->a->now_ms + c->a->collect_after_ms;
}

static void take_lease(struct call *c, int status) {
    look_at_owner(c);
    note_renewal(c);
    succeed(c, status);
}

/* ---- verbs ---------------------------------------------------------------------------------- */

static void create(struct call *c) {
    struct sim_object *object = object_of(c);
    const char *name = sim_json_str(sim_json_get(c->body, "metadata"), "name");
    const char *kind = c->lease ? "Lease" : "Node";
    if (strcmp(sim_json_str(c->body, "kind"), kind) != 0) {
        refuse(c, 400, "BadRequest", "the body is of another kind");
        return;
    }
    if (strcmp(name, c->record->name) != 0) {
        refuse(c, 403, "Forbidden", "metadata.name is not the node's own");
        return;
    }
    if (object->doc != NULL) {
        sim_reply_error(c->r, 409, "AlreadyExists", 0, "already exists");
        return;
    }
    const char *label = c->lease ? NULL : sim_rules_label_refused(NULL, c->body);
    const char *wrong = c->lease ? sim_rules_lease(c->body, c->record->name) : NULL;
    if (label != NULL || wrong != NULL) {
        refuse(c, label != NULL ? 403 : 422, label != NULL ? "Forbidden" : "Invalid",
               label != NULL ? label : wrong);
        return;
    }
    (void)snprintf(object->uid, sizeof object->uid, "%08x-0000-4000-8000-%012x", c->lease ? 1u : 0u,
                   ++c->a->uids);
    object->created_us = c->a->wall_us;
    store(c, sim_json_clone(c->body));
    if (c->lease) take_lease(c, 201);
    else succeed(c, 201);
}

static void get(struct call *c) {
    if (object_of(c)->doc == NULL) not_found(c);
    else succeed(c, 200);
}

/* NULL, or why NodeRestriction or validation refuse the change. */
static const char *node_change_refused(const struct sim_json *before,
                                       const struct sim_json *after) {
    const char *label = sim_rules_label_refused(before, after);
    if (label != NULL) return label;
    const struct sim_json *was = sim_json_get(sim_json_get(before, "spec"), "taints");
    const struct sim_json *is = sim_json_get(sim_json_get(after, "spec"), "taints");
    if (!sim_json_equal(was, is)) return "a node may not change its taints";
    return NULL;
}

/* A subresource takes its own part of the document and leaves the rest. */
static const char *patch_misplaced(const struct call *c) {
    const bool whole = sim_json_get(c->body, "status") != NULL;
    const bool only = c->body->child != NULL && c->body->child->next == NULL;
    if (c->status && !(whole && only)) return "a status patch must hold only status";
    if (!c->status && whole) return "a patch of the object must not touch status";
    return NULL;
}

static void patch_node(struct call *c) {
    const char *misplaced = patch_misplaced(c);
    if (misplaced != NULL) complain(c, misplaced);
    const bool strategic = strstr(c->q->content_type, "strategic") != NULL;
    struct sim_json *after = sim_json_clone(c->record->node.doc);
    if (strategic) sim_json_strategic(after, c->body);
    else sim_json_merge(after, c->body);
    const char *refused = node_change_refused(c->record->node.doc, after);
    if (refused != NULL) {
        refuse(c, 403, "Forbidden", refused);
        sim_json_free(after);
        return;
    }
    if (c->status) sim_rules_conditions(c->a, c->q->node, c->record->node.doc, after);
    store(c, after);
    succeed(c, 200);
}

static void patch_lease(struct call *c) {
    sim_json_merge(c->record->lease.doc, c->body);
    const char *wrong = sim_rules_lease(c->record->lease.doc, c->record->name);
    if (wrong != NULL) {
        refuse(c, 422, "Invalid", wrong);
        return;
    }
    store(c, c->record->lease.doc);
    take_lease(c, 200);
}

static void patch(struct call *c) {
    const char *type = c->q->content_type;
    const bool merge = strcmp(type, "application/merge-patch+json") == 0;
    const bool strategic = strcmp(type, "application/strategic-merge-patch+json") == 0;
    if (!merge && !(strategic && !c->lease)) /* the model knows no more */
        refuse(c, 415, "UnsupportedMediaType", type);
    else if (object_of(c)->doc == NULL) not_found(c);
    else if (c->lease) patch_lease(c);
    else patch_node(c);
}

/* ---- dispatch ------------------------------------------------------------------------------- */

/* "" for the collection, the rest behind the slash otherwise, NULL when it is another path. */
static const char *below(const char *path, const char *prefix) {
    const size_t len = strlen(prefix);
    if (strncmp(path, prefix, len) != 0) return NULL;
    if (path[len] == '\0') return "";
    return path[len] == '/' && path[len + 1] != '\0' ? path + len + 1 : NULL;
}

/* True when the request is for an object that the caller may touch. */
static bool locate(struct call *c, bool *collection) {
    const char *rest = below(c->q->path, NODES);
    if (rest == NULL) {
        rest = below(c->q->path, LEASES);
        c->lease = true;
    }
    if (rest == NULL) {
        refuse(c, 404, "NotFound", "the model has no such resource");
        return false;
    }
    *collection = rest[0] == '\0';
    if (*collection) return true;
    const size_t len = strlen(c->record->name);
    const bool own = strncmp(rest, c->record->name, len) == 0;
    if (own && rest[len] == '\0') return true;
    c->status = own && !c->lease && strcmp(rest + len, "/status") == 0;
    if (!c->status) refuse(c, 403, "Forbidden", "not the node's own object");
    return c->status;
}

static bool read_body(struct call *c) {
    const char *why = NULL;
    if (c->q->body_len == 0) {
        if (strcmp(c->q->method, "GET") == 0) return true;
        refuse(c, 400, "BadRequest", "no body");
        return false;
    }
    c->body = sim_json_parse(fk_bytes(c->q->body, c->q->body_len), &why);
    if (c->body != NULL && c->body->type == SIM_JSON_OBJECT) {
        sim_rules_dates(c->a, c->q->node, c->body);
        return true;
    }
    refuse(c, 400, "BadRequest", why != NULL ? why : "the body is no object");
    return false;
}

void sim_api_handle(struct sim_api *a, const struct sim_request *q, struct sim_reply *r) {
    struct call c = {.a = a, .q = q, .r = r, .record = &a->records[q->node]};
    bool collection = false;
    if (strncmp(q->accept, "application/vnd.kubernetes.protobuf", 35) != 0)
        refuse(&c, 406, "NotAcceptable", "replies are in protobuf only");
    else if (locate(&c, &collection) && read_body(&c)) {
        const bool post = strcmp(q->method, "POST") == 0;
        if (post && collection && strcmp(q->content_type, "application/json") == 0) create(&c);
        else if (post && collection) refuse(&c, 415, "UnsupportedMediaType", q->content_type);
        else if (collection) refuse(&c, 403, "Forbidden", "a node may not list");
        else if (strcmp(q->method, "GET") == 0 && !c.status) get(&c);
        else if (strcmp(q->method, "PATCH") == 0) patch(&c);
        else refuse(&c, 405, "MethodNotAllowed", q->method);
    }
    sim_json_free(c.body);
}

/* ---- what others do ------------------------------------------------------------------------- */

static void remove_object(struct sim_object *object) {
    sim_json_free(object->doc);
    object->doc = NULL;
}

void sim_api_delete_node(struct sim_api *a, size_t node) {
    struct sim_record *record = &a->records[node];
    remove_object(&record->node);
    if (record->lease.doc != NULL) record->collect_ms = a->now_ms + a->collect_after_ms;
}

void sim_api_delete_lease(struct sim_api *a, size_t node) {
    remove_object(&a->records[node].lease);
    a->records[node].collect_ms = FK_NEVER;
}

struct sim_json *sim_api_condition(const struct sim_record *record, const char *type) {
    const struct sim_json *status = sim_json_get(record->node.doc, "status");
    const struct sim_json *list = sim_json_get(status, "conditions");
    struct sim_json *c = list != NULL ? list->child : NULL;
    while (c != NULL && strcmp(sim_json_str(c, "type"), type) != 0) c = c->next;
    return c;
}

void sim_api_set_condition(struct sim_api *a, size_t node, const char *type, const char *status,
                           const char *reason) {
    struct sim_record *record = &a->records[node];
    struct sim_json *all = sim_json_need(record->node.doc, "status", SIM_JSON_OBJECT);
    struct sim_json *list = sim_json_need(all, "conditions", SIM_JSON_ARRAY);
    struct sim_json *c = sim_api_condition(record, type);
    char since[32];
    struct fk_writer w;
    fk_writer_init(&w, since, sizeof since);
    fk_date_put_seconds(&w, a->wall_us);
    (void)fk_writer_finish(&w);
    if (c == NULL) {
        c = sim_json_new(SIM_JSON_OBJECT, "", "");
        sim_json_put_str(c, "type", type);
        sim_json_append(list, c);
    }
    if (strcmp(sim_json_str(c, "status"), status) != 0)
        sim_json_put_str(c, "lastTransitionTime", since);
    sim_json_put_str(c, "status", status);
    sim_json_put_str(c, "reason", reason);
    sim_api_touch(a, &record->node);
}
