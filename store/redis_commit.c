#include "store/redis_commit.h"

#include <assert.h>
#include <hiredis/hiredis.h>

#include "protocol/decimal.h"
#include "protocol/pack.h"
#include "store/position.h"
#include "store/redis_command.h"
#include "store/redis_keys.h"

enum {
    HEAD_ARGUMENTS = 6,
    NUMBERS_COUNT = 13,
    NUMBER_BYTES_MAX = 1 + DECIMAL_BYTES_MAX, /* in MessagePack: the two that are texts */
    SCRIPT_SAYS_REFUSED = 0,
    SCRIPT_SAYS_DONE = 1,
    SCRIPT_SAYS_DISOWNED = 2
};

static const uint64_t window_ms_max = 999999999999999; /* what the script takes */

struct section_counts {
    size_t added, removed; /* of the tombstone index */
    size_t settled, pending;
};

static struct section_counts count_sections(const struct scene_commit *commit)
{
    struct section_counts counts = {0};
    for (size_t i = 0; i < commit->element_count; i++) {
        switch (commit->elements[i].kind) {
        case ELEMENT_WRITE_PRESENT:
            break;
        case ELEMENT_WRITE_REVIVED:
            counts.removed++;
            break;
        case ELEMENT_WRITE_TOMBSTONE:
            counts.added++;
            break;
        }
    }
    for (size_t i = 0; i < commit->record_count; i++) {
        counts.pending += commit->records[i].pending;
    }
    counts.settled = commit->record_count - counts.pending;
    return counts;
}

static uint64_t records_window_ms(const struct store_retention *retention)
{
    uint64_t window_ms = retention->dedupe_window_ms;
    if (window_ms < REDIS_RECORDS_WINDOW_MS_MIN) {
        window_ms = REDIS_RECORDS_WINDOW_MS_MIN;
    }
    uint64_t slack_ms = window_ms / STORE_EXPIRY_SLACK_PARTS;
    return window_ms > window_ms_max - slack_ms ? window_ms_max : window_ms + slack_ms;
}

static void add_token(struct buffer *out, const struct store_token *token)
{
    assert(token->size <= STORE_TOKEN_BYTES_MAX);
    redis_command_add(out, span_make(token->text, token->size));
}

static void pack_digits(struct buffer *out, const char *digits, size_t size)
{
    pack_str(out, span_make(digits, size));
}

/** What the script is to set the records' time to live to; with a minus, on a new generation only.
 */
static int64_t records_expiry_ms(const struct scene_commit *commit,
                                 const struct store_retention *retention)
{
    int64_t window_ms = (int64_t)records_window_ms(retention);
    return commit->keeps_expiry ? -window_ms : window_ms;
}

/** The numbers of the head as one argument, in MessagePack: in Lua it is cheaper to take apart than
 * text, and much cheaper than thirteen arguments are to receive. */
static void encode_numbers(const struct scene_commit *commit,
                           const struct store_retention *retention, struct section_counts counts,
                           struct buffer *out)
{
    uint8_t storage[NUMBERS_COUNT * NUMBER_BYTES_MAX];
    struct buffer numbers;
    char digits[DECIMAL_BYTES_MAX];
    buffer_init_fixed(&numbers, storage, sizeof storage);
    /* What the script only passes on stays text. */
    pack_digits(&numbers, digits, decimal_write(commit->scene_element_count, digits));
    pack_digits(&numbers, digits, decimal_write_signed(commit->updated_at_ms, digits));
    pack_uint(&numbers, commit->element_count);
    pack_uint(&numbers, counts.added);
    pack_uint(&numbers, counts.removed);
    pack_uint(&numbers, counts.settled);
    pack_uint(&numbers, counts.pending);
    pack_uint(&numbers, commit->position_count);
    pack_int(&numbers, store_tombstone_cutoff_ms(retention, commit->updated_at_ms));
    pack_uint(&numbers, retention->tombstones_max);
    pack_uint(&numbers, retention->dedupe_batches_max);
    pack_uint(&numbers, retention->dedupe_bytes_max / 2);
    pack_int(&numbers, records_expiry_ms(commit, retention));
    assert(!numbers.failed);
    redis_command_add(out, buffer_span(&numbers));
}

static void encode_head(const struct scene_commit *commit, const struct store_retention *retention,
                        struct section_counts counts, struct buffer *out)
{
    if (commit->checked) {
        redis_command_add_uint(out, commit->expected_version);
    } else {
        redis_command_add_text(out, "");
    }
    add_token(out, &commit->expected_token);
    redis_command_add_uint(out, commit->version);
    add_token(out, &commit->token);
    encode_numbers(commit, retention, counts, out);
    redis_command_add(out, commit->settled_offsets);
}

static void encode_elements(const struct scene_commit *commit, struct buffer *out)
{
    for (size_t i = 0; i < commit->element_count; i++) {
        const struct span value[] = {commit->elements[i].head, commit->elements[i].value};
        redis_command_add(out, commit->elements[i].id);
        redis_command_add_parts(out, value, 2);
    }
    for (size_t i = 0; i < commit->element_count; i++) {
        if (commit->elements[i].kind == ELEMENT_WRITE_TOMBSTONE) {
            redis_command_add_int(out, commit->elements[i].record_time_ms);
            redis_command_add(out, commit->elements[i].id);
        }
    }
    for (size_t i = 0; i < commit->element_count; i++) {
        if (commit->elements[i].kind == ELEMENT_WRITE_REVIVED) {
            redis_command_add(out, commit->elements[i].id);
        }
    }
}

/** The settled records or the pending ones. */
static void encode_records(const struct scene_commit *commit, bool pending, struct buffer *out)
{
    for (size_t i = 0; i < commit->record_count; i++) {
        if (commit->records[i].pending == pending) {
            redis_command_add(out, commit->records[i].field);
            redis_command_add(out, commit->records[i].value);
        }
    }
}

static void encode_positions(const struct scene_commit *commit, struct buffer *out)
{
    for (size_t i = 0; i < commit->position_count; i++) {
        const struct store_position *position = &commit->positions[i];
        char text[POSITION_BYTES_MAX];
        size_t size = position_write(position, text);
        redis_position_field_add(out, position->name);
        redis_command_add(out, span_make(text, size));
    }
}

/** True where the call has to look at the watermark. */
static bool names_marks(const struct scene_commit *commit, const struct redis_scripts *scripts)
{
    for (size_t i = 0; i < commit->position_count; i++) {
        if (!span_is_absent(commit->positions[i].mark)) {
            assert(!span_is_absent(scripts->group));
            return !scripts->is_cluster;
        }
    }
    return false;
}

static void encode_marks(const struct scene_commit *commit, struct buffer *out)
{
    for (size_t i = 0; i < commit->position_count; i++) {
        redis_command_add(out, commit->positions[i].mark); /* absent: '' */
    }
}

void redis_commit_encode(const struct scene_commit *commit, const struct redis_scripts *scripts,
                         struct buffer *out)
{
    assert(commit->checked || commit->element_count == 0);
    struct section_counts counts = count_sections(commit);
    bool has_marks = names_marks(commit, scripts);
    redis_script_begin_call(scripts, REDIS_SCRIPT_COMMIT, REDIS_KEY_COUNT + has_marks,
                            HEAD_ARGUMENTS + 2 * (commit->element_count + counts.added) +
                                counts.removed + 2 * commit->record_count +
                                (has_marks ? 3 : 2) * commit->position_count,
                            out);
    for (unsigned key = 0; key < REDIS_KEY_COUNT; key++) {
        redis_key_add(out, scripts->key_prefix, commit->session_id, (enum redis_key)key);
    }
    if (has_marks) {
        redis_watermark_key_add(out, scripts->key_prefix, scripts->group);
    }
    encode_head(commit, &scripts->retention, counts, out);
    encode_elements(commit, out);
    encode_records(commit, false, out);
    encode_records(commit, true, out);
    encode_positions(commit, out);
    if (has_marks) {
        encode_marks(commit, out);
    }
}

/** Copies the ids of dropped tombstones. Without room for them the commit has taken effect all the
 * same: the caller has to read again. */
static enum store_status take_dropped(struct scene_commit *commit, const redisReply *reply)
{
    commit->dropped_count = 0;
    for (size_t i = 1; i < reply->elements; i++) {
        const redisReply *id = reply->element[i];
        struct span copy = {0};
        if (id->type == REDIS_REPLY_STRING && i <= STORE_DROPPED_TOMBSTONES_MAX) {
            copy = arena_copy(commit->arena, span_make(id->str, id->len));
        }
        if (span_is_absent(copy)) {
            return STORE_UNKNOWN;
        }
        commit->dropped[commit->dropped_count++] = copy;
    }
    return STORE_DONE;
}

static enum store_status refuse_shape(struct scene_commit *commit)
{
    char quoted[ERROR_QUOTE_BYTES_MAX];
    error_set(&commit->error, ERROR_STORE_ERROR,
              "committing scene %s: the script's reply has another shape than it documents",
              error_quote(commit->session_id, quoted));
    return STORE_FAILED;
}

enum store_status redis_commit_take(struct scene_commit *commit, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER) {
        return refuse_shape(commit);
    }
    switch (reply->element[0]->integer) {
    case SCRIPT_SAYS_DONE:
        return take_dropped(commit, reply);
    case SCRIPT_SAYS_REFUSED:
        return STORE_REFUSED;
    case SCRIPT_SAYS_DISOWNED:
        return STORE_DISOWNED;
    default:
        return refuse_shape(commit);
    }
}
