#include "tests/sim/sim_world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "tests/sim/sim_break.h"

enum {
    OVERSEE_MS = 100,
    REST_MS = 3000, /* without anything open: the watermarks have been looked at since */
    RESTLESS_MS_MAX = 120000,
    STOP_MS_MAX = 120000,
    RESTART_MS_MAX = 2500,
    FINDINGS_MAX = 10,
    KINDS_USUAL = 4,
    KINDS_MAX = 30, /* drawn, some of them several times */
    SENDING_MS_MIN = 2000,
    SENDING_MS_MAX = 25000,
    RETRIES = 3,
    EMPTY_SLEEPS_MAX = 1000,
    SESSION_MS = 6000,
    REBALANCE_MS = 8000,
    MANY_RECORDS = 1000000
};

void sim_world_tell(const struct sim_world *world, const char *format, ...)
{
    if (world->plan.is_told) {
        va_list arguments;
        va_start(arguments, format);
        (void)fprintf(stderr, "[%" PRIu64 " ms] ", world->time.now_ms);
        (void)vfprintf(stderr, format, arguments);
        (void)fputc('\n', stderr);
        va_end(arguments);
    }
}

static void found(struct sim_world *world, const char *what)
{
    world->findings++;
    (void)fprintf(world->out, "at %" PRIu64 " ms: %s\n", world->time.now_ms, what);
}

/* --- Character --- */

static bool chance(struct sim_world *world, uint32_t per_mille)
{
    return dice_chance(&world->dice, per_mille);
}

static uint32_t between(struct sim_world *world, uint32_t low, uint32_t high)
{
    return (uint32_t)dice_between(&world->dice, low, high);
}

/* Mostly few kinds of faults, which meet workers that are busy; now and then many at once. What
 * the guarantees are about comes more often than the rest. */
static void draw_faults(struct sim_world *world)
{
    bool *has_fault = world->character.has_fault;
    uint32_t kinds = between(world, 1, chance(world, 700) ? KINDS_USUAL : KINDS_MAX);
    for (uint32_t i = 0; i < kinds; i++) {
        uint32_t drawn = dice_below(&world->dice, SIM_FAULT_COUNT);
        drawn = chance(world, 200) ? SIM_FAULT_LOSS : drawn;
        has_fault[chance(world, 150) ? SIM_FAULT_CRASH : drawn] = true;
    }
    /* Which of a batch's histories counts is told by its record alone: that must be there. */
    if (world->character.small_dedupe) {
        has_fault[SIM_FAULT_LOSS] = false;
    }
}

static void draw_character(struct sim_world *world)
{
    struct sim_character *character = &world->character;
    character->worker_count = between(world, 1, SIM_WORKERS_MAX);
    character->partition_count = (int32_t)between(world, 1, 6);
    character->scene_count = between(world, 8, chance(world, 500) ? 12 : 120);
    character->burst_max = between(world, 1, 60);
    uint32_t bursts = 1 + 2 * world->plan.batch_count / (character->burst_max + 1);
    character->burst_pause_ms = 1 + 2 * between(world, SENDING_MS_MIN, SENDING_MS_MAX) / bursts;
    character->fault_pause_ms = between(world, 20, chance(world, 300) ? 4000 : 400);
    character->small_dedupe = chance(world, 200);
    if (!world->plan.without_faults) {
        draw_faults(world);
    }
}

static void draw_settings(struct sim_world *world)
{
    static const uint64_t cache_bytes[] = {0, 65536, 64 << 20};
    struct settings *settings = &world->settings;
    bool is_good = settings_init(settings);
    assert(is_good);
    (void)is_good;
    settings->strategy =
        (enum strategy)between(world, STRATEGY_LAST_WRITE_WINS, STRATEGY_REMOTE_WINS);
    settings->allow_batch_strategy = true;
    settings->retry_retries_max = RETRIES;
    settings->retry_initial_delay_ms = between(world, 10, 300);
    settings->retry_delay_max_ms = between(world, 300, 3000);
    settings->limits.message_bytes_max = SOAK_MESSAGE_BYTES_MAX;
    settings->limits.element_bytes_max = SOAK_ELEMENT_BYTES_MAX;
    settings->limits.elements_max = SOAK_ELEMENTS_MAX;
    settings->limits.operations_max = SOAK_OPERATIONS_MAX;
    settings->dedupe_batches_max = world->character.small_dedupe ? 4 : MANY_RECORDS;
    settings->dedupe_bytes_max = UINT64_C(1) << 40;
    settings->store_cache_bytes = cache_bytes[between(world, 0, 2)];
    settings->drain_timeout_ms = between(world, 100, 10000);
}

/* --- Making it --- */

static void make_kafka(struct sim_world *world)
{
    const struct sim_kafka_options options = {
        .partition_count = world->character.partition_count,
        .retries_max = RETRIES,
        /* When a batch arrived by a worker's clock is told by its record alone. */
        .log_append_time = chance(world, 700) || world->character.small_dedupe,
        .cooperative = chance(world, 500),
        .latency_ms_max = between(world, 1, 20),
        .session_ms = SESSION_MS,
        .rebalance_ms = REBALANCE_MS,
        .auto_commit = sim_break_is(SIM_BREAK_AUTO_COMMIT),
    };
    const struct sim_kafka_watch watch = {
        .context = world->watch, .appended = sim_watch_appended, .committed = sim_watch_offset};
    world->kafka = sim_kafka_create(&world->time, &world->dice, &options, &watch);
}

static void make_redis(struct sim_world *world)
{
    const struct settings *settings = &world->settings;
    const struct sim_redis_options options = {
        .retention = {.dedupe_batches_max = settings->dedupe_batches_max,
                      .dedupe_bytes_max = settings->dedupe_bytes_max,
                      .dedupe_window_ms = settings->dedupe_window_ms,
                      .tombstones_max = settings->tombstones_max,
                      .tombstone_retention_ms = settings->tombstone_retention_ms},
        .latency_ms_max = between(world, 0, 10),
        .timeout_ms = settings->redis_command_timeout_ms,
        .backoff_ms_max = between(world, 1, 500),
        .is_unchecked = sim_break_is(SIM_BREAK_CHECK),
    };
    const struct sim_redis_watch watch = {.context = world->watch, .committed = sim_watch_commit};
    world->redis = sim_redis_create(&world->time, &world->dice, &options, &watch);
}

static struct ledger_config ledger_config_of(const struct sim_world *world)
{
    return (struct ledger_config){
        .retries_max = RETRIES,
        .strategy = strategy_name(world->settings.strategy),
        .allow_batch_strategy = true,
        .lost_writes = world->has_lost,
        .records_are_kept = !world->character.small_dedupe,
        .elements_max = SOAK_ELEMENTS_MAX,
        .element_bytes_max = SOAK_ELEMENT_BYTES_MAX,
        .message_bytes_max = SOAK_MESSAGE_BYTES_MAX,
        .operations_max = SOAK_OPERATIONS_MAX,
    };
}

static void make_watch(struct sim_world *world)
{
    struct model_settings settings = model_settings_default();
    settings.retries_max = RETRIES;
    settings.allow_batch_strategy = true;
    settings.message_bytes_max = SOAK_MESSAGE_BYTES_MAX;
    settings.element_bytes_max = SOAK_ELEMENT_BYTES_MAX;
    settings.elements_max = SOAK_ELEMENTS_MAX;
    settings.operations_max = SOAK_OPERATIONS_MAX;
    world->watch = sim_watch_create(&world->time, &settings, world->out);
}

static struct sim_world *make_world(const struct sim_plan *plan, FILE *out)
{
    struct sim_world *world = calloc(1, sizeof *world);
    assert(world != NULL);
    world->plan = *plan;
    world->out = out;
    world->dice = dice_make(plan->seed, 2);
    sim_time_init(&world->time);
    draw_character(world);
    draw_settings(world);
    make_watch(world);
    make_kafka(world);
    make_redis(world);
    world->log = log_create(plan->is_told ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT,
                            plan->is_told ? NULL : "/dev/null");
    assert(world->log != NULL);
    const struct soak_batches_options batches = {
        .seed = plan->seed,
        .scene_count = world->character.scene_count,
        .partition_count = world->character.partition_count,
    };
    world->batches = soak_batches_create(&batches);
    return world;
}

static void destroy_world(struct sim_world *world)
{
    soak_batches_destroy(world->batches);
    sim_redis_destroy(world->redis);
    sim_kafka_destroy(world->kafka);
    sim_watch_destroy(world->watch);
    settings_deinit(&world->settings);
    log_destroy(world->log);
    sim_time_deinit(&world->time);
    free(world);
}

/* --- Workers --- */

static void start_now(void *context)
{
    const struct sim_start *start = context;
    struct sim_world *world = start->world;
    if (world->workers[start->number] == NULL && !world->is_over) {
        const struct sim_worker_options options = {
            .number = start->number,
            .time = &world->time,
            .dice = &world->dice,
            .kafka = world->kafka,
            .redis = world->redis,
            .settings = &world->settings,
            .log = world->log,
            .wall_skew_ms = world->wall_skew_ms[start->number],
        };
        sim_world_tell(world, "worker %u starts", start->number);
        world->workers[start->number] = sim_worker_start(&options);
    }
}

void sim_world_start_worker(struct sim_world *world, unsigned number, uint64_t at_ms)
{
    world->starts[number] = (struct sim_start){.world = world, .number = number};
    sim_time_plan(&world->time, at_ms, start_now, &world->starts[number]);
}

void sim_stats_add(struct stats *sum, const struct stats *stats)
{
    sum->batches_applied += stats->batches_applied;
    sum->batches_redelivered += stats->batches_redelivered;
    sum->batches_resent += stats->batches_resent;
    sum->batches_stale += stats->batches_stale;
    sum->batches_refused += stats->batches_refused;
    sum->commit_races += stats->commit_races;
    sum->cycles += stats->cycles;
    sum->cycles_repeated += stats->cycles_repeated;
    sum->lost_writes += stats->lost_writes;
    sum->records_replayed += stats->records_replayed;
}

/* A worker has ended: it was told to, or killed; else it gave up, which it has no reason to. */
static void take_end(struct sim_world *world, struct sim_worker *worker)
{
    unsigned number = worker->options.number;
    sim_world_tell(world, "worker %u has ended", number);
    if (!worker->process.is_dead &&
        (worker->outcome == CYCLE_FATAL || worker->outcome == CYCLE_LOST)) {
        found(world, "a worker gave up");
    }
    sim_stats_add(&world->stats, &worker->stats);
    sim_worker_end(worker);
    world->workers[number] = NULL;
    if (!world->is_over) {
        sim_world_start_worker(world, number,
                               world->time.now_ms + dice_below(&world->dice, RESTART_MS_MAX));
    }
}

/* One of the workers that have something to do, if there is one. */
static struct sim_worker *choose_due(struct sim_world *world)
{
    struct sim_worker *due[SIM_WORKERS_MAX];
    uint32_t count = 0;
    for (size_t i = 0; i < SIM_WORKERS_MAX; i++) {
        if (world->workers[i] != NULL && sim_process_is_due(&world->workers[i]->process)) {
            due[count++] = world->workers[i];
        }
    }
    return count == 0 ? NULL : due[count == 1 ? 0 : dice_below(&world->dice, count)];
}

static uint64_t next_ms(const struct sim_world *world)
{
    uint64_t at_ms = sim_time_next_ms(&world->time);
    for (size_t i = 0; i < SIM_WORKERS_MAX; i++) {
        if (world->workers[i] != NULL) {
            uint64_t due_ms = sim_process_due_ms(&world->workers[i]->process);
            at_ms = due_ms < at_ms ? due_ms : at_ms;
        }
    }
    return at_ms;
}

/* --- Clients --- */

static void send_one(struct sim_world *world)
{
    int64_t now_ms = (int64_t)SIM_START_S * 1000 + (int64_t)world->time.now_ms;
    struct soak_batch batch = soak_batches_next(world->batches, now_ms);
    sim_kafka_send(world->kafka, "scene.ops", batch.partition, batch.key, batch.value, now_ms,
                   batch.has_header ? "client" : NULL);
    world->batches_sent++;
    world->operations_sent += batch.operation_count;
}

static void send_burst(void *context)
{
    struct sim_world *world = context;
    uint32_t count = between(world, 1, world->character.burst_max);
    for (uint32_t i = 0; i < count && world->batches_sent < world->plan.batch_count; i++) {
        send_one(world);
    }
    if (world->batches_sent < world->plan.batch_count) {
        uint32_t pause_ms = between(world, 1, world->character.burst_pause_ms);
        sim_time_plan(&world->time, world->time.now_ms + pause_ms, send_burst, world);
    }
}

/* --- The course of it --- */

static void mend(struct sim_world *world)
{
    sim_world_tell(world, "all is mended");
    world->is_mended = true;
    world->mended_ms = world->restless_ms = world->time.now_ms;
    sim_kafka_mend(world->kafka);
    sim_redis_mend(world->redis);
    for (size_t i = 0; i < SIM_WORKERS_MAX; i++) {
        if (world->workers[i] != NULL) {
            world->workers[i]->process.stopped_until_ms = 0;
            world->workers[i]->process.cut_until_ms = 0;
            world->workers[i]->process.crash_in = 0;
        }
    }
}

static void oversee(void *context)
{
    struct sim_world *world = context;
    uint64_t now_ms = world->time.now_ms;
    bool is_consumed = sim_kafka_is_consumed(world->kafka);
    if (!world->is_mended && world->batches_sent == world->plan.batch_count) {
        mend(world);
    }
    if (!is_consumed) {
        world->restless_ms = now_ms;
    }
    if (world->is_mended && now_ms - world->restless_ms >= REST_MS) {
        world->is_over = true;
    } else if (world->is_mended && now_ms - world->mended_ms >= RESTLESS_MS_MAX) {
        found(world, "it does not come to rest");
        sim_kafka_print_rest(world->kafka, world->out);
        world->is_over = true;
    }
    if (!world->is_over) {
        sim_time_plan(&world->time, now_ms + OVERSEE_MS, oversee, world);
    }
}

/* The next step: of a worker, or of time. */
static void step(struct sim_world *world)
{
    struct sim_worker *worker = choose_due(world);
    if (worker == NULL) {
        sim_time_advance(&world->time, next_ms(world));
        return;
    }
    sim_process_resume(&worker->process);
    if (worker->process.empty_sleeps >= EMPTY_SLEEPS_MAX) {
        found(world, "a worker spins: it sleeps for no time, again and again");
        worker->process.empty_sleeps = 0;
    }
    if (sim_worker_has_ended(worker)) {
        take_end(world, worker);
    }
}

static bool is_any_running(const struct sim_world *world)
{
    bool is_any = false;
    for (size_t i = 0; i < SIM_WORKERS_MAX; i++) {
        is_any = is_any || world->workers[i] != NULL;
    }
    return is_any;
}

/* SIGTERM to all; who does not end is killed, and that is a finding. */
static void stop_workers(struct sim_world *world)
{
    uint64_t until_ms = world->time.now_ms + STOP_MS_MAX;
    for (size_t i = 0; i < SIM_WORKERS_MAX; i++) {
        if (world->workers[i] != NULL) {
            sim_worker_stop(world->workers[i]);
        }
    }
    while (is_any_running(world)) {
        if (world->time.now_ms >= until_ms) {
            found(world, "a worker does not end when it is told to");
            for (size_t i = 0; i < SIM_WORKERS_MAX; i++) {
                if (world->workers[i] != NULL) {
                    sim_process_kill(&world->workers[i]->process);
                }
            }
            until_ms = UINT64_MAX;
        }
        step(world);
    }
}

static void ask_ledger(struct sim_world *world)
{
    const struct ledger_config config = ledger_config_of(world);
    struct ledger *ledger = ledger_create(&config);
    struct ledger_counts counts;
    sim_kafka_tell(world->kafka, ledger);
    sim_redis_tell(world->redis, ledger);
    if (!ledger_check(ledger, world->out, FINDINGS_MAX, &counts)) {
        world->findings++;
    }
    if (world->plan.is_told) {
        ledger_print(&counts, stderr);
    }
    ledger_destroy(ledger);
}

struct sim_outcome sim_world_run(const struct sim_plan *plan, FILE *out)
{
    struct sim_world *world = make_world(plan, out);
    for (unsigned i = 0; i < world->character.worker_count; i++) {
        sim_world_start_worker(world, i, world->time.now_ms + between(world, 0, 500));
    }
    sim_time_plan(&world->time, world->time.now_ms, send_burst, world);
    sim_time_plan(&world->time, world->time.now_ms + OVERSEE_MS, oversee, world);
    sim_faults_start(world);
    while (!world->is_over) {
        step(world);
    }
    stop_workers(world);
    ask_ledger(world);
    struct sim_outcome outcome = {
        .is_good = world->findings == 0 && sim_watch_findings(world->watch) == 0,
        .operations = world->operations_sent,
        .records = sim_kafka_record_count(world->kafka),
        .virtual_ms = world->time.now_ms,
        .digest = sim_kafka_digest(world->kafka),
        .stats = world->stats,
    };
    memcpy(outcome.faults, world->faults, sizeof outcome.faults);
    destroy_world(world);
    return outcome;
}
