#include "api/request_counts.h"

#include "base/assert.h"

/* Some of client-go's: a Lease renewal on a local network is in the first or second, a server under
 * load in the middle; above the last one is close to FK_REQUEST_TIMEOUT_MS. */
const uint32_t fk_request_bounds_ms[FK_HISTOGRAM_BOUNDS] = {5, 25, 100, 500, 2000, 8000};

const char *fk_request_method_name(enum fk_request_method method) {
    static const char names[FK_REQUEST_METHODS][7] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
    FK_ASSERT(method < FK_REQUEST_METHODS);
    return names[method];
}

/* The row of that pair, or the first free one; NULL: all are taken by others. */
static struct fk_request_count *row_of(struct fk_request_counts *c, uint8_t method, int16_t code) {
    for (unsigned i = 0; i < FK_REQUEST_COUNTS_ROWS; i++) {
        struct fk_request_count *row = &c->rows[i];
        if (row->count == 0 || (row->method == method && row->code == code)) return row;
    }
    return NULL;
}

void fk_request_counts_add(struct fk_request_counts *c, enum fk_request_method method, int status,
                           bool timed, uint64_t took_ms) {
    FK_ASSERT(method < FK_REQUEST_METHODS);
    const int16_t code = status > 0 && status <= INT16_MAX ? (int16_t)status : 0;
    struct fk_request_count *row = row_of(c, (uint8_t)method, code);
    if (row == NULL) {
        c->other++;
    } else {
        row->method = (uint8_t)method;
        row->code = code;
        row->count++;
        if (row->count == 0) row->count = 1; /* it wrapped; 0 would free the row */
    }
    if (timed && code != 0) fk_histogram_add(&c->latencies[method], fk_request_bounds_ms, took_ms);
}
