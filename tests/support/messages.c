#include "tests/support/messages.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/arena.h"
#include "protocol/pack.h"

enum { KEPT_BYTES_MAX = 256 * 1024 * 1024, TEXT_BYTES_MAX = 8 * 1024 * 1024 };

struct span bytes_keep(struct span bytes)
{
    /* Reachable to the end, so that no leak is reported. */
    static struct arena kept;
    if (kept.bytes_max == 0) {
        arena_init(&kept, KEPT_BYTES_MAX);
    }
    const struct span copy = arena_copy(&kept, bytes);
    assert(!span_is_absent(copy));
    return copy;
}

static void append_hex(struct buffer *out, const char *hex)
{
    for (const char *at = hex; *at != '\0'; at++) {
        if (*at == ' ') {
            continue;
        }
        const char digits[3] = {at[0], at[1], '\0'};
        char *end = NULL;
        const uint8_t byte = (uint8_t)strtoul(digits, &end, 16);
        assert(end == digits + 2);
        buffer_append(out, &byte, 1);
        at++;
    }
}

struct span bytes_of_hex(const char *hex)
{
    struct buffer bytes;
    buffer_init(&bytes, TEXT_BYTES_MAX);
    append_hex(&bytes, hex);
    const struct span kept = bytes_keep(buffer_span(&bytes));
    buffer_deinit(&bytes);
    return kept;
}

static void append_string(struct buffer *out, const json_t *value)
{
    const char *const text = json_string_value(value);
    if (strncmp(text, "hex:", 4) == 0) {
        append_hex(out, text + 4);
    } else if (strncmp(text, "bin:", 4) == 0) {
        pack_bin(out, bytes_of_hex(text + 4));
    } else {
        pack_str(out, span_make(text, json_string_length(value)));
    }
}

static void append_value(struct buffer *out, json_t *value)
{
    const char *key;
    json_t *item;
    size_t index;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        pack_map(out, (uint32_t)json_object_size(value));
        json_object_foreach(value, key, item)
        {
            pack_text(out, key);
            append_value(out, item);
        }
        break;
    case JSON_ARRAY:
        pack_array(out, (uint32_t)json_array_size(value));
        json_array_foreach(value, index, item)
        {
            append_value(out, item);
        }
        break;
    case JSON_STRING:
        append_string(out, value);
        break;
    case JSON_INTEGER:
        pack_int(out, json_integer_value(value));
        break;
    case JSON_REAL:
        pack_double(out, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        pack_bool(out, json_is_true(value));
        break;
    case JSON_NULL:
        pack_nil(out);
        break;
    }
}

struct span message_of(const char *json)
{
    const size_t size = strlen(json);
    char *const text = malloc(size + 1);
    assert(text != NULL);
    for (size_t i = 0; i <= size; i++) {
        text[i] = json[i];
        if (text[i] == '\'') {
            text[i] = '"';
        }
    }
    json_error_t error;
    json_t *const value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (value == NULL) {
        (void)fprintf(stderr, "bad JSON in a test: %s in %s\n", error.text, json);
        abort();
    }
    struct buffer message;
    buffer_init(&message, TEXT_BYTES_MAX);
    append_value(&message, value);
    assert(!message.failed);
    const struct span kept = bytes_keep(buffer_span(&message));
    buffer_deinit(&message);
    json_decref(value);
    free(text);
    return kept;
}

struct span message_of_format(const char *format, ...)
{
    char *const text = malloc(TEXT_BYTES_MAX);
    assert(text != NULL);
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, TEXT_BYTES_MAX, format, arguments);
    va_end(arguments);
    assert(size >= 0 && size < TEXT_BYTES_MAX);
    const struct span message = message_of(text);
    free(text);
    return message;
}
