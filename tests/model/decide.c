#include "tests/model/decide.h"

bool model_is_present(const struct model_element *element)
{
    return element != NULL && !element->is_removed;
}

static struct model_decision decision(enum model_action action, const char *reason)
{
    return (struct model_decision){.action = action, .reason = reason};
}

/* Where an operation is older than a present element. */
static enum model_action decide_stale(const struct model_run *run,
                                      const struct model_operation *operation,
                                      const struct model_element *element, uint64_t t_ms)
{
    const bool is_retry = run->attempt > 0;
    switch (run->batch->strategy) {
    case MODEL_LAST_WRITE_WINS:
    case MODEL_LOCAL_WINS:
        break;
    case MODEL_REMOTE_WINS:
        return is_retry ? MODEL_KEEP_LOCAL : MODEL_APPLY;
    case MODEL_MERGE:
        if (operation->kind == MODEL_REMOVE) {
            return t_ms >= model_add_clock_of(element) ? MODEL_APPLY : MODEL_KEEP_LOCAL;
        }
        return MODEL_MERGE_LEAVES;
    }
    return MODEL_KEEP_LOCAL;
}

/* Where it is not older, but there is a conflict nevertheless. */
static enum model_action decide_contested(const struct model_run *run,
                                          const struct model_operation *operation)
{
    switch (run->batch->strategy) {
    case MODEL_LAST_WRITE_WINS:
    case MODEL_REMOTE_WINS:
        break;
    case MODEL_LOCAL_WINS:
        return MODEL_KEEP_LOCAL;
    case MODEL_MERGE:
        return operation->kind == MODEL_REMOVE ? MODEL_APPLY : MODEL_MERGE_LEAVES;
    }
    return MODEL_APPLY;
}

static struct model_decision decide_against_base(const struct model_run *run,
                                                 const struct model_operation *operation,
                                                 const struct model_met *met, uint64_t t_ms)
{
    const struct model_element *const element = met->element;
    const uint64_t before = met->note != NULL ? met->note->version_before : element->version;
    if (operation->base_version == before) {
        return decision(MODEL_APPLY, NULL);
    }
    return decision(t_ms < element->timestamp_ms ? decide_stale(run, operation, element, t_ms)
                                                 : decide_contested(run, operation),
                    "ConcurrentModification");
}

static struct model_decision decide_present(const struct model_run *run,
                                            const struct model_operation *operation,
                                            const struct model_element *element, uint64_t t_ms)
{
    if (t_ms < element->timestamp_ms) {
        return decision(decide_stale(run, operation, element, t_ms), "StaleTimestamp");
    }
    if (operation->kind == MODEL_ADD) {
        return decision(decide_contested(run, operation), "ElementAlreadyExists");
    }
    return decision(MODEL_APPLY, NULL);
}

static struct model_decision decide_removed(const struct model_run *run,
                                            const struct model_operation *operation,
                                            const struct model_met *met, uint64_t t_ms)
{
    const uint64_t ts_ms = met->element->timestamp_ms;
    const bool is_own = met->note != NULL && met->note->is_removed_here;
    const bool is_late = run->attempt > 0 && t_ms < ts_ms;
    if (operation->kind == MODEL_REMOVE) {
        return decision(MODEL_NOT_FOUND, "ElementNotFound");
    }
    if (operation->kind == MODEL_UPDATE) {
        return t_ms < ts_ms ? decision(MODEL_KEEP_LOCAL, "StaleTimestamp")
                            : decision(MODEL_NOT_FOUND, "ElementNotFound");
    }
    if (t_ms > ts_ms || (t_ms == ts_ms && is_own)) {
        return decision(MODEL_APPLY, NULL);
    }
    const bool applies = run->batch->strategy == MODEL_REMOTE_WINS && !is_late;
    return decision(applies ? MODEL_APPLY : MODEL_KEEP_LOCAL, "StaleTimestamp");
}

struct model_decision model_decide(const struct model_run *run,
                                   const struct model_operation *operation,
                                   const struct model_met *met, uint64_t t_ms)
{
    const bool is_added_here = met->note != NULL && met->note->is_added_here;
    if (operation->kind == MODEL_INTERACTION) {
        return decision(MODEL_APPLY, NULL);
    }
    if (met->element == NULL) {
        return operation->kind == MODEL_ADD ? decision(MODEL_APPLY, NULL)
                                            : decision(MODEL_NOT_FOUND, "ElementNotFound");
    }
    if (met->element->is_removed) {
        return decide_removed(run, operation, met, t_ms);
    }
    if (operation->has_base_version && !is_added_here) {
        return decide_against_base(run, operation, met, t_ms);
    }
    return decide_present(run, operation, met->element, t_ms);
}
