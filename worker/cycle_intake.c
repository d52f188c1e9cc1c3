#include "worker/cycle_internal.h"

#include "worker/cycle_log.h"

enum {
    /* Decoding stops here and the rest goes to the next run: a small record can hold many
     * operations, and each takes some hundred bytes of the arena until the run ends. */
    OPERATIONS_MAX = 131072,
    AHEAD_OPERATIONS = 500, /* decoded in a row while the store is at work */
    /* What decoding takes of the arena at the most, mostly. */
    DECODING_BYTES = 8 << 20
};

void cycle_take_records(struct cycle *cycle, struct intake *intake, int timeout_ms)
{
    size_t payload_bytes = 0;
    for (size_t i = intake->begin; i < intake->count; i++) {
        payload_bytes += intake->records[i].value.size;
    }
    if (intake->count == CYCLE_RECORDS_MAX || payload_bytes >= CYCLE_PAYLOAD_BYTES_MAX) {
        return;
    }
    size_t taken = source_poll(
        cycle->parts.source, intake->records + intake->count, CYCLE_RECORDS_MAX - intake->count,
        CYCLE_PAYLOAD_BYTES_MAX - payload_bytes, intake->count > 0 ? 0 : timeout_ms);
    intake->count += taken;
    cycle->parts.stats->records += taken;
}

void cycle_forget_run(struct intake *intake)
{
    intake->run = (struct run){0};
    arena_reset(&intake->arena);
}

void cycle_drop_not_held(struct cycle *cycle, struct intake *intake)
{
    size_t kept = 0;
    size_t open_count = intake->count - intake->begin;
    for (size_t i = intake->begin; i < intake->count; i++) {
        struct record *record = &intake->records[i];
        if (source_holds(cycle->parts.source, record)) {
            intake->records[kept++] = *record;
        } else {
            source_release(cycle->parts.source, record, 1);
        }
    }
    if (kept < open_count || intake->begin > 0) {
        cycle_forget_run(intake); /* its deliveries name records by their place */
    }
    intake->begin = 0;
    intake->count = kept;
}

/* A message that alone exhausts the arena is refused like one that is too large: it must not stop
 * its partition. */
static void refuse_for_memory(struct delivery *delivery, const struct record *record)
{
    *delivery = (struct delivery){
        .record = record,
        .source = {.topic = record->topic,
                   .partition = record->partition,
                   .offset = record->offset},
    };
    error_set(&delivery->refusal, ERROR_TOO_LARGE,
              "decoding the message takes more memory than a whole cycle may use (%d bytes); "
              "send smaller batches",
              CYCLE_ARENA_BYTES_MAX);
}

/* Decodes up to `operations_max` more operations of the run, the last record's too. */
static bool decode_some(struct cycle *cycle, struct intake *intake, size_t operations_max,
                        struct error *error)
{
    struct run *run = &intake->run;
    size_t open_count = intake->count - intake->begin;
    size_t records_max = open_count < cycle->run_records_max ? open_count : cycle->run_records_max;
    size_t until = run->operation_count + operations_max;
    if (run->deliveries == NULL) {
        run->records = intake->records + intake->begin;
        /* Room for those that may come until the run begins; not cleared, so not touched. */
        run->deliveries = arena_alloc(&intake->arena, CYCLE_RECORDS_MAX * sizeof(struct delivery));
        if (run->deliveries == NULL) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's deliveries");
        }
    }
    while (run->count < records_max && run->operation_count < OPERATIONS_MAX) {
        if (run->operation_count >= until) {
            return true;
        }
        struct delivery *delivery = &run->deliveries[run->count];
        const struct record *record = &run->records[run->count];
        if (!delivery_decode(record, cycle->parts.settings, &intake->arena, delivery, error)) {
            if (run->count > 0) {
                break; /* with an empty arena it will do */
            }
            refuse_for_memory(delivery, record);
        }
        run->count++;
        run->operation_count += delivery->batch.operation_count;
    }
    run->is_decoded = true;
    return true;
}

/* What the watermark has to do with a delivery; records of one partition mostly stand together. */
static bool mark_delivery(struct cycle *cycle, struct delivery *delivery,
                          const struct delivery *previous)
{
    const struct record *record = delivery->record;
    bool is_same = previous != NULL && previous->record->partition == record->partition &&
                   previous->record->topic.data == record->topic.data;
    delivery->mark =
        is_same ? previous->mark : watermark_expected(cycle->watermark, record, &cycle->now->arena);
    delivery->is_replay = watermark_is_replay(cycle->watermark, record);
    cycle->parts.stats->records_replayed += delivery->is_replay;
    return !span_is_absent(delivery->mark);
}

/* Counts and logs what became of decoding, once the run is sure to begin, and once for a record. */
static void note_decoded(struct cycle *cycle, const struct delivery *delivery,
                         struct record *record)
{
    if (record->was_noted) {
        return;
    }
    record->was_noted = true;
    if (delivery->refusal.code != ERROR_NONE) {
        cycle->parts.stats->batches_refused++;
        cycle_log_refusal(cycle->parts.log, delivery);
    } else if (!delivery_key_matches(delivery)) {
        cycle->parts.stats->keys_differing++;
    }
}

bool cycle_decode(struct cycle *cycle, struct error *error)
{
    struct run *run = &cycle->now->run;
    run->is_decoded = false; /* more may have come since it was decoded ahead */
    if (!decode_some(cycle, cycle->now, OPERATIONS_MAX, error)) {
        return false;
    }
    for (size_t i = 0; i < run->count; i++) {
        struct delivery *delivery = &run->deliveries[i];
        if (!mark_delivery(cycle, delivery, i > 0 ? delivery - 1 : NULL)) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's deliveries");
        }
        note_decoded(cycle, delivery, &run->records[i]);
    }
    return true;
}

bool cycle_work_ahead(struct cycle *cycle)
{
    struct intake *ahead = cycle->ahead;
    struct error ignored; /* it is met again, and dealt with, when the run begins */
    bool has_rest = cycle->now->begin + cycle->now->run.count < cycle->now->count;
    if (has_rest || ahead->run.is_decoded || cycle->must_fail_run) {
        return false; /* the rest comes first */
    }
    if (ahead->count == 0) {
        cycle_forget_run(ahead);
        cycle_take_records(cycle, ahead, 0);
        return ahead->count > 0;
    }
    return decode_some(cycle, ahead, AHEAD_OPERATIONS, &ignored) && !ahead->run.is_decoded;
}

void cycle_turn_over(struct cycle *cycle)
{
    if (cycle->now->count == 0 && cycle->ahead->count > 0) {
        struct intake *emptied = cycle->now;
        cycle->now = cycle->ahead;
        cycle->ahead = emptied;
        /* The rest of a run takes several times the memory that decoding does, and there is only
         * one at a time. */
        arena_take_over(&cycle->now->arena, &emptied->arena, DECODING_BYTES);
    }
}
