#include "protocol/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CAPACITY_BYTES_MIN = 256 };

void buffer_init(struct buffer *buffer, size_t bytes_max)
{
    *buffer = (struct buffer){.bytes_max = bytes_max};
}

void buffer_init_fixed(struct buffer *buffer, uint8_t *storage, size_t size)
{
    *buffer = (struct buffer){.data = storage, .capacity = size, .bytes_max = size};
}

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->bytes_max);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

/** Makes the capacity at least `wanted`, which the cap allows; doubling keeps appends O(1) on
 * average. */
static bool grow(struct buffer *buffer, size_t wanted)
{
    size_t capacity = CAPACITY_BYTES_MIN;
    if (buffer->capacity > SIZE_MAX / 2) {
        capacity = wanted;
    } else if (capacity < buffer->capacity * 2) {
        capacity = buffer->capacity * 2;
    }
    if (capacity > buffer->bytes_max) {
        capacity = buffer->bytes_max;
    }
    if (capacity < wanted) {
        capacity = wanted;
    }
    if (capacity > buffer->bytes_max) {
        capacity = buffer->bytes_max;
    }
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

bool buffer_make_room(struct buffer *buffer, size_t size)
{
    assert(buffer->size <= buffer->bytes_max);
    if (buffer->failed) {
        return false;
    }
    if (size > buffer->bytes_max - buffer->size) {
        buffer->failed = true;
        return false;
    }
    if (size > buffer->capacity - buffer->size && !grow(buffer, buffer->size + size)) {
        buffer->failed = true;
        return false;
    }
    return true;
}

/**
 * Formats again what did not fit the caller's stack, on the heap: vsnprintf() writes a terminator,
 * for which a buffer that is filled to its cap has no room.
 */
__attribute__((format(printf, 3, 0))) static void
append_long_format(struct buffer *buffer, size_t size, const char *format, va_list arguments)
{
    char *text = malloc(size + 1);
    if (text == NULL) {
        buffer->failed = true;
        return;
    }
    (void)vsnprintf(text, size + 1, format, arguments);
    buffer_append(buffer, text, size);
    free(text);
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0) {
        buffer->failed = true;
    } else if ((size_t)size < sizeof text) {
        buffer_append(buffer, text, (size_t)size);
    } else {
        va_start(arguments, format);
        append_long_format(buffer, (size_t)size, format, arguments);
        va_end(arguments);
    }
}

struct span buffer_span(const struct buffer *buffer)
{
    return buffer->data != NULL ? span_make(buffer->data, buffer->size) : span_make("", 0);
}
