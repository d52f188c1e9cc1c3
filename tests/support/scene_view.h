/**
 * A scene as it stands in Redis, read like any other program would (store/README.md).
 *
 * Lifetime: the arena's. Threading: one thread. What cannot be read ends the running test.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_SCENE_VIEW_H
#define SCENESYNC_TESTS_SUPPORT_SCENE_VIEW_H

#include "store/scene.h"

struct element_view {
    struct span id;
    struct element_value value;
};

struct scene_view {
    uint64_t version, element_count; /* as its meta says; 0 where there is no scene */
    struct element_view *elements;   /* by id, tombstones included */
    size_t count;
};

struct redis_server;

struct scene_view scene_view_read(struct redis_server *redis, const char *session_id,
                                  struct arena *arena);

/** The element or its tombstone; NULL where the scene has neither. */
const struct element_view *scene_view_find(const struct scene_view *scene, const char *id);

/** Whether it is there and no tombstone. */
bool scene_view_has(const struct scene_view *scene, const char *id);

/** A number of a present element's `transform`. */
double scene_view_transform(const struct scene_view *scene, const char *id, const char *field);

/** Elements and tombstones, with versions, times and clocks, are the same. */
bool scene_view_equal(const struct scene_view *a, const struct scene_view *b);

#endif
