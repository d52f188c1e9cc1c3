/**
 * Results for tests: a plain one, one with an entry of every sort, random ones.
 *
 * Lifetime: what result_plain() and result_mixed() give views static storage, which their next call
 * fills again; random ones own their arrays. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_RESULTS_H
#define SCENESYNC_TESTS_RESULTS_H

#include "protocol/result.h"

/** A final result of one attempt in which everything went well. */
struct sync_result result_plain(void);

/**
 * One of everything: a first attempt of four operations, one synced after a conflict, two failed
 * for good, one requeued.
 */
struct sync_result result_mixed(void);

/**
 * Anything that a worker could write, with fewer than `entries_max` entries in each array. `state`
 * is the generator's, not 0: the same one gives the same result.
 */
struct sync_result result_random(uint32_t entries_max, uint64_t *state);
void result_random_free(struct sync_result *result);

/** Gives `result` exactly `count` random entries, to be freed by result_random_free(). */
void result_random_conflicts(struct sync_result *result, uint32_t count, uint64_t *state);
void result_random_failures(struct sync_result *result, uint32_t count, uint64_t *state);

/** Writes it to test_scratch() (batches.h), as MessagePack that is well formed. Returns kept bytes.
 */
struct span result_encoded(const struct sync_result *result, enum body_encoding bodies,
                           size_t bytes_max);

/** Reads what must be a result; it lives in test_arena(). */
struct sync_result result_decoded(struct span raw);

#endif
