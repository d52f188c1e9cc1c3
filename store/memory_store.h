/**
 * A store in this process's memory, with the same contract as the Redis store: for tests and
 * simulation. Nothing is kept on disk.
 *
 * Keeps the same logical keys (meta, elements, tombstone index, two generations of batch records,
 * pending) so that the contract tests can compare contents. Threading: one thread. Cost: O(1)
 * expected per item; no tuning.
 */
#ifndef SCENESYNC_STORE_MEMORY_STORE_H
#define SCENESYNC_STORE_MEMORY_STORE_H

#include "store/store.h"

/** Makes an empty store, ready at once. Returns owned, or NULL when out of memory. */
struct store *memory_store_create(const struct store_retention *retention);

/** Everything a scene holds, for comparison: appends sorted text lines "key field value-hex". */
struct buffer;
void memory_store_dump(const struct store *store, struct span session_id, struct buffer *out);

/* Faults, for tests. Each acts on the next matching request, then is gone. */
enum memory_store_fault {
    MEMORY_STORE_FAULT_LOSE_REPLY,   /* the next commit takes effect and completes as UNKNOWN */
    MEMORY_STORE_FAULT_LOSE_REQUEST, /* the next request has no effect and completes as UNKNOWN */
    MEMORY_STORE_FAULT_REFUSE        /* the next commit is refused, as after a lost race */
};
void memory_store_inject(struct store *store, enum memory_store_fault fault);

/** Makes a scene's elements key a string: loads and commits of it fail as STORE_FAILED. */
void memory_store_set_wrong_type(struct store *store, struct span session_id, bool wrong);

/** While down, is_ready is false and requests complete as UNKNOWN; coming up is a new epoch. */
void memory_store_set_down(struct store *store, bool down);

/** Forgets the last `commits` commits of all scenes, as a failover to a lagging replica does. */
void memory_store_forget_tail(struct store *store, size_t commits);

#endif
