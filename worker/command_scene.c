#include "worker/commands.h"

#include <stdio.h>

#include "protocol/identifier.h"
#include "worker/options.h"
#include "worker/redis_options.h"
#include "worker/scene_json.h"

static const char help[] =
    "Usage: scenesync scene [options] SESSION\n"
    "\n"
    "Prints a scene as it is stored, as JSON: its version and its elements in drawing order\n"
    "(transform.z_index, then id).\n"
    "\n"
    "  scenesync scene s1 | jq '.elements[].element.transform'\n"
    "\n"
    "Exit: 0 printed; 1 no such scene, or it cannot be read; 64 usage; 69 Redis not reached;\n"
    "78 configuration.\n"
    "\n"
    "Options:\n"
    "  --compact         on one line\n"
    "  --tombstones      list the removed elements too\n"
    "  --clocks          show when the properties of elements under merge were written\n"
    "  --timeout MS      how long to wait for Redis (default: 10000)\n";

enum { TIMEOUT_MS_MAX = 86400000 };

static const size_t memory_bytes_max = (size_t)4 * 1024 * 1024 * 1024;

struct scene_options {
    bool compact;
    struct scene_json_parts parts;
    uint64_t timeout_ms;
};

static int print_scene(const char *session_id, const struct scene_dump *dump,
                       const struct scene_options *options, struct arena *arena)
{
    struct buffer text;
    struct error error = {0};
    buffer_init(&text, memory_bytes_max);
    struct json_writer writer = json_writer_of(&text, !options->compact);
    if (!scene_json_write(session_id, dump, options->parts, arena, &writer, &error)) {
        (void)fprintf(stderr, "scenesync: scene %s: %s\n", session_id, error.message);
        buffer_deinit(&text);
        return EXIT_CODE_FAILED;
    }
    buffer_append(&text, "\n", 1);
    struct span span = buffer_span(&text);
    bool written =
        !text.failed && fwrite(span.data, 1, span.size, stdout) == span.size && fflush(stdout) == 0;
    buffer_deinit(&text);
    if (!written) {
        (void)fputs("scenesync: cannot write the scene\n", stderr);
    }
    return written ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static struct store *open_store(const struct settings *settings, struct clock *clock,
                                struct error *error)
{
    struct redis_store_options options;
    if (!redis_options_of(settings, clock, &options, error)) {
        return NULL;
    }
    options.group = NULL; /* scenes alone are looked at */
    options.jitter_seed = clock_wall_ms(clock);
    struct store *store = redis_store_create(&options);
    if (store == NULL) {
        (void)error_set(error, ERROR_OUT_OF_MEMORY, "out of memory");
    }
    return store;
}

/** Reads and prints with a store at hand. */
static int show_scene(struct store *store, const char *redis_url, const char *session_id,
                      const struct scene_options *options, struct arena *arena)
{
    struct scene_dump dump = {0};
    struct error error = {0};
    if (!redis_store_read_scene(store, span_of_text(session_id), (int)options->timeout_ms, arena,
                                &dump, &error)) {
        bool reached = store_is_ready(store);
        (void)fprintf(stderr, "scenesync: scene %s at %s: %s\n", session_id, redis_url,
                      error.message);
        return reached ? EXIT_CODE_FAILED : EXIT_CODE_UNAVAILABLE;
    }
    if (dump.version == 0 && dump.count == 0) {
        (void)fprintf(stderr, "scenesync: there is no scene %s at %s\n", session_id, redis_url);
        return EXIT_CODE_FAILED;
    }
    return print_scene(session_id, &dump, options, arena);
}

static int run(const struct settings *settings, const char *session_id,
               const struct scene_options *options)
{
    if (!identifier_is_session_id(span_of_text(session_id))) {
        (void)fputs("scenesync: SESSION: expected 1 to 64 of A-Z, a-z, 0-9, _ and -\n", stderr);
        return EXIT_CODE_USAGE;
    }
    struct clock clock = clock_system();
    struct error error = {0};
    struct store *store = open_store(settings, &clock, &error);
    if (store == NULL) {
        (void)fprintf(stderr, "scenesync: %s\n", error.message);
        return EXIT_CODE_INTERNAL;
    }
    struct arena arena;
    arena_init(&arena, memory_bytes_max);
    int result = show_scene(store, settings->redis_url, session_id, options, &arena);
    arena_deinit(&arena);
    store_destroy(store);
    return result;
}

int command_scene(int argc, char **argv)
{
    struct scene_options scene_options = {.timeout_ms = 10000};
    const struct option_spec own[] = {
        {"compact", OPTION_FLAG, &scene_options.compact, 0, 0},
        {"tombstones", OPTION_FLAG, &scene_options.parts.tombstones, 0, 0},
        {"clocks", OPTION_FLAG, &scene_options.parts.clocks, 0, 0},
        {"timeout", OPTION_UINT, &scene_options.timeout_ms, 1, TIMEOUT_MS_MAX},
    };
    const struct command_spec spec = {.name = "scene",
                                      .help = help,
                                      .options = own,
                                      .option_count = sizeof own / sizeof own[0],
                                      .arguments_min = 1,
                                      .arguments_max = 1};
    struct options options;
    int result = options_parse(&spec, argc, argv, &options);
    if (result != OPTIONS_GO_ON) {
        return result;
    }
    result = run(&options.settings, options.arguments[0], &scene_options);
    options_deinit(&options);
    return result;
}
