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

/**
 * Writes one object; `with_tombstones`: removed elements too. Fails, having written nothing, with
 * ERROR_STORE_ERROR where a stored value is no element, or ERROR_OUT_OF_MEMORY; a buffer that is
 * too small fails by itself (buffer.h).
 */
__attribute__((warn_unused_result)) bool
scene_json_write(const char *session_id, const struct scene_dump *dump, bool with_tombstones,
                 struct arena *arena, struct json_writer *writer, struct error *error);

#endif
