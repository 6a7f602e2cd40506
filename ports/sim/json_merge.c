#include "sim/json.h"

/* The patchMergeKey of the lists that are merged (struct tags in k8s.io/api/core/v1/types.go and
 * k8s.io/apimachinery/pkg/apis/meta/v1/types.go); all others are replaced whole, taints among them.
 */
static const char *merge_key(const char *list) {
    if (strcmp(list, "conditions") == 0 || strcmp(list, "addresses") == 0) return "type";
    if (strcmp(list, "ownerReferences") == 0) return "uid";
    return NULL;
}

static struct sim_json *without_nulls(const struct sim_json *patch) {
    struct sim_json *copy = sim_json_clone(patch);
    if (copy->type != SIM_JSON_OBJECT) return copy;
    sim_json_free(copy->child);
    copy->child = NULL;
    sim_json_merge(copy, patch);
    return copy;
}

void sim_json_merge(struct sim_json *target, const struct sim_json *patch) {
    for (const struct sim_json *p = patch->child; p != NULL; p = p->next) {
        struct sim_json *old = sim_json_get(target, p->key);
        if (p->type == SIM_JSON_NULL) sim_json_drop(target, p->key);
        else if (p->type == SIM_JSON_OBJECT && old != NULL && old->type == SIM_JSON_OBJECT)
            sim_json_merge(old, p);
        else sim_json_put(target, without_nulls(p));
    }
}

static bool directive(const struct sim_json *v, const char *what) {
    return strcmp(sim_json_str(v, "$patch"), what) == 0;
}

static void clear(struct sim_json *v) {
    sim_json_free(v->child);
    v->child = NULL;
}

/* The item of the list whose key has the same value as the patch's. */
static struct sim_json **find(struct sim_json *list, const char *key, const struct sim_json *item) {
    struct sim_json **link = &list->child;
    while (*link != NULL && strcmp(sim_json_str(*link, key), sim_json_str(item, key)) != 0)
        link = &(*link)->next;
    return link;
}

static void merge_list(struct sim_json *list, const struct sim_json *patch, const char *key) {
    for (const struct sim_json *p = patch->child; p != NULL; p = p->next)
        if (directive(p, "replace")) clear(list);
    for (const struct sim_json *p = patch->child; p != NULL; p = p->next) {
        if (directive(p, "replace")) continue;
        struct sim_json **link = find(list, key, p);
        struct sim_json *old = *link;
        if (directive(p, "delete")) {
            if (old == NULL) continue;
            *link = old->next;
            old->next = NULL;
            sim_json_free(old);
        } else if (old != NULL) {
            sim_json_strategic(old, p);
        } else {
            *link = without_nulls(p);
        }
    }
}

void sim_json_strategic(struct sim_json *target, const struct sim_json *patch) {
    if (directive(patch, "replace")) clear(target);
    for (const struct sim_json *p = patch->child; p != NULL; p = p->next) {
        const char *key = p->type == SIM_JSON_ARRAY ? merge_key(p->key) : NULL;
        if (strcmp(p->key, "$patch") == 0) continue;
        if (p->type == SIM_JSON_NULL) sim_json_drop(target, p->key);
        else if (key != NULL) merge_list(sim_json_need(target, p->key, SIM_JSON_ARRAY), p, key);
        else if (p->type == SIM_JSON_OBJECT)
            sim_json_strategic(sim_json_need(target, p->key, SIM_JSON_OBJECT), p);
        else sim_json_put(target, without_nulls(p));
    }
}
