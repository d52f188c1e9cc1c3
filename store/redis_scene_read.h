/**
 * Reading one whole scene in bounded memory, and whether somebody changed it meanwhile.
 *
 * hiredis builds each reply whole before anything of it can be refused, so a scene of unknown size
 * is not asked for in one command. It is read in steps, each a request of its own: how many
 * elements there are, their ids, their values a few at a time, the meta again. The arena ends the
 * read: what is in memory beside it is the ids once more, and the values of one command.
 *
 * Unlike one HGETALL the steps are not of one moment. The version and the token before and after
 * tell of every change that keeps to the rule of store/README.md, and a scene that is edited all
 * the time would hardly be read so: once its size is known to fit, it is read again by the step
 * `whole`, which Redis does almost at once. Scenes of up to 128 elements are read so at first.
 *
 * Lifetime: values are copied into the arena; nothing is kept. Threading: stateless. Cost: O(bytes
 * of the scene), a round trip for up to 2,048 elements; no command holds Redis up for long.
 */
#ifndef SCENESYNC_STORE_REDIS_SCENE_READ_H
#define SCENESYNC_STORE_REDIS_SCENE_READ_H

#include "protocol/buffer.h"
#include "store/redis_store.h"

struct redisReply;

enum redis_scene_read_step {
    REDIS_SCENE_READ_WHOLE, /* meta, all elements, meta: what is known not to be too large */
    REDIS_SCENE_READ_HEAD,  /* meta, how many elements there are */
    REDIS_SCENE_READ_IDS,
    REDIS_SCENE_READ_VALUES, /* of `step_count` ids from `step_from` on */
    REDIS_SCENE_READ_META_AGAIN
};

struct redis_scene_read {
    struct span session_id;
    struct arena *arena;
    enum redis_scene_read_step step; /* where to begin: HEAD, or WHOLE */
    size_t step_from, step_count;
    size_t largest_bytes; /* of the values seen */
    bool has_gaps;        /* an element went between the ids and its value */
    /* out */
    enum store_status status;
    struct error error;
    struct scene_dump dump;
    struct store_token token;
    bool consistent;
};

/** Appends the commands of the step; returns how many: each has one reply. */
size_t redis_scene_read_encode(const struct redis_scene_read *read, struct span key_prefix,
                               struct buffer *out);

/** Takes the reply to command `index` of the step, no error reply. False, and read->error, where
 * the scene is not what the worker writes or the arena is exhausted. */
__attribute__((warn_unused_result)) bool
redis_scene_read_take(struct redis_scene_read *read, size_t index, const struct redisReply *reply);

/** The step is done: makes the next one its step. False: there is none, all is read. */
__attribute__((warn_unused_result)) bool redis_scene_read_go_on(struct redis_scene_read *read);

#endif
