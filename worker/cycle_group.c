#include "worker/cycle_internal.h"

#include <xxhash.h>

/** The deliveries of one session. */
struct group {
    struct span session_id;
    size_t count;
    size_t begin; /* where they stand among all */
};

/** The groups by session: open addressing. */
struct grouping {
    struct group *groups; /* in the order in which their sessions came */
    size_t group_count;
    uint32_t *slots;    /* a group's number + 1; 0: free */
    size_t slot_count;  /* a power of two, more than there are deliveries */
    uint32_t *group_of; /* each delivery's */
};

static bool grouping_init(struct grouping *grouping, size_t delivery_count, struct arena *arena)
{
    size_t slot_count = 16;
    while (slot_count < 2 * delivery_count) {
        slot_count *= 2;
    }
    *grouping = (struct grouping){
        .groups = arena_alloc_array(arena, delivery_count, sizeof(struct group)),
        .slots = arena_alloc_array(arena, slot_count, sizeof(uint32_t)),
        .slot_count = slot_count,
        .group_of = arena_alloc_array(arena, delivery_count, sizeof(uint32_t)),
    };
    return grouping->groups != NULL && grouping->slots != NULL && grouping->group_of != NULL;
}

/** The number of the session's group, a new one where it has none. */
static uint32_t find_group(struct grouping *grouping, struct span session_id)
{
    size_t mask = grouping->slot_count - 1;
    size_t at = (size_t)XXH3_64bits(session_id.data, session_id.size) & mask;
    while (grouping->slots[at] != 0) {
        uint32_t number = grouping->slots[at] - 1;
        if (span_equal(grouping->groups[number].session_id, session_id)) {
            return number;
        }
        at = (at + 1) & mask;
    }
    uint32_t number = (uint32_t)grouping->group_count++;
    grouping->groups[number].session_id = session_id;
    grouping->slots[at] = number + 1;
    return number;
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
            grouping->group_of[i] = find_group(grouping, run->deliveries[i].batch.session_id);
            grouping->groups[grouping->group_of[i]].count++;
        }
    }
    size_t begin = 0;
    for (size_t i = 0; i < grouping->group_count; i++) {
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
            arena_alloc_array(context->arena, grouping.group_count, sizeof(struct scene_work));
    }
    if (!has_memory || run->works == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a cycle's scenes");
    }
    for (size_t i = 0; i < grouping.group_count; i++) {
        const struct group *group = &grouping.groups[i];
        struct scene *scene = scene_cache_take(cycle->cache, group->session_id);
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
