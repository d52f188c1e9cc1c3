/**
 * One batch attempt on a scene in memory: its operations in order, and the SyncResult that says
 * what became of them, earlier attempts included (protocol.md sections 4 and 5).
 *
 * A pure function: times come in as numbers, nothing is read or written but the scene, the arena
 * and the scratch buffer. Lifetime: the result views the batch, the retry section and the arena.
 * Threading: one thread per scene. Cost: the operations', and a merge of two sorted lists.
 */
#ifndef SCENESYNC_STORE_PROCESS_H
#define SCENESYNC_STORE_PROCESS_H

#include "protocol/batch.h"
#include "store/apply.h"

struct process_context {
    const struct limits *limits;
    uint32_t retries_max;    /* retry.max_retries */
    struct source source;    /* of the first delivery; a retry's section knows it itself */
    uint64_t arrival_ms;     /* of the first delivery; the same */
    int64_t record_time_ms;  /* of the record at hand: tombstones' age is measured from it */
    uint64_t timestamp_ms;   /* the commit's time, by the wall clock */
    uint64_t duration_ms;    /* of this attempt, from receipt */
    uint64_t retry_delay_ms; /* before the next attempt, should there be one */
    struct element *const *elements; /* each operation's; NULL: they are looked up in the scene */
    const struct error *not_tried;   /* NULL: apply. Else why nothing can be (apply_not_tried()) */
    struct arena *arena;
    struct buffer *scratch;
};

/** The attempt that a batch makes: 1, or what its retry section says. */
uint32_t process_attempt_of(const struct batch *batch);

/**
 * Applies the batch and sums it up. All elements it names must be loaded, unless `not_tried`. Fails
 * only with ERROR_OUT_OF_MEMORY; the scene must then be forgotten.
 */
__attribute__((warn_unused_result)) bool
process_batch(struct scene *scene, const struct batch *batch, const struct process_context *context,
              struct sync_result *out, struct error *error);

/**
 * Writes the context's times into a result, again: process_batch() took those of its beginning, and
 * section 5 wants those at which the commit is sent.
 */
void process_stamp(struct sync_result *result, const struct batch *batch,
                   const struct process_context *context);

/**
 * The requeue does not fit a message: what is pending fails for good as retry_too_large, and the
 * result becomes final (section 6).
 */
void process_fail_pending(struct sync_result *result);

#endif
