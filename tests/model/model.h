/**
 * The protocol once more, as plainly as it can be written: what a worker has to make of batches.
 *
 * Written from protocol.md (protocol/README.md) and not from the worker, with which it shares no
 * code: values are trees, a scene is a sorted list, every rule stands where the document has it.
 * The ledger replays runs through it, property tests hold the worker's engine against it.
 *
 *     model_batch_read()      sections 2 and 3: a message, its refusal or its operations
 *     model_attempt_decide()  section 4: one attempt on a scene, which stays as it is
 *     model_attempt_take()    ... and makes it so
 *
 * What it leaves out, since it depends on more than the log: when tombstones are dropped, sizes of
 * results and requeues, who is recognised as a resend.
 *
 * Lifetime: init/free pairs below; a run borrows its batch, a batch its message. Threading: one
 * thread. Cost: allocates freely; out of memory aborts.
 */
#ifndef SCENESYNC_TESTS_MODEL_MODEL_H
#define SCENESYNC_TESTS_MODEL_MODEL_H

#include "tests/model/value.h"

enum model_strategy { MODEL_LAST_WRITE_WINS, MODEL_LOCAL_WINS, MODEL_REMOTE_WINS, MODEL_MERGE };

/** "last_write_wins"; and back: false for what is none. Both spellings are read. */
const char *model_strategy_name(enum model_strategy strategy);
bool model_strategy_read(struct span name, enum model_strategy *strategy);

struct model_settings {
    enum model_strategy strategy; /* conflict.strategy */
    bool allow_batch_strategy;
    uint32_t retries_max;
    uint64_t message_bytes_max, operations_max, element_bytes_max, text_bytes_max, elements_max;
    uint32_t depth_max;
};

/** The worker's defaults. */
struct model_settings model_settings_default(void);

/* --- Messages --- */

enum model_kind { MODEL_INVALID, MODEL_ADD, MODEL_UPDATE, MODEL_REMOVE, MODEL_INTERACTION };

struct model_operation {
    enum model_kind kind;
    bool is_echoed;  /* results repeat its bytes; false: it breaks the rules for maps and strings */
    struct span raw; /* as it was received */
    uint64_t timestamp_ms;
    bool has_base_version;
    uint64_t base_version;
    struct span id;              /* ADD, UPDATE, REMOVE */
    const struct value *content; /* ADD: the complete element; UPDATE: the changes */
    const struct value *said;    /* ADD: what it says explicitly, as it is stored */
};

/** Section 6: what a requeue says of the attempts before. */
struct model_retry {
    uint64_t attempt, not_before_ms, arrival_ms, total, synced_count, clamped_count;
    struct span source_topic;
    uint64_t source_partition, source_offset;
    const struct value *indexes, *attempt_versions, *conflicts, *failed_operations;
};

struct model_batch {
    const char *code;       /* refused whole: why; NULL: accepted */
    struct span session_id; /* absent: cannot be read */
    struct span batch_id;   /* absent: it has none, or none that is valid */
    struct span client_id;  /* the same */
    enum model_strategy strategy;
    struct span operations_raw; /* the array's bytes; empty where it is nil */
    struct model_operation *operations;
    uint32_t operation_count;
    struct model_retry retry; /* of records on retry topics */
};

/** Reads a record's value. Everything it points to lives in the pool or is the message's. */
void model_batch_read(struct span message, const struct model_settings *settings,
                      bool from_retry_topic, struct pool *pool, struct model_batch *batch);

/** Reads one operation that stands in a batch. */
void model_operation_read(const struct value *value, const struct model_settings *settings,
                          struct pool *pool, struct model_operation *operation);

/** An element id as it is stored; false where it is none. */
bool model_id_read(const struct value *value, struct pool *pool, struct span *id);

/** An add's element, complete; NULL where it breaks a rule. `said`: without the defaults. */
struct value *model_element_complete(const struct value *element,
                                     const struct model_settings *settings, struct pool *pool,
                                     struct value **said);

/** The element with the changes; NULL where the outcome breaks a rule. */
struct value *model_element_patched(const struct value *element, const struct value *changes,
                                    const struct model_settings *settings, struct pool *pool);

/** The changes without what is ignored of them. */
struct value *model_changes_heeded(const struct value *changes, struct pool *pool);

/* --- Scenes --- */

/** When something in an element was written last. */
struct model_clock {
    struct span pointer; /* JSON Pointer: "/transform/x" */
    uint64_t time_ms;
};

struct model_element {
    struct pool pool; /* holds the rest */
    struct span id;
    bool is_removed;
    uint64_t version, timestamp_ms;
    int64_t removed_at_ms;  /* a tombstone: the record time of the removal */
    struct value *document; /* NULL: a tombstone */
    /* Since a batch under merge wrote to it; until then everything in it counts as written at its
     * timestamp. */
    bool has_clocks;
    struct model_clock *clocks; /* of all that was ever written to it */
    size_t clock_count;
    uint64_t floor_ms; /* what was before the clocks were kept: nothing counts as older */
    uint64_t add_clock_ms;
};

/** All zero is an empty scene. */
struct model_scene {
    uint64_t version, element_count; /* count: of those that are present */
    struct model_element **elements; /* by id */
    size_t count, room;
};

void model_scene_free(struct model_scene *scene);

/** The element or its tombstone; NULL: unknown. */
struct model_element *model_scene_find(const struct model_scene *scene, struct span id);

/** Takes the element, in the place of the one of its id. */
void model_scene_put(struct model_scene *scene, struct model_element *element);

/** Of an element that is in no scene. NULL is allowed. */
void model_element_free(struct model_element *element);

/* --- Merge --- */

/** Whether one pointer leads to the same place as the other, or to one above or below it. */
bool model_is_related(struct span a, struct span b);

/** The clock of what is, or would be, at this pointer. */
uint64_t model_clock_of(const struct model_element *element, struct span pointer);

/** The time of the add, as far as it is known. */
uint64_t model_add_clock_of(const struct model_element *element);

/** Gives the element, a new state of `before`, the clocks that that had: where it had none, from
 * here on. */
void model_keep_clocks(struct model_element *element, const struct model_element *before);

/** Those leaves of a map that an operation of this time writes to the element (NULL: all of them);
 * its id is none. */
struct value *model_leaves_to_write(const struct model_element *element, const struct value *map,
                                    uint64_t time_ms, struct pool *pool);

/** The element with these leaves set, as an add says them. */
struct value *model_element_with(const struct value *element, const struct value *leaves,
                                 struct pool *pool);

/** Notes that these leaves were written. */
void model_note_written(struct model_element *element, const struct value *leaves,
                        uint64_t time_ms);

/* --- Attempts --- */

enum model_standing { MODEL_PENDING, MODEL_SYNCED, MODEL_FAILED };

/** Where an operation stands after the attempts so far. */
struct model_verdict {
    enum model_standing standing;
    uint32_t attempt;       /* the latest that it took part in */
    const char *code;       /* PENDING, FAILED */
    bool is_retryable;      /* the same */
    bool is_out_of_retries; /* FAILED: it is dead-lettered */
    bool is_clamped;
    bool has_conflict;
    const char *reason, *resolution; /* of the latest conflict */
    uint64_t stale_local_ms, stale_remote_ms;
    struct model_local {
        uint64_t version, timestamp_ms;
        bool is_removed;
    } local, met; /* local: of the latest conflict; met: of the latest attempt */
};

struct model_counts {
    uint64_t synced, conflicts, failed, pending, clamped;
};

/** A batch on its way through its attempts. All zero but for the first three is one that has had
 * none. */
struct model_run {
    const struct model_batch *batch; /* as it was received first */
    const struct model_settings *settings;
    uint64_t arrival_ms;
    uint32_t attempt; /* attempts made */
    struct model_verdict *verdicts;
};

void model_run_init(struct model_run *run, const struct model_batch *batch,
                    const struct model_settings *settings, uint64_t arrival_ms);
void model_run_free(struct model_run *run);

struct model_counts model_run_counts(const struct model_run *run);

/** An attempt that is decided and not taken yet. */
struct model_attempt {
    struct model_verdict *verdicts; /* of all operations of the batch */
    struct model_element **changed; /* as they shall be */
    struct model_note *notes;       /* what this batch did to each of them */
    size_t changed_count;
    uint64_t scene_version, element_count; /* after it */
    bool has_changed;                      /* the scene: its version rises */
};

/**
 * Decides the run's next attempt on the scene as it stands. `record_time_ms`: of the record that
 * brings it. `lost_races`: the commit was refused too often, so all of it fails, retryable.
 */
void model_attempt_decide(const struct model_scene *scene, const struct model_run *run,
                          int64_t record_time_ms, bool lost_races, struct model_attempt *attempt);

/** Makes it so; ends the attempt's life. */
void model_attempt_take(struct model_attempt *attempt, struct model_scene *scene,
                        struct model_run *run);

/** Keeps what it says of the operations, and leaves the scene as it is. */
void model_attempt_drop_changes(struct model_attempt *attempt, const struct model_scene *scene);

/** Lets it be; ends its life. */
void model_attempt_free(struct model_attempt *attempt);

#endif
