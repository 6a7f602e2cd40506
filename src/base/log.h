/* Log lines: a constant message and named values. The port prints them, as text or as JSON; the
 * core formats nothing, so a board pays for no printf.
 *
 * Never pass a secret: no token, no key, no request header. */
#ifndef FK_BASE_LOG_H
#define FK_BASE_LOG_H

#include "base/bytes.h"

enum fk_level { FK_ERROR, FK_WARN, FK_INFO, FK_DEBUG };

struct fk_kv {
    const char *key;
    const char *str; /* NULL: num is the value */
    int64_t num;
};

struct fk_log {
    enum fk_level level; /* lines above it are dropped before they are made */
    void *ctx;
    void (*emit)(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count);
};

#define FK_STR(name, value) ((struct fk_kv){(name), (value), 0})
#define FK_INT(name, value) ((struct fk_kv){(name), NULL, (int64_t)(value)})

/* fk_log(log, FK_INFO, "lease renewed", FK_INT("renewals", n)); at least one pair. */
#define fk_log(log, lvl, message, ...)                                                             \
    do {                                                                                           \
        const struct fk_log *fk_log_to = (log);                                                    \
        if ((lvl) <= fk_log_to->level) {                                                           \
            const struct fk_kv fk_log_kvs[] = {__VA_ARGS__};                                       \
            fk_log_to->emit(fk_log_to->ctx, (lvl), (message), fk_log_kvs,                          \
                            sizeof fk_log_kvs / sizeof fk_log_kvs[0]);                             \
        }                                                                                          \
    } while (0)

#endif
