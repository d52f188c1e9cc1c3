/**
 * Reading scenes without ever writing: for tools that run beside workers, on the primary or on a
 * replica, as a user who may read only.
 *
 * Unlike the Redis store (redis_store.h) it tries nothing out: SELECT, SCAN, MULTI, HGETALL and
 * EXEC are all that it sends, and AUTH where there is a user or a password. A scene is read in one
 * transaction, so that elements, version and positions are of one state. A connection that breaks
 * and a Redis that cannot answer for a while are tried again until the call's time is over.
 *
 * Lifetime: redis_reader_create() .. redis_reader_destroy(). Threading: one thread; SIGPIPE must be
 * ignored. Cost: every call blocks, for one round trip per scene or per SCAN.
 */
#ifndef SCENESYNC_STORE_REDIS_READER_H
#define SCENESYNC_STORE_REDIS_READER_H

#include "store/redis_exchange.h"

struct redis_reader;

/** Connects nothing yet. Borrows the options' texts. Returns owned, or NULL: out of memory. */
struct redis_reader *redis_reader_create(const struct redis_store_options *options);
void redis_reader_destroy(struct redis_reader *reader);

/** Waits until Redis can be read from. `timeout_ms` is for all tries together. */
__attribute__((warn_unused_result)) enum redis_read
redis_reader_connect(struct redis_reader *reader, int timeout_ms, struct error *error);

/** A scene as it stood at one moment; all zero where there is none. */
struct scene_snapshot {
    bool has_meta;
    uint64_t version;
    uint64_t element_count; /* what the meta says */
    int64_t updated_at_ms;
    struct store_position *positions; /* all of them known */
    size_t position_count;
    struct span *ids, *values; /* `count` of them, tombstones included, in no order */
    size_t count;
};

/** Reads one scene; its bytes are copied into the arena. REDIS_READ_REFUSED: what stands under its
 * keys is no scene. */
__attribute__((warn_unused_result)) enum redis_read
redis_reader_scene(struct redis_reader *reader, struct span session_id, int timeout_ms,
                   struct arena *arena, struct scene_snapshot *out, struct error *error);

/** Takes a session that has a key; false: out of memory. */
typedef bool (*redis_reader_take)(void *context, struct span session_id);

/**
 * Gives the session of every key that looks like a scene's, at least once and in no order; what
 * comes or goes meanwhile may be missing. `timeout_ms` is for each of many small steps.
 */
__attribute__((warn_unused_result)) enum redis_read
redis_reader_scan(struct redis_reader *reader, int timeout_ms, redis_reader_take take,
                  void *context, struct error *error);

#endif
