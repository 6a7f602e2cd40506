/* Log lines on a file descriptor: text for people or JSON for programs, one write(2) each, so that
 * lines of several processes do not mix. */
#ifndef FK_PORTS_LINUX_LOG_H
#define FK_PORTS_LINUX_LOG_H

#include "base/log.h"
#include "base/log_ring.h"
#include "base/writer.h"

#define FK_LOG_LINE_MAX 2048 /* bytes, line feed included; PIPE_BUF, so atomic, is 4096 */

struct fk_log_sink {
    int fd;
    bool json;
    struct fk_log_ring *ring; /* gets every line as well, as text; NULL: none */
};

/* log->emit writes to sink, which must stay. */
void fk_log_sink_init(struct fk_log *log, struct fk_log_sink *sink, enum fk_level level);

struct fk_log_line {
    int64_t wall_us;
    enum fk_level level;
    const char *message;
    const struct fk_kv *kvs;
    size_t count;
};

/* The line with its line feed; returns its length. Values that are empty text are left out; pairs
 * that do not fit are left out whole, so a line of JSON is always JSON. cap > 128. */
size_t fk_log_format(char *buf, size_t cap, bool json, const struct fk_log_line *line);

#endif
