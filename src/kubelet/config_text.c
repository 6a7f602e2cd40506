#include "kubelet/config_text.h"

#include "base/err.h"

static bool is_space(uint8_t c) { return c == ' ' || c == '\t'; }

static struct fk_bytes trimmed(struct fk_bytes text) {
    for (; text.len > 0 && is_space(text.p[0]); text.p++) text.len--;
    while (text.len > 0 && is_space(text.p[text.len - 1])) text.len--;
    return text;
}

/* Cuts text before the first c; false when there is none. */
static bool cut(struct fk_bytes *text, char c, struct fk_bytes *after) {
    const uint8_t *at = text->len == 0 ? NULL : memchr(text->p, c, text->len);
    if (at == NULL) return false;
    const size_t before = (size_t)(at - text->p);
    *after = fk_bytes(at + 1, text->len - before - 1);
    text->len = before;
    return true;
}

bool fk_config_text_item(struct fk_bytes *list, struct fk_bytes *item) {
    while (list->len > 0) {
        struct fk_bytes rest = fk_bytes(NULL, 0);
        *item = *list;
        (void)cut(item, ',', &rest);
        *list = rest;
        *item = trimmed(*item);
        if (item->len > 0) return true;
    }
    return false;
}

int fk_config_text_pair(struct fk_bytes item, struct fk_bytes parts[2]) {
    if (!cut(&item, '=', &parts[1])) return FK_E_PARSE;
    parts[0] = trimmed(item);
    parts[1] = trimmed(parts[1]);
    return parts[0].len == 0 ? FK_E_PARSE : 0;
}

int fk_config_text_taint(struct fk_bytes item, struct fk_bytes parts[3]) {
    if (!cut(&item, ':', &parts[2])) return FK_E_PARSE;
    parts[1] = fk_bytes(NULL, 0);
    (void)cut(&item, '=', &parts[1]);
    parts[0] = item;
    return parts[0].len == 0 || parts[2].len == 0 ? FK_E_PARSE : 0;
}
