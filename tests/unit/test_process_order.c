#include "store/process.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "protocol/pack.h"
#include "tests/support/batches.h"
#include "tests/support/dice.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

/*
 * Random batches against a plain model of the protocol's table: the outcome of every operation of
 * every attempt, and what stands in the scene afterwards, must be what applying the operations one
 * by one in their order gives.
 */

enum {
    SEQUENCES = 100,
    STEPS_PER_SEQUENCE = 20,
    OPERATIONS_MAX = 100,
    ELEMENTS = 8,
    FIELDS = 3,
    CLOCK_MAX_MS = 40,
    ARRIVAL_MS = 36, /* so that some timestamps are clamped */
    RETRIES_MAX = 2,
    WAITING_MAX = 4,
    NOTHING = -1
};

/* Randomness: seeded by the clock or by the environment. */

static struct dice dice;

static uint32_t random_below(uint32_t bound)
{
    return dice_below(&dice, bound);
}

static uint64_t seed_from_environment(void)
{
    const char *text = getenv("SCENESYNC_TEST_SEED");
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    if (text != NULL) {
        seed = strtoull(text, NULL, 10);
    }
    (void)fprintf(stderr, "SCENESYNC_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* The model. */

struct model_operation {
    enum operation_kind kind;
    int element, field;
    int value; /* unique, so that every write can be told apart */
    uint64_t timestamp_ms;
    bool has_base;
    uint64_t base_version;
};

struct model_element {
    bool is_known, is_present;
    uint64_t timestamp_ms, version;
    int fields[FIELDS];
    /* within the batch at hand */
    bool was_added, was_removed;
    uint64_t version_before;
};

struct model {
    struct model_element elements[ELEMENTS];
    uint64_t version;
    bool has_changed;
};

struct verdict {
    bool is_synced, is_pending;
    enum error_code code;
};

static const struct verdict synced = {.is_synced = true};

static struct verdict failed(enum error_code code)
{
    return (struct verdict){.code = code};
}

static struct verdict missing(bool is_last, enum error_code code_at_last)
{
    return is_last ? failed(code_at_last)
                   : (struct verdict){.is_pending = true, .code = ERROR_ELEMENT_NOT_FOUND};
}

static void model_write(struct model *model, struct model_element *element,
                        const struct model_operation *operation, uint64_t time_ms)
{
    if (operation->kind == OPERATION_ADD) {
        for (int i = 0; i < FIELDS; i++) {
            element->fields[i] = NOTHING;
        }
        element->was_added = element->was_added || !element->is_present;
    }
    element->fields[operation->field] = operation->value;
    element->is_present = operation->kind != OPERATION_REMOVE;
    if (!element->is_present) {
        element->was_added = false;
        element->was_removed = true;
    }
    element->is_known = true;
    element->timestamp_ms = time_ms > element->timestamp_ms ? time_ms : element->timestamp_ms;
    element->version = model->version + 1;
    model->has_changed = true;
}

/* An operation on an element that is not there. */
static struct verdict model_absent(struct model *model, struct model_element *element,
                                   const struct model_operation *operation, uint64_t time_ms,
                                   enum strategy strategy, bool is_retry, bool is_last)
{
    uint64_t removed_ms = element->timestamp_ms;
    bool is_remove = operation->kind == OPERATION_REMOVE;
    if (operation->kind == OPERATION_ADD) {
        bool is_free = !element->is_known || time_ms > removed_ms ||
                       (time_ms == removed_ms && element->was_removed);
        bool is_forced = strategy == STRATEGY_REMOTE_WINS && !(is_retry && time_ms < removed_ms);
        if (!is_free && !is_forced) {
            return failed(ERROR_STALE_TIMESTAMP);
        }
        model_write(model, element, operation, time_ms);
        return synced;
    }
    if (!element->is_known) {
        if (is_remove && is_last) {
            model_write(model, element, operation, time_ms);
        }
        return missing(is_last, ERROR_ELEMENT_NOT_FOUND);
    }
    if (is_remove) {
        if (time_ms > removed_ms) {
            model_write(model, element, operation, time_ms);
        }
        return failed(ERROR_ELEMENT_REMOVED);
    }
    return time_ms < removed_ms ? failed(ERROR_STALE_TIMESTAMP)
                                : missing(is_last, ERROR_ELEMENT_REMOVED);
}

static struct verdict model_present(struct model *model, struct model_element *element,
                                    const struct model_operation *operation, uint64_t time_ms,
                                    enum strategy strategy, bool is_retry)
{
    bool is_stale = time_ms < element->timestamp_ms;
    enum error_code conflict = ERROR_NONE;
    if (is_stale) {
        conflict = ERROR_STALE_TIMESTAMP;
    } else if (operation->kind == OPERATION_ADD) {
        conflict = ERROR_ELEMENT_ALREADY_EXISTS;
    }
    if (operation->has_base && !element->was_added) {
        conflict = operation->base_version == element->version_before
                       ? ERROR_NONE
                       : ERROR_CONCURRENT_MODIFICATION;
    }
    bool is_kept = conflict != ERROR_NONE &&
                   (strategy == STRATEGY_LOCAL_WINS ||
                    (is_stale && (strategy == STRATEGY_LAST_WRITE_WINS || is_retry)));
    if (is_kept) {
        return failed(conflict);
    }
    model_write(model, element, operation, time_ms);
    return synced;
}

static struct verdict model_apply(struct model *model, const struct model_operation *operation,
                                  enum strategy strategy, uint32_t attempt)
{
    bool is_retry = attempt > 1;
    uint64_t time_ms = operation->timestamp_ms < ARRIVAL_MS ? operation->timestamp_ms : ARRIVAL_MS;
    struct model_element *element = &model->elements[operation->element];
    if (operation->kind == OPERATION_INTERACTION) {
        return synced;
    }
    if (element->is_present) {
        return model_present(model, element, operation, time_ms, strategy, is_retry);
    }
    return model_absent(model, element, operation, time_ms, strategy, is_retry,
                        attempt > RETRIES_MAX);
}

static void model_begin(struct model *model)
{
    model->has_changed = false;
    for (int i = 0; i < ELEMENTS; i++) {
        struct model_element *element = &model->elements[i];
        element->was_added = false;
        element->was_removed = false;
        element->version_before = element->version;
    }
}

/* The same operations as bytes. */

static const char *const element_ids[ELEMENTS] = {"a", "b", "c", "d", "e", "f", "g", "h"};
static const char *const field_names[FIELDS] = {"f0", "f1", "f2"};

static void pack_field(struct buffer *out, const struct model_operation *operation)
{
    pack_text(out, field_names[operation->field]);
    pack_int(out, operation->value);
}

static void pack_id(struct buffer *out, int element)
{
    pack_text(out, "id");
    pack_text(out, element_ids[element]);
}

static void pack_operation(struct buffer *out, const struct model_operation *operation)
{
    static const uint32_t pairs[] = {[OPERATION_ADD] = 3,
                                     [OPERATION_UPDATE] = 4,
                                     [OPERATION_REMOVE] = 3,
                                     [OPERATION_INTERACTION] = 2};
    pack_map(out, pairs[operation->kind] + (operation->has_base ? 1 : 0));
    pack_text(out, "op");
    pack_text(out, operation_kind_name(operation->kind));
    pack_text(out, "timestamp");
    pack_uint(out, operation->timestamp_ms);
    if (operation->has_base) {
        pack_text(out, "base_version");
        pack_uint(out, operation->base_version);
    }
    if (operation->kind == OPERATION_ADD) {
        pack_text(out, "element");
        pack_map(out, 3);
        pack_id(out, operation->element);
        pack_text(out, "kind");
        pack_raw(out, message_of("{'type':'T'}"));
        pack_field(out, operation);
    } else if (operation->kind != OPERATION_INTERACTION) {
        pack_id(out, operation->element);
    }
    if (operation->kind == OPERATION_UPDATE) {
        pack_text(out, "changes");
        pack_map(out, 1);
        pack_field(out, operation);
    }
}

static struct batch batch_of_operations(const struct model_operation *operations, uint32_t count,
                                        enum strategy strategy)
{
    struct buffer *out = test_scratch();
    buffer_clear(out);
    pack_map(out, 3);
    pack_text(out, "session_id");
    pack_text(out, "s");
    pack_text(out, "strategy");
    pack_text(out, strategy_name(strategy));
    pack_text(out, "operations");
    pack_array(out, count);
    for (uint32_t i = 0; i < count; i++) {
        pack_operation(out, &operations[i]);
    }
    return batch_of_bytes(bytes_keep(buffer_span(out)));
}

/* One batch under way: what it consists of, and its next attempt. */
struct journey {
    struct model_operation operations[OPERATIONS_MAX];
    uint32_t count, synced_count;
    struct batch batch;
};

struct world {
    struct scene *scene;
    struct model model;
    struct journey waiting[WAITING_MAX]; /* with pending operations */
    uint32_t waiting_count;
    int next_value;
};

static void make_journey(struct world *world, struct journey *journey)
{
    static const enum operation_kind kinds[] = {
        OPERATION_ADD,    OPERATION_ADD,    OPERATION_UPDATE,     OPERATION_UPDATE,
        OPERATION_UPDATE, OPERATION_REMOVE, OPERATION_INTERACTION};
    journey->count = random_below(OPERATIONS_MAX + 1);
    journey->synced_count = 0;
    for (uint32_t i = 0; i < journey->count; i++) {
        journey->operations[i] = (struct model_operation){
            .kind = kinds[random_below(sizeof(kinds) / sizeof(kinds[0]))],
            .element = (int)random_below(ELEMENTS),
            .field = (int)random_below(FIELDS),
            .value = world->next_value++,
            .timestamp_ms = random_below(CLOCK_MAX_MS),
            .has_base = random_below(4) == 0,
            .base_version = random_below((uint32_t)world->model.version + 2),
        };
    }
    enum strategy strategy = (enum strategy)random_below(STRATEGY_MERGE);
    journey->batch = batch_of_operations(journey->operations, journey->count, strategy);
}

static void expect_outcome(const struct sync_result *result, uint32_t index, uint32_t attempt,
                           struct verdict expected)
{
    const struct failure_entry *failure = failure_at(result, index);
    if (expected.is_synced) {
        cr_assert_null(failure, "operation %u, attempt %u: %s", index, attempt,
                       failure == NULL ? "" : error_code_name(failure->code));
        return;
    }
    cr_assert_not_null(failure, "operation %u, attempt %u was applied, expected %s", index, attempt,
                       error_code_name(expected.code));
    cr_assert_eq(failure->code, expected.code, "operation %u, attempt %u: %s, expected %s", index,
                 attempt, error_code_name(failure->code), error_code_name(expected.code));
    cr_assert_eq(failure->pending, expected.is_pending);
}

static void expect_scene(const struct world *world)
{
    uint64_t present_count = 0;
    cr_assert_eq(world->scene->version, world->model.version);
    for (int i = 0; i < ELEMENTS; i++) {
        const struct model_element *expected = &world->model.elements[i];
        const struct element *element = scene_find(world->scene, span_of_text(element_ids[i]));
        present_count += expected->is_present ? 1 : 0;
        if (element == NULL || !expected->is_known) {
            cr_assert(!expected->is_known);
            cr_assert(element == NULL || element->presence == ELEMENT_UNKNOWN);
            continue;
        }
        cr_assert_eq(element->presence == ELEMENT_PRESENT, expected->is_present);
        cr_assert_eq(element->timestamp_ms, expected->timestamp_ms);
        cr_assert_eq(element->version, expected->version);
        for (int field = 0; expected->is_present && field < FIELDS; field++) {
            uint64_t number = element_number(element, field_names[field]);
            cr_assert_eq(number, (uint64_t)(int64_t)expected->fields[field],
                         "element %s, %s: the writes were not applied in order", element_ids[i],
                         field_names[field]);
        }
    }
    cr_assert_eq(world->scene->element_count, present_count);
}

/* One attempt, here and in the model. Returns whether operations are pending. */
static bool attempt(struct world *world, struct journey *journey)
{
    const struct batch *batch = &journey->batch;
    struct process_context context = process_context_default();
    context.retries_max = RETRIES_MAX;
    context.arrival_ms = ARRIVAL_MS;
    struct sync_result result = batch_process(world->scene, batch, &context);

    uint32_t pending_count = 0;
    model_begin(&world->model);
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        uint32_t index = batch->operations[i].index;
        struct verdict expected = model_apply(&world->model, &journey->operations[index],
                                              batch->strategy, process_attempt_of(batch));
        expect_outcome(&result, index, result.attempts, expected);
        journey->synced_count += expected.is_synced ? 1 : 0;
        pending_count += expected.is_pending ? 1 : 0;
    }
    world->model.version += world->model.has_changed ? 1 : 0;
    expect_scene(world);
    cr_assert_eq(result.scene_version, world->model.version);
    cr_assert_eq(result.synced_count, journey->synced_count);
    cr_assert_eq(result.pending_count, pending_count);
    cr_assert_eq(result.failed_count, journey->count - journey->synced_count - pending_count);
    cr_assert_eq(result.final, pending_count == 0);
    if (pending_count > 0) {
        journey->batch = batch_requeued(&result, batch);
        journey->batch.retry->arrival_ms = ARRIVAL_MS;
    }
    return pending_count > 0;
}

/* The next attempt of any of the batches that wait. */
static void step_waiting(struct world *world)
{
    uint32_t at = random_below(world->waiting_count);
    if (!attempt(world, &world->waiting[at])) {
        world->waiting[at] = world->waiting[--world->waiting_count];
    }
}

/* A new batch, or the next attempt of an older one: retries never block others. */
static void step(struct world *world)
{
    bool must_wait = world->waiting_count == WAITING_MAX;
    if (must_wait || (world->waiting_count > 0 && random_below(2) == 0)) {
        step_waiting(world);
        return;
    }
    struct journey *journey = &world->waiting[world->waiting_count];
    make_journey(world, journey);
    world->waiting_count += attempt(world, journey) ? 1 : 0;
}

Test(process, prop_sync_preserves_order)
{
    dice.state = seed_from_environment();
    for (int sequence = 0; sequence < SEQUENCES; sequence++) {
        static struct world world;
        world = (struct world){.scene = scene_at_version(0)};
        for (int i = 0; i < STEPS_PER_SEQUENCE; i++) {
            step(&world);
        }
        while (world.waiting_count > 0) {
            step_waiting(&world);
        }
        scene_destroy(world.scene);
        arena_reset(test_arena());
    }
}
