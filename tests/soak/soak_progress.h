/**
 * How far the work is, by Kafka's committed offsets and by the store's watermark together: after
 * lost writes the one is ahead and only the other tells.
 *
 * Lifetime: a plain value. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SOAK_PROGRESS_H
#define SCENESYNC_TESTS_SOAK_PROGRESS_H

#include "tests/soak/soak_lag.h"

struct redis_server;

struct soak_progress {
    uint64_t look; /* its number; 0: nothing is known yet */
    int64_t lag;   /* records that are not committed, or above the watermark */
    int64_t work;  /* rises when work is done */
};

/** Joins a look with the watermark as it is now. False, and nothing is changed, where the store
 * does not answer. */
bool soak_progress_take(struct soak_progress *progress, const struct soak_look *look,
                        const struct redis_server *primary);

#endif
