/**
 * Scenes in memory for tests, filled as if a store had answered.
 *
 * Lifetime: the caller's, scene_destroy() ends it. Threading: one thread. What cannot be made
 * aborts.
 */
#ifndef SCENESYNC_TESTS_SCENES_H
#define SCENESYNC_TESTS_SCENES_H

#include "store/scene.h"

/** A loaded scene "s" without elements, at this version. */
struct scene *scene_at_version(uint64_t version);

/** Loads a present element with this document, given as JSON (messages.h). */
struct element *scene_with(struct scene *scene, const char *id, uint64_t version,
                           uint64_t timestamp_ms, const char *json);

/** Loads a tombstone. */
struct element *scene_with_tombstone(struct scene *scene, const char *id, uint64_t version,
                                     uint64_t timestamp_ms);

/** Loads an element that the store does not know. */
struct element *scene_without(struct scene *scene, const char *id);

/** The element of this id, which must be noted. */
struct element *scene_get(const struct scene *scene, const char *id);

struct span element_document(const struct element *element);

/** The document's top-level `key` as an unsigned integer; UINT64_MAX where it has none. */
uint64_t element_number(const struct element *element, const char *key);

#endif
