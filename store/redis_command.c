#include "store/redis_command.h"

#include <assert.h>

#include "store/decimal.h"

/** "*<count>\r\n" or "$<bytes>\r\n". */
static void append_head(struct buffer *out, char type, size_t number)
{
    char head[DECIMAL_BYTES_MAX + 3];
    head[0] = type;
    size_t size = 1 + decimal_write(number, head + 1);
    head[size++] = '\r';
    head[size++] = '\n';
    buffer_append(out, head, size);
}

void redis_command_begin(struct buffer *out, size_t argument_count)
{
    append_head(out, '*', argument_count);
}

void redis_command_add_parts(struct buffer *out, const struct span *parts, size_t count)
{
    assert(count <= REDIS_COMMAND_PARTS_MAX);
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        assert(parts[i].size <= SIZE_MAX - size);
        size += parts[i].size;
    }
    append_head(out, '$', size);
    for (size_t i = 0; i < count; i++) {
        buffer_append_span(out, parts[i]);
    }
    buffer_append(out, "\r\n", 2);
}

void redis_command_add(struct buffer *out, struct span argument)
{
    redis_command_add_parts(out, &argument, 1);
}

void redis_command_add_text(struct buffer *out, const char *argument)
{
    redis_command_add(out, span_of_text(argument));
}

void redis_command_add_uint(struct buffer *out, uint64_t argument)
{
    char digits[DECIMAL_BYTES_MAX];
    redis_command_add(out, span_make(digits, decimal_write(argument, digits)));
}

void redis_command_add_int(struct buffer *out, int64_t argument)
{
    char digits[DECIMAL_BYTES_MAX];
    redis_command_add(out, span_make(digits, decimal_write_signed(argument, digits)));
}
