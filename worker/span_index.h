/**
 * Numbers byte strings: equal ones have the same number, new ones the next, from 0 on. For what a
 * run has many of, such as its deliveries' sessions.
 *
 * Open addressing over XXH3. Lifetime: in the arena; the strings are views, and must last as long.
 * Threading: one thread. Cost: O(1) expected.
 */
#ifndef SCENESYNC_WORKER_SPAN_INDEX_H
#define SCENESYNC_WORKER_SPAN_INDEX_H

#include "protocol/arena.h"

struct span_index {
    struct span *spans; /* by their numbers */
    uint32_t count;
    uint32_t *slots; /* a number + 1; 0: free */
    size_t mask;
};

/** Makes an empty one with room for `count_max` different strings. False: out of memory. */
__attribute__((warn_unused_result)) bool span_index_init(struct span_index *index, size_t count_max,
                                                         struct arena *arena);

/** The string's number, the next one where it has none. */
uint32_t span_index_number(struct span_index *index, struct span span);

#endif
