/**
 * A sorted map of byte strings, for the memory store: what Redis has as a hash.
 *
 * An item is one allocation and never changes; the table owns what stands in it and hands over what
 * leaves it, so that a change can be undone. Lifetime: zeroed .. clear. Threading: one thread.
 * Cost: O(log n) to find, O(n) pointers moved to insert in the middle or remove from there.
 */
#ifndef SCENESYNC_STORE_MEMORY_TABLE_H
#define SCENESYNC_STORE_MEMORY_TABLE_H

#include "protocol/span.h"

struct memory_item;

/** Like memcmp(); a shorter string stands before those it starts. */
int memory_key_compare(struct span a, struct span b);

struct memory_table {
    struct memory_item **items; /* by key, in the order of memory_key_compare() */
    size_t count, capacity;
};

/** Copies both. Returns owned, or NULL when out of memory; free() ends it. */
struct memory_item *memory_item_create(struct span key, struct span value);
struct span memory_item_key(const struct memory_item *item);
struct span memory_item_value(const struct memory_item *item);

void memory_table_clear(struct memory_table *table);

/** The value, or an absent span. */
struct span memory_table_find(const struct memory_table *table, struct span key);

/**
 * Takes the item; what stood under its key goes to `replaced` (NULL: nothing), owned by the caller.
 * False, and nothing changes, when out of memory: never for an item that stood there before.
 */
__attribute__((warn_unused_result)) bool memory_table_put(struct memory_table *table,
                                                          struct memory_item *item,
                                                          struct memory_item **replaced);

/** Takes the item out; returns it owned, or NULL where there is none. */
struct memory_item *memory_table_remove(struct memory_table *table, struct span key);

#endif
