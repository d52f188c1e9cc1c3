/**
 * JSON text, written value by value into a buffer; commas, colons and indentation come by
 * themselves. For the command line's output.
 *
 * The caller opens and closes containers in order and gives every object member a key first. A
 * failed append sticks in the buffer (buffer.h). Lifetime: plain data, borrows the buffer.
 * Threading: one thread. Cost: O(output).
 */
#ifndef SCENESYNC_WORKER_JSON_WRITER_H
#define SCENESYNC_WORKER_JSON_WRITER_H

#include "protocol/buffer.h"

enum json_writer_state { JSON_WRITER_FIRST, JSON_WRITER_AFTER_KEY, JSON_WRITER_AFTER_VALUE };

struct json_writer {
    struct buffer *out;
    bool pretty; /* one member per line, indented by two spaces; else all on one line */
    uint32_t depth;
    enum json_writer_state state;
};

/** Starts one JSON value at the end of `out`. */
struct json_writer json_writer_of(struct buffer *out, bool pretty);

void json_write_object_begin(struct json_writer *writer);
void json_write_object_end(struct json_writer *writer);
void json_write_array_begin(struct json_writer *writer);
void json_write_array_end(struct json_writer *writer);
void json_write_key(struct json_writer *writer, struct span key);
void json_write_key_text(struct json_writer *writer, const char *key);

void json_write_null(struct json_writer *writer);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_uint(struct json_writer *writer, uint64_t value); /* all digits */
void json_write_int(struct json_writer *writer, int64_t value);

/** The shortest decimal that reads back as the same double, always with a point or an exponent;
 * null for what JSON cannot say (infinities, NaN). */
void json_write_double(struct json_writer *writer, double value);

/** A string; bytes that are not UTF-8 become '?'. */
void json_write_str(struct json_writer *writer, struct span text);
void json_write_text(struct json_writer *writer, const char *text); /* NUL-terminated */

/** The string `<prefix>base64:<bytes in base64>`; the prefix needs no escapes. */
void json_write_base64(struct json_writer *writer, const char *prefix, struct span bytes);

#endif
