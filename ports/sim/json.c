#include "sim/json.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- values --------------------------------------------------------------------------------- */

/* One block: the value, its key, its text. Both texts get a terminating zero. */
static struct sim_json *make(enum sim_json_type type, struct fk_bytes key, struct fk_bytes text) {
    struct sim_json *v = malloc(sizeof *v + key.len + text.len + 2);
    if (v == NULL) abort();
    char *p = (char *)(v + 1);
    *v = (struct sim_json){.type = type, .key = p, .text_len = text.len};
    if (key.len > 0) memcpy(p, key.p, key.len);
    p[key.len] = '\0';
    p += key.len + 1;
    if (text.len > 0) memcpy(p, text.p, text.len);
    p[text.len] = '\0';
    v->text = p;
    return v;
}

struct sim_json *sim_json_new(enum sim_json_type type, const char *key, const char *text) {
    return make(type, fk_bytes_str(key), fk_bytes_str(text));
}

void sim_json_free(struct sim_json *v) {
    while (v != NULL) {
        struct sim_json *next = v->next;
        sim_json_free(v->child); /* as deep as SIM_JSON_DEPTH_MAX */
        free(v);
        v = next;
    }
}

/* v alone, not what stands behind it. */
static void free_one(struct sim_json *v) {
    v->next = NULL;
    sim_json_free(v);
}

struct sim_json *sim_json_clone(const struct sim_json *v) {
    struct sim_json *copy = make(v->type, fk_bytes_str(v->key), fk_bytes(v->text, v->text_len));
    struct sim_json **link = &copy->child;
    for (const struct sim_json *c = v->child; c != NULL; c = c->next, link = &(*link)->next)
        *link = sim_json_clone(c);
    return copy;
}

static struct sim_json **link_of(struct sim_json *object, const char *key) {
    struct sim_json **link = &object->child;
    while (*link != NULL && strcmp((*link)->key, key) != 0) link = &(*link)->next;
    return link;
}

struct sim_json *sim_json_get(const struct sim_json *v, const char *key) {
    if (v == NULL || v->type != SIM_JSON_OBJECT) return NULL;
    struct sim_json *c = v->child;
    while (c != NULL && strcmp(c->key, key) != 0) c = c->next;
    return c;
}

const char *sim_json_str(const struct sim_json *v, const char *key) {
    const struct sim_json *member = sim_json_get(v, key);
    return member != NULL && member->type == SIM_JSON_STRING ? member->text : "";
}

void sim_json_put(struct sim_json *object, struct sim_json *member) {
    struct sim_json **link = link_of(object, member->key);
    struct sim_json *old = *link;
    member->next = old != NULL ? old->next : NULL;
    *link = member;
    if (old != NULL) free_one(old);
}

void sim_json_put_str(struct sim_json *object, const char *key, const char *text) {
    sim_json_put(object, sim_json_new(SIM_JSON_STRING, key, text));
}

void sim_json_drop(struct sim_json *object, const char *key) {
    struct sim_json **link = link_of(object, key);
    struct sim_json *old = *link;
    if (old == NULL) return;
    *link = old->next;
    free_one(old);
}

void sim_json_append(struct sim_json *array, struct sim_json *item) {
    struct sim_json **link = &array->child;
    while (*link != NULL) link = &(*link)->next;
    *link = item;
}

struct sim_json *sim_json_need(struct sim_json *object, const char *key, enum sim_json_type type) {
    struct sim_json *member = sim_json_get(object, key);
    if (member != NULL && member->type == type) return member;
    member = sim_json_new(type, key, "");
    sim_json_put(object, member);
    return member;
}

static size_t count(const struct sim_json *v) {
    size_t n = 0;
    for (const struct sim_json *c = v->child; c != NULL; c = c->next) n++;
    return n;
}

bool sim_json_equal(const struct sim_json *a, const struct sim_json *b) {
    if (a == NULL || b == NULL) return a == b;
    if (a->type != b->type || strcmp(a->text, b->text) != 0 || count(a) != count(b)) return false;
    const struct sim_json *other = b->child;
    for (const struct sim_json *c = a->child; c != NULL; c = c->next) {
        const bool member = a->type == SIM_JSON_OBJECT;
        if (!sim_json_equal(c, member ? sim_json_get(b, c->key) : other)) return false;
        if (!member) other = other->next;
    }
    return true;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct reader {
    const uint8_t *p, *end;
    const char *why; /* first error */
    char *scratch;   /* as long as the input: unescaped text is never longer */
};

static struct sim_json *read_value(struct reader *r, struct fk_bytes key, int depth);

static void *fail(struct reader *r, const char *why) {
    if (r->why == NULL) r->why = why;
    return NULL;
}

static void skip_space(struct reader *r) {
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

static bool take(struct reader *r, char c) {
    if (r->p == r->end || *r->p != (uint8_t)c) return false;
    r->p++;
    return true;
}

static bool hex4(struct reader *r, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++, r->p++) {
        if (r->p == r->end) return false;
        const uint32_t c = *r->p;
        if (c >= '0' && c <= '9') *code = *code << 4 | (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            *code = *code << 4 | ((c | 0x20) - 'a' + 10);
        else return false;
    }
    return true;
}

static char *put_utf8(char *out, uint32_t code) {
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *out++ = (char)(0xE0 | code >> 12);
        } else {
            *out++ = (char)(0xF0 | code >> 18);
            *out++ = (char)(0x80 | (code >> 12 & 0x3F));
        }
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
    }
    *out++ = (char)(0x80 | (code & 0x3F));
    return out;
}

/* What follows a backslash. NULL: malformed. */
static char *unescape(struct reader *r, char *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end) return NULL;
    const char c = (char)*r->p++;
    const char *at = c != '\0' ? strchr(from, c) : NULL;
    if (at != NULL) {
        *out++ = to[at - from];
        return out;
    }
    uint32_t code, low;
    if (c != 'u' || !hex4(r, &code) || code == 0) return NULL;
    if (code >= 0xDC00 && code < 0xE000) return NULL;
    if (code >= 0xD800 && code < 0xDC00) {
        if (!take(r, '\\') || !take(r, 'u') || !hex4(r, &low)) return NULL;
        if (low < 0xDC00 || low >= 0xE000) return NULL;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return put_utf8(out, code);
}

/* Bytes of the UTF-8 sequence that begins here, 0 when there is none (RFC 3629). */
static size_t utf8_len(const uint8_t *p, const uint8_t *end) {
    const uint8_t c = *p;
    if (c < 0x80) return 1;
    const size_t len = c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (c < 0xC2 || len == 0 || (size_t)(end - p) < len) return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    if (c == 0xE0 && p[1] < 0xA0) return 0;
    if (c == 0xED && p[1] > 0x9F) return 0;
    if (c == 0xF0 && p[1] < 0x90) return 0;
    return c == 0xF4 && p[1] > 0x8F ? 0 : len;
}

/* A string's text, moved to scratch; p NULL when malformed. */
static struct fk_bytes read_string(struct reader *r) {
    char *const begin = r->scratch;
    char *out = begin;
    if (!take(r, '"')) return fk_bytes(fail(r, "a string must begin here"), 0);
    while (!take(r, '"')) {
        if (r->p == r->end) return fk_bytes(fail(r, "a string does not end"), 0);
        if (*r->p < 0x20) return fk_bytes(fail(r, "a control character in a string"), 0);
        if (take(r, '\\')) {
            out = unescape(r, out);
            if (out == NULL) return fk_bytes(fail(r, "a malformed escape"), 0);
            continue;
        }
        const size_t len = utf8_len(r->p, r->end);
        if (len == 0) return fk_bytes(fail(r, "malformed UTF-8"), 0);
        memcpy(out, r->p, len);
        out += len;
        r->p += len;
    }
    r->scratch = out;
    return fk_bytes(begin, (size_t)(out - begin));
}

static size_t digits(struct reader *r) {
    const uint8_t *const begin = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
    return (size_t)(r->p - begin);
}

static struct sim_json *read_number(struct reader *r, struct fk_bytes key) {
    const uint8_t *const begin = r->p;
    (void)take(r, '-');
    if (!take(r, '0') && digits(r) == 0) return fail(r, "a malformed value");
    if (take(r, '.') && digits(r) == 0) return fail(r, "a malformed fraction");
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+')) (void)take(r, '-');
        if (digits(r) == 0) return fail(r, "a malformed exponent");
    }
    return make(SIM_JSON_NUMBER, key, fk_bytes(begin, (size_t)(r->p - begin)));
}

static struct sim_json *read_word(struct reader *r, struct fk_bytes key, const char *word,
                                  enum sim_json_type type) {
    const struct fk_bytes text = fk_bytes_str(word);
    if (!fk_bytes_starts(fk_bytes(r->p, (size_t)(r->end - r->p)), word))
        return fail(r, "a malformed value");
    r->p += text.len;
    return make(type, key, type == SIM_JSON_NULL ? fk_bytes_str("") : text);
}

static struct sim_json *read_item(struct reader *r, const struct sim_json *parent, int depth) {
    struct fk_bytes key = fk_bytes("", 0);
    skip_space(r);
    if (parent->type == SIM_JSON_OBJECT) {
        key = read_string(r);
        if (key.p == NULL) return NULL;
        skip_space(r);
        if (!take(r, ':')) return fail(r, "a colon is missing");
        for (const struct sim_json *c = parent->child; c != NULL; c = c->next)
            if (fk_bytes_is(key, c->key)) return fail(r, "a key stands twice");
    }
    return read_value(r, key, depth);
}

static struct sim_json *read_list(struct reader *r, struct fk_bytes key, enum sim_json_type type,
                                  char close, int depth) {
    if (depth == SIM_JSON_DEPTH_MAX) return fail(r, "nested too deep");
    struct sim_json *v = make(type, key, fk_bytes("", 0));
    struct sim_json **link = &v->child;
    r->p++;
    skip_space(r);
    if (take(r, close)) return v;
    for (;;) {
        *link = read_item(r, v, depth + 1);
        if (*link == NULL) break;
        link = &(*link)->next;
        skip_space(r);
        if (take(r, close)) return v;
        if (!take(r, ',')) {
            (void)fail(r, "a comma is missing");
            break;
        }
    }
    sim_json_free(v);
    return NULL;
}

static struct sim_json *read_value(struct reader *r, struct fk_bytes key, int depth) {
    skip_space(r);
    if (r->p == r->end) return fail(r, "the document ends too early");
    switch (*r->p) {
    case '{': return read_list(r, key, SIM_JSON_OBJECT, '}', depth);
    case '[': return read_list(r, key, SIM_JSON_ARRAY, ']', depth);
    case 't': return read_word(r, key, "true", SIM_JSON_BOOL);
    case 'f': return read_word(r, key, "false", SIM_JSON_BOOL);
    case 'n': return read_word(r, key, "null", SIM_JSON_NULL);
    case '"': {
        const struct fk_bytes text = read_string(r);
        return text.p == NULL ? NULL : make(SIM_JSON_STRING, key, text);
    }
    default: return read_number(r, key);
    }
}

struct sim_json *sim_json_parse(struct fk_bytes text, const char **why) {
    char small[512];
    char *const scratch = text.len < sizeof small ? small : malloc(text.len + 1);
    if (scratch == NULL) abort();
    struct reader r = {text.p, text.p + text.len, NULL, scratch};
    struct sim_json *v = read_value(&r, fk_bytes("", 0), 0);
    if (v != NULL) skip_space(&r);
    if (v != NULL && r.p != r.end) {
        (void)fail(&r, "something stands behind the document");
        sim_json_free(v);
        v = NULL;
    }
    if (scratch != small) free(scratch);
    *why = r.why;
    return v;
}
