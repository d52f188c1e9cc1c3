#include "tests/sim/sim_worker.h"

#include <assert.h>
#include <stdlib.h>

#include "worker/source_internal.h"

enum {
    IDLE_POLL_MS = 200, /* as command_worker.c has it */
    POINT_US = 30,
    DELAYED_PER_MILLE = 3, /* at a fault point */
    DELAY_MS_MAX = 400,
    MESSAGE_BYTES = 512
};

/* A fault point: the process may die here, or be slow. */
static void reach(void *context, enum fault_point point)
{
    struct sim_process *process = context;
    (void)point;
    if (process->is_dead) {
        return;
    }
    if (process->crash_in > 0) {
        process->crash_in--;
        if (process->crash_in == 0) {
            sim_process_kill(process);
            return;
        }
    }
    bool is_delayed = dice_chance(process->dice, DELAYED_PER_MILLE);
    uint64_t delay_ms = is_delayed ? dice_below(process->dice, DELAY_MS_MAX) : 0;
    sim_process_spend(process, POINT_US + delay_ms * 1000);
}

static bool must_abandon(void *context)
{
    struct sim_worker *worker = context;
    uint64_t now_ms = sim_process_now_ms(&worker->process);
    if (worker->must_stop && worker->drain_since_ms == 0) {
        worker->drain_since_ms = now_ms;
    }
    return worker->process.is_dead ||
           (worker->must_stop &&
            now_ms - worker->drain_since_ms >= worker->options.settings->drain_timeout_ms);
}

static void run_cycles(struct sim_worker *worker, struct cycle *cycle)
{
    do {
        worker->outcome = cycle_run(cycle, IDLE_POLL_MS);
    } while (!worker->must_stop && !worker->process.is_dead &&
             (worker->outcome == CYCLE_WORKED || worker->outcome == CYCLE_IDLE ||
              worker->outcome == CYCLE_AGAIN));
}

/* What worker_open(), run() and worker_close() do in command_worker.c. */
static void run(void *context)
{
    struct sim_worker *worker = context;
    const struct sim_worker_options *options = &worker->options;
    const struct clock clock = sim_process_clock(&worker->process);
    char message[MESSAGE_BYTES];
    struct sink *sink =
        sink_create(options->settings, &clock, options->log, message, sizeof message);
    struct record_source *source =
        source_create(options->settings, &clock, options->log, message, sizeof message);
    assert(sink != NULL && source != NULL);
    source_set_faults(source, &worker->faults);
    struct store *store = sim_redis_connect(options->redis, &worker->process);
    bool has_progress = progress_init(&worker->progress, &clock);
    const struct cycle_parts parts = {
        .settings = options->settings,
        .clock = &clock,
        .log = options->log,
        .source = source,
        .sink = sink,
        .store = store,
        .stats = &worker->stats,
        .progress = &worker->progress,
        .token_seed = dice_throw(options->dice),
        .faults = &worker->faults,
        .must_abandon = must_abandon,
        .abandon_context = worker,
    };
    struct cycle *cycle = cycle_create(&parts);
    assert(cycle != NULL && has_progress);
    (void)has_progress;
    run_cycles(worker, cycle);
    sink_destroy(sink);
    store_destroy(store);
    cycle_destroy(cycle);
    source_destroy(source);
    if (sim_kafka_end_process(options->kafka, &worker->process)) {
        /* Kafka did not let the consumer go in time: what the source left to the end of the
         * process. */
        assignment_deinit(&source->assignment);
        buffer_deinit(&source->committed_text);
        free(source);
    }
    progress_deinit(&worker->progress);
}

struct sim_worker *sim_worker_start(const struct sim_worker_options *options)
{
    struct sim_worker *worker = calloc(1, sizeof *worker);
    assert(worker != NULL);
    worker->options = *options;
    worker->process = (struct sim_process){
        .number = options->number,
        .time = options->time,
        .dice = options->dice,
        .kafka = options->kafka,
        .wall_skew_ms = options->wall_skew_ms,
    };
    worker->process.fiber = sim_fiber_create(run, worker);
    worker->faults = (struct fault_hook){.reach = reach, .context = &worker->process};
    return worker;
}

bool sim_worker_has_ended(const struct sim_worker *worker)
{
    return sim_fiber_has_ended(worker->process.fiber);
}

void sim_worker_end(struct sim_worker *worker)
{
    sim_fiber_destroy(worker->process.fiber);
    free(worker);
}

void sim_worker_stop(struct sim_worker *worker)
{
    worker->must_stop = true;
    sim_process_wake(&worker->process, worker->process.time->now_ms);
}
