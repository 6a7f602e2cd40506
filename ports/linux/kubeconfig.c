#include "linux/kubeconfig.h"

#include <stdlib.h>

#include <yaml.h>

#include "linux/base64.h"

/* Everything that a message wants to say; an error is latched by `err`. */
struct reader {
    yaml_document_t document;
    const char *path;
    struct fk_access *access;
    struct fk_writer *why;
    int err;
};

/* A value of a mapping: its text and where it stands. */
struct field {
    const char *name;
    const char *text; /* NULL: not there */
    size_t len;
    size_t line; /* from 1 */
};

/* ---- messages ----------------------------------------------------------------------------------
 */

/* "path:line: field: " */
static void put_place(struct reader *r, size_t line, const char *name) {
    fk_put_str(r->why, r->path);
    if (line > 0) {
        fk_put_char(r->why, ':');
        fk_put_u64(r->why, line);
    }
    fk_put_str(r->why, ": ");
    fk_put_str(r->why, name);
    if (*name != '\0') fk_put_str(r->why, ": ");
}

static void refuse(struct reader *r, size_t line, const char *name, const char *reason) {
    if (r->err != 0) return;
    r->err = FK_E_CONFIG;
    put_place(r, line, name);
    fk_put_str(r->why, reason);
}

/* ---- YAML --------------------------------------------------------------------------------------
 */

static size_t line_of(const yaml_node_t *node) { return node->start_mark.line + 1; }

static yaml_node_t *node_at(struct reader *r, int index) {
    return yaml_document_get_node(&r->document, index);
}

/* The value of a key, NULL without one. A key twice is refused: which of them counts? */
static yaml_node_t *value_of(struct reader *r, const yaml_node_t *mapping, const char *key) {
    yaml_node_t *found = NULL;
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = node_at(r, pair->key);
        if (name->type != YAML_SCALAR_NODE ||
            !fk_bytes_is(fk_bytes(name->data.scalar.value, name->data.scalar.length), key))
            continue;
        if (found != NULL) refuse(r, line_of(name), key, "given twice; remove one");
        found = node_at(r, pair->value);
    }
    return found;
}

/* Not quoted, and one of YAML's words for nothing. */
static bool is_null(const yaml_node_t *node) {
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    const struct fk_bytes text = fk_bytes(node->data.scalar.value, node->data.scalar.length);
    return text.len == 0 || fk_bytes_is(text, "null") || fk_bytes_is(text, "~");
}

/* An absent or empty value is text NULL, as client-go takes both. */
static struct field field_of(struct reader *r, const yaml_node_t *mapping, const char *name) {
    struct field f = {.name = name};
    const yaml_node_t *node = mapping == NULL ? NULL : value_of(r, mapping, name);
    if (node == NULL || is_null(node)) return f;
    f.line = line_of(node);
    if (node->type != YAML_SCALAR_NODE) {
        refuse(r, f.line, name, "must be text");
        return f;
    }
    f.len = node->data.scalar.length;
    if (strlen((const char *)node->data.scalar.value) != f.len)
        refuse(r, f.line, name, "holds a zero byte");
    else if (f.len > 0) f.text = (const char *)node->data.scalar.value;
    return f;
}

static void forbid(struct reader *r, const yaml_node_t *mapping, const char *name,
                   const char *reason) {
    const yaml_node_t *node = value_of(r, mapping, name);
    if (node == NULL || is_null(node)) return;
    if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0) return;
    refuse(r, line_of(node), name, reason);
}

/* The mapping below `kind` in the item of the list `list` that is called `name`. */
static const yaml_node_t *named(struct reader *r, const char *list, const struct field *name,
                                const char *kind) {
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    const yaml_node_t *items = r->err == 0 ? value_of(r, root, list) : NULL;
    if (items == NULL || items->type != YAML_SEQUENCE_NODE) {
        refuse(r, 0, list, "missing; every kubeconfig has this list");
        return NULL;
    }
    const yaml_node_item_t *item = items->data.sequence.items.start;
    for (; item < items->data.sequence.items.top && r->err == 0; item++) {
        const yaml_node_t *entry = node_at(r, *item);
        if (entry->type != YAML_MAPPING_NODE) continue;
        const struct field own = field_of(r, entry, "name");
        if (own.text == NULL || strcmp(own.text, name->text) != 0) continue;
        const yaml_node_t *body = value_of(r, entry, kind);
        if (body != NULL && body->type == YAML_MAPPING_NODE) return body;
        refuse(r, line_of(entry), kind, "missing, or not a mapping");
    }
    if (r->err != 0) return NULL;
    put_place(r, name->line, name->name);
    fk_put_char(r->why, '"');
    fk_put_str(r->why, name->text);
    fk_put_str(r->why, "\" is not in the list ");
    fk_put_str(r->why, list);
    r->err = FK_E_CONFIG;
    return NULL;
}

/* ---- fields ------------------------------------------------------------------------------------
 */

/* For the functions of access.h, which write the rest of the line. */
static bool placed(struct reader *r, const struct field *f, struct fk_writer *rest, char *buf,
                   size_t cap) {
    fk_writer_init(rest, buf, cap);
    return r->err == 0 && f->text != NULL;
}

static void result(struct reader *r, const struct field *f, int err, struct fk_writer *rest) {
    if (err == 0) return;
    (void)fk_writer_finish(rest);
    refuse(r, f->line, f->name, rest->buf);
    r->err = err;
}

static void take_data(struct reader *r, const struct field *f, struct fk_blob *blob) {
    if (r->err != 0 || f->text == NULL) return;
    blob->p = malloc(fk_base64_cap(f->len) + 1);
    if (blob->p == NULL) {
        refuse(r, f->line, f->name, "no memory for it");
        r->err = FK_E_NOMEM;
        return;
    }
    const long len = fk_base64_decode(fk_bytes(f->text, f->len), blob->p);
    if (len <= 0) {
        refuse(r, f->line, f->name, "is not base64; make it with: base64 -w0 FILE");
        free(blob->p);
        *blob = (struct fk_blob){0};
        return;
    }
    blob->len = (size_t)len;
    blob->p[blob->len] = 0;
}

static void take_path(struct reader *r, const struct field *f, char path[PATH_MAX]) {
    struct fk_writer rest;
    char buf[128];
    if (!placed(r, f, &rest, buf, sizeof buf)) return;
    result(r, f, fk_access_set_path(path, f->text, r->path, &rest), &rest);
}

/* "x-data" or else the file "x", in client-go's order. True when either is there. */
static bool take_either(struct reader *r, const yaml_node_t *mapping, const char *data_name,
                        const char *file_name, struct fk_blob *blob, char path[PATH_MAX]) {
    const struct field data = field_of(r, mapping, data_name);
    const struct field file = field_of(r, mapping, file_name);
    take_data(r, &data, blob);
    if (data.text == NULL) take_path(r, &file, path);
    return data.text != NULL || file.text != NULL;
}

/* ---- the three parts ---------------------------------------------------------------------------
 */

static void read_server(struct reader *r, const yaml_node_t *cluster) {
    struct fk_writer rest;
    char buf[512];
    const struct field name = field_of(r, cluster, "tls-server-name");
    if (placed(r, &name, &rest, buf, sizeof buf))
        result(r, &name, fk_access_set_server_name(r->access, name.text, &rest), &rest);
    const struct field url = field_of(r, cluster, "server");
    if (url.text == NULL)
        refuse(r, line_of(cluster), "server", "missing; give https://host:port of the API server");
    if (placed(r, &url, &rest, buf, sizeof buf))
        result(r, &url, fk_access_set_server(r->access, url.text, &rest), &rest);
}

static void read_cluster(struct reader *r, const yaml_node_t *cluster) {
    const struct field skip = field_of(r, cluster, "insecure-skip-tls-verify");
    if (skip.text != NULL && strcmp(skip.text, "false") != 0)
        refuse(r, skip.line, skip.name,
               "this node always verifies the server; remove it and give certificate-authority");
    forbid(r, cluster, "proxy-url", "proxies are not supported; remove it");
    read_server(r, cluster);
    if (!take_either(r, cluster, "certificate-authority-data", "certificate-authority",
                     &r->access->ca, r->access->ca_file))
        refuse(r, line_of(cluster), "certificate-authority",
               "missing; the server is always verified, and the host's own CAs are not used");
}

static void read_token(struct reader *r, const yaml_node_t *user, bool *any) {
    struct fk_writer rest;
    char buf[128];
    const struct field file = field_of(r, user, "tokenFile");
    const struct field token = field_of(r, user, "token");
    take_path(r, &file, r->access->token_file);
    if (file.text == NULL && placed(r, &token, &rest, buf, sizeof buf))
        result(r, &token, fk_access_set_token(r->access, fk_bytes(token.text, token.len), &rest),
               &rest);
    *any = file.text != NULL || token.text != NULL;
}

static void read_user(struct reader *r, const yaml_node_t *user) {
    static const char use[] = "not supported; use client-certificate and client-key, or tokenFile";
    forbid(r, user, "exec", use);
    forbid(r, user, "auth-provider", use);
    forbid(r, user, "username", use);
    forbid(r, user, "password", use);
    forbid(r, user, "as", "impersonation is not supported; remove it");
    struct fk_access *a = r->access;
    const bool cert = take_either(r, user, "client-certificate-data", "client-certificate",
                                  &a->cert, a->cert_file);
    const bool key = take_either(r, user, "client-key-data", "client-key", &a->key, a->key_file);
    bool token = false;
    read_token(r, user, &token);
    if (cert != key)
        refuse(r, line_of(user), cert ? "client-key" : "client-certificate",
               "missing; a certificate and its key go together");
    if (!cert && !token)
        refuse(r, line_of(user), "user",
               "no credential; give client-certificate and client-key, or tokenFile");
}

static void read_config(struct reader *r) {
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    if (root == NULL || root->type != YAML_MAPPING_NODE) {
        refuse(r, 0, "", "not a kubeconfig: no mapping at the top");
        return;
    }
    const struct field kind = field_of(r, root, "kind");
    if (kind.text != NULL && strcmp(kind.text, "Config") != 0)
        refuse(r, kind.line, "kind", "must be Config");
    const struct field current = field_of(r, root, "current-context");
    if (current.text == NULL)
        refuse(r, 0, "current-context", "missing; choose one: kubectl config use-context NAME");
    const yaml_node_t *context = r->err == 0 ? named(r, "contexts", &current, "context") : NULL;
    if (context == NULL) return;
    const struct field cluster = field_of(r, context, "cluster");
    const struct field user = field_of(r, context, "user");
    if (cluster.text == NULL || user.text == NULL) {
        refuse(r, line_of(context), cluster.text == NULL ? "cluster" : "user", "missing");
        return;
    }
    const yaml_node_t *body = named(r, "clusters", &cluster, "cluster");
    if (body != NULL) read_cluster(r, body);
    body = r->err == 0 ? named(r, "users", &user, "user") : NULL;
    if (body != NULL) read_user(r, body);
}

/* ---- the document ------------------------------------------------------------------------------
 */

static void refuse_yaml(struct reader *r, const yaml_parser_t *p) {
    refuse(r, p->problem_mark.line + 1, "",
           p->problem != NULL ? p->problem : "not YAML, or no memory to read it");
}

/* libyaml gives its buffers back as they are: they held the file. */
static void wipe_parser(yaml_parser_t *p) {
    if (p->buffer.start != NULL)
        explicit_bzero(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
    if (p->raw_buffer.start != NULL)
        explicit_bzero(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
    yaml_parser_delete(p);
}

static void wipe_document(yaml_document_t *d) {
    for (yaml_node_t *node = d->nodes.start; node < d->nodes.top; node++)
        if (node->type == YAML_SCALAR_NODE)
            explicit_bzero(node->data.scalar.value, node->data.scalar.length);
    yaml_document_delete(d);
}

static bool begin(struct reader *r, yaml_parser_t *p, struct fk_bytes text) {
    if (yaml_parser_initialize(p) == 0) {
        refuse(r, 0, "", "no memory to read it");
        r->err = FK_E_NOMEM;
        return false;
    }
    yaml_parser_set_input_string(p, text.p, text.len);
    return true;
}

static void refuse_reference(struct reader *r, const yaml_event_t *e) {
    const bool anchored =
        e->type == YAML_ALIAS_EVENT ||
        (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor != NULL) ||
        (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor != NULL) ||
        (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor != NULL);
    if (anchored)
        refuse(r, e->start_mark.line + 1, "",
               "YAML anchors (&) and aliases (*) are not supported; write the value out");
}

static void refuse_depth(struct reader *r, const yaml_event_t *e, int *depth) {
    if (e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT) ++*depth;
    if (e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT) --*depth;
    _Static_assert(FK_KUBECONFIG_DEPTH_MAX == 32, "the message says so");
    if (*depth > FK_KUBECONFIG_DEPTH_MAX)
        refuse(r, e->start_mark.line + 1, "", "nested more than 32 deep");
}

/* A first pass, since libyaml's documents resolve aliases, and its scanner looks after all that is
 * open, in time that grows with the square. */
static void refuse_hostile(struct reader *r, struct fk_bytes text) {
    yaml_parser_t p;
    if (!begin(r, &p, text)) return;
    bool end = false;
    int depth = 0;
    while (!end && r->err == 0) {
        yaml_event_t event;
        if (yaml_parser_parse(&p, &event) == 0) {
            refuse_yaml(r, &p);
            break;
        }
        refuse_reference(r, &event);
        refuse_depth(r, &event, &depth);
        end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_SCALAR_EVENT)
            explicit_bzero(event.data.scalar.value, event.data.scalar.length);
        yaml_event_delete(&event);
    }
    wipe_parser(&p);
}

int fk_kubeconfig_parse(struct fk_bytes text, const char *path, struct fk_access *access,
                        struct fk_writer *why) {
    struct reader r = {.path = path, .access = access, .why = why};
    refuse_hostile(&r, text);
    yaml_parser_t p;
    if (r.err != 0 || !begin(&r, &p, text)) return r.err;
    if (yaml_parser_load(&p, &r.document) == 0) {
        refuse_yaml(&r, &p);
    } else {
        read_config(&r);
        wipe_document(&r.document);
    }
    wipe_parser(&p);
    return r.err;
}

int fk_kubeconfig_load(const char *path, struct fk_access *access, const struct fk_log *log,
                       struct fk_writer *why) {
    struct fk_blob file;
    bool others_read = false;
    int err = fk_blob_read(&file, path, &others_read, why);
    if (err != 0) return err;
    err = fk_kubeconfig_parse(fk_bytes(file.p, file.len), path, access, why);
    fk_blob_free(&file);
    if (err != 0) return err;
    const bool secret = access->key.p != NULL ||
                        (access->authorization[0] != '\0' && access->token_file[0] == '\0');
    if (others_read && secret) fk_access_warn_shared(path, log);
    return fk_access_read_files(access, log, why);
}
