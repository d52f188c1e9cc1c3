#include "worker/cycle_internal.h"
#include "worker/cycle_log.h"
#include "worker/publish.h"

enum {
    /* Of the runs behind together. One that takes more by itself is waited for: next to its work
     * the wait is short. */
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

static void drop_oldest(struct cycle *cycle)
{
    struct intake *intake = cycle->behind[0];
    cycle->behind_count--;
    for (size_t i = 0; i < cycle->behind_count; i++) {
        cycle->behind[i] = cycle->behind[i + 1];
    }
    if (intake != cycle->now) {
        cycle->spares[cycle->spare_count++] = intake;
    }
}

static enum cycle_outcome land_oldest(struct cycle *cycle, struct error *error)
{
    struct intake *intake = cycle->behind[0];
    struct publish_parts publish = publish_parts_of(cycle);
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
    drop_oldest(cycle);
    return CYCLE_WORKED;
}

enum cycle_outcome cycle_land(struct cycle *cycle, bool must_wait, struct error *error)
{
    enum cycle_outcome outcome = CYCLE_WORKED;
    if (cycle->behind_count > 0) {
        (void)sink_poll(cycle->parts.sink, 0);
    }
    while (outcome == CYCLE_WORKED && cycle->behind_count > 0 &&
           (must_wait || publish_is_answered(&cycle->behind[0]->run.outbox))) {
        outcome = land_oldest(cycle, error);
    }
    return outcome;
}

static bool has_room_behind(const struct cycle *cycle)
{
    size_t bytes = cycle->now->arena.used_bytes;
    for (size_t i = 0; i < cycle->behind_count; i++) {
        bytes += cycle->behind[i]->arena.used_bytes;
    }
    return cycle->behind_count < CYCLE_BEHIND_MAX && bytes <= BEHIND_ARENA_BYTES_MAX;
}

enum cycle_outcome cycle_send(struct cycle *cycle, struct error *error)
{
    struct intake *intake = cycle->now;
    struct publish_parts publish = publish_parts_of(cycle);
    while (cycle->behind_count > 0 && !has_room_behind(cycle)) {
        enum cycle_outcome outcome = land_oldest(cycle, error);
        if (outcome != CYCLE_WORKED) {
            return outcome;
        }
    }
    bool has_rest = intake->begin + intake->run.count < intake->count;
    bool may_stay = !has_rest && has_room_behind(cycle);
    log_run(cycle->parts.log, &intake->run);
    outbox_count(&intake->run.outbox);
    publish_send(&publish, &intake->run.outbox);
    intake->sent_ms = clock_monotonic_ms(cycle->parts.clock);
    cycle->behind[cycle->behind_count++] = intake;
    if (may_stay) {
        cycle->now = cycle->spares[--cycle->spare_count];
    }
    return cycle_land(cycle, !may_stay, error);
}
