#include "worker/verify_log.h"

#include <stdlib.h>

#include "protocol/identifier.h"

enum {
    CAPACITY_FIRST = 64,
    RESULT_BYTES_MAX = 256 << 20, /* of one; far above what Kafka carries */
    ATTEMPTS_MAX = 1001           /* RETRY_ATTEMPT_MAX, and the first */
};

/* The key of a result: no padding, so that its bytes can be compared. */
struct result_key {
    int64_t offset;
    int32_t partition;
    uint32_t attempt;
};

void verify_log_init(struct verify_log *log, const char *topic_ops, struct span session_id,
                     size_t bytes_max)
{
    *log = (struct verify_log){.topic_ops = topic_ops, .session_id = session_id};
    arena_init(&log->arena, bytes_max);
    arena_init(&log->scratch, RESULT_BYTES_MAX);
    buffer_init(&log->compact, RESULT_BYTES_MAX);
    verify_index_init(&log->scene_index);
    verify_index_init(&log->result_index);
}

void verify_log_deinit(struct verify_log *log)
{
    verify_index_deinit(&log->scene_index);
    verify_index_deinit(&log->result_index);
    free(log->scenes);
    free(log->results);
    arena_deinit(&log->arena);
    arena_deinit(&log->scratch);
    buffer_deinit(&log->compact);
}

/* An array of pointers with room for one more behind `count`; NULL, and the array stays as it is,
 * when out of memory. */
static void *reserve(void *items, size_t *capacity, size_t count)
{
    if (count < *capacity) {
        return items;
    }
    size_t grown_capacity = *capacity == 0 ? CAPACITY_FIRST : *capacity * 2;
    void *grown = realloc(items, grown_capacity * sizeof(void *));
    if (grown != NULL) {
        *capacity = grown_capacity;
    }
    return grown;
}

/* The session_id that a message names; absent where none can be read: then no scene has it. */
static struct span session_of(struct span value)
{
    struct wire_structure structure;
    if (!wire_check_structure(value, &structure, NULL) || wire_peek(value).type != WIRE_MAP) {
        return (struct span){0};
    }
    struct span raw = wire_map_find(value, "session_id");
    if (span_is_absent(raw)) {
        return raw;
    }
    struct wire_value session = wire_peek(raw);
    bool is_session = session.type == WIRE_STR && identifier_is_session_id(session.body);
    return is_session ? session.body : (struct span){0};
}

static bool is_of_interest(const struct verify_log *log, struct span session_id)
{
    return !span_is_absent(session_id) &&
           (span_is_absent(log->session_id) || span_equal(log->session_id, session_id));
}

/* ---- Scenes ---- */

struct verify_scene *verify_log_find_scene(const struct verify_log *log, struct span session_id)
{
    const struct verify_index_entry *entry = verify_index_find(&log->scene_index, session_id);
    return entry == NULL ? NULL : log->scenes[entry->number];
}

size_t verify_log_scene_count(const struct verify_log *log)
{
    return log->scene_index.count;
}

static struct verify_scene *note_scene(struct verify_log *log, struct span session_id)
{
    struct verify_scene *scene = verify_log_find_scene(log, session_id);
    if (scene != NULL) {
        return scene;
    }
    uint32_t number = log->scene_index.count;
    struct verify_scene **scenes = reserve(log->scenes, &log->scene_capacity, number);
    if (scenes == NULL) {
        return NULL;
    }
    log->scenes = scenes;
    scene = arena_alloc_array(&log->arena, 1, sizeof(*scene));
    struct span copy = arena_copy(&log->arena, session_id);
    if (scene == NULL || span_is_absent(copy) ||
        verify_index_add(&log->scene_index, copy, number) == NULL) {
        return NULL;
    }
    scene->session_id = copy;
    log->scenes[number] = scene;
    return scene;
}

static struct verify_lane *note_lane(struct verify_log *log, struct verify_scene *scene,
                                     const struct verify_partition *partition)
{
    for (struct verify_lane *lane = scene->lanes; lane != NULL; lane = lane->next) {
        if (lane->partition == partition) {
            return lane;
        }
    }
    struct verify_lane *lane = arena_alloc_array(&log->arena, 1, sizeof(*lane));
    if (lane != NULL) {
        lane->partition = partition;
        lane->next = scene->lanes;
        scene->lanes = lane;
    }
    return lane;
}

bool verify_log_add_batch(struct verify_log *log, const struct verify_record *record)
{
    struct span session_id = session_of(record->value);
    if (!is_of_interest(log, session_id)) {
        return true;
    }
    struct verify_scene *scene = note_scene(log, session_id);
    if (scene == NULL || scene->is_checked) {
        return scene != NULL;
    }
    struct verify_lane *lane = note_lane(log, scene, record->partition);
    struct verify_record *kept = arena_alloc_array(&log->arena, 1, sizeof(*kept));
    struct span value = arena_copy(&log->arena, record->value);
    if (lane == NULL || kept == NULL || span_is_absent(value)) {
        return false;
    }
    *kept = *record;
    kept->value = value;
    kept->next = NULL;
    *(lane->last == NULL ? &lane->first : &lane->last->next) = kept;
    lane->last = kept;
    return true;
}

/* ---- Results ---- */

static struct verify_result *find_result(const struct verify_log *log, const struct result_key *key)
{
    const struct verify_index_entry *entry =
        verify_index_find(&log->result_index, span_make(key, sizeof(*key)));
    return entry == NULL ? NULL : log->results[entry->number];
}

const struct verify_result *verify_log_find_result(const struct verify_log *log, int32_t partition,
                                                   int64_t offset, uint32_t attempt)
{
    struct result_key key = {.offset = offset, .partition = partition, .attempt = attempt};
    return find_result(log, &key);
}

static struct verify_result *note_result(struct verify_log *log, const struct result_key *key)
{
    struct verify_result *result = find_result(log, key);
    if (result != NULL) {
        return result;
    }
    uint32_t number = log->result_index.count;
    struct verify_result **results = reserve(log->results, &log->result_capacity, number);
    if (results == NULL) {
        return NULL;
    }
    log->results = results;
    result = arena_alloc_array(&log->arena, 1, sizeof(*result));
    struct span copy = arena_copy(&log->arena, span_make(key, sizeof(*key)));
    if (result == NULL || span_is_absent(copy) ||
        verify_index_add(&log->result_index, copy, number) == NULL) {
        return NULL;
    }
    result->first_sequence = log->sequence;
    log->results[number] = result;
    return result;
}

/* The versions after the attempts before this one, whose own results may be missing. */
static bool keep_earlier_versions(struct verify_log *log, const struct sync_result *decoded,
                                  struct result_key key)
{
    for (uint32_t i = 0;
         i + 1 < decoded->attempt_version_count && i + 1 < decoded->attempts && i < ATTEMPTS_MAX;
         i++) {
        key.attempt = i + 1;
        struct verify_result *earlier = note_result(log, &key);
        if (earlier == NULL) {
            return false;
        }
        if (span_is_absent(earlier->bytes)) {
            earlier->scene_version = decoded->attempt_versions[i];
        }
    }
    return true;
}

/* What a rebuild asks for is small: bodies and sentences stay out. */
static struct span compact(struct verify_log *log, struct sync_result *decoded)
{
    for (uint32_t i = 0; i < decoded->failure_entry_count; i++) {
        decoded->failures[i].message = (struct span){0};
    }
    buffer_clear(&log->compact);
    sync_result_encode(decoded, BODIES_MARKED, 0, &log->compact);
    return log->compact.failed ? (struct span){0} : buffer_span(&log->compact);
}

/* The last word counts: after a replay of lost writes an attempt has a second result, which is the
 * one that the store stands by. */
static bool keep_result(struct verify_log *log, struct sync_result *decoded)
{
    struct result_key key = {.offset = decoded->source.offset,
                             .partition = decoded->source.partition,
                             .attempt = decoded->attempts};
    log->sequence++;
    struct verify_result *result = note_result(log, &key);
    struct span bytes = compact(log, decoded);
    if (result == NULL || span_is_absent(bytes) || !keep_earlier_versions(log, decoded, key)) {
        return false;
    }
    result->sequence = log->sequence;
    result->scene_version = decoded->scene_version;
    if (span_equal(result->bytes, bytes)) {
        return true;
    }
    result->bytes = arena_copy(&log->arena, bytes);
    return !span_is_absent(result->bytes);
}

bool verify_log_add_result(struct verify_log *log, struct span value)
{
    if (!is_of_interest(log, session_of(value))) {
        return true;
    }
    arena_reset(&log->scratch);
    struct sync_result decoded;
    struct error error;
    if (!sync_result_decode(value, &log->scratch, &decoded, &error)) {
        return error.code != ERROR_OUT_OF_MEMORY; /* anybody may write there: not ours, passed by */
    }
    bool is_known_source = span_equal_text(decoded.source.topic, log->topic_ops);
    return !is_known_source || keep_result(log, &decoded);
}
