#include "worker/cycle_internal.h"
#include "worker/cycle_log.h"
#include "worker/publish.h"

enum {
    /* A run that takes more memory than that is waited for: two of them at a time would be too
     * much, and next to its work the wait is short. */
    BEHIND_ARENA_BYTES_MAX = 24 << 20
};

static struct publish_parts publish_parts_of(struct cycle *cycle)
{
    return (struct publish_parts){
        .sink = cycle->parts.sink,
        .log = cycle->parts.log,
        .patience = &cycle->patience,
        .faults = cycle->parts.faults,
    };
}

bool cycle_post(struct cycle *cycle, struct error *error)
{
    struct run *run = &cycle->now->run;
    run->outbox = (struct outbox){
        .settings = cycle->parts.settings,
        .arena = &cycle->now->arena,
        .scratch = &cycle->scratch,
        .stats = cycle->parts.stats,
        .recent = cycle->parts.recent,
        .now_wall_ms = clock_wall_ms(cycle->parts.clock),
    };
    for (size_t i = 0; i < run->count; i++) {
        if (!outbox_post(&run->outbox, &run->deliveries[i], error)) {
            return false;
        }
    }
    return true;
}

static void log_run(struct log *log, const struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct delivery *delivery = &run->deliveries[i];
        if (delivery->refusal.code == ERROR_NONE) {
            cycle_log_delivery(log, delivery);
        } else if (delivery->verdict == VERDICT_REUSED) {
            cycle_log_refusal(log, delivery); /* the others were logged when they were decoded */
        }
    }
    for (const struct letter *letter = run->outbox.first; letter != NULL; letter = letter->next) {
        cycle_log_letter(log, letter);
    }
}

void cycle_send(struct cycle *cycle)
{
    struct intake *intake = cycle->now;
    struct publish_parts publish = publish_parts_of(cycle);
    log_run(cycle->parts.log, &intake->run);
    outbox_count(&intake->run.outbox);
    publish_send(&publish, &intake->run.outbox);
    cycle->behind = intake;
    cycle->behind_since_ms = clock_monotonic_ms(cycle->parts.clock);
    bool has_rest = intake->begin + intake->run.count < intake->count;
    if (!has_rest && intake->arena.used_bytes <= BEHIND_ARENA_BYTES_MAX) {
        cycle->now = cycle->spare;
        cycle->spare = NULL;
    }
}

/* How long the records have taken: here, and since they were produced. */
static void note_durations(const struct cycle *cycle, const struct run *run)
{
    uint64_t now_ms = clock_monotonic_ms(cycle->parts.clock);
    uint64_t now_wall_ms = clock_wall_ms(cycle->parts.clock);
    struct stats *stats = cycle->parts.stats;
    for (size_t i = 0; i < run->count; i++) {
        const struct record *record = &run->records[i];
        durations_note(&stats->process, &durations_bounds_process,
                       now_ms - record->received_monotonic_ms);
        if (record->timestamp_ms >= 0) {
            uint64_t produced_ms = (uint64_t)record->timestamp_ms;
            durations_note(&stats->age, &durations_bounds_age,
                           now_wall_ms > produced_ms ? now_wall_ms - produced_ms : 0);
        }
    }
}

/* Everything of the run is in the store, below the watermark, and acknowledged. */
static void settle(struct cycle *cycle, struct intake *intake)
{
    note_durations(cycle, &intake->run);
    source_settle(cycle->parts.source, intake->run.records, intake->run.count);
    source_release(cycle->parts.source, intake->run.records, intake->run.count);
    intake->begin += intake->run.count;
    if (intake->begin == intake->count) {
        intake->begin = 0;
        intake->count = 0;
    }
    cycle_forget_run(intake);
    cycle->parts.stats->cycles++;
}

enum cycle_outcome cycle_land(struct cycle *cycle, bool must_wait, struct error *error)
{
    struct intake *intake = cycle->behind;
    struct publish_parts publish = publish_parts_of(cycle);
    if (intake == NULL || (!must_wait && !publish_is_answered(&publish))) {
        return CYCLE_WORKED;
    }
    switch (publish_await(&publish, &intake->run.outbox)) {
    case PUBLISH_ACKNOWLEDGED:
        break;
    case PUBLISH_ABANDONED:
        return CYCLE_ABANDONED;
    case PUBLISH_NO_MEMORY:
        error_set(error, ERROR_OUT_OF_MEMORY, "no memory for what is to be published");
        return CYCLE_FATAL;
    }
    fault_reach(cycle->parts.faults, FAULT_AFTER_ACKNOWLEDGEMENT);
    settle(cycle, intake);
    cycle->behind = NULL;
    if (intake != cycle->now) {
        cycle->spare = intake;
    }
    return CYCLE_WORKED;
}
