/* A named value of a log line as text: key=value, or key="value" where it is not plain. Control
 * characters and what is not ASCII are escaped, so that a terminal obeys none of it and a line
 * stays one line. */
#ifndef FK_BASE_LOG_TEXT_H
#define FK_BASE_LOG_TEXT_H

#include "base/log.h"
#include "base/writer.h"

/* With a space before it. */
void fk_log_put_pair(struct fk_writer *w, const struct fk_kv *kv);

/* All pairs but those whose text is empty; one that does not fit is left out whole. */
void fk_log_put_pairs(struct fk_writer *w, const struct fk_kv *kvs, size_t count);

#endif
