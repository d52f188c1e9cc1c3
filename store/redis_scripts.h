/**
 * The two scripts, store/commit.lua and store/watermark.lua, and what the calls of a connection
 * share.
 *
 * Lifetime: plain data; borrows its texts. Threading: stateless.
 */
#ifndef SCENESYNC_STORE_REDIS_SCRIPTS_H
#define SCENESYNC_STORE_REDIS_SCRIPTS_H

#include "protocol/buffer.h"
#include "store/store.h"

struct redisReply;

enum redis_script { REDIS_SCRIPT_COMMIT, REDIS_SCRIPT_WATERMARK, REDIS_SCRIPT_COUNT };

enum { REDIS_SHA_BYTES = 40, REDIS_HISTORY_BYTES_MAX = 64 };

struct redis_scripts {
    char shas[REDIS_SCRIPT_COUNT][REDIS_SHA_BYTES];
    struct span key_prefix;
    struct span group; /* whose watermark; absent: none is used */
    struct store_retention retention;
    /* Redis's replication id as the connection saw it first; size 0: not yet. It is another one
     * after a fail-over. */
    char history[REDIS_HISTORY_BYTES_MAX];
    size_t history_size;
    bool is_cluster; /* the watermark lives in another slot: commits cannot look at it */
};

/** Appends SCRIPT LOAD. */
void redis_script_add_load(enum redis_script script, struct buffer *out);

/** Keeps the sha that SCRIPT LOAD answers with. False where it is none. */
__attribute__((warn_unused_result)) bool redis_script_take_sha(struct redis_scripts *scripts,
                                                               enum redis_script script,
                                                               const struct redisReply *reply);

/** Starts a call; `key_count` keys and `argument_count` arguments have to follow. */
void redis_script_begin_call(const struct redis_scripts *scripts, enum redis_script script,
                             size_t key_count, size_t argument_count, struct buffer *out);

#endif
