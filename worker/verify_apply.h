/**
 * One record of the log put on the model, as the worker that met it did.
 *
 * Lifetime: the model's. Threading: one thread. Cost: decoding the batch, and the engine's.
 */
#ifndef SCENESYNC_WORKER_VERIFY_APPLY_H
#define SCENESYNC_WORKER_VERIFY_APPLY_H

#include "worker/verify_model.h"

/** How far a lane was applied to the scene, as the store says. */
struct verify_bound {
    const struct verify_lane *lane;
    int64_t position; /* offset of the last record applied; -1: none */
};

struct verify_apply {
    const struct verify_context *context;
    const struct verify_bound *bound; /* of the record's lane */
    uint64_t answered_sequence;       /* of the log, before the store was read */
    /* The one partition whose cut-off beginning hides the scene's; NULL: none, or several do. */
    const struct verify_partition *cut;
    bool is_guess; /* that it is this record's turn */
};

/** What has to be known of a record to put it in its place. */
struct verify_head {
    struct verify_identity *identity; /* NULL: it has none, and changes nothing */
    uint32_t attempt;
    const struct verify_result *heard; /* NULL: nothing tells when it was applied */
    bool surely_changed;               /* it raised the scene's version */
    int64_t time_ms;                   /* the earliest at which it can have been applied */
};

/** Fails with ERROR_OUT_OF_MEMORY only. */
__attribute__((warn_unused_result)) bool
verify_head_read(const struct verify_apply *apply, struct verify_model *model,
                 const struct verify_record *record, struct verify_head *out, struct error *error);

enum verify_turn {
    VERIFY_TURN_ANY,   /* it changes nothing, whenever it comes */
    VERIFY_TURN_LATER, /* a retry whose attempt before was not applied yet */
    VERIFY_TURN_READY
};

/** Whether the record may be applied to the model as it is now. */
enum verify_turn verify_head_turn(const struct verify_model *model, const struct verify_head *head);

/**
 * How far the record would move a tombstone's clock now: all that an attempt can change which has
 * applied nothing. 0: it would not. Fails with ERROR_OUT_OF_MEMORY only.
 */
__attribute__((warn_unused_result)) bool verify_apply_lift(const struct verify_apply *apply,
                                                           const struct verify_model *model,
                                                           const struct verify_record *record,
                                                           uint64_t *lift_ms, struct error *error);

/** Applies the record, if it ever was. Fails with ERROR_OUT_OF_MEMORY only. */
__attribute__((warn_unused_result)) bool verify_apply_record(const struct verify_apply *apply,
                                                             struct verify_model *model,
                                                             const struct verify_record *record,
                                                             struct error *error);

/**
 * Everything is applied: marks what may have been changed by retries that the log has no more.
 * `is_cut` tells whether a partition's beginning is gone. Fails as above.
 */
typedef bool (*verify_is_cut)(const void *context, uint32_t tier, int32_t partition);
__attribute__((warn_unused_result)) bool
verify_apply_end(const struct verify_apply *apply, struct verify_model *model, verify_is_cut is_cut,
                 const void *is_cut_context, struct error *error);

#endif
