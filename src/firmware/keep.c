#include "firmware/keep.h"

#define DOCUMENT 1u /* the number of the only value */

_Static_assert(FK_PORT_KEEP_MAX <= FK_STORE_VALUE_MAX, "what is kept is one value");

int fk_keep_open(struct fk_keep *k, const struct fk_flash *flash) {
    k->writes = 0;
    return fk_store_open(&k->store, flash);
}

static bool unchanged(const struct fk_keep *k, struct fk_bytes document) {
    const struct fk_bytes kept = fk_store_get(&k->store, DOCUMENT);
    return kept.len == document.len &&
           (document.len == 0 || memcmp(kept.p, document.p, document.len) == 0);
}

static int save(struct fk_store *s, struct fk_bytes document) {
    int err = fk_store_begin(s);
    if (err == 0) err = fk_store_put(s, DOCUMENT, document.len);
    if (err == 0) err = fk_store_write(s, document.p, document.len);
    return err == 0 ? fk_store_commit(s) : err;
}

int fk_keep_save(struct fk_keep *k, const void *bytes, size_t len) {
    if (k->store.flash == NULL) return FK_E_RANGE;
    if (len > FK_PORT_KEEP_MAX) return FK_E_NOMEM;
    if (unchanged(k, fk_bytes(bytes, len))) return 0;
    fk_store_release(&k->store);
    const int err = save(&k->store, fk_bytes(bytes, len));
    if (err == 0) k->writes++;
    return err;
}

int fk_keep_load(const struct fk_keep *k, void *buf, size_t cap) {
    const struct fk_bytes kept = fk_store_get(&k->store, DOCUMENT);
    if (kept.len > cap) return FK_E_NOMEM;
    if (kept.len > 0) memcpy(buf, kept.p, kept.len);
    return (int)kept.len;
}

int fk_keep_forget(const struct fk_flash *flash) {
    int err = 0;
    if (flash == NULL) return 0;
    for (uint32_t i = 0; i < flash->sector_count && err == 0; i++)
        err = flash->ops->erase(flash->ctx, i * flash->sector_size);
    return err == 0 ? 0 : FK_E_RANGE;
}
