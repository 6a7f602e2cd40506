/* What outlives the process: one small file in --root-dir, replaced whole. */
#ifndef FK_PORTS_LINUX_KEEP_H
#define FK_PORTS_LINUX_KEEP_H

#include <stddef.h>

#include "base/log.h"

#define FK_KEEP_FILE "state"

/* As keep and recall of struct fk_port_ops; what goes wrong is logged with the file's name. The new
 * content is on the disk before the name changes to it. dir must exist. */
int fk_keep_write(const char *dir, const void *bytes, size_t len, const struct fk_log *log);
int fk_keep_read(const char *dir, void *buf, size_t cap, const struct fk_log *log);

#endif
