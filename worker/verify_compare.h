/**
 * A scene in the store against the one that the log makes.
 *
 * Threading: one thread. Cost: O(elements), and sorting their ids, so that two runs say the same in
 * the same order.
 */
#ifndef SCENESYNC_WORKER_VERIFY_COMPARE_H
#define SCENESYNC_WORKER_VERIFY_COMPARE_H

#include "store/redis_reader.h"
#include "worker/verify_model.h"
#include "worker/verify_report.h"

struct verify_comparison {
    struct span session_id;
    const struct scene_snapshot *snapshot; /* its arrays are put in order */
    struct verify_model *model;
    const struct settings *settings;
    struct verify_report *report; /* hears the differences, and counts */
    struct arena *arena;
};

/** Fails with ERROR_OUT_OF_MEMORY only. */
__attribute__((warn_unused_result)) bool verify_compare(const struct verify_comparison *comparison,
                                                        struct error *error);

#endif
