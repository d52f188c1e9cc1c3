/**
 * The watermark of the memory store: store/watermark.lua in C, and what store/commit.lua looks at.
 *
 * Lifetime: a scene without a session id, whose meta has the entries: so a forgotten tail takes
 * them with it. Threading: one thread. Cost: O(log n) per entry.
 */
#ifndef SCENESYNC_STORE_MEMORY_WATERMARK_H
#define SCENESYNC_STORE_MEMORY_WATERMARK_H

#include "store/memory_scene.h"
#include "store/store.h"

/** Returns the status to complete with; fills `found`. Unless that is STORE_DONE nothing has
 * changed; what has is in the log. */
enum store_status memory_watermark_run(struct memory_scene *watermark,
                                       struct watermark_request *request, struct memory_log *log);

/** True where the watermark says what the commit's marks do. */
bool memory_watermark_bears(const struct memory_scene *watermark,
                            const struct scene_commit *commit);

#endif
