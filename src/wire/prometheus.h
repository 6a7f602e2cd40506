/* Writes metrics in the Prometheus text format, version 0.0.4: families with HELP and TYPE, and
 * their samples. Only appends. Errors latch in the writer.
 *
 * Names, help and label names are the caller's static text and need no escape; promtool check
 * metrics says what makes them good. Label values are escaped; what is not printable ASCII becomes
 * a question mark. */
#ifndef FK_WIRE_PROMETHEUS_H
#define FK_WIRE_PROMETHEUS_H

#include "base/histogram.h"
#include "base/writer.h"

#define FK_PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Members are private but for at_ms. */
struct fk_prom {
    struct fk_writer *w;
    const char *name;   /* of the family */
    const char *suffix; /* of the sample: "_bucket"; else "" */
    bool labelled;      /* the sample has had a label */
    int64_t at_ms;      /* unix time that samples carry from now on; 0: none */
};

void fk_prom_init(struct fk_prom *p, struct fk_writer *w);

/* Begins a family. */
void fk_prom_counter(struct fk_prom *p, const char *name, const char *help);
void fk_prom_gauge(struct fk_prom *p, const char *name, const char *help);
void fk_prom_histogram(struct fk_prom *p, const char *name, const char *help);

/* Goes on with a family that has been begun: in another item of the same body. */
void fk_prom_again(struct fk_prom *p, const char *name);

/* A sample: any number of labels, then a value. */
void fk_prom_label(struct fk_prom *p, const char *name, const char *value);
void fk_prom_label_bytes(struct fk_prom *p, const char *name, struct fk_bytes value);
void fk_prom_u64(struct fk_prom *p, uint64_t value);
/* value / 10^digits (0 to 9): seconds from milliseconds are 3. Without trailing zeros. */
void fk_prom_decimal(struct fk_prom *p, uint64_t value, unsigned digits);

/* All samples of a histogram, with one label more if label is not NULL; bounds and sum are of
 * 10^-digits. */
void fk_prom_buckets(struct fk_prom *p, const struct fk_histogram *h,
                     const uint32_t bounds[FK_HISTOGRAM_BOUNDS], unsigned digits, const char *label,
                     const char *value);

#endif
