#include "store/redis_reader.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "protocol/decimal.h"
#include "store/position.h"
#include "store/redis_command.h"
#include "store/redis_keys.h"

enum { SCAN_CALLS_MAX = 100 * 1000 * 1000 };

struct redis_reader {
    struct redis_exchange exchange;
};

struct redis_reader *redis_reader_create(const struct redis_store_options *options)
{
    struct redis_reader *reader = malloc(sizeof(*reader));
    if (reader != NULL) {
        redis_exchange_init(&reader->exchange, options);
    }
    return reader;
}

void redis_reader_destroy(struct redis_reader *reader)
{
    if (reader != NULL) {
        redis_exchange_deinit(&reader->exchange);
        free(reader);
    }
}

static enum redis_read connected(struct redis_exchange *exchange, void *context,
                                 struct error *error)
{
    (void)exchange;
    (void)context;
    (void)error;
    return REDIS_READ_DONE;
}

enum redis_read redis_reader_connect(struct redis_reader *reader, int timeout_ms,
                                     struct error *error)
{
    return redis_exchange_try(&reader->exchange, timeout_ms, connected, NULL, error);
}

/* ---- A scene ---- */

struct scene_step {
    struct span session_id;
    struct arena *arena;
    struct scene_snapshot snapshot;
};

static enum redis_read refuse(struct error *error, const char *what)
{
    error_set(error, ERROR_STORE_ERROR, "%s; correct what wrote it", what);
    return REDIS_READ_REFUSED;
}

static enum redis_read take_position(struct scene_step *step, struct span name, struct span value,
                                     struct error *error)
{
    struct scene_snapshot *snapshot = &step->snapshot;
    struct store_position *position = &snapshot->positions[snapshot->position_count];
    if (!position_read(value, position)) {
        return refuse(error, "a field `at:<topic>/<partition>` is not \"<offset> <timestamp>\"");
    }
    position->name = arena_copy(step->arena, name);
    snapshot->position_count++;
    return span_is_absent(position->name) ? redis_exchange_no_memory(error) : REDIS_READ_DONE;
}

static enum redis_read take_meta_field(struct scene_step *step, struct span field,
                                       struct span value, struct error *error)
{
    static const char position_prefix[] = "at:";
    enum { PREFIX_BYTES = sizeof(position_prefix) - 1 };
    struct scene_snapshot *snapshot = &step->snapshot;
    if (field.size > PREFIX_BYTES && memcmp(field.data, position_prefix, PREFIX_BYTES) == 0) {
        struct span name = span_make(field.data + PREFIX_BYTES, field.size - PREFIX_BYTES);
        return take_position(step, name, value, error);
    }
    if (span_equal_text(field, "version") && !decimal_read(value, UINT64_MAX, &snapshot->version)) {
        return refuse(error, "`version` is not a decimal number below 2^64");
    }
    if (span_equal_text(field, "element_count") &&
        !decimal_read(value, UINT64_MAX, &snapshot->element_count)) {
        return refuse(error, "`element_count` is not a decimal number below 2^64");
    }
    if (span_equal_text(field, "updated_at") &&
        !decimal_read_signed(value, &snapshot->updated_at_ms)) {
        return refuse(error, "`updated_at` is not a decimal number");
    }
    return REDIS_READ_DONE;
}

static enum redis_read take_meta(struct scene_step *step, const redisReply *meta,
                                 struct error *error)
{
    struct scene_snapshot *snapshot = &step->snapshot;
    snapshot->has_meta = meta->elements > 0;
    snapshot->positions =
        arena_alloc_array(step->arena, meta->elements / 2, sizeof(*snapshot->positions));
    if (snapshot->positions == NULL) {
        return redis_exchange_no_memory(error);
    }
    enum redis_read outcome = REDIS_READ_DONE;
    for (size_t i = 0; i + 1 < meta->elements && outcome == REDIS_READ_DONE; i += 2) {
        outcome = take_meta_field(step, redis_reply_span(meta->element[i]),
                                  redis_reply_span(meta->element[i + 1]), error);
    }
    return outcome;
}

static enum redis_read take_elements(struct scene_step *step, const redisReply *elements,
                                     struct error *error)
{
    struct scene_snapshot *snapshot = &step->snapshot;
    size_t count = elements->elements / 2;
    snapshot->ids = arena_alloc_array(step->arena, count, sizeof(struct span));
    snapshot->values = arena_alloc_array(step->arena, count, sizeof(struct span));
    bool fits = snapshot->ids != NULL && snapshot->values != NULL;
    for (size_t i = 0; fits && i < count; i++) {
        snapshot->ids[i] = arena_copy(step->arena, redis_reply_span(elements->element[2 * i]));
        snapshot->values[i] =
            arena_copy(step->arena, redis_reply_span(elements->element[2 * i + 1]));
        fits = !span_is_absent(snapshot->ids[i]) && !span_is_absent(snapshot->values[i]);
    }
    snapshot->count = count;
    return fits ? REDIS_READ_DONE : redis_exchange_no_memory(error);
}

/** Takes EXEC's reply: meta and elements. */
static enum redis_read take_scene(struct scene_step *step, const redisReply *exec,
                                  struct error *error)
{
    if (exec->type != REDIS_REPLY_ARRAY || exec->elements != 2) {
        error_set(error, ERROR_STORE_ERROR, "Redis did not run the transaction");
        return REDIS_READ_UNAVAILABLE;
    }
    for (size_t i = 0; i < exec->elements; i++) {
        if (exec->element[i]->type == REDIS_REPLY_ERROR) {
            return redis_exchange_judge(exec->element[i], error);
        }
        if (exec->element[i]->type != REDIS_REPLY_ARRAY) {
            return refuse(error, "Redis's reply has another shape than the command asks for");
        }
    }
    enum redis_read outcome = take_meta(step, exec->element[0], error);
    return outcome == REDIS_READ_DONE ? take_elements(step, exec->element[1], error) : outcome;
}

static void add_word(struct buffer *out, const char *word)
{
    redis_command_begin(out, 1);
    redis_command_add_text(out, word);
}

static enum redis_read read_scene(struct redis_exchange *exchange, void *context,
                                  struct error *error)
{
    static const enum redis_key keys[] = {REDIS_KEY_META, REDIS_KEY_ELEMENTS};
    struct scene_step *step = context;
    struct buffer *commands = &exchange->commands;
    step->snapshot = (struct scene_snapshot){0};
    buffer_clear(commands);
    add_word(commands, "MULTI");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        redis_command_begin(commands, 2);
        redis_command_add_text(commands, "HGETALL");
        redis_key_add(commands, span_of_text(exchange->options.key_prefix), step->session_id,
                      keys[i]);
    }
    add_word(commands, "EXEC");
    struct redis_replies replies;
    enum redis_read outcome = redis_exchange_run(exchange, 4, &replies, error);
    if (outcome == REDIS_READ_DONE) {
        outcome = take_scene(step, replies.items[3], error);
    }
    redis_replies_free(&replies);
    return outcome;
}

enum redis_read redis_reader_scene(struct redis_reader *reader, struct span session_id,
                                   int timeout_ms, struct arena *arena, struct scene_snapshot *out,
                                   struct error *error)
{
    struct scene_step step = {.session_id = session_id, .arena = arena};
    enum redis_read outcome =
        redis_exchange_try(&reader->exchange, timeout_ms, read_scene, &step, error);
    if (outcome == REDIS_READ_DONE) {
        *out = step.snapshot;
    }
    return outcome;
}

/* ---- All scenes ---- */

struct scan_step {
    char cursor[DECIMAL_BYTES_MAX + 1];
    redis_reader_take take;
    void *context;
};

/** "<prefix>{*", with the prefix's own wildcards taken as they stand. */
static void add_pattern(struct buffer *out, const char *key_prefix)
{
    struct buffer pattern;
    buffer_init(&pattern, REDIS_EXCHANGE_COMMAND_BYTES_MAX);
    for (const char *c = key_prefix; *c != '\0'; c++) {
        buffer_append_format(&pattern, strchr("*?[]\\^-", *c) != NULL ? "\\%c" : "%c", *c);
    }
    buffer_append(&pattern, "{*", 2);
    redis_command_add(out, buffer_span(&pattern));
    out->failed = out->failed || pattern.failed;
    buffer_deinit(&pattern);
}

/** The session in "<prefix>{<session>}" or "<prefix>{<session>}:…"; absent in other keys. */
static struct span session_of_key(struct span key, const char *key_prefix)
{
    size_t begin = strlen(key_prefix) + 1;
    if (key.size < begin || memcmp(key.data, key_prefix, begin - 1) != 0 ||
        key.data[begin - 1] != '{') {
        return (struct span){0};
    }
    const uint8_t *end = memchr(key.data + begin, '}', key.size - begin);
    if (end == NULL || (end + 1 < key.data + key.size && end[1] != ':')) {
        return (struct span){0};
    }
    return span_make(key.data + begin, (size_t)(end - key.data) - begin);
}

static enum redis_read take_keys(const struct redis_exchange *exchange, struct scan_step *step,
                                 const redisReply *reply, struct error *error)
{
    bool is_good = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                   reply->element[0]->type == REDIS_REPLY_STRING &&
                   reply->element[0]->len < sizeof(step->cursor) &&
                   reply->element[1]->type == REDIS_REPLY_ARRAY;
    if (!is_good) {
        return refuse(error, "Redis's reply to SCAN has another shape than it should");
    }
    const redisReply *keys = reply->element[1];
    for (size_t i = 0; i < keys->elements; i++) {
        struct span session_id =
            session_of_key(redis_reply_span(keys->element[i]), exchange->options.key_prefix);
        if (!span_is_absent(session_id) && !step->take(step->context, session_id)) {
            return redis_exchange_no_memory(error);
        }
    }
    memcpy(step->cursor, reply->element[0]->str, reply->element[0]->len + 1);
    return REDIS_READ_DONE;
}

static enum redis_read scan_once(struct redis_exchange *exchange, void *context,
                                 struct error *error)
{
    struct scan_step *step = context;
    struct buffer *commands = &exchange->commands;
    buffer_clear(commands);
    redis_command_begin(commands, 6);
    redis_command_add_text(commands, "SCAN");
    redis_command_add_text(commands, step->cursor);
    redis_command_add_text(commands, "MATCH");
    add_pattern(commands, exchange->options.key_prefix);
    redis_command_add_text(commands, "COUNT");
    redis_command_add_text(commands, "1000");
    struct redis_replies replies;
    enum redis_read outcome = redis_exchange_run(exchange, 1, &replies, error);
    if (outcome == REDIS_READ_DONE) {
        outcome = take_keys(exchange, step, replies.items[0], error);
    }
    redis_replies_free(&replies);
    return outcome;
}

enum redis_read redis_reader_scan(struct redis_reader *reader, int timeout_ms,
                                  redis_reader_take take, void *context, struct error *error)
{
    struct scan_step step = {.cursor = "0", .take = take, .context = context};
    for (int i = 0; i < SCAN_CALLS_MAX; i++) {
        enum redis_read outcome =
            redis_exchange_try(&reader->exchange, timeout_ms, scan_once, &step, error);
        if (outcome != REDIS_READ_DONE || strcmp(step.cursor, "0") == 0) {
            return outcome;
        }
    }
    error_set(error, ERROR_STORE_ERROR, "SCAN came to no end in %d calls", SCAN_CALLS_MAX);
    return REDIS_READ_UNAVAILABLE;
}
