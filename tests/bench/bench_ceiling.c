/* The ceiling: how fast Redis takes a workload's values from a client that checks nothing, reads
 * nothing and has made all of its bytes beforehand. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/redis_pipe.h"
#include "tests/bench/stopwatch.h"
#include "tests/bench/workload_options.h"

static const char help[] =
    "Usage: bench_ceiling --redis URL [options]\n"
    "\n"
    "Sends a workload's values to Redis by HSET, many commands in flight, and prints how long "
    "that\n"
    "took as one JSON object. The commands are made before the clock starts.\n"
    "\n"
    "Options:\n"
    "  --redis URL       unix:///path or redis://address:port\n"
    "  --batches N       batches to make (default: 10000)\n"
    "  --rounds N        how often to send all of them (default: 1)\n"
    "  --per-operation   a command for each operation instead of one for each batch\n"
    "  --window N        commands in flight (default: 64 batches, or 1024 "
    "operations)\n" WORKLOAD_OPTIONS_HELP;

enum {
    BATCHES_DEFAULT = 10000,
    BATCHES_MAX = 100000000,
    WINDOW_OF_BATCHES = 64,
    WINDOW_OF_OPERATIONS = 1024,
    KEY_BYTES_MAX = 64
};

struct choice {
    const char *url;
    bool per_operation;
    uint64_t batches, rounds, window; /* window 0: the mode's default */
    struct workload_options workload;
};

static void add_head(struct redis_calls *calls, uint32_t scene, size_t pair_count)
{
    char session[WORKLOAD_SESSION_BYTES_MAX], key[KEY_BYTES_MAX];
    (void)workload_session(scene, session);
    (void)snprintf(key, sizeof key, "scene:{%s}:elements", session);
    redis_calls_begin(calls, 2 + 2 * pair_count);
    redis_calls_text(calls, "HSET");
    redis_calls_text(calls, key);
}

static void add_pair(struct redis_calls *calls, const struct workload *workload, uint32_t scene,
                     const struct workload_operation *operation, struct buffer *value)
{
    char id[WORKLOAD_ID_BYTES];
    workload_element_id(workload, scene, operation->element, id);
    redis_calls_argument(calls, span_make(id, sizeof id));
    buffer_clear(value);
    workload_encode_value(workload, scene, operation, value);
    redis_calls_value(calls, value);
}

static void add_batch(struct redis_calls *calls, const struct workload *workload,
                      const struct workload_batch *batch, bool per_operation, struct buffer *value)
{
    if (!per_operation) {
        add_head(calls, batch->scene, batch->operation_count);
    }
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        if (per_operation) {
            add_head(calls, batch->scene, 1);
        }
        add_pair(calls, workload, batch->scene, &batch->operations[i], value);
        if (per_operation) {
            redis_calls_end(calls);
        }
    }
    if (!per_operation) {
        redis_calls_end(calls);
    }
}

static void make_calls(const struct choice *choice, struct workload *workload,
                       struct redis_calls *calls)
{
    static struct workload_batch batch;
    struct buffer value;
    buffer_init(&value, SIZE_MAX / 4);
    for (uint64_t i = 0; i < choice->batches; i++) {
        workload_next(workload, &batch);
        add_batch(calls, workload, &batch, choice->per_operation, &value);
    }
    buffer_deinit(&value);
}

static bool measure(const struct choice *choice, const struct redis_calls *calls,
                    uint32_t operations_per_batch, int descriptor)
{
    uint64_t standard = choice->per_operation ? WINDOW_OF_OPERATIONS : WINDOW_OF_BATCHES;
    size_t window = (size_t)(choice->window > 0 ? choice->window : standard);
    double began = stopwatch_seconds(), cpu_began = stopwatch_cpu_seconds();
    for (uint64_t round = 0; round < choice->rounds; round++) {
        if (!redis_pipe_run(descriptor, calls, window)) {
            return false;
        }
    }
    double took_s = stopwatch_seconds() - began;
    double cpu_s = stopwatch_cpu_seconds() - cpu_began;
    uint64_t batches = choice->batches * choice->rounds;
    uint64_t operations = batches * operations_per_batch;
    (void)printf("{\"batches\": %" PRIu64 ", \"operations\": %" PRIu64
                 ", \"seconds\": %.6f, \"client_cpu_seconds\": %.6f, \"bytes\": %zu, "
                 "\"window\": %zu, \"operations_per_second\": %.0f}\n",
                 batches, operations, took_s, cpu_s, calls->bytes.size * (size_t)choice->rounds,
                 window, (double)operations / took_s);
    return true;
}

static int run(const struct choice *choice)
{
    struct workload_sizes sizes;
    struct workload *workload = workload_options_create(&choice->workload, &sizes);
    if (workload == NULL) {
        return EXIT_FAILURE;
    }
    struct redis_calls calls;
    redis_calls_init(&calls);
    make_calls(choice, workload, &calls);
    int descriptor = redis_pipe_open(choice->url);
    bool done = descriptor >= 0 && measure(choice, &calls, sizes.operations, descriptor);
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
    redis_calls_deinit(&calls);
    workload_destroy(workload);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct choice choice = {.url = "", .batches = BATCHES_DEFAULT, .rounds = 1};
    workload_options_init(&choice.workload);
    struct option_spec specs[WORKLOAD_OPTIONS_COUNT + 5] = {
        {"redis", OPTION_TEXT, &choice.url, 0, 0},
        {"batches", OPTION_UINT, &choice.batches, 1, BATCHES_MAX},
        {"rounds", OPTION_UINT, &choice.rounds, 1, BATCHES_MAX},
        {"per-operation", OPTION_FLAG, &choice.per_operation, 0, 0},
        {"window", OPTION_UINT, &choice.window, 1, BATCHES_MAX},
    };
    workload_options_specify(&choice.workload, specs + 5);
    const struct command_spec spec = {.name = "bench_ceiling",
                                      .help = help,
                                      .options = specs,
                                      .option_count = sizeof specs / sizeof specs[0],
                                      .without_settings = true};
    struct options options;
    int code = options_parse(&spec, argc, argv, &options);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    bool is_complete = workload_options_require("redis", choice.url);
    code = is_complete ? run(&choice) : WORKLOAD_OPTIONS_EXIT_USAGE;
    options_deinit(&options);
    return code;
}
