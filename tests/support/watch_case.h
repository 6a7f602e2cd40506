/* ConfigMaps as an API server would send them: lists, events, and golden files. */
#ifndef FK_TESTS_WATCH_CASE_H
#define FK_TESTS_WATCH_CASE_H

#include "base/bytes.h"

#define WATCH_CASE_UID "30fd3e5c-aaaa-bbbb-cccc-0123456789ab"

/* Text, key, value, key, value, NULL. */
struct watch_case_object {
    const char *uid, *version;
    const char *const *data; /* NULL: none */
};

/* A ConfigMapList with the object, or none when it is NULL; written into buf. */
struct fk_bytes watch_case_list(uint8_t *buf, const char *version,
                                const struct watch_case_object *object);

/* One event with its length before it. */
struct fk_bytes watch_case_event(uint8_t *buf, const char *type,
                                 const struct watch_case_object *object);

/* ERROR with a Status of this code. */
struct fk_bytes watch_case_error(uint8_t *buf, unsigned code);

/* A file of tests/golden/api, into buf. */
struct fk_bytes watch_case_golden(uint8_t *buf, size_t cap, const char *name);

/* One event of several: cuts it off the front of *stream. */
struct fk_bytes watch_case_next(struct fk_bytes *stream);

#endif
