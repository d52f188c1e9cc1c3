#include "store/conflict.h"

static enum conflict_reason detect_on_removed(const struct conflict_case *row)
{
    bool is_older = row->remote_ms < row->local_ms;
    if (row->kind == OPERATION_ADD) {
        bool is_newer = row->remote_ms > row->local_ms;
        /* Remove and add with one timestamp in one batch is a replacement, in that order. */
        bool replaces = row->remote_ms == row->local_ms && row->removed_by_batch;
        return is_newer || replaces ? CONFLICT_NONE : CONFLICT_STALE_TIMESTAMP;
    }
    if (row->kind == OPERATION_UPDATE && is_older) {
        return CONFLICT_STALE_TIMESTAMP;
    }
    return CONFLICT_ELEMENT_NOT_FOUND;
}

static enum conflict_reason detect_on_present(const struct conflict_case *row)
{
    if (row->has_base) {
        /* Causality beats clocks: the client had seen exactly what is stored. */
        return row->base_is_current ? CONFLICT_NONE : CONFLICT_CONCURRENT_MODIFICATION;
    }
    if (row->remote_ms < row->local_ms) {
        return CONFLICT_STALE_TIMESTAMP;
    }
    return row->kind == OPERATION_ADD ? CONFLICT_ELEMENT_ALREADY_EXISTS : CONFLICT_NONE;
}

enum conflict_reason conflict_detect(const struct conflict_case *row)
{
    if (row->kind == OPERATION_INTERACTION || row->kind == OPERATION_INVALID) {
        return CONFLICT_NONE;
    }
    switch (row->presence) {
    case ELEMENT_UNKNOWN:
        return row->kind == OPERATION_ADD ? CONFLICT_NONE : CONFLICT_ELEMENT_NOT_FOUND;
    case ELEMENT_REMOVED:
        return detect_on_removed(row);
    case ELEMENT_PRESENT:
        return detect_on_present(row);
    }
    return CONFLICT_NONE;
}

/* StaleTimestamp, ElementAlreadyExists and ConcurrentModification on an element that an operation
 * could be applied to. */
static enum conflict_decision resolve_by_strategy(const struct conflict_case *row,
                                                  enum conflict_reason reason,
                                                  enum strategy strategy)
{
    bool is_older = row->remote_ms < row->local_ms;
    switch (strategy) {
    case STRATEGY_LAST_WRITE_WINS:
        return reason != CONFLICT_STALE_TIMESTAMP && !is_older ? DECISION_APPLY
                                                               : DECISION_KEEP_LOCAL;
    case STRATEGY_LOCAL_WINS:
        return DECISION_KEEP_LOCAL;
    case STRATEGY_REMOTE_WINS:
        /* A delayed operation must not overwrite what came after it. */
        return row->is_retry && is_older ? DECISION_KEEP_LOCAL : DECISION_APPLY;
    case STRATEGY_MERGE:
        return row->presence == ELEMENT_PRESENT ? DECISION_MERGE : DECISION_KEEP_LOCAL;
    case STRATEGY_COUNT:
        break;
    }
    return DECISION_KEEP_LOCAL;
}

enum conflict_decision conflict_resolve(const struct conflict_case *row,
                                        enum conflict_reason reason, enum strategy strategy)
{
    switch (reason) {
    case CONFLICT_NONE:
        return DECISION_APPLY;
    case CONFLICT_ELEMENT_NOT_FOUND:
        return row->kind == OPERATION_REMOVE && row->presence == ELEMENT_REMOVED ? DECISION_FAIL
                                                                                 : DECISION_RETRY;
    case CONFLICT_ELEMENT_ALREADY_EXISTS:
    case CONFLICT_CONCURRENT_MODIFICATION:
        return resolve_by_strategy(row, reason, strategy);
    case CONFLICT_STALE_TIMESTAMP:
        if (row->kind == OPERATION_UPDATE && row->presence == ELEMENT_REMOVED) {
            return DECISION_KEEP_LOCAL; /* under every strategy: nothing to apply it to */
        }
        return resolve_by_strategy(row, reason, strategy);
    case CONFLICT_REASON_COUNT:
        break;
    }
    return DECISION_KEEP_LOCAL;
}
