#include "base/log_text.h"

#include <string.h>

static bool plain(const char *text) {
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7F || strchr("\"\\=", *p) != NULL)
            return false;
    return *text != '\0';
}

/* Printable bytes as they are, the others as \n or \x1b: a terminal obeys none of them, and a line
 * stays one line. */
static void put_escaped(struct fk_writer *w, const char *text) {
    static const char hex[] = "0123456789abcdef";
    for (const char *p = text; *p != '\0'; p++) {
        const unsigned char c = (unsigned char)*p;
        if (c >= ' ' && c < 0x7F && c != '"' && c != '\\') {
            fk_put_char(w, *p);
            continue;
        }
        fk_put_char(w, '\\');
        if (c == '"' || c == '\\') {
            fk_put_char(w, *p);
        } else if (c == '\n' || c == '\t' || c == '\r') {
            fk_put_char(w, c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        } else {
            fk_put_char(w, 'x');
            fk_put_char(w, hex[c >> 4]);
            fk_put_char(w, hex[c & 15]);
        }
    }
}

void fk_log_put_pair(struct fk_writer *w, const struct fk_kv *kv) {
    fk_put_char(w, ' ');
    fk_put_str(w, kv->key);
    fk_put_char(w, '=');
    if (kv->str == NULL) {
        fk_put_i64(w, kv->num);
    } else if (plain(kv->str)) {
        fk_put_str(w, kv->str);
    } else {
        fk_put_char(w, '"');
        put_escaped(w, kv->str);
        fk_put_char(w, '"');
    }
}

void fk_log_put_pairs(struct fk_writer *w, const struct fk_kv *kvs, size_t count) {
    for (size_t i = 0; i < count && w->err == 0; i++) {
        if (kvs[i].str != NULL && *kvs[i].str == '\0') continue;
        const struct fk_writer before = *w;
        fk_log_put_pair(w, &kvs[i]);
        if (w->err != 0) *w = before;
    }
}
