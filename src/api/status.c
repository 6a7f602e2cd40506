#include "api/status.h"

#define RETRY_AFTER_MAX_S 86400

/* Status in k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto */
enum { PATH_MESSAGE, PATH_REASON, PATH_RETRY_AFTER, PATH_COUNT };
static const struct fk_pb_path paths[PATH_COUNT] = {
    [PATH_MESSAGE] = {{3}, true},
    [PATH_REASON] = {{4}, false},
    [PATH_RETRY_AFTER] = {{5, 5}, false},
};

/* In the order of enum fk_reason; an array of arrays needs no relocation. */
static const char reason_names[][sizeof "ServiceUnavailable"] = {
    "Unauthorized",       "Forbidden",     "NotFound", "AlreadyExists",
    "Conflict",           "Gone",          "Expired",  "Invalid",
    "TooManyRequests",    "ServerTimeout", "Timeout",  "InternalError",
    "ServiceUnavailable",
};

/* struct fk_status_reader.text */
enum { TEXT_BEFORE, TEXT_IN, TEXT_ESCAPED, TEXT_PAST };

static enum fk_reason reason_of(struct fk_bytes name) {
    if (name.len == 0) return FK_REASON_NONE;
    for (size_t i = 0; i < sizeof reason_names / sizeof reason_names[0]; i++)
        if (fk_bytes_is(name, reason_names[i])) return FK_REASON_UNAUTHORIZED + (enum fk_reason)i;
    return FK_REASON_OTHER;
}

enum fk_verdict fk_status_verdict(int status, enum fk_reason reason) {
    if (status < 100) return FK_VERDICT_RETRY; /* no answer */
    if (status >= 200 && status < 300) return FK_VERDICT_OK;
    if (status >= 500) return FK_VERDICT_RETRY;
    switch (status) {
    case 401:
    case 403: return FK_VERDICT_REFUSED;
    case 404: return FK_VERDICT_ABSENT;
    case 408:
    case 429: return FK_VERDICT_RETRY;
    case 409: return reason == FK_REASON_ALREADY_EXISTS ? FK_VERDICT_EXISTS : FK_VERDICT_CONFLICT;
    case 410: return FK_VERDICT_STALE;
    default: return FK_VERDICT_REJECTED;
    }
}

/* White space of any length becomes one space between words. */
static void put(struct fk_status_reader *r, uint8_t byte) {
    if (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') {
        r->space = r->message_len > 0;
        return;
    }
    if (r->message_len + (r->space ? 2u : 1u) >= FK_MESSAGE_MAX) return;
    if (r->space) r->message[r->message_len++] = ' ';
    r->message[r->message_len++] = byte > ' ' && byte <= '~' ? (char)byte : '?';
    r->message[r->message_len] = '\0';
    r->space = false;
}

static void put_str(struct fk_status_reader *r, const char *s) {
    while (*s != '\0') put(r, (uint8_t)*s++);
}

static void clear(struct fk_status_reader *r) {
    r->message_len = 0;
    r->message[0] = '\0';
    r->space = false;
}

static void leaf(void *ctx, size_t path, struct fk_bytes bytes) {
    struct fk_status_reader *r = ctx;
    if (path == PATH_REASON) r->reason = reason_of(bytes);
    if (path != PATH_MESSAGE) return;
    clear(r);
    for (size_t i = 0; i < bytes.len; i++) put(r, bytes.p[i]);
}

static void varint(void *ctx, size_t path, uint64_t value) {
    struct fk_status_reader *r = ctx;
    if (path != PATH_RETRY_AFTER) return;
    if (value == 0 || value > INT32_MAX) return; /* 0 is written for none; -1 is larger */
    r->retry_after_s = value < RETRY_AFTER_MAX_S ? (int32_t)value : RETRY_AFTER_MAX_S;
}

static const struct fk_pb_visitor visitor = {paths, PATH_COUNT, leaf, varint};

void fk_status_begin(struct fk_status_reader *r, enum fk_h2_content content) {
    fk_pb_begin(&r->pb, true, &visitor, r);
    r->seen = 0;
    r->reason = FK_REASON_NONE;
    r->retry_after_s = -1;
    r->content = (uint8_t)content;
    r->matched = 0;
    r->text = TEXT_BEFORE;
    clear(r);
    if (content == FK_CONTENT_HTML) put_str(r, "an HTML page, not an API answer");
}

/* The byte belongs to the marker's beginning, or ends the match. That restarting looks only at the
 * marker's first byte is right for both markers, which hold it nowhere but at a name's end. */
static void seek(struct fk_status_reader *r, uint8_t byte, const char *marker) {
    if (byte == (uint8_t)marker[r->matched]) r->matched++;
    else r->matched = byte == (uint8_t)marker[0] ? 1 : 0;
    if (marker[r->matched] != '\0') return;
    r->text = TEXT_IN;
    if (r->content == FK_CONTENT_HTML) put_str(r, ": ");
    else clear(r);
}

static void html_byte(struct fk_status_reader *r, uint8_t byte) {
    const uint8_t lower = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
    if (r->text == TEXT_BEFORE) seek(r, lower, "<title>");
    else if (byte == '<') r->text = TEXT_PAST;
    else if (r->text == TEXT_IN) put(r, byte);
}

/* Only what Go's encoder escapes in readable text is undone; \u003c stays as "u003c". */
static void json_byte(struct fk_status_reader *r, uint8_t byte) {
    if (r->text == TEXT_BEFORE) {
        put(r, byte);
        if (byte != ' ') seek(r, byte, "\"message\":\""); /* a client like curl gets it spaced */
    } else if (r->text == TEXT_ESCAPED) {
        put(r, byte == 'n' || byte == 'r' || byte == 't' ? ' ' : byte);
        r->text = TEXT_IN;
    } else if (r->text == TEXT_IN && byte == '\\') {
        r->text = TEXT_ESCAPED;
    } else if (r->text == TEXT_IN && byte == '"') {
        r->text = TEXT_PAST;
    } else if (r->text == TEXT_IN) {
        put(r, byte);
    }
}

void fk_status_feed(struct fk_status_reader *r, struct fk_bytes piece) {
    r->seen += (uint32_t)piece.len;
    if (r->content == FK_CONTENT_PROTOBUF) {
        (void)fk_pb_feed(&r->pb, piece); /* malformed: what was read so far is all there is */
        return;
    }
    for (size_t i = 0; i < piece.len; i++) {
        if (r->content == FK_CONTENT_HTML) html_byte(r, piece.p[i]);
        else if (r->content == FK_CONTENT_JSON) json_byte(r, piece.p[i]);
        else put(r, piece.p[i]);
    }
}
