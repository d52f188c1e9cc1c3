/**
 * Scenes kept from one cycle to the next, bounded in bytes, least recently used out first.
 *
 * An optimisation only: the commit's check makes a stale copy harmless (it is refused and read
 * again). Lifetime: the cache owns the scenes; a pointer stays valid until the next
 * scene_cache_trim() or scene_cache_clear(). Threading: one thread. Cost: O(1) expected.
 */
#ifndef SCENESYNC_STORE_CACHE_H
#define SCENESYNC_STORE_CACHE_H

#include "store/scene.h"

struct scene_cache;

/** `bytes_max` 0: nothing survives a trim. Returns owned, or NULL when out of memory. */
struct scene_cache *scene_cache_create(size_t bytes_max);
void scene_cache_destroy(struct scene_cache *cache);

/** The scene of this session, made (not loaded) where new, now most recently used. NULL: out of
 * memory. */
struct scene *scene_cache_take(struct scene_cache *cache, struct span session_id);

/** Drops the least recently used until the rest fits. Call between cycles only. */
void scene_cache_trim(struct scene_cache *cache);

/** Drops everything: the connection to the store changed. Call between cycles only. */
void scene_cache_clear(struct scene_cache *cache);

/** What stands in it, for metrics: scenes and bytes as of the last trim. */
size_t scene_cache_count(const struct scene_cache *cache);
size_t scene_cache_bytes(const struct scene_cache *cache);

#endif
