/**
 * A store in this process's memory, with the same contract as the Redis store: for tests and
 * simulation. Nothing is kept on disk.
 *
 * Keeps the same logical keys (meta, elements, tombstone index, two generations of batch records,
 * pending) so that the contract tests can compare contents; nothing expires. Requests take effect
 * in store_poll(), in the order of their submission; it never waits. Threading: one thread. Cost:
 * O(log n) per item found, and the move of a pointer per item behind one that is inserted.
 */
#ifndef SCENESYNC_STORE_MEMORY_STORE_H
#define SCENESYNC_STORE_MEMORY_STORE_H

#include "store/store.h"

/** Makes an empty store, ready at once. Returns owned, or NULL when out of memory. */
struct store *memory_store_create(const struct store_retention *retention);

/**
 * Everything a scene holds, for comparison: appends lines "<key> <field> <value in hex>", keys in
 * the order meta, elements, tombstones, batches, batches.old, pending, fields in that of their
 * bytes; what is not printable in a field stands as \xNN.
 */
struct buffer;
void memory_store_dump(const struct store *store, struct span session_id, struct buffer *out);

/** One field of what is kept; views until the next request. */
struct memory_store_field {
    struct span session_id;
    const char *key; /* "meta", "elements", "tombstones", "batches", "batches.old", "pending" */
    struct span name, value;
};

/** Shows every field of every scene, in the order of the dump. */
void memory_store_visit(const struct store *store,
                        void (*visit)(void *context, const struct memory_store_field *field),
                        void *context);

/* Faults, for tests. Each acts on the next matching request, then is gone. */
enum memory_store_fault {
    /* The next commit, or write of the watermark, takes effect and completes as UNKNOWN. */
    MEMORY_STORE_FAULT_LOSE_REPLY,
    MEMORY_STORE_FAULT_LOSE_REQUEST, /* the next request has no effect and completes as UNKNOWN */
    MEMORY_STORE_FAULT_REFUSE        /* the next commit is refused, as after a lost race */
};
void memory_store_inject(struct store *store, enum memory_store_fault fault);

/**
 * Makes a scene's elements key a string: loads and commits of it fail as STORE_FAILED. With an
 * absent session id the watermark's key: until that is mended the store is not ready, and requests
 * complete as UNKNOWN.
 */
void memory_store_set_wrong_type(struct store *store, struct span session_id, bool wrong);

/** While down, is_ready is false and requests complete as UNKNOWN; coming up is a new epoch. */
void memory_store_set_down(struct store *store, bool down);

enum { MEMORY_STORE_HISTORY_WRITES = 1024 };

/**
 * Forgets the latest `writes` commits and writes of the watermark, whatever scenes they were of, as
 * a failover to a lagging replica does: at most MEMORY_STORE_HISTORY_WRITES, or all there were. The
 * epoch stays.
 */
void memory_store_forget_tail(struct store *store, size_t writes);

/**
 * Another primary takes over and the connection does not break: the next write of the watermark
 * notices, and completes as UNKNOWN, as does all that is in flight; then a new epoch begins.
 */
void memory_store_change_history(struct store *store);

#endif
