#include "worker/delivery.h"

#include "protocol/partition_name.h"

/* The record's time where the topic stamps it; else the earlier of what the producer wrote and this
 * machine's clock, so that a producer's clock that runs ahead cannot pass (section 3). */
static uint64_t arrival_of(const struct record *record)
{
    if (record->timestamp_ms < 0) {
        return record->received_wall_ms;
    }
    uint64_t stamped_ms = (uint64_t)record->timestamp_ms;
    if (record->log_append_time || stamped_ms < record->received_wall_ms) {
        return stamped_ms;
    }
    return record->received_wall_ms;
}

static struct span position_name(const struct record *record, struct arena *arena)
{
    char text[PARTITION_NAME_BYTES_MAX];
    size_t size = partition_name_write(record->topic, record->partition, text);
    return arena_copy(arena, span_make(text, size));
}

/* The id of a batch that names none; absent: no memory. Written only where it is needed, as most
 * producers name theirs. */
static struct span default_id(const struct delivery *delivery, struct arena *arena)
{
    char text[BATCH_DEFAULT_ID_BYTES_MAX];
    size_t size = batch_default_id(&delivery->source, delivery->record->timestamp_ms, text);
    return arena_copy(arena, span_make(text, size));
}

/* What is needed of a batch beyond its decoding. */
static bool delivery_identify(struct delivery *delivery, const struct settings *settings,
                              struct arena *arena, struct error *error)
{
    const struct retry_section *retry = delivery->batch.retry;
    const struct source *first = retry == NULL ? &delivery->source : &retry->source;
    if (retry != NULL) {
        delivery->arrival_ms = retry->arrival_ms;
    }
    delivery->fingerprint = record_fingerprint_of(delivery->batch.operations_raw);
    delivery->field =
        record_field(&delivery->batch, first, settings->dedupe_batches_max == 0, arena);
    delivery->position_name = position_name(delivery->record, arena);
    return (!span_is_absent(delivery->field) && !span_is_absent(delivery->position_name)) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a batch's identity");
}

bool delivery_decode(const struct record *record, const struct settings *settings,
                     struct arena *arena, struct delivery *out, struct error *error)
{
    struct delivery delivery = {
        .record = record,
        .source = {.topic = record->topic,
                   .partition = record->partition,
                   .offset = record->offset},
        .arrival_ms = arrival_of(record),
        .was_sent = record->was_sent,
        .was_refused = record->was_refused,
    };
    delivery.record_time_ms =
        record->timestamp_ms >= 0 ? record->timestamp_ms : (int64_t)delivery.arrival_ms;
    struct batch_context context = {
        .limits = &settings->limits,
        .default_strategy = settings->strategy,
        .allow_batch_strategy = settings->allow_batch_strategy,
        .from_retry_topic = record->tier > 0,
    };
    bool is_batch =
        batch_decode(record->value, &context, arena, &delivery.batch, &delivery.refusal);
    if (!is_batch && delivery.refusal.code == ERROR_OUT_OF_MEMORY) {
        *error = delivery.refusal;
        return false;
    }
    if (span_is_absent(delivery.batch.batch_id)) {
        delivery.batch.batch_id = default_id(&delivery, arena);
        if (span_is_absent(delivery.batch.batch_id)) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a batch's identity");
        }
    }
    if (is_batch) {
        delivery.refusal.code = ERROR_NONE;
        if (!delivery_identify(&delivery, settings, arena, error)) {
            return false;
        }
    }
    *out = delivery;
    return true;
}

bool delivery_key_matches(const struct delivery *delivery)
{
    return span_equal(delivery->record->key, delivery->batch.session_id);
}
