#include "store/redis_scene_read.h"

#include <hiredis/hiredis.h>

#include "protocol/decimal.h"
#include "store/redis_command.h"
#include "store/redis_fields.h"

enum {
    FIELDS_PER_STEP_MAX = 16 * REDIS_FIELDS_PER_COMMAND_MAX,
    STEP_BYTES = 8 << 20, /* about, by the largest value so far */
    /* Until one was seen. */
    VALUE_BYTES_GUESSED = STEP_BYTES / REDIS_FIELDS_PER_COMMAND_MAX,
    /* What an element takes of the arena at the least: two spans, and two aligned copies. */
    ELEMENT_BYTES_MIN = 64
};

/* The commands of the step `whole`. */
enum { META_FIRST, ELEMENTS, META_LAST };

static void add_meta(const struct redis_scene_read *read, struct span key_prefix,
                     struct buffer *out)
{
    redis_command_begin(out, 5);
    redis_command_add_text(out, "HMGET");
    redis_key_add(out, key_prefix, read->session_id, REDIS_KEY_META);
    redis_command_add_text(out, "version");
    redis_command_add_text(out, "updated_at");
    redis_command_add_text(out, "commit");
}

static void add_of_elements(const struct redis_scene_read *read, const char *name,
                            struct span key_prefix, struct buffer *out)
{
    redis_command_begin(out, 2);
    redis_command_add_text(out, name);
    redis_key_add(out, key_prefix, read->session_id, REDIS_KEY_ELEMENTS);
}

size_t redis_scene_read_encode(const struct redis_scene_read *read, struct span key_prefix,
                               struct buffer *out)
{
    switch (read->step) {
    case REDIS_SCENE_READ_WHOLE:
        add_meta(read, key_prefix, out);
        add_of_elements(read, "HGETALL", key_prefix, out);
        add_meta(read, key_prefix, out);
        return 3;
    case REDIS_SCENE_READ_HEAD:
        add_meta(read, key_prefix, out);
        add_of_elements(read, "HLEN", key_prefix, out);
        return 2;
    case REDIS_SCENE_READ_IDS:
        add_of_elements(read, "HKEYS", key_prefix, out);
        return 1;
    case REDIS_SCENE_READ_VALUES:
        redis_fields_encode(out, key_prefix, read->session_id, REDIS_KEY_ELEMENTS,
                            read->dump.ids + read->step_from, read->step_count);
        return redis_fields_commands(read->step_count);
    case REDIS_SCENE_READ_META_AGAIN:
        add_meta(read, key_prefix, out);
        return 1;
    }
    return 0;
}

static bool refuse(struct redis_scene_read *read, const char *what)
{
    char quoted[ERROR_QUOTE_BYTES_MAX];
    return error_set(&read->error, ERROR_STORE_ERROR, "reading scene %s: %s",
                     error_quote(read->session_id, quoted), what);
}

static bool refuse_shape(struct redis_scene_read *read)
{
    return refuse(read, "Redis's reply has another shape than the command asks for");
}

static bool refuse_size(struct redis_scene_read *read)
{
    return error_set(&read->error, ERROR_OUT_OF_MEMORY,
                     "reading a scene of %zu elements: the arena of %zu bytes is full",
                     read->dump.count, read->arena->bytes_max);
}

static bool take_meta(struct redis_scene_read *read, bool again, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
        return refuse_shape(read);
    }
    struct span version = redis_string_span(reply->element[0]);
    struct span updated_at = redis_string_span(reply->element[1]);
    struct span token = redis_string_span(reply->element[2]);
    uint64_t number = 0;
    int64_t updated_at_ms = 0;
    if ((!span_is_absent(version) && !decimal_read(version, UINT64_MAX, &number)) ||
        (!span_is_absent(updated_at) && !decimal_read_signed(updated_at, &updated_at_ms)) ||
        token.size > STORE_TOKEN_BYTES_MAX) {
        return refuse(read, "`version` and `updated_at` must be decimal numbers, `commit` a text "
                            "of at most 32 bytes; correct what wrote them");
    }
    if (again) {
        read->consistent = !read->has_gaps && read->dump.version == number &&
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

/** Ids without values are refused here, too, before any value is asked for. */
static bool make_room(struct redis_scene_read *read, size_t count)
{
    struct scene_dump *dump = &read->dump;
    dump->count = count;
    dump->ids = arena_alloc_array(read->arena, count, sizeof *dump->ids);
    dump->values = arena_alloc_array(read->arena, count, sizeof *dump->values);
    return (dump->ids != NULL && dump->values != NULL) || refuse_size(read);
}

static bool keep(struct redis_scene_read *read, const redisReply *reply, struct span *out)
{
    *out = arena_copy(read->arena, redis_string_span(reply));
    return !span_is_absent(*out) || refuse_size(read);
}

static bool take_elements(struct redis_scene_read *read, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        return refuse_shape(read);
    }
    bool fits = make_room(read, reply->elements / 2);
    for (size_t i = 0; fits && i < read->dump.count; i++) {
        fits = keep(read, reply->element[2 * i], &read->dump.ids[i]) &&
               keep(read, reply->element[2 * i + 1], &read->dump.values[i]);
    }
    return fits;
}

/** Even the ids of so many would be too large a reply. */
static bool take_count(struct redis_scene_read *read, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0) {
        return refuse_shape(read);
    }
    read->dump.count = (size_t)reply->integer;
    return read->dump.count <= read->arena->bytes_max / ELEMENT_BYTES_MIN || refuse_size(read);
}

static bool take_ids(struct redis_scene_read *read, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return refuse_shape(read);
    }
    bool fits = make_room(read, reply->elements);
    for (size_t i = 0; fits && i < read->dump.count; i++) {
        fits = keep(read, reply->element[i], &read->dump.ids[i]);
    }
    return fits;
}

static bool take_values(struct redis_scene_read *read, size_t index, const redisReply *reply)
{
    size_t from, count = redis_fields_of_command(read->step_count, index, &from);
    struct span *values = read->dump.values + read->step_from + from;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != count) {
        return refuse_shape(read);
    }
    for (size_t i = 0; i < count; i++) {
        size_t bytes = redis_string_span(reply->element[i]).size;
        if (reply->element[i]->type == REDIS_REPLY_NIL) {
            read->has_gaps = true;
        } else if (!keep(read, reply->element[i], &values[i])) {
            return false;
        }
        read->largest_bytes = bytes > read->largest_bytes ? bytes : read->largest_bytes;
    }
    return true;
}

bool redis_scene_read_take(struct redis_scene_read *read, size_t index, const redisReply *reply)
{
    switch (read->step) {
    case REDIS_SCENE_READ_WHOLE:
        return index == ELEMENTS ? take_elements(read, reply)
                                 : take_meta(read, index == META_LAST, reply);
    case REDIS_SCENE_READ_HEAD:
        return index == META_FIRST ? take_meta(read, false, reply) : take_count(read, reply);
    case REDIS_SCENE_READ_IDS:
        return take_ids(read, reply);
    case REDIS_SCENE_READ_VALUES:
        return take_values(read, index, reply);
    case REDIS_SCENE_READ_META_AGAIN:
        return take_meta(read, true, reply);
    }
    return false;
}

/** The values from `from` on are next, as many as will not be far beyond STEP_BYTES. */
static void go_on_with_values(struct redis_scene_read *read, size_t from)
{
    size_t rest = read->dump.count - from;
    size_t bytes = from == 0 ? (size_t)VALUE_BYTES_GUESSED : read->largest_bytes;
    size_t count = bytes > 0 ? STEP_BYTES / bytes : FIELDS_PER_STEP_MAX;
    count = count < FIELDS_PER_STEP_MAX ? count : FIELDS_PER_STEP_MAX;
    count = count > 0 ? count : 1;
    read->step_from = from;
    read->step_count = count < rest ? count : rest;
    read->step = rest > 0 ? REDIS_SCENE_READ_VALUES : REDIS_SCENE_READ_META_AGAIN;
}

bool redis_scene_read_go_on(struct redis_scene_read *read)
{
    switch (read->step) {
    case REDIS_SCENE_READ_HEAD:
        read->step = read->dump.count > REDIS_FIELDS_PER_COMMAND_MAX ? REDIS_SCENE_READ_IDS
                                                                     : REDIS_SCENE_READ_WHOLE;
        return true;
    case REDIS_SCENE_READ_IDS:
        go_on_with_values(read, 0);
        return true;
    case REDIS_SCENE_READ_VALUES:
        go_on_with_values(read, read->step_from + read->step_count);
        return true;
    case REDIS_SCENE_READ_WHOLE:
    case REDIS_SCENE_READ_META_AGAIN:
        break;
    }
    return false;
}
