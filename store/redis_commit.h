/**
 * A commit as one call of store/commit.lua, which documents the arguments, and Redis's reply as
 * its result.
 *
 * Lifetime: dropped ids are copied into the commit's arena; nothing is kept. Threading: stateless.
 * Cost: O(bytes).
 */
#ifndef SCENESYNC_STORE_REDIS_COMMIT_H
#define SCENESYNC_STORE_REDIS_COMMIT_H

#include "store/redis_scripts.h"

enum {
    /* The shortest life of the batch records, whatever `dedupe.window_ms` says: they are the
     * outbox too, from which a redelivery's result is made. */
    REDIS_RECORDS_WINDOW_MS_MIN = 3600 * 1000
};

/** Appends the command. */
void redis_commit_encode(const struct scene_commit *commit, const struct redis_scripts *scripts,
                         struct buffer *out);

/** Takes the reply, no error reply; returns the commit's status, and sets commit->error where that
 * is STORE_FAILED. */
enum store_status redis_commit_take(struct scene_commit *commit, const struct redisReply *reply);

#endif
