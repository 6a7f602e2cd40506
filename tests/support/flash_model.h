/* A NOR flash in memory that keeps its rules, and whose power can be cut, or which can fail, in the
 * midst of any program or erase. A breach of the rules by its user is an assertion. */
#ifndef FK_TESTS_SUPPORT_FLASH_MODEL_H
#define FK_TESTS_SUPPORT_FLASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "flash.h"

/* How much of the operation is done that is cut off. */
enum flash_cut {
    FLASH_CUT_PREFIX,   /* the first `arg` bytes; as many as there are: all of it */
    FLASH_CUT_BITS,     /* each bit that would change did so or not, by chance (seed `arg`) */
    FLASH_CUT_ANYTHING, /* bytes by chance */
};

enum flash_fault {
    FLASH_POWER_LOST, /* nothing works any more until flash_model_power_on */
    FLASH_ERROR,      /* this one operation reports that it failed */
    FLASH_LIE,        /* ... or that it went well */
};

struct flash_model {
    struct fk_flash flash;
    uint8_t *bytes;
    size_t size;
    unsigned ops; /* programs and erases since the last power_on */
    bool dead;

    unsigned cut_at; /* number of the operation, from 1; 0: none */
    enum flash_fault fault;
    enum flash_cut cut;
    uint32_t arg;
};

/* All erased. Free with flash_model_free. */
void flash_model_init(struct flash_model *m, uint32_t page_size, uint32_t sector_size,
                      uint32_t sector_count);
void flash_model_free(struct flash_model *m);

/* Works again, counts from 0, and no fault is planned. */
void flash_model_power_on(struct flash_model *m);

#endif
