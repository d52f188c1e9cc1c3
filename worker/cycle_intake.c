#include "worker/cycle_internal.h"

#include <stdlib.h>

#include "worker/cycle_log.h"

/* Decoding stops here and the rest goes to the next cycle: a small record can hold many operations,
 * and each takes some hundred bytes of the arena until the cycle ends. */
enum { OPERATIONS_MAX = 65536 };

/* A message that alone exhausts the arena is refused like one that is too large: it must not stop
 * its partition. */
static void refuse_for_memory(struct delivery *delivery, const struct record *record)
{
    *delivery = (struct delivery){
        .record = record,
        .source = {.topic = record->topic,
                   .partition = record->partition,
                   .offset = record->offset},
    };
    error_set(&delivery->refusal, ERROR_TOO_LARGE,
              "decoding the message takes more memory than a whole cycle may use (%d bytes); "
              "send smaller batches",
              CYCLE_ARENA_BYTES_MAX);
}

/* What the watermark has to do with a delivery; records of one partition mostly stand together. */
static bool mark_delivery(struct cycle *cycle, struct delivery *delivery,
                          const struct delivery *previous)
{
    const struct record *record = delivery->record;
    bool is_same = previous != NULL && previous->record->partition == record->partition &&
                   previous->record->topic.data == record->topic.data;
    delivery->mark =
        is_same ? previous->mark : watermark_expected(cycle->watermark, record, &cycle->arena);
    delivery->is_replay = watermark_is_replay(cycle->watermark, record);
    cycle->parts.stats->records_replayed += delivery->is_replay;
    return !span_is_absent(delivery->mark);
}

/* Decodes records until the cycle has enough. False: out of memory. */
bool cycle_decode(struct cycle *cycle, struct run *run, struct error *error)
{
    size_t open_count = cycle->record_count - cycle->record_begin;
    if (open_count > cycle->run_records_max) {
        open_count = cycle->run_records_max;
    }
    run->records = cycle->records + cycle->record_begin;
    run->deliveries = arena_alloc_array(&cycle->arena, open_count, sizeof(struct delivery));
    if (run->deliveries == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's deliveries");
    }
    size_t operation_count = 0;
    while (run->count < open_count && operation_count < OPERATIONS_MAX) {
        struct delivery *delivery = &run->deliveries[run->count];
        const struct record *record = &run->records[run->count];
        if (!delivery_decode(record, cycle->parts.settings, &cycle->arena, delivery, error)) {
            if (run->count > 0) {
                break; /* with an empty arena it will do */
            }
            refuse_for_memory(delivery, record);
        }
        if (!mark_delivery(cycle, delivery, run->count > 0 ? delivery - 1 : NULL)) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's deliveries");
        }
        run->count++;
        operation_count += delivery->batch.operation_count;
        if (delivery->refusal.code != ERROR_NONE) {
            cycle->parts.stats->batches_refused++;
            cycle_log_refusal(cycle->parts.log, delivery);
        } else if (!delivery_key_matches(delivery)) {
            cycle->parts.stats->keys_differing++;
        }
    }
    return true;
}

/* Orders deliveries by session, and within one by their place in the cycle. */
static int compare_by_session(const void *left, const void *right)
{
    const struct delivery *a = *(struct delivery *const *)left;
    const struct delivery *b = *(struct delivery *const *)right;
    struct span x = a->batch.session_id;
    struct span y = b->batch.session_id;
    int order = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);
    if (order == 0 && x.size != y.size) {
        order = x.size < y.size ? -1 : 1;
    }
    if (order == 0) {
        order = a < b ? -1 : a > b; /* both stand in the run's array */
    }
    return order;
}

/* One work per session that has deliveries which can be worked with. */
bool cycle_group(struct cycle *cycle, struct run *run, const struct work_context *context,
                 struct error *error)
{
    struct delivery **sorted =
        arena_alloc_array(&cycle->arena, run->count, sizeof(struct delivery *));
    run->works = arena_alloc_array(&cycle->arena, run->count, sizeof(struct scene_work));
    if (sorted == NULL || run->works == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's scenes");
    }
    size_t sorted_count = 0;
    for (size_t i = 0; i < run->count; i++) {
        if (run->deliveries[i].refusal.code == ERROR_NONE) {
            sorted[sorted_count++] = &run->deliveries[i];
        }
    }
    qsort(sorted, sorted_count, sizeof(struct delivery *), compare_by_session);
    for (size_t begin = 0; begin < sorted_count;) {
        size_t end = begin + 1;
        struct span session_id = sorted[begin]->batch.session_id;
        while (end < sorted_count && span_equal(sorted[end]->batch.session_id, session_id)) {
            end++;
        }
        struct scene *scene = scene_cache_take(cycle->cache, session_id);
        if (scene == NULL) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a scene");
        }
        if (!scene_work_init(&run->works[run->work_count++], scene, sorted + begin, end - begin,
                             context, error)) {
            return false;
        }
        begin = end;
    }
    return true;
}
