#include "store/redis_command.h"

#include <assert.h>

#include "protocol/decimal.h"

enum { HEAD_BYTES = 1 + 2 }; /* of "*<count>\r\n" and "$<bytes>\r\n", but for the digits */

/** Writes a head whose number has so many digits; returns where it ends. */
static uint8_t *write_head(uint8_t *at, char type, uint64_t number, size_t digits)
{
    at[0] = (uint8_t)type;
    decimal_write_counted(number, digits, (char *)at + 1);
    at[1 + digits] = '\r';
    at[2 + digits] = '\n';
    return at + HEAD_BYTES + digits;
}

/** Appends an argument's head and end; returns where its `size` bytes are to be written, or NULL.
 */
static uint8_t *add_frame(struct buffer *out, size_t size)
{
    size_t digits = decimal_size(size);
    assert(size <= SIZE_MAX - HEAD_BYTES - digits - 2);
    uint8_t *at = buffer_extend(out, HEAD_BYTES + digits + size + 2);
    if (at == NULL) {
        return NULL;
    }
    uint8_t *argument = write_head(at, '$', size, digits);
    argument[size] = '\r';
    argument[size + 1] = '\n';
    return argument;
}

void redis_command_begin(struct buffer *out, size_t argument_count)
{
    size_t digits = decimal_size(argument_count);
    uint8_t *at = buffer_extend(out, HEAD_BYTES + digits);
    if (at != NULL) {
        (void)write_head(at, '*', argument_count, digits);
    }
}

void redis_command_add_parts(struct buffer *out, const struct span *parts, size_t count)
{
    assert(count <= REDIS_COMMAND_PARTS_MAX);
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        assert(parts[i].size <= SIZE_MAX - size);
        size += parts[i].size;
    }
    uint8_t *at = add_frame(out, size);
    for (size_t i = 0; at != NULL && i < count; i++) {
        if (parts[i].size > 0) {
            memcpy(at, parts[i].data, parts[i].size);
            at += parts[i].size;
        }
    }
}

void redis_command_add(struct buffer *out, struct span argument)
{
    uint8_t *at = add_frame(out, argument.size);
    if (at != NULL && argument.size > 0) {
        memcpy(at, argument.data, argument.size);
    }
}

void redis_command_add_text(struct buffer *out, const char *argument)
{
    redis_command_add(out, span_of_text(argument));
}

void redis_command_add_uint(struct buffer *out, uint64_t argument)
{
    size_t digits = decimal_size(argument);
    uint8_t *at = add_frame(out, digits);
    if (at != NULL) {
        decimal_write_counted(argument, digits, (char *)at);
    }
}

void redis_command_add_int(struct buffer *out, int64_t argument)
{
    char digits[DECIMAL_BYTES_MAX];
    redis_command_add(out, span_make(digits, decimal_write_signed(argument, digits)));
}
