#include "worker/scene_decide.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "worker/requeue.h"
#include "worker/scene_count.h"
#include "worker/scene_submit.h"

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a commit");
}

static int64_t timestamp_of(const struct delivery *delivery)
{
    return delivery->record->timestamp_ms > 0 ? delivery->record->timestamp_ms : 0;
}

static bool is_behind_position(struct scene_work *work, const struct delivery *delivery)
{
    const struct store_position *position = scene_position(work->scene, delivery->position_name);
    assert(position != NULL); /* noted when it was read */
    return recognition_is_behind(position, delivery->source.offset, timestamp_of(delivery));
}

/* The delivery's place in its partition counts as applied from here on. */
static void advance_position(struct scene_work *work, const struct delivery *delivery,
                             struct scene_portion *portion)
{
    struct store_position *position = scene_position(work->scene, delivery->position_name);
    assert(position != NULL); /* noted when it was read */
    int64_t timestamp_ms = timestamp_of(delivery);
    bool is_recreated_topic = position->known && delivery->source.offset <= position->offset;
    position->offset = delivery->source.offset;
    if (!position->known || is_recreated_topic || timestamp_ms > position->timestamp_ms) {
        position->timestamp_ms = timestamp_ms;
    }
    position->known = true;
    portion->touched_positions[position - work->scene->positions] = true;
    portion->marks[position - work->scene->positions] = delivery->mark;
    portion->has_positions = true;
    portion->updated_at_ms = delivery->record_time_ms; /* not the highest: cuts must not matter */
}

static struct process_context process_context_of(const struct scene_work *work,
                                                 const struct delivery *delivery,
                                                 const struct work_context *context)
{
    const struct settings *settings = context->settings;
    uint64_t now_ms = clock_monotonic_ms(context->clock);
    return (struct process_context){
        .limits = &settings->limits,
        .retries_max = settings->retry_retries_max,
        .source = delivery->source,
        .arrival_ms = delivery->arrival_ms,
        .record_time_ms = delivery->record_time_ms,
        .timestamp_ms = clock_wall_ms(context->clock),
        .duration_ms = now_ms - delivery->record->received_monotonic_ms,
        .retry_delay_ms = settings_retry_delay_ms(settings, process_attempt_of(&delivery->batch)),
        .elements = delivery->elements,
        .not_tried = work->mode == WORK_APPLY ? NULL : &work->reason,
        .arena = context->arena,
        .scratch = context->document_scratch,
    };
}

/* A requeue that no message can hold is no requeue: its operations fail now. */
static bool check_requeue(struct delivery *delivery, const struct work_context *context,
                          struct error *error)
{
    if (delivery->result.pending_count == 0) {
        return true;
    }
    bool fits = false;
    if (!requeue_encode(&delivery->result, &delivery->batch, delivery->arrival_ms,
                        requeue_value_bytes_max(context->settings->limits.message_bytes_max),
                        context->arena, context->scratch, &fits, error)) {
        return false;
    }
    if (!fits) {
        process_fail_pending(&delivery->result);
    }
    return true;
}

static bool pending_indexes(const struct sync_result *result, struct arena *arena,
                            struct batch_record *record)
{
    uint32_t *indexes = arena_alloc_array(arena, result->pending_count, sizeof(uint32_t));
    if (indexes == NULL) {
        return false;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < result->failure_entry_count; i++) {
        if (result->failures[i].pending) {
            indexes[count++] = result->failures[i].index;
        }
    }
    assert(count == result->pending_count);
    record->pending_indexes = indexes;
    record->pending_count = count;
    return true;
}

/* Writes what the store is to remember of this attempt. */
static bool remember(struct scene_work *work, struct delivery *delivery,
                     const struct work_context *context, struct scene_portion *portion,
                     struct error *error)
{
    struct known_record *known = &work->known[delivery->known_index];
    struct batch_record record = {
        .attempt = delivery->result.attempts,
        .delivery = delivery->source,
        .fingerprint =
            delivery->batch.retry == NULL ? delivery->fingerprint : known->record.fingerprint,
        .arrival_ms = delivery->arrival_ms,
        .result = delivery->result,
    };
    buffer_clear(context->scratch);
    if (!pending_indexes(&delivery->result, context->arena, &record)) {
        return out_of_memory(error);
    }
    size_t result_at = record_encode(&record, context->scratch);
    struct span value = arena_copy(context->arena, buffer_span(context->scratch));
    if (context->scratch->failed || span_is_absent(value)) {
        return out_of_memory(error);
    }
    bool has_entries = record.result.conflict_entry_count + record.result.failure_entry_count > 0;
    if (!has_entries) { /* else the record marks their bodies */
        delivery->result_bytes = span_make(value.data + result_at, value.size - result_at);
    }
    known->value_before = known->value;
    known->record_before = known->record;
    known->value = value;
    known->record = record;
    known->is_uncommitted = true;
    portion->records[portion->record_count++] = (struct record_write){
        .field = delivery->field,
        .value = value,
        .attempt = record.attempt,
        .pending = record.pending_count > 0,
    };
    portion->record_bytes += value.size;
    portion->settled_count += record.pending_count == 0 ? 1 : 0;
    return true;
}

static bool decide_new(struct scene_work *work, struct delivery *delivery,
                       const struct work_context *context, struct scene_portion *portion,
                       struct error *error)
{
    struct process_context process = process_context_of(work, delivery, context);
    if (!process_batch(work->scene, &delivery->batch, &process, &delivery->result, error)) {
        return false;
    }
    delivery->result_arrival_ms = delivery->arrival_ms;
    process = process_context_of(work, delivery, context); /* the times after the work */
    process_stamp(&delivery->result, &delivery->batch, &process);
    if (!check_requeue(delivery, context, error) ||
        !remember(work, delivery, context, portion, error)) {
        return false;
    }
    advance_position(work, delivery, portion);
    return true;
}

/* Makes the result that was published first again, from the record and the batch at hand. */
static bool decide_again(struct scene_work *work, struct delivery *delivery,
                         const struct work_context *context, struct error *error)
{
    const struct known_record *known = &work->known[delivery->known_index];
    struct batch_record record;
    if (!record_decode(known->value, context->arena, &record, error)) {
        assert(error->code == ERROR_OUT_OF_MEMORY); /* it was decoded before */
        return false;
    }
    record_refill_bodies(&record.result, &delivery->batch);
    delivery->result = record.result;
    /* Not its own arrival: where the commit fails and the record is gone at the next look, that is
     * what it is decided by. */
    delivery->result_arrival_ms = record.arrival_ms;
    return true;
}

/* `known`: what used the name before; NULL where that record is gone by now. */
static void decide_reused(struct delivery *delivery, const struct known_record *known)
{
    char quoted[ERROR_QUOTE_BYTES_MAX];
    char topic[ERROR_QUOTE_BYTES_MAX];
    char seen_at[ERROR_QUOTE_BYTES_MAX + 64] = "";
    if (known != NULL) {
        const struct source *source = &known->record.delivery;
        (void)snprintf(seen_at, sizeof seen_at, " (seen at %s/%" PRId32 "/%" PRId64 ")",
                       error_quote(source->topic, topic), source->partition, source->offset);
    }
    error_set(&delivery->refusal, ERROR_BATCH_ID_REUSED,
              "batch_id '%s' was used before by other operations%s; give every batch an id of its "
              "own, best a UUID",
              error_quote(delivery->batch.batch_id, quoted), seen_at);
}

/* Not applied, but its place counts: a later redelivery of it must stay recognised even when the
 * record is gone by then, or it would be applied after it was answered otherwise. That holds for
 * those behind it too: where this is a redelivery itself, the position must not go back to it. */
static void pass_by(struct scene_work *work, const struct delivery *delivery,
                    struct scene_portion *portion)
{
    if (!is_behind_position(work, delivery)) {
        advance_position(work, delivery, portion);
    }
}

static bool decide_one(struct scene_work *work, struct delivery *delivery,
                       const struct work_context *context, struct scene_portion *portion,
                       struct error *error)
{
    switch (delivery->verdict) {
    case VERDICT_NEW:
        return decide_new(work, delivery, context, portion, error);
    case VERDICT_RESENT:
        pass_by(work, delivery, portion);
        return decide_again(work, delivery, context, error);
    case VERDICT_REDELIVERED:
        return decide_again(work, delivery, context, error);
    case VERDICT_REUSED:
        pass_by(work, delivery, portion);
        decide_reused(delivery, &work->known[delivery->known_index]);
        return true;
    case VERDICT_STALE:
        break;
    }
    return true;
}

static enum verdict recognise_delivery(struct scene_work *work, const struct delivery *delivery)
{
    const struct known_record *known = &work->known[delivery->known_index];
    struct recognition_case arrived = {
        .batch = &delivery->batch,
        .delivery = delivery->source,
        .record_timestamp_ms = timestamp_of(delivery),
        .fingerprint = delivery->fingerprint,
        .record = span_is_absent(known->value) ? NULL : &known->record,
        .position = scene_position(work->scene, delivery->position_name),
    };
    enum verdict verdict = recognise(&arrived);
    /* Where no record can be read, that there is none says nothing of a retry. It is answered and
     * dead-lettered, for its operations are nowhere else. */
    bool is_unknown = work->mode == WORK_UNRECORDED && verdict == VERDICT_STALE &&
                      delivery->batch.retry != NULL && arrived.record == NULL &&
                      !is_behind_position(work, delivery);
    return is_unknown ? VERDICT_NEW : verdict;
}

/* A delivery whose record is gone is dropped without an answer. So before that is believed, the
 * records are read once more: a rotation of their generations between the reads of one load can
 * hide one. */
static void read_again(struct scene_work *work)
{
    work->has_doubted = true;
    scene_forget(work->scene, false);
    work->state = WORK_READ;
}

bool scene_decide(struct scene_work *work, const struct work_context *context, struct error *error)
{
    struct scene_portion portion;
    if (!scene_portion_begin(&portion, work, context)) {
        return out_of_memory(error);
    }
    size_t at = work->begin;
    for (; at < work->delivery_count; at++) {
        struct delivery *delivery = work->deliveries[at];
        delivery->refusal.code = ERROR_NONE; /* of an earlier look at it */
        delivery->result_bytes = (struct span){0};
        delivery->verdict = recognise_delivery(work, delivery);
        delivery->was_refused &= delivery->verdict != VERDICT_NEW; /* that commit had no effect */
        if (delivery->verdict == VERDICT_STALE && delivery->was_refused) {
            /* A commit that was sent, and perhaps took effect, moved the position past it, and the
             * record that its name was used by may be evicted since: it is still to be answered. */
            delivery->verdict = VERDICT_REUSED;
            decide_reused(delivery, NULL);
            continue;
        }
        if (delivery->verdict == VERDICT_STALE && !work->has_doubted &&
            work->mode != WORK_UNRECORDED) {
            read_again(work);
            return true;
        }
        bool is_second_attempt =
            delivery->verdict == VERDICT_NEW && work->known[delivery->known_index].is_uncommitted;
        if (at > work->begin &&
            (is_second_attempt || scene_portion_is_full(work, &portion, context->clock))) {
            break; /* one record, one attempt per commit */
        }
        if (!decide_one(work, delivery, context, &portion, error)) {
            return false;
        }
    }
    work->end = at;
    bool has_something = portion.record_count > 0 || portion.has_positions;
    if (work->mode == WORK_UNRECORDED || !has_something) {
        scene_decide_done(work, context);
        return true;
    }
    return scene_submit(work, context, &portion, error);
}

void scene_decide_done(struct scene_work *work, const struct work_context *context)
{
    scene_count_verdicts(work, context->stats);
    work->begin = work->end;
    work->state = work->begin == work->delivery_count ? WORK_DONE : WORK_DECIDE;
}
