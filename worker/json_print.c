#include "worker/json_print.h"

#include <stdio.h>

#include "protocol/identifier.h"
#include "protocol/wire.h"

enum { UUID_BYTES = 16 };

static bool print_value(struct wire_cursor *cursor, struct json_writer *writer);

static bool print_map(struct wire_cursor *cursor, uint32_t count, struct json_writer *writer)
{
    json_write_object_begin(writer);
    for (uint32_t i = 0; i < count; i++) {
        struct wire_value key = wire_read(cursor);
        if (key.type != WIRE_STR) {
            return false;
        }
        json_write_key(writer, key.body);
        if (!print_value(cursor, writer)) {
            return false;
        }
    }
    json_write_object_end(writer);
    return true;
}

static bool print_array(struct wire_cursor *cursor, uint32_t count, struct json_writer *writer)
{
    json_write_array_begin(writer);
    for (uint32_t i = 0; i < count; i++) {
        if (!print_value(cursor, writer)) {
            return false;
        }
    }
    json_write_array_end(writer);
    return true;
}

static void print_bin(struct span bytes, struct json_writer *writer)
{
    if (bytes.size == UUID_BYTES) {
        char text[IDENTIFIER_UUID_TEXT_BYTES];
        identifier_format_uuid(bytes.data, text);
        json_write_str(writer, span_make(text, sizeof text));
    } else {
        json_write_base64(writer, "", bytes);
    }
}

static void print_ext(const struct wire_value *value, struct json_writer *writer)
{
    char prefix[16];
    (void)snprintf(prefix, sizeof prefix, "ext:%d:", value->ext_type);
    json_write_base64(writer, prefix, value->body);
}

static bool print_value(struct wire_cursor *cursor, struct json_writer *writer)
{
    struct wire_value value = wire_read(cursor);
    switch (value.type) {
    case WIRE_NIL:
        json_write_null(writer);
        return true;
    case WIRE_BOOL:
        json_write_bool(writer, value.boolean);
        return true;
    case WIRE_UINT:
        json_write_uint(writer, value.uint);
        return true;
    case WIRE_INT:
        json_write_int(writer, value.sint);
        return true;
    case WIRE_FLOAT:
        json_write_double(writer, value.real);
        return true;
    case WIRE_STR:
        json_write_str(writer, value.body);
        return true;
    case WIRE_BIN:
        print_bin(value.body, writer);
        return true;
    case WIRE_ARRAY:
        return print_array(cursor, value.count, writer);
    case WIRE_MAP:
        return print_map(cursor, value.count, writer);
    case WIRE_EXT:
        print_ext(&value, writer);
        return true;
    }
    return false;
}

bool json_print(struct span message, struct json_writer *writer)
{
    struct wire_structure structure = {0};
    if (!wire_check_structure(message, &structure, NULL) ||
        structure.depth > JSON_PRINT_DEPTH_MAX) {
        return false;
    }
    struct json_writer before = *writer;
    size_t size_before = writer->out->size;
    struct wire_cursor cursor = wire_cursor_of(message);
    if (!print_value(&cursor, writer)) {
        *writer = before;
        writer->out->size = size_before;
        return false;
    }
    return true;
}
