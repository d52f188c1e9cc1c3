/**
 * How far the worker is behind in each of its partitions, looked at every few seconds, also while
 * the store or the broker is away and nothing else moves.
 *
 * Lag is what Kafka has behind the position of the source, records at work included in neither.
 * *Processable* lag leaves out what waits on purpose: retries that are not due yet. Where Kafka no
 * longer says where a partition ends, the lag is what lies before the end that it told last, with
 * that end's age: it must not be shown as if it were today's.
 *
 * A thread of its own, since asking Kafka takes time. Lifetime: lag_monitor_start() after the
 * source was created, lag_monitor_stop() before it and the progress end. Threading: those two on
 * one thread, the rest on any. Cost: wakes ten times a second, asks each broker once every
 * LAG_MONITOR_INTERVAL_MS; partition_ends.h says for how long where some are away.
 */
#ifndef SCENESYNC_WORKER_LAG_MONITOR_H
#define SCENESYNC_WORKER_LAG_MONITOR_H

#include "worker/progress.h"
#include "worker/source.h"

enum {
    LAG_MONITOR_INTERVAL_MS = 2000,
    LAG_MONITOR_AGE_MS_MAX = 10000 /* what Kafka told longer ago is not known any more */
};

struct partition_lag {
    const char *topic; /* borrowed from the source */
    int32_t number;
    int64_t position, committed, end; /* next offsets; -1: not known */
    int64_t lag, processable_lag;     /* records; -1: not known */
    uint64_t due_ms; /* monotonic: when the first waiting one is due; 0: none waits */
    uint64_t age_ms; /* since Kafka told the end; UINT64_MAX: it has not */
};

struct lag_monitor;

/** Borrows all four; a worker without partitions of `ops_topic` asks about it, to see whether Kafka
 * and the topic are there (progress_watch_topic()). Returns owned; NULL: out of memory or threads.
 */
struct lag_monitor *lag_monitor_start(struct record_source *source, struct progress *progress,
                                      const struct clock *clock, const char *ops_topic);
void lag_monitor_stop(struct lag_monitor *monitor);

/** A copy of what was seen last, for free(); NULL where there are no partitions. `age_ms` is since
 * Kafka answered, about any partition; UINT64_MAX: it has not yet. False: out of memory. */
__attribute__((warn_unused_result)) bool lag_monitor_read(struct lag_monitor *monitor,
                                                          struct partition_lag **copy,
                                                          size_t *count, uint64_t *age_ms);

/** What `partition` means while its log ends at `end` (-1: not known), told just now. Pure. */
struct partition_lag partition_lag_of(const struct progress_partition *partition, int64_t end);

/** Whether the end, and so the lag, is of today. */
bool partition_lag_is_current(const struct partition_lag *lag);

#endif
