#include "store/redis_command.h"

#include <assert.h>

#include "store/decimal.h"

enum { HEAD_BYTES_MAX = DECIMAL_BYTES_MAX + 3 };

/** "*<count>\r\n" or "$<bytes>\r\n". */
static size_t write_head(char head[HEAD_BYTES_MAX], char type, size_t number)
{
    head[0] = type;
    size_t size = 1 + decimal_write(number, head + 1);
    head[size++] = '\r';
    head[size++] = '\n';
    return size;
}

void redis_command_begin(struct buffer *out, size_t argument_count)
{
    char head[HEAD_BYTES_MAX];
    buffer_append(out, head, write_head(head, '*', argument_count));
}

void redis_command_add_parts(struct buffer *out, const struct span *parts, size_t count)
{
    assert(count <= REDIS_COMMAND_PARTS_MAX);
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        assert(parts[i].size <= SIZE_MAX - size);
        size += parts[i].size;
    }
    char head[HEAD_BYTES_MAX];
    size_t head_size = write_head(head, '$', size);
    assert(size <= SIZE_MAX - HEAD_BYTES_MAX - 2);
    uint8_t *at = buffer_extend(out, head_size + size + 2);
    if (at == NULL) {
        return;
    }
    memcpy(at, head, head_size);
    at += head_size;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0) {
            memcpy(at, parts[i].data, parts[i].size);
            at += parts[i].size;
        }
    }
    at[0] = '\r';
    at[1] = '\n';
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
