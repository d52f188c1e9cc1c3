#include "worker/verify_attempt.h"

#include <assert.h>

#include "store/process.h"

enum {
    /* A result's timestamp and duration are cut off to whole milliseconds, each by itself. */
    ARRIVAL_ERROR_MS = 2
};

static bool decode_result(const struct verify_result *heard, struct arena *arena,
                          struct verify_attempt *out, struct error *error)
{
    out->heard = heard;
    if (heard == NULL || span_is_absent(heard->bytes)) {
        return true;
    }
    out->has_result = sync_result_decode(heard->bytes, arena, &out->result, error);
    assert(out->has_result || error->code == ERROR_OUT_OF_MEMORY); /* it was encoded here */
    return out->has_result;
}

/* When the worker that met the batch first received it, by its own clock; INT64_MAX: not known,
 * which clamps nothing. */
static uint64_t received_ms(const struct verify_attempt *attempt)
{
    const struct sync_result *result = &attempt->result;
    bool is_known = attempt->has_result && result->timestamp_ms >= result->duration_ms &&
                    result->error_code == ERROR_NONE && result->attempts == 1;
    return is_known ? result->timestamp_ms - result->duration_ms : (uint64_t)INT64_MAX;
}

static struct record record_of(const struct verify_record *record)
{
    return (struct record){
        .topic = record->partition->topic,
        .tier = record->partition->tier,
        .partition = record->partition->number,
        .offset = record->offset,
        .timestamp_ms = record->timestamp_ms,
        .log_append_time = record->log_append_time,
        .value = record->value,
    };
}

/* The arrival of a first attempt is the worker's where the topic does not stamp its records. */
static bool decode_delivery(struct verify_attempt *attempt, const struct settings *settings,
                            struct arena *arena, struct error *error)
{
    struct record *record = &attempt->record;
    record->received_wall_ms = received_ms(attempt);
    if (!delivery_decode(record, settings, arena, &attempt->delivery, error)) {
        return false;
    }
    if (record->timestamp_ms < 0 && record->received_wall_ms == (uint64_t)INT64_MAX) {
        attempt->delivery.record_time_ms = 0; /* no tombstone is old by a time nobody knows */
    }
    uint64_t stamped_ms = record->timestamp_ms < 0 ? UINT64_MAX : (uint64_t)record->timestamp_ms;
    attempt->is_arrival_guessed =
        record->tier == 0 && !record->log_append_time &&
        (record->received_wall_ms == (uint64_t)INT64_MAX ||
         stamped_ms + ARRIVAL_ERROR_MS >= record->received_wall_ms || record->timestamp_ms < 0);
    return true;
}

static bool surely_changed(const struct verify_attempt *attempt)
{
    if (!attempt->has_result || attempt->delivery.refusal.code != ERROR_NONE) {
        return false;
    }
    const struct batch *batch = &attempt->delivery.batch;
    uint32_t before = batch->retry == NULL ? 0 : batch->retry->synced_count;
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        before += batch->operations[i].kind == OPERATION_INTERACTION ? 1 : 0;
    }
    return attempt->result.synced_count > before;
}

bool verify_attempt_decode(const struct verify_record *logged, const struct verify_context *context,
                           struct verify_attempt *out, struct error *error)
{
    const struct verify_log *log = context->log;
    struct arena *arena = context->arena;
    *out = (struct verify_attempt){.record = record_of(logged)};
    bool is_first = logged->partition->tier == 0;
    /* The first attempt's arrival hangs on its result, a later one brings both along. */
    if (is_first &&
        !decode_result(verify_log_find_result(log, logged->partition->number, logged->offset, 1),
                       arena, out, error)) {
        return false;
    }
    if (!decode_delivery(out, context->settings, arena, error)) {
        return false;
    }
    const struct retry_section *retry = out->delivery.batch.retry;
    bool is_retry = out->delivery.refusal.code == ERROR_NONE && retry != NULL;
    if (is_retry && span_equal_text(retry->source.topic, log->topic_ops) &&
        !decode_result(verify_log_find_result(log, retry->source.partition, retry->source.offset,
                                              retry->attempt),
                       arena, out, error)) {
        return false;
    }
    out->number = is_retry ? retry->attempt : 1;
    out->surely_changed = surely_changed(out);
    return true;
}

bool verify_attempt_was_refused(const struct verify_attempt *attempt)
{
    return attempt->has_result && attempt->result.error_code != ERROR_NONE;
}

/* Entries ascend by index: bisects. `size` is an entry's, which starts with its index. */
static const void *find_entry(const void *entries, uint32_t count, size_t size, uint32_t index)
{
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;
        const void *entry = (const uint8_t *)entries + middle * size;
        uint32_t found;
        memcpy(&found, entry, sizeof(found));
        if (found == index) {
            return entry;
        }
        low = found < index ? middle + 1 : low;
        count = found < index ? count : middle;
    }
    return NULL;
}

const struct failure_entry *verify_attempt_failure(const struct verify_attempt *attempt,
                                                   uint32_t index)
{
    static_assert(offsetof(struct failure_entry, index) == 0, "find_entry() reads it there");
    return find_entry(attempt->result.failures, attempt->result.failure_entry_count,
                      sizeof(struct failure_entry), index);
}

const struct conflict_entry *verify_attempt_conflict(const struct verify_attempt *attempt,
                                                     uint32_t index)
{
    static_assert(offsetof(struct conflict_entry, index) == 0, "find_entry() reads it there");
    return find_entry(attempt->result.conflicts, attempt->result.conflict_entry_count,
                      sizeof(struct conflict_entry), index);
}
