/* A board has no malloc. nghttp2 and Mbed TLS name it as the default of what the node replaces by
 * base/heap; defined here, the C library's own is never linked, and a use of it is our mistake. */
#include <stdlib.h>

#include "base/assert.h"

void *malloc(size_t size) {
    (void)size;
    FK_ASSERT(!"malloc");
}

void *calloc(size_t count, size_t size) {
    (void)count;
    (void)size;
    FK_ASSERT(!"calloc");
}

void *realloc(void *p, size_t size) {
    (void)p;
    (void)size;
    FK_ASSERT(!"realloc");
}

void free(void *p) { FK_ASSERT(p == NULL); }
