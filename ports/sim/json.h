/* JSON documents as trees, for the simulated API server: a strict reader (RFC 8259, UTF-8 checked,
 * no key twice, nothing behind the value) and the two merges that PATCH knows. Memory is malloc's;
 * running out ends the program. */
#ifndef FK_SIM_JSON_H
#define FK_SIM_JSON_H

#include "base/bytes.h"

enum sim_json_type {
    SIM_JSON_NULL,
    SIM_JSON_BOOL,   /* text: "true" or "false" */
    SIM_JSON_NUMBER, /* text: as it was written */
    SIM_JSON_STRING, /* text: unescaped */
    SIM_JSON_ARRAY,
    SIM_JSON_OBJECT,
};

struct sim_json {
    enum sim_json_type type;
    struct sim_json *child; /* first item or member */
    struct sim_json *next;  /* behind this one in the same array or object */
    const char *key;        /* of a member, zero-terminated; "" elsewhere */
    const char *text;       /* zero-terminated */
    size_t text_len;
};

#define SIM_JSON_DEPTH_MAX 16

/* The document, or NULL and the reason in *why. */
struct sim_json *sim_json_parse(struct fk_bytes text, const char **why);
void sim_json_free(struct sim_json *v); /* with everything below; NULL is fine */

/* A value of its own, not yet in any document. */
struct sim_json *sim_json_new(enum sim_json_type type, const char *key, const char *text);
struct sim_json *sim_json_clone(const struct sim_json *v);

/* The member, or NULL when there is none or v is no object (NULL is fine). */
struct sim_json *sim_json_get(const struct sim_json *v, const char *key);
/* The text of a string member, "" when there is none. */
const char *sim_json_str(const struct sim_json *v, const char *key);

/* Puts member (owned from here on) into the object in place of one of the same key. */
void sim_json_put(struct sim_json *object, struct sim_json *member);
void sim_json_put_str(struct sim_json *object, const char *key, const char *text);
void sim_json_drop(struct sim_json *object, const char *key);
void sim_json_append(struct sim_json *array, struct sim_json *item);

/* The member of that key, made as an empty object or array when there is none. */
struct sim_json *sim_json_need(struct sim_json *object, const char *key, enum sim_json_type type);

bool sim_json_equal(const struct sim_json *a, const struct sim_json *b); /* members in any order */

/* Both change target, an object, and leave patch as it is. Merge: RFC 7396. Strategic: Kubernetes'
 * own; the lists that a kubelet writes are merged by their keys, with the directives $patch:
 * replace (in lists and objects) and $patch: delete (in lists). */
void sim_json_merge(struct sim_json *target, const struct sim_json *patch);
void sim_json_strategic(struct sim_json *target, const struct sim_json *patch);

#endif
