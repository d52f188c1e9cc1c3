#include "worker/cycle_internal.h"

/* A batch may be a lot of work (thousands of changes of one very large element): after so much of
 * it Kafka is polled before the next scene's. */
enum {
    STEP_MS_MAX = 500,
    /* Scenes that are under way at a time: enough to keep the store busy, few enough to bound what
     * waits to be sent. */
    ACTIVE_WORKS_MAX = 192,
    /* Scenes that are begun in a row before what they ask is sent: the store starts on them. */
    STARTS_PER_TURN = 16
};

/* What is so of the scenes under way. */
struct turn {
    size_t active;    /* begun and not done */
    bool is_reading;  /* one of them is not read yet */
    bool is_disowned; /* the run has to begin anew */
    bool has_changed; /* one of them got further */
};

/* Takes what the store has answered. */
static bool complete_works(struct run *run, const struct work_context *context, struct turn *turn,
                           struct error *error)
{
    *turn = (struct turn){.active = 0};
    for (size_t i = run->first_open; i < run->started; i++) {
        struct scene_work *work = &run->works[i];
        enum work_state before = work->state;
        if (!scene_work_complete(work, context, error)) {
            return false;
        }
        turn->has_changed = turn->has_changed || work->state != before;
        turn->is_disowned = turn->is_disowned || work->state == WORK_DISOWNED;
        turn->is_reading =
            turn->is_reading || work->state == WORK_READ || work->state == WORK_READING;
        turn->active += work->state != WORK_DONE;
        if (turn->active == 0) {
            run->first_open = i + 1;
        }
    }
    return true;
}

/* Takes the scenes under way as far as they go without waiting, and begins some more. Those that
 * there is no time for are taken on by the next turn. */
static bool step_works(struct run *run, const struct work_context *context, struct turn *turn,
                       struct error *error)
{
    uint64_t since_ms = clock_monotonic_ms(context->clock);
    size_t starts = 0;
    for (size_t i = run->first_open; i < run->work_count; i++) {
        struct scene_work *work = &run->works[i];
        bool is_new = i >= run->started;
        if (is_new && (starts == STARTS_PER_TURN || turn->active >= ACTIVE_WORKS_MAX)) {
            break;
        }
        if (work->state == WORK_READING || work->state == WORK_COMMITTING ||
            work->state == WORK_DONE) {
            continue;
        }
        if (clock_monotonic_ms(context->clock) - since_ms >= STEP_MS_MAX) {
            break;
        }
        if (!scene_work_step(work, context, error)) {
            return false;
        }
        starts += is_new;
        run->started += is_new;
        turn->active += is_new;
        turn->active -= work->state == WORK_DONE; /* nothing was to be written */
        turn->has_changed = true;
    }
    return true;
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

/* Each request ends within redis.command_timeout_ms. */
void cycle_drain_store(struct cycle *cycle)
{
    while (store_poll(cycle->parts.store, CYCLE_STORE_POLL_MS) > 0) {
        source_service(cycle->parts.source);
    }
}

void cycle_note_sent(const struct run *run)
{
    for (size_t i = 0; i < run->work_count; i++) {
        const struct scene_work *work = &run->works[i];
        for (size_t k = 0; k < work->delivery_count; k++) {
            const struct delivery *delivery = work->deliveries[k];
            struct record *record = &run->records[delivery - run->deliveries];
            bool is_committed = k < work->begin;
            record->was_sent =
                delivery->was_sent || (is_committed && delivery->verdict == VERDICT_NEW);
            record->was_refused =
                delivery->was_refused || (is_committed && delivery->verdict == VERDICT_REUSED);
        }
    }
}

void cycle_note_repeated(struct cycle *cycle)
{
    cycle->parts.stats->cycles_repeated++;
    struct log_line line;
    log_begin(&line, cycle->parts.log, LOG_INFO,
              "cycle repeated: the store's connection or the watermark changed");
    log_uint(&line, "records", cycle->now->run.count);
    log_end(&line);
}

/* The run begins anew in the next cycle, with what is still this worker's. */
static enum cycle_outcome repeat_run(struct cycle *cycle)
{
    cycle_drain_store(cycle);
    cycle_note_sent(&cycle->now->run);
    watermark_doubt(cycle->watermark);
    cycle_note_repeated(cycle);
    return CYCLE_AGAIN;
}

/* Sends what was asked, and waits for answers where there is nothing else to do meanwhile. */
static void exchange(struct cycle *cycle, const struct run *run, const struct turn *turn)
{
    bool is_ready = store_is_ready(cycle->parts.store);
    bool can_start = run->started < run->work_count && turn->active < ACTIVE_WORKS_MAX;
    bool is_busy = is_ready && (turn->active == 0 || can_start || cycle_work_ahead(cycle));
    (void)store_poll(cycle->parts.store, is_busy ? 0 : CYCLE_STORE_POLL_MS);
}

/* Read, decide, commit, until the store has it all. An outage of any length is waited for. */
enum cycle_outcome cycle_apply(struct cycle *cycle, const struct work_context *context,
                               struct error *error)
{
    struct run *run = &cycle->now->run;
    struct store *store = cycle->parts.store;
    bool is_loaded = false;
    for (;;) {
        struct turn turn;
        if (!complete_works(run, context, &turn, error)) {
            return CYCLE_FATAL;
        }
        if (turn.is_disowned) {
            return repeat_run(cycle);
        }
        if (!is_loaded && run->started == run->work_count && !turn.is_reading) {
            is_loaded = true;
            fault_reach(context->faults, FAULT_AFTER_LOAD);
        }
        if (run->first_open == run->work_count) {
            bool is_sure = is_of_one_connection(run, store_epoch(store));
            return is_sure ? CYCLE_WORKED : repeat_run(cycle);
        }
        if (store_is_ready(store) && !step_works(run, context, &turn, error)) {
            return CYCLE_FATAL;
        }
        exchange(cycle, run, &turn);
        if (!store_is_ready(store) || turn.has_changed) {
            patience_note(&cycle->patience,
                          store_is_ready(store) ? PROGRESS_WORKING : PROGRESS_STORE_AWAY);
        }
        if (!patience_goes_on(&cycle->patience)) {
            return CYCLE_ABANDONED;
        }
    }
}
