#include "worker/cycle_internal.h"

#include <stdlib.h>

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

/* Where the deliveries of the session at `begin` end. */
static size_t end_of_session(struct delivery *const *sorted, size_t count, size_t begin)
{
    size_t end = begin + 1;
    while (end < count &&
           span_equal(sorted[end]->batch.session_id, sorted[begin]->batch.session_id)) {
        end++;
    }
    return end;
}

/* A work is large, and in most runs many deliveries share one. */
static bool make_works(struct run *run, struct arena *arena, struct delivery *const *sorted,
                       size_t count)
{
    size_t work_count = 0;
    for (size_t begin = 0; begin < count; begin = end_of_session(sorted, count, begin)) {
        work_count++;
    }
    run->works = arena_alloc_array(arena, work_count, sizeof(struct scene_work));
    return run->works != NULL;
}

/* One work per session that has deliveries which can be worked with. */
bool cycle_group(struct cycle *cycle, const struct work_context *context, struct error *error)
{
    struct run *run = &cycle->now->run;
    struct delivery **sorted =
        arena_alloc_array(context->arena, run->count, sizeof(struct delivery *));
    size_t sorted_count = 0;
    for (size_t i = 0; sorted != NULL && i < run->count; i++) {
        if (run->deliveries[i].refusal.code == ERROR_NONE) {
            sorted[sorted_count++] = &run->deliveries[i];
        }
    }
    if (sorted == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's scenes");
    }
    qsort(sorted, sorted_count, sizeof(struct delivery *), compare_by_session);
    if (!make_works(run, context->arena, sorted, sorted_count)) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's scenes");
    }
    for (size_t begin = 0, end = 0; begin < sorted_count; begin = end) {
        end = end_of_session(sorted, sorted_count, begin);
        struct scene *scene = scene_cache_take(cycle->cache, sorted[begin]->batch.session_id);
        if (scene == NULL) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a scene");
        }
        if (!scene_work_init(&run->works[run->work_count++], scene, sorted + begin, end - begin,
                             context, error)) {
            return false;
        }
    }
    return true;
}
