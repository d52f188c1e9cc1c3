/**
 * Numbers under hashes, for what the simulation remembers of millions of records.
 *
 * Two keys of one hash are one: of 64 bits, that is not to be expected. Lifetime: zeroed ..
 * sim_table_clear(). Threading: one thread. Cost: O(1).
 */
#ifndef SCENESYNC_TESTS_SIM_TABLE_H
#define SCENESYNC_TESTS_SIM_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct sim_entry {
    uint64_t key; /* 0: free */
    uint64_t first, second;
};

struct sim_table {
    struct sim_entry *entries;
    size_t count, room;
};

/** The entry of a key, NULL where there is none. Valid until the next is added. */
struct sim_entry *sim_table_find(const struct sim_table *table, uint64_t key);

/** The same, made with zeros where there is none. */
struct sim_entry *sim_table_provide(struct sim_table *table, uint64_t key);

void sim_table_clear(struct sim_table *table);

#endif
