/* What outlives the process: one small file in --root-dir, replaced whole. */
#ifndef FK_PORTS_LINUX_KEEP_H
#define FK_PORTS_LINUX_KEEP_H

#include <stddef.h>

#include "base/log.h"
#include "base/writer.h"

#define FK_KEEP_FILE "state"

/* Before anything starts: 0; FK_E_CONFIG with a line for the user in why, where dir is missing, is
 * no folder, or we may not make a file there. */
int fk_keep_check(const char *dir, struct fk_writer *why);

/* As keep and recall of struct fk_port_ops; what goes wrong is logged with the file's name, and so
 * is what was read, since only the caller can tell whether it is whole. The new content is on the
 * disk before the name changes to it. */
int fk_keep_write(const char *dir, const void *bytes, size_t len, const struct fk_log *log);
int fk_keep_read(const char *dir, void *buf, size_t cap, const struct fk_log *log);

#endif
