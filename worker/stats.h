/**
 * What the worker has counted since its start. Written by the cycle's thread only; others see the
 * copies that it hands out (snapshot.h).
 *
 * Threading: plain data, one thread. Cost: a count is an increment.
 */
#ifndef SCENESYNC_WORKER_STATS_H
#define SCENESYNC_WORKER_STATS_H

#include "protocol/error.h"
#include "protocol/operation.h"
#include "protocol/vocabulary.h"
#include "worker/durations.h"

enum operation_outcome {
    OPERATION_SYNCED,
    OPERATION_FAILED,   /* for good */
    OPERATION_REQUEUED, /* will be tried again */
    OPERATION_OUTCOME_COUNT
};

enum {
    STATS_OPERATION_KINDS = OPERATION_INTERACTION + 1,
    /* Of a conflict whose operation waits for a retry; behind the resolutions. */
    STATS_CONFLICT_PENDING = RESOLUTION_COUNT,
    STATS_RETRIES_MAX = 100 /* as retry.max_retries allows */
};

struct stats {
    uint64_t records;             /* taken from Kafka */
    uint64_t batches_applied;     /* attempts that were new */
    uint64_t batches_redelivered; /* the same Kafka record again */
    uint64_t batches_resent;      /* a client's resend */
    uint64_t batches_stale;       /* dropped: already dealt with */
    uint64_t batches_refused;     /* refused whole, dead-lettered */
    uint64_t operations[STATS_OPERATION_KINDS][OPERATION_OUTCOME_COUNT]; /* by operation_kind */
    uint64_t conflicts[CONFLICT_REASON_COUNT][RESOLUTION_COUNT + 1];     /* each once */
    uint64_t clamped;
    uint64_t keys_differing; /* records whose key is not their session_id */
    uint64_t results;
    uint64_t requeues[STATS_RETRIES_MAX + 1]; /* by tier; none to 0 */
    uint64_t dead_letters[ERROR_CODE_COUNT];  /* by code */
    uint64_t commits, commit_races;
    uint64_t scenes_cached, scenes_read; /* per cycle: found in the cache, or asked for */
    uint64_t cycles;
    uint64_t lost_writes;      /* partitions whose watermark was found to have gone back */
    uint64_t records_replayed; /* worked again for that */
    uint64_t records_gone;     /* lost for good: Kafka had them no more */
    uint64_t cycles_repeated;  /* the connection or the watermark changed on the way */
    struct durations process, commit, age; /* by the bounds of the same name */
};

/* Sums over the tables. */
uint64_t stats_operations(const struct stats *stats, enum operation_outcome outcome);
uint64_t stats_conflicts(const struct stats *stats);
uint64_t stats_requeues(const struct stats *stats);
uint64_t stats_dead_letters(const struct stats *stats);

/** A number with the name that it has in the log and on the status page. */
struct stats_field {
    const char *key;
    uint64_t value;
};

enum { STATS_FIELDS = 23 };

/** All that is worth a line of the log, in its order. */
void stats_list(const struct stats *stats, struct stats_field fields[STATS_FIELDS]);

/** "synced" and the like. Static. */
const char *operation_outcome_name(enum operation_outcome outcome);

struct sync_result;
struct batch;

/**
 * Counts what an attempt did: its operations by kind and outcome, and the conflicts that no earlier
 * attempt has met. `result` lists every operation that failed or waits.
 */
void stats_count_attempt(struct stats *stats, const struct batch *batch,
                         const struct sync_result *result);

#endif
