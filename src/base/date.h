/* Dates as HTTP and Kubernetes write them. Proleptic Gregorian calendar, UTC, no leap seconds;
 * years 1970 to 9999. */
#ifndef FK_BASE_DATE_H
#define FK_BASE_DATE_H

#include "base/writer.h"

struct fk_civil {
    int32_t year;
    int32_t month, day; /* from 1 */
    int32_t hour, minute, second;
};

/* Seconds since 1970 of a civil date. FK_E_RANGE when a field is outside its range (second 60, a
 * leap second, counts as 59). */
int fk_date_to_unix(const struct fk_civil *civil, int64_t *unix_s);
void fk_date_from_unix(int64_t unix_s, struct fk_civil *civil);

/* "Sun, 06 Nov 1994 08:49:37 GMT": IMF-fixdate, RFC 9110 §5.6.7, the only form that HTTP/2 servers
 * may send. FK_E_PARSE for anything else; the day's name is not compared with the date. */
int fk_date_parse_http(struct fk_bytes text, int64_t *unix_s);

/* "2026-07-01T12:34:56Z" or with a fraction of any length (kept to microseconds) or with a numeric
 * offset: RFC 3339. FK_E_PARSE, FK_E_RANGE. */
int fk_date_parse_rfc3339(struct fk_bytes text, int64_t *unix_us);

/* "2026-07-01T12:34:56Z": metav1.Time. Years past 9999 are written as 9999. */
void fk_date_put_seconds(struct fk_writer *w, int64_t unix_us);
/* "2026-07-01T12:34:56.000001Z": metav1.MicroTime. */
void fk_date_put_micros(struct fk_writer *w, int64_t unix_us);

#endif
