#include "wire/h2_client_head.h"

#include "base/date.h"

#define RETRY_AFTER_MAX_S 86400

/* Decimal digits only; -1 for anything else, `most` for anything larger. */
static int32_t number(struct fk_bytes text, int32_t most) {
    if (text.len == 0) return -1;
    int32_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') return -1;
        if (value <= most) value = value * 10 + (text.p[i] - '0');
    }
    return value < most ? value : most;
}

/* Whether `type` is the media type of a Content-Type: without regard to case and parameters. */
static bool media_is(struct fk_bytes value, const char *type) {
    size_t i = 0;
    for (; i < value.len && type[i] != '\0'; i++) {
        const uint8_t c = value.p[i];
        const uint8_t lower = c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
        if (lower != (uint8_t)type[i]) return false;
    }
    if (type[i] != '\0') return false;
    return i == value.len || value.p[i] == ';' || value.p[i] == ' ' || value.p[i] == '\t';
}

static enum fk_h2_content content_of(struct fk_bytes value) {
    if (media_is(value, "application/vnd.kubernetes.protobuf")) return FK_CONTENT_PROTOBUF;
    if (media_is(value, "application/json")) return FK_CONTENT_JSON;
    if (media_is(value, "text/html")) return FK_CONTENT_HTML;
    return FK_CONTENT_OTHER;
}

void fk_h2_head_take(struct fk_h2_head *head, struct fk_bytes name, struct fk_bytes value) {
    if (fk_bytes_is(name, ":status")) {
        const int32_t status = number(value, 999);
        *head = (struct fk_h2_head){status < 0 ? 0 : status, -1, -1, FK_CONTENT_OTHER};
    } else if (fk_bytes_is(name, "date")) {
        if (fk_date_parse_http(value, &head->date_s) != 0) head->date_s = -1;
    } else if (fk_bytes_is(name, "retry-after")) {
        head->retry_after_s = number(value, RETRY_AFTER_MAX_S);
    } else if (fk_bytes_is(name, "content-type")) {
        head->content = content_of(value);
    }
}
