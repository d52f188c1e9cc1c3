/* Fills Redis with what a workload finds there, as store/README.md has it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/redis_pipe.h"
#include "tests/bench/stopwatch.h"
#include "tests/bench/workload_options.h"

static const char help[] =
    "Usage: bench_seed --redis URL [options]\n"
    "\n"
    "Writes the scenes of a workload into Redis, beside what is there.\n"
    "Prints one JSON object.\n"
    "\n"
    "Options:\n"
    "  --redis URL       unix:///path or redis://address:port\n" WORKLOAD_OPTIONS_HELP;

enum { CHUNK_BYTES = 1 << 20, ELEMENTS_AT_ONCE = 100, WINDOW = 1000, KEY_BYTES_MAX = 64 };

/* As long as the worker's own. */
static const char seeded_token[] = "seed000000000000";

struct seeding {
    const struct workload *workload;
    const struct workload_sizes *sizes;
    uint64_t start_ms;
    int socket;
    struct redis_calls calls;
    struct buffer value;
};

static void add_meta(struct seeding *seeding, const char *session)
{
    char key[KEY_BYTES_MAX], count[KEY_BYTES_MAX], updated_at[KEY_BYTES_MAX];
    (void)snprintf(key, sizeof key, "scene:{%s}", session);
    (void)snprintf(count, sizeof count, "%" PRIu32, seeding->sizes->elements);
    (void)snprintf(updated_at, sizeof updated_at, "%" PRIu64, seeding->start_ms);
    const char *arguments[] = {"HSET",       key,          "version",       "1",
                               "commit",     seeded_token, "element_count", count,
                               "updated_at", updated_at};
    size_t argument_count = sizeof arguments / sizeof arguments[0];
    redis_calls_begin(&seeding->calls, argument_count);
    for (size_t i = 0; i < argument_count; i++) {
        redis_calls_text(&seeding->calls, arguments[i]);
    }
    redis_calls_end(&seeding->calls);
}

static void add_elements(struct seeding *seeding, uint32_t scene, const char *session,
                         uint32_t first, uint32_t count)
{
    char key[KEY_BYTES_MAX];
    (void)snprintf(key, sizeof key, "scene:{%s}:elements", session);
    redis_calls_begin(&seeding->calls, 2 + 2 * (size_t)count);
    redis_calls_text(&seeding->calls, "HSET");
    redis_calls_text(&seeding->calls, key);
    for (uint32_t i = first; i < first + count; i++) {
        char id[WORKLOAD_ID_BYTES];
        workload_element_id(seeding->workload, scene, i, id);
        redis_calls_argument(&seeding->calls, span_make(id, sizeof id));
        buffer_clear(&seeding->value);
        workload_encode_stored(seeding->workload, scene, i, &seeding->value);
        redis_calls_value(&seeding->calls, &seeding->value);
    }
    redis_calls_end(&seeding->calls);
}

static bool send_calls(struct seeding *seeding)
{
    bool sent = redis_pipe_run(seeding->socket, &seeding->calls, WINDOW);
    redis_calls_clear(&seeding->calls);
    return sent;
}

static bool seed_scene(struct seeding *seeding, uint32_t scene)
{
    char session[WORKLOAD_SESSION_BYTES_MAX];
    uint32_t elements = seeding->sizes->elements;
    (void)workload_session(scene, session);
    add_meta(seeding, session);
    for (uint32_t first = 0; first < elements; first += ELEMENTS_AT_ONCE) {
        uint32_t left = elements - first;
        add_elements(seeding, scene, session, first,
                     left < ELEMENTS_AT_ONCE ? left : ELEMENTS_AT_ONCE);
        if (seeding->calls.bytes.size > CHUNK_BYTES && !send_calls(seeding)) {
            return false;
        }
    }
    return true;
}

static bool seed_all(struct seeding *seeding)
{
    for (uint32_t scene = 0; scene < seeding->sizes->scenes; scene++) {
        if (!seed_scene(seeding, scene)) {
            return false;
        }
    }
    return send_calls(seeding);
}

static int run(const char *url, const struct workload_options *options)
{
    struct workload_sizes sizes;
    struct workload *workload = workload_options_create(options, &sizes);
    int descriptor = workload != NULL ? redis_pipe_open(url) : -1;
    bool done = false;
    double began_s = stopwatch_seconds();
    if (descriptor >= 0) {
        struct seeding seeding = {.workload = workload,
                                  .sizes = &sizes,
                                  .start_ms = options->start_ms,
                                  .socket = descriptor};
        redis_calls_init(&seeding.calls);
        buffer_init(&seeding.value, SIZE_MAX / 4);
        done = seed_all(&seeding);
        redis_calls_deinit(&seeding.calls);
        buffer_deinit(&seeding.value);
        (void)close(descriptor);
    }
    if (done) {
        (void)printf("{\"scenes\": %" PRIu32 ", \"elements\": %" PRIu32 ", \"operations\": %" PRIu32
                     ", \"seconds\": %.6f}\n",
                     sizes.scenes, sizes.elements, sizes.operations, stopwatch_seconds() - began_s);
    }
    workload_destroy(workload);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const char *url = "";
    struct workload_options workload;
    workload_options_init(&workload);
    struct option_spec specs[WORKLOAD_OPTIONS_COUNT + 1] = {{"redis", OPTION_TEXT, &url, 0, 0}};
    workload_options_specify(&workload, specs + 1);
    const struct command_spec spec = {.name = "bench_seed",
                                      .help = help,
                                      .options = specs,
                                      .option_count = sizeof specs / sizeof specs[0],
                                      .without_settings = true};
    struct options options;
    int code = options_parse(&spec, argc, argv, &options);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    bool is_complete = workload_options_require("redis", url);
    code = is_complete ? run(url, &workload) : WORKLOAD_OPTIONS_EXIT_USAGE;
    options_deinit(&options);
    return code;
}
