/* One run of a history against another: what must not depend on how it was run (property.h). */
#include <stdlib.h>

#include "tests/property/engine.h"
#include "tests/property/property.h"
#include "tests/property/state.h"

enum { DUMP_BYTES_MAX = 64 << 20, CUT_MAX = 9, DEATHS = 3, POINTS_FEW = 16 };

static void dump(struct engine *engine, bool only_effects, struct buffer *out)
{
    buffer_init(out, DUMP_BYTES_MAX);
    state_dump_all(engine_store(engine), only_effects, out);
}

/* Equal bytes in the store at the end of both runs. */
static bool end_equal(struct engine *a, struct engine *b, bool only_effects,
                      struct verdict *verdict)
{
    struct buffer dumps[2];
    dump(a, only_effects, &dumps[0]);
    dump(b, only_effects, &dumps[1]);
    bool is_equal = state_dumps_equal(&dumps[0], &dumps[1], verdict);
    buffer_deinit(&dumps[0]);
    buffer_deinit(&dumps[1]);
    return is_equal;
}

static bool is_equal_message(const struct kafka_record *a, const struct kafka_record *b)
{
    return a->record.topic == b->record.topic && a->record.tier == b->record.tier &&
           span_equal(a->record.key, b->record.key) && span_equal(a->record.value, b->record.value);
}

/* --- How the log is cut into cycles --- */

static bool published_equal(const struct kafka *a, const struct kafka *b, struct verdict *verdict)
{
    const size_t count = kafka_published_count(a);
    for (size_t i = 0; i < count && i < kafka_published_count(b); i++) {
        if (!is_equal_message(kafka_published_at(a, i), kafka_published_at(b, i))) {
            return verdict_fails(verdict, "message %zu that was published differs", i);
        }
    }
    return kafka_published_count(b) == count ||
           verdict_fails(verdict, "%zu messages were published, and %zu", count,
                         kafka_published_count(b));
}

bool property_cuts_do_not_matter(const struct history *history, struct verdict *verdict)
{
    const struct engine_plan one_by_one = {.is_eager = true, .cut_max = 1};
    const struct engine_plan other = {
        .cut_max = history->choices[0] % CUT_MAX,
        .cut_seed = history->choices[1],
        .has_cache = history->choices[2] % 2 == 1,
        .is_pipelined = history->choices[2] / 2 % 2 == 1,
        .trouble = (enum trouble)(history->choices[3] % 4),
        .trouble_every = 1 + history->choices[3] / 4 % 3,
    };
    struct engine *a = engine_create(history, &one_by_one);
    struct engine *b = engine_create(history, &other);
    bool holds = engine_run(a, verdict) && engine_run(b, verdict) &&
                 end_equal(a, b, false, verdict) &&
                 published_equal(engine_kafka(a), engine_kafka(b), verdict);
    engine_destroy(a);
    engine_destroy(b);
    return holds;
}

/* --- Records that are delivered again --- */

struct result_name {
    struct span session_id, batch_id, client_id;
    uint64_t attempts;
    bool is_refusal;
};

static struct span text_of(const struct value *map, const char *key)
{
    const struct value *value = value_find(map, key);
    return value_is(value, VALUE_STR) ? value->text : span_of_text("");
}

static struct result_name name_of(const struct kafka_record *record, struct pool *pool)
{
    const struct value *map = value_read(record->record.value, pool);
    struct result_name name = {.session_id = text_of(map, "session_id"),
                               .batch_id = text_of(map, "batch_id"),
                               .client_id = text_of(map, "client_id"),
                               .is_refusal = value_find(map, "error_code") != NULL};
    (void)value_as_uint(value_find(map, "attempts"), &name.attempts);
    return name;
}

static bool is_same_name(const struct result_name *a, const struct result_name *b)
{
    return a->attempts == b->attempts && span_equal(a->session_id, b->session_id) &&
           span_equal(a->batch_id, b->batch_id) && span_equal(a->client_id, b->client_id);
}

/* A repeated result equals the first. */
static bool results_agree(const struct kafka *kafka, struct verdict *verdict)
{
    struct pool pool = {0};
    const size_t count = kafka_published_count(kafka);
    struct result_name *names = pool_alloc(&pool, count * sizeof(*names));
    bool agree = true;
    for (size_t i = 0; i < count && agree; i++) {
        const struct kafka_record *record = kafka_published_at(kafka, i);
        names[i] = record->record.topic == LEDGER_RESULTS ? name_of(record, &pool)
                                                          : (struct result_name){0};
        for (size_t k = 0; k < i && agree && names[i].attempts > 0 && !names[i].is_refusal; k++) {
            if (!names[k].is_refusal && is_same_name(&names[i], &names[k]) &&
                !span_equal(record->record.value, kafka_published_at(kafka, k)->record.value)) {
                agree = verdict_fails(verdict, "two results of %.*s, attempt %llu, differ",
                                      SPAN_ARGS(names[i].batch_id),
                                      (unsigned long long)names[i].attempts);
            }
        }
    }
    pool_free(&pool);
    return agree;
}

static bool is_equal_member(const struct value *a, const struct value *b, const char *key)
{
    const struct value *x = value_find(a, key);
    const struct value *y = value_find(b, key);
    return x != NULL && y != NULL && span_equal(x->raw, y->raw);
}

/* The sentence of a refusal may name a retry's offset, which copies of retries move. */
static bool is_equal_refusal(const struct kafka_record *a, const struct kafka_record *b)
{
    struct pool pool = {0};
    bool is_equal = false;
    if (a->record.topic == LEDGER_RESULTS && b->record.topic == LEDGER_RESULTS) {
        const struct value *x = value_read(a->record.value, &pool);
        const struct value *y = value_read(b->record.value, &pool);
        is_equal = is_equal_member(x, y, "error_code") && is_equal_member(x, y, "source") &&
                   is_equal_member(x, y, "batch_id");
    }
    pool_free(&pool);
    return is_equal;
}

/* Whatever is published in one run is so in the other. */
static bool publishes_all_of(const struct kafka *kafka, const struct kafka *expected,
                             struct verdict *verdict)
{
    for (size_t i = 0; i < kafka_published_count(expected); i++) {
        const struct kafka_record *message = kafka_published_at(expected, i);
        bool is_there = false;
        for (size_t k = 0; k < kafka_published_count(kafka) && !is_there; k++) {
            const struct kafka_record *other = kafka_published_at(kafka, k);
            is_there = is_equal_message(message, other) || is_equal_refusal(message, other);
        }
        if (!is_there) {
            return verdict_fails(verdict, "message %zu of the quiet run is not published", i);
        }
    }
    return true;
}

/* How many batches a run remembers, of a history that all of its steps stand in. */
struct remembering {
    const struct history *history;
    uint32_t batches_max; /* 0: all */
};

/* Whether the batch is surely remembered: one of the scene's newest. What waits for a retry is done
 * later, and which are the newest is not that plain then. */
static bool is_remembered(void *context, const struct step *step, const struct step *sent)
{
    const struct remembering *remembering = context;
    uint32_t newer = 0;
    for (const struct step *between = sent + 1; between < step; between++) {
        newer += between->kind == STEP_SEND && between->scene == sent->scene ? 1 : 0;
    }
    return remembering->batches_max == 0 ||
           (remembering->history->retries_max == 0 && newer < remembering->batches_max);
}

bool property_redelivery_changes_nothing(const struct history *history, struct verdict *verdict)
{
    struct remembering remembering = {.history = history, .batches_max = history->choices[2] % 4};
    struct engine_plan plan = {
        .is_eager = true,
        .cut_max = history->choices[0] % CUT_MAX,
        .cut_seed = history->choices[0],
        .has_cache = history->choices[1] % 2 == 1,
        .is_pipelined = history->choices[1] / 2 % 2 == 1,
        .dedupe_batches_max = remembering.batches_max, /* 0: the default */
        .may_refer = is_remembered,
        .observe_context = &remembering,
    };
    struct engine *again = engine_create(history, &plan);
    plan.skips_again = true;
    struct engine *quiet = engine_create(history, &plan);
    bool holds = engine_run(quiet, verdict) && engine_run(again, verdict) &&
                 end_equal(quiet, again, true, verdict) &&
                 results_agree(engine_kafka(again), verdict) &&
                 publishes_all_of(engine_kafka(again), engine_kafka(quiet), verdict);
    engine_destroy(again);
    engine_destroy(quiet);
    return holds;
}

/* --- Death --- */

/* What stood in a scene after each record. */
struct stages {
    struct buffer *dumps;
    size_t count;
};

struct dying {
    struct engine *engine;
    struct stages stages[HISTORY_SCENES];
};

static bool note_stage(void *context, struct verdict *verdict)
{
    struct dying *dying = context;
    (void)verdict;
    for (uint32_t i = 0; i < HISTORY_SCENES; i++) {
        struct stages *stages = &dying->stages[i];
        stages->dumps = grown(stages->dumps, stages->count + 1, sizeof(struct buffer));
        struct buffer *at = &stages->dumps[stages->count++];
        buffer_init(at, DUMP_BYTES_MAX);
        state_dump(engine_store(dying->engine), history_scene_id(i), true, at);
    }
    return true;
}

/* Each scene stands as after some whole number of batches. */
static bool expect_stage(void *context, struct verdict *verdict)
{
    struct dying *dying = context;
    for (uint32_t i = 0; i < HISTORY_SCENES; i++) {
        struct buffer now;
        struct verdict ignored;
        bool is_stage = false;
        buffer_init(&now, DUMP_BYTES_MAX);
        state_dump(engine_store(dying->engine), history_scene_id(i), true, &now);
        for (size_t k = 0; k < dying->stages[i].count && !is_stage; k++) {
            is_stage = state_dumps_equal(&dying->stages[i].dumps[k], &now, &ignored);
        }
        if (!is_stage) {
            (void)verdict_fails(verdict, "the process died, and scene %s holds half a batch:\n%.*s",
                                history_scene_id(i), now.size < 700 ? (int)now.size : 700,
                                (const char *)now.data);
        }
        buffer_deinit(&now);
        if (!is_stage) {
            return false;
        }
    }
    return true;
}

static struct engine_plan plan_of_death(const struct history *history)
{
    return (struct engine_plan){
        .is_eager = history->choices[0] % 4 == 0,
        .cut_max = history->choices[0] % CUT_MAX,
        .cut_seed = history->choices[0],
        .has_cache = history->choices[1] % 2 == 1,
        .is_pipelined = history->choices[1] / 2 % 2 == 1,
        .lost_offsets = history->choices[2] % 4,
    };
}

static bool die_once(const struct history *history, struct engine *quiet, struct dying *dying,
                     uint64_t dies_at, bool dies_after, struct verdict *verdict)
{
    struct engine_plan plan = plan_of_death(history);
    plan.dies_at = dies_at;
    plan.dies_after = dies_after;
    plan.observe_death = expect_stage;
    plan.observe_context = dying;
    struct engine *engine = engine_create(history, &plan);
    dying->engine = engine;
    bool holds = engine_run(engine, verdict) && end_equal(quiet, engine, true, verdict) &&
                 results_agree(engine_kafka(engine), verdict) &&
                 publishes_all_of(engine_kafka(engine), engine_kafka(quiet), verdict);
    engine_destroy(engine);
    return holds;
}

/* How many points there are at which the process can die. */
static uint64_t count_points(const struct history *history)
{
    struct verdict ignored;
    struct engine_plan plan = plan_of_death(history);
    struct engine *engine = engine_create(history, &plan);
    (void)engine_run(engine, &ignored);
    uint64_t points = engine_steps(engine);
    engine_destroy(engine);
    return points;
}

/* At every point where there are few, else at some, before and after what happens there. */
static bool die_often(const struct history *history, struct engine *quiet, struct dying *dying,
                      uint64_t points, struct verdict *verdict)
{
    struct dice dice = {.state = history->choices[3]};
    bool at_all = points <= POINTS_FEW;
    uint64_t deaths = at_all ? 2 * points : DEATHS;
    for (uint64_t i = 0; i < deaths; i++) {
        uint64_t dies_at = 1 + (at_all ? i / 2 : dice_throw(&dice) % points);
        bool dies_after = at_all ? i % 2 == 1 : dice_one_in(&dice, 2);
        struct verdict inner;
        if (!die_once(history, quiet, dying, dies_at, dies_after, &inner)) {
            return verdict_fails(verdict, "death at point %llu of %llu, %s it: %.800s",
                                 (unsigned long long)dies_at, (unsigned long long)points,
                                 dies_after ? "after" : "before", inner.reason);
        }
    }
    return true;
}

bool property_death_tears_no_batch(const struct history *history, struct verdict *verdict)
{
    struct dying dying = {.engine = NULL};
    const struct engine_plan one_by_one = {
        .is_eager = true, .cut_max = 1, .observe = note_stage, .observe_context = &dying};
    struct engine *quiet = engine_create(history, &one_by_one);
    dying.engine = quiet;
    bool holds = note_stage(&dying, verdict) && engine_run(quiet, verdict);
    uint64_t points = count_points(history);
    holds = holds && die_often(history, quiet, &dying, points, verdict);
    for (uint32_t i = 0; i < HISTORY_SCENES; i++) {
        for (size_t k = 0; k < dying.stages[i].count; k++) {
            buffer_deinit(&dying.stages[i].dumps[k]);
        }
        free(dying.stages[i].dumps);
    }
    engine_destroy(quiet);
    return holds;
}
