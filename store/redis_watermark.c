#include "store/redis_watermark.h"

#include <assert.h>
#include <hiredis/hiredis.h>

#include "store/redis_command.h"
#include "store/redis_keys.h"

enum { SCRIPT_SAYS_DONE = 1, SCRIPT_SAYS_DISOWNED = 0, ARGUMENTS_PER_ENTRY = 4 };

static void begin_call(const struct redis_scripts *scripts, size_t entry_count, struct buffer *out)
{
    redis_script_begin_call(scripts, REDIS_SCRIPT_WATERMARK, 1,
                            1 + ARGUMENTS_PER_ENTRY * entry_count, out);
    redis_watermark_key_add(out, scripts->key_prefix, scripts->group);
    redis_command_add(out, span_make(scripts->history, scripts->history_size));
}

void redis_watermark_add_check(const struct redis_scripts *scripts, struct buffer *out)
{
    begin_call(scripts, 0, out);
}

static void encode_fields(const struct watermark_request *request, struct buffer *out)
{
    for (size_t i = 0; i < request->count; i++) {
        redis_position_field_add(out, request->entries[i].name);
    }
}

static void encode_read(const struct watermark_request *request,
                        const struct redis_scripts *scripts, struct buffer *out)
{
    redis_command_begin(out, 2 + request->count);
    redis_command_add_text(out, "HMGET");
    redis_watermark_key_add(out, scripts->key_prefix, scripts->group);
    encode_fields(request, out);
}

static void encode_write(const struct watermark_request *request,
                         const struct redis_scripts *scripts, struct buffer *out)
{
    begin_call(scripts, request->count, out);
    encode_fields(request, out);
    for (size_t i = 0; i < request->count; i++) {
        redis_command_add(out, request->entries[i].expected); /* absent: '' */
    }
    for (size_t i = 0; i < request->count; i++) {
        redis_position_field_add(out, request->entries[i].name);
        redis_command_add(out, request->entries[i].value);
    }
}

void redis_watermark_encode(const struct watermark_request *request,
                            const struct redis_scripts *scripts, struct buffer *out)
{
    if (request->is_write) {
        encode_write(request, scripts, out);
    } else {
        encode_read(request, scripts, out);
    }
}

static enum store_status refuse_shape(struct watermark_request *request)
{
    error_set(&request->error, ERROR_STORE_ERROR,
              "the watermark: Redis's reply has another shape than the command asks for");
    return STORE_FAILED;
}

/** Copies what was found; returns `status`, or STORE_FAILED where the arena has no room. */
static enum store_status take_found(struct watermark_request *request,
                                    struct redisReply *const *found, enum store_status status)
{
    for (size_t i = 0; i < request->count; i++) {
        struct watermark_entry *entry = &request->entries[i];
        entry->found = (struct span){0};
        if (found[i]->type != REDIS_REPLY_STRING) {
            continue;
        }
        entry->found = arena_copy(request->arena, span_make(found[i]->str, found[i]->len));
        if (span_is_absent(entry->found)) {
            error_set(&request->error, ERROR_OUT_OF_MEMORY,
                      "reading %zu entries of the watermark: the arena of %zu bytes is full",
                      request->count, request->arena->bytes_max);
            return STORE_FAILED;
        }
    }
    return status;
}

enum store_status redis_watermark_take(struct watermark_request *request, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return refuse_shape(request);
    }
    if (!request->is_write) {
        return reply->elements == request->count ? take_found(request, reply->element, STORE_DONE)
                                                 : refuse_shape(request);
    }
    if (reply->elements == 0 || reply->element[0]->type != REDIS_REPLY_INTEGER) {
        return refuse_shape(request);
    }
    if (reply->element[0]->integer == SCRIPT_SAYS_DONE) {
        return STORE_DONE;
    }
    if (reply->element[0]->integer != SCRIPT_SAYS_DISOWNED ||
        reply->elements != 1 + request->count) {
        return refuse_shape(request);
    }
    return take_found(request, reply->element + 1, STORE_DISOWNED);
}

bool redis_watermark_take_check(struct redis_scripts *scripts, const redisReply *reply)
{
    const redisReply *id =
        reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 ? reply->element[1] : NULL;
    if (id == NULL || id->type != REDIS_REPLY_STRING || id->len == 0 ||
        id->len > REDIS_HISTORY_BYTES_MAX) {
        return false;
    }
    memcpy(scripts->history, id->str, id->len);
    scripts->history_size = id->len;
    return true;
}
