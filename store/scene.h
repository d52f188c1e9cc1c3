/**
 * A scene in memory: the elements that were read, as this cycle's batches change them.
 *
 * The store stays the truth: a scene here is a working copy under a version and a token, and the
 * commit's check refuses it where somebody else was faster; then scene_forget() and read again.
 * Changes are made in place; several changes of one element become one write.
 *
 * Lifetime: scene_create() .. scene_destroy(); the scene owns ids and documents. Pointers to
 * elements stay valid until scene_destroy(); scene_forget() leaves them noted and not loaded.
 * Threading: one thread. Cost: O(1) expected per element (open addressing, XXH3); no allocation
 * where a document fits its old room.
 */
#ifndef SCENESYNC_STORE_SCENE_H
#define SCENESYNC_STORE_SCENE_H

#include "protocol/vocabulary.h"
#include "store/element_value.h"
#include "store/store.h"

enum element_presence {
    ELEMENT_UNKNOWN, /* the store has nothing under this id */
    ELEMENT_PRESENT,
    ELEMENT_REMOVED /* a tombstone */
};

struct element {
    struct span id;
    enum element_presence presence;
    bool is_loaded;        /* false: the id is noted, the store has not been asked yet */
    bool is_requested;     /* part of a load under way */
    bool is_unreadable;    /* what the store has is no element: operations on it fail */
    uint64_t version;      /* scene version of the attempt that last changed it */
    uint64_t timestamp_ms; /* of the last write, or of the removal */
    uint8_t *document;     /* PRESENT: the complete element as MessagePack */
    size_t document_bytes;
    size_t clocks_bytes; /* PRESENT: of its clocks, right behind the document; 0: it has none */
    size_t document_capacity; /* for both */
    size_t transform_at;      /* in the document; 0: not looked for (protocol/element.h) */
    bool has_checked_kind;    /* the document was made here (protocol/element.h) */

    /* What the batch being applied found and did; valid where batch_serial is the scene's. */
    uint64_t batch_serial;
    uint64_t version_before_batch;
    bool created_by_batch, removed_by_batch;

    /* What the next commit has to write. */
    bool is_dirty;
    bool is_indexed;             /* the store's tombstone index has it */
    int64_t tombstone_record_ms; /* record time of the removal, for that index */

    /* After a lost race: what was seen first, to tell whether it changed in between. */
    bool has_first_look;
    enum element_presence first_presence;
    uint64_t first_version, first_timestamp_ms;
    bool was_raced; /* it did change in between */
};

struct scene {
    struct span session_id; /* owned */
    bool is_loaded;         /* version, token and count are known */
    bool is_complete;       /* all that the store has is in memory: any other id is unknown there */
    uint64_t version;       /* as of the batches applied here so far */
    struct store_token token;
    uint64_t element_count;     /* present ones */
    uint64_t committed_version; /* what the next commit expects */
    uint64_t expiry_set_ms; /* monotonic: when a commit set the records' time to live; 0: never */

    uint64_t batch_serial;
    bool changed_by_batch; /* the batch being applied has changed something */

    struct element **slots; /* open addressing; slot_count is a power of two, or 0 */
    size_t slot_count, used_slots;
    struct element **dirty; /* in order of their first change */
    size_t dirty_count, dirty_capacity;

    struct store_position *positions; /* names owned */
    size_t position_count, position_capacity;

    size_t bytes; /* what all of this takes of the heap (heap_bytes.h), for the cache's bound */
};

/** Makes an empty working copy, nothing loaded. Returns owned, or NULL when out of memory. */
struct scene *scene_create(struct span session_id);
void scene_destroy(struct scene *scene);

/**
 * Forgets all that was read and changed. With `keep_first_look` the elements remember what they
 * were read as, so that what changed meanwhile is told apart after the next load (protocol.md
 * section 4, "Lost races").
 */
void scene_forget(struct scene *scene, bool keep_first_look);

/** Ends the memory of first looks, after a cycle in which scene_forget() kept them. */
void scene_forget_first_looks(struct scene *scene);

/** The element noted under this id, or NULL. */
struct element *scene_find(const struct scene *scene, struct span id);

/** The same, noting it where it is new: unknown, and loaded only if the scene is complete. NULL
 * when out of memory. */
struct element *scene_note(struct scene *scene, struct span id);

/**
 * Takes what the store has for an element: a value as of element_value_encode(), a bare map
 * (version 0, timestamp 0; store/README.md), or an absent span. Fails with ERROR_STORE_ERROR where
 * the bytes are none of these, or ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool scene_load_element(struct scene *scene,
                                                            struct element *element,
                                                            struct span value, struct error *error);

/** After a load: whether all of the store's `stored_count` values (store.h) are in memory now. */
void scene_note_stored(struct scene *scene, uint64_t stored_count);

/** Notes that scene_load_element() could not read what the store has. */
void scene_mark_unreadable(struct element *element);

/** The position noted for "<topic>/<partition>", made (unknown) where new; NULL: out of memory. */
struct store_position *scene_position(struct scene *scene, struct span name);

/** Begins a batch attempt: changes from here on belong to it and share one new version. */
void scene_begin_batch(struct scene *scene);

/** Ends it: the scene's version has risen by one if anything changed. Returns the version. */
uint64_t scene_end_batch(struct scene *scene);

/**
 * Stores a value (copied) with a timestamp: a document and, where the element has clocks
 * (protocol/clocks.h), in the last `clocks_bytes` bytes their stored form. The element becomes
 * present. False: out of memory; the scene must then be forgotten.
 */
__attribute__((warn_unused_result)) bool scene_put(struct scene *scene, struct element *element,
                                                   struct span value, size_t clocks_bytes,
                                                   uint64_t timestamp_ms);

/** The same where the document was changed where it stands. */
__attribute__((warn_unused_result)) bool
scene_put_in_place(struct scene *scene, struct element *element, uint64_t timestamp_ms);

/** The stored form of a present element's clocks; absent where it has none. */
struct span element_clocks(const struct element *element);

/** Makes or raises a tombstone. `record_time_ms` is what its retention is measured from. */
__attribute__((warn_unused_result)) bool scene_remove(struct scene *scene, struct element *element,
                                                      uint64_t timestamp_ms,
                                                      int64_t record_time_ms);

/** The version that `base_version` is compared with: before the batch being applied. */
uint64_t scene_version_before_batch(const struct scene *scene, const struct element *element);
bool scene_created_by_batch(const struct scene *scene, const struct element *element);
bool scene_removed_by_batch(const struct scene *scene, const struct element *element);

/** The commit took effect under this token: nothing is dirty, old tombstones are gone. */
void scene_committed(struct scene *scene, const struct scene_commit *commit);

/** The store's value, `[version, timestamp, element]`, nil for a tombstone, with the clocks as a
 * 4th item where the element has some: its first bytes, up to the element, and the rest, a view of
 * what the element holds. Appends the first; returns the rest. */
struct buffer;
struct span element_value_encode(const struct element *element, struct buffer *head);

#endif
