/* What nghttp2 and Mbed TLS take from the C library, and a board has otherwise: assert and abort
 * end like an assertion of ours, and time counts from the start. */
#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "board/machine.h"

_Noreturn void __assert_func(const char *file, int line, const char *function,
                             const char *expression) {
    (void)function;
    (void)expression;
    fk_assert_failed(file, line);
}

_Noreturn void abort(void) { FK_ASSERT(!"abort"); }

/* For nghttp2's limits of rates: differences matter, the date does not. */
time_t time(time_t *out) {
    const time_t now = (time_t)(machine_ms() / 1000);
    if (out != NULL) *out = now;
    return now;
}
