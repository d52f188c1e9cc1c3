/**
 * A stored scene as JSON: its version and its elements in drawing order (transform.z_index, then
 * id). For `scenesync scene` and the status page.
 *
 * Threading: stateless. Cost: O(n log n) of the elements.
 */
#ifndef SCENESYNC_WORKER_SCENE_JSON_H
#define SCENESYNC_WORKER_SCENE_JSON_H

#include "store/redis_store.h"
#include "worker/json_writer.h"

/** What is written beside the elements. */
struct scene_json_parts {
    bool tombstones; /* the removed elements */
    bool clocks;     /* when the properties of elements under merge were written */
};

/**
 * Writes one object. Fails, having written nothing, with
 * ERROR_STORE_ERROR where a stored value is no element, or ERROR_OUT_OF_MEMORY; a buffer that is
 * too small fails by itself (buffer.h).
 */
__attribute__((warn_unused_result)) bool
scene_json_write(const char *session_id, const struct scene_dump *dump,
                 struct scene_json_parts parts, struct arena *arena, struct json_writer *writer,
                 struct error *error);

#endif
