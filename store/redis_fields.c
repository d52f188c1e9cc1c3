#include "store/redis_fields.h"

#include <hiredis/hiredis.h>

#include "store/redis_command.h"

size_t redis_fields_commands(size_t count)
{
    return count / REDIS_FIELDS_PER_COMMAND_MAX + (count % REDIS_FIELDS_PER_COMMAND_MAX != 0);
}

size_t redis_fields_of_command(size_t count, size_t index, size_t *from)
{
    *from = index * REDIS_FIELDS_PER_COMMAND_MAX;
    size_t rest = count - *from;
    return rest < REDIS_FIELDS_PER_COMMAND_MAX ? rest : REDIS_FIELDS_PER_COMMAND_MAX;
}

void redis_fields_encode(struct buffer *out, struct span key_prefix, struct span session_id,
                         enum redis_key key, const struct span *fields, size_t count)
{
    for (size_t index = 0; index < redis_fields_commands(count); index++) {
        size_t from, size = redis_fields_of_command(count, index, &from);
        redis_command_begin(out, 2 + size);
        redis_command_add_text(out, "HMGET");
        redis_key_add(out, key_prefix, session_id, key);
        for (size_t i = 0; i < size; i++) {
            redis_command_add(out, fields[from + i]);
        }
    }
}

struct span redis_string_span(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING) {
        return (struct span){0};
    }
    return span_make(reply->str, reply->len);
}
