/**
 * Rebuilds a scene from the log, by the production engine (store/process.h), as far as the store
 * says that it got: a worker that is behind is no difference.
 *
 * Within a partition the order is the log's. Between partitions (a scene's retries stand in topics
 * of their own) it is that of the scene's versions after each attempt, which the results tell;
 * where they are gone, that of time, and what is done by such a guess is marked. An attempt that
 * was answered counts as applied even where the store's position is behind it: then the store lost
 * it. Lifetime: the model's. Threading: one thread. Cost: decoding every batch once, those of a
 * scene with several partitions twice.
 */
#ifndef SCENESYNC_WORKER_VERIFY_REPLAY_H
#define SCENESYNC_WORKER_VERIFY_REPLAY_H

#include "worker/verify_apply.h"

struct verify_replay {
    const struct verify_context *context;
    const struct verify_bound *bounds; /* one per lane of the scene */
    size_t bound_count;
    uint64_t answered_sequence; /* of the log, before the store was read */
    /* The one partition whose cut-off beginning hides the scene's; NULL: none, or several do. */
    const struct verify_partition *cut;
    verify_is_cut is_cut; /* of retry topics too */
    const void *is_cut_context;
};

/** Fills an empty model. Fails with ERROR_OUT_OF_MEMORY only. */
__attribute__((warn_unused_result)) bool verify_replay_run(const struct verify_replay *replay,
                                                           struct verify_model *model,
                                                           struct error *error);

#endif
