#include "worker/commands.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/identifier.h"
#include "store/scene.h"
#include "worker/json_print.h"
#include "worker/options.h"
#include "worker/redis_options.h"

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
    "  --timeout MS      how long to wait for Redis (default: 10000)\n";

enum { TIMEOUT_MS_MAX = 86400000 };

static const size_t memory_bytes_max = (size_t)4 * 1024 * 1024 * 1024;

struct scene_options {
    bool compact, tombstones;
    uint64_t timeout_ms;
};

struct item {
    struct span id;
    struct element_value value;
    double z_index; /* 0 where it has none */
};

struct item_list {
    struct item *items; /* in the arena; present ones in drawing order, then tombstones by id */
    size_t present_count, count;
};

static double read_z_index(struct span document)
{
    struct span transform = wire_map_find(document, "transform");
    if (span_is_absent(transform) || wire_peek(transform).type != WIRE_MAP) {
        return 0;
    }
    struct span raw = wire_map_find(transform, "z_index");
    double z_index = 0;
    if (!span_is_absent(raw)) {
        struct wire_value value = wire_peek(raw);
        (void)!wire_as_number(&value, &z_index);
    }
    return z_index;
}

static int compare_ids(struct span a, struct span b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.data, b.data, size) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/** Present elements first, by z_index and id; tombstones behind them, by id. */
static int compare_items(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    bool a_removed = span_is_absent(a->value.document);
    bool b_removed = span_is_absent(b->value.document);
    if (a_removed != b_removed) {
        return a_removed ? 1 : -1;
    }
    if (a->z_index != b->z_index) {
        return a->z_index > b->z_index ? 1 : -1;
    }
    return compare_ids(a->id, b->id);
}

static bool decode_items(const struct scene_dump *dump, struct arena *arena, struct item_list *out,
                         struct error *error)
{
    *out = (struct item_list){.items = arena_alloc_array(arena, dump->count, sizeof *out->items),
                              .count = dump->count};
    if (out->items == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < dump->count; i++) {
        struct item *item = &out->items[i];
        item->id = dump->ids[i];
        struct error reason;
        if (!element_value_decode(dump->values[i], &item->value, &reason)) {
            char quoted[ERROR_QUOTE_BYTES_MAX];
            return error_set(error, reason.code, "element %s: %.120s",
                             error_quote(item->id, quoted), reason.message);
        }
        if (!span_is_absent(item->value.document)) {
            item->z_index = read_z_index(item->value.document);
            out->present_count++;
        }
    }
    if (out->count > 0) {
        qsort(out->items, out->count, sizeof *out->items, compare_items);
    }
    return true;
}

static void print_number(struct json_writer *writer, const char *key, uint64_t value)
{
    json_write_key_text(writer, key);
    json_write_uint(writer, value);
}

static void print_element(const struct item *item, struct json_writer *writer)
{
    json_write_object_begin(writer);
    print_number(writer, "version", item->value.version);
    print_number(writer, "timestamp", item->value.timestamp_ms);
    json_write_key_text(writer, "element");
    if (!json_print(item->value.document, writer)) {
        json_write_base64(writer, "", item->value.document); /* another program's */
    }
    json_write_object_end(writer);
}

static void print_tombstone(const struct item *item, struct json_writer *writer)
{
    json_write_object_begin(writer);
    json_write_key_text(writer, "id");
    json_write_str(writer, item->id);
    print_number(writer, "version", item->value.version);
    print_number(writer, "timestamp", item->value.timestamp_ms);
    json_write_object_end(writer);
}

static void print_items(const struct item_list *list, bool tombstones, struct json_writer *writer)
{
    json_write_key_text(writer, "elements");
    json_write_array_begin(writer);
    for (size_t i = 0; i < list->present_count; i++) {
        print_element(&list->items[i], writer);
    }
    json_write_array_end(writer);
    if (!tombstones) {
        return;
    }
    json_write_key_text(writer, "tombstones");
    json_write_array_begin(writer);
    for (size_t i = list->present_count; i < list->count; i++) {
        print_tombstone(&list->items[i], writer);
    }
    json_write_array_end(writer);
}

static int print_scene(const char *session_id, const struct scene_dump *dump,
                       const struct item_list *list, const struct scene_options *options)
{
    struct buffer text;
    buffer_init(&text, memory_bytes_max);
    struct json_writer writer = json_writer_of(&text, !options->compact);
    json_write_object_begin(&writer);
    json_write_key_text(&writer, "session_id");
    json_write_text(&writer, session_id);
    print_number(&writer, "version", dump->version);
    json_write_key_text(&writer, "updated_at");
    json_write_int(&writer, dump->updated_at_ms);
    print_number(&writer, "element_count", list->present_count);
    print_number(&writer, "tombstone_count", list->count - list->present_count);
    print_items(list, options->tombstones, &writer);
    json_write_object_end(&writer);
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
    struct item_list list = {0};
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
    if (!decode_items(&dump, arena, &list, &error)) {
        (void)fprintf(stderr, "scenesync: scene %s: %s\n", session_id, error.message);
        return EXIT_CODE_FAILED;
    }
    return print_scene(session_id, &dump, &list, options);
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
        {"tombstones", OPTION_FLAG, &scene_options.tombstones, 0, 0},
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
