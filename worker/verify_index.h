/**
 * Finds numbers by bytes: scenes by session_id, results by record, batches by identity.
 *
 * Lifetime: verify_index_init() .. verify_index_deinit(); keys are borrowed and must outlive it.
 * Threading: one thread. Cost: O(1) expected (open addressing, XXH3); 24 bytes per key, and 4 to 8
 * bytes of slots.
 */
#ifndef SCENESYNC_WORKER_VERIFY_INDEX_H
#define SCENESYNC_WORKER_VERIFY_INDEX_H

#include "protocol/span.h"

struct verify_index_entry {
    struct span key;
    uint32_t number; /* the caller's */
};

struct verify_index {
    struct verify_index_entry *entries; /* in the order in which they came */
    uint32_t count, capacity;
    uint32_t *slots; /* place in `entries` + 1; 0: empty */
    uint32_t slot_count;
};

/** Nothing is allocated yet. */
void verify_index_init(struct verify_index *index);
void verify_index_deinit(struct verify_index *index);

/** The entry of this key, or NULL. Valid until the next verify_index_add(). */
struct verify_index_entry *verify_index_find(const struct verify_index *index, struct span key);

/** Adds a key that is not there yet; NULL when out of memory. */
struct verify_index_entry *verify_index_add(struct verify_index *index, struct span key,
                                            uint32_t number);

#endif
