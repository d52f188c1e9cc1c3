/**
 * Which batch a message is about: the place, 0, 1, ..., of the batch_id that stands in it. Finds it
 * in batches and in results, by its key's bytes, which nothing else in these workloads contains.
 *
 * Lifetime: batch_index_init() .. batch_index_deinit(). Threading: reads only, once filled.
 */
#ifndef SCENESYNC_TESTS_BENCH_BATCH_INDEX_H
#define SCENESYNC_TESTS_BENCH_BATCH_INDEX_H

#include "protocol/span.h"

struct batch_index_entry {
    uint64_t name; /* made of the batch_id's digits; 0: a free entry */
    size_t place;
};

struct batch_index {
    struct batch_index_entry *entries;
    size_t mask; /* their number - 1 */
};

/** Room for `count` batches. False: out of memory. */
__attribute__((warn_unused_result)) bool batch_index_init(struct batch_index *index, size_t count);
void batch_index_deinit(struct batch_index *index);

/** False where the message has no batch_id. */
__attribute__((warn_unused_result)) bool batch_index_put(struct batch_index *index,
                                                         struct span message, size_t place);
__attribute__((warn_unused_result)) bool batch_index_find(const struct batch_index *index,
                                                          struct span message, size_t *place);

#endif
