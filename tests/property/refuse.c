/* A scene whose data the store refuses: its batches fail for good, answered once and rightly, and
 * nobody else notices (property.h; store/README.md, "Faults"). */
#include <inttypes.h>

#include "tests/model/value.h"
#include "tests/property/engine.h"
#include "tests/property/property.h"
#include "tests/property/state.h"

enum { DUMP_BYTES_MAX = 64 << 20, CUT_MAX = 9 };

static const char *const refused = "s0";
static const char *const other = "s1";

static bool is_failure(const struct value *failure)
{
    const struct value *code = value_find(failure, "code");
    return value_is_text(code, "store_error") || value_is_text(code, "invalid_operation");
}

static bool is_number(const struct value *map, const char *key, uint64_t expected)
{
    uint64_t number = 0;
    return value_as_uint(value_find(map, key), &number) && number == expected;
}

/* Nothing of it waits, nothing counts as applied but interactions, and it is told once. */
static bool is_refusal(const struct kafka_record *result, struct pool *pool,
                       struct verdict *verdict)
{
    const struct value *map = value_read(result->record.value, pool);
    const struct value *failures = value_find(map, "failed_operations");
    if (!is_number(map, "pending_count", 0) || !is_number(map, "attempts", 1) ||
        !is_number(map, "scene_version", 0) || !is_number(map, "conflict_count", 0)) {
        return verdict_fails(verdict, "a refused scene's result is not that of a refusal");
    }
    for (const struct value *failure = failures->first; failure != NULL; failure = failure->next) {
        if (!is_failure(failure)) {
            return verdict_fails(verdict, "an operation failed, and not for the store");
        }
    }
    return span_is_absent(kafka_header(result, "scenesync-duplicate")) ||
           verdict_fails(verdict, "the first answer is marked as a duplicate");
}

static bool is_of_refused(const struct kafka_record *record)
{
    return span_equal_text(record->record.key, refused);
}

/* One answer for each batch, and a dead letter where there is something to keep. */
static bool answers_are_refusals(const struct kafka *kafka, struct verdict *verdict)
{
    size_t open = 0;
    for (size_t i = 0; i < kafka_log_count(kafka); i++) {
        open += is_of_refused(kafka_log_at(kafka, i)) ? 1 : 0;
    }
    for (size_t i = 0; i < kafka_published_count(kafka); i++) {
        const struct kafka_record *message = kafka_published_at(kafka, i);
        struct pool pool = {0};
        bool is_right = true;
        if (!is_of_refused(message)) {
            continue;
        }
        if (message->record.topic == LEDGER_RESULTS) {
            open -= 1;
            is_right = is_refusal(message, &pool, verdict);
        } else {
            const struct span code = kafka_header(message, "scenesync-error-code");
            is_right = span_equal_text(code, "store_error") ||
                       verdict_fails(verdict, "a message that is no dead letter for store_error");
        }
        pool_free(&pool);
        if (!is_right) {
            return false;
        }
    }
    return open == 0 || verdict_fails(verdict, "batches and answers differ by %zu", open);
}

/* The other scene is as in a run in which nothing was refused; of this one nothing is stored. */
static bool others_are_unharmed(struct engine *harmed, struct engine *quiet,
                                struct verdict *verdict)
{
    struct buffer dumps[2];
    buffer_init(&dumps[0], DUMP_BYTES_MAX);
    buffer_init(&dumps[1], DUMP_BYTES_MAX);
    state_dump_all(engine_store(harmed), true, &dumps[0]);
    state_dump(engine_store(quiet), other, true, &dumps[1]);
    bool is_equal = state_dumps_equal(&dumps[0], &dumps[1], verdict);
    buffer_deinit(&dumps[0]);
    buffer_deinit(&dumps[1]);
    return is_equal;
}

bool property_refusals_stay_alone(const struct history *history, struct verdict *verdict)
{
    struct engine_plan plan = {
        .cut_max = history->choices[0] % CUT_MAX,
        .cut_seed = history->choices[1],
        .has_cache = history->choices[2] % 2 == 1,
        .is_pipelined = history->choices[2] / 2 % 2 == 1,
    };
    struct engine *quiet = engine_create(history, &plan);
    plan.refused_scene = refused;
    struct engine *harmed = engine_create(history, &plan);
    bool holds = engine_run(quiet, verdict) && engine_run(harmed, verdict) &&
                 answers_are_refusals(engine_kafka(harmed), verdict) &&
                 others_are_unharmed(harmed, quiet, verdict);
    engine_destroy(harmed);
    engine_destroy(quiet);
    return holds;
}
