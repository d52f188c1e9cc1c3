/**
 * The worker's own cycle, worker/cycle.c and everything below it, over a workload's records, with
 * stand-ins for what is outside: Kafka's client (bench_source.c, bench_sink.c), Redis
 * (bench_store.c) and time, which stands still. So it does the same every time, to the instruction.
 *
 * After the warm-up callgrind is told to count (collect.h). The last line says how much was done
 * then. It ends with 1 where the worker did not do what the workload asks for: a number for work
 * that failed means nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/instructions/bench_sink.h"
#include "tests/bench/instructions/bench_source.h"
#include "tests/bench/instructions/bench_store.h"
#include "tests/bench/instructions/collect.h"
#include "worker/cycle.h"
#include "worker/redis_options.h"

enum { EXIT_USAGE = 64, IDLE_CYCLES_MAX = 10 };

static const uint64_t now_ms = 1767225600000; /* 2026-01-01 */
static const uint64_t start_ms = 1767139200000;
static const uint64_t seed = 20260101;

/**
 * How a workload is run. Fewer scenes than on a real server (workload.h): as many as make a cycle
 * mostly meet different ones, few enough to get all of them into the cache during the warm-up.
 */
struct plan {
    const char *workload;
    uint32_t scenes, cycle_records;
    size_t warmup, batches;
};

static const struct plan plans[] = {
    {"uniform", 128, 64, 1280, 640},   {"drag", 128, 64, 1280, 640},
    {"single", 512, 256, 12800, 5120}, {"hot", 1, 64, 256, 1024},
    {"cold", 1280, 64, 640, 640},      {"conflict", 128, 64, 1280, 640},
    {"large", 50, 16, 500, 500},
};

enum { PLAN_COUNT = sizeof plans / sizeof plans[0] };

static const char help[] =
    "Usage: bench_cycle [--workload NAME] [options]\n\n"
    "Runs the worker's cycle over a workload's batches, in memory, with no Kafka and no Redis.\n"
    "Under valgrind --tool=callgrind --instr-atstart=no --collect-atstart=no it counts the\n"
    "instructions of the batches after the warm-up; tests/bench/instructions/check does that.\n\n"
    "  --workload NAME  uniform (default), drag, single, hot, cold, conflict, large\n"
    "  --batches N      batches that are counted\n"
    "  --warmup N       batches before them\n"
    "  --cycle N        records that a cycle takes, at most\n"
    "  --scenes N       scenes that there are\n"
    "  --help           print this\n";

struct bench {
    struct plan plan;
    struct workload_sizes sizes;
    struct workload *workload;
    struct settings settings;
    struct clock clock;
    struct log *log;
    struct record_source *source;
    struct sink *sink;
    struct store *store;
    struct stats stats;
    struct progress progress;
    bool has_settings, has_progress;
    struct cycle *cycle;
};

static uint64_t read_standing_clock(void *context)
{
    (void)context;
    return now_ms;
}

static bool must_abandon(void *context)
{
    (void)context;
    return false;
}

static bool fail(const char *what)
{
    (void)fprintf(stderr, "bench_cycle: %s\n", what);
    return false;
}

/* ---- The command line ---- */

static const struct plan *find_plan(const char *name)
{
    for (size_t i = 0; i < PLAN_COUNT; i++) {
        if (strcmp(plans[i].workload, name) == 0) {
            return &plans[i];
        }
    }
    return NULL;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *out)
{
    char *end = NULL;
    *out = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && *out <= max;
}

/** Takes one option. False: there is no such, or its value is out of range. */
static bool take_option(struct plan *plan, const char *name, const char *value)
{
    unsigned long number = 0;
    if (strcmp(name, "--workload") == 0) {
        const struct plan *found = find_plan(value);
        if (found != NULL) {
            *plan = *found;
        }
        return found != NULL;
    }
    if (!parse_number(value, 10000000, &number)) {
        return false;
    }
    if (strcmp(name, "--warmup") == 0) {
        plan->warmup = number;
        return true;
    }
    if (number == 0) {
        return false;
    }
    if (strcmp(name, "--batches") == 0) {
        plan->batches = number;
    } else if (strcmp(name, "--cycle") == 0) {
        plan->cycle_records = (uint32_t)number;
    } else if (strcmp(name, "--scenes") == 0) {
        plan->scenes = (uint32_t)number;
    } else {
        return false;
    }
    return true;
}

/* ---- Setting up ---- */

static bool open_outside(struct bench *bench)
{
    struct redis_store_options options;
    struct settings_error refusal;
    struct error error;
    bench->has_settings = settings_init(&bench->settings);
    if (!bench->has_settings || !settings_check(&bench->settings, &refusal)) {
        return fail("the default settings cannot be used");
    }
    bench->log = log_create(bench->settings.log_level, bench->settings.log_format, NULL);
    bench->source = bench_source_create(&bench->settings, now_ms);
    bench->sink = bench_sink_create();
    if (!redis_options_of(&bench->settings, &bench->clock, &options, &error)) {
        return fail(error.message);
    }
    bench->store = bench_store_create(&options);
    bench->has_progress = progress_init(&bench->progress, &bench->clock);
    return (bench->log != NULL && bench->source != NULL && bench->sink != NULL &&
            bench->store != NULL && bench->has_progress) ||
           fail("out of memory");
}

static bool open_workload(struct bench *bench)
{
    if (!workload_sizes_of(bench->plan.workload, &bench->sizes)) {
        return fail("no such workload");
    }
    bench->sizes.scenes = bench->plan.scenes;
    bench->workload = workload_create(bench->plan.workload, &bench->sizes, seed, start_ms);
    if (bench->workload == NULL) {
        return fail("out of memory for the workload");
    }
    for (uint32_t i = 0; i < bench->sizes.scenes; i++) {
        if (!bench_store_seed(bench->store, bench->workload, &bench->sizes, i, (int64_t)start_ms)) {
            return fail("out of memory for the scenes");
        }
    }
    return bench_source_fill(bench->source, bench->workload,
                             bench->plan.warmup + bench->plan.batches) ||
           fail("out of memory for the batches");
}

static bool open_cycle(struct bench *bench)
{
    struct cycle_parts parts = {
        .settings = &bench->settings,
        .clock = &bench->clock,
        .log = bench->log,
        .source = bench->source,
        .sink = bench->sink,
        .store = bench->store,
        .stats = &bench->stats,
        .progress = &bench->progress,
        .token_seed = seed,
        .must_abandon = must_abandon,
    };
    bench->cycle = cycle_create(&parts);
    return bench->cycle != NULL || fail("out of memory for the cycle");
}

static void bench_close(struct bench *bench)
{
    store_destroy(bench->store);
    cycle_destroy(bench->cycle);
    bench_sink_destroy(bench->sink);
    bench_source_destroy(bench->source);
    workload_destroy(bench->workload);
    if (bench->has_progress) {
        progress_deinit(&bench->progress);
    }
    if (bench->log != NULL) {
        log_destroy(bench->log);
    }
    if (bench->has_settings) {
        settings_deinit(&bench->settings);
    }
}

/* ---- Running ---- */

/** Runs cycles until the first `record_count` records are settled. */
static bool run_until(struct bench *bench, size_t record_count)
{
    bench_source_allow(bench->source, record_count, bench->plan.cycle_records);
    size_t idle_cycles = 0;
    while (bench_source_settled(bench->source) < record_count) {
        enum cycle_outcome outcome = cycle_run(bench->cycle, 0);
        idle_cycles = outcome == CYCLE_IDLE ? idle_cycles + 1 : 0;
        if ((outcome != CYCLE_WORKED && outcome != CYCLE_IDLE) || idle_cycles > IDLE_CYCLES_MAX) {
            return fail("the cycle does not go on");
        }
    }
    return true;
}

/** Whether the worker did what the workload asks for. Stale updates lose, so some of them fail. */
static bool is_as_asked(const struct bench *bench)
{
    const struct stats *stats = &bench->stats;
    size_t batches = bench->plan.warmup + bench->plan.batches;
    uint64_t operations = bench_source_operations(bench->source);
    bool is_whole =
        stats->records == batches && stats->batches_applied == batches &&
        stats->results == batches && stats_requeues(stats) == 0 && stats_dead_letters(stats) == 0 &&
        stats_operations(stats, OPERATION_REQUEUED) == 0 && stats->cycles_repeated == 0 &&
        stats->commit_races == 0 && stats->keys_differing == 0 &&
        stats_operations(stats, OPERATION_SYNCED) + stats_operations(stats, OPERATION_FAILED) ==
            operations &&
        bench_sink_messages(bench->sink) == batches;
    if (!is_whole) {
        (void)fprintf(stderr,
                      "bench_cycle: records %" PRIu64 ", applied %" PRIu64 ", results %" PRIu64
                      ", requeues %" PRIu64 ", dead letters %" PRIu64 ", synced %" PRIu64
                      ", failed %" PRIu64 ", pending %" PRIu64 ", of %zu batches with %" PRIu64
                      " operations\n",
                      stats->records, stats->batches_applied, stats->results, stats_requeues(stats),
                      stats_dead_letters(stats), stats_operations(stats, OPERATION_SYNCED),
                      stats_operations(stats, OPERATION_FAILED),
                      stats_operations(stats, OPERATION_REQUEUED), batches, operations);
    }
    return is_whole;
}

struct totals {
    uint64_t operations, failed, conflicts, cycles, commits, command_bytes, reply_bytes, sent_bytes;
};

static struct totals totals_of(const struct bench *bench)
{
    return (struct totals){.operations = bench_source_operations(bench->source),
                           .failed = stats_operations(&bench->stats, OPERATION_FAILED),
                           .conflicts = stats_conflicts(&bench->stats),
                           .cycles = bench->stats.cycles,
                           .commits = bench->stats.commits,
                           .command_bytes = bench_store_command_bytes(bench->store),
                           .reply_bytes = bench_store_reply_bytes(bench->store),
                           .sent_bytes = bench_sink_bytes(bench->sink)};
}

static void print_totals(const struct bench *bench, const struct totals *before)
{
    struct totals now = totals_of(bench);
    (void)printf("workload=%s batches=%zu operations=%" PRIu64 " failed=%" PRIu64
                 " conflicts=%" PRIu64 " cycles=%" PRIu64 " commits=%" PRIu64
                 " command_bytes=%" PRIu64 " reply_bytes=%" PRIu64 " sent_bytes=%" PRIu64 "\n",
                 bench->plan.workload, bench->plan.batches, now.operations - before->operations,
                 now.failed - before->failed, now.conflicts - before->conflicts,
                 now.cycles - before->cycles, now.commits - before->commits,
                 now.command_bytes - before->command_bytes, now.reply_bytes - before->reply_bytes,
                 now.sent_bytes - before->sent_bytes);
}

static bool run(struct bench *bench)
{
    if (!open_outside(bench) || !open_workload(bench) || !open_cycle(bench) ||
        !run_until(bench, bench->plan.warmup)) {
        return false;
    }
    struct totals before = totals_of(bench);
    collect_start();
    bool is_run = run_until(bench, bench->plan.warmup + bench->plan.batches);
    collect_stop();
    if (!is_run || !is_as_asked(bench)) {
        return false;
    }
    print_totals(bench, &before);
    return true;
}

int main(int argc, char **argv)
{
    struct bench bench = {
        .plan = plans[0],
        .clock = {.monotonic_ms = read_standing_clock, .wall_ms = read_standing_clock}};
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        if (i + 1 >= argc || !take_option(&bench.plan, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "bench_cycle: %s: not understood; see --help\n", argv[i]);
            return EXIT_USAGE;
        }
    }
    if (!collect_is_built_in()) {
        (void)fputs("bench_cycle: built without valgrind/callgrind.h, nothing is counted\n",
                    stderr);
    }
    bool is_good = run(&bench);
    bench_close(&bench);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
