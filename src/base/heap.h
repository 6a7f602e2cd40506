/* A heap inside a buffer of fixed size, for libraries that insist on malloc (nghttp2, Mbed TLS).
 *
 * Best fit over a list of free blocks, merged at once; 8 bytes of overhead per block, results
 * aligned to 8. Running out is NULL, as with malloc; the figures tell how close it came. Not
 * thread-safe. */
#ifndef FK_BASE_HEAP_H
#define FK_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct fk_heap {
    uint8_t *base;        /* caller's memory, aligned to 8 */
    uint32_t size;        /* bytes of it that are used, a multiple of 8 */
    uint32_t free_head;   /* offset of the first free block, FK_HEAP_NONE when full */
    uint32_t used_bytes;  /* overhead included */
    uint32_t peak_bytes;  /* largest used_bytes so far */
    uint32_t failures;    /* requests that could not be met */
    uint32_t allocations; /* requests that were met, in all */
};
#define FK_HEAP_NONE UINT32_MAX

/* base must be aligned to 8 and stay until the last block is no longer used; 64 <= size < 2^31. */
void fk_heap_init(struct fk_heap *h, void *base, size_t size);

void *fk_heap_alloc(struct fk_heap *h, size_t size); /* not cleared; size 0 gives a block, too */
void *fk_heap_calloc(struct fk_heap *h, size_t count, size_t size);
void *fk_heap_realloc(struct fk_heap *h, void *p, size_t size);
void fk_heap_free(struct fk_heap *h, void *p); /* NULL is fine; twice is an assertion */

uint32_t fk_heap_largest(const struct fk_heap *h); /* largest request that would be met now */

#endif
