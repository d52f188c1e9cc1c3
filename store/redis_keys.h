/**
 * The names of keys in Redis (store/README.md).
 *
 * Threading: stateless.
 */
#ifndef SCENESYNC_STORE_REDIS_KEYS_H
#define SCENESYNC_STORE_REDIS_KEYS_H

#include "protocol/buffer.h"

/** In the order of the commit script's KEYS. */
enum redis_key {
    REDIS_KEY_META,
    REDIS_KEY_ELEMENTS,
    REDIS_KEY_TOMBSTONES,
    REDIS_KEY_BATCHES,
    REDIS_KEY_BATCHES_OLD,
    REDIS_KEY_PENDING,
    REDIS_KEY_COUNT
};

/** Appends one command argument: "<prefix>{<session>}" and the key's suffix. */
void redis_key_add(struct buffer *out, struct span key_prefix, struct span session_id,
                   enum redis_key key);

/** Appends one command argument: "<prefix>watermark:<group>". */
void redis_watermark_key_add(struct buffer *out, struct span key_prefix, struct span group);

/** Appends one command argument: the field of a partition in a scene's meta and in the watermark,
 * "at:<topic>/<partition>". */
void redis_position_field_add(struct buffer *out, struct span name);

#endif
