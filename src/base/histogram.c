#include "base/histogram.h"

void fk_histogram_add(struct fk_histogram *h, const uint32_t bounds[FK_HISTOGRAM_BOUNDS],
                      uint64_t value) {
    unsigned at = 0;
    while (at < FK_HISTOGRAM_BOUNDS && value > bounds[at]) at++;
    if (h->counts[at] == UINT32_MAX || h->sum > UINT64_MAX - value) *h = (struct fk_histogram){0};
    h->counts[at]++;
    h->sum += value;
}

uint64_t fk_histogram_total(const struct fk_histogram *h) {
    uint64_t total = 0;
    for (unsigned i = 0; i <= FK_HISTOGRAM_BOUNDS; i++) total += h->counts[i];
    return total;
}
