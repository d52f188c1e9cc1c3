#include "worker/cycle_internal.h"

/* A batch may be a lot of work (thousands of changes of one very large element): after so much of
 * it Kafka is polled before the next scene's. */
enum { STEP_MS_MAX = 500 };

/* Takes every scene as far as it goes without waiting; those that there is no time for are taken on
 * by the next call. */
static bool step_works(struct run *run, const struct work_context *context, struct error *error)
{
    uint64_t since_ms = clock_monotonic_ms(context->clock);
    for (size_t i = 0;
         i < run->work_count && clock_monotonic_ms(context->clock) - since_ms < STEP_MS_MAX; i++) {
        if (!scene_work_step(&run->works[i], context, error)) {
            return false;
        }
    }
    return true;
}

static size_t count_works(const struct run *run, enum work_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < run->work_count; i++) {
        count += run->works[i].state == state;
    }
    return count;
}

/* Whether all that is done rests on the connection that there is now: what was answered on an
 * earlier one may be lost by now. */
static bool is_of_one_connection(const struct run *run, uint64_t epoch)
{
    for (size_t i = 0; i < run->work_count; i++) {
        uint64_t since_epoch = run->works[i].since_epoch;
        if (since_epoch != 0 && since_epoch != epoch) {
            return false;
        }
    }
    return true;
}

/* A number that changes with every step that any work takes. */
static size_t count_steps(const struct run *run)
{
    size_t steps = 0;
    for (size_t i = 0; i < run->work_count; i++) {
        steps = steps * 31 + run->works[i].begin * (WORK_DISOWNED + 1) + run->works[i].state;
    }
    return steps;
}

/* Each request ends within redis.command_timeout_ms. */
void cycle_drain_store(struct cycle *cycle)
{
    while (store_poll(cycle->parts.store, CYCLE_STORE_POLL_MS) > 0) {
        source_service(cycle->parts.source);
    }
}

/* Notes for the records whose commits went out that nothing of them was published: the first answer
 * to them is no duplicate. */
static void note_sent(const struct run *run)
{
    for (size_t i = 0; i < run->work_count; i++) {
        const struct scene_work *work = &run->works[i];
        for (size_t k = 0; k < work->delivery_count; k++) {
            const struct delivery *delivery = work->deliveries[k];
            bool is_committed = k < work->begin && delivery->verdict == VERDICT_NEW;
            run->records[delivery - run->deliveries].was_sent = delivery->was_sent || is_committed;
        }
    }
}

/* The run begins anew in the next cycle, with what is still this worker's. */
static enum cycle_outcome repeat_run(struct cycle *cycle, const struct run *run)
{
    cycle_drain_store(cycle);
    note_sent(run);
    watermark_doubt(cycle->watermark);
    cycle->parts.stats->cycles_repeated++;
    struct log_line line;
    log_begin(&line, cycle->parts.log, LOG_INFO,
              "cycle repeated: the store's connection or the watermark changed");
    log_uint(&line, "records", run->count);
    log_end(&line);
    return CYCLE_AGAIN;
}

static bool complete_works(struct run *run, const struct work_context *context, struct error *error)
{
    for (size_t i = 0; i < run->work_count; i++) {
        if (!scene_work_complete(&run->works[i], context, error)) {
            return false;
        }
    }
    return true;
}

/* Read, decide, commit, until the store has it all. An outage of any length is waited for. */
enum cycle_outcome cycle_apply(struct cycle *cycle, struct run *run,
                               const struct work_context *context, struct error *error)
{
    struct store *store = cycle->parts.store;
    bool is_loaded = false;
    size_t steps_seen = 0;
    for (;;) {
        if (store_is_ready(store) && !step_works(run, context, error)) {
            return CYCLE_FATAL;
        }
        if (count_works(run, WORK_DISOWNED) > 0) {
            return repeat_run(cycle, run);
        }
        if (count_works(run, WORK_DONE) == run->work_count) {
            bool is_sure = is_of_one_connection(run, store_epoch(store));
            return is_sure ? CYCLE_WORKED : repeat_run(cycle, run);
        }
        /* Everything submitted goes out together; answers may come in parts. */
        (void)store_poll(store, CYCLE_STORE_POLL_MS);
        if (!complete_works(run, context, error)) {
            return CYCLE_FATAL;
        }
        size_t steps = count_steps(run);
        if (!store_is_ready(store) || steps != steps_seen) {
            steps_seen = steps;
            patience_note(&cycle->patience,
                          store_is_ready(store) ? PROGRESS_WORKING : PROGRESS_STORE_AWAY);
        }
        if (!is_loaded && count_works(run, WORK_READ) + count_works(run, WORK_READING) == 0) {
            is_loaded = true;
            fault_reach(context->faults, FAULT_AFTER_LOAD);
        }
        if (!patience_goes_on(&cycle->patience)) {
            return CYCLE_ABANDONED;
        }
    }
}
