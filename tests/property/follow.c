/* The engine against the independent model, record by record (property.h). */
#include <stddef.h>

#include "protocol/arena.h"
#include "tests/property/engine.h"
#include "tests/property/follower.h"
#include "tests/property/property.h"
#include "tests/property/state.h"

enum { ARENA_BYTES_MAX = 16 << 20, REMEMBERED_MAX = 4 };

static const char *redis_url;
static void (*empty_redis)(void *context);
static void *empty_redis_context;

void property_use_redis(const char *url, void (*empty)(void *context), void *context)
{
    redis_url = url;
    empty_redis = empty;
    empty_redis_context = context;
}

struct following {
    struct engine *engine;
    struct follower *follower;
    struct arena arena;
    uint32_t remembered; /* resends are sent of the newest so many */
};

/* One cycle has settled one record: scene, results and messages are the model's. */
static bool follow(void *context, struct verdict *verdict)
{
    struct following *following = context;
    const struct kafka *kafka = engine_kafka(following->engine);
    const size_t settled = kafka_settled_count(kafka);
    const struct kafka_record *record = kafka_log_at(kafka, kafka_settled_at(kafka, settled - 1));
    if (!follower_take(following->follower, record, engine_now_ms(following->engine), kafka,
                       verdict)) {
        return false;
    }
    for (uint32_t i = 0; i < HISTORY_SCENES; i++) {
        struct state state;
        arena_reset(&following->arena);
        if (!state_read(engine_store(following->engine), history_scene_id(i), &following->arena,
                        &state, verdict)) {
            return false;
        }
        struct verdict inner;
        if (!state_is(&state, follower_scene(following->follower, i), history_scene_id(i),
                      &inner)) {
            return verdict_fails(verdict, "after %s/%d/%lld: %.800s", record->record.topic_name,
                                 (int)record->record.partition, (long long)record->record.offset,
                                 inner.reason);
        }
    }
    return true;
}

static bool may_refer(void *context, const struct step *step, const struct step *sent)
{
    const struct following *following = context;
    (void)step;
    return following->remembered == 0 ||
           follower_remembers(following->follower, sent, following->remembered);
}

static bool run_followed(const struct history *history, struct engine_plan *plan,
                         uint32_t remembered, struct verdict *verdict)
{
    struct following following = {.follower = follower_create(history), .remembered = remembered};
    arena_init(&following.arena, ARENA_BYTES_MAX);
    plan->is_eager = true;
    plan->cut_max = 1;
    plan->observe = follow;
    plan->may_refer = may_refer;
    plan->observe_context = &following;
    following.engine = engine_create(history, plan);
    bool holds = engine_run(following.engine, verdict);
    engine_destroy(following.engine);
    follower_destroy(following.follower);
    arena_deinit(&following.arena);
    return holds;
}

bool property_engine_is_model(const struct history *history, struct verdict *verdict)
{
    struct engine_plan plan = {.has_cache = history->choices[0] % 2 == 1, .redis_url = redis_url};
    if (redis_url != NULL) {
        empty_redis(empty_redis_context);
    }
    return run_followed(history, &plan, 0, verdict);
}

bool property_resends_change_nothing(const struct history *history, struct verdict *verdict)
{
    struct engine_plan plan = {.has_cache = history->choices[0] % 2 == 1,
                               .dedupe_batches_max = 1 + history->choices[1] % REMEMBERED_MAX};
    return run_followed(history, &plan, plan.dedupe_batches_max, verdict);
}
