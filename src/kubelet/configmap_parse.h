/* What a ConfigMap's data say, read as it arrives into a copy that counts only when all of it is
 * in and good. The first fault decides; what comes after it is not looked at. */
#ifndef FK_KUBELET_CONFIGMAP_PARSE_H
#define FK_KUBELET_CONFIGMAP_PARSE_H

#include "base/writer.h"
#include "opts.h"
#include "port.h"

#define FK_STATUS_PERIOD_MIN_MS 1000
#define FK_STATUS_PERIOD_MAX_MS 3600000

/* struct fk_configmap_parse.set, and of those that were applied */
enum { FK_SET_LOG_LEVEL = 1, FK_SET_LED_BRIGHTNESS = 2, FK_SET_STATUS_PERIOD = 4 };

struct fk_configmap_parse {
    struct fk_options options; /* those of them that set says */
    uint8_t set;
    bool memory; /* there is a memory_values, so the region is written */
    /* private from here, but for key after an end of a key that nobody knows */
    uint8_t fault;    /* the first one; 0: none */
    uint8_t in;       /* which key's value is being read */
    uint8_t state;    /* where in memory_values */
    uint8_t text_len; /* of key, then of value, cap when cut; in memory_values: digits */
    bool huge;        /* number is more than fits */
    uint32_t number;  /* the one that is being read, or is at fault */
    uint32_t address;
    uint32_t at; /* bytes of memory_values read */
    char key[20];
    char value[24];
    uint8_t staged[FK_MEMORY_BYTES];
    uint8_t touched[(FK_MEMORY_BYTES + 7) / 8]; /* bit per byte of staged that is to be written */
};

void fk_configmap_parse_begin(struct fk_configmap_parse *p);

/* A piece of a key or of the value behind it; the empty one ends it. Returns false at the end of a
 * key that means nothing to us: it is in p->key, cut. */
bool fk_configmap_parse_key(struct fk_configmap_parse *p, struct fk_bytes piece);
void fk_configmap_parse_value(struct fk_configmap_parse *p, struct fk_bytes piece);

/* Everything was good. */
static inline bool fk_configmap_parse_good(const struct fk_configmap_parse *p) {
    return p->fault == 0;
}

/* Else: which value is not, where, and what would be right. */
void fk_configmap_parse_why(const struct fk_configmap_parse *p, struct fk_writer *why);

/* Writes what memory_values says into the region of FK_MEMORY_BYTES, and leaves its other bytes. */
void fk_configmap_parse_commit(const struct fk_configmap_parse *p, uint8_t *memory);

#endif
