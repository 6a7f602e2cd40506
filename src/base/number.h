/* Decimal numbers as settings have them: digits only, no sign, no space. */
#ifndef FK_BASE_NUMBER_H
#define FK_BASE_NUMBER_H

#include <stdint.h>

/* 0; FK_E_PARSE, or FK_E_RANGE outside min to max, and *value stays as it was. */
int fk_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value);

#endif
