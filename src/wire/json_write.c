#include "wire/json_write.h"

#include "base/date.h"

void fk_json_init(struct fk_json *j, struct fk_writer *w) { *j = (struct fk_json){.w = w}; }

static void item(struct fk_json *j, const char *key) {
    if (j->more) fk_put_char(j->w, ',');
    j->more = true;
    if (key == NULL) return;
    fk_put_char(j->w, '"');
    fk_put_str(j->w, key);
    fk_put_str(j->w, "\":");
}

static void begin(struct fk_json *j, const char *key, char bracket) {
    item(j, key);
    fk_put_char(j->w, bracket);
    j->more = false;
}

static void end(struct fk_json *j, char bracket) {
    fk_put_char(j->w, bracket);
    j->more = true;
}

void fk_json_object(struct fk_json *j, const char *key) { begin(j, key, '{'); }
void fk_json_object_end(struct fk_json *j) { end(j, '}'); }
void fk_json_array(struct fk_json *j, const char *key) { begin(j, key, '['); }
void fk_json_array_end(struct fk_json *j) { end(j, ']'); }

/* Length of the UTF-8 sequence at the start of b (RFC 3629 §4), 0 when there is none. */
static size_t utf8_len(struct fk_bytes b) {
    const uint8_t c = b.p[0];
    if (c < 0x80) return 1;
    const size_t len = c >= 0xC2 && c <= 0xDF   ? 2
                       : (c & 0xF0) == 0xE0     ? 3
                       : c >= 0xF0 && c <= 0xF4 ? 4
                                                : 0;
    if (len == 0 || b.len < len) return 0;
    for (size_t i = 1; i < len; i++)
        if ((b.p[i] & 0xC0) != 0x80) return 0;
    if (c == 0xE0 && b.p[1] < 0xA0) return 0; /* overlong */
    if (c == 0xED && b.p[1] > 0x9F) return 0; /* surrogate */
    if (c == 0xF0 && b.p[1] < 0x90) return 0;
    if (c == 0xF4 && b.p[1] > 0x8F) return 0; /* past U+10FFFF */
    return len;
}

static void escaped_char(struct fk_writer *w, uint8_t c) {
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"': fk_put_str(w, "\\\""); break;
    case '\\': fk_put_str(w, "\\\\"); break;
    case '\n': fk_put_str(w, "\\n"); break;
    case '\r': fk_put_str(w, "\\r"); break;
    case '\t': fk_put_str(w, "\\t"); break;
    default:
        fk_put_str(w, "\\u00");
        fk_put_char(w, hex[c >> 4]);
        fk_put_char(w, hex[c & 15]);
    }
}

static void escaped(struct fk_writer *w, struct fk_bytes b) {
    while (b.len > 0) {
        size_t len = utf8_len(b);
        if (len == 0) {
            fk_put_str(w, "\xEF\xBF\xBD");
            len = 1;
        } else if (b.p[0] < 0x20 || b.p[0] == '"' || b.p[0] == '\\') {
            escaped_char(w, b.p[0]);
        } else {
            fk_put(w, b.p, len);
        }
        b.p += len;
        b.len -= len;
    }
}

static void quoted(struct fk_writer *w, struct fk_bytes b) {
    fk_put_char(w, '"');
    escaped(w, b);
    fk_put_char(w, '"');
}

void fk_json_bytes(struct fk_json *j, const char *key, struct fk_bytes value) {
    item(j, key);
    quoted(j->w, value);
}

void fk_json_str(struct fk_json *j, const char *key, const char *value) {
    fk_json_bytes(j, key, fk_bytes_str(value));
}

void fk_json_i64(struct fk_json *j, const char *key, int64_t value) {
    item(j, key);
    fk_put_i64(j->w, value);
}

void fk_json_bool(struct fk_json *j, const char *key, bool value) {
    item(j, key);
    fk_put_str(j->w, value ? "true" : "false");
}

void fk_json_member(struct fk_json *j, struct fk_bytes name, struct fk_bytes value) {
    item(j, NULL);
    quoted(j->w, name);
    fk_put_char(j->w, ':');
    quoted(j->w, value);
}

void fk_json_text(struct fk_json *j, const char *key) {
    item(j, key);
    fk_put_char(j->w, '"');
}

void fk_json_text_part(struct fk_json *j, const char *value) { escaped(j->w, fk_bytes_str(value)); }

void fk_json_text_end(struct fk_json *j) { fk_put_char(j->w, '"'); }

void fk_json_time(struct fk_json *j, const char *key, int64_t unix_us) {
    fk_json_text(j, key);
    fk_date_put_seconds(j->w, unix_us);
    fk_json_text_end(j);
}

void fk_json_micro_time(struct fk_json *j, const char *key, int64_t unix_us) {
    fk_json_text(j, key);
    fk_date_put_micros(j->w, unix_us);
    fk_json_text_end(j);
}
