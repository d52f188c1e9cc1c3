#include "worker/json_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/text_escape.h"

enum { DOUBLE_DIGITS_MAX = 17 };

/* Up to here every integral double has all of its digits. */
static const double integer_max = 9007199254740992.0;

struct json_writer json_writer_of(struct buffer *out, bool pretty)
{
    return (struct json_writer){.out = out, .pretty = pretty};
}

static void append_text(struct json_writer *writer, const char *text)
{
    buffer_append(writer->out, text, strlen(text));
}

static void append_new_line(struct json_writer *writer)
{
    if (!writer->pretty) {
        return;
    }
    append_text(writer, "\n");
    for (uint32_t i = 0; i < writer->depth; i++) {
        append_text(writer, "  ");
    }
}

/** What goes before a value or a key, by what was written last. */
static void begin_item(struct json_writer *writer)
{
    switch (writer->state) {
    case JSON_WRITER_FIRST:
        if (writer->depth > 0) {
            append_new_line(writer);
        }
        break;
    case JSON_WRITER_AFTER_KEY:
        break;
    case JSON_WRITER_AFTER_VALUE:
        append_text(writer, ",");
        append_new_line(writer);
        break;
    }
    writer->state = JSON_WRITER_AFTER_VALUE;
}

static void begin_container(struct json_writer *writer, const char *bracket)
{
    begin_item(writer);
    append_text(writer, bracket);
    writer->depth++;
    writer->state = JSON_WRITER_FIRST;
}

static void end_container(struct json_writer *writer, const char *bracket)
{
    assert(writer->depth > 0 && writer->state != JSON_WRITER_AFTER_KEY);
    writer->depth--;
    if (writer->state == JSON_WRITER_AFTER_VALUE) {
        append_new_line(writer);
    }
    append_text(writer, bracket);
    writer->state = JSON_WRITER_AFTER_VALUE;
}

void json_write_object_begin(struct json_writer *writer)
{
    begin_container(writer, "{");
}

void json_write_object_end(struct json_writer *writer)
{
    end_container(writer, "}");
}

void json_write_array_begin(struct json_writer *writer)
{
    begin_container(writer, "[");
}

void json_write_array_end(struct json_writer *writer)
{
    end_container(writer, "]");
}

void json_write_key(struct json_writer *writer, struct span key)
{
    assert(writer->depth > 0 && writer->state != JSON_WRITER_AFTER_KEY);
    json_write_str(writer, key);
    append_text(writer, writer->pretty ? ": " : ":");
    writer->state = JSON_WRITER_AFTER_KEY;
}

void json_write_key_text(struct json_writer *writer, const char *key)
{
    json_write_key(writer, span_of_text(key));
}

void json_write_null(struct json_writer *writer)
{
    begin_item(writer);
    append_text(writer, "null");
}

void json_write_bool(struct json_writer *writer, bool value)
{
    begin_item(writer);
    append_text(writer, value ? "true" : "false");
}

void json_write_uint(struct json_writer *writer, uint64_t value)
{
    begin_item(writer);
    buffer_append_format(writer->out, "%" PRIu64, value);
}

void json_write_int(struct json_writer *writer, int64_t value)
{
    begin_item(writer);
    buffer_append_format(writer->out, "%" PRId64, value);
}

void json_write_double(struct json_writer *writer, double value)
{
    if (!isfinite(value)) {
        json_write_null(writer);
        return;
    }
    char text[32]; /* sign, 17 digits, point, e-308: 25 bytes */
    for (int digits = 1; digits <= DOUBLE_DIGITS_MAX; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    if (value > -integer_max && value < integer_max && value == (double)(int64_t)value) {
        (void)snprintf(text, sizeof text, "%.0f", value); /* 100, not 1e+02 */
    }
    begin_item(writer);
    append_text(writer, text);
    if (strpbrk(text, ".e") == NULL) {
        append_text(writer, ".0"); /* so that a reader keeps it a real */
    }
}

void json_write_str(struct json_writer *writer, struct span text)
{
    begin_item(writer);
    append_text(writer, "\"");
    while (text.size > 0) {
        char unit[TEXT_ESCAPE_BYTES_MAX];
        size_t size = text_escape_next(&text, unit);
        buffer_append(writer->out, unit, size);
    }
    append_text(writer, "\"");
}

void json_write_text(struct json_writer *writer, const char *text)
{
    json_write_str(writer, span_of_text(text));
}

/** Appends the four characters that stand for one to three bytes. */
static void append_base64_group(struct buffer *out, const uint8_t *bytes, size_t count)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t second = count > 1 ? bytes[1] : 0;
    uint32_t third = count > 2 ? bytes[2] : 0;
    uint32_t bits = (uint32_t)bytes[0] << 16 | second << 8 | third;
    char group[4] = {letters[bits >> 18], letters[bits >> 12 & 63], letters[bits >> 6 & 63],
                     letters[bits & 63]};
    for (size_t i = count + 1; i < sizeof group; i++) {
        group[i] = '=';
    }
    buffer_append(out, group, sizeof group);
}

void json_write_base64(struct json_writer *writer, const char *prefix, struct span bytes)
{
    begin_item(writer);
    buffer_append_format(writer->out, "\"%sbase64:", prefix);
    for (size_t at = 0; at < bytes.size; at += 3) {
        size_t left = bytes.size - at;
        append_base64_group(writer->out, bytes.data + at, left < 3 ? left : 3);
    }
    append_text(writer, "\"");
}
