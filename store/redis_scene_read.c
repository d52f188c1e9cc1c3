#include "store/redis_scene_read.h"

#include <hiredis/hiredis.h>

#include "protocol/decimal.h"
#include "store/redis_command.h"
#include "store/redis_keys.h"

enum { META_FIRST, ELEMENTS, META_AGAIN };

void redis_scene_read_encode(const struct redis_scene_read *read, struct span key_prefix,
                             struct buffer *out)
{
    for (size_t i = 0; i < REDIS_SCENE_READ_COMMANDS; i++) {
        bool is_meta = i != ELEMENTS;
        redis_command_begin(out, is_meta ? 5 : 2);
        redis_command_add_text(out, is_meta ? "HMGET" : "HGETALL");
        redis_key_add(out, key_prefix, read->session_id,
                      is_meta ? REDIS_KEY_META : REDIS_KEY_ELEMENTS);
        if (is_meta) {
            redis_command_add_text(out, "version");
            redis_command_add_text(out, "updated_at");
            redis_command_add_text(out, "commit");
        }
    }
}

static struct span reply_span(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING) {
        return (struct span){0};
    }
    return span_make(reply->str, reply->len);
}

static bool refuse(struct redis_scene_read *read, const char *what)
{
    char quoted[ERROR_QUOTE_BYTES_MAX];
    return error_set(&read->error, ERROR_STORE_ERROR, "reading scene %s: %s",
                     error_quote(read->session_id, quoted), what);
}

static bool take_meta(struct redis_scene_read *read, bool again, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
        return refuse(read, "Redis's reply has another shape than the command asks for");
    }
    struct span version = reply_span(reply->element[0]);
    struct span updated_at = reply_span(reply->element[1]);
    struct span token = reply_span(reply->element[2]);
    uint64_t number = 0;
    int64_t updated_at_ms = 0;
    if ((!span_is_absent(version) && !decimal_read(version, UINT64_MAX, &number)) ||
        (!span_is_absent(updated_at) && !decimal_read_signed(updated_at, &updated_at_ms)) ||
        token.size > STORE_TOKEN_BYTES_MAX) {
        return refuse(read, "`version` and `updated_at` must be decimal numbers, `commit` a text "
                            "of at most 32 bytes; correct what wrote them");
    }
    if (again) {
        read->consistent = read->dump.version == number &&
                           span_equal(token, span_make(read->token.text, read->token.size));
        return true;
    }
    read->dump.version = number;
    read->dump.updated_at_ms = updated_at_ms;
    read->token.size = (uint8_t)token.size;
    if (token.size > 0) {
        memcpy(read->token.text, token.data, token.size);
    }
    return true;
}

static bool take_elements(struct redis_scene_read *read, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        return refuse(read, "Redis's reply has another shape than the command asks for");
    }
    struct scene_dump *dump = &read->dump;
    dump->count = reply->elements / 2;
    dump->ids = arena_alloc_array(read->arena, dump->count, sizeof *dump->ids);
    dump->values = arena_alloc_array(read->arena, dump->count, sizeof *dump->values);
    bool fits = dump->ids != NULL && dump->values != NULL;
    for (size_t i = 0; fits && i < dump->count; i++) {
        dump->ids[i] = arena_copy(read->arena, reply_span(reply->element[2 * i]));
        dump->values[i] = arena_copy(read->arena, reply_span(reply->element[2 * i + 1]));
        fits = !span_is_absent(dump->ids[i]) && !span_is_absent(dump->values[i]);
    }
    if (!fits) {
        return error_set(&read->error, ERROR_OUT_OF_MEMORY,
                         "reading a scene of %zu elements: the arena of %zu bytes is full",
                         dump->count, read->arena->bytes_max);
    }
    return true;
}

bool redis_scene_read_take(struct redis_scene_read *read, size_t index, const redisReply *reply)
{
    return index == ELEMENTS ? take_elements(read, reply)
                             : take_meta(read, index == META_AGAIN, reply);
}
