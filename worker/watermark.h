/**
 * The watermark: how this worker knows that the store still has what it acknowledged, and that no
 * other worker has taken a partition over (store.md section 4; protocol.md section 8, guarantee 4).
 *
 * In the store, beside the scenes, stands for every partition "<next offset> <owner>". A partition
 * that is assigned rests until it is claimed: its entry read, compared with Kafka's committed
 * offset, and written anew with this process as the owner. From then on every commit names the
 * entries it builds on, so that neither a worker that lost the partition nor one whose store lost
 * its last writes can change a scene; and after each cycle, when all is committed and acknowledged,
 * the entries are raised, before the offsets go to Kafka. An entry that is not what was written
 * last means that the partition is claimed again, from where the store really is:
 *
 *     missing or lower   writes were lost: replay from there (store.on_lost_writes)
 *     another owner      wait a moment for Kafka to say so; if it does not, claim it back
 *
 * Entries are looked at once a second, and at once on a new connection, so that an idle worker
 * notices too. Lifetime: watermark_create() .. watermark_destroy(); borrows its parts. Threading:
 * the cycle's thread. Cost: one round trip per cycle.
 */
#ifndef SCENESYNC_WORKER_WATERMARK_H
#define SCENESYNC_WORKER_WATERMARK_H

#include "store/store.h"
#include "worker/patience.h"
#include "worker/stats.h"

struct watermark_parts {
    const struct settings *settings;
    const struct clock *clock;
    struct log *log;
    struct record_source *source;
    struct store *store;
    struct stats *stats;
    struct patience *patience;
    uint64_t owner; /* random: tells this process from all others */
};

enum watermark_outcome {
    WATERMARK_GOOD,
    WATERMARK_AGAIN,     /* not raised: the records at hand must go through the cycle again */
    WATERMARK_ABANDONED, /* patience ended */
    WATERMARK_STOP,      /* writes were lost, and store.on_lost_writes is `stop`; logged */
    WATERMARK_NO_MEMORY,
    WATERMARK_FAILED /* the store's answer cannot be: watermark_error() */
};

struct watermark;

/** Returns owned, or NULL when out of memory. */
struct watermark *watermark_create(const struct watermark_parts *parts);
void watermark_destroy(struct watermark *watermark);

/**
 * Between cycles: claims what was assigned, and looks whether the entries are still what was
 * written. Partitions that cannot be claimed yet (the store is away) rest. WATERMARK_GOOD, or why
 * the worker cannot go on.
 */
enum watermark_outcome watermark_tend(struct watermark *watermark);

/** Why it has failed. */
const struct error *watermark_error(const struct watermark *watermark);

/** The entries are to be looked at in the next watermark_tend(). */
void watermark_doubt(struct watermark *watermark);

/**
 * What the watermark says of a record's partition, for the commit that applies it. A view into
 * `arena`; absent when out of memory. A partition that is no longer this worker's gives a text that
 * stands nowhere.
 */
struct span watermark_expected(struct watermark *watermark, const struct record *record,
                               struct arena *arena);

/** Whether the record is older than what was known to be done: it is being replayed. */
bool watermark_is_replay(const struct watermark *watermark, const struct record *record);

/**
 * Everything of these records is in the store since the connection `epoch` began, and
 * acknowledged: raises the entries of their partitions. Records of partitions that are not held any
 * more are passed over.
 */
enum watermark_outcome watermark_raise(struct watermark *watermark, const struct record *records,
                                       size_t count, uint64_t epoch, struct arena *arena);

#endif
