#include "store/apply.h"

#include <assert.h>
#include <inttypes.h>

#include "protocol/decimal.h"
#include "protocol/element.h"
#include "store/apply_merge.h"

/* Joins an outcome's sentence in the arena: formatting it would cost more than deciding. */
static bool outcome_say(struct outcome *out, const struct apply_context *context,
                        const struct span *parts, size_t count)
{
    out->message = arena_join(context->arena, parts, count);
    return !span_is_absent(out->message);
}

/* For a sentence's parts: a number's digits, written into `digits`. */
static struct span number(uint64_t value, char digits[DECIMAL_BYTES_MAX])
{
    return span_make(digits, decimal_write(value, digits));
}

static void outcome_fail(struct outcome *out, enum error_code code)
{
    out->status = OUTCOME_FAILED;
    out->code = code;
    out->is_retryable = false;
}

/* A failure that another attempt may cure; for good where there is none left. */
static void outcome_retry(struct outcome *out, const struct apply_context *context,
                          enum error_code code)
{
    out->status = context->is_last_attempt ? OUTCOME_FAILED : OUTCOME_PENDING;
    out->code = code;
    out->is_retryable = true;
}

static uint64_t later_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Takes an error of the element's room as the operation's failure; out of memory goes up. */
static bool take_element_error(const struct error *cause, const struct apply_context *context,
                               struct outcome *out, struct error *error)
{
    if (cause->code == ERROR_OUT_OF_MEMORY) {
        *error = *cause;
        return false;
    }
    outcome_fail(out, cause->code);
    out->reason = CONFLICT_NONE;
    const struct span parts[] = {span_of_text(cause->message)};
    return outcome_say(out, context, parts, 1) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a message");
}

/* Stores the document that is in the scratch buffer. */
static bool put_document(struct scene *scene, struct element *element, uint64_t timestamp_ms,
                         const struct apply_context *context, struct error *error)
{
    return scene_put(scene, element, buffer_span(context->scratch), 0,
                     later_of(element->timestamp_ms, timestamp_ms)) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for an element");
}

/* Whether the change could be, and was, written over the stored document. */
static bool patch_in_place(struct element *element, const struct operation *operation,
                           const struct apply_context *context)
{
    struct element_room room = {
        .bytes = element->document,
        .size = element->document_bytes,
        .capacity = element->document_capacity,
        .transform_at = element->transform_at,
    };
    if (!element->has_checked_kind || apply_keeps_clocks(element, context) ||
        !element_patch_in_place(&room, operation->document, context->limits)) {
        return false;
    }
    element->document_bytes = room.size;
    element->transform_at = room.transform_at;
    return true;
}

static bool apply_add(struct scene *scene, struct element *element,
                      const struct operation *operation, uint64_t timestamp_ms,
                      const struct apply_context *context, struct outcome *out, struct error *error)
{
    struct error cause;
    if (element->presence != ELEMENT_PRESENT &&
        scene->element_count >= context->limits->elements_max) {
        error_set(&cause, ERROR_TOO_MANY_ELEMENTS,
                  "the scene has %" PRIu64 " elements, limits.max_elements allows %" PRIu32
                  ": remove some, or raise it",
                  scene->element_count, context->limits->elements_max);
        return take_element_error(&cause, context, out, error);
    }
    buffer_clear(context->scratch);
    if (!element_complete(operation->document, context->limits, context->arena, context->scratch,
                          &cause)) {
        return take_element_error(&cause, context, out, error);
    }
    if (apply_keeps_clocks(element, context)) {
        struct apply_change change = {.operation = operation, .timestamp_ms = timestamp_ms};
        return apply_put_with_clocks(scene, element, &change, context, error);
    }
    return put_document(scene, element, timestamp_ms, context, error);
}

static bool apply_update(struct scene *scene, struct element *element,
                         const struct operation *operation, uint64_t timestamp_ms,
                         const struct apply_context *context, struct outcome *out,
                         struct error *error)
{
    if (patch_in_place(element, operation, context)) {
        return scene_put_in_place(scene, element, later_of(element->timestamp_ms, timestamp_ms)) ||
               error_set(error, ERROR_OUT_OF_MEMORY, "no memory for an element");
    }
    struct error cause;
    buffer_clear(context->scratch);
    struct element_document stored = {
        .bytes = span_make(element->document, element->document_bytes),
        .has_checked_kind = element->has_checked_kind,
    };
    if (!element_patch(stored, operation->document, context->limits, context->arena,
                       context->scratch, &cause)) {
        return take_element_error(&cause, context, out, error);
    }
    if (apply_keeps_clocks(element, context)) {
        struct apply_change change = {.operation = operation, .timestamp_ms = timestamp_ms};
        return apply_put_with_clocks(scene, element, &change, context, error);
    }
    return put_document(scene, element, timestamp_ms, context, error);
}

static bool apply_change(struct scene *scene, struct element *element,
                         const struct operation *operation, uint64_t timestamp_ms,
                         const struct apply_context *context, struct outcome *out,
                         struct error *error)
{
    switch (operation->kind) {
    case OPERATION_ADD:
        return apply_add(scene, element, operation, timestamp_ms, context, out, error);
    case OPERATION_UPDATE:
        return apply_update(scene, element, operation, timestamp_ms, context, out, error);
    case OPERATION_REMOVE:
        return scene_remove(scene, element, later_of(element->timestamp_ms, timestamp_ms),
                            context->record_time_ms) ||
               error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a tombstone");
    case OPERATION_INVALID:
    case OPERATION_INTERACTION:
        break;
    }
    assert(false && "only operations on elements come here");
    return false;
}

static bool say_not_found(const struct element *element, const struct operation *operation,
                          const struct apply_context *context, struct outcome *out)
{
    char removed_ms[DECIMAL_BYTES_MAX];
    bool was_removed = out->local.removed; /* what `element` says may be this operation's work */
    const struct span parts[] = {
        span_of_text("element not found: "),
        span_of_text(operation_kind_name(operation->kind)),
        span_of_text(" of '"),
        element->id,
        span_of_text(was_removed ? "', which was removed at " : "', which was never added"),
        was_removed ? number(out->local.timestamp_ms, removed_ms) : span_of_text(""),
    };
    return outcome_say(out, context, parts, sizeof parts / sizeof *parts);
}

/* ElementNotFound: nothing is applied, but clocks of removals may still move. */
static bool fail_not_found(struct scene *scene, struct element *element,
                           const struct operation *operation, uint64_t timestamp_ms,
                           const struct apply_context *context, struct outcome *out)
{
    bool is_remove = operation->kind == OPERATION_REMOVE;
    if (element->presence == ELEMENT_UNKNOWN) {
        outcome_retry(out, context, ERROR_ELEMENT_NOT_FOUND);
        if (is_remove && out->status == OUTCOME_FAILED &&
            !scene_remove(scene, element, timestamp_ms, context->record_time_ms)) {
            return false; /* an older add that comes later must not bring it back */
        }
    } else if (is_remove) {
        outcome_fail(out, ERROR_ELEMENT_REMOVED);
        if (timestamp_ms > element->timestamp_ms &&
            !scene_remove(scene, element, timestamp_ms, context->record_time_ms)) {
            return false;
        }
    } else {
        outcome_retry(out, context, ERROR_ELEMENT_NOT_FOUND);
        if (out->status == OUTCOME_FAILED) {
            outcome_fail(out, ERROR_ELEMENT_REMOVED);
        }
    }
    return say_not_found(element, operation, context, out);
}

static bool say_stale(const struct element *element, const struct operation *operation,
                      const struct apply_context *context, struct outcome *out)
{
    char local_ms[DECIMAL_BYTES_MAX], remote_ms[DECIMAL_BYTES_MAX];
    const struct span parts[] = {
        span_of_text("stale timestamp (local="),
        number(out->stale_local_ms, local_ms),
        span_of_text(", remote="),
        number(out->stale_remote_ms, remote_ms),
        span_of_text("): "),
        span_of_text(operation_kind_name(operation->kind)),
        span_of_text(" of '"),
        element->id,
        span_of_text("', "),
        span_of_text(strategy_name(context->strategy)),
        span_of_text(" keeps what is stored"),
    };
    return outcome_say(out, context, parts, sizeof parts / sizeof *parts);
}

static bool say_already_exists(const struct element *element, const struct apply_context *context,
                               struct outcome *out)
{
    const struct span parts[] = {
        span_of_text("element already exists: '"),
        element->id,
        span_of_text("', "),
        span_of_text(strategy_name(context->strategy)),
        span_of_text(" keeps what is stored"),
    };
    return outcome_say(out, context, parts, sizeof parts / sizeof *parts);
}

static bool say_concurrent(const struct element *element, const struct operation *operation,
                           const struct apply_context *context, struct outcome *out)
{
    char base_version[DECIMAL_BYTES_MAX], local_version[DECIMAL_BYTES_MAX];
    const struct span parts[] = {
        span_of_text("concurrent modification: "),
        span_of_text(operation_kind_name(operation->kind)),
        span_of_text(" of '"),
        element->id,
        span_of_text("' was made on version "),
        number(operation->base_version, base_version),
        span_of_text(", stored is version "),
        number(out->local.version, local_version),
        span_of_text(", "),
        span_of_text(strategy_name(context->strategy)),
        span_of_text(" keeps what is stored"),
    };
    return outcome_say(out, context, parts, sizeof parts / sizeof *parts);
}

static bool fail_keep_local(const struct element *element, const struct operation *operation,
                            const struct apply_context *context, struct outcome *out)
{
    switch (out->reason) {
    case CONFLICT_STALE_TIMESTAMP:
        outcome_fail(out, ERROR_STALE_TIMESTAMP);
        return say_stale(element, operation, context, out);
    case CONFLICT_ELEMENT_ALREADY_EXISTS:
        outcome_fail(out, ERROR_ELEMENT_ALREADY_EXISTS);
        return say_already_exists(element, context, out);
    case CONFLICT_CONCURRENT_MODIFICATION:
        outcome_fail(out, ERROR_CONCURRENT_MODIFICATION);
        return say_concurrent(element, operation, context, out);
    case CONFLICT_NONE:
    case CONFLICT_ELEMENT_NOT_FOUND:
    case CONFLICT_REASON_COUNT:
        break;
    }
    assert(false && "only a conflict keeps local");
    return false;
}

/* A remove goes by the add: what was written since goes with it. */
static bool merge_remove(struct scene *scene, struct element *element,
                         const struct operation *operation, uint64_t timestamp_ms,
                         const struct apply_context *context, struct outcome *out,
                         struct error *error)
{
    uint64_t add_ms;
    if (!apply_add_clock(element, context, &add_ms, error)) {
        return false;
    }
    if (timestamp_ms >= add_ms) {
        out->resolution = RESOLUTION_KEEP_REMOTE;
        return apply_change(scene, element, operation, timestamp_ms, context, out, error);
    }
    return fail_keep_local(element, operation, context, out) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a message");
}

/* Per property: what is older than its clock stays out; with nothing left, all of it does. */
static bool merge_change(struct scene *scene, struct element *element,
                         const struct operation *operation, uint64_t timestamp_ms,
                         const struct apply_context *context, struct outcome *out,
                         struct error *error)
{
    struct apply_change change = {.operation = operation, .timestamp_ms = timestamp_ms};
    struct apply_merge merge;
    struct error cause;
    if (!apply_merge_select(element, &change, context, &merge, error)) {
        return false;
    }
    if (merge.selection.applied_count == 0) {
        return fail_keep_local(element, operation, context, out) ||
               error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a message");
    }
    if (!apply_merge_put(scene, element, &merge, context, &cause)) {
        return take_element_error(&cause, context, out, error);
    }
    out->resolution = RESOLUTION_MERGE;
    if (span_is_absent(merge.selection.applied)) {
        return true;
    }
    out->applied = arena_copy(context->arena, merge.selection.applied);
    out->kept = arena_copy(context->arena, merge.selection.kept);
    return (!span_is_absent(out->applied) && !span_is_absent(out->kept)) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a list of properties");
}

/* What the store has under this id is no element, so nothing may be decided on it. */
static bool fail_unreadable(const struct element *element, const struct apply_context *context,
                            struct outcome *out)
{
    outcome_fail(out, ERROR_STORE_ERROR);
    const struct span parts[] = {
        span_of_text("element '"), element->id,
        span_of_text("' in the store is not [version, timestamp, element]; repair or delete it")};
    return outcome_say(out, context, parts, sizeof parts / sizeof *parts);
}

static uint64_t clamp_timestamp(const struct operation *operation,
                                const struct apply_context *context, struct outcome *out)
{
    out->is_clamped = operation->has_timestamp && operation->timestamp_ms > context->arrival_ms;
    return out->is_clamped ? context->arrival_ms : operation->timestamp_ms;
}

/* What needs no element: false where the operation does. */
static bool settle_without_element(const struct operation *operation, struct outcome *out)
{
    if (operation->kind == OPERATION_INVALID) {
        outcome_fail(out, ERROR_INVALID_OPERATION);
        out->message = span_of_text(operation->invalid_reason);
        return true;
    }
    return operation->kind == OPERATION_INTERACTION;
}

static struct conflict_case row_of(const struct scene *scene, const struct element *element,
                                   const struct operation *operation, uint64_t timestamp_ms,
                                   bool is_retry)
{
    bool has_base = operation->has_base_version && element->presence == ELEMENT_PRESENT &&
                    !scene_created_by_batch(scene, element);
    return (struct conflict_case){
        .kind = operation->kind,
        .presence = element->presence,
        .local_ms = element->timestamp_ms,
        .remote_ms = timestamp_ms,
        .removed_by_batch = scene_removed_by_batch(scene, element),
        .has_base = has_base,
        .base_is_current =
            has_base && operation->base_version == scene_version_before_batch(scene, element),
        .is_retry = is_retry,
    };
}

static struct local_state local_of(const struct element *element)
{
    return (struct local_state){
        .version = element->version,
        .timestamp_ms = element->timestamp_ms,
        .removed = element->presence == ELEMENT_REMOVED,
    };
}

bool apply_operation(struct scene *scene, struct element *element,
                     const struct operation *operation, const struct apply_context *context,
                     struct outcome *out, struct error *error)
{
    *out = (struct outcome){.status = OUTCOME_SYNCED};
    uint64_t timestamp_ms = clamp_timestamp(operation, context, out);
    if (settle_without_element(operation, out)) {
        return true;
    }
    assert(element != NULL && element->is_loaded && span_equal(element->id, operation->id));
    if (element->is_unreadable) {
        return fail_unreadable(element, context, out) ||
               error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a message");
    }
    struct conflict_case row = row_of(scene, element, operation, timestamp_ms, context->is_retry);
    out->reason = conflict_detect(&row);
    enum conflict_decision decision = conflict_resolve(&row, out->reason, context->strategy);
    out->local = local_of(element);
    out->stale_local_ms = row.local_ms;
    out->stale_remote_ms = row.remote_ms;
    bool has_memory = true;
    switch (decision) {
    case DECISION_APPLY:
        out->resolution = RESOLUTION_KEEP_REMOTE;
        if (out->reason == CONFLICT_NONE && element->was_raced) {
            /* Decided again on what somebody else wrote meanwhile (section 4, "Lost races"). */
            out->reason = CONFLICT_CONCURRENT_MODIFICATION;
        }
        return apply_change(scene, element, operation, timestamp_ms, context, out, error);
    case DECISION_KEEP_LOCAL:
        has_memory = fail_keep_local(element, operation, context, out);
        break;
    case DECISION_RETRY:
    case DECISION_FAIL:
        has_memory = fail_not_found(scene, element, operation, timestamp_ms, context, out);
        break;
    case DECISION_MERGE:
        return operation->kind == OPERATION_REMOVE
                   ? merge_remove(scene, element, operation, timestamp_ms, context, out, error)
                   : merge_change(scene, element, operation, timestamp_ms, context, out, error);
    }
    return has_memory || error_set(error, ERROR_OUT_OF_MEMORY, "no memory for an operation");
}

bool apply_not_tried(const struct scene *scene, const struct operation *operation,
                     const struct apply_context *context, const struct error *cause,
                     struct outcome *out, struct error *error)
{
    *out = (struct outcome){.status = OUTCOME_SYNCED};
    (void)clamp_timestamp(operation, context, out);
    if (settle_without_element(operation, out)) {
        return true;
    }
    const struct element *element = scene_find(scene, operation->id);
    if (cause->code == ERROR_CONCURRENT_MODIFICATION) {
        outcome_retry(out, context, cause->code);
        out->reason = CONFLICT_CONCURRENT_MODIFICATION;
        if (element != NULL && element->is_loaded) {
            out->local = local_of(element);
        }
    } else {
        outcome_fail(out, cause->code);
    }
    const struct span parts[] = {span_of_text(cause->message)};
    return outcome_say(out, context, parts, 1) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a message");
}
