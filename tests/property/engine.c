#include "tests/property/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/memory_store.h"
#include "tests/property/mortal_store.h"
#include "worker/cycle.h"
#include "worker/redis_options.h"

enum {
    STUCK_CYCLES_MAX = 200, /* in a row, without a record being taken */
    TROUBLED_CYCLES_MAX = 100,
    DRAIN_WAITS_MAX = 100,
    DRAIN_WAIT_MS = 1000,
    READY_POLLS_MAX = 1000,
    MESSAGE_BYTES_MAX = 1 << 20
};

struct engine {
    const struct history *history;
    struct engine_plan plan;
    struct settings settings;
    struct clock clock;
    uint64_t now_ms;
    struct doom doom;
    struct kafka *kafka;
    struct store *within, *store;
    struct log *log;
    struct stats stats;
    struct progress progress;
    struct cycle *cycle;
    struct buffer message;
    uint64_t processes, cycles, steps_before;
    bool has_died;
};

static uint64_t read_clock(void *context)
{
    return *(const uint64_t *)context;
}

static bool must_abandon(void *context)
{
    const struct engine *engine = context;
    return engine->doom.is_dead;
}

/* --- Setting up --- */

static void set(struct engine *engine, const char *name, uint64_t value)
{
    char text[32];
    struct settings_error refusal;
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    if (!settings_set(&engine->settings, name, text, "test", &refusal)) {
        (void)fprintf(stderr, "%s\n", refusal.message);
        abort();
    }
}

static void make_settings(struct engine *engine)
{
    const struct history *history = engine->history;
    const struct engine_plan *plan = &engine->plan;
    struct settings_error refusal;
    if (!settings_init(&engine->settings)) {
        abort();
    }
    set(engine, "retry.max_retries", history->retries_max);
    set(engine, "retry.initial_delay_ms", 100);
    set(engine, "store.cache_bytes", plan->has_cache ? 1 << 24 : 0);
    if (history->elements_max > 0) {
        set(engine, "limits.max_elements", history->elements_max);
    }
    if (plan->dedupe_batches_max > 0) {
        set(engine, "dedupe.max_batches", plan->dedupe_batches_max);
    }
    engine->settings.strategy = (enum strategy)history->strategy;
    engine->settings.allow_batch_strategy = history->is_strategy_fixed == 0;
    if (plan->redis_url != NULL &&
        !settings_set(&engine->settings, "redis.url", plan->redis_url, "test", &refusal)) {
        abort();
    }
    if (!settings_check(&engine->settings, &refusal)) {
        (void)fprintf(stderr, "%s\n", refusal.message);
        abort();
    }
}

static void open_store(struct engine *engine)
{
    struct redis_store_options options;
    struct error error;
    if (!redis_options_of(&engine->settings, &engine->clock, &options, &error)) {
        abort();
    }
    static struct clock machine;
    machine = clock_system();
    options.monotonic_ms = machine.monotonic_ms; /* its time-outs are real */
    options.clock_context = machine.context;
    engine->within = engine->plan.redis_url != NULL ? redis_store_create(&options)
                                                    : memory_store_create(&options.retention);
    if (engine->within == NULL) {
        abort();
    }
    for (int i = 0; i < READY_POLLS_MAX && !store_is_ready(engine->within); i++) {
        (void)store_poll(engine->within, 10);
    }
    if (engine->plan.refused_scene != NULL) {
        memory_store_set_wrong_type(engine->within, span_of_text(engine->plan.refused_scene), true);
    }
    engine->store = mortal_store_create(engine->within, &engine->doom);
}

static void start_process(struct engine *engine)
{
    struct cycle_parts parts = {
        .settings = &engine->settings,
        .clock = &engine->clock,
        .log = engine->log,
        .source = kafka_source(engine->kafka),
        .sink = kafka_sink(engine->kafka),
        .store = engine->store,
        .stats = &engine->stats,
        .progress = &engine->progress,
        .token_seed = 1000 * ++engine->processes + engine->plan.cut_seed,
        .must_abandon = must_abandon,
        .abandon_context = engine,
    };
    engine->cycle = cycle_create(&parts);
    if (engine->cycle == NULL) {
        abort();
    }
}

struct engine *engine_create(const struct history *history, const struct engine_plan *plan)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        abort();
    }
    engine->history = history;
    engine->plan = *plan;
    engine->now_ms = HISTORY_START_MS;
    engine->clock = (struct clock){
        .monotonic_ms = read_clock, .wall_ms = read_clock, .context = &engine->now_ms};
    engine->doom = (struct doom){.countdown = plan->dies_at > 0 ? plan->dies_at : UINT64_MAX,
                                 .is_after = plan->dies_after};
    buffer_init(&engine->message, MESSAGE_BYTES_MAX);
    make_settings(engine);
    engine->log = log_create(LOG_ERROR, LOG_LOGFMT, "/dev/null");
    if (engine->log == NULL || !progress_init(&engine->progress, &engine->clock)) {
        abort();
    }
    struct kafka_options options = {
        .settings = &engine->settings,
        .now_ms = &engine->now_ms,
        .is_stamped = history->is_stamped != 0,
        .is_pipelined = plan->is_pipelined,
        .cut_max = plan->cut_max,
        .cut_seed = plan->cut_seed,
        .doom = &engine->doom,
    };
    engine->kafka = kafka_create(&options);
    open_store(engine);
    start_process(engine);
    return engine;
}

/* Requests still under way point into the cycle's memory: they come to their end first. */
static void end_process(struct engine *engine)
{
    while (store_poll(engine->within, 10) > 0) {
    }
    cycle_destroy(engine->cycle);
    engine->cycle = NULL;
}

void engine_destroy(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    end_process(engine);
    store_destroy(engine->store);
    store_destroy(engine->within);
    kafka_destroy(engine->kafka);
    progress_deinit(&engine->progress);
    log_destroy(engine->log);
    settings_deinit(&engine->settings);
    buffer_deinit(&engine->message);
    free(engine);
}

/* --- Running --- */

static void make_trouble(struct engine *engine)
{
    static const enum memory_store_fault faults[] = {
        [TROUBLE_LOSE_REPLY] = MEMORY_STORE_FAULT_LOSE_REPLY,
        [TROUBLE_LOSE_REQUEST] = MEMORY_STORE_FAULT_LOSE_REQUEST,
        [TROUBLE_REFUSE] = MEMORY_STORE_FAULT_REFUSE,
    };
    const struct engine_plan *plan = &engine->plan;
    engine->cycles++;
    if (plan->trouble != TROUBLE_NONE && engine->cycles % plan->trouble_every == 0 &&
        engine->cycles < TROUBLED_CYCLES_MAX) {
        memory_store_inject(engine->within, faults[plan->trouble]);
    }
}

static bool resurrect(struct engine *engine, struct verdict *verdict)
{
    const struct engine_plan *plan = &engine->plan;
    end_process(engine);
    engine->has_died = true;
    engine->doom = (struct doom){.countdown = UINT64_MAX};
    if (plan->observe_death != NULL && !plan->observe_death(plan->observe_context, verdict)) {
        return false;
    }
    kafka_restart(engine->kafka, plan->lost_offsets);
    start_process(engine);
    return true;
}

/* Cycles until there is nothing that could be taken now. */
static bool run_cycles(struct engine *engine, struct verdict *verdict)
{
    const struct engine_plan *plan = &engine->plan;
    uint32_t stuck = 0;
    for (;;) {
        size_t settled = kafka_settled_count(engine->kafka);
        make_trouble(engine);
        enum cycle_outcome outcome = cycle_run(engine->cycle, 0);
        bool has_settled = kafka_settled_count(engine->kafka) > settled;
        stuck = has_settled ? 0 : stuck + 1;
        if (engine->doom.is_dead) {
            if (!resurrect(engine, verdict)) {
                return false;
            }
        } else if (outcome == CYCLE_ABANDONED || outcome == CYCLE_LOST || outcome == CYCLE_FATAL) {
            return verdict_fails(verdict, "the cycle ended with outcome %d", (int)outcome);
        } else if (outcome == CYCLE_IDLE && !kafka_has_records(engine->kafka)) {
            return true;
        }
        if (has_settled && plan->observe != NULL &&
            !plan->observe(plan->observe_context, verdict)) {
            return false;
        }
        if (stuck > STUCK_CYCLES_MAX) {
            return verdict_fails(verdict, "cycles turn without taking the records that there are");
        }
    }
}

static void produce(struct engine *engine, const struct step *step)
{
    const struct history *history = engine->history;
    const struct engine_plan *plan = &engine->plan;
    const struct step *sent = step->kind == STEP_SEND ? step : history_find(history, step->of);
    buffer_clear(&engine->message);
    if (sent == NULL ||
        (step->kind != STEP_SEND && plan->may_refer != NULL &&
         !plan->may_refer(plan->observe_context, step, sent)) ||
        !step_encode(history, step, &engine->message)) {
        return;
    }
    const char *scene = history_scene_id(sent->scene);
    kafka_produce(engine->kafka, (int32_t)step->partition, (int64_t)engine->now_ms + step->skew_ms,
                  span_of_text(scene), buffer_span(&engine->message));
}

static bool run_step(struct engine *engine, const struct step *step, struct verdict *verdict)
{
    switch (step->kind) {
    case STEP_SEND:
    case STEP_RESEND:
    case STEP_REUSE:
        produce(engine, step);
        break;
    case STEP_WAIT:
        if (!run_cycles(engine, verdict)) {
            return false;
        }
        engine->now_ms += step->wait_ms;
        break;
    case STEP_AGAIN:
        if (engine->plan.skips_again) {
            return true;
        }
        kafka_assign_again(engine->kafka, step->tier, (int32_t)step->partition, step->of);
        break;
    }
    return !engine->plan.is_eager || run_cycles(engine, verdict);
}

bool engine_run(struct engine *engine, struct verdict *verdict)
{
    for (uint32_t i = 0; i < engine->history->step_count; i++) {
        if (!run_step(engine, &engine->history->steps[i], verdict)) {
            return false;
        }
    }
    if (!run_cycles(engine, verdict)) {
        return false;
    }
    for (int i = 0; kafka_has_waiting(engine->kafka); i++) {
        engine->now_ms += DRAIN_WAIT_MS;
        if (i == DRAIN_WAITS_MAX) {
            return verdict_fails(verdict, "retries never come to an end");
        }
        if (!run_cycles(engine, verdict)) {
            return false;
        }
    }
    return true;
}

struct kafka *engine_kafka(struct engine *engine)
{
    return engine->kafka;
}

struct store *engine_store(struct engine *engine)
{
    return engine->within;
}

const struct settings *engine_settings(const struct engine *engine)
{
    return &engine->settings;
}

uint64_t engine_steps(const struct engine *engine)
{
    return UINT64_MAX - engine->doom.countdown;
}

bool engine_has_died(const struct engine *engine)
{
    return engine->has_died;
}

uint64_t engine_now_ms(const struct engine *engine)
{
    return engine->now_ms;
}
