#include "base/number.h"

#include "base/err.h"

int fk_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value) {
    uint64_t sum = 0;
    if (*text == '\0') return FK_E_PARSE;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return FK_E_PARSE;
        const uint64_t next = (uint64_t)(*text - '0');
        if (sum > (UINT64_MAX - next) / 10) return FK_E_RANGE;
        sum = sum * 10 + next;
    }
    if (sum < min || sum > max) return FK_E_RANGE;
    *value = sum;
    return 0;
}
