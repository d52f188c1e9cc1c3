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

/* One work per session that has deliveries which can be worked with. */
bool cycle_group(struct cycle *cycle, const struct work_context *context, struct error *error)
{
    struct run *run = &cycle->now->run;
    struct delivery **sorted =
        arena_alloc_array(context->arena, run->count, sizeof(struct delivery *));
    run->works = arena_alloc_array(context->arena, run->count, sizeof(struct scene_work));
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
