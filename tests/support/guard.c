#include "support/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void give_up(const char *what) {
    perror(what);
    abort();
}

struct guard guard_new(size_t len) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t readable = (len + page - 1) / page * page;
    const size_t map_len = readable + page;
    uint8_t *map = mmap(NULL, map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) give_up("mmap");
    if (mprotect(map + readable, page, PROT_NONE) != 0) give_up("mprotect");
    return (struct guard){map + readable - len, len, map, map_len};
}

struct guard guard_copy(struct fk_bytes bytes) {
    struct guard g = guard_new(bytes.len);
    if (bytes.len > 0) memcpy(g.p, bytes.p, bytes.len);
    return g;
}

void guard_free(struct guard *g) {
    if (munmap(g->map, g->map_len) != 0) give_up("munmap");
    *g = (struct guard){0};
}

struct guard guard_golden(const char *name) {
    char path[256];
    (void)snprintf(path, sizeof path, "golden/%s", name);
    FILE *file = fopen(path, "rb"); /* ctest runs in tests/ */
    if (file == NULL) give_up(path);
    if (fseek(file, 0, SEEK_END) != 0) give_up(path);
    const long len = ftell(file);
    if (len < 0) give_up(path);
    rewind(file);
    struct guard g = guard_new((size_t)len);
    if (fread(g.p, 1, g.len, file) != g.len) give_up(path);
    (void)fclose(file);
    return g;
}
