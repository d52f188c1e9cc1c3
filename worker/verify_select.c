#include "worker/verify_select.h"

#include "protocol/buffer.h"
#include "protocol/pack.h"

/* The result says that the store, not the rules, kept the operation from being applied. */
static bool was_refused_by_store(const struct failure_entry *failure)
{
    if (failure == NULL) {
        return false;
    }
    bool is_race = failure->code == ERROR_CONCURRENT_MODIFICATION && failure->retryable;
    return is_race || failure->code == ERROR_STORE_ERROR ||
           failure->code == ERROR_TOO_MANY_ELEMENTS;
}

/* What an operation met, as its result tells it. */
struct met {
    bool is_known;
    enum element_presence presence;
    uint64_t version, timestamp_ms;
};

/* From a conflict that this attempt reported. A retry may carry an older one along, with what the
 * first attempt met: that is the one that ended in keep_remote without a reason to. */
static struct met met_in_conflict(const struct conflict_entry *conflict, bool is_retry)
{
    struct met met = {.version = conflict->local.version,
                      .timestamp_ms = conflict->local.timestamp_ms};
    bool may_be_carried = is_retry && conflict->resolution == RESOLUTION_KEEP_REMOTE;
    if (may_be_carried) {
        return met;
    }
    met.is_known = true;
    met.presence = ELEMENT_PRESENT;
    if (conflict->local.removed) {
        met.presence = ELEMENT_REMOVED;
    } else if (met.version == 0 && met.timestamp_ms == 0) {
        met.presence = ELEMENT_UNKNOWN;
        met.is_known = conflict->reason == CONFLICT_ELEMENT_NOT_FOUND;
    }
    return met;
}

/* What an add or a remove met that was applied without a conflict: nothing newer than itself, so
 * that any older state leads to the same. */
static struct met met_without_conflict(const struct operation *operation, bool was_applied)
{
    bool is_fresh = was_applied && !operation->has_base_version;
    if (is_fresh && operation->kind == OPERATION_ADD) {
        return (struct met){.is_known = true, .presence = ELEMENT_UNKNOWN};
    }
    if (is_fresh && operation->kind == OPERATION_REMOVE) {
        return (struct met){.is_known = true, .presence = ELEMENT_PRESENT};
    }
    return (struct met){0};
}

/* Makes the element what the operation met. An element that was there gets an empty document: only
 * operations that leave nothing of it may follow. */
static bool load_met(struct scene *scene, struct element *element, const struct met *met,
                     struct buffer *scratch, struct error *error)
{
    buffer_clear(scratch);
    pack_array(scratch, 3);
    pack_uint(scratch, met->version);
    pack_uint(scratch, met->timestamp_ms);
    if (met->presence == ELEMENT_PRESENT) {
        pack_map(scratch, 0);
    } else {
        pack_nil(scratch);
    }
    if (scratch->failed) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for an element");
    }
    struct span bytes = met->presence == ELEMENT_UNKNOWN ? (struct span){0} : buffer_span(scratch);
    return scene_load_element(scene, element, bytes, error);
}

/* Grounds the element where the result of this operation allows it. */
static bool ground(struct verify_model *model, const struct verify_attempt *attempt,
                   const struct operation *operation, struct element *element,
                   const struct verify_context *context, struct error *error)
{
    if (!attempt->has_result || attempt->result.truncated) {
        return true;
    }
    const struct failure_entry *failure = verify_attempt_failure(attempt, operation->index);
    const struct conflict_entry *conflict = verify_attempt_conflict(attempt, operation->index);
    struct met met = conflict != NULL ? met_in_conflict(conflict, attempt->number > 1)
                                      : met_without_conflict(operation, failure == NULL);
    /* Of a present element nothing but its clock is known: it must go, or be replaced, now. */
    bool leaves_nothing = failure == NULL && operation->kind != OPERATION_UPDATE &&
                          attempt->delivery.batch.strategy != STRATEGY_MERGE;
    if (!met.is_known || (met.presence == ELEMENT_PRESENT && !leaves_nothing)) {
        return true;
    }
    uint64_t count_before = model->scene->element_count;
    if (!load_met(model->scene, element, &met, context->scratch, error)) {
        return false;
    }
    model->scene->element_count = count_before + (met.presence == ELEMENT_PRESENT ? 1 : 0);
    return verify_model_mark(model, element, VERIFY_GROUNDED) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for an element's mark");
}

/* Whether the engine gets the operation. */
static bool select_one(struct verify_model *model, const struct verify_attempt *attempt,
                       const struct operation *operation, const struct verify_context *context,
                       bool *is_selected, struct error *error)
{
    *is_selected = true;
    if (span_is_absent(operation->id)) {
        return true;
    }
    struct element *element = verify_model_element(model, operation->id);
    if (element == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for an element");
    }
    if (was_refused_by_store(verify_attempt_failure(attempt, operation->index))) {
        *is_selected = false;
        return true;
    }
    if (!verify_model_is_grounded(model, operation->id) &&
        !ground(model, attempt, operation, element, context, error)) {
        return false;
    }
    *is_selected = verify_model_is_grounded(model, operation->id);
    /* What the engine goes by here may not be what the worker went by. */
    bool is_version_guessed = operation->has_base_version && !verify_model_has_versions(model);
    bool is_clamp_guessed = attempt->is_arrival_guessed && operation->has_timestamp &&
                            operation->timestamp_ms + 2 > attempt->delivery.arrival_ms;
    if ((is_version_guessed || is_clamp_guessed ||
         verify_model_may_be_dropped(model, element, context->settings)) &&
        !verify_model_mark(model, element, VERIFY_UNCERTAIN)) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for an element's mark");
    }
    return true;
}

bool verify_select(struct verify_model *model, const struct verify_attempt *attempt,
                   const struct verify_context *context, struct verify_selection *out,
                   struct error *error)
{
    struct arena *arena = context->arena;
    const struct batch *batch = &attempt->delivery.batch;
    *out = (struct verify_selection){
        .batch = *batch,
        .pending = arena_alloc_array(arena, batch->operation_count, sizeof(uint32_t)),
    };
    out->batch.operations =
        arena_alloc_array(arena, batch->operation_count, sizeof(struct operation));
    if (out->pending == NULL || out->batch.operations == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a batch's operations");
    }
    out->batch.operation_count = 0;
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        const struct operation *operation = &batch->operations[i];
        bool is_selected = false;
        if (!select_one(model, attempt, operation, context, &is_selected, error)) {
            return false;
        }
        if (is_selected) {
            out->batch.operations[out->batch.operation_count++] = *operation;
            out->change_count += span_is_absent(operation->id) ? 0 : 1;
            continue;
        }
        const struct failure_entry *failure = verify_attempt_failure(attempt, operation->index);
        if (failure != NULL && failure->pending) {
            out->pending[out->pending_count++] = operation->index;
        }
    }
    return true;
}
