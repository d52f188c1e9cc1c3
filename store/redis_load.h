/**
 * A load as Redis commands, and Redis's replies as its results (store/README.md).
 *
 * Lifetime: values are copied into the load's arena; nothing is kept. Threading: stateless.
 * Cost: O(bytes).
 */
#ifndef SCENESYNC_STORE_REDIS_LOAD_H
#define SCENESYNC_STORE_REDIS_LOAD_H

#include "protocol/buffer.h"
#include "store/store.h"

struct redisReply;

/** Makes room for the results. False, and load->error, when the arena is exhausted. */
__attribute__((warn_unused_result)) bool redis_load_begin(struct scene_load *load);

/** Appends the commands, the meta's first; returns how many: each has one reply. */
size_t redis_load_encode(const struct scene_load *load, struct span key_prefix, struct buffer *out);

/** Takes the reply to command `index`, no error reply. False, and load->error, where the scene is
 * not what the worker writes or the arena is exhausted. */
__attribute__((warn_unused_result)) bool redis_load_take(struct scene_load *load, size_t index,
                                                         const struct redisReply *reply);

#endif
