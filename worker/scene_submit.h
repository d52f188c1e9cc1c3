/**
 * What one commit of a scene will hold, and its way to the store.
 *
 * No I/O but submitting it. Lifetime: a step of the scene's work; what it points to is the cycle's
 * arena. Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_SCENE_SUBMIT_H
#define SCENESYNC_WORKER_SCENE_SUBMIT_H

#include "worker/scene_work.h"

/** Of the deliveries that were decided so far. */
struct scene_portion {
    struct record_write *records; /* room for one of each delivery that is open */
    size_t record_count, record_bytes;
    size_t settled_count;    /* of these records: nothing of their batches waits for a retry */
    bool *touched_positions; /* by index in the scene */
    struct span *marks;      /* the same: what the watermark must say */
    bool has_positions;
    int64_t updated_at_ms;
    uint64_t begun_ms; /* monotonic */
};

/** An empty one, beginning now. False: no memory. */
__attribute__((warn_unused_result)) bool scene_portion_begin(struct scene_portion *portion,
                                                             const struct scene_work *work,
                                                             const struct work_context *context);

/** Whether another delivery would make the commit too large, or has to wait for Kafka's turn. */
bool scene_portion_is_full(const struct scene_work *work, const struct scene_portion *portion,
                           const struct clock *clock);

/**
 * Submits the commit of [begin, end) (WORK_COMMITTING): the portion, and the elements that are
 * dirty. Fails with ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool scene_submit(struct scene_work *work,
                                                      const struct work_context *context,
                                                      const struct scene_portion *portion,
                                                      struct error *error);

#endif
