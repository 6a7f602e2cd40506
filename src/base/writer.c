#include "base/writer.h"

#include "base/assert.h"
#include "base/err.h"

void fk_writer_init(struct fk_writer *w, char *buf, size_t cap) {
    *w = (struct fk_writer){.buf = buf, .cap = cap};
}

void fk_writer_window(struct fk_writer *w, char *buf, size_t cap, size_t skip) {
    *w = (struct fk_writer){.buf = buf, .cap = cap, .skip = skip, .windowed = true};
}

size_t fk_writer_kept(const struct fk_writer *w) {
    if (w->len <= w->skip) return 0;
    const size_t kept = w->len - w->skip;
    return kept < w->cap ? kept : w->cap;
}

void fk_put(struct fk_writer *w, const void *bytes, size_t len) {
    if (len == 0) return; /* an empty view may have no address to count from */
    const char *from = bytes;
    size_t rest = len;
    if (w->len < w->skip) { /* what lies before the window */
        const size_t before = w->skip - w->len < rest ? w->skip - w->len : rest;
        w->len += before;
        from += before;
        rest -= before;
    }
    if (rest == 0) return;
    const size_t at = w->len - w->skip;
    const size_t room = at < w->cap ? w->cap - at : 0;
    const size_t keep = rest < room ? rest : room;
    if (keep > 0) memcpy(w->buf + at, from, keep);
    w->len += rest;
    if (keep < rest && !w->windowed && w->err == 0) w->err = FK_E_NOMEM;
}

void fk_put_char(struct fk_writer *w, char c) { fk_put(w, &c, 1); }

void fk_put_str(struct fk_writer *w, const char *s) { fk_put(w, s, strlen(s)); }

void fk_put_cut(struct fk_writer *w, const char *s, size_t max) {
    const size_t len = strlen(s);
    fk_put(w, s, len < max ? len : max);
    if (len > max) fk_put_str(w, "...");
}

void fk_put_padded(struct fk_writer *w, uint64_t value, unsigned digits) {
    char text[20];
    unsigned at = sizeof text;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (sizeof text - at < digits && at > 0) text[--at] = '0';
    fk_put(w, text + at, sizeof text - at);
}

void fk_put_u64(struct fk_writer *w, uint64_t value) { fk_put_padded(w, value, 1); }

void fk_put_i64(struct fk_writer *w, int64_t value) {
    if (value < 0) fk_put_char(w, '-');
    fk_put_u64(w, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

int fk_writer_finish(struct fk_writer *w) {
    FK_ASSERT(w->cap > 0 && !w->windowed);
    if (w->len >= w->cap && w->err == 0) w->err = FK_E_NOMEM;
    w->buf[w->len < w->cap ? w->len : w->cap - 1] = '\0';
    return w->err;
}
