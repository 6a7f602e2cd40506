#include "base/heap.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"

/* Blocks lie one behind the other. The header of each says its own size (a multiple of 8, lowest
 * bit set while in use) and that of the block before it, so that neighbours can be merged. A free
 * block links to others in the space that it offers. */
struct block {
    uint32_t size_used;
    uint32_t before; /* size of the block before, 0 for the first */
};
struct links {
    uint32_t next, prev;
};
#define HEADER ((uint32_t)sizeof(struct block))
#define SMALLEST (HEADER + (uint32_t)sizeof(struct links))

/* The buffer is only ever touched by memcpy through these, so no alignment or aliasing rule is
 * bent; compilers turn them into plain loads and stores. */
static struct block get(const struct fk_heap *h, uint32_t at) {
    struct block b;
    memcpy(&b, h->base + at, sizeof b);
    return b;
}
static void set(struct fk_heap *h, uint32_t at, uint32_t size, bool used, uint32_t before) {
    const struct block b = {size | (used ? 1u : 0u), before};
    memcpy(h->base + at, &b, sizeof b);
}
static struct links get_links(const struct fk_heap *h, uint32_t at) {
    struct links l;
    memcpy(&l, h->base + at + HEADER, sizeof l);
    return l;
}
static void set_links(struct fk_heap *h, uint32_t at, uint32_t next, uint32_t prev) {
    const struct links l = {next, prev};
    memcpy(h->base + at + HEADER, &l, sizeof l);
}
static uint32_t size_of(struct block b) { return b.size_used & ~1u; }
static bool is_used(struct block b) { return (b.size_used & 1u) != 0; }

static void set_before_of_next(struct fk_heap *h, uint32_t at, uint32_t size) {
    if (at + size == h->size) return;
    struct block next = get(h, at + size);
    next.before = size;
    memcpy(h->base + at + size, &next, sizeof next);
}

static void link_free(struct fk_heap *h, uint32_t at) {
    set_links(h, at, h->free_head, FK_HEAP_NONE);
    if (h->free_head != FK_HEAP_NONE)
        set_links(h, h->free_head, get_links(h, h->free_head).next, at);
    h->free_head = at;
}

static void unlink_free(struct fk_heap *h, uint32_t at) {
    const struct links l = get_links(h, at);
    if (l.next != FK_HEAP_NONE) set_links(h, l.next, get_links(h, l.next).next, l.prev);
    if (l.prev != FK_HEAP_NONE) set_links(h, l.prev, l.next, get_links(h, l.prev).prev);
    else h->free_head = l.next;
}

/* Bytes of a block that holds `size` bytes for the caller; 0 when that cannot be. */
static uint32_t block_size(const struct fk_heap *h, size_t size) {
    if (size > h->size) return 0;
    const uint32_t whole = ((uint32_t)size + HEADER + 7u) & ~7u;
    return whole < SMALLEST ? SMALLEST : whole;
}

/* Makes [at, at + size) a free block, merged with free neighbours. */
static void release(struct fk_heap *h, uint32_t at, uint32_t size) {
    uint32_t before = get(h, at).before;
    if (at + size < h->size) {
        const struct block next = get(h, at + size);
        if (!is_used(next)) {
            unlink_free(h, at + size);
            size += size_of(next);
        }
    }
    if (before != 0) {
        const struct block previous = get(h, at - before);
        if (!is_used(previous)) {
            at -= before;
            unlink_free(h, at);
            size += size_of(previous);
            before = previous.before;
        }
    }
    set(h, at, size, false, before);
    set_before_of_next(h, at, size);
    link_free(h, at);
}

/* Cuts what a used block of `have` bytes has beyond `want` off its end. */
static void trim(struct fk_heap *h, uint32_t at, uint32_t have, uint32_t want, uint32_t before) {
    if (have - want < SMALLEST) want = have;
    set(h, at, want, true, before);
    if (want == have) return;
    set(h, at + want, have - want, true, want);
    set_before_of_next(h, at + want, have - want);
    release(h, at + want, have - want);
}

static void count_used(struct fk_heap *h, uint32_t bytes) {
    h->used_bytes += bytes;
    if (h->used_bytes > h->peak_bytes) h->peak_bytes = h->used_bytes;
}

void fk_heap_init(struct fk_heap *h, void *base, size_t size) {
    FK_ASSERT(((uintptr_t)base & 7u) == 0 && size >= 64 && size < (size_t)1 << 31);
    *h = (struct fk_heap){.base = base, .size = (uint32_t)size & ~7u, .free_head = 0};
    set(h, 0, h->size, false, 0);
    set_links(h, 0, FK_HEAP_NONE, FK_HEAP_NONE);
}

void *fk_heap_alloc(struct fk_heap *h, size_t size) {
    const uint32_t want = block_size(h, size);
    uint32_t best = FK_HEAP_NONE;
    uint32_t best_size = UINT32_MAX;
    for (uint32_t at = h->free_head; want != 0 && at != FK_HEAP_NONE; at = get_links(h, at).next) {
        const uint32_t have = size_of(get(h, at));
        if (have >= want && have < best_size) {
            best = at;
            best_size = have;
            if (have == want) break;
        }
    }
    if (best == FK_HEAP_NONE) {
        h->failures++;
        return NULL;
    }
    unlink_free(h, best);
    trim(h, best, best_size, want, get(h, best).before);
    count_used(h, size_of(get(h, best)));
    h->allocations++;
    return h->base + best + HEADER;
}

void *fk_heap_calloc(struct fk_heap *h, size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size) {
        h->failures++;
        return NULL;
    }
    void *p = fk_heap_alloc(h, count * size);
    if (p != NULL) memset(p, 0, count * size);
    return p;
}

static uint32_t offset_of(const struct fk_heap *h, const void *p) {
    const uint8_t *byte = p;
    FK_ASSERT(byte >= h->base + HEADER && byte < h->base + h->size);
    return (uint32_t)(byte - h->base) - HEADER;
}

void fk_heap_free(struct fk_heap *h, void *p) {
    if (p == NULL) return;
    const uint32_t at = offset_of(h, p);
    const struct block b = get(h, at);
    FK_ASSERT(is_used(b));
    h->used_bytes -= size_of(b);
    /* Said here, too: merging leaves this header as it stands, for a second free to find. */
    set(h, at, size_of(b), false, b.before);
    release(h, at, size_of(b));
}

void *fk_heap_realloc(struct fk_heap *h, void *p, size_t size) {
    if (p == NULL) return fk_heap_alloc(h, size);
    const struct block b = get(h, offset_of(h, p));
    FK_ASSERT(is_used(b));
    const uint32_t have = size_of(b);
    if (size <= have - HEADER)
        return p; /* libraries here shrink little; the rest is not worth it */
    void *moved = fk_heap_alloc(h, size);
    if (moved == NULL) return NULL;
    memcpy(moved, p, have - HEADER);
    fk_heap_free(h, p);
    return moved;
}

uint32_t fk_heap_largest(const struct fk_heap *h) {
    uint32_t largest = 0;
    for (uint32_t at = h->free_head; at != FK_HEAP_NONE; at = get_links(h, at).next) {
        const uint32_t have = size_of(get(h, at));
        if (have > largest) largest = have;
    }
    return largest < HEADER ? 0 : largest - HEADER;
}
