#include <stdio.h>
#include <stdlib.h>

#include "port.h"

_Noreturn void fk_assert_failed(const char *file, int line) {
    (void)fprintf(stderr, "assertion failed: %s:%d\n", file, line);
    abort();
}
