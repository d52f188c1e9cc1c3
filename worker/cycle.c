#include "worker/cycle.h"

#include <stdlib.h>

#include "worker/cycle_internal.h"
#include "worker/cycle_log.h"
#include "worker/publish.h"
#include "worker/source_watch.h"

enum {
    SCRATCH_BYTES_MAX = 256 << 20,
    STORE_CONNECT_POLL_MS = 20 /* between cycles, while not connected */
};

struct cycle *cycle_create(const struct cycle_parts *parts)
{
    struct cycle *cycle = calloc(1, sizeof(*cycle));
    if (cycle == NULL) {
        return NULL;
    }
    cycle->parts = *parts;
    cycle->token_state = parts->token_seed;
    cycle->patience = (struct patience){
        .clock = parts->clock,
        .source = parts->source,
        .progress = parts->progress,
        .must_abandon = parts->must_abandon,
        .abandon_context = parts->abandon_context,
    };
    struct watermark_parts watermark = {
        .settings = parts->settings,
        .clock = parts->clock,
        .log = parts->log,
        .source = parts->source,
        .store = parts->store,
        .stats = parts->stats,
        .patience = &cycle->patience,
        .owner = parts->token_seed,
    };
    cycle->run_records_max = CYCLE_RECORDS_MAX;
    cycle->watermark = watermark_create(&watermark);
    cycle->cache = scene_cache_create((size_t)settings_scene_bytes_max(parts->settings));
    for (size_t i = 0; i < 2; i++) {
        arena_init(&cycle->intakes[i].arena, CYCLE_ARENA_BYTES_MAX);
    }
    cycle->now = &cycle->intakes[0];
    cycle->ahead = &cycle->intakes[1];
    buffer_init(&cycle->scratch, SCRATCH_BYTES_MAX);
    buffer_init(&cycle->document_scratch, SCRATCH_BYTES_MAX);
    if (cycle->cache == NULL || cycle->watermark == NULL) {
        cycle_destroy(cycle);
        return NULL;
    }
    return cycle;
}

void cycle_destroy(struct cycle *cycle)
{
    if (cycle == NULL) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        struct intake *intake = &cycle->intakes[i];
        source_release(cycle->parts.source, intake->records + intake->begin,
                       intake->count - intake->begin);
        arena_deinit(&intake->arena);
    }
    scene_cache_destroy(cycle->cache);
    watermark_destroy(cycle->watermark);
    buffer_deinit(&cycle->scratch);
    buffer_deinit(&cycle->document_scratch);
    free(cycle);
}

void cycle_cache_size(const struct cycle *cycle, uint64_t *bytes, uint64_t *scenes)
{
    *bytes = scene_cache_bytes(cycle->cache);
    *scenes = scene_cache_count(cycle->cache);
}

static struct work_context work_context_of(struct cycle *cycle)
{
    const struct cycle_parts *parts = &cycle->parts;
    return (struct work_context){
        .settings = parts->settings,
        .clock = parts->clock,
        .store = parts->store,
        .source = parts->source,
        .arena = &cycle->now->arena,
        .scratch = &cycle->scratch,
        .document_scratch = &cycle->document_scratch,
        .stats = parts->stats,
        .log = parts->log,
        .token_state = &cycle->token_state,
        .is_too_large = cycle->must_fail_run,
        .faults = parts->faults,
    };
}

static bool post_all(struct cycle *cycle, struct run *run, struct outbox *outbox,
                     struct error *error)
{
    struct log *log = cycle->parts.log;
    for (size_t i = 0; i < run->count; i++) {
        struct delivery *delivery = &run->deliveries[i];
        if (!outbox_post(outbox, delivery, error)) {
            return false;
        }
        if (delivery->refusal.code == ERROR_NONE) {
            cycle_log_delivery(log, delivery);
        } else if (delivery->verdict == VERDICT_REUSED) {
            cycle_log_refusal(log, delivery); /* the others were logged when they were decoded */
        }
    }
    for (const struct letter *letter = outbox->first; letter != NULL; letter = letter->next) {
        cycle_log_letter(log, letter);
    }
    return true;
}

static bool work_meanwhile(void *context)
{
    return cycle_work_ahead(context);
}

static enum cycle_outcome publish_works(struct cycle *cycle, struct run *run, struct error *error)
{
    struct outbox outbox = {
        .settings = cycle->parts.settings,
        .arena = &cycle->now->arena,
        .scratch = &cycle->scratch,
        .stats = cycle->parts.stats,
        .recent = cycle->parts.recent,
        .now_wall_ms = clock_wall_ms(cycle->parts.clock),
    };
    if (!post_all(cycle, run, &outbox, error)) {
        return CYCLE_FATAL;
    }
    struct publish_parts publish = {
        .sink = cycle->parts.sink,
        .log = cycle->parts.log,
        .patience = &cycle->patience,
        .faults = cycle->parts.faults,
        .meanwhile = work_meanwhile,
        .meanwhile_context = cycle,
    };
    run->is_published = true;
    outbox_count(&outbox);
    switch (publish_all(&publish, &outbox)) {
    case PUBLISH_ACKNOWLEDGED:
        return CYCLE_WORKED;
    case PUBLISH_ABANDONED:
        return CYCLE_ABANDONED;
    case PUBLISH_NO_MEMORY:
        break;
    }
    error_set(error, ERROR_OUT_OF_MEMORY, "no memory for what is to be published");
    return CYCLE_FATAL;
}

/*
 * A run needed more memory than a cycle may use, such as a few small updates of many large
 * elements. Its records are still open: the next run takes half of them. Where one is too much
 * alone, its operations fail, for it must not stop its partition. False: that did not help.
 */
static bool shrink_run(struct cycle *cycle, const struct run *run)
{
    cycle_drain_store(cycle);
    cycle_note_sent(run);
    scene_cache_clear(cycle->cache); /* it holds changes that were never committed */
    bool was_last_resort = cycle->must_fail_run;
    cycle->must_fail_run = run->count <= 1;
    cycle->run_records_max = run->count <= 1 ? 1 : run->count / 2;
    struct log_line line;
    log_begin(&line, cycle->parts.log, LOG_WARN, "cycle needs too much memory, is made smaller");
    log_uint(&line, "records", run->count);
    log_uint(&line, "records_max", cycle->run_records_max);
    log_end(&line);
    return !was_last_resort;
}

/* After a run that went well the next one may be larger again. */
static void relax_run(struct cycle *cycle)
{
    cycle->must_fail_run = false;
    cycle->run_records_max *= 2;
    if (cycle->run_records_max > CYCLE_RECORDS_MAX) {
        cycle->run_records_max = CYCLE_RECORDS_MAX;
    }
}

static enum cycle_outcome outcome_of(const struct cycle *cycle, enum watermark_outcome outcome,
                                     struct error *error)
{
    switch (outcome) {
    case WATERMARK_GOOD:
        break;
    case WATERMARK_AGAIN:
        return CYCLE_AGAIN;
    case WATERMARK_ABANDONED:
        return CYCLE_ABANDONED;
    case WATERMARK_STOP:
        return CYCLE_LOST;
    case WATERMARK_NO_MEMORY:
        error_set(error, ERROR_OUT_OF_MEMORY, "no memory for the watermark");
        return CYCLE_FATAL;
    case WATERMARK_FAILED:
        *error = *watermark_error(cycle->watermark);
        return CYCLE_FATAL;
    }
    return CYCLE_WORKED;
}

/* Shows that everything of the run is still in the store (store.md section 4). */
static enum cycle_outcome raise_watermark(struct cycle *cycle, const struct run *run,
                                          struct error *error)
{
    enum watermark_outcome outcome =
        watermark_raise(cycle->watermark, run->records, run->count, store_epoch(cycle->parts.store),
                        &cycle->now->arena);
    if (outcome == WATERMARK_AGAIN) {
        cycle_note_repeated(cycle);
    }
    return outcome_of(cycle, outcome, error);
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

/* Everything up to here is in the store, acknowledged, and below the watermark. */
static void settle_run(struct cycle *cycle)
{
    struct intake *intake = cycle->now;
    note_durations(cycle, &intake->run);
    source_settle(cycle->parts.source, intake->run.records, intake->run.count);
    source_release(cycle->parts.source, intake->run.records, intake->run.count);
    intake->begin += intake->run.count;
    if (intake->begin == intake->count) {
        intake->begin = 0;
        intake->count = 0;
    }
}

/* Brings the run's batches into the store. A run of several records that reads too much is made
 * smaller; what comes behind this has the whole arena. */
static enum cycle_outcome apply_run(struct cycle *cycle, const struct work_context *context,
                                    struct error *error)
{
    struct arena *arena = &cycle->now->arena;
    bool is_shared = cycle->now->run.count > 1;
    arena_set_cap(arena, is_shared ? CYCLE_ARENA_SHARED_BYTES_MAX : CYCLE_ARENA_BYTES_MAX);
    enum cycle_outcome outcome = CYCLE_FATAL;
    if (cycle_group(cycle, context, error)) {
        fault_reach(cycle->parts.faults, FAULT_AFTER_DECODE);
        outcome = cycle_apply(cycle, context, error);
    }
    arena_set_cap(arena, CYCLE_ARENA_BYTES_MAX);
    return outcome;
}

static enum cycle_outcome run_once(struct cycle *cycle, struct error *error)
{
    struct run *run = &cycle->now->run;
    struct work_context context = work_context_of(cycle);
    patience_begin(&cycle->patience);
    if (!cycle_decode(cycle, error)) {
        return CYCLE_FATAL;
    }
    enum cycle_outcome outcome = apply_run(cycle, &context, error);
    if (outcome == CYCLE_WORKED) {
        fault_reach(cycle->parts.faults, FAULT_AFTER_COMMIT);
        outcome = publish_works(cycle, run, error);
    }
    if (outcome == CYCLE_WORKED) {
        fault_reach(cycle->parts.faults, FAULT_AFTER_ACKNOWLEDGEMENT);
        outcome = raise_watermark(cycle, run, error);
    }
    for (size_t i = 0; i < run->work_count; i++) {
        scene_work_finish(&run->works[i]);
    }
    if (outcome == CYCLE_AGAIN) {
        scene_cache_clear(cycle->cache); /* it may hold what was never committed, or is lost */
    }
    if (outcome == CYCLE_WORKED) {
        fault_reach(cycle->parts.faults, FAULT_AFTER_WATERMARK);
        settle_run(cycle);
        patience_note(&cycle->patience, PROGRESS_WORKING);
        relax_run(cycle);
        cycle->parts.stats->cycles++;
    }
    return outcome;
}

/* Between cycles: forgets a cache that may be untrue, and looks after store and watermark. */
static enum cycle_outcome begin_cycle(struct cycle *cycle, struct error *error)
{
    patience_begin(&cycle->patience);
    struct store *store = cycle->parts.store;
    (void)store_poll(store, store_is_ready(store) ? 0 : STORE_CONNECT_POLL_MS);
    if (cycle->cache_epoch != store_epoch(store)) {
        cycle->cache_epoch = store_epoch(store);
        scene_cache_clear(cycle->cache);
    }
    scene_cache_trim(cycle->cache);
    return outcome_of(cycle, watermark_tend(cycle->watermark), error);
}

static void log_fatal(struct cycle *cycle, const char *event, const char *reason)
{
    struct log_line line;
    log_begin(&line, cycle->parts.log, LOG_ERROR, event);
    log_text(&line, "error", reason);
    log_end(&line);
}

enum cycle_outcome cycle_run(struct cycle *cycle, int timeout_ms)
{
    struct error error = {.code = ERROR_NONE};
    enum cycle_outcome outcome = begin_cycle(cycle, &error);
    if (outcome != CYCLE_WORKED) {
        if (outcome == CYCLE_FATAL) {
            log_fatal(cycle, "cycle failed", error.message);
        }
        return outcome;
    }
    cycle_turn_over(cycle);
    size_t open_before = cycle->now->count;
    if (cycle->ahead->count == 0) { /* what is to come stands behind what was taken ahead */
        cycle_take_records(cycle, cycle->now, timeout_ms);
    }
    if (cycle->now->count > open_before) {
        patience_note(&cycle->patience, PROGRESS_WORKING);
    }
    const char *fatal = source_fatal_error(cycle->parts.source);
    if (fatal != NULL) {
        log_fatal(cycle, "kafka consumer failed for good", fatal);
        return CYCLE_FATAL;
    }
    cycle_drop_not_held(cycle, cycle->now);
    if (progress_wants_partitions(cycle->parts.progress)) {
        source_tell_partitions(cycle->parts.source, cycle->parts.progress);
    }
    if (cycle->now->count == 0) {
        patience_note(&cycle->patience,
                      store_is_ready(cycle->parts.store) ? PROGRESS_IDLE : PROGRESS_STORE_AWAY);
        return CYCLE_IDLE;
    }
    outcome = run_once(cycle, &error);
    const struct run *run = &cycle->now->run;
    bool may_shrink =
        outcome == CYCLE_FATAL && error.code == ERROR_OUT_OF_MEMORY && !run->is_published;
    bool goes_on = may_shrink && shrink_run(cycle, run);
    if (goes_on) {
        outcome = CYCLE_WORKED;
    }
    /* In all other cases the store and the sink may still have requests and letters that live in
     * the run's memory: it stays until they are gone, and the cycle after them. */
    if (outcome == CYCLE_WORKED || outcome == CYCLE_AGAIN) {
        cycle_forget_run(cycle->now);
    }
    if (outcome == CYCLE_FATAL) {
        log_fatal(cycle, "cycle failed", error.message);
    }
    return outcome;
}
