#include "base/date.h"

#include "base/err.h"

#define DAY_S 86400
#define LAST_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static bool leap(int32_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

static int32_t days_in(int32_t year, int32_t month) {
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && leap(year) ? 1 : 0);
}

/* Days from 1970-01-01 to the first of January of a year >= 1970. */
static int64_t days_before_year(int32_t year) {
    const int64_t y = year - 1;
    return 365 * (y - 1969) + (y / 4 - 1969 / 4) - (y / 100 - 1969 / 100) + (y / 400 - 1969 / 400);
}

int fk_date_to_unix(const struct fk_civil *c, int64_t *unix_s) {
    if (c->year < 1970 || c->year > 9999 || c->month < 1 || c->month > 12) return FK_E_RANGE;
    if (c->day < 1 || c->day > days_in(c->year, c->month)) return FK_E_RANGE;
    if (c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59) return FK_E_RANGE;
    if (c->second < 0 || c->second > 60) return FK_E_RANGE;
    int64_t days = days_before_year(c->year);
    for (int32_t month = 1; month < c->month; month++) days += days_in(c->year, month);
    days += c->day - 1;
    const int32_t second = c->second == 60 ? 59 : c->second;
    *unix_s = days * DAY_S + c->hour * 3600 + c->minute * 60 + second;
    return 0;
}

void fk_date_from_unix(int64_t unix_s, struct fk_civil *c) {
    if (unix_s < 0) unix_s = 0;
    if (unix_s > LAST_S) unix_s = LAST_S;
    int64_t days = unix_s / DAY_S;
    const int32_t rest = (int32_t)(unix_s % DAY_S);
    int32_t year = 1970 + (int32_t)(days / 366); /* never too late; at most 22 years too early */
    while (days_before_year(year + 1) <= days) year++;
    days -= days_before_year(year);
    int32_t month = 1;
    while (days >= days_in(year, month)) days -= days_in(year, month++);
    *c = (struct fk_civil){year, month, (int32_t)days + 1, rest / 3600, rest / 60 % 60, rest % 60};
}

/* Reads exactly `digits` decimal digits at *at; latches failure in *ok. */
static int32_t number(struct fk_bytes text, size_t *at, unsigned digits, bool *ok) {
    int32_t value = 0;
    for (unsigned i = 0; i < digits; i++) {
        if (*at >= text.len || text.p[*at] < '0' || text.p[*at] > '9') {
            *ok = false;
            return 0;
        }
        value = value * 10 + (text.p[(*at)++] - '0');
    }
    return value;
}

static void expect(struct fk_bytes text, size_t *at, const char *literal, bool *ok) {
    const size_t len = strlen(literal);
    if (text.len - *at < len || memcmp(text.p + *at, literal, len) != 0) *ok = false;
    else *at += len;
}

static int32_t month_name(struct fk_bytes text, size_t *at, bool *ok) {
    for (int32_t i = 0; i < 12 && text.len - *at >= 3; i++) {
        if (memcmp(text.p + *at, months[i], 3) == 0) {
            *at += 3;
            return i + 1;
        }
    }
    *ok = false;
    return 0;
}

int fk_date_parse_http(struct fk_bytes text, int64_t *unix_s) {
    bool ok = text.len == sizeof "Sun, 06 Nov 1994 08:49:37 GMT" - 1;
    size_t at = 3;
    struct fk_civil c = {0};
    if (ok) expect(text, &at, ", ", &ok);
    if (ok) c.day = number(text, &at, 2, &ok);
    if (ok) expect(text, &at, " ", &ok);
    if (ok) c.month = month_name(text, &at, &ok);
    if (ok) expect(text, &at, " ", &ok);
    if (ok) c.year = number(text, &at, 4, &ok);
    if (ok) expect(text, &at, " ", &ok);
    if (ok) c.hour = number(text, &at, 2, &ok);
    if (ok) expect(text, &at, ":", &ok);
    if (ok) c.minute = number(text, &at, 2, &ok);
    if (ok) expect(text, &at, ":", &ok);
    if (ok) c.second = number(text, &at, 2, &ok);
    if (ok) expect(text, &at, " GMT", &ok);
    return ok ? fk_date_to_unix(&c, unix_s) : FK_E_PARSE;
}

/* ".123456789" to microseconds; digits past the sixth are dropped. */
static int32_t fraction(struct fk_bytes text, size_t *at, bool *ok) {
    int32_t value = 0;
    unsigned digits = 0;
    for (; *at < text.len && text.p[*at] >= '0' && text.p[*at] <= '9'; (*at)++, digits++)
        if (digits < 6) value = value * 10 + (text.p[*at] - '0');
    if (digits == 0) *ok = false;
    for (; digits < 6; digits++) value *= 10;
    return value;
}

/* "Z" or "+hh:mm" to seconds east of UTC; must end the text. */
static int32_t offset(struct fk_bytes text, size_t *at, bool *ok) {
    if (*at >= text.len) {
        *ok = false;
        return 0;
    }
    const uint8_t sign = text.p[(*at)++];
    int32_t value = 0;
    if (sign == '+' || sign == '-') {
        const int32_t hours = number(text, at, 2, ok);
        if (*ok) expect(text, at, ":", ok);
        const int32_t minutes = *ok ? number(text, at, 2, ok) : 0;
        if (hours > 23 || minutes > 59) *ok = false;
        value = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    } else if (sign != 'Z') {
        *ok = false;
    }
    if (*at != text.len) *ok = false;
    return value;
}

int fk_date_parse_rfc3339(struct fk_bytes text, int64_t *unix_us) {
    bool ok = true;
    size_t at = 0;
    struct fk_civil c = {0};
    c.year = number(text, &at, 4, &ok);
    if (ok) expect(text, &at, "-", &ok);
    if (ok) c.month = number(text, &at, 2, &ok);
    if (ok) expect(text, &at, "-", &ok);
    if (ok) c.day = number(text, &at, 2, &ok);
    if (ok) expect(text, &at, "T", &ok);
    if (ok) c.hour = number(text, &at, 2, &ok);
    if (ok) expect(text, &at, ":", &ok);
    if (ok) c.minute = number(text, &at, 2, &ok);
    if (ok) expect(text, &at, ":", &ok);
    if (ok) c.second = number(text, &at, 2, &ok);
    int32_t micros = 0;
    if (ok && at < text.len && text.p[at] == '.') {
        at++;
        micros = fraction(text, &at, &ok);
    }
    const int32_t east_s = ok ? offset(text, &at, &ok) : 0;
    if (!ok) return FK_E_PARSE;
    int64_t seconds;
    const int err = fk_date_to_unix(&c, &seconds);
    if (err != 0) return err;
    seconds -= east_s;
    if (seconds < 0 || seconds > LAST_S) return FK_E_RANGE;
    *unix_us = seconds * 1000000 + micros;
    return 0;
}

static void put_civil(struct fk_writer *w, int64_t unix_us) {
    struct fk_civil c;
    fk_date_from_unix(unix_us / 1000000, &c);
    fk_put_padded(w, (uint64_t)c.year, 4);
    fk_put_char(w, '-');
    fk_put_padded(w, (uint64_t)c.month, 2);
    fk_put_char(w, '-');
    fk_put_padded(w, (uint64_t)c.day, 2);
    fk_put_char(w, 'T');
    fk_put_padded(w, (uint64_t)c.hour, 2);
    fk_put_char(w, ':');
    fk_put_padded(w, (uint64_t)c.minute, 2);
    fk_put_char(w, ':');
    fk_put_padded(w, (uint64_t)c.second, 2);
}

void fk_date_put_seconds(struct fk_writer *w, int64_t unix_us) {
    put_civil(w, unix_us);
    fk_put_char(w, 'Z');
}

void fk_date_put_micros(struct fk_writer *w, int64_t unix_us) {
    put_civil(w, unix_us);
    fk_put_char(w, '.');
    fk_put_padded(w, unix_us < 0 ? 0 : (uint64_t)(unix_us % 1000000), 6);
    fk_put_char(w, 'Z');
}
