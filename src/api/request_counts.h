/* What became of the requests to the API server, for /metrics: how many by method and code, and how
 * long their answers took by method. All zeros is an empty one. */
#ifndef FK_API_REQUEST_COUNTS_H
#define FK_API_REQUEST_COUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/histogram.h"

enum fk_request_method {
    FK_METHOD_GET,
    FK_METHOD_POST,
    FK_METHOD_PUT,
    FK_METHOD_DELETE,
    FK_METHOD_PATCH,
    FK_REQUEST_METHODS
};

/* Pairs of method and code that are told apart, count; 8 bytes each. What comes after these is
 * counted together. */
#define FK_REQUEST_COUNTS_ROWS 12

struct fk_request_count {
    uint32_t count; /* 0: free, and so are those behind it */
    int16_t code;   /* HTTP status; 0: there was no answer */
    uint8_t method; /* enum fk_request_method */
};

struct fk_request_counts {
    struct fk_request_count rows[FK_REQUEST_COUNTS_ROWS];
    uint32_t other;
    struct fk_histogram latencies[FK_REQUEST_METHODS]; /* of answers, milliseconds */
};

extern const uint32_t fk_request_bounds_ms[FK_HISTOGRAM_BOUNDS];

const char *fk_request_method_name(enum fk_request_method method); /* "GET" */

/* status: as in struct fk_response, a negative one counts as code 0. timed: took_ms says how long
 * the server took; false for a watch, which ends when it likes. */
void fk_request_counts_add(struct fk_request_counts *c, enum fk_request_method method, int status,
                           bool timed, uint64_t took_ms);

#endif
