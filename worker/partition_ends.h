/**
 * Where the logs of the worker's partitions end, as well as Kafka can say: a broker that is away
 * or a partition without a leader must not hide how the others stand.
 *
 * librdkafka's question for many partitions is answered for all of them or for none. As long as all
 * can be had, one question for some hundred of them is all there is. Where it fails, the partitions
 * are asked for leader by leader: first the leaders that answered last, then the others, each of
 * them that longest waits for it first. A leader that answers with an error is asked about half of
 * its partitions, until the one that cannot be had is found; a leader that is silent, and
 * partitions that have none, are left alone until the next look. So a look takes
 * PARTITION_ENDS_LOOK_MS and the time of one question at most, however many brokers are away.
 *
 * Lifetime: a zeroed struct .. partition_ends_deinit(). Threading: one thread. Cost: one question
 * per look while all is well; otherwise one more, one per leader, and O(n log n).
 */
#ifndef SCENESYNC_WORKER_PARTITION_ENDS_H
#define SCENESYNC_WORKER_PARTITION_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/clock.h"
#include "worker/progress.h"

enum {
    PARTITION_ENDS_LOOK_MS = 2000,     /* no question is begun later than that */
    PARTITION_ENDS_QUESTIONS_MAX = 64, /* of one look */
    PARTITION_ENDS_ASKED_MAX = 500     /* by one: librdkafka takes time with their square */
};

struct partition_end {
    const char *topic; /* borrowed from the source, as long as it lives */
    int32_t number;
    int32_t leader;    /* the broker to ask, -1: none; as find_leaders() said last */
    int64_t end;       /* as told last; -1: it never was */
    uint64_t told_ms;  /* monotonic: when */
    uint64_t asked_ms; /* monotonic: when it was asked for last; 0: never */
    bool is_missing;   /* it was not told when it was asked for last, or has no leader */
};

enum partition_ends_answer {
    PARTITION_ENDS_TOLD,
    PARTITION_ENDS_REFUSED, /* by a broker's error about one of them, or more */
    PARTITION_ENDS_SILENT   /* nothing came in time */
};

/** Who is asked. Both block for a bounded time. */
struct partition_ends_kafka {
    /** Puts the `end` of all `count` rows, or of none. */
    enum partition_ends_answer (*ask)(void *context, struct partition_end *const *rows,
                                      size_t count);
    /** Puts the `leader` of all rows. False: nobody answers. */
    bool (*find_leaders)(void *context, struct partition_end *rows, size_t count);
    void *context;
    const struct clock *clock;
};

struct partition_ends {
    struct partition_end *rows; /* in the order of the partitions */
    size_t count;
    bool is_partial; /* one was not told at the last look */
};

void partition_ends_deinit(struct partition_ends *ends);

/** From now on these are the partitions; what is known of those that stay is kept. False: out of
 * memory, and nothing has changed. */
__attribute__((warn_unused_result)) bool
partition_ends_set(struct partition_ends *ends, const struct progress_partition *partitions,
                   size_t count);

/** Asks Kafka. Returns whether one end at least was told; false also where memory was out. */
bool partition_ends_look(struct partition_ends *ends, const struct partition_ends_kafka *kafka);

#endif
