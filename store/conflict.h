/**
 * Conflict detection and resolution: the table of protocol.md section 4, as two pure functions.
 *
 * Nothing here knows documents, stores or clocks. Threading: stateless. Cost: a few comparisons.
 */
#ifndef SCENESYNC_STORE_CONFLICT_H
#define SCENESYNC_STORE_CONFLICT_H

#include "protocol/operation.h"
#include "protocol/vocabulary.h"
#include "store/scene.h"

/** One operation against one element: a row of the table. */
struct conflict_case {
    enum operation_kind kind;
    enum element_presence presence;
    uint64_t local_ms;     /* ts: the element's or tombstone's timestamp */
    uint64_t remote_ms;    /* t: the operation's, after clamping */
    bool removed_by_batch; /* the tombstone was made by this very batch */
    /* base_version, where it has an effect: the element is present and was not created by this
     * batch; and whether it equals the version before this batch. */
    bool has_base;
    bool base_is_current;
    bool is_retry; /* attempt > 1 */
};

enum conflict_decision {
    DECISION_APPLY,
    DECISION_KEEP_LOCAL, /* fails, not retryable */
    DECISION_RETRY,      /* fails, retryable: the element may still come */
    DECISION_FAIL,       /* fails, not retryable: there is nothing left to remove */
    DECISION_MERGE       /* per property */
};

/** The reason of the table's row, CONFLICT_NONE where there is no conflict. */
enum conflict_reason conflict_detect(const struct conflict_case *row);

/** The table's cell. `reason` is what conflict_detect() said of the row. */
enum conflict_decision conflict_resolve(const struct conflict_case *row,
                                        enum conflict_reason reason, enum strategy strategy);

#endif
