/* What wire/http1_server takes for a path, and the parameters of a query. */
#include "base/err.h"
#include "wire/http1_internal.h"

bool fk_http1_is(uint8_t c, const char *others) {
    const uint8_t letter = fk_http1_lower(c);
    if ((letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9')) return true;
    return c != '\0' && strchr(others, c) != NULL;
}

uint8_t fk_http1_lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; }

int fk_http1_hex(uint8_t c) {
    const uint8_t letter = fk_http1_lower(c);
    if (c >= '0' && c <= '9') return c - '0';
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* The byte that "%41" stands for; -1: malformed. */
static int decoded(const char *at) {
    const int high = fk_http1_hex((uint8_t)at[1]);
    const int low = high < 0 ? -1 : fk_http1_hex((uint8_t)at[2]);
    return low < 0 ? -1 : high << 4 | low;
}

/* pchar of RFC 3986 but for letters, digits and the percent sign; and what is between them. */
#define PATH_MARKS "-._~!$&'()*+,;=:@/"

/* Neither empty amid a path nor "." nor "..". */
static bool segment_is_plain(const char *at) {
    if (*at == '/') return false;
    if (*at != '.') return true;
    at += at[1] == '.' ? 2 : 1;
    return *at != '/' && *at != '\0';
}

/* A path that can be compared as it stands: one spelling each. */
static bool plain(const char *path) {
    for (const char *c = path; *c != '\0'; c++) {
        if (*c == '%') {
            const int byte = decoded(c);
            if (byte < ' ' || byte == '.' || byte == '/' || byte == '\\' || byte == 0x7f)
                return false;
        } else if (!fk_http1_is((uint8_t)*c, PATH_MARKS)) return false;
        if (*c == '/' && !segment_is_plain(c + 1)) return false;
    }
    return true;
}

static bool query_is_plain(const char *query) {
    for (const char *c = query; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || *c == '#') return false;
    return true;
}

/* The path of "http://host/path", NULL: this is none. */
static char *behind_authority(char *target) {
    char *at = target;
    if (strncmp(at, "http", 4) != 0) return NULL;
    at += at[4] == 's' ? 5 : 4;
    if (strncmp(at, "://", 3) != 0) return NULL;
    char *const host = at + 3;
    for (at = host; *at != '\0' && *at != '/' && *at != '?'; at++)
        if (*at == '@' || *at == '#') return NULL;
    return at == host ? NULL : at;
}

bool fk_http1_split(char *target, const char **path, const char **query) {
    char *at = target[0] == '/' ? target : behind_authority(target);
    if (at == NULL) return false;
    char *mark = strchr(at, '?');
    if (mark != NULL) {
        *mark = '\0';
        *query = mark + 1;
    }
    *path = at[0] == '\0' ? "/" : at;
    return plain(*path) && query_is_plain(*query);
}

static const char *find(const char *query, const char *name) {
    const size_t len = strlen(name);
    for (const char *at = query; at != NULL; at = strchr(at, '&')) {
        if (*at == '&') at++;
        if (strncmp(at, name, len) != 0) continue;
        if (at[len] == '=') return at + len + 1;
        if (at[len] == '&' || at[len] == '\0') return at + len;
    }
    return NULL;
}

int fk_http1_query(const char *query, const char *name, char *out, size_t cap) {
    const char *at = find(query, name);
    if (at == NULL) return -1;
    size_t len = 0;
    for (; *at != '\0' && *at != '&'; at++) {
        int byte = *at == '+' ? ' ' : *at;
        if (*at == '%') {
            byte = decoded(at);
            at += 2;
        }
        if (byte <= 0) return FK_E_PARSE;
        if (len + 1 >= cap) return FK_E_RANGE;
        out[len++] = (char)byte;
    }
    if (len >= cap) return FK_E_RANGE;
    out[len] = '\0';
    return (int)len;
}
