/* Who asks, as Kubernetes' authentication has it (k8s.io/apiserver, authentication/user): a name, a
 * UID and groups. From a client certificate's subject (CN, and each O), or from a TokenReview. */
#ifndef FK_USER_H
#define FK_USER_H

#include "base/bytes.h"
#include "opts.h"

struct fk_user {
    uint16_t len;           /* bytes of text; 0: nobody */
    char text[FK_USER_MAX]; /* name, 0, UID (may be empty), 0, then each group, 0 */
};

static inline bool fk_user_known(const struct fk_user *u) { return u->len > 0; }
static inline const char *fk_user_name(const struct fk_user *u) { return u->text; }
static inline const char *fk_user_uid(const struct fk_user *u) {
    return u->text + strlen(u->text) + 1;
}

/* The group behind `group`; the first one of fk_user_group(u, fk_user_uid(u)); NULL: no more. */
static inline const char *fk_user_group(const struct fk_user *u, const char *group) {
    const char *next = group + strlen(group) + 1;
    return next < u->text + u->len ? next : NULL;
}

/* Appends a text (name, UID, group, in this order). False: it does not fit, or has a zero in it:
 * the user is nobody then. */
static inline bool fk_user_add(struct fk_user *u, struct fk_bytes text) {
    const bool fits = text.len < (size_t)(FK_USER_MAX - u->len) &&
                      (text.len == 0 || memchr(text.p, 0, text.len) == NULL);
    if (!fits) {
        u->len = 0;
        return false;
    }
    if (text.len > 0) memcpy(u->text + u->len, text.p, text.len);
    u->text[u->len + text.len] = '\0';
    u->len = (uint16_t)(u->len + text.len + 1);
    return true;
}

#endif
