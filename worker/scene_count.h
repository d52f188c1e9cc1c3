/**
 * Counts what became of a scene's deliveries.
 *
 * Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_SCENE_COUNT_H
#define SCENESYNC_WORKER_SCENE_COUNT_H

#include "worker/scene_work.h"

/** Adds the deliveries in [begin, end), which are settled with the store. */
void scene_count_verdicts(const struct scene_work *work, struct stats *stats);

#endif
