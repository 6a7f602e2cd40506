#include "api/jwt.h"

#define LAST_UNIX_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define NO_MATCH UINT8_MAX

/* Where in the claims we are; only what stands outside of strings moves it on. */
enum place { ELSEWHERE, BEHIND_KEY, BEHIND_COLON, IN_NUMBER };

struct claims {
    int64_t value;  /* the number being read */
    int64_t expiry; /* the soonest so far, -1: none */
    uint32_t depth; /* of braces and brackets */
    uint8_t place;
    uint8_t matched; /* bytes of "exp" that the string began with */
    bool in_string, escaped;
};

static const char key[] = "exp";
#define KEY_LEN (sizeof key - 1)

static void string_byte(struct claims *c, char byte) {
    if (c->escaped) {
        c->escaped = false;
        c->matched = NO_MATCH;
    } else if (byte == '\\') {
        c->escaped = true;
    } else if (byte == '"') {
        c->in_string = false;
        c->place = c->depth == 1 && c->matched == KEY_LEN ? BEHIND_KEY : ELSEWHERE;
    } else {
        const bool fits = c->matched < KEY_LEN && byte == key[c->matched];
        c->matched = fits ? (uint8_t)(c->matched + 1) : NO_MATCH;
    }
}

static void digit(struct claims *c, char byte) {
    if (c->place == BEHIND_COLON) {
        c->place = IN_NUMBER;
        c->value = 0;
    }
    if (c->place != IN_NUMBER) return;
    c->value = c->value * 10 + (byte - '0');
    if (c->value > LAST_UNIX_S) c->place = ELSEWHERE;
}

/* What follows the whole seconds (a fraction, an exponent) does not matter: sooner is as good. */
static void number_ends(struct claims *c) {
    if (c->place != IN_NUMBER) return;
    if (c->expiry < 0 || c->value < c->expiry) c->expiry = c->value;
    c->place = ELSEWHERE;
}

static void claims_byte(struct claims *c, char byte) {
    if (c->in_string) {
        string_byte(c, byte);
        return;
    }
    if (byte >= '0' && byte <= '9') {
        digit(c, byte);
        return;
    }
    number_ends(c);
    if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') return;
    const bool colon = byte == ':' && c->place == BEHIND_KEY;
    c->place = colon ? BEHIND_COLON : ELSEWHERE;
    if (byte == '"') {
        c->in_string = true;
        c->matched = 0;
    }
    if (byte == '{' || byte == '[') c->depth++;
    if ((byte == '}' || byte == ']') && c->depth > 0) c->depth--;
}

/* RFC 4648 §5; -1: none of its letters. */
static int base64url(uint8_t letter) {
    if (letter >= 'A' && letter <= 'Z') return letter - 'A';
    if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9') return letter - '0' + 52;
    if (letter == '-') return 62;
    return letter == '_' ? 63 : -1;
}

int64_t fk_jwt_expiry(struct fk_bytes token) {
    struct claims c = {.expiry = -1};
    uint32_t bits = 0;
    unsigned count = 0, dots = 0;
    for (size_t i = 0; i < token.len && dots < 2; i++) {
        if (token.p[i] == '.') dots++;
        if (dots != 1 || token.p[i] == '.') continue;
        const int six = base64url(token.p[i]);
        if (six < 0) return -1;
        bits = (bits << 6 | (uint32_t)six) & 0xFFFu;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        claims_byte(&c, (char)(bits >> count & 0xFFu));
    }
    return dots == 2 ? c.expiry : -1;
}
