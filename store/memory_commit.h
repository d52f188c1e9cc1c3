/**
 * What a load and a commit do to a scene of the memory store: store/commit.lua in C.
 *
 * Threading: one thread. Cost: O(log n) per item, and the moves of the tables.
 */
#ifndef SCENESYNC_STORE_MEMORY_COMMIT_H
#define SCENESYNC_STORE_MEMORY_COMMIT_H

#include "store/memory_scene.h"
#include "store/store.h"

/** Returns the status to complete with; fills the outputs. */
enum store_status memory_load_run(const struct memory_scene *scene, struct scene_load *load);

/** Returns the status to complete with. Unless that is STORE_DONE nothing has changed; what has is
 * in the log. */
enum store_status memory_commit_run(struct memory_scene *scene, struct scene_commit *commit,
                                    const struct store_retention *retention,
                                    struct memory_log *log);

#endif
