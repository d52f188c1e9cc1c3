/**
 * One operation applied to a scene in memory: detect, resolve, change (protocol.md section 4).
 *
 * A pure function of (scene, operation, context): no I/O, no clock; the same code runs in the
 * worker and under every test. Threading: one thread per scene. Cost: a hash look-up, the patch's
 * bytes, one copy; what clocks add to that is added to elements that have some (apply_merge.h).
 */
#ifndef SCENESYNC_STORE_APPLY_H
#define SCENESYNC_STORE_APPLY_H

#include "protocol/buffer.h"
#include "store/conflict.h"

struct apply_context {
    const struct limits *limits;
    enum strategy strategy;
    bool is_retry;        /* attempt > 1 */
    bool is_last_attempt; /* a retryable failure now is a failure for good */
    uint64_t arrival_ms;  /* later timestamps are taken as this one */
    int64_t record_time_ms;
    struct arena *arena;    /* takes messages */
    struct buffer *scratch; /* for documents; cleared and used */
    struct arena *work;     /* for clocks; emptied and used, nothing in it outlives an operation */
    size_t *list_bytes;     /* room for what merged operations list; what they take goes off */
};

enum outcome_status {
    OUTCOME_SYNCED,
    OUTCOME_FAILED, /* for good */
    OUTCOME_PENDING /* retryable, and there are attempts left */
};

struct outcome {
    enum outcome_status status;
    bool is_clamped;
    /* FAILED and PENDING */
    enum error_code code;
    bool is_retryable;
    struct span message; /* a sentence, in the arena */
    /* the conflict it met, CONFLICT_NONE: none */
    enum conflict_reason reason;
    uint64_t stale_local_ms, stale_remote_ms;
    enum resolution resolution;
    struct local_state local;
    /* RESOLUTION_MERGE: what was written and what was not (protocol/result.h); both absent where
     * there was no room for them. */
    struct span applied, kept;
};

/**
 * Applies `operation` to its element, which must be loaded; NULL where it names none. Fails only
 * with ERROR_OUT_OF_MEMORY; the scene must then be forgotten.
 */
__attribute__((warn_unused_result)) bool
apply_operation(struct scene *scene, struct element *element, const struct operation *operation,
                const struct apply_context *context, struct outcome *out, struct error *error);

/**
 * The outcome of an operation that could not be tried: after too many lost races (`code`
 * ERROR_CONCURRENT_MODIFICATION, retryable) or refused by the store (ERROR_STORE_ERROR, with the
 * store's message). Interactions still count, invalid operations stay invalid; nothing changes.
 */
__attribute__((warn_unused_result)) bool apply_not_tried(const struct scene *scene,
                                                         const struct operation *operation,
                                                         const struct apply_context *context,
                                                         const struct error *cause,
                                                         struct outcome *out, struct error *error);

#endif
