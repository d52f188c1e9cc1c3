#include "worker/scene_decide.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "worker/requeue.h"
#include "worker/scene_count.h"

enum {
    /* A commit blocks Redis for everybody while it runs: keep it short. */
    COMMIT_ELEMENTS_MAX = 2000,
    COMMIT_BYTES_MAX = 4 << 20,
    DECIDE_MS_MAX = 500, /* then the cycle gets a turn to poll Kafka */
    TOKEN_BYTES = 16
};

/* What the commit of the deliveries decided so far will hold. */
struct portion {
    struct record_write *records;
    size_t record_count, record_bytes;
    bool *touched_positions; /* by index in the scene */
    struct span *marks;      /* the same: what the watermark must say */
    bool has_positions;
    int64_t updated_at_ms;
    uint64_t begun_ms; /* monotonic */
};

static bool out_of_memory(struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a commit");
}

/* splitmix64 (Steele, Lea, Flood 2014): tokens must be unique, not secret. */
static uint64_t next_token(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/* As hexadecimal digits. */
static struct store_token new_token(uint64_t *state)
{
    struct store_token token = {.size = TOKEN_BYTES};
    uint64_t bits = next_token(state);
    for (size_t i = TOKEN_BYTES; i > 0; i--) {
        token.text[i - 1] = "0123456789abcdef"[bits & 0xf];
        bits >>= 4;
    }
    return token;
}

static bool portion_is_full(const struct scene_work *work, const struct portion *portion,
                            const struct clock *clock)
{
    return work->scene->dirty_count >= COMMIT_ELEMENTS_MAX ||
           portion->record_bytes >= COMMIT_BYTES_MAX ||
           clock_monotonic_ms(clock) - portion->begun_ms >= DECIDE_MS_MAX;
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
                             struct portion *portion)
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
                     const struct work_context *context, struct portion *portion,
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
    return true;
}

static bool decide_new(struct scene_work *work, struct delivery *delivery,
                       const struct work_context *context, struct portion *portion,
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

static void decide_reused(struct delivery *delivery, const struct known_record *known)
{
    char quoted[ERROR_QUOTE_BYTES_MAX];
    char topic[ERROR_QUOTE_BYTES_MAX];
    error_set(&delivery->refusal, ERROR_BATCH_ID_REUSED,
              "batch_id '%s' was used before by other operations (seen at %s/%" PRId32 "/%" PRId64
              "); give every batch an id of its own, best a UUID",
              error_quote(delivery->batch.batch_id, quoted),
              error_quote(known->record.delivery.topic, topic), known->record.delivery.partition,
              known->record.delivery.offset);
}

/* Not applied, but its place counts: a later redelivery of it must stay recognised even when the
 * record is gone by then, or it would be applied after it was answered otherwise. That holds for
 * those behind it too: where this is a redelivery itself, the position must not go back to it. */
static void pass_by(struct scene_work *work, const struct delivery *delivery,
                    struct portion *portion)
{
    if (!is_behind_position(work, delivery)) {
        advance_position(work, delivery, portion);
    }
}

static bool decide_one(struct scene_work *work, struct delivery *delivery,
                       const struct work_context *context, struct portion *portion,
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

/* The committed offsets of every partition that the portion's deliveries came from; absent: no
 * memory. */
static struct span settled_offsets(const struct scene_work *work,
                                   const struct work_context *context)
{
    buffer_clear(context->scratch);
    for (size_t i = work->begin; i < work->end; i++) {
        int32_t partition = work->deliveries[i]->source.partition;
        bool is_listed = false;
        for (size_t k = work->begin; k < i && !is_listed; k++) {
            is_listed = work->deliveries[k]->source.partition == partition;
        }
        if (!is_listed) {
            buffer_append_span(context->scratch, source_committed_text(context->source, partition));
            buffer_append(context->scratch, " ", 1);
        }
    }
    return context->scratch->failed ? (struct span){0}
                                    : arena_copy(context->arena, buffer_span(context->scratch));
}

static bool list_elements(struct scene_work *work, const struct work_context *context,
                          struct scene_commit *commit)
{
    const struct scene *scene = work->scene;
    struct element_write *writes =
        arena_alloc_array(context->arena, scene->dirty_count, sizeof(struct element_write));
    if (writes == NULL) {
        return false;
    }
    for (size_t i = 0; i < scene->dirty_count; i++) {
        /* The documents stay as they are until the commit is answered: nothing copies them here. */
        const struct element *element = scene->dirty[i];
        buffer_clear(context->scratch);
        struct span value = element_value_encode(element, context->scratch);
        writes[i] = (struct element_write){
            .id = element->id,
            .head = arena_copy(context->arena, buffer_span(context->scratch)),
            .value = value,
            .kind = ELEMENT_WRITE_PRESENT,
            .record_time_ms = element->tombstone_record_ms,
        };
        if (element->presence == ELEMENT_REMOVED) {
            writes[i].kind = ELEMENT_WRITE_TOMBSTONE;
        } else if (element->is_indexed) {
            writes[i].kind = ELEMENT_WRITE_REVIVED;
        }
        if (context->scratch->failed || span_is_absent(writes[i].head)) {
            return false;
        }
    }
    commit->elements = writes;
    commit->element_count = scene->dirty_count;
    return true;
}

static bool list_positions(const struct scene_work *work, const struct portion *portion,
                           struct arena *arena, struct scene_commit *commit)
{
    const struct scene *scene = work->scene;
    struct store_position *positions =
        arena_alloc_array(arena, scene->position_count, sizeof(struct store_position));
    if (positions == NULL) {
        return false;
    }
    for (size_t i = 0; i < scene->position_count; i++) {
        if (portion->touched_positions[i]) {
            positions[commit->position_count] = scene->positions[i];
            positions[commit->position_count++].mark = portion->marks[i];
        }
    }
    commit->positions = positions;
    return true;
}

/* Whether the records of the scene live long enough as it is. If not, this commit sees to it:
 * should it fail, scene_forget() forgets that, too. */
static bool keeps_expiry(struct scene *scene, const struct work_context *context, uint64_t now_ms)
{
    uint64_t slack_ms = context->settings->dedupe_window_ms / STORE_EXPIRY_SLACK_PARTS;
    if (scene->expiry_set_ms > 0 && now_ms - scene->expiry_set_ms < slack_ms) {
        return true;
    }
    scene->expiry_set_ms = now_ms;
    return false;
}

static bool submit_commit(struct scene_work *work, const struct work_context *context,
                          const struct portion *portion, struct error *error)
{
    struct scene *scene = work->scene;
    work->commit = (struct scene_commit){
        .session_id = scene->session_id,
        .checked = work->mode == WORK_APPLY,
        .expected_version = scene->committed_version,
        .expected_token = scene->token,
        .version = scene->version,
        .scene_element_count = scene->element_count,
        .updated_at_ms = portion->updated_at_ms,
        .records = portion->records,
        .record_count = portion->record_count,
        .settled_offsets = settled_offsets(work, context),
        .arena = context->arena,
    };
    work->commit_begun_ms = clock_monotonic_ms(context->clock);
    if (portion->record_count > 0) {
        work->commit.keeps_expiry = keeps_expiry(scene, context, work->commit_begun_ms);
    }
    work->commit.token = new_token(context->token_state);
    if (span_is_absent(work->commit.settled_offsets) ||
        !list_elements(work, context, &work->commit) ||
        !list_positions(work, portion, context->arena, &work->commit)) {
        return out_of_memory(error);
    }
    fault_reach(context->faults, FAULT_BEFORE_COMMIT);
    store_submit_commit(context->store, &work->commit);
    work->state = WORK_COMMITTING;
    return true;
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

/* A commit whose reply was lost may have moved the position past a refused delivery, and the record
 * that its name was used by may be evicted since. It looks stale then, and is still to be answered.
 */
static bool stays_refused(const struct delivery *delivery, enum error_code refused_before)
{
    return delivery->verdict == VERDICT_STALE && delivery->was_sent &&
           refused_before == ERROR_BATCH_ID_REUSED;
}

bool scene_decide(struct scene_work *work, const struct work_context *context, struct error *error)
{
    size_t open_count = work->delivery_count - work->begin;
    struct portion portion = {
        .records = arena_alloc_array(context->arena, open_count, sizeof(struct record_write)),
        .touched_positions =
            arena_alloc_array(context->arena, work->scene->position_count, sizeof(bool)),
        .marks =
            arena_alloc_array(context->arena, work->scene->position_count, sizeof(struct span)),
        .begun_ms = clock_monotonic_ms(context->clock),
    };
    if (portion.records == NULL || portion.touched_positions == NULL || portion.marks == NULL) {
        return out_of_memory(error);
    }
    size_t at = work->begin;
    for (; at < work->delivery_count; at++) {
        struct delivery *delivery = work->deliveries[at];
        enum error_code refused_before = delivery->refusal.code;
        delivery->refusal.code = ERROR_NONE; /* of an earlier look at it */
        delivery->result_bytes = (struct span){0};
        delivery->verdict = recognise_delivery(work, delivery);
        if (stays_refused(delivery, refused_before)) {
            delivery->refusal.code = refused_before; /* its message still stands there */
            delivery->verdict = VERDICT_REUSED;
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
            (is_second_attempt || portion_is_full(work, &portion, context->clock))) {
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
    return submit_commit(work, context, &portion, error);
}

void scene_decide_done(struct scene_work *work, const struct work_context *context)
{
    scene_count_verdicts(work, context->stats);
    work->begin = work->end;
    work->state = work->begin == work->delivery_count ? WORK_DONE : WORK_DECIDE;
}
