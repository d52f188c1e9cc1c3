/**
 * Where scenes are kept: the interface that the Redis store and the memory store implement, and
 * that the contract tests hold both against (store/README.md; the key layout is normative there).
 *
 * Submit and poll: a request is the caller's storage, lent to the store from submit until its
 * status is no longer STORE_IN_FLIGHT. Requests complete in store_poll(), in any order. A lost
 * reply is its own outcome (STORE_UNKNOWN): the caller reads the scene again, and the batch records
 * tell whether the commit took effect.
 *
 * Lifetime: create functions are in redis_store.h and memory_store.h; store_destroy() ends it.
 * Threading: one thread. Cost: one round trip for all that was submitted between two polls.
 */
#ifndef SCENESYNC_STORE_STORE_H
#define SCENESYNC_STORE_STORE_H

#include "protocol/arena.h"
#include "protocol/error.h"

enum { STORE_TOKEN_BYTES_MAX = 32, STORE_DROPPED_TOMBSTONES_MAX = 16 };

enum store_status {
    STORE_IN_FLIGHT,
    STORE_DONE,
    STORE_REFUSED, /* commit: the check failed; nothing was written; read again, decide again */
    STORE_FAILED,  /* this request can never work (wrong key type, refused arguments): `error` */
    STORE_UNKNOWN, /* connection lost, or the store cannot work now: nothing is known; read again */
    STORE_DISOWNED /* the watermark is not what was expected; nothing was written */
};

/** The `commit` token of a scene: opaque text; size 0 for a scene that does not exist. */
struct store_token {
    uint8_t size;
    char text[STORE_TOKEN_BYTES_MAX];
};

/** Where a partition of a topic stands in a scene: `at:<topic>/<partition>`. */
struct store_position {
    struct span name;     /* "<topic>/<partition>" */
    bool is_read;         /* the scene's note (scene.h) that it was asked for */
    bool known;           /* the store has it */
    int64_t offset;       /* of the last record applied to the scene */
    int64_t timestamp_ms; /* the highest record timestamp up to it */
    /* Commits only: what the watermark must say of this partition, or the commit is STORE_DISOWNED;
     * absent: it is not looked at. */
    struct span mark;
};

/**
 * Reads of one scene: its meta first (so that a later change is always caught by the commit's
 * check), then the elements and records named.
 */
struct scene_load {
    /* in: borrowed until completion */
    struct span session_id;
    const struct span *element_ids;
    size_t element_count;
    const struct span *record_fields; /* looked for in all of batches, batches.old, pending */
    size_t record_count;
    struct store_position *positions; /* in: name; out: the rest */
    size_t position_count;
    struct arena *arena; /* takes the values */
    /* out */
    enum store_status status;
    struct error error;
    uint64_t version; /* 0 for a scene that does not exist */
    struct store_token token;
    uint64_t scene_element_count;
    /* How many values there are under elements, tombstones included; UINT64_MAX where no element is
     * asked for: then that key is not looked at. */
    uint64_t stored_count;
    struct span *element_values; /* element_count of them; absent where unknown */
    struct span *record_values;  /* record_count of them; absent where there is none */
};

enum element_write_kind {
    ELEMENT_WRITE_PRESENT,  /* a present element that has no tombstone in the index */
    ELEMENT_WRITE_REVIVED,  /* a present element whose tombstone leaves the index */
    ELEMENT_WRITE_TOMBSTONE /* a tombstone; its index entry gets `record_time_ms` */
};

struct element_write {
    struct span id;
    struct span head, value; /* one behind the other: the element's value as of scene.h */
    enum element_write_kind kind;
    int64_t record_time_ms; /* TOMBSTONE only */
};

struct record_write {
    struct span field; /* record_field() (record.h) */
    struct span value; /* record_encode(): starts with the attempt and a space */
    uint32_t attempt;  /* refused unless attempt - 1 is what is recorded now (1: nothing is) */
    bool pending;      /* to `:pending`, never evicted; else to `:batches` */
};

/** Records live for the window and at most this part of it more: so it need not be set anew with
 * every commit. */
enum { STORE_EXPIRY_SLACK_PARTS = 16 };

/** How long things are remembered (settings `dedupe.*`, `tombstones.*`). */
struct store_retention {
    uint32_t dedupe_batches_max;
    uint64_t dedupe_bytes_max, dedupe_window_ms;
    uint32_t tombstones_max;
    uint64_t tombstone_retention_ms;
};

/** The record time up to which a commit drops tombstones; no overflow. */
static inline int64_t store_tombstone_cutoff_ms(const struct store_retention *retention,
                                                int64_t updated_at_ms)
{
    uint64_t retention_ms = retention->tombstone_retention_ms;
    if (retention_ms > INT64_MAX || updated_at_ms < INT64_MIN + (int64_t)retention_ms) {
        return INT64_MIN;
    }
    return updated_at_ms - (int64_t)retention_ms;
}

/**
 * One scene's commit, all or nothing: if version and token are still what was expected, write it
 * all; else STORE_REFUSED. `checked` false skips that comparison and serves to record a failure
 * after lost races: then there must be no elements, version and count stay as they are, and a
 * position never moves down. The attempt check of each record holds either way.
 */
struct scene_commit {
    /* in: borrowed until completion */
    struct span session_id;
    bool checked;
    uint64_t expected_version;
    struct store_token expected_token;
    uint64_t version;         /* the new one; may equal the expected one */
    struct store_token token; /* new and unique */
    uint64_t scene_element_count;
    int64_t updated_at_ms; /* record time of the latest batch in it */
    const struct element_write *elements;
    size_t element_count;
    const struct record_write *records;
    size_t record_count;
    const struct store_position *positions;
    size_t position_count;
    /* "<topic>/<partition>=<offset> " … : committed offsets. Records of deliveries at or above
     * theirs, and of partitions not named, are never evicted. */
    struct span settled_offsets;
    /* The records' time to live was set less than a STORE_EXPIRY_SLACK_PARTS-th of the window ago,
     * and need not be set again. */
    bool keeps_expiry;
    struct arena *arena; /* takes `dropped` */
    /* out */
    enum store_status status;
    struct error error;
    /* Ids whose old tombstones the store dropped with this commit: unknown from now on. */
    struct span dropped[STORE_DROPPED_TOMBSTONES_MAX];
    size_t dropped_count;
};

/**
 * The watermark of one consumer group (the store knows which): how far the work on each partition
 * is known to be in the store and answered, as a value that means nothing to the store. It stands
 * beside the scenes, so a store that loses writes loses it with them (store.md section 4).
 */
struct watermark_entry {
    struct span name;     /* "<topic>/<partition>" */
    struct span expected; /* writes, in: what must stand there; absent: nothing may */
    struct span value;    /* writes, in: what shall stand there */
    struct span found;    /* out: what stands there; absent: nothing does */
};

enum { STORE_WATERMARK_ENTRIES_MAX = 1000 };

/**
 * Reads entries, or compares and sets them, all or nothing. A write is STORE_DISOWNED, and `found`
 * is set, where any entry is not as expected. It is STORE_UNKNOWN, and the connection is given up,
 * where the store's history is not the one that the connection began with (a fail-over behind a
 * connection that stayed open): then nothing was written, and what was committed before may be
 * lost.
 */
struct watermark_request {
    /* in: borrowed until completion */
    struct watermark_entry *entries;
    size_t count; /* 1 to STORE_WATERMARK_ENTRIES_MAX */
    bool is_write;
    struct arena *arena; /* takes `found` */
    /* out */
    enum store_status status;
    struct error error;
};

/** A condition of the connection, told to the observer when it changes. */
enum store_event {
    STORE_EVENT_CONNECTED,
    STORE_EVENT_DISCONNECTED, /* detail: why */
    STORE_EVENT_WAITING       /* the store answers but cannot work; detail: its reply, the cure */
};

struct store_observer {
    void (*notify)(void *context, enum store_event event, const char *detail);
    void *context;
};

struct store;

struct store_interface {
    void (*submit_load)(struct store *store, struct scene_load *load);
    void (*submit_commit)(struct store *store, struct scene_commit *commit);
    void (*submit_watermark)(struct store *store, struct watermark_request *request);
    size_t (*poll)(struct store *store, int timeout_ms);
    bool (*is_ready)(const struct store *store);
    uint64_t (*epoch)(const struct store *store);
    void (*destroy)(struct store *store);
};

/** The head of every implementation's struct. */
struct store {
    const struct store_interface *interface;
};

/** Starts a load. While the store is not ready it completes as STORE_UNKNOWN at the next poll. */
static inline void store_submit_load(struct store *store, struct scene_load *load)
{
    store->interface->submit_load(store, load);
}

/** Starts a commit; the same. */
static inline void store_submit_commit(struct store *store, struct scene_commit *commit)
{
    store->interface->submit_commit(store, commit);
}

/** Reads or writes the group's watermark; the same. */
static inline void store_submit_watermark(struct store *store, struct watermark_request *request)
{
    store->interface->submit_watermark(store, request);
}

/**
 * Sends, receives, connects and reconnects (exponential backoff with jitter), for up to
 * `timeout_ms` or until something completed or the connection's state changed. Returns how many
 * requests are still in flight.
 */
static inline size_t store_poll(struct store *store, int timeout_ms)
{
    return store->interface->poll(store, timeout_ms);
}

/** Connected, and not waiting for the store to be able to work again. */
static inline bool store_is_ready(const struct store *store)
{
    return store->interface->is_ready(store);
}

/** Rises with every new connection: what was cached under another epoch may be untrue. */
static inline uint64_t store_epoch(const struct store *store)
{
    return store->interface->epoch(store);
}

/** Ends the store; requests in flight complete as STORE_UNKNOWN first. NULL is allowed. */
static inline void store_destroy(struct store *store)
{
    if (store != NULL) {
        store->interface->destroy(store);
    }
}

#endif
