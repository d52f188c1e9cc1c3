/**
 * The deciding step of a scene's work: recognise and process the deliveries that are open, in
 * order, and put everything they change into one commit.
 *
 * No I/O but submitting that commit. Lifetime: the cycle. Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_SCENE_DECIDE_H
#define SCENESYNC_WORKER_SCENE_DECIDE_H

#include "worker/scene_work.h"

/**
 * Decides [begin, end): as many deliveries as one commit should hold. Submits the commit
 * (WORK_COMMITTING), or, where nothing is to be written, is done with them at once. Fails with
 * ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool
scene_decide(struct scene_work *work, const struct work_context *context, struct error *error);

/** The deliveries in [begin, end) are settled with the store: count them, go on behind them. */
void scene_decide_done(struct scene_work *work, const struct work_context *context);

#endif
