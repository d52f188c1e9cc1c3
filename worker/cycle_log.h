/**
 * What a cycle tells its log about single batches: refusals and dead letters at warn, what was
 * dropped at info, everything else at debug. Ids and counts only, never payloads.
 *
 * Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_CYCLE_LOG_H
#define SCENESYNC_WORKER_CYCLE_LOG_H

#include "worker/outbox.h"

/** A batch refused whole: why, where it stood. */
void cycle_log_refusal(struct log *log, const struct delivery *delivery);

/** What became of a delivery that was worked with. */
void cycle_log_delivery(struct log *log, const struct delivery *delivery);

/** The requeue or dead letter that a letter is; results are told by their delivery. */
void cycle_log_letter(struct log *log, const struct letter *letter);

#endif
