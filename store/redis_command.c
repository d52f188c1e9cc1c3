#include "store/redis_command.h"

#include <assert.h>

#include "protocol/decimal.h"

/** Writes "*<count>\r\n" or "$<bytes>\r\n"; returns where it ends. */
static uint8_t *write_head(uint8_t *at, char type, uint64_t number)
{
    at[0] = (uint8_t)type;
    at += 1 + decimal_write(number, (char *)at + 1);
    at[0] = '\r';
    at[1] = '\n';
    return at + 2;
}

static size_t head_size(uint64_t number)
{
    return 1 + decimal_size(number) + 2;
}

/** Appends an argument's head and end; returns where its `size` bytes are to be written, or NULL.
 */
static uint8_t *add_frame(struct buffer *out, size_t size)
{
    size_t head = head_size(size);
    assert(size <= SIZE_MAX - head - 2);
    uint8_t *at = buffer_extend(out, head + size + 2);
    if (at == NULL) {
        return NULL;
    }
    at[head + size] = '\r';
    at[head + size + 1] = '\n';
    return write_head(at, '$', size);
}

void redis_command_begin(struct buffer *out, size_t argument_count)
{
    uint8_t *at = buffer_extend(out, head_size(argument_count));
    if (at != NULL) {
        (void)write_head(at, '*', argument_count);
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
    uint8_t *at = add_frame(out, decimal_size(argument));
    if (at != NULL) {
        (void)decimal_write(argument, (char *)at);
    }
}

void redis_command_add_int(struct buffer *out, int64_t argument)
{
    char digits[DECIMAL_BYTES_MAX];
    redis_command_add(out, span_make(digits, decimal_write_signed(argument, digits)));
}
