/* Any text: refused, or a time that is written and read back as the same. */
#include "base/assert.h"
#include "base/date.h"
#include "base/err.h"

#define LAST_S INT64_C(253402300799)

static void check_rfc3339(struct fk_bytes text) {
    int64_t us = -1, again = -1;
    const int err = fk_date_parse_rfc3339(text, &us);
    FK_ASSERT(err == 0 || err == FK_E_PARSE || err == FK_E_RANGE);
    FK_ASSERT(err == 0 ? us >= 0 && us / 1000000 <= LAST_S : us == -1);
    if (err != 0) return;
    char buf[32];
    struct fk_writer w;
    fk_writer_init(&w, buf, sizeof buf);
    fk_date_put_micros(&w, us);
    FK_ASSERT(fk_writer_finish(&w) == 0);
    FK_ASSERT(fk_date_parse_rfc3339(fk_bytes_str(buf), &again) == 0 && again == us);
    fk_writer_init(&w, buf, sizeof buf);
    fk_date_put_seconds(&w, us);
    FK_ASSERT(fk_writer_finish(&w) == 0);
    FK_ASSERT(fk_date_parse_rfc3339(fk_bytes_str(buf), &again) == 0);
    FK_ASSERT(again == us - us % 1000000);
}

static void check_http(struct fk_bytes text) {
    int64_t s = -1, again = -1;
    const int err = fk_date_parse_http(text, &s);
    FK_ASSERT(err == 0 || err == FK_E_PARSE || err == FK_E_RANGE);
    FK_ASSERT(err == 0 ? s >= 0 && s <= LAST_S : s == -1);
    if (err != 0) return;
    struct fk_civil civil;
    fk_date_from_unix(s, &civil);
    FK_ASSERT(fk_date_to_unix(&civil, &again) == 0 && again == s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    check_rfc3339(fk_bytes(data, len));
    check_http(fk_bytes(data, len));
    return 0;
}
