#include "wire/prometheus.h"

void fk_prom_init(struct fk_prom *p, struct fk_writer *w) { *p = (struct fk_prom){.w = w}; }

/* ---- numbers ------------------------------------------------------------------------------------
 */

#define NINE_DIGITS 1000000000u

/* Two digits of a 64-bit value at a time would do as well; what matters is that a small core
 * divides 64-bit numbers rarely: it has no instruction for them. */
static unsigned digits_before(char *end, uint32_t value, unsigned least) {
    unsigned count = 0;
    for (; value != 0 || count < least; value /= 10) {
        count++;
        *(end - count) = (char)('0' + value % 10);
    }
    return count;
}

static void put_number(struct fk_writer *w, uint64_t value) {
    char text[27];
    char *const end = text + sizeof text;
    unsigned count = 0;
    while (value > UINT32_MAX) {
        const uint64_t rest = value / NINE_DIGITS;
        count += digits_before(end - count, (uint32_t)(value - rest * NINE_DIGITS), 9);
        value = rest;
    }
    count += digits_before(end - count, (uint32_t)value, 1);
    fk_put(w, end - count, count);
}

static void put_decimal(struct fk_writer *w, uint64_t value, unsigned digits) {
    uint32_t unit = 1;
    for (unsigned i = 0; i < digits; i++) unit *= 10;
    const uint64_t whole = value <= UINT32_MAX ? (uint32_t)value / unit : value / unit;
    uint32_t part = (uint32_t)(value - whole * unit);
    put_number(w, whole);
    if (part == 0) return;
    for (; part % 10 == 0; digits--) part /= 10;
    char text[9];
    (void)digits_before(text + digits, part, digits);
    fk_put_char(w, '.');
    fk_put(w, text, digits);
}

/* ---- families -----------------------------------------------------------------------------------
 */

static void comment(struct fk_writer *w, const char *kind, const char *name, const char *text) {
    fk_put_str(w, kind);
    fk_put_str(w, name);
    fk_put_char(w, ' ');
    fk_put_str(w, text);
    fk_put_char(w, '\n');
}

static void family(struct fk_prom *p, const char *name, const char *help, const char *type) {
    comment(p->w, "# HELP ", name, help);
    comment(p->w, "# TYPE ", name, type);
    fk_prom_again(p, name);
}

void fk_prom_counter(struct fk_prom *p, const char *name, const char *help) {
    family(p, name, help, "counter");
}
void fk_prom_gauge(struct fk_prom *p, const char *name, const char *help) {
    family(p, name, help, "gauge");
}
void fk_prom_histogram(struct fk_prom *p, const char *name, const char *help) {
    family(p, name, help, "histogram");
}

void fk_prom_again(struct fk_prom *p, const char *name) {
    p->name = name;
    p->suffix = "";
    p->labelled = false;
}

/* ---- samples ------------------------------------------------------------------------------------
 */

static void put_name(struct fk_prom *p) {
    fk_put_str(p->w, p->name);
    fk_put_str(p->w, p->suffix);
}

/* The name and {a="b"," so far. */
static void begin_label(struct fk_prom *p, const char *name) {
    if (!p->labelled) put_name(p);
    fk_put_char(p->w, p->labelled ? ',' : '{');
    p->labelled = true;
    fk_put_str(p->w, name);
    fk_put_str(p->w, "=\"");
}

static bool plain(uint8_t c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

static void put_escaped(struct fk_writer *w, uint8_t c) {
    switch (c) {
    case '\n': fk_put_str(w, "\\n"); break;
    case '"': fk_put_str(w, "\\\""); break;
    case '\\': fk_put_str(w, "\\\\"); break;
    default: fk_put_char(w, '?');
    }
}

void fk_prom_label_bytes(struct fk_prom *p, const char *name, struct fk_bytes value) {
    begin_label(p, name);
    while (value.len > 0) {
        size_t run = 0;
        while (run < value.len && plain(value.p[run])) run++;
        fk_put(p->w, value.p, run);
        if (run < value.len) put_escaped(p->w, value.p[run++]);
        value.p += run;
        value.len -= run;
    }
    fk_put_char(p->w, '"');
}

void fk_prom_label(struct fk_prom *p, const char *name, const char *value) {
    fk_prom_label_bytes(p, name, fk_bytes_str(value));
}

void fk_prom_decimal(struct fk_prom *p, uint64_t value, unsigned digits) {
    if (p->labelled) fk_put_char(p->w, '}');
    else put_name(p);
    p->labelled = false;
    fk_put_char(p->w, ' ');
    put_decimal(p->w, value, digits);
    if (p->at_ms > 0) {
        fk_put_char(p->w, ' ');
        put_number(p->w, (uint64_t)p->at_ms);
    }
    fk_put_char(p->w, '\n');
}

void fk_prom_u64(struct fk_prom *p, uint64_t value) { fk_prom_decimal(p, value, 0); }

/* ---- histograms ---------------------------------------------------------------------------------
 */

static void put_bucket(struct fk_prom *p, const char *label, const char *value,
                       const char *suffix) {
    p->suffix = suffix;
    if (label != NULL) fk_prom_label(p, label, value);
}

void fk_prom_buckets(struct fk_prom *p, const struct fk_histogram *h,
                     const uint32_t bounds[FK_HISTOGRAM_BOUNDS], unsigned digits, const char *label,
                     const char *value) {
    uint64_t total = 0;
    for (unsigned i = 0; i <= FK_HISTOGRAM_BOUNDS; i++) {
        total += h->counts[i];
        put_bucket(p, label, value, "_bucket");
        begin_label(p, "le");
        if (i < FK_HISTOGRAM_BOUNDS) put_decimal(p->w, bounds[i], digits);
        else fk_put_str(p->w, "+Inf");
        fk_put_char(p->w, '"');
        fk_prom_u64(p, total);
    }
    put_bucket(p, label, value, "_sum");
    fk_prom_decimal(p, h->sum, digits);
    put_bucket(p, label, value, "_count");
    fk_prom_u64(p, total);
    p->suffix = "";
}
