/* Replies to reviews of any bytes, cut anywhere: the same answer, never a user without a name,
 * never one from a reply that is broken; and tokens' claims. The first byte chooses the cut. */
#include "api/jwt.h"
#include "api/reviews.h"
#include "base/assert.h"
#include "base/err.h"

static int read_token(struct fk_token_review_reader *r, struct fk_bytes bytes, size_t step) {
    fk_token_review_begin(r);
    while (bytes.len > 0) {
        const size_t len = bytes.len < step ? bytes.len : step;
        (void)fk_token_review_feed(r, fk_bytes(bytes.p, len));
        bytes = fk_bytes(bytes.p + len, bytes.len - len);
    }
    return fk_token_review_end(r);
}

static int read_access(struct fk_access_review_reader *r, struct fk_bytes bytes, size_t step) {
    fk_access_review_begin(r);
    while (bytes.len > 0) {
        const size_t len = bytes.len < step ? bytes.len : step;
        (void)fk_access_review_feed(r, fk_bytes(bytes.p, len));
        bytes = fk_bytes(bytes.p + len, bytes.len - len);
    }
    return fk_access_review_end(r);
}

/* What a user says of itself must be inside of its text, and ask the same question in pieces. */
static void ask_about(const struct fk_user *user) {
    char whole[8192], piece[7];
    FK_ASSERT(user->len >= 3 && user->len <= FK_USER_MAX && user->text[0] != '\0');
    FK_ASSERT(user->text[user->len - 1] == '\0');
    const char *uid = fk_user_uid(user);
    FK_ASSERT(uid < user->text + user->len);
    for (const char *g = fk_user_group(user, uid); g != NULL; g = fk_user_group(user, g))
        FK_ASSERT(g + strlen(g) < user->text + user->len);
    const struct fk_access_question question = {user, "get", "nodes", "metrics", "board-1"};
    struct fk_writer w, window;
    fk_writer_init(&w, whole, sizeof whole);
    fk_access_review_put(&question, &w);
    FK_ASSERT(w.err == 0);
    for (size_t at = 0; at < w.len; at += sizeof piece) {
        fk_writer_window(&window, piece, sizeof piece, at);
        fk_access_review_put(&question, &window);
        FK_ASSERT(window.len == w.len && memcmp(piece, whole + at, fk_writer_kept(&window)) == 0);
    }
}

static void tokens(struct fk_bytes bytes, size_t step) {
    struct fk_token_review_reader whole, cut;
    const int end = read_token(&whole, bytes, SIZE_MAX);
    FK_ASSERT(end == 0 || end == FK_E_PARSE);
    FK_ASSERT(read_token(&cut, bytes, step) == end);
    FK_ASSERT(whole.authenticated == cut.authenticated && whole.oversize == cut.oversize);
    FK_ASSERT(strcmp(whole.error, cut.error) == 0);
    FK_ASSERT(whole.user.len == cut.user.len);
    FK_ASSERT(memcmp(whole.user.text, cut.user.text, whole.user.len) == 0);
    FK_ASSERT(end == 0 || !whole.authenticated);
    FK_ASSERT(fk_user_known(&whole.user) == (whole.authenticated && !whole.oversize));
    if (fk_user_known(&whole.user)) ask_about(&whole.user);
}

static void accesses(struct fk_bytes bytes, size_t step) {
    struct fk_access_review_reader whole, cut;
    const int end = read_access(&whole, bytes, SIZE_MAX);
    FK_ASSERT(end == 0 || end == FK_E_PARSE);
    FK_ASSERT(read_access(&cut, bytes, step) == end);
    FK_ASSERT(whole.allowed == cut.allowed && (end == 0 || !whole.allowed));
    FK_ASSERT(!whole.allowed || !whole.denied);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (len == 0) return 0;
    const struct fk_bytes bytes = fk_bytes(data + 1, len - 1);
    const size_t step = 1 + data[0] % 64u;
    tokens(bytes, step);
    accesses(bytes, step);
    const int64_t expiry = fk_jwt_expiry(bytes);
    FK_ASSERT(expiry >= -1 && expiry <= INT64_C(253402300799));
    return 0;
}
