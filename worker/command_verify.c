#include "worker/commands.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/identifier.h"
#include "worker/interrupt.h"
#include "worker/options.h"
#include "worker/redis_options.h"
#include "worker/verify_check.h"

static const char help[] =
    "Usage: scenesync verify [options]\n"
    "\n"
    "Makes every scene again from the ops topic and the retry topics, and prints where Redis has\n"
    "something else: elements that are missing, unexpected or different, writes that were lost.\n"
    "It only reads, joins no consumer group, and may run beside the workers: a scene is compared\n"
    "as far as it has been worked on. Give it the workers' settings, their limits included.\n"
    "\n"
    "  scenesync verify --config scenesync.ini\n"
    "  scenesync verify --session s1 --json | jq .\n"
    "\n"
    "What Kafka no longer has cannot be compared: such elements are counted as not judged. Edits\n"
    "of other programs are differences, since no batch explains them. A Redis replica that lags\n"
    "shows lost writes; ask the primary.\n"
    "\n"
    "Exit: 0 no differences; 1 differences, or no such scene; 64 usage; 69 Kafka or Redis not\n"
    "reached; 70 out of memory; 75 interrupted; 78 configuration.\n"
    "\n"
    "Options:\n"
    "  --session ID      only this scene\n"
    "  --json            differences and the summary as JSON lines\n"
    "  --memory MIB      how much of the log to keep in memory (default: 2048)\n"
    "  --timeout MS      how long to wait for a silent Kafka or Redis (default: 10000)\n";

enum { TIMEOUT_MS_MAX = 86400000, MEMORY_MIB_MAX = 16 * 1024 * 1024 };

struct verify_options {
    const char *session_id; /* NULL: all */
    bool json;
    uint64_t memory_mib, timeout_ms;
};

/* Everything that a run holds; all parts can be given back whatever was reached. */
struct verify_run {
    const struct settings *settings;
    const struct verify_options *options;
    struct clock clock;
    struct verify_log log;
    struct verify_reader reader;
    struct verify_report report;
    struct verify_check check;
    struct arena names; /* of scenes that only Redis has */
    struct verify_index unknown;
};

static int fail_memory(void)
{
    (void)fputs("scenesync: out of memory\n", stderr);
    return EXIT_CODE_INTERNAL;
}

static void show_reading(void *context, uint64_t read, uint64_t total)
{
    struct verify_run *run = context;
    verify_report_progress(&run->report, "records", read, total);
}

static void clear_bar(void *context)
{
    struct verify_run *run = context;
    verify_report_clear(&run->report);
}

static int open_store(struct verify_run *run)
{
    struct redis_store_options options;
    struct error error;
    if (!redis_options_of(run->settings, &run->clock, &options, &error)) {
        (void)fprintf(stderr, "scenesync: %s\n", error.message);
        return EXIT_CODE_CONFIG;
    }
    run->check.store = redis_reader_create(&options);
    if (run->check.store == NULL) {
        return fail_memory();
    }
    enum redis_read outcome =
        redis_reader_connect(run->check.store, (int)run->options->timeout_ms, &error);
    return outcome == REDIS_READ_DONE ? EXIT_CODE_OK
                                      : verify_check_fail_store(&run->check, outcome, &error);
}

/* The results of the first batches are there as well. */
static bool has_all_results(const struct verify_reader *reader)
{
    bool is_there = false;
    for (size_t i = 0; i < reader->partition_count; i++) {
        if (reader->partitions[i].is_results) {
            is_there = true;
            if (reader->partitions[i].start_offset > 0) {
                return false;
            }
        }
    }
    return is_there;
}

static int read_log(struct verify_run *run)
{
    const struct verify_reader_observer observer = {
        .progress = show_reading, .fail = clear_bar, .context = run};
    int result = verify_reader_open(&run->reader, run->settings, &run->log, &observer,
                                    run->options->timeout_ms);
    if (result == EXIT_CODE_OK) {
        result = verify_reader_read(&run->reader);
    }
    if (result == EXIT_CODE_OK) {
        result = verify_reader_check_starts(&run->reader);
    }
    run->check.has_all_results = result == EXIT_CODE_OK && has_all_results(&run->reader);
    return result;
}

/* ---- Scenes ---- */

static int compare_sessions(const void *left, const void *right)
{
    struct span a = (*(const struct verify_scene *const *)left)->session_id;
    struct span b = (*(const struct verify_scene *const *)right)->session_id;
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int check_interrupt(struct verify_run *run)
{
    if (interrupt_count() == 0) {
        return EXIT_CODE_OK;
    }
    verify_report_clear(&run->report);
    (void)fputs("scenesync: interrupted before everything was compared\n", stderr);
    return EXIT_CODE_INTERRUPTED;
}

/* Scenes by name. What is read on meanwhile may add some: they are those that Redis shows. */
static int check_logged_scenes(struct verify_run *run)
{
    size_t count = verify_log_scene_count(&run->log);
    struct verify_scene **scenes = calloc(count + 1, sizeof(struct verify_scene *));
    if (scenes == NULL) {
        return fail_memory();
    }
    for (size_t i = 0; i < count; i++) {
        scenes[i] = run->log.scenes[i];
    }
    qsort(scenes, count, sizeof(struct verify_scene *), compare_sessions);
    int result = EXIT_CODE_OK;
    for (size_t i = 0; i < count && result == EXIT_CODE_OK; i++) {
        verify_report_progress(&run->report, "scenes", i, count);
        result = verify_check_scene(&run->check, scenes[i]->session_id);
        result = result == EXIT_CODE_OK ? check_interrupt(run) : result;
    }
    free(scenes);
    return result;
}

/* Notes a scene that was not checked yet. */
static bool take_unknown(void *context, struct span session_id)
{
    struct verify_run *run = context;
    const struct verify_scene *scene = verify_log_find_scene(&run->log, session_id);
    if ((scene != NULL && scene->is_checked) || !identifier_is_session_id(session_id) ||
        verify_index_find(&run->unknown, session_id) != NULL) {
        return true;
    }
    struct span copy = arena_copy(&run->names, session_id);
    return !span_is_absent(copy) && verify_index_add(&run->unknown, copy, 0) != NULL;
}

/* Scenes that Redis has and the log had not. */
static int check_unknown_scenes(struct verify_run *run)
{
    struct error error;
    enum redis_read outcome = redis_reader_scan(run->check.store, (int)run->options->timeout_ms,
                                                take_unknown, run, &error);
    if (outcome != REDIS_READ_DONE) {
        return verify_check_fail_store(&run->check, outcome, &error);
    }
    int result = EXIT_CODE_OK;
    for (uint32_t i = 0; i < run->unknown.count && result == EXIT_CODE_OK; i++) {
        verify_report_progress(&run->report, "scenes that only Redis has", i, run->unknown.count);
        result = verify_check_scene(&run->check, run->unknown.entries[i].key);
        result = result == EXIT_CODE_OK ? check_interrupt(run) : result;
    }
    return result;
}

/* The one scene of --session; that there is none is no success. */
static int check_one_scene(struct verify_run *run)
{
    struct span session_id = run->log.session_id;
    int result = verify_check_scene(&run->check, session_id);
    if (result == EXIT_CODE_OK && run->report.counts.scenes == 0) {
        verify_report_clear(&run->report);
        (void)fprintf(stderr,
                      "scenesync: there is no scene %s at %s, and nothing of it has been "
                      "applied\n",
                      run->options->session_id, run->settings->redis_url);
        return EXIT_CODE_FAILED;
    }
    return result;
}

static int check_all(struct verify_run *run)
{
    if (run->options->session_id != NULL) {
        return check_one_scene(run);
    }
    int result = check_logged_scenes(run);
    return result == EXIT_CODE_OK ? check_unknown_scenes(run) : result;
}

static int conclude(struct verify_run *run)
{
    run->report.counts.records = run->reader.record_count;
    verify_report_summary(&run->report);
    if (run->report.failed) {
        (void)fputs("scenesync: cannot write the differences\n", stderr);
        return EXIT_CODE_INTERNAL;
    }
    return run->report.counts.differences == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

/* ---- The run ---- */

static void run_init(struct verify_run *run, const struct settings *settings,
                     const struct verify_options *options)
{
    *run = (struct verify_run){.settings = settings, .options = options, .clock = clock_system()};
    struct span session_id =
        options->session_id == NULL ? (struct span){0} : span_of_text(options->session_id);
    size_t bytes_max = (size_t)options->memory_mib << 20;
    verify_log_init(&run->log, settings->topic_ops, session_id, bytes_max);
    verify_report_init(&run->report, options->json);
    run->check = (struct verify_check){
        .settings = settings,
        .log = &run->log,
        .reader = &run->reader,
        .report = &run->report,
        .timeout_ms = (int)options->timeout_ms,
    };
    verify_check_init(&run->check);
    arena_init(&run->names, bytes_max);
    verify_index_init(&run->unknown);
}

static void run_deinit(struct verify_run *run)
{
    verify_report_deinit(&run->report);
    redis_reader_destroy(run->check.store);
    verify_check_deinit(&run->check);
    verify_reader_close(&run->reader);
    verify_log_deinit(&run->log);
    verify_index_deinit(&run->unknown);
    arena_deinit(&run->names);
}

static int verify(const struct settings *settings, const struct verify_options *options)
{
    struct verify_run run;
    run_init(&run, settings, options);
    /* Redis first: an hour of reading must not end with a wrong address. */
    int result = open_store(&run);
    if (result == EXIT_CODE_OK) {
        result = read_log(&run);
    }
    if (result == EXIT_CODE_OK) {
        result = check_all(&run);
    }
    if (result == EXIT_CODE_OK) {
        result = conclude(&run);
    }
    run_deinit(&run);
    return result;
}

int command_verify(int argc, char **argv)
{
    struct verify_options verify_options = {.memory_mib = 2048, .timeout_ms = 10000};
    const struct option_spec own[] = {
        {"session", OPTION_TEXT, &verify_options.session_id, 0, 0},
        {"json", OPTION_FLAG, &verify_options.json, 0, 0},
        {"memory", OPTION_UINT, &verify_options.memory_mib, 1, MEMORY_MIB_MAX},
        {"timeout", OPTION_UINT, &verify_options.timeout_ms, 1, TIMEOUT_MS_MAX},
    };
    const struct command_spec spec = {
        .name = "verify", .help = help, .options = own, .option_count = sizeof own / sizeof own[0]};
    struct options options;
    int result = options_parse(&spec, argc, argv, &options);
    if (result != OPTIONS_GO_ON) {
        return result;
    }
    if (verify_options.session_id != NULL &&
        !identifier_is_session_id(span_of_text(verify_options.session_id))) {
        (void)fputs("scenesync: --session: expected 1 to 64 of A-Z, a-z, 0-9, _ and -\n", stderr);
        result = EXIT_CODE_USAGE;
    } else {
        interrupt_install();
        result = verify(&options.settings, &verify_options);
    }
    options_deinit(&options);
    return result;
}
