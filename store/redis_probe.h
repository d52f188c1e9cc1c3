/**
 * What is asked of Redis before it gets any work: who it is (HELLO: version, role, mode, password),
 * the database, the scripts, and a self test. That runs store/commit.lua on scratch keys with every
 * command in it, so that a missing ACL right, a full memory or missing replicas show before they
 * can stop a commit half-way, and store/watermark.lua on the watermark, without a change to it.
 *
 * Lifetime: init .. any number of runs; borrows what init is given. Threading: one thread. Cost:
 * two round trips.
 */
#ifndef SCENESYNC_STORE_REDIS_PROBE_H
#define SCENESYNC_STORE_REDIS_PROBE_H

#include "store/redis_commit.h"
#include "store/redis_store.h"

struct redisReply;

struct redis_probe {
    const char *username, *password; /* NULL: none */
    int database;
    struct redis_scripts *scripts; /* gets the shas, the history and the mode */
    char scratch_session[64];      /* a name of this process's own */
};

/**
 * One command each, in this order. What follows LOAD_COMMIT needs the shas first. From BEGIN to
 * EXECUTE it is one transaction: a worker that dies, or loses its connection, in the middle of its
 * self test leaves no scratch keys behind.
 */
enum redis_probe_step {
    REDIS_PROBE_HELLO,
    REDIS_PROBE_SELECT,
    REDIS_PROBE_LOAD_WATERMARK,
    REDIS_PROBE_LOAD_COMMIT,
    REDIS_PROBE_WATERMARK,
    REDIS_PROBE_BEGIN,
    REDIS_PROBE_CLEAN_BEFORE,
    REDIS_PROBE_COMMIT_FIRST,
    REDIS_PROBE_COMMIT_REVIVE,
    REDIS_PROBE_COMMIT_ROTATE,
    REDIS_PROBE_COMMIT_UNCHECKED,
    REDIS_PROBE_CLEAN_AFTER,
    REDIS_PROBE_EXECUTE,
    REDIS_PROBE_STEPS
};

/** `random` makes the scratch keys unlike those of other workers. */
void redis_probe_init(struct redis_probe *probe, const struct redis_store_options *options,
                      struct redis_scripts *scripts, uint64_t random);

/** False for the watermark's steps where there is no group. */
bool redis_probe_has_step(const struct redis_probe *probe, enum redis_probe_step step);

void redis_probe_encode(const struct redis_probe *probe, enum redis_probe_step step,
                        struct buffer *out);

/** Takes the reply, no error reply. False where Redis cannot be worked with; the error's message
 * then reads like an error reply: a code, a sentence (redis_errors.h). */
__attribute__((warn_unused_result)) bool redis_probe_take(struct redis_probe *probe,
                                                          enum redis_probe_step step,
                                                          const struct redisReply *reply,
                                                          struct error *error);

#endif
