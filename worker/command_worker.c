/*
 * `scenesync worker`: puts the parts together, runs cycles until a signal, drains.
 */
#include <errno.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/commands.h"
#include "worker/cycle.h"
#include "worker/interrupt.h"
#include "worker/metrics.h"
#include "worker/observatory.h"
#include "worker/options.h"
#include "worker/output.h"
#include "worker/redis_options.h"
#include "worker/reload.h"
#include "worker/source_wake.h"
#include "worker/watchdog.h"
#ifdef SCENESYNC_FAULT_POINTS
#include "tests/faults/fault_environment.h"
#endif

enum {
    IDLE_POLL_MS = 200,
    SUMMARY_INTERVAL_MS = 10000,
    MESSAGE_BYTES = 512,
    LARGE_BYTES = 1 << 20,
    HEAP_END_BYTES_MAX = 32 << 20
};

static const char help[] =
    "Usage: scenesync worker [options]\n"
    "\n"
    "Consumes operation batches from Kafka, applies them to the scenes in Redis, publishes\n"
    "SyncResults, retries what may still succeed and dead-letters the rest. Run as many as\n"
    "there is work for: they share the partitions.\n"
    "\n"
    "  --print-config        print the effective settings (no secrets) and exit\n"
    "  --help-settings       print every setting with its default and range and exit\n"
    "  --help-metrics        print every metric with its type and meaning and exit\n"
    "\n"
    "SIGTERM or SIGINT: finish the records at hand, commit, leave the group, exit 0; at the\n"
    "latest after worker.drain_timeout_ms, then exit 75. A second signal: exit 75 at once.\n"
    "Whatever is cut short is delivered again and recognised.\n"
    "\n"
    "Example:\n"
    "  scenesync worker --set kafka.bootstrap.servers=kafka:9092 \\\n"
    "                   --set redis.url=redis://redis:6379/0\n";

/* The parts of a running worker, made in this order and ended in the other. */
struct worker {
    struct settings *settings;
    struct clock clock;
    const struct fault_hook *faults; /* NULL but in the build that tests inject faults into */
    struct log *log;
    struct stats stats;
    struct progress progress;
    bool has_progress;
    struct snapshot_board board;
    bool has_board;
    struct recent *recent;
    struct record_source *source;
    struct source_wake *wake;
    struct sink *sink;
    struct store *store;
    struct cycle *cycle;
    struct watchdog *watchdog;
    struct observatory *observatory;
    struct reload reload;
    uint64_t drain_since_ms; /* 0: not draining */
    const char *last_words;  /* the log's last line; NULL: it did not run */
    size_t last_partitions;  /* held when it ended its work */
};

/*
 * Large blocks (what a fetch brings, a cycle's memory) stay out of the heap of the scenes, and go
 * back to the system: among the scenes' small ones they left holes, 384 MiB instead of 333 after
 * two minutes of `uniform` (tests/bench). glibc would begin like that, but learn from the first of
 * them.
 */
static void keep_large_blocks_apart(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_END_BYTES_MAX);
#endif
}

static void log_store_event(void *context, enum store_event event, const char *detail)
{
    struct worker *worker = context;
    struct log_line line;
    switch (event) {
    case STORE_EVENT_CONNECTED:
        log_begin(&line, worker->log, LOG_INFO, "store connected");
        break;
    case STORE_EVENT_DISCONNECTED:
        log_begin(&line, worker->log, LOG_WARN, "store connection lost");
        break;
    case STORE_EVENT_WAITING:
        log_begin(&line, worker->log, LOG_WARN, "store cannot work, waiting");
        break;
    }
    if (detail != NULL && detail[0] != '\0') {
        log_text(&line, "detail", detail);
    }
    log_end(&line);
}

/* Seeds that must differ between processes: commit tokens are told apart by them. */
static bool random_seed(uint64_t *seed)
{
    FILE *source = fopen("/dev/urandom", "rb");
    bool is_read = source != NULL && fread(seed, sizeof(*seed), 1, source) == 1;
    if (source != NULL) {
        (void)fclose(source);
    }
    return is_read;
}

static int fail(const char *what, enum exit_code code)
{
    (void)fprintf(stderr, "scenesync: %s\n", what);
    return (int)code;
}

/* Also in waits: a Redis that refuses the password is waited for until there is another one. */
static void reload_if_asked(struct worker *worker)
{
    if (interrupt_take_reload()) {
        const struct reload_parts parts = {
            .log = worker->log, .store = worker->store, .observatory = worker->observatory};
        reload_run(&worker->reload, &parts);
    }
}

/* Asked in every wait: a second signal, the drain deadline, or the watchdog ending the process. */
static bool must_abandon(void *context)
{
    struct worker *worker = context;
    reload_if_asked(worker);
    if (interrupt_count() == 0 || progress_is_stalled(&worker->progress)) {
        return progress_is_stalled(&worker->progress);
    }
    uint64_t now_ms = clock_monotonic_ms(&worker->clock);
    if (worker->drain_since_ms == 0) {
        worker->drain_since_ms = now_ms;
    }
    return interrupt_count() > 1 ||
           now_ms - worker->drain_since_ms >= worker->settings->drain_timeout_ms;
}

static int open_store(struct worker *worker, uint64_t seed)
{
    struct redis_store_options options;
    struct error error;
    if (!redis_options_of(worker->settings, &worker->clock, &options, &error)) {
        return fail(error.message, EXIT_CODE_CONFIG);
    }
    options.observer = (struct store_observer){.notify = log_store_event, .context = worker};
    options.jitter_seed = seed;
    options.faults = worker->faults;
    worker->store = redis_store_create(&options);
    return worker->store == NULL ? fail("out of memory", EXIT_CODE_INTERNAL) : EXIT_CODE_OK;
}

static int open_cycle(struct worker *worker, uint64_t seed)
{
    struct cycle_parts parts = {
        .settings = worker->settings,
        .clock = &worker->clock,
        .log = worker->log,
        .source = worker->source,
        .sink = worker->sink,
        .store = worker->store,
        .stats = &worker->stats,
        .progress = &worker->progress,
        .recent = worker->recent,
        .token_seed = seed,
        .faults = worker->faults,
        .must_abandon = must_abandon,
        .abandon_context = worker,
    };
    worker->cycle = cycle_create(&parts);
    return worker->cycle == NULL ? fail("out of memory", EXIT_CODE_INTERNAL) : EXIT_CODE_OK;
}

/* The threads beside the cycle's. */
static int open_watchers(struct worker *worker)
{
    char message[MESSAGE_BYTES];
    struct watchdog_parts watchdog = {
        .settings = worker->settings,
        .clock = &worker->clock,
        .log = worker->log,
        .progress = &worker->progress,
        .source = worker->source,
    };
    worker->watchdog = watchdog_start(&watchdog);
    if (worker->watchdog == NULL) {
        return fail("out of memory", EXIT_CODE_INTERNAL);
    }
    struct observatory_parts observatory = {
        .settings = worker->settings,
        .clock = &worker->clock,
        .log = worker->log,
        .progress = &worker->progress,
        .source = worker->source,
        .board = &worker->board,
        .recent = worker->recent,
    };
    worker->observatory = observatory_start(&observatory, message, sizeof(message));
    return worker->observatory == NULL ? fail(message, EXIT_CODE_CONFIG) : EXIT_CODE_OK;
}

static int open_log(struct worker *worker)
{
    const struct settings *settings = worker->settings;
    worker->log = log_create(settings->log_level, settings->log_format, settings->log_file);
    if (worker->log != NULL) {
        return EXIT_CODE_OK;
    }
    if (settings->log_file == NULL) {
        return fail("out of memory", EXIT_CODE_INTERNAL);
    }
    (void)fprintf(stderr, "scenesync: %s: log.file = \"%s\": cannot open: %s\n",
                  settings_origin(settings, "log.file"), settings->log_file, strerror(errno));
    return EXIT_CODE_CONFIG;
}

static int worker_open(struct worker *worker)
{
    char message[MESSAGE_BYTES];
    uint64_t seed = 0;
    const struct settings *settings = worker->settings;
    worker->clock = clock_system();
#ifdef SCENESYNC_FAULT_POINTS
    worker->clock = fault_environment_clock(worker->clock);
    worker->faults = fault_environment();
#endif
    if (!random_seed(&seed)) {
        return fail("/dev/urandom cannot be read", EXIT_CODE_INTERNAL);
    }
    int code = open_log(worker);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    worker->sink = sink_create(settings, &worker->clock, worker->log, message, sizeof(message));
    if (worker->sink == NULL) {
        return fail(message, EXIT_CODE_CONFIG);
    }
    worker->source = source_create(settings, &worker->clock, worker->log, message, sizeof(message));
    if (worker->source == NULL) {
        return fail(message, EXIT_CODE_CONFIG);
    }
    source_set_faults(worker->source, worker->faults);
    if (!source_wake_start(worker->source, &worker->wake)) {
        return fail("out of memory", EXIT_CODE_INTERNAL);
    }
    code = open_store(worker, seed);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    worker->has_progress = progress_init(&worker->progress, &worker->clock);
    worker->has_board = snapshot_board_init(&worker->board);
    worker->recent = recent_create();
    if (!worker->has_progress || !worker->has_board || worker->recent == NULL) {
        return fail("out of memory", EXIT_CODE_INTERNAL);
    }
    code = open_cycle(worker, seed);
    return code == EXIT_CODE_OK ? open_watchers(worker) : code;
}

static void log_stats(struct worker *worker, const char *event, size_t partitions)
{
    struct stats_field fields[STATS_FIELDS];
    stats_list(&worker->stats, fields);
    struct log_line line;
    log_begin(&line, worker->log, LOG_INFO, event);
    log_uint(&line, "partitions", partitions);
    for (size_t i = 0; i < STATS_FIELDS; i++) {
        log_uint(&line, fields[i].key, fields[i].value);
    }
    log_end(&line);
}

/* Requests and letters in flight point into the cycle's memory: their owners end first. How it
 * ended is the last line, behind what Kafka's clients have to say on their way. */
static void worker_close(struct worker *worker)
{
    observatory_stop(worker->observatory);
    watchdog_destroy(worker->watchdog);
    sink_destroy(worker->sink);
    store_destroy(worker->store);
    cycle_destroy(worker->cycle);
    source_wake_stop(worker->wake);
    source_destroy(worker->source);
    if (worker->has_progress) {
        progress_deinit(&worker->progress);
    }
    if (worker->has_board) {
        snapshot_board_deinit(&worker->board);
    }
    recent_destroy(worker->recent);
    if (worker->last_words != NULL) {
        log_stats(worker, worker->last_words, worker->last_partitions);
    }
    log_destroy(worker->log);
}

static void log_start(struct worker *worker)
{
    const struct settings *settings = worker->settings;
    struct log_line line;
    log_begin(&line, worker->log, LOG_INFO, "worker started");
    log_text(&line, "brokers", settings_kafka_property(settings, "bootstrap.servers"));
    log_text(&line, "group", settings_kafka_property(settings, "group.id"));
    log_text(&line, "ops_topic", settings->topic_ops);
    log_text(&line, "store", settings->redis_url);
    log_text(&line, "strategy", strategy_name(settings->strategy));
    log_uint(&line, "max_retries", settings->retry_retries_max);
    log_end(&line);
}

/* Lets the other threads see how it stands. */
static void post_snapshot(struct worker *worker)
{
    struct snapshot snapshot = {.stats = worker->stats};
    cycle_cache_size(worker->cycle, &snapshot.cache_bytes, &snapshot.cache_scenes);
    snapshot_board_post(&worker->board, &snapshot);
}

/* Notes what worker_close() is to say. Returns the exit code. */
static int stop(struct worker *worker, const char *last_words, enum exit_code code)
{
    worker->last_words = last_words;
    worker->last_partitions = source_assigned_count(worker->source);
    return (int)code;
}

static int run(struct worker *worker)
{
    uint64_t summary_ms = clock_monotonic_ms(&worker->clock);
    uint64_t summed_records = 0;
    log_start(worker);
    while (interrupt_count() == 0 && !progress_is_stalled(&worker->progress)) {
        switch (cycle_run(worker->cycle, IDLE_POLL_MS)) {
        case CYCLE_IDLE:
            /* Otherwise what the producer meets is told when there is something to send. */
            (void)sink_poll(worker->sink, 0);
            break;
        case CYCLE_WORKED:
        case CYCLE_AGAIN:
            break;
        case CYCLE_LOST:
            return stop(worker, "worker stopped, the store lost writes", EXIT_CODE_LOST_WRITES);
        case CYCLE_ABANDONED:
            return stop(worker, "worker stopped with work unfinished, it will be delivered again",
                        EXIT_CODE_INTERRUPTED);
        case CYCLE_FATAL:
            return stop(worker, "worker failed", EXIT_CODE_INTERNAL);
        }
        reload_if_asked(worker);
        post_snapshot(worker);
        uint64_t now_ms = clock_monotonic_ms(&worker->clock);
        if (now_ms - summary_ms >= SUMMARY_INTERVAL_MS) {
            if (worker->stats.records != summed_records) {
                log_stats(worker, "progress", source_assigned_count(worker->source));
            }
            summed_records = worker->stats.records;
            summary_ms = now_ms;
        }
    }
    return stop(worker, "worker stopped", EXIT_CODE_OK);
}

static int run_worker(struct options *options)
{
    struct worker worker = {.settings = &options->settings};
    keep_large_blocks_apart();
    reload_init(&worker.reload, options);
    interrupt_install();
    interrupt_install_reload();
    int code = worker_open(&worker);
    if (code == EXIT_CODE_OK) {
        code = run(&worker);
    }
    worker_close(&worker);
    reload_deinit(&worker.reload);
    return code;
}

int command_worker(int argc, char **argv)
{
    bool print_config = false;
    bool help_settings = false;
    bool help_metrics = false;
    const struct option_spec own[] = {
        {.name = "print-config", .type = OPTION_FLAG, .out = &print_config},
        {.name = "help-settings", .type = OPTION_FLAG, .out = &help_settings},
        {.name = "help-metrics", .type = OPTION_FLAG, .out = &help_metrics},
    };
    const struct command_spec spec = {
        .name = "worker",
        .help = help,
        .options = own,
        .option_count = sizeof(own) / sizeof(own[0]),
    };
    struct options options;
    int code = options_parse(&spec, argc, argv, &options);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    if (help_settings) {
        settings_print_help(stdout);
        code = output_end();
    } else if (help_metrics) {
        metrics_print_help(stdout);
        code = output_end();
    } else if (print_config) {
        settings_print(&options.settings, stdout);
        code = output_end();
    } else {
        code = run_worker(&options);
    }
    options_deinit(&options);
    return code;
}
