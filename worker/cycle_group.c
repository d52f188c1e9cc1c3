#include "worker/cycle_internal.h"

#include "worker/span_index.h"

/** The deliveries of one session. */
struct group {
    size_t count;
    size_t begin; /* where they stand among all */
};

/** The deliveries by session, in the order in which the sessions came. */
struct grouping {
    struct span_index sessions;
    struct group *groups; /* by the sessions' numbers */
    uint32_t *group_of;   /* each delivery's */
};

static bool grouping_init(struct grouping *grouping, size_t delivery_count, struct arena *arena)
{
    grouping->groups = arena_alloc_array(arena, delivery_count, sizeof(struct group));
    grouping->group_of = arena_alloc_array(arena, delivery_count, sizeof(uint32_t));
    return span_index_init(&grouping->sessions, delivery_count, arena) &&
           grouping->groups != NULL && grouping->group_of != NULL;
}

/** Puts the deliveries of each session behind one another, in the order in which they came, those
 * that were refused left out. */
static bool sort_by_session(const struct run *run, struct grouping *grouping,
                            struct delivery **sorted, struct arena *arena)
{
    if (!grouping_init(grouping, run->count, arena)) {
        return false;
    }
    for (size_t i = 0; i < run->count; i++) {
        if (run->deliveries[i].refusal.code == ERROR_NONE) {
            grouping->group_of[i] =
                span_index_number(&grouping->sessions, run->deliveries[i].batch.session_id);
            grouping->groups[grouping->group_of[i]].count++;
        }
    }
    size_t begin = 0;
    for (size_t i = 0; i < grouping->sessions.count; i++) {
        grouping->groups[i].begin = begin;
        begin += grouping->groups[i].count;
        grouping->groups[i].count = 0; /* from here on: how many stand there */
    }
    for (size_t i = 0; i < run->count; i++) {
        if (run->deliveries[i].refusal.code == ERROR_NONE) {
            struct group *group = &grouping->groups[grouping->group_of[i]];
            sorted[group->begin + group->count++] = &run->deliveries[i];
        }
    }
    return true;
}

/* One work per session that has deliveries which can be worked with. */
bool cycle_group(struct cycle *cycle, const struct work_context *context, struct error *error)
{
    struct run *run = &cycle->now->run;
    struct grouping grouping;
    struct delivery **sorted =
        arena_alloc_array(context->arena, run->count, sizeof(struct delivery *));
    bool has_memory = sorted != NULL && sort_by_session(run, &grouping, sorted, context->arena);
    if (has_memory) { /* a work is large, and in most runs many deliveries share one */
        run->works =
            arena_alloc_array(context->arena, grouping.sessions.count, sizeof(struct scene_work));
    }
    if (!has_memory || run->works == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's scenes");
    }
    for (size_t i = 0; i < grouping.sessions.count; i++) {
        const struct group *group = &grouping.groups[i];
        struct scene *scene = scene_cache_take(cycle->cache, grouping.sessions.spans[i]);
        if (scene == NULL) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a scene");
        }
        if (!scene_work_init(&run->works[run->work_count++], scene, sorted + group->begin,
                             group->count, context, error)) {
            return false;
        }
    }
    return true;
}
