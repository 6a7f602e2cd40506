/* What a failed FK_ASSERT does in tests and fuzzers: a line, and SIGABRT with its stack. */
#include "port.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void fk_assert_failed(const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed\n", file, line);
    abort();
}
