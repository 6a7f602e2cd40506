/* How long things take: a count for each of a few bounded buckets, and the sum. No floats: values
 * are integers of a unit that the caller knows (microseconds, milliseconds), and so are the bounds.
 *
 * All zeros is an empty one. */
#ifndef FK_BASE_HISTOGRAM_H
#define FK_BASE_HISTOGRAM_H

#include <stdint.h>

/* Bounds of a histogram, count; what is above the last one has a bucket as well. */
#define FK_HISTOGRAM_BOUNDS 6

struct fk_histogram {
    uint64_t sum;
    uint32_t counts[FK_HISTOGRAM_BOUNDS + 1]; /* of values <= the bound of that index, and > the
                                                 one before it */
};

/* bounds: ascending, the same at each call. A count that is full begins the whole anew, which
 * Prometheus takes for a restart; a single bucket that wraps would contradict the others. */
void fk_histogram_add(struct fk_histogram *h, const uint32_t bounds[FK_HISTOGRAM_BOUNDS],
                      uint64_t value);

uint64_t fk_histogram_total(const struct fk_histogram *h); /* count of all values */

#endif
