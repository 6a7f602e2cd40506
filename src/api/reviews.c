#include "api/reviews.h"

#include "base/err.h"
#include "wire/json_write.h"

/* ---- documents ------------------------------------------------------------------------------ */

static void put_head(struct fk_json *j, const char *version, const char *kind) {
    fk_json_object(j, NULL);
    fk_json_str(j, "apiVersion", version);
    fk_json_str(j, "kind", kind);
    fk_json_object(j, "spec");
}

static void put_tail(struct fk_json *j) {
    fk_json_object_end(j);
    fk_json_object_end(j);
}

void fk_token_review_put(struct fk_bytes token, struct fk_writer *w) {
    struct fk_json j;
    fk_json_init(&j, w);
    put_head(&j, "authentication.k8s.io/v1", "TokenReview");
    fk_json_bytes(&j, "token", token);
    put_tail(&j);
}

static void put_user(struct fk_json *j, const struct fk_user *user) {
    const char *uid = fk_user_uid(user);
    fk_json_str(j, "user", fk_user_name(user));
    if (*uid != '\0') fk_json_str(j, "uid", uid);
    fk_json_array(j, "groups");
    for (const char *g = fk_user_group(user, uid); g != NULL; g = fk_user_group(user, g))
        fk_json_str(j, NULL, g);
    fk_json_array_end(j);
}

void fk_access_review_put(const struct fk_access_question *question, struct fk_writer *w) {
    struct fk_json j;
    fk_json_init(&j, w);
    put_head(&j, "authorization.k8s.io/v1", "SubjectAccessReview");
    put_user(&j, question->user);
    fk_json_object(&j, "resourceAttributes");
    fk_json_str(&j, "verb", question->verb);
    fk_json_str(&j, "group", "");
    fk_json_str(&j, "version", "v1");
    fk_json_str(&j, "resource", question->resource);
    fk_json_str(&j, "subresource", question->subresource);
    fk_json_str(&j, "name", question->name);
    fk_json_object_end(&j);
    put_tail(&j);
}

/* ---- TokenReview's reply --------------------------------------------------------------------- */

/* Field numbers from k8s.io/api/authentication/v1 and authorization/v1, generated.proto in each. */
enum { TOKEN_AUTHENTICATED, TOKEN_NAME, TOKEN_UID, TOKEN_GROUP, TOKEN_ERROR, TOKEN_PATHS };
static const struct fk_pb_path token_paths[TOKEN_PATHS] = {
    [TOKEN_AUTHENTICATED] = {{3, 1}, false}, /* status.authenticated */
    [TOKEN_NAME] = {{3, 2, 1}, false},       /* status.user.username */
    [TOKEN_UID] = {{3, 2, 2}, false},        /* status.user.uid */
    [TOKEN_GROUP] = {{3, 2, 3}, false},      /* status.user.groups */
    [TOKEN_ERROR] = {{3, 3}, true},          /* status.error; cut: its beginning is kept */
};

static void add(struct fk_token_review_reader *r, struct fk_bytes text) {
    if (text.len > 0 && memchr(text.p, 0, text.len) != NULL) r->malformed = true;
    if (!fk_user_add(&r->user, text)) r->oversize = true;
}

/* struct fk_user knows its texts by their order: the name first, one UID, then groups. */
static void user_text(struct fk_token_review_reader *r, size_t path, struct fk_bytes text) {
    if (r->pb.oversize > 0) r->oversize = true; /* one that came before was skipped */
    if (r->oversize) return;
    const bool in_order = path == TOKEN_NAME ? r->stage == 0 : r->stage >= TOKEN_NAME;
    if (!in_order || (path == TOKEN_UID && r->stage >= TOKEN_UID)) {
        r->malformed = true;
        return;
    }
    if (path == TOKEN_GROUP && r->stage == TOKEN_NAME) add(r, fk_bytes(NULL, 0)); /* no UID */
    r->stage = (uint8_t)path;
    add(r, text);
}

static void error_text(struct fk_token_review_reader *r, struct fk_bytes text) {
    const size_t len = text.len < sizeof r->error ? text.len : sizeof r->error - 1;
    for (size_t i = 0; i < len; i++) {
        const bool printable = text.p[i] >= ' ' && text.p[i] <= '~';
        r->error[i] = printable ? (char)text.p[i] : '?';
    }
    r->error[len] = '\0';
}

static void token_leaf(void *ctx, size_t path, struct fk_bytes bytes) {
    struct fk_token_review_reader *r = ctx;
    if (path == TOKEN_AUTHENTICATED) r->malformed = true; /* a truth that is a text */
    else if (path == TOKEN_ERROR) error_text(r, bytes);
    else user_text(r, path, bytes);
}

static void token_varint(void *ctx, size_t path, uint64_t value) {
    struct fk_token_review_reader *r = ctx;
    if (path == TOKEN_AUTHENTICATED) r->authenticated = value != 0;
    else r->malformed = true; /* a text that is a number */
}

static const struct fk_pb_visitor token_visitor = {token_paths, TOKEN_PATHS, token_leaf,
                                                   token_varint};

void fk_token_review_begin(struct fk_token_review_reader *r) {
    fk_pb_begin(&r->pb, true, &token_visitor, r);
    r->authenticated = r->oversize = r->malformed = false;
    r->error[0] = '\0';
    r->user.len = 0;
    r->stage = 0;
}

int fk_token_review_feed(struct fk_token_review_reader *r, struct fk_bytes piece) {
    return fk_pb_feed(&r->pb, piece);
}

int fk_token_review_end(struct fk_token_review_reader *r) {
    int err = fk_pb_end(&r->pb);
    if (r->pb.oversize > 0) r->oversize = true;
    if (r->stage == TOKEN_NAME && !r->oversize) add(r, fk_bytes(NULL, 0)); /* no UID, no groups */
    const bool nameless = !r->oversize && (r->stage == 0 || r->user.text[0] == '\0');
    if (err == 0 && (r->malformed || (r->authenticated && nameless))) err = FK_E_PARSE;
    if (err != 0) r->authenticated = false;
    if (!r->authenticated || r->oversize) r->user.len = 0;
    return err;
}

/* ---- SubjectAccessReview's reply ------------------------------------------------------------- */

enum { ACCESS_ALLOWED, ACCESS_DENIED, ACCESS_PATHS };
static const struct fk_pb_path access_paths[ACCESS_PATHS] = {
    [ACCESS_ALLOWED] = {{3, 1}, false}, /* status.allowed */
    [ACCESS_DENIED] = {{3, 4}, false},  /* status.denied */
};

static void access_leaf(void *ctx, size_t path, struct fk_bytes bytes) {
    struct fk_access_review_reader *r = ctx;
    (void)path, (void)bytes;
    r->malformed = true; /* a truth that is a text */
}

static void access_varint(void *ctx, size_t path, uint64_t value) {
    struct fk_access_review_reader *r = ctx;
    if (path == ACCESS_ALLOWED) r->allowed = value != 0;
    else r->denied = r->denied || value != 0;
}

static const struct fk_pb_visitor access_visitor = {access_paths, ACCESS_PATHS, access_leaf,
                                                    access_varint};

void fk_access_review_begin(struct fk_access_review_reader *r) {
    fk_pb_begin(&r->pb, true, &access_visitor, r);
    r->allowed = r->denied = r->malformed = false;
}

int fk_access_review_feed(struct fk_access_review_reader *r, struct fk_bytes piece) {
    return fk_pb_feed(&r->pb, piece);
}

int fk_access_review_end(struct fk_access_review_reader *r) {
    int err = fk_pb_end(&r->pb);
    if (err == 0 && r->malformed) err = FK_E_PARSE;
    if (err != 0 || r->denied) r->allowed = false;
    return err;
}
