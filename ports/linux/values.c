#include "linux/values.h"

#include "kubelet/config_text.h"

#define DURATION_MAX_NS (UINT64_C(10000) * 3600 * 1000000000)

/* ---- durations ------------------------------------------------------------------------------- */

static bool digit(char c) { return c >= '0' && c <= '9'; }

struct unit {
    const char *name;
    uint64_t ns;
};

/* Longer names first: "ms" before "m". Both signs that Unicode has for micro, as in Go. */
static const struct unit units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xC2\xB5s", 1000},
    {"\xCE\xBCs", 1000},
    {"ms", 1000000},
    {"s", UINT64_C(1000000000)},
    {"m", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
};

static const struct unit *unit_at(const char *text) {
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strncmp(text, units[i].name, strlen(units[i].name)) == 0) return &units[i];
    return NULL;
}

/* "1.25" as whole and billionths; digits beyond those do not count. */
struct decimal {
    uint64_t whole, nano;
};

static const char *decimal_at(const char *p, struct decimal *d, int *err) {
    *d = (struct decimal){0, 0};
    bool any = false;
    for (; digit(*p); p++) {
        any = true;
        d->whole = d->whole * 10 + (uint64_t)(*p - '0');
        if (d->whole <= DURATION_MAX_NS) continue;
        *err = FK_E_RANGE;
        d->whole = 0; /* so that it cannot wrap */
    }
    if (*p == '.') {
        uint64_t place = 100000000;
        for (p++; digit(*p); p++) {
            d->nano += (uint64_t)(*p - '0') * place;
            place /= 10;
            any = true;
        }
    }
    if (!any) *err = FK_E_PARSE;
    return p;
}

/* A fraction of a unit: nano is below 10^9 and an hour is 3.6 x 10^12 ns, so split the product. */
static uint64_t fraction_ns(uint64_t nano, uint64_t unit_ns) {
    return unit_ns >= 1000000000 ? nano * (unit_ns / 1000000000) : nano * unit_ns / 1000000000;
}

int fk_duration_parse(const char *text, uint64_t *ms) {
    uint64_t sum_ns = 0;
    int err = *text == '\0' ? FK_E_PARSE : 0;
    if (strcmp(text, "0") == 0) text++;
    while (*text != '\0' && err == 0) {
        struct decimal d;
        text = decimal_at(text, &d, &err);
        const struct unit *unit = unit_at(text);
        if (unit == NULL) return FK_E_PARSE;
        if (err != 0) return err;
        text += strlen(unit->name);
        if (d.whole > DURATION_MAX_NS / unit->ns) return FK_E_RANGE;
        sum_ns += d.whole * unit->ns + fraction_ns(d.nano, unit->ns);
        if (sum_ns > DURATION_MAX_NS) return FK_E_RANGE;
    }
    if (err == 0) *ms = sum_ns / 1000000;
    return err;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* A zero behind a part of text, where a separator, a space or the end is. */
static const char *terminated(char *text, struct fk_bytes part) {
    if (part.p == NULL) return "";
    char *start = text + (part.p - (const uint8_t *)text);
    start[part.len] = '\0';
    return start;
}

int fk_pairs_parse(char *text, struct fk_pair *pairs, size_t cap, size_t *count) {
    struct fk_bytes list = fk_bytes_str(text), item, part[2];
    while (fk_config_text_item(&list, &item)) {
        if (fk_config_text_pair(item, part) != 0) return FK_E_PARSE;
        if (*count >= cap) return FK_E_RANGE;
        pairs[(*count)++] = (struct fk_pair){terminated(text, part[0]), terminated(text, part[1])};
    }
    return 0;
}

int fk_taints_parse(char *text, struct fk_taint *taints, size_t cap, size_t *count) {
    struct fk_bytes list = fk_bytes_str(text), item, part[3];
    while (fk_config_text_item(&list, &item)) {
        if (fk_config_text_taint(item, part) != 0) return FK_E_PARSE;
        if (*count >= cap) return FK_E_RANGE;
        taints[(*count)++] = (struct fk_taint){terminated(text, part[0]), terminated(text, part[1]),
                                               terminated(text, part[2])};
    }
    return 0;
}
