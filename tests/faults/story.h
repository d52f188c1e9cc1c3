/**
 * A load with a known outcome: batches that move, add, remove and wait for a retry, in such a way
 * that one lost, doubled or out of order shows in the scenes or in the results.
 *
 * Each session is on one partition. Every batch changes its scene exactly once, at one attempt, so
 * a scene's version counts the batches applied to it. Out of eight batches of a session, in turn:
 *
 *     0-4, 7  move `a` to their number, add an element
 *     5       update an element that the 7th adds: requeued until that is there
 *     6       move `a`, remove the element of the 4th
 *
 * Lifetime: plain data, borrows the world. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_FAULTS_STORY_H
#define SCENESYNC_TESTS_FAULTS_STORY_H

#include "tests/support/world.h"

enum {
    STORY_TIERS = 3, /* of the world */
    STORY_SESSIONS_MAX = 16,
    STORY_ROUND = 8,
    STORY_BATCHES_MAX = 2000
};

struct story {
    struct world *world;
    int partition_count;
    int session_count; /* session number k is on partition k % partition_count */
    int sent;          /* batches so far; sessions take turns */
};

/** Begins one in a world with STORY_TIERS, before its workers: sets what the load counts on, short
 * delays before retries. */
struct story story_begin(struct world *world, int partition_count, int session_count);

void story_send(struct story *story, int batch_count);

/** Sends, a batch of each session and then a pause of `pause_ms`, until the worker's log has
 * `text`; or, to follow repetitions, has it `count` times. */
void story_send_until(struct story *story, struct worker_process *worker, const char *text,
                      int pause_ms);
void story_send_until_count(struct story *story, struct worker_process *worker, const char *text,
                            size_t count, int pause_ms);

/** The same for this long. */
void story_send_for(struct story *story, int duration_ms, int pause_ms);

/** Sends what completes the rounds, and waits until the group has worked off everything. */
void story_settle(struct story *story);

/**
 * After story_settle(): every batch succeeded and has its final result, all results of an attempt
 * are the same bytes, versions stand for one batch each and rise in the order of the log; the
 * scenes are what the batches make, and nothing else; nothing is dead-lettered. And the ledger,
 * which knows nothing of this load, finds nothing wrong (tests/ledger).
 */
void story_expect_once(struct story *story);

/** The same where the store lost writes: what was replayed may have been told otherwise before. */
void story_expect_once_after_losses(struct story *story);

#endif
