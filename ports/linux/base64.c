#include "linux/base64.h"

#include "base/err.h"

static int value_of(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

/* Four characters to `bytes` bytes (1 to 3); the bits behind them must be zero. */
static bool group(const uint8_t *p, size_t bytes, uint8_t *out) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        const int value = i <= bytes ? value_of(p[i]) : 0;
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < bytes; i++) out[i] = (uint8_t)(bits >> (16 - 8 * i) & 0xFF);
    return bytes == 3 || (bits & ((1u << (24 - 8 * bytes)) - 1)) == 0;
}

long fk_base64_decode(struct fk_bytes text, uint8_t *out) {
    while (text.len > 0 && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
        text.len--;
    if (text.len % 4 != 0) return FK_E_PARSE;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i += 4) {
        const uint8_t *p = text.p + i;
        size_t bytes = 3;
        if (i + 4 == text.len && p[3] == '=') bytes = p[2] == '=' ? 1 : 2;
        if (!group(p, bytes, out + len)) return FK_E_PARSE;
        len += bytes;
    }
    return (long)len;
}
