#include "store/apply.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "protocol/element.h"
#include "store/apply_merge.h"

/* Writes an outcome's sentence into the arena. */
__attribute__((format(printf, 3, 4))) static bool
outcome_say(struct outcome *out, const struct apply_context *context, const char *format, ...)
{
    char text[ERROR_MESSAGE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < sizeof(text));
    out->message = arena_copy(context->arena, span_make(text, (size_t)length));
    return !span_is_absent(out->message);
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
    return outcome_say(out, context, "%s", cause->message) ||
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

/* ElementNotFound: nothing is applied, but clocks of removals may still move. */
static bool fail_not_found(struct scene *scene, struct element *element,
                           const struct operation *operation, uint64_t timestamp_ms,
                           const struct apply_context *context, struct outcome *out)
{
    bool is_remove = operation->kind == OPERATION_REMOVE;
    const char *kind = operation_kind_name(operation->kind);
    if (element->presence == ELEMENT_UNKNOWN) {
        outcome_retry(out, context, ERROR_ELEMENT_NOT_FOUND);
        if (is_remove && out->status == OUTCOME_FAILED &&
            !scene_remove(scene, element, timestamp_ms, context->record_time_ms)) {
            return false; /* an older add that comes later must not bring it back */
        }
        return outcome_say(out, context, "element not found: %s of '%.*s', which was never added",
                           kind, SPAN_ARGS(element->id));
    }
    if (is_remove) {
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
    return outcome_say(out, context,
                       "element not found: %s of '%.*s', which was removed at %" PRIu64, kind,
                       SPAN_ARGS(element->id), out->local.timestamp_ms);
}

static bool fail_keep_local(const struct element *element, const struct operation *operation,
                            const struct apply_context *context, struct outcome *out)
{
    const char *kind = operation_kind_name(operation->kind);
    const char *strategy = strategy_name(context->strategy);
    switch (out->reason) {
    case CONFLICT_STALE_TIMESTAMP:
        outcome_fail(out, ERROR_STALE_TIMESTAMP);
        return outcome_say(out, context,
                           "stale timestamp (local=%" PRIu64 ", remote=%" PRIu64
                           "): %s of '%.*s', %s keeps what is stored",
                           out->stale_local_ms, out->stale_remote_ms, kind, SPAN_ARGS(element->id),
                           strategy);
    case CONFLICT_ELEMENT_ALREADY_EXISTS:
        outcome_fail(out, ERROR_ELEMENT_ALREADY_EXISTS);
        return outcome_say(out, context, "element already exists: '%.*s', %s keeps what is stored",
                           SPAN_ARGS(element->id), strategy);
    case CONFLICT_CONCURRENT_MODIFICATION:
        outcome_fail(out, ERROR_CONCURRENT_MODIFICATION);
        return outcome_say(out, context,
                           "concurrent modification: %s of '%.*s' was made on version %" PRIu64
                           ", stored is version %" PRIu64 ", %s keeps what is stored",
                           kind, SPAN_ARGS(element->id), operation->base_version,
                           out->local.version, strategy);
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
    return outcome_say(out, context,
                       "element '%.*s' in the store is not [version, timestamp, element]; repair "
                       "or delete it",
                       SPAN_ARGS(element->id));
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
    assert(element != NULL && element->is_loaded);
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
    return outcome_say(out, context, "%s", cause->message) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a message");
}
