/**
 * Partitions that rest until they are claimed: what the watermark (watermark.h) asks of the source.
 *
 * Where claims are required, an assigned partition gives no records until source_start(). A
 * partition that is read already can be made to rest again, to be read from another offset.
 *
 * Lifetime: the source's. Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_SOURCE_CLAIM_H
#define SCENESYNC_WORKER_SOURCE_CLAIM_H

#include "worker/assignment.h"

/** From now on assigned partitions rest. To be called before the first source_poll(). */
void source_require_claims(struct record_source *source);

/** What the source knows of its partitions. Valid as long as it; partitions come and go in every
 * source_poll() and source_service(). */
struct assignment *source_assignment(struct record_source *source);

/** Whether a partition rests and may be claimed at `now_ms` (monotonic). */
bool source_has_claimable(struct record_source *source, uint64_t now_ms);

/**
 * Asks Kafka for the committed offsets of all resting partitions, into their `committed`; waits up
 * to two seconds for each few hundred of them. False: no answer, logged; to be tried again later.
 */
bool source_ask_committed(struct record_source *source);

/** Asks Kafka which offsets it has: from `*start` up to below `*end`; waits up to two seconds for
 * each. False: no answer, logged. */
bool source_ask_log(struct record_source *source, const char *topic, int32_t number, int64_t *start,
                    int64_t *end);

/**
 * Lets a resting partition give records from `offset` on; -1: from its committed offset, or where
 * there is none from its beginning. False: Kafka's client cannot yet; it goes on resting.
 */
bool source_start(struct record_source *source, struct assigned_partition *partition,
                  int64_t offset);

/** Makes a partition rest, to be read again from elsewhere: drops what is held of it; records given
 * out so far are source_holds() no more. Not claimable before `until_ms` (monotonic). */
void source_rest(struct record_source *source, struct assigned_partition *partition,
                 uint64_t until_ms);

#endif
