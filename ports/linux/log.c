#include "linux/log.h"

#include <time.h>
#include <unistd.h>

#include "base/date.h"
#include "base/log_text.h"
#include "wire/json_write.h"

static const char *level_text(enum fk_level level) {
    switch (level) {
    case FK_ERROR: return "ERROR";
    case FK_WARN: return "WARN";
    case FK_INFO: return "INFO";
    case FK_DEBUG: return "DEBUG";
    }
    return "INFO";
}

/* "2026-11-21T13:14:15.123Z" */
static void put_time(struct fk_writer *w, int64_t wall_us) {
    struct fk_civil at;
    const int64_t wall_s = wall_us < 0 ? 0 : wall_us / 1000000;
    fk_date_from_unix(wall_s, &at);
    const int32_t fields[] = {at.year, at.month, at.day, at.hour, at.minute, at.second};
    for (size_t i = 0; i < 6; i++) {
        fk_put_padded(w, (uint64_t)fields[i], i == 0 ? 4 : 2);
        fk_put_char(w, "--T::."[i]);
    }
    fk_put_padded(w, wall_us < 0 ? 0 : (uint64_t)(wall_us / 1000 % 1000), 3);
    fk_put_char(w, 'Z');
}

/* ---- text -------------------------------------------------------------------------------------
 */

static void put_text_head(struct fk_writer *w, const struct fk_log_line *line) {
    const char *level = level_text(line->level);
    put_time(w, line->wall_us);
    fk_put_char(w, ' ');
    fk_put_str(w, level);
    for (size_t len = strlen(level); len < 6; len++) fk_put_char(w, ' ');
    fk_put_str(w, line->message);
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static void put_json_head(struct fk_json *j, const struct fk_log_line *line) {
    fk_json_object(j, NULL);
    fk_json_text(j, "ts");
    put_time(j->w, line->wall_us);
    fk_json_text_end(j);
    fk_json_str(j, "level", level_text(line->level));
    fk_json_str(j, "msg", line->message);
}

static void put_json_pair(struct fk_json *j, const struct fk_kv *kv) {
    if (kv->str == NULL) fk_json_i64(j, kv->key, kv->num);
    else fk_json_str(j, kv->key, kv->str);
}

static void put_json_pairs(struct fk_json *j, const struct fk_log_line *line) {
    for (size_t i = 0; i < line->count && j->w->err == 0; i++) {
        const struct fk_kv *kv = &line->kvs[i];
        if (kv->str != NULL && *kv->str == '\0') continue;
        const struct fk_writer before = *j->w;
        put_json_pair(j, kv);
        if (j->w->err != 0) *j->w = before;
    }
}

/* ---- a line ------------------------------------------------------------------------------------
 */

size_t fk_log_format(char *buf, size_t cap, bool json, const struct fk_log_line *line) {
    const size_t tail = 2; /* "}\n" */
    struct fk_writer w;
    struct fk_json j;
    fk_writer_init(&w, buf, cap - tail);
    fk_json_init(&j, &w);
    if (json) {
        put_json_head(&j, line);
        put_json_pairs(&j, line);
    } else {
        put_text_head(&w, line);
        fk_log_put_pairs(&w, line->kvs, line->count);
    }
    size_t len = fk_writer_kept(&w);
    if (json) buf[len++] = '}';
    buf[len++] = '\n';
    return len;
}

static void emit(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    const struct fk_log_sink *sink = ctx;
    struct timespec wall;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    const struct fk_log_line line = {(int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000, level,
                                     message, kvs, count};
    char buf[FK_LOG_LINE_MAX];
    size_t len = fk_log_format(buf, sizeof buf, false, &line);
    if (sink->ring != NULL) fk_log_ring_add(sink->ring, buf, len);
    if (sink->json) len = fk_log_format(buf, sizeof buf, true, &line);
    if (write(sink->fd, buf, len) < 0) return; /* nowhere left to say so */
}

void fk_log_sink_init(struct fk_log *log, struct fk_log_sink *sink, enum fk_level level) {
    *log = (struct fk_log){.level = level, .ctx = sink, .emit = emit};
}
