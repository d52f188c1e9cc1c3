/**
 * One scene of the memory store: the same keys as in Redis, and every change to them undoable.
 *
 * Lifetime: zeroed with a session id .. memory_scene_clear(). Changes are recorded in the log that
 * is passed in: it makes a commit all or nothing, and lets the store forget its latest commits.
 * Threading: one thread. Cost: that of the tables.
 */
#ifndef SCENESYNC_STORE_MEMORY_SCENE_H
#define SCENESYNC_STORE_MEMORY_SCENE_H

#include "store/memory_table.h"

enum memory_key {
    MEMORY_META,
    MEMORY_ELEMENTS,
    MEMORY_TOMBSTONES, /* element id -> record time */
    MEMORY_BATCHES,
    MEMORY_BATCHES_OLD,
    MEMORY_PENDING,
    MEMORY_TOMBSTONES_BY_TIME, /* 8 bytes that sort like the record time, element id -> nothing */
    MEMORY_KEY_COUNT
};

struct memory_scene {
    struct memory_item *session; /* key: the session id */
    struct memory_table tables[MEMORY_KEY_COUNT];
    bool is_wrong_type;
};

/** One change: what stood there before and what stands there now; NULL for nothing. */
struct memory_change {
    struct memory_scene *scene;
    enum memory_key key;
    struct memory_item *before; /* owned by the log */
    struct memory_item *after;  /* owned by the table, as long as no later change replaced it */
};

struct memory_log {
    struct memory_change *changes;
    size_t count, capacity;
};

void memory_scene_clear(struct memory_scene *scene);

struct span memory_scene_find(const struct memory_scene *scene, enum memory_key key,
                              struct span field);
__attribute__((warn_unused_result)) bool memory_scene_set(struct memory_scene *scene,
                                                          enum memory_key key, struct span field,
                                                          struct span value,
                                                          struct memory_log *log);
__attribute__((warn_unused_result)) bool memory_scene_remove(struct memory_scene *scene,
                                                             enum memory_key key, struct span field,
                                                             struct memory_log *log);

/** Takes all changes back, the latest first, and empties the log. Cannot fail. */
void memory_log_undo(struct memory_log *log);

/** Forgets the changes: they stay. */
void memory_log_clear(struct memory_log *log);

#endif
