/**
 * Reading one whole scene: meta, elements, and the meta again, which tells whether somebody
 * changed the scene in between.
 *
 * Lifetime: values are copied into the arena; nothing is kept. Threading: stateless. Cost: O(bytes
 * of the scene); Redis does nothing else meanwhile (2 ms for 10,000 elements).
 */
#ifndef SCENESYNC_STORE_REDIS_SCENE_READ_H
#define SCENESYNC_STORE_REDIS_SCENE_READ_H

#include "protocol/buffer.h"
#include "store/redis_store.h"

struct redisReply;

struct redis_scene_read {
    struct span session_id;
    struct arena *arena;
    /* out */
    enum store_status status;
    struct error error;
    struct scene_dump dump;
    struct store_token token;
    bool consistent;
};

enum { REDIS_SCENE_READ_COMMANDS = 3 };

void redis_scene_read_encode(const struct redis_scene_read *read, struct span key_prefix,
                             struct buffer *out);

/** Takes the reply to command `index`, no error reply. False, and read->error, where the scene is
 * not what the worker writes or the arena is exhausted. */
__attribute__((warn_unused_result)) bool
redis_scene_read_take(struct redis_scene_read *read, size_t index, const struct redisReply *reply);

#endif
