/**
 * What the cycle's thread has counted, for other threads to look at: it hands out a copy now and
 * then, and never waits for a reader.
 *
 * Lifetime: snapshot_board_init() .. snapshot_board_deinit(). Threading: each function says whose
 * it is. Cost: a copy of some KB under a mutex.
 */
#ifndef SCENESYNC_WORKER_SNAPSHOT_H
#define SCENESYNC_WORKER_SNAPSHOT_H

#include <pthread.h>
#include <stdbool.h>

#include "worker/stats.h"

struct snapshot {
    struct stats stats;
    uint64_t cache_bytes, cache_scenes;
};

struct snapshot_board {
    pthread_mutex_t mutex;
    struct snapshot latest;
};

/** Puts up an empty one. False: no mutex can be had. */
__attribute__((warn_unused_result)) bool snapshot_board_init(struct snapshot_board *board);
void snapshot_board_deinit(struct snapshot_board *board);

/** The cycle's thread: puts this up, unless somebody is reading just now; the next one comes soon.
 */
void snapshot_board_post(struct snapshot_board *board, const struct snapshot *snapshot);

/** Any thread: copies what was put up last. */
void snapshot_board_read(struct snapshot_board *board, struct snapshot *out);

#endif
