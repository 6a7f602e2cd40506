/* Writes JSON (RFC 8259) into a writer, compact. Commas are put by itself; nesting is the caller's
 * to balance. Errors latch in the writer. */
#ifndef FK_WIRE_JSON_WRITE_H
#define FK_WIRE_JSON_WRITE_H

#include "base/writer.h"

struct fk_json {
    struct fk_writer *w;
    bool more; /* a comma is due before the next item */
};

void fk_json_init(struct fk_json *j, struct fk_writer *w);

/* key is NULL inside arrays and at the top; it is written as it is, so it must need no escape. */
void fk_json_object(struct fk_json *j, const char *key);
void fk_json_object_end(struct fk_json *j);
void fk_json_array(struct fk_json *j, const char *key);
void fk_json_array_end(struct fk_json *j);

/* Escapes what must be; bytes that are not UTF-8 become U+FFFD each. */
void fk_json_str(struct fk_json *j, const char *key, const char *value);
void fk_json_bytes(struct fk_json *j, const char *key, struct fk_bytes value);
void fk_json_i64(struct fk_json *j, const char *key, int64_t value);
void fk_json_bool(struct fk_json *j, const char *key, bool value);

/* A member whose name is data (a label): the name is escaped. */
void fk_json_member(struct fk_json *j, struct fk_bytes name, struct fk_bytes value);

/* Times as strings: metav1.Time and metav1.MicroTime. */
void fk_json_time(struct fk_json *j, const char *key, int64_t unix_us);
void fk_json_micro_time(struct fk_json *j, const char *key, int64_t unix_us);

/* A string value put together piece by piece: begin, any number of fk_put calls on j->w with text
 * that needs no escape, and of parts, which are escaped, end. */
void fk_json_text(struct fk_json *j, const char *key);
void fk_json_text_part(struct fk_json *j, const char *value);
void fk_json_text_end(struct fk_json *j);

#endif
