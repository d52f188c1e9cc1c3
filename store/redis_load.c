#include "store/redis_load.h"

#include <hiredis/hiredis.h>

#include "protocol/decimal.h"
#include "store/position.h"
#include "store/record_head.h"
#include "store/redis_command.h"
#include "store/redis_fields.h"

enum {
    META_FIELDS = 3, /* version, commit, element_count */
    RECORD_KEYS = 3
};

/* Records move from `pending` to `batches` to `batches.old`: read in this order, one that moves
 * meanwhile is seen at least once. */
static const enum redis_key record_keys[RECORD_KEYS] = {REDIS_KEY_PENDING, REDIS_KEY_BATCHES,
                                                        REDIS_KEY_BATCHES_OLD};

/** The commands before those for elements and records: for the meta, and where elements are asked
 * for, how many there are. */
static size_t head_count(const struct scene_load *load)
{
    return load->element_count > 0 ? 2 : 1;
}

bool redis_load_begin(struct scene_load *load)
{
    load->version = 0;
    load->token = (struct store_token){0};
    load->scene_element_count = 0;
    load->stored_count = UINT64_MAX;
    load->element_values = arena_alloc_array(load->arena, load->element_count, sizeof(struct span));
    load->record_values = arena_alloc_array(load->arena, load->record_count, sizeof(struct span));
    if (load->element_values == NULL || load->record_values == NULL) {
        return error_set(&load->error, ERROR_OUT_OF_MEMORY,
                         "loading %zu elements and %zu records: the arena of %zu bytes is full",
                         load->element_count, load->record_count, load->arena->bytes_max);
    }
    return true;
}

size_t redis_load_encode(const struct scene_load *load, struct span key_prefix, struct buffer *out)
{
    redis_command_begin(out, 2 + META_FIELDS + load->position_count);
    redis_command_add_text(out, "HMGET");
    redis_key_add(out, key_prefix, load->session_id, REDIS_KEY_META);
    redis_command_add_text(out, "version");
    redis_command_add_text(out, "commit");
    redis_command_add_text(out, "element_count");
    for (size_t i = 0; i < load->position_count; i++) {
        redis_position_field_add(out, load->positions[i].name);
    }
    if (load->element_count > 0) {
        redis_command_begin(out, 2);
        redis_command_add_text(out, "HLEN");
        redis_key_add(out, key_prefix, load->session_id, REDIS_KEY_ELEMENTS);
    }
    redis_fields_encode(out, key_prefix, load->session_id, REDIS_KEY_ELEMENTS, load->element_ids,
                        load->element_count);
    for (size_t i = 0; i < RECORD_KEYS; i++) {
        redis_fields_encode(out, key_prefix, load->session_id, record_keys[i], load->record_fields,
                            load->record_count);
    }
    return head_count(load) + redis_fields_commands(load->element_count) +
           RECORD_KEYS * redis_fields_commands(load->record_count);
}

static bool is_array(const redisReply *reply, size_t count)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == count;
}

static bool refuse_reply(struct error *error, struct span session_id)
{
    char quoted[ERROR_QUOTE_BYTES_MAX];
    return error_set(error, ERROR_STORE_ERROR,
                     "reading scene %s: Redis's reply has another shape than the command asks for",
                     error_quote(session_id, quoted));
}

static bool refuse_meta(struct error *error, struct span session_id, const char *field,
                        struct span value, const char *rule)
{
    char session[ERROR_QUOTE_BYTES_MAX], quoted[ERROR_QUOTE_BYTES_MAX];
    return error_set(error, ERROR_STORE_ERROR,
                     "reading scene %s: `%s` is \"%s\", it must be %s; correct what wrote it",
                     error_quote(session_id, session), field, error_quote(value, quoted), rule);
}

/** Reads a number of the meta; 0 where it is not there. */
static bool take_number(struct span session_id, const char *field, struct span value, uint64_t *out,
                        struct error *error)
{
    *out = 0;
    if (!span_is_absent(value) && !decimal_read(value, UINT64_MAX, out)) {
        return refuse_meta(error, session_id, field, value, "a decimal number below 2^64");
    }
    return true;
}

static bool take_token(struct span session_id, struct span value, struct store_token *out,
                       struct error *error)
{
    if (value.size > STORE_TOKEN_BYTES_MAX) {
        return refuse_meta(error, session_id, "commit", value, "a text of at most 32 bytes");
    }
    *out = (struct store_token){.size = (uint8_t)value.size};
    if (value.size > 0) {
        memcpy(out->text, value.data, value.size);
    }
    return true;
}

static bool take_position(struct span session_id, struct span value,
                          struct store_position *position, struct error *error)
{
    position->known = false;
    if (!span_is_absent(value) && !position_read(value, position)) {
        return refuse_meta(error, session_id, "at:<topic>/<partition>", value,
                           "\"<offset> <timestamp>\"");
    }
    return true;
}

static bool take_meta(struct scene_load *load, const redisReply *reply)
{
    if (!is_array(reply, META_FIELDS + load->position_count)) {
        return refuse_reply(&load->error, load->session_id);
    }
    if (!take_number(load->session_id, "version", redis_string_span(reply->element[0]),
                     &load->version, &load->error) ||
        !take_token(load->session_id, redis_string_span(reply->element[1]), &load->token,
                    &load->error) ||
        !take_number(load->session_id, "element_count", redis_string_span(reply->element[2]),
                     &load->scene_element_count, &load->error)) {
        return false;
    }
    for (size_t i = 0; i < load->position_count; i++) {
        if (!take_position(load->session_id, redis_string_span(reply->element[META_FIELDS + i]),
                           &load->positions[i], &load->error)) {
            return false;
        }
    }
    return true;
}

static bool take_count(struct scene_load *load, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0) {
        return refuse_reply(&load->error, load->session_id);
    }
    load->stored_count = (uint64_t)reply->integer;
    return true;
}

static bool copy_value(struct arena *arena, struct span value, struct span *out,
                       struct error *error)
{
    *out = arena_copy(arena, value);
    if (span_is_absent(*out)) {
        return error_set(error, ERROR_OUT_OF_MEMORY,
                         "reading a scene: the arena of %zu bytes has no room for a value of %zu",
                         arena->bytes_max, value.size);
    }
    return true;
}

static bool take_elements(struct scene_load *load, size_t group, const redisReply *reply)
{
    size_t from, size = redis_fields_of_command(load->element_count, group, &from);
    if (!is_array(reply, size)) {
        return refuse_reply(&load->error, load->session_id);
    }
    for (size_t i = 0; i < size; i++) {
        struct span value = redis_string_span(reply->element[i]);
        if (!span_is_absent(value) &&
            !copy_value(load->arena, value, &load->element_values[from + i], &load->error)) {
            return false;
        }
    }
    return true;
}

/** Of a record that stands under several keys the latest attempt counts. */
static bool take_records(struct scene_load *load, size_t group, const redisReply *reply)
{
    size_t from, size = redis_fields_of_command(load->record_count, group, &from);
    if (!is_array(reply, size)) {
        return refuse_reply(&load->error, load->session_id);
    }
    for (size_t i = 0; i < size; i++) {
        struct span value = redis_string_span(reply->element[i]);
        struct span *known = &load->record_values[from + i];
        bool is_later =
            span_is_absent(*known) || record_head_attempt(value) > record_head_attempt(*known);
        if (!span_is_absent(value) && is_later &&
            !copy_value(load->arena, value, known, &load->error)) {
            return false;
        }
    }
    return true;
}

bool redis_load_take(struct scene_load *load, size_t index, const redisReply *reply)
{
    if (index == 0) {
        return take_meta(load, reply);
    }
    if (index < head_count(load)) {
        return take_count(load, reply);
    }
    size_t group = index - head_count(load);
    size_t element_groups = redis_fields_commands(load->element_count);
    if (group < element_groups) {
        return take_elements(load, group, reply);
    }
    return take_records(load, (group - element_groups) % redis_fields_commands(load->record_count),
                        reply);
}
