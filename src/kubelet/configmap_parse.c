#include "kubelet/configmap_parse.h"

#include "base/err.h"
#include "base/log.h"
#include "base/number.h"

enum key { KEY_NONE, KEY_MEMORY_VALUES, KEY_LOG_LEVEL, KEY_LED_BRIGHTNESS, KEY_STATUS_PERIOD };
static const char keys[][sizeof "led_brightness"] = {"memory_values", "log_level", "led_brightness",
                                                     "status_period"};

enum fault {
    FAULT_NONE,
    FAULT_ADDRESS, /* of memory_values: something else stands where this should */
    FAULT_EQUALS,
    FAULT_VALUE,
    FAULT_COMMA,
    FAULT_ADDRESS_BEYOND,
    FAULT_VALUE_BEYOND,
    FAULT_OPTION, /* any other key's value */
};

/* Before or in a number, or behind a value. */
enum state {
    AT_START, /* nothing but white space yet */
    AT_ADDRESS,
    IN_ADDRESS,
    AT_VALUE,
    IN_VALUE,
    AT_COMMA,
};
/* How far the number is: what may follow depends on it. */
enum { DIGITS_NONE, DIGITS_ZERO, DIGITS_X, DIGITS_DECIMAL, DIGITS_HEX };

void fk_configmap_parse_begin(struct fk_configmap_parse *p) {
    p->set = p->fault = p->in = p->state = p->text_len = 0;
    p->memory = false;
    p->options = (struct fk_options){0};
    memset(p->touched, 0, sizeof p->touched);
}

static void append(char *text, size_t cap, uint8_t *len, struct fk_bytes piece) {
    for (size_t i = 0; i < piece.len && *len < cap; i++)
        if (++*len < cap) text[*len - 1] = (char)piece.p[i];
}

/* ---- memory_values ---------------------------------------------------------------------------
 */

static bool is_space(uint8_t c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/* The value of a digit; 16 for what is none. */
static uint8_t digit(uint8_t c) {
    if (c >= '0' && c <= '9') return (uint8_t)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10) : 16;
}

static void begin_number(struct fk_configmap_parse *p, enum state state) {
    p->state = (uint8_t)state;
    p->number = 0;
    p->text_len = DIGITS_NONE;
    p->huge = false;
}

static void add_digit(struct fk_configmap_parse *p, uint8_t value, uint8_t base) {
    p->huge = p->huge || p->number > (UINT32_MAX - value) / base;
    p->number = p->number * base + value;
}

/* The byte belongs to the number, decimal or 0x. */
static bool number_byte(struct fk_configmap_parse *p, uint8_t c) {
    const uint8_t value = digit(c);
    if (p->text_len == DIGITS_ZERO && (c | 0x20) == 'x') {
        p->text_len = DIGITS_X;
    } else if (p->text_len >= DIGITS_X && p->text_len != DIGITS_DECIMAL) {
        if (value > 15) return false;
        p->text_len = DIGITS_HEX;
        add_digit(p, value, 16);
    } else {
        if (value > 9) return false;
        p->text_len = p->text_len == DIGITS_NONE && c == '0' ? DIGITS_ZERO : DIGITS_DECIMAL;
        add_digit(p, value, 10);
    }
    return true;
}

static bool number_complete(const struct fk_configmap_parse *p) {
    return p->text_len != DIGITS_NONE && p->text_len != DIGITS_X;
}

static void address_done(struct fk_configmap_parse *p, uint8_t c) {
    if (!number_complete(p)) p->fault = FAULT_ADDRESS;
    else if (p->huge || p->number >= FK_MEMORY_BYTES) p->fault = FAULT_ADDRESS_BEYOND;
    else if (c != '=') p->fault = FAULT_EQUALS;
    p->address = p->number;
    if (p->fault == 0) begin_number(p, AT_VALUE);
}

static void value_done(struct fk_configmap_parse *p) {
    if (!number_complete(p)) p->fault = FAULT_VALUE;
    else if (p->huge || p->number > UINT8_MAX) p->fault = FAULT_VALUE_BEYOND;
    if (p->fault != 0) return;
    p->staged[p->address] = (uint8_t)p->number;
    p->touched[p->address / 8] |= (uint8_t)(1u << p->address % 8);
    p->state = AT_COMMA;
}

static void comma(struct fk_configmap_parse *p, uint8_t c) {
    if (c == ',') begin_number(p, AT_ADDRESS);
    else if (!is_space(c)) p->fault = FAULT_COMMA;
}

static void memory_byte(struct fk_configmap_parse *p, uint8_t c) {
    p->at++;
    switch (p->state) {
    case AT_START:
    case AT_ADDRESS:
        if (is_space(c)) return;
        if (!number_byte(p, c)) p->fault = FAULT_ADDRESS;
        p->state = IN_ADDRESS;
        return;
    case IN_ADDRESS:
        if (!number_byte(p, c)) address_done(p, c);
        return;
    case AT_VALUE:
        if (!number_byte(p, c)) p->fault = FAULT_VALUE;
        p->state = IN_VALUE;
        return;
    case IN_VALUE:
        if (number_byte(p, c)) return;
        value_done(p);
        if (p->fault == 0) comma(p, c);
        return;
    default: comma(p, c); return;
    }
}

static void memory_end(struct fk_configmap_parse *p) {
    p->at++; /* what is missing would stand behind the last byte */
    if (p->state == IN_VALUE) value_done(p);
    else if (p->state == IN_ADDRESS) address_done(p, ',');
    else if (p->state == AT_VALUE) p->fault = FAULT_VALUE;
    else if (p->state == AT_ADDRESS) p->fault = FAULT_ADDRESS;
    p->memory = true;
}

/* ---- options ---------------------------------------------------------------------------------
 */

/* The value without white space around it (a file's last newline). */
static const char *trim(struct fk_configmap_parse *p) {
    size_t len = p->text_len, from = 0;
    while (len > 0 && is_space((uint8_t)p->value[len - 1])) len--;
    p->value[len] = '\0';
    while (is_space((uint8_t)p->value[from])) from++;
    return p->value + from;
}

static bool log_level(const char *text, struct fk_options *options) {
    static const char levels[][sizeof "error"] = {"error", "warn", "info", "debug"};
    for (uint8_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(text, levels[i]) != 0) continue;
        options->log_level = (uint8_t)(FK_ERROR + i);
        return true;
    }
    return false;
}

static bool led_brightness(const char *text, struct fk_options *options) {
    uint64_t percent = 0;
    if (fk_number_parse(text, 0, 100, &percent) != 0) return false;
    options->led_brightness = (uint8_t)percent;
    return true;
}

/* Milliseconds of one unit of a duration, and its length in *text; 0: there is no such unit. */
static uint32_t unit(const char **text) {
    const char *t = *text;
    *text += t[0] == 'm' && t[1] == 's' ? 2 : 1;
    if (t[0] == 'm') return t[1] == 's' ? 1 : 60000;
    if (t[0] == 's') return 1000;
    return t[0] == 'h' ? 3600000 : 0;
}

/* Seconds ("30"), or a duration as Go writes it in whole numbers ("30s", "1m30s"). */
static bool status_period(const char *text, struct fk_options *options) {
    const char *start = text;
    uint64_t sum_ms = 0;
    do {
        uint32_t count = 0;
        const char *from = text;
        for (; *text >= '0' && *text <= '9' && count < 10000000; text++)
            count = count * 10 + (uint32_t)(*text - '0');
        if (text == from) return false;
        uint32_t unit_ms = 1000;
        if (*text != '\0') unit_ms = unit(&text);
        else if (from != start) return false;
        if (unit_ms == 0) return false;
        sum_ms += (uint64_t)count * unit_ms;
    } while (*text != '\0');
    if (sum_ms < FK_STATUS_PERIOD_MIN_MS || sum_ms > FK_STATUS_PERIOD_MAX_MS) return false;
    options->status_period_ms = (uint32_t)sum_ms;
    return true;
}

static bool take_option(struct fk_configmap_parse *p) {
    if (p->text_len >= sizeof p->value) {
        p->value[sizeof p->value - 1] = '\0';
        return false;
    }
    const char *text = trim(p);
    p->set |= (uint8_t)(1u << (p->in - KEY_LOG_LEVEL));
    if (p->in == KEY_LOG_LEVEL) return log_level(text, &p->options);
    if (p->in == KEY_LED_BRIGHTNESS) return led_brightness(text, &p->options);
    return status_period(text, &p->options);
}

/* ---- keys and values -------------------------------------------------------------------------
 */

bool fk_configmap_parse_key(struct fk_configmap_parse *p, struct fk_bytes piece) {
    if (p->fault != 0) return true;
    append(p->key, sizeof p->key, &p->text_len, piece);
    if (piece.len > 0) return true;
    p->key[p->text_len < sizeof p->key ? p->text_len : sizeof p->key - 1] = '\0';
    p->in = KEY_NONE;
    for (uint8_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(p->key, keys[i]) == 0) p->in = (uint8_t)(KEY_MEMORY_VALUES + i);
    p->text_len = 0;
    p->at = 0;
    if (p->in == KEY_MEMORY_VALUES) begin_number(p, AT_START);
    return p->in != KEY_NONE;
}

void fk_configmap_parse_value(struct fk_configmap_parse *p, struct fk_bytes piece) {
    if (p->in == KEY_MEMORY_VALUES) {
        for (size_t i = 0; i < piece.len && p->fault == 0; i++) memory_byte(p, piece.p[i]);
        if (piece.len == 0 && p->fault == 0) memory_end(p);
    } else if (p->in != KEY_NONE && p->fault == 0) {
        append(p->value, sizeof p->value, &p->text_len, piece);
        if (piece.len == 0 && !take_option(p)) p->fault = FAULT_OPTION;
    }
    if (piece.len > 0 || p->fault != 0) return;
    p->in = KEY_NONE;
    p->text_len = 0;
}

static const char *const expected[] = {
    [FAULT_ADDRESS] = "an address is missing here, as in 0=0x42,1=67",
    [FAULT_EQUALS] = "= is missing here, as in 0=0x42,1=67",
    [FAULT_VALUE] = "a value is missing here, as in 0=0x42,1=67",
    [FAULT_COMMA] = "a comma is missing here, as in 0=0x42,1=67",
    [FAULT_ADDRESS_BEYOND] = "the address",
    [FAULT_VALUE_BEYOND] = "the value",
};

static void put_memory_why(const struct fk_configmap_parse *p, struct fk_writer *why) {
    const bool beyond = p->fault == FAULT_ADDRESS_BEYOND || p->fault == FAULT_VALUE_BEYOND;
    if (!beyond || p->huge) {
        fk_put_str(why, "byte ");
        fk_put_u64(why, p->at);
        fk_put_str(why, ": ");
        fk_put_str(why, expected[p->fault]);
    } else {
        fk_put_str(why, p->fault == FAULT_VALUE_BEYOND ? "value " : "address ");
        fk_put_u64(why, p->number);
    }
    if (p->fault == FAULT_ADDRESS_BEYOND) {
        fk_put_str(why, " is beyond the region of ");
        fk_put_u64(why, FK_MEMORY_BYTES);
        fk_put_str(why, " bytes");
    } else if (p->fault == FAULT_VALUE_BEYOND) {
        fk_put_str(why, " of address ");
        fk_put_u64(why, p->address);
        fk_put_str(why, " is more than 255");
    }
}

static void put_option_why(const struct fk_configmap_parse *p, struct fk_writer *why) {
    fk_put_char(why, '"');
    for (const char *c = p->value; *c != '\0'; c++)
        fk_put_char(why, *c >= ' ' && *c <= '~' ? *c : '?');
    fk_put_str(why, p->text_len >= sizeof p->value ? "...\" " : "\" ");
    if (p->in == KEY_LOG_LEVEL) fk_put_str(why, "is not error, warn, info or debug");
    else if (p->in == KEY_LED_BRIGHTNESS) fk_put_str(why, "is not a number from 0 to 100");
    else fk_put_str(why, "is not a time from 1s to 1h, as 30 or 1m30s");
}

void fk_configmap_parse_why(const struct fk_configmap_parse *p, struct fk_writer *why) {
    fk_put_str(why, p->key);
    fk_put_str(why, ": ");
    if (p->fault == FAULT_OPTION) put_option_why(p, why);
    else put_memory_why(p, why);
}

void fk_configmap_parse_commit(const struct fk_configmap_parse *p, uint8_t *memory) {
    if (!p->memory) return;
    for (size_t i = 0; i < FK_MEMORY_BYTES; i++)
        if ((p->touched[i / 8] >> i % 8 & 1) != 0) memory[i] = p->staged[i];
}
