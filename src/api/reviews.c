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
    [TOKEN_AUTHENTICATED] = {{3, 1}, FK_PB_PIECES}, /* status.authenticated */
    [TOKEN_NAME] = {{3, 2, 1}, FK_PB_PIECES},       /* status.user.username */
    [TOKEN_UID] = {{3, 2, 2}, FK_PB_PIECES},        /* status.user.uid */
    [TOKEN_GROUP] = {{3, 2, 3}, FK_PB_PIECES},      /* status.user.groups */
    [TOKEN_ERROR] = {{3, 3}, FK_PB_PIECES},         /* status.error */
};

/* Texts gather in the user as they come; `oversize` from the first byte on that has no room. */
static void append(struct fk_token_review_reader *r, const void *bytes, size_t len) {
    struct fk_user *u = &r->user;
    if (len > (size_t)(FK_USER_MAX - u->len)) r->oversize = true;
    if (r->oversize) return;
    memcpy(u->text + u->len, bytes, len);
    u->len = (uint16_t)(u->len + len);
}

static void end_text(struct fk_token_review_reader *r) {
    append(r, "", 1);
    r->in_text = false;
}

/* struct fk_user knows its texts by their order: the name first, one UID, then groups. */
static void begin_text(struct fk_token_review_reader *r, size_t path) {
    const bool in_order = path == TOKEN_NAME ? r->stage == 0 : r->stage >= TOKEN_NAME;
    if (!in_order || (path == TOKEN_UID && r->stage >= TOKEN_UID)) r->malformed = true;
    if (path == TOKEN_GROUP && r->stage == TOKEN_NAME) end_text(r); /* of a UID that is not there */
    r->stage = (uint8_t)path;
    r->in_text = true;
}

static void user_text(struct fk_token_review_reader *r, size_t path, struct fk_bytes piece) {
    if (!r->in_text) begin_text(r, path);
    if (piece.len == 0) {
        end_text(r);
        return;
    }
    if (memchr(piece.p, 0, piece.len) != NULL) r->malformed = true;
    append(r, piece.p, piece.len);
}

static void error_text(struct fk_token_review_reader *r, struct fk_bytes piece) {
    for (size_t i = 0; i < piece.len && r->error_len < sizeof r->error - 1; i++) {
        const bool printable = piece.p[i] >= ' ' && piece.p[i] <= '~';
        r->error[r->error_len++] = printable ? (char)piece.p[i] : '?';
        r->error[r->error_len] = '\0';
    }
}

static void token_leaf(void *ctx, size_t path, struct fk_bytes piece) {
    struct fk_token_review_reader *r = ctx;
    if (path == TOKEN_AUTHENTICATED) r->malformed = true; /* a truth that is a text */
    else if (path == TOKEN_ERROR) error_text(r, piece);
    else user_text(r, path, piece);
}

static void token_varint(void *ctx, size_t path, uint64_t value) {
    struct fk_token_review_reader *r = ctx;
    if (path == TOKEN_AUTHENTICATED) r->authenticated = value != 0;
    else r->malformed = true; /* a text that is a number */
}

static const struct fk_pb_visitor token_visitor = {token_paths, TOKEN_PATHS, token_leaf,
                                                   token_varint};

void fk_token_review_begin(struct fk_token_review_reader *r) {
    fk_pb_walk_begin(&r->walk, FK_PB_ENVELOPED, &token_visitor, r);
    r->authenticated = r->oversize = r->malformed = r->in_text = false;
    r->error_len = 0;
    r->user.text[0] = '\0';
    r->error[0] = '\0';
    r->user.len = 0;
    r->stage = 0;
}

int fk_token_review_feed(struct fk_token_review_reader *r, struct fk_bytes piece) {
    return fk_pb_walk_feed(&r->walk, piece);
}

int fk_token_review_end(struct fk_token_review_reader *r) {
    int err = fk_pb_walk_end(&r->walk);
    if (err == 0 && r->stage == TOKEN_NAME) {
        end_text(r); /* of a UID that is not there, nor groups */
        r->stage = TOKEN_UID;
    }
    const bool nameless = !r->oversize && r->user.text[0] == '\0';
    if (err == 0 && (r->malformed || (r->authenticated && nameless))) err = FK_E_PARSE;
    if (err != 0) r->authenticated = false;
    if (!r->authenticated || r->oversize) r->user.len = 0;
    return err;
}

/* ---- SubjectAccessReview's reply ------------------------------------------------------------- */

enum { ACCESS_ALLOWED, ACCESS_DENIED, ACCESS_PATHS };
static const struct fk_pb_path access_paths[ACCESS_PATHS] = {
    [ACCESS_ALLOWED] = {{3, 1}, FK_PB_PIECES}, /* status.allowed */
    [ACCESS_DENIED] = {{3, 4}, FK_PB_PIECES},  /* status.denied */
};

static void access_leaf(void *ctx, size_t path, struct fk_bytes piece) {
    struct fk_access_review_reader *r = ctx;
    (void)path, (void)piece;
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
    fk_pb_walk_begin(&r->walk, FK_PB_ENVELOPED, &access_visitor, r);
    r->allowed = r->denied = r->malformed = false;
}

int fk_access_review_feed(struct fk_access_review_reader *r, struct fk_bytes piece) {
    return fk_pb_walk_feed(&r->walk, piece);
}

int fk_access_review_end(struct fk_access_review_reader *r) {
    int err = fk_pb_walk_end(&r->walk);
    if (err == 0 && r->malformed) err = FK_E_PARSE;
    if (err != 0 || r->denied) r->allowed = false;
    return err;
}
