#include "api/server_url.h"

#include "base/err.h"
#include "base/number.h"

#define QUOTED_MAX 64 /* bytes of a URL in a message: the rule behind it must stay readable */

/* ---- names and addresses ----------------------------------------------------------------------
 */

static bool digit(uint8_t c) { return c >= '0' && c <= '9'; }
static bool hex_digit(uint8_t c) {
    return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Letters, digits, '-', '_' and single dots; so an IPv4 address is one, too. */
static bool is_name(struct fk_bytes text) {
    if (text.len == 0 || text.len > FK_HOST_MAX) return false;
    if (text.p[0] == '.' || text.p[0] == '-') return false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.p[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !digit(c) && c != '-' && c != '_' && c != '.') return false;
        if (c == '.' && i + 1 < text.len && text.p[i + 1] == '.') return false;
    }
    return true;
}

/* Four numbers up to 255 without leading zeros. */
static bool is_ipv4(struct fk_bytes text) {
    size_t i = 0;
    for (int part = 0; part < 4; part++) {
        unsigned value = 0;
        if (part > 0 && (i >= text.len || text.p[i++] != '.')) return false;
        const size_t start = i;
        for (; i < text.len && digit(text.p[i]) && i - start < 3; i++)
            value = value * 10 + text.p[i] - '0';
        if (i == start || value > 255 || (i - start > 1 && text.p[start] == '0')) return false;
    }
    return i == text.len;
}

/* Eight groups, the last two perhaps as IPv4, or fewer and one "::". */
static bool is_ipv6(struct fk_bytes text) {
    unsigned groups = 0;
    bool gap = text.len >= 2 && text.p[0] == ':' && text.p[1] == ':';
    size_t i = gap ? 2 : 0;
    while (i < text.len) {
        const size_t start = i;
        while (i < text.len && hex_digit(text.p[i]) && i - start < 4) i++;
        if (i == start) return false;
        if (i < text.len && text.p[i] == '.') {
            if (!is_ipv4(fk_bytes(text.p + start, text.len - start))) return false;
            groups += 2;
            break;
        }
        groups++;
        if (i == text.len) break;
        if (text.p[i++] != ':' || i == text.len) return false;
        if (text.p[i] != ':') continue;
        if (gap) return false;
        gap = true;
        i++;
    }
    return gap ? groups < 8 : groups == 8;
}

bool fk_server_url_name_valid(struct fk_bytes name) { return is_name(name) || is_ipv6(name); }

/* ---- the URL ----------------------------------------------------------------------------------
 */

static int refuse(struct fk_writer *why, struct fk_bytes url, const char *rule) {
    fk_put_char(why, '"');
    fk_put(why, url.p, url.len < QUOTED_MAX ? url.len : QUOTED_MAX);
    if (url.len > QUOTED_MAX) fk_put_str(why, "...");
    fk_put_str(why, rule);
    return FK_E_CONFIG;
}

static size_t length_until(struct fk_bytes text, const char *set) {
    size_t len = 0;
    while (len < text.len && strchr(set, text.p[len]) == NULL) len++;
    return len;
}

static struct fk_bytes behind(struct fk_bytes text, size_t len) {
    return fk_bytes(text.p + len, text.len - len);
}

static bool take_host(struct fk_server_url *out, struct fk_bytes *rest) {
    out->bracketed = fk_bytes_starts(*rest, "[");
    if (out->bracketed) *rest = behind(*rest, 1);
    out->host = fk_bytes(rest->p, length_until(*rest, out->bracketed ? "]" : ":/?#"));
    *rest = behind(*rest, out->host.len);
    if (!out->bracketed) return is_name(out->host);
    if (!fk_bytes_starts(*rest, "]")) return false;
    *rest = behind(*rest, 1);
    return is_ipv6(out->host);
}

static int take_port(struct fk_server_url *out, struct fk_bytes *rest) {
    char text[8] = "";
    uint64_t number = 443;
    int err = 0;
    if (fk_bytes_starts(*rest, ":")) {
        *rest = behind(*rest, 1);
        const size_t len = length_until(*rest, "/?#");
        if (len >= sizeof text) return FK_E_RANGE;
        memcpy(text, rest->p, len);
        *rest = behind(*rest, len);
        if (len > 0) err = fk_number_parse(text, 1, 65535, &number);
    }
    out->port = (uint16_t)number;
    return err;
}

int fk_server_url_parse(struct fk_server_url *out, struct fk_bytes url, struct fk_writer *why) {
    static const char scheme[] = "https://";
    if (url.len > 0 && memchr(url.p, '@', url.len) != NULL) {
        fk_put_str(why, "a user name in the URL is not supported; remove it");
        return FK_E_CONFIG;
    }
    if (fk_bytes_starts(url, "http://"))
        return refuse(why, url, "\": http proves nobody's identity; use https");
    if (!fk_bytes_starts(url, scheme))
        return refuse(why, url, "\" must be of the form https://host:port");
    struct fk_bytes rest = behind(url, sizeof scheme - 1);
    if (!take_host(out, &rest))
        return refuse(why, url, "\": no DNS name or IP address ([…] around IPv6) in it");
    if (take_port(out, &rest) != 0)
        return refuse(why, url, "\": the port must be a number from 1 to 65535");
    if (rest.len != 0 && !fk_bytes_is(rest, "/"))
        return refuse(why, url,
                      "\": nothing may follow the port; a path before /api is not supported");
    return 0;
}

void fk_server_url_put_authority(const struct fk_server_url *url, struct fk_writer *out) {
    if (url->bracketed) fk_put_char(out, '[');
    fk_put(out, url->host.p, url->host.len);
    fk_put_str(out, url->bracketed ? "]:" : ":");
    fk_put_u64(out, url->port);
}
