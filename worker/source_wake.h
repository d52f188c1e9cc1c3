/**
 * Wakes the client's threads that fetch records, where they oversleep.
 *
 * Before librdkafka 2.2 a thread that finds the queue of fetched records full sleeps for up to a
 * second, whatever becomes of the queue meanwhile (seen in its `fetch` log: 0.8 s). A question to
 * the partition's leader wakes it. So while records are taken in quantity, this asks for the end of
 * the partition that the last one came from, one question of some bytes per 8 MiB of records, 20 a
 * second at the most. Otherwise the queue would have to last for a second: 160 MB of memory.
 *
 * Lifetime: source_wake_start() .. source_wake_stop(), within the source's. Threading: a thread of
 * its own asks; the functions are the cycle's.
 */
#ifndef SCENESYNC_WORKER_SOURCE_WAKE_H
#define SCENESYNC_WORKER_SOURCE_WAKE_H

#include "worker/source.h"

struct source_wake;

/** Begins; `*out` is owned, or NULL where the client needs no waking. False: out of memory or
 * threads. */
__attribute__((warn_unused_result)) bool source_wake_start(struct record_source *source,
                                                           struct source_wake **out);

/** Ends it, within a second. NULL is allowed. */
void source_wake_stop(struct source_wake *wake);

#endif
