#include "worker/outbox.h"

#include <inttypes.h>
#include <stdio.h>

#include "protocol/decimal.h"
#include "protocol/partition_name.h"
#include "worker/requeue.h"

enum { LETTER_HEADERS_OWN_MAX = 8, RESULT_BYTES_MIN = 1024 };

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for what is to be published");
}

/* Puts a letter at the end; its value is what stands in the scratch buffer. */
static struct letter *post(struct outbox *outbox, struct delivery *delivery, enum letter_kind kind,
                           const char *topic, struct span value)
{
    struct letter *letter = arena_alloc_array(outbox->arena, 1, sizeof(*letter));
    if (letter == NULL || span_is_absent(value)) {
        return NULL;
    }
    letter->kind = kind;
    letter->delivery = delivery;
    letter->outgoing.topic = topic;
    letter->outgoing.partition = -1;
    letter->outgoing.value = value;
    *(outbox->last == NULL ? &outbox->first : &outbox->last->next) = letter;
    outbox->last = letter;
    return letter;
}

/* Makes room for headers: `extra` of the caller's before the own ones. */
static struct record_header *begin_headers(struct outbox *outbox, struct letter *letter,
                                           const struct record_header *extra, size_t extra_count)
{
    struct record_header *headers = arena_alloc_array(
        outbox->arena, extra_count + LETTER_HEADERS_OWN_MAX, sizeof(struct record_header));
    if (headers != NULL) {
        for (size_t i = 0; i < extra_count; i++) {
            headers[i] = extra[i];
        }
        letter->outgoing.headers = headers;
        letter->outgoing.header_count = extra_count;
    }
    return headers;
}

/* What the record had for headers, without ours from an earlier attempt: traces go on through
 * retries and dead letters. NULL with a count: out of memory. */
static struct record_header *foreign_headers(struct outbox *outbox, const struct delivery *delivery,
                                             size_t *count)
{
    static const char own_prefix[] = "scenesync-";
    struct record_header *headers = source_headers(delivery->record, outbox->arena, count);
    size_t kept = 0;
    if (headers == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < *count; i++) {
        if (strncmp(headers[i].name, own_prefix, sizeof(own_prefix) - 1) != 0) {
            headers[kept++] = headers[i];
        }
    }
    *count = kept;
    return headers;
}

static void add_header(struct letter *letter, struct record_header *headers, const char *name,
                       struct span value)
{
    headers[letter->outgoing.header_count++] = (struct record_header){name, value};
}

static bool add_header_number(struct outbox *outbox, struct letter *letter,
                              struct record_header *headers, const char *name, uint64_t number)
{
    char digits[DECIMAL_BYTES_MAX];
    struct span value = arena_copy(outbox->arena, span_make(digits, decimal_write(number, digits)));
    add_header(letter, headers, name, value);
    return !span_is_absent(value);
}

static struct span flag_text(bool flag)
{
    return span_of_text(flag ? "1" : "0");
}

static struct span encode_result(struct outbox *outbox, struct sync_result *result,
                                 size_t bytes_max)
{
    buffer_clear(outbox->scratch);
    sync_result_encode(result, BODIES_AS_THEY_ARE, bytes_max, outbox->scratch);
    return outbox->scratch->failed ? (struct span){0}
                                   : arena_copy(outbox->arena, buffer_span(outbox->scratch));
}

/* What is published: most results stand in their record already. */
static struct span result_bytes(struct outbox *outbox, struct delivery *delivery)
{
    size_t bytes_max = outbox->settings->limits.result_bytes_max;
    bool is_there =
        !span_is_absent(delivery->result_bytes) && delivery->result_bytes.size <= bytes_max;
    return is_there ? delivery->result_bytes : encode_result(outbox, &delivery->result, bytes_max);
}

static bool post_result(struct outbox *outbox, struct delivery *delivery, bool is_duplicate,
                        struct error *error)
{
    struct sync_result *result = &delivery->result;
    struct letter *letter = post(outbox, delivery, LETTER_RESULT, outbox->settings->topic_results,
                                 result_bytes(outbox, delivery));
    struct record_header *headers = letter == NULL ? NULL : begin_headers(outbox, letter, NULL, 0);
    if (headers == NULL) {
        return out_of_memory(error);
    }
    letter->outgoing.key = result->session_id;
    add_header(letter, headers, "scenesync-final", flag_text(result->final));
    add_header(letter, headers, "scenesync-success", flag_text(sync_result_is_success(result)));
    if (is_duplicate) {
        add_header(letter, headers, "scenesync-duplicate", flag_text(true));
    }
    if (delivery->is_replay) {
        add_header(letter, headers, "scenesync-replay", flag_text(true));
    }
    return true;
}

/* "<retry_prefix><k>", NUL-terminated, in the arena. */
static const char *retry_topic(const struct outbox *outbox, uint32_t retry)
{
    char name[300];
    int length =
        snprintf(name, sizeof(name), "%s%" PRIu32, outbox->settings->topic_retry_prefix, retry);
    struct span copy = arena_copy(outbox->arena, span_make(name, (size_t)length + 1));
    return (const char *)copy.data;
}

static bool post_requeue(struct outbox *outbox, struct delivery *delivery, struct error *error)
{
    const struct sync_result *result = &delivery->result;
    bool fits = false;
    if (!requeue_encode(result, &delivery->batch, delivery->result_arrival_ms,
                        requeue_value_bytes_max(outbox->settings->limits.message_bytes_max),
                        outbox->arena, outbox->scratch, &fits, error)) {
        return false;
    }
    const char *topic = retry_topic(outbox, result->attempts);
    struct letter *letter = topic == NULL
                                ? NULL
                                : post(outbox, delivery, LETTER_REQUEUE, topic,
                                       arena_copy(outbox->arena, buffer_span(outbox->scratch)));
    size_t extra_count = 0;
    struct record_header *extra = foreign_headers(outbox, delivery, &extra_count);
    bool has_memory = letter != NULL && (extra != NULL || extra_count == 0);
    struct record_header *headers =
        has_memory ? begin_headers(outbox, letter, extra, extra_count) : NULL;
    if (headers == NULL ||
        !add_header_number(outbox, letter, headers, "scenesync-attempt", result->attempts + 1) ||
        !add_header_number(outbox, letter, headers, "scenesync-not-before",
                           result->next_attempt_at_ms)) {
        return out_of_memory(error);
    }
    letter->original_header_count = extra_count;
    letter->outgoing.key = result->session_id;
    letter->outgoing.partition = delivery->source.partition;
    return true;
}

/* The four headers that every dead letter has, behind the original ones. */
static struct record_header *dead_headers(struct outbox *outbox, struct letter *letter,
                                          enum error_code code, struct span message)
{
    const struct delivery *delivery = letter->delivery;
    size_t original_count = 0;
    /* A batch refused whole is kept exactly as it was. */
    struct record_header *original =
        delivery->refusal.code != ERROR_NONE
            ? source_headers(delivery->record, outbox->arena, &original_count)
            : foreign_headers(outbox, delivery, &original_count);
    if (original == NULL && original_count > 0) {
        return NULL;
    }
    struct record_header *headers = begin_headers(outbox, letter, original, original_count);
    letter->original_header_count = original_count;
    char origin[PARTITION_NAME_PLACE_BYTES_MAX];
    size_t origin_size = partition_name_write_place(&delivery->source, origin);
    struct span source = arena_copy(outbox->arena, span_make(origin, origin_size));
    if (headers == NULL || span_is_absent(source)) {
        return NULL;
    }
    add_header(letter, headers, "scenesync-error-code", span_of_text(error_code_name(code)));
    add_header(letter, headers, "scenesync-error", message);
    add_header(letter, headers, "scenesync-source", source);
    if (!add_header_number(outbox, letter, headers, "scenesync-failed-at", outbox->now_wall_ms)) {
        return NULL;
    }
    letter->outgoing.key = delivery->record->key;
    letter->reason_code = code;
    letter->reason = message;
    return headers;
}

static struct span indexes_text(const struct dead_operations *dead, struct outbox *outbox)
{
    buffer_clear(outbox->scratch);
    for (uint32_t i = 0; i < dead->count; i++) {
        buffer_append_format(outbox->scratch, i == 0 ? "%" PRIu32 : ",%" PRIu32, dead->indexes[i]);
    }
    return outbox->scratch->failed ? (struct span){0}
                                   : arena_copy(outbox->arena, buffer_span(outbox->scratch));
}

static bool post_dead_operations(struct outbox *outbox, struct delivery *delivery,
                                 struct error *error)
{
    struct dead_operations dead;
    if (!dead_operations_encode(&delivery->result, &delivery->batch, outbox->arena, outbox->scratch,
                                &dead, error)) {
        return false;
    }
    if (dead.count == 0) {
        return true;
    }
    struct letter *letter = post(outbox, delivery, LETTER_DEAD, outbox->settings->topic_dead_letter,
                                 arena_copy(outbox->arena, buffer_span(outbox->scratch)));
    struct record_header *headers =
        letter == NULL ? NULL : dead_headers(outbox, letter, dead.code, dead.message);
    struct span indexes = indexes_text(&dead, outbox);
    if (headers == NULL || span_is_absent(indexes)) {
        return out_of_memory(error);
    }
    add_header(letter, headers, "scenesync-batch-id", delivery->batch.batch_id);
    add_header(letter, headers, "scenesync-indexes", indexes);
    return true;
}

/* The result of a batch refused whole. Its times come from the record, so that a redelivery says
 * the same. */
static void refused_result(struct delivery *delivery, const struct settings *settings)
{
    const struct batch *batch = &delivery->batch;
    delivery->result = (struct sync_result){
        .session_id = batch->session_id,
        .batch_id = batch->batch_id,
        .client_id = batch->client_id,
        .final = true,
        .attempts = 1,
        .strategy = settings->strategy,
        .timestamp_ms = delivery->arrival_ms,
        .source = delivery->source,
        .error_code = delivery->refusal.code,
        .error_message = span_of_text(delivery->refusal.message),
    };
}

static bool post_refusal(struct outbox *outbox, struct delivery *delivery, struct error *error)
{
    const struct error *refusal = &delivery->refusal;
    struct letter *letter = post(outbox, delivery, LETTER_DEAD, outbox->settings->topic_dead_letter,
                                 delivery->record->value);
    if (letter == NULL ||
        dead_headers(outbox, letter, refusal->code, span_of_text(refusal->message)) == NULL) {
        return out_of_memory(error);
    }
    if (refusal->code == ERROR_INVALID_RETRY || span_is_absent(delivery->batch.session_id)) {
        return true;
    }
    refused_result(delivery, outbox->settings);
    return post_result(outbox, delivery, false, error);
}

/* Result, requeue and dead letter of a batch that was worked with. */
static bool post_outcome(struct outbox *outbox, struct delivery *delivery, bool is_duplicate,
                         struct error *error)
{
    return (delivery->result.final || post_requeue(outbox, delivery, error)) &&
           post_dead_operations(outbox, delivery, error) &&
           post_result(outbox, delivery, is_duplicate, error);
}

bool outbox_post(struct outbox *outbox, struct delivery *delivery, struct error *error)
{
    if (delivery->refusal.code != ERROR_NONE) {
        return post_refusal(outbox, delivery, error);
    }
    switch (delivery->verdict) {
    case VERDICT_NEW:
        return post_outcome(outbox, delivery, false, error);
    case VERDICT_REDELIVERED:
        return post_outcome(outbox, delivery, !delivery->was_sent, error);
    case VERDICT_RESENT:
        return post_result(outbox, delivery, true, error);
    case VERDICT_REUSED: /* has a refusal */
    case VERDICT_STALE:
        break;
    }
    return true;
}

void outbox_count(const struct outbox *outbox)
{
    struct stats *stats = outbox->stats;
    for (const struct letter *letter = outbox->first; letter != NULL; letter = letter->next) {
        const struct delivery *delivery = letter->delivery;
        switch (letter->kind) {
        case LETTER_RESULT:
            stats->results++;
            recent_note_result(outbox->recent, &delivery->result, outbox->now_wall_ms);
            break;
        case LETTER_REQUEUE:
            stats->requeues[delivery->result.attempts]++;
            break;
        case LETTER_DEAD:
            stats->dead_letters[letter->reason_code]++;
            recent_note_dead_letter(outbox->recent, &delivery->source, letter->reason_code,
                                    letter->reason, outbox->now_wall_ms);
            break;
        }
    }
}

static enum outbox_shrinking shrink_result(struct outbox *outbox, struct letter *letter)
{
    struct outgoing *outgoing = &letter->outgoing;
    if (outgoing->value.size < RESULT_BYTES_MIN) {
        return OUTBOX_CANNOT_SHRINK;
    }
    struct span smaller =
        encode_result(outbox, &letter->delivery->result, outgoing->value.size / 2);
    if (span_is_absent(smaller)) {
        return OUTBOX_NO_MEMORY;
    }
    bool is_smaller = smaller.size < outgoing->value.size;
    outgoing->value = smaller;
    return is_smaller ? OUTBOX_SHRUNK : OUTBOX_CANNOT_SHRINK;
}

/* Takes away what the record had for headers: ours stand behind them. */
static enum outbox_shrinking drop_original_headers(struct letter *letter)
{
    if (letter->original_header_count == 0) {
        return OUTBOX_CANNOT_SHRINK;
    }
    letter->outgoing.headers += letter->original_header_count;
    letter->outgoing.header_count -= letter->original_header_count;
    letter->original_header_count = 0;
    return OUTBOX_SHRUNK;
}

/* Puts a header behind the others that says what was left out. */
static bool mark_left_out(struct outbox *outbox, struct letter *letter, const char *name)
{
    struct record_header *headers =
        begin_headers(outbox, letter, letter->outgoing.headers, letter->outgoing.header_count);
    if (headers != NULL) {
        add_header(letter, headers, name, flag_text(true));
    }
    return headers != NULL;
}

static enum outbox_shrinking drop_value(struct outbox *outbox, struct letter *letter)
{
    if (!mark_left_out(outbox, letter, "scenesync-truncated")) {
        return OUTBOX_NO_MEMORY;
    }
    letter->outgoing.value = span_make("", 0);
    return OUTBOX_SHRUNK;
}

/* Without a key the partitioner would choose at random: copies of one letter shall stay together,
 * and partition 0 is the one that every topic has. */
static enum outbox_shrinking drop_key(struct outbox *outbox, struct letter *letter)
{
    if (!mark_left_out(outbox, letter, "scenesync-truncated-key")) {
        return OUTBOX_NO_MEMORY;
    }
    letter->outgoing.key = (struct span){0};
    letter->outgoing.partition = 0;
    return OUTBOX_SHRUNK;
}

/* First goes the value, then the record's headers, then its key: no limit but the topic's holds for
 * a key, so it can be what is too large. */
static enum outbox_shrinking shrink_dead(struct outbox *outbox, struct letter *letter)
{
    if (letter->outgoing.value.size > 0) {
        return drop_value(outbox, letter);
    }
    if (letter->original_header_count > 0) {
        return drop_original_headers(letter);
    }
    return letter->outgoing.key.size > 0 ? drop_key(outbox, letter) : OUTBOX_CANNOT_SHRINK;
}

enum outbox_shrinking outbox_shrink(struct outbox *outbox, struct letter *letter)
{
    switch (letter->kind) {
    case LETTER_RESULT:
        return shrink_result(outbox, letter);
    case LETTER_DEAD:
        return shrink_dead(outbox, letter);
    case LETTER_REQUEUE:
        break;
    }
    return drop_original_headers(letter); /* nothing of a requeue's value can go */
}
