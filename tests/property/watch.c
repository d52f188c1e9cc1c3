/* What is true of every step of a scene, and of every message (property.h). */
#include <inttypes.h>

#include "protocol/arena.h"
#include "tests/property/engine.h"
#include "tests/property/property.h"
#include "tests/property/state.h"

enum { ARENA_BYTES_MAX = 16 << 20, CUT_MAX = 9 };

static struct model_settings settings_of(const struct history *history)
{
    struct model_settings settings = model_settings_default();
    settings.retries_max = history->retries_max;
    settings.strategy = (enum model_strategy)history->strategy;
    settings.allow_batch_strategy = history->is_strategy_fixed == 0;
    return settings;
}

/* --- Nothing goes back, nothing untouched changes --- */

/* A scene before and after one record. */
struct watching {
    struct engine *engine;
    struct model_settings settings;
    struct arena arenas[2]; /* of the states, in turn */
    struct state states[2][HISTORY_SCENES];
    unsigned turn; /* which of both is the newer one */
};

/* One element on its way, and the batch that may have changed it. */
struct passage {
    const char *id;
    struct stored_element before, after;
    bool is_retry;
    uint64_t arrival_ms;
    const struct model_batch *batch;
};

static uint64_t time_of(const struct passage *passage, const struct model_operation *operation)
{
    return operation->timestamp_ms < passage->arrival_ms ? operation->timestamp_ms
                                                         : passage->arrival_ms;
}

static bool is_about(const struct passage *passage, const struct model_operation *operation,
                     enum model_kind kind)
{
    return operation->kind == kind && span_equal_text(operation->id, passage->id);
}

/* Whether an add of this batch may bring the removed element back. */
static bool may_come_back(const struct passage *passage)
{
    const bool is_remote = passage->batch->strategy == MODEL_REMOTE_WINS;
    for (uint32_t i = 0; i < passage->batch->operation_count; i++) {
        const struct model_operation *operation = &passage->batch->operations[i];
        if (!is_about(passage, operation, MODEL_ADD)) {
            continue;
        }
        const uint64_t time_ms = time_of(passage, operation);
        if (time_ms > passage->before.timestamp_ms || (is_remote && !passage->is_retry) ||
            (is_remote && time_ms == passage->before.timestamp_ms)) {
            return true;
        }
    }
    return false;
}

/* What the batch's updates say about one map; several of them stand side by side. */
struct changes {
    const struct value *maps[HISTORY_EDITS_MAX];
    size_t count;
};

static struct changes changes_of(const struct passage *passage)
{
    struct changes changes = {.count = 0};
    for (uint32_t i = 0; i < passage->batch->operation_count; i++) {
        const struct model_operation *operation = &passage->batch->operations[i];
        if (is_about(passage, operation, MODEL_UPDATE)) {
            changes.maps[changes.count++] = operation->content;
        }
    }
    return changes;
}

/* The changes below this key. `is_replaced`: one of them is no map. */
static struct changes changes_below(const struct changes *changes, struct span key,
                                    bool *is_replaced)
{
    struct changes below = {.count = 0};
    *is_replaced = false;
    for (size_t i = 0; i < changes->count; i++) {
        const struct value *member = value_find_span(changes->maps[i], key);
        if (value_is(member, VALUE_MAP)) {
            below.maps[below.count++] = member;
        } else if (member != NULL) {
            *is_replaced = true;
        }
    }
    return below;
}

static bool untouched_stays(const struct value *before, const struct value *after,
                            const struct changes *changes, struct verdict *verdict)
{
    for (const struct value *member = before->first; member != NULL; member = member->next) {
        const struct span key = member->key->text;
        const struct value *now = value_find_span(after, key);
        bool is_replaced = false;
        const struct changes below = changes_below(changes, key, &is_replaced);
        if (is_replaced) {
            continue;
        }
        if (below.count == 0) {
            if (now == NULL || !span_equal(now->raw, member->raw) ||
                !span_equal(now->key->raw, member->key->raw)) {
                return verdict_fails(verdict, "'%.*s' was not touched, and changed",
                                     SPAN_ARGS(key));
            }
        } else if (value_is(member, VALUE_MAP) && value_is(now, VALUE_MAP) &&
                   !untouched_stays(member, now, &below, verdict)) {
            return false;
        }
    }
    for (const struct value *member = after->first; member != NULL; member = member->next) {
        bool is_replaced = false;
        const struct changes below = changes_below(changes, member->key->text, &is_replaced);
        if (value_find_span(before, member->key->text) == NULL && below.count == 0 &&
            !is_replaced) {
            return verdict_fails(verdict, "'%.*s' came from nowhere", SPAN_ARGS(member->key->text));
        }
    }
    return true;
}

static bool is_updated_only(const struct passage *passage)
{
    for (uint32_t i = 0; i < passage->batch->operation_count; i++) {
        const struct model_operation *operation = &passage->batch->operations[i];
        if (is_about(passage, operation, MODEL_ADD) || is_about(passage, operation, MODEL_REMOVE)) {
            return false;
        }
    }
    return passage->before.document != NULL && passage->after.document != NULL;
}

static bool passage_is_right(const struct passage *passage, struct verdict *verdict)
{
    const struct stored_element *before = &passage->before;
    const struct stored_element *after = &passage->after;
    if (after->version < before->version || after->timestamp_ms < before->timestamp_ms) {
        return verdict_fails(verdict,
                             "%s went back from version %" PRIu64 " at %" PRIu64
                             " to version %" PRIu64 " at %" PRIu64,
                             passage->id, before->version, before->timestamp_ms, after->version,
                             after->timestamp_ms);
    }
    if (before->document == NULL && after->document != NULL && !may_come_back(passage)) {
        return verdict_fails(verdict, "%s was removed at %" PRIu64 " and came back", passage->id,
                             before->timestamp_ms);
    }
    if (is_updated_only(passage)) {
        const struct changes changes = changes_of(passage);
        struct verdict inner;
        if (!untouched_stays(before->document, after->document, &changes, &inner)) {
            return verdict_fails(verdict, "%s: %.800s", passage->id, inner.reason);
        }
    }
    return true;
}

static bool element_passes(const struct state *before, const struct state *after, uint32_t element,
                           struct passage *passage, struct verdict *verdict)
{
    struct pool pool = {0};
    const struct span old = before->values[element];
    const struct span new = after->values[element];
    passage->id = history_element_id(element);
    bool is_right = true;
    if (span_equal(old, new) && span_is_absent(old) == span_is_absent(new)) {
        return true;
    }
    if (span_is_absent(new)) {
        return verdict_fails(verdict, "%s is unknown now", passage->id);
    }
    if (!stored_element_read(new, &pool, &passage->after) ||
        passage->after.version != after->version) {
        is_right =
            verdict_fails(verdict, "%s changed, and has not the scene's version", passage->id);
    } else if (!span_is_absent(old)) {
        is_right =
            stored_element_read(old, &pool, &passage->before) && passage_is_right(passage, verdict);
    }
    pool_free(&pool);
    return is_right;
}

static uint64_t arrival_of(const struct watching *watching, const struct kafka_record *record,
                           const struct model_batch *batch)
{
    const uint64_t stamped_ms = (uint64_t)record->record.timestamp_ms;
    const uint64_t now_ms = engine_now_ms(watching->engine);
    if (record->record.tier > 0) {
        return batch->retry.arrival_ms;
    }
    return record->record.log_append_time || stamped_ms < now_ms ? stamped_ms : now_ms;
}

static bool scene_passes(const struct watching *watching, uint32_t scene,
                         const struct kafka_record *record, struct verdict *verdict)
{
    const struct state *before = &watching->states[1 - watching->turn][scene];
    const struct state *after = &watching->states[watching->turn][scene];
    struct pool pool = {0};
    struct model_batch batch;
    model_batch_read(record->record.value, &watching->settings, record->record.tier > 0, &pool,
                     &batch);
    struct passage passage = {.is_retry = record->record.tier > 0,
                              .batch = &batch,
                              .arrival_ms = arrival_of(watching, record, &batch)};
    bool is_right =
        (after->version == before->version || after->version == before->version + 1) ||
        verdict_fails(verdict, "one batch took the scene from version %" PRIu64 " to %" PRIu64,
                      before->version, after->version);
    bool has_changed = false;
    for (uint32_t i = 0; i < HISTORY_ELEMENTS && is_right; i++) {
        has_changed = has_changed || !span_equal(before->values[i], after->values[i]);
        is_right = element_passes(before, after, i, &passage, verdict);
    }
    if (is_right && has_changed != (after->version != before->version)) {
        is_right = verdict_fails(verdict, "version %" PRIu64 ", and %s changed", after->version,
                                 has_changed ? "something" : "nothing");
    }
    pool_free(&pool);
    return is_right;
}

static bool read_states(struct watching *watching, struct verdict *verdict)
{
    arena_reset(&watching->arenas[watching->turn]);
    for (uint32_t i = 0; i < HISTORY_SCENES; i++) {
        if (!state_read(engine_store(watching->engine), history_scene_id(i),
                        &watching->arenas[watching->turn], &watching->states[watching->turn][i],
                        verdict)) {
            return false;
        }
    }
    return true;
}

static bool watch(void *context, struct verdict *verdict)
{
    struct watching *watching = context;
    const struct kafka *kafka = engine_kafka(watching->engine);
    const size_t at = kafka_settled_at(kafka, kafka_settled_count(kafka) - 1);
    const struct kafka_record *record = kafka_log_at(kafka, at);
    watching->turn = 1 - watching->turn;
    if (!read_states(watching, verdict)) {
        return false;
    }
    for (uint32_t i = 0; i < HISTORY_SCENES; i++) {
        struct verdict inner;
        if (!scene_passes(watching, i, record, &inner)) {
            return verdict_fails(verdict, "%s/%d/%lld: %.800s", record->record.topic_name,
                                 (int)record->record.partition, (long long)record->record.offset,
                                 inner.reason);
        }
    }
    return true;
}

bool property_nothing_goes_back(const struct history *history, struct verdict *verdict)
{
    struct watching watching = {.settings = settings_of(history)};
    arena_init(&watching.arenas[0], ARENA_BYTES_MAX);
    arena_init(&watching.arenas[1], ARENA_BYTES_MAX);
    const struct engine_plan plan = {.is_eager = true,
                                     .cut_max = 1,
                                     .has_cache = history->choices[0] % 2 == 1,
                                     .observe = watch,
                                     .observe_context = &watching};
    watching.engine = engine_create(history, &plan);
    bool holds = read_states(&watching, verdict) && engine_run(watching.engine, verdict);
    engine_destroy(watching.engine);
    arena_deinit(&watching.arenas[0]);
    arena_deinit(&watching.arenas[1]);
    return holds;
}

/* --- Counts --- */

static uint64_t number_of(const struct value *map, const char *key)
{
    uint64_t number = 0;
    (void)value_as_uint(value_find(map, key), &number);
    return number;
}

static bool is_true(const struct value *map, const char *key)
{
    const struct value *value = value_find(map, key);
    return value_is(value, VALUE_BOOL) && value->boolean;
}

/* How many operations the batch has that the result is about. */
static uint64_t operations_of(const struct kafka *kafka, const struct value *map,
                              const struct model_settings *settings, struct pool *pool)
{
    const struct value *source = value_find(map, "source");
    for (size_t i = 0; i < kafka_log_count(kafka); i++) {
        const struct ledger_record *record = &kafka_log_at(kafka, i)->record;
        if (record->topic == LEDGER_OPS &&
            (uint64_t)record->partition == number_of(source, "partition") &&
            (uint64_t)record->offset == number_of(source, "offset")) {
            struct model_batch batch;
            model_batch_read(record->value, settings, false, pool, &batch);
            return batch.operation_count;
        }
    }
    return UINT64_MAX;
}

static bool count_adds_up(const struct kafka *kafka, const struct value *map,
                          const struct model_settings *settings, struct pool *pool,
                          struct verdict *verdict)
{
    const uint64_t synced = number_of(map, "synced_count");
    const uint64_t failed = number_of(map, "failed_count");
    const uint64_t pending = number_of(map, "pending_count");
    const uint64_t operations = operations_of(kafka, map, settings, pool);
    const bool is_success = failed == 0 && pending == 0;
    if (value_find(map, "error_code") != NULL) {
        return (!is_true(map, "success") && is_true(map, "final") && synced + failed == 0) ||
               verdict_fails(verdict, "a refusal counts operations, or succeeds");
    }
    if (synced + failed + pending != operations) {
        return verdict_fails(verdict,
                             "%" PRIu64 " synced + %" PRIu64 " failed + %" PRIu64
                             " pending, of %" PRIu64 " operations",
                             synced, failed, pending, operations);
    }
    if (is_true(map, "success") != is_success || is_true(map, "final") != (pending == 0)) {
        return verdict_fails(verdict, "success or final do not go with the counts");
    }
    if (value_find(map, "failed_operations")->count != failed + pending ||
        value_find(map, "conflicts")->count != number_of(map, "conflict_count") ||
        number_of(map, "clamped_count") > operations) {
        return verdict_fails(verdict, "lists and counts differ");
    }
    return true;
}

bool property_counts_add_up(const struct history *history, struct verdict *verdict)
{
    const struct model_settings settings = settings_of(history);
    const struct engine_plan plan = {.cut_max = history->choices[0] % CUT_MAX,
                                     .cut_seed = history->choices[1],
                                     .has_cache = history->choices[2] % 2 == 1,
                                     .is_pipelined = history->choices[2] / 2 % 2 == 1};
    struct engine *engine = engine_create(history, &plan);
    bool holds = engine_run(engine, verdict);
    const struct kafka *kafka = engine_kafka(engine);
    for (size_t i = 0; i < kafka_published_count(kafka) && holds; i++) {
        const struct kafka_record *record = kafka_published_at(kafka, i);
        struct pool pool = {0};
        if (record->record.topic == LEDGER_RESULTS) {
            holds = count_adds_up(kafka, value_read(record->record.value, &pool), &settings, &pool,
                                  verdict);
        }
        pool_free(&pool);
    }
    engine_destroy(engine);
    return holds;
}
