/**
 * What the watchdog (watchdog.h) and the lag monitor (lag_monitor.h) need of the source: how the
 * partitions stand, where one ends, and leaving the group while the cycle's thread hangs.
 * source_ends.h is for all of them at once.
 *
 * Lifetime: the source's. Threading: source_tell_partitions() belongs to the cycle's thread; the
 * others may be called from any other thread and touch nothing of the source that changes.
 */
#ifndef SCENESYNC_WORKER_SOURCE_WATCH_H
#define SCENESYNC_WORKER_SOURCE_WATCH_H

#include "worker/progress.h"
#include "worker/source.h"

/** Cycle's thread: puts how the partitions stand into `progress`. Out of memory: what was told
 * before stays. */
void source_tell_partitions(struct record_source *source, struct progress *progress);

/** Where a partition's log begins and ends, from Kafka, within `timeout_ms`; what is in a
 * transaction that is still open lies behind the end. False: no answer. */
__attribute__((warn_unused_result)) bool source_query_first(struct record_source *source,
                                                            const char *topic, int32_t number,
                                                            int timeout_ms, int64_t *first);
__attribute__((warn_unused_result)) bool source_query_end(struct record_source *source,
                                                          const char *topic, int32_t number,
                                                          int timeout_ms, int64_t *end);

/** The offset up to which the group has committed a partition, from Kafka, within `timeout_ms`; -1:
 * nothing was committed. False: no answer. */
__attribute__((warn_unused_result)) bool source_query_committed(struct record_source *source,
                                                                const char *topic, int32_t number,
                                                                int timeout_ms, int64_t *committed);

/**
 * Leaves the group without the cycle's thread, which may be anywhere, for good: from now on
 * rebalances touch no state of the source, no offset is committed, and source_poll() and
 * source_service() give nothing. Returns whether Kafka's client was through with it within six
 * seconds. The source can only be left as it is then: its owner must end the process.
 */
bool source_abandon(struct record_source *source);

/** Whether source_abandon() was called. */
bool source_is_abandoned(const struct record_source *source);

#endif
