#include "store/cache.h"

#include <stdlib.h>
#include <xxhash.h>

#include "store/heap_bytes.h"

enum {
    CACHE_BUCKETS_FIRST = 64,
    BUCKET_BYTES = 2 * sizeof(struct cache_entry *) /* per scene: there are up to two buckets */
};

struct cache_entry {
    struct scene *scene;
    struct cache_entry *next_in_bucket;
    struct cache_entry *newer, *older; /* by last use */
    size_t accounted_bytes;            /* the scene's, when last looked at */
    bool is_used;                      /* taken since the last trim */
};

struct scene_cache {
    size_t bytes_max, bytes;
    struct cache_entry **buckets; /* chained; bucket_count is a power of two */
    size_t bucket_count, count;
    struct cache_entry *newest, *oldest;
};

struct scene_cache *scene_cache_create(size_t bytes_max)
{
    struct scene_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return NULL;
    }
    cache->buckets = calloc(CACHE_BUCKETS_FIRST, sizeof(struct cache_entry *));
    if (cache->buckets == NULL) {
        free(cache);
        return NULL;
    }
    cache->bucket_count = CACHE_BUCKETS_FIRST;
    cache->bytes_max = bytes_max;
    return cache;
}

void scene_cache_destroy(struct scene_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    scene_cache_clear(cache);
    free(cache->buckets);
    free(cache);
}

static struct cache_entry **bucket_of(struct scene_cache *cache, struct span session_id)
{
    size_t hash = (size_t)XXH3_64bits(session_id.data, session_id.size);
    return &cache->buckets[hash & (cache->bucket_count - 1)];
}

/* Doubles the buckets once there is an entry for each; failing only makes chains longer. */
static void cache_grow(struct scene_cache *cache)
{
    struct cache_entry **old = cache->buckets;
    size_t old_count = cache->bucket_count;
    struct cache_entry **buckets = calloc(old_count * 2, sizeof(struct cache_entry *));
    if (buckets == NULL) {
        return;
    }
    cache->buckets = buckets;
    cache->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        struct cache_entry *entry = old[i];
        while (entry != NULL) {
            struct cache_entry *next = entry->next_in_bucket;
            struct cache_entry **bucket = bucket_of(cache, entry->scene->session_id);
            entry->next_in_bucket = *bucket;
            *bucket = entry;
            entry = next;
        }
    }
    free(old);
}

static void unlink_by_use(struct scene_cache *cache, struct cache_entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_as_newest(struct scene_cache *cache, struct cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static struct cache_entry *cache_add(struct scene_cache *cache, struct span session_id)
{
    struct cache_entry *entry = calloc(1, sizeof(*entry));
    struct scene *scene = scene_create(session_id);
    if (entry == NULL || scene == NULL) {
        free(entry);
        scene_destroy(scene);
        return NULL;
    }
    entry->scene = scene;
    if (cache->count >= cache->bucket_count) {
        cache_grow(cache);
    }
    struct cache_entry **bucket = bucket_of(cache, session_id);
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    cache->count++;
    link_as_newest(cache, entry);
    return entry;
}

struct scene *scene_cache_take(struct scene_cache *cache, struct span session_id)
{
    struct cache_entry *entry = *bucket_of(cache, session_id);
    while (entry != NULL && !span_equal(entry->scene->session_id, session_id)) {
        entry = entry->next_in_bucket;
    }
    if (entry == NULL) {
        entry = cache_add(cache, session_id);
        if (entry == NULL) {
            return NULL;
        }
    } else if (cache->newest != entry) {
        unlink_by_use(cache, entry);
        link_as_newest(cache, entry);
    }
    entry->is_used = true;
    return entry->scene;
}

static void cache_drop_oldest(struct scene_cache *cache)
{
    struct cache_entry *entry = cache->oldest;
    struct cache_entry **link = bucket_of(cache, entry->scene->session_id);
    while (*link != entry) {
        link = &(*link)->next_in_bucket;
    }
    *link = entry->next_in_bucket;
    unlink_by_use(cache, entry);
    cache->bytes -= entry->accounted_bytes;
    cache->count--;
    scene_destroy(entry->scene);
    free(entry);
}

void scene_cache_trim(struct scene_cache *cache)
{
    /* Only what was taken since the last trim can have grown, and that stands in front. */
    for (struct cache_entry *entry = cache->newest; entry != NULL && entry->is_used;
         entry = entry->older) {
        size_t bytes = entry->scene->bytes + heap_bytes(sizeof(*entry)) + BUCKET_BYTES;
        entry->is_used = false;
        cache->bytes += bytes - entry->accounted_bytes;
        entry->accounted_bytes = bytes;
    }
    while (cache->oldest != NULL && cache->bytes > cache->bytes_max) {
        cache_drop_oldest(cache);
    }
}

void scene_cache_clear(struct scene_cache *cache)
{
    while (cache->oldest != NULL) {
        cache_drop_oldest(cache);
    }
}

size_t scene_cache_count(const struct scene_cache *cache)
{
    return cache->count;
}

size_t scene_cache_bytes(const struct scene_cache *cache)
{
    return cache->bytes;
}
