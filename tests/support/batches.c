#include "tests/support/batches.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/messages.h"
#include "worker/requeue.h"

static const struct limits *default_limits(void)
{
    static struct limits limits;
    limits = limits_default();
    return &limits;
}

static void must(bool condition, const struct error *error)
{
    if (!condition) {
        (void)fprintf(stderr, "a test's batch failed: %s\n", error->message);
        abort();
    }
}

struct arena *test_arena(void)
{
    static struct arena arena; /* reachable to the end, so that no leak is reported */
    if (arena.bytes_max == 0) {
        arena_init(&arena, (size_t)512 << 20);
    }
    return &arena;
}

struct buffer *test_scratch(void)
{
    static struct buffer buffer;
    if (buffer.bytes_max == 0) {
        buffer_init(&buffer, (size_t)64 << 20);
    }
    return &buffer;
}

static struct batch decode(struct span message, bool from_retry_topic)
{
    struct batch_context context = {
        .limits = default_limits(),
        .default_strategy = STRATEGY_LAST_WRITE_WINS,
        .allow_batch_strategy = true,
        .from_retry_topic = from_retry_topic,
    };
    struct batch batch;
    struct error error = {.code = ERROR_NONE};
    must(batch_decode(message, &context, test_arena(), &batch, &error), &error);
    if (span_is_absent(batch.batch_id)) {
        batch.batch_id = span_of_text("scene.ops/3/7@1000000");
    }
    return batch;
}

struct batch batch_of_bytes(struct span message)
{
    return decode(message, false);
}

struct batch batch_of(const char *json)
{
    return decode(message_of(json), false);
}

struct batch retry_of_bytes(struct span message)
{
    return decode(message, true);
}

struct operation operation_of(const char *json)
{
    struct operation operation;
    struct error error = {.code = ERROR_NONE};
    must(operation_decode(message_of(json), 0, default_limits(), test_arena(), &operation, &error),
         &error);
    return operation;
}

struct process_context process_context_default(void)
{
    return (struct process_context){
        .limits = default_limits(),
        .retries_max = 3,
        .source = {.topic = span_of_text("scene.ops"), .partition = 3, .offset = 7},
        .arrival_ms = TEST_NOW_MS,
        .record_time_ms = TEST_NOW_MS,
        .timestamp_ms = TEST_NOW_MS,
        .duration_ms = 5,
        .retry_delay_ms = TEST_RETRY_DELAY_MS,
        .arena = test_arena(),
        .scratch = test_scratch(),
    };
}

static void load_rest(struct scene *scene, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        struct span id = batch->operations[i].id;
        if (span_is_absent(id)) {
            continue;
        }
        struct error error = {.message = "no memory"};
        struct element *element = scene_note(scene, id);
        must(element != NULL, &error);
        must(element->is_loaded || scene_load_element(scene, element, (struct span){0}, &error),
             &error);
    }
}

struct sync_result batch_process(struct scene *scene, const struct batch *batch,
                                 const struct process_context *context)
{
    load_rest(scene, batch);
    struct sync_result result;
    struct error error = {.code = ERROR_NONE};
    must(process_batch(scene, batch, context, &result, &error), &error);
    return result;
}

struct span batch_requeue(const struct sync_result *result, const struct batch *batch)
{
    uint64_t arrival_ms = batch->retry == NULL ? TEST_NOW_MS : batch->retry->arrival_ms;
    bool fits = false;
    struct error error = {.message = "the requeue does not fit"};
    must(requeue_encode(result, batch, arrival_ms, default_limits()->message_bytes_max,
                        test_arena(), test_scratch(), &fits, &error) &&
             fits,
         &error);
    return bytes_keep(buffer_span(test_scratch()));
}

struct batch batch_requeued(const struct sync_result *result, const struct batch *batch)
{
    return retry_of_bytes(batch_requeue(result, batch));
}

struct span result_bytes(const struct sync_result *result)
{
    buffer_clear(test_scratch());
    sync_result_encode(result, BODIES_AS_THEY_ARE, 0, test_scratch());
    return bytes_keep(buffer_span(test_scratch()));
}

const struct conflict_entry *conflict_at(const struct sync_result *result, uint32_t index)
{
    for (uint32_t i = 0; i < result->conflict_entry_count; i++) {
        if (result->conflicts[i].index == index) {
            return &result->conflicts[i];
        }
    }
    return NULL;
}

const struct failure_entry *failure_at(const struct sync_result *result, uint32_t index)
{
    for (uint32_t i = 0; i < result->failure_entry_count; i++) {
        if (result->failures[i].index == index) {
            return &result->failures[i];
        }
    }
    return NULL;
}
