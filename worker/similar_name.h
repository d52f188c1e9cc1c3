/**
 * The name that somebody meant who wrote another one: of all that are offered the most like it, if
 * one is close enough. Case does not count, and '.' and '_' are the same.
 *
 *     struct similar_name similar = similar_name_of("retry.max_retires");
 *     best = similar_name_offer(&similar, "retry.max_retries") ? "retry.max_retries" : best;
 *
 * Lifetime: plain data; borrows the texts. Threading: stateless. Cost: the product of two sizes.
 */
#ifndef SCENESYNC_WORKER_SIMILAR_NAME_H
#define SCENESYNC_WORKER_SIMILAR_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { SIMILAR_NAME_BYTES_MAX = 64 }; /* longer ones are like no other */

struct similar_name {
    const char *wanted;
    size_t best_distance; /* what the next one must be below */
};

struct similar_name similar_name_of(const char *wanted);

/** Returns whether it is close enough, and the best so far; of equals the first is. */
bool similar_name_offer(struct similar_name *similar, const char *candidate);

/** One letter for comparison: the environment has neither lower case nor dots. */
char similar_name_fold(char letter);

#endif
