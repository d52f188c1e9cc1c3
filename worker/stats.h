/**
 * What the worker has counted since its start. Written by the cycle's thread only.
 *
 * Threading: plain data, one thread; a snapshot is a copy.
 */
#ifndef SCENESYNC_WORKER_STATS_H
#define SCENESYNC_WORKER_STATS_H

#include <stdint.h>

struct stats {
    uint64_t records;             /* taken from Kafka */
    uint64_t batches_applied;     /* attempts that were new */
    uint64_t batches_redelivered; /* the same Kafka record again */
    uint64_t batches_resent;      /* a client's resend */
    uint64_t batches_stale;       /* dropped: already dealt with */
    uint64_t batches_refused;     /* refused whole, dead-lettered */
    uint64_t operations_synced, operations_failed, operations_pending;
    uint64_t interactions;
    uint64_t conflicts;
    uint64_t clamped;
    uint64_t keys_differing; /* records whose key is not their session_id */
    uint64_t requeues, dead_letters, results;
    uint64_t commits, commit_races;
    uint64_t cycles;
    uint64_t lost_writes;      /* partitions whose watermark was found to have gone back */
    uint64_t records_replayed; /* worked again for that */
    uint64_t records_gone;     /* lost for good: Kafka had them no more */
    uint64_t cycles_repeated;  /* the connection or the watermark changed on the way */
};

#endif
