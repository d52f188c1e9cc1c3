/**
 * One scene's share of a cycle: its deliveries in order, taken through read, decide and commit
 * until the store has them all.
 *
 * A state machine between store requests: scene_work_step() does what can be done without waiting
 * and submits the next request; scene_work_complete() takes a request's outcome. A refused commit
 * (somebody else was faster) or an unknown one (its reply was lost) goes back to reading; the batch
 * records then tell what was applied. Lifetime: the cycle. Threading: one thread.
 */
#ifndef SCENESYNC_WORKER_SCENE_WORK_H
#define SCENESYNC_WORKER_SCENE_WORK_H

#include "store/process.h"
#include "worker/delivery.h"
#include "worker/span_index.h"
#include "worker/stats.h"

enum work_state {
    WORK_BEGIN,      /* nothing was looked at yet */
    WORK_READ,       /* has to read elements, records or positions */
    WORK_READING,    /* a load is under way */
    WORK_DECIDE,     /* everything needed is in memory */
    WORK_COMMITTING, /* a commit is under way */
    WORK_DONE,
    WORK_DISOWNED /* the store is not where this worker left it: the cycle ends here */
};

/** How the rest of the deliveries can be dealt with. */
enum work_mode {
    WORK_APPLY,     /* as it should be */
    WORK_GIVE_UP,   /* too many lost races: fail retryably, recorded without the check */
    WORK_FAIL,      /* the store refuses this scene's data: fail for good, recorded */
    WORK_UNRECORDED /* it refuses the records too: fail for good, nothing is written */
};

/** What the store, or this cycle, knows under one batch identity. */
struct known_record {
    struct span value;          /* encoded; absent: nothing is recorded */
    struct batch_record record; /* decoded, where there is a value */
    bool is_uncommitted;        /* made by the commit being built */
    struct span value_before;   /* then: what stood here before */
    struct batch_record record_before;
};

/** What all scenes of a cycle share. */
struct work_context {
    const struct settings *settings;
    const struct clock *clock;
    struct store *store;
    struct record_source *source;
    struct arena *arena;
    struct buffer *scratch, *document_scratch;
    struct stats *stats;
    struct log *log;
    uint64_t *token_state; /* of the commit tokens' generator, seeded from the system */
    bool is_too_large;     /* applying needs too much memory: operations fail for good */
    const struct fault_hook *faults;
};

struct scene_work {
    struct scene *scene;
    struct delivery **deliveries; /* in the order of consumption */
    size_t delivery_count;
    size_t begin, end; /* [begin, end) is in the commit under way; before begin: done */
    enum work_state state;
    enum work_mode mode;
    bool has_read;        /* read in this cycle, not only taken from the cache */
    bool has_doubted;     /* a delivery looked stale, and everything was read again to be sure */
    bool has_first_looks; /* the scene remembers what it was read as */
    uint32_t lost_races;
    uint64_t epoch;       /* of the store's connection that the scene was read under */
    uint64_t since_epoch; /* of the first one that what is done rests on; 0: none yet */
    /* Positions of the last commit that was answered; a later read that finds less finds a store
     * that lost it. */
    const struct store_position *acknowledged;
    size_t acknowledged_count;
    struct error reason;        /* of a mode other than WORK_APPLY */
    struct span_index fields;   /* of the deliveries' identities in the store */
    struct known_record *known; /* by the fields' numbers */
    struct scene_load load;
    struct element **load_elements; /* in the order of load.element_ids */
    struct scene_commit commit;
    uint64_t commit_begun_ms; /* monotonic */
};

/**
 * Begins with `deliveries` (arena) of one session, none of them refused. Fails with
 * ERROR_OUT_OF_MEMORY.
 */
__attribute__((warn_unused_result)) bool
scene_work_init(struct scene_work *work, struct scene *scene, struct delivery **deliveries,
                size_t delivery_count, const struct work_context *context, struct error *error);

/** Goes on as far as possible; may submit one request. Fails with ERROR_OUT_OF_MEMORY. */
__attribute__((warn_unused_result)) bool
scene_work_step(struct scene_work *work, const struct work_context *context, struct error *error);

/** Takes the outcome of the request under way, if it has one. Fails with ERROR_OUT_OF_MEMORY. */
__attribute__((warn_unused_result)) bool scene_work_complete(struct scene_work *work,
                                                             const struct work_context *context,
                                                             struct error *error);

/** The cycle is over: drops what must not outlive it. */
void scene_work_finish(struct scene_work *work);

#endif
