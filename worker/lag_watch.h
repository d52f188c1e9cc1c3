/**
 * Notices a partition that has silently stopped: Kafka has records behind what the source has seen
 * of it, the cycle finds nothing to do, and that stays so.
 *
 * The watchdog looks every now and then. Between two looks time counts against a partition if it
 * lagged at both, was not moved in between, rested at neither, and the cycle was idle meanwhile: a
 * busy worker may have thousands of other partitions' records to get through first. Anything else,
 * also Kafka not answering, starts the count anew.
 *
 * Lifetime: a zeroed struct .. lag_watch_deinit(). Threading: one thread. Cost: a look is O(n) in
 * the partitions, as long as few of them come and go. Plain bookkeeping, without Kafka.
 */
#ifndef SCENESYNC_WORKER_LAG_WATCH_H
#define SCENESYNC_WORKER_LAG_WATCH_H

#include "worker/progress.h"

struct lag_row {
    struct progress_partition partition;
    int64_t lag;        /* records behind its position at the last judgement; -1: not known */
    bool is_counting;   /* it lagged then, and stands where it stood */
    uint64_t judged_ms; /* when that was */
    uint64_t stuck_ms;  /* for how long in a row */
};

struct lag_watch {
    struct lag_row *rows;
    size_t count;
    uint64_t idle_polls; /* as counted at the last look */
    bool was_idle;       /* between the last two looks */
};

void lag_watch_deinit(struct lag_watch *watch);

/**
 * A look begins: the rows become those of `partitions`, keeping what is known of those that have
 * not moved. False, with nothing changed, when out of memory.
 */
__attribute__((warn_unused_result)) bool
lag_watch_begin(struct lag_watch *watch, const struct progress_partition *partitions, size_t count,
                uint64_t idle_polls);

/** What Kafka says of a row at `now_ms`: `lag` records are behind its position; -1: no answer. */
void lag_watch_judge(struct lag_watch *watch, struct lag_row *row, int64_t lag, uint64_t now_ms);

/** For how long the partition has been stuck that has been it longest. */
uint64_t lag_watch_stuck_ms(const struct lag_watch *watch);

#endif
