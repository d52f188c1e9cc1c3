#include "store/process.h"

#include <assert.h>

uint32_t process_attempt_of(const struct batch *batch)
{
    return batch->retry == NULL ? 1 : batch->retry->attempt;
}

/* What this attempt adds to the entries of the earlier ones. */
struct attempt_entries {
    struct conflict_entry *conflicts;
    uint32_t conflict_count;
    struct failure_entry *failures;
    uint32_t failure_count;
};

static struct body body_of(const struct operation *operation)
{
    return operation->well_formed ? (struct body){.kind = BODY_PRESENT, .raw = operation->raw}
                                  : (struct body){.kind = BODY_NIL};
}

/* The conflict that an earlier attempt reported for this operation, or NULL. Both lists ascend:
 * the cursor only moves forward. */
static const struct conflict_entry *carried_conflict(const struct retry_section *retry,
                                                     uint32_t index, uint32_t *cursor)
{
    while (retry != NULL && *cursor < retry->conflict_count &&
           retry->conflicts[*cursor].index < index) {
        (*cursor)++;
    }
    bool is_there = retry != NULL && *cursor < retry->conflict_count &&
                    retry->conflicts[*cursor].index == index;
    return is_there ? &retry->conflicts[*cursor] : NULL;
}

/* The operation's conflict entry, false where it has none, now or earlier. */
static bool conflict_entry_of(const struct operation *operation, const struct outcome *outcome,
                              const struct conflict_entry *carried, struct conflict_entry *out)
{
    if (outcome->reason != CONFLICT_NONE) {
        *out = (struct conflict_entry){
            .index = operation->index,
            .reason = outcome->reason,
            .stale_local_ms = outcome->stale_local_ms,
            .stale_remote_ms = outcome->stale_remote_ms,
            .resolution = outcome->resolution,
            .local = outcome->local,
            .applied = outcome->applied,
            .kept = outcome->kept,
        };
    } else if (carried != NULL) {
        *out = *carried;
        if (outcome->status == OUTCOME_SYNCED) {
            out->resolution = RESOLUTION_KEEP_REMOTE; /* failed first, applied on a retry */
        }
    } else {
        return false;
    }
    out->resolved = outcome->status != OUTCOME_PENDING;
    /* Each body stands once: a failed operation's is in its failure entry. */
    out->body =
        outcome->status == OUTCOME_SYNCED ? body_of(operation) : (struct body){.kind = BODY_ABSENT};
    return true;
}

/* Room for the entries of all operations, once one has an entry: most batches have none. */
static bool entries_prepare(struct attempt_entries *entries, uint32_t operation_count,
                            struct arena *arena)
{
    if (entries->conflicts == NULL) {
        /* Not cleared, so not touched: an entry is written whole. */
        entries->conflicts = arena_alloc(arena, operation_count * sizeof(struct conflict_entry));
        entries->failures = arena_alloc(arena, operation_count * sizeof(struct failure_entry));
    }
    return entries->conflicts != NULL && entries->failures != NULL;
}

static void take_outcome(const struct operation *operation, const struct outcome *outcome,
                         const struct conflict_entry *carried, struct attempt_entries *entries,
                         struct sync_result *result)
{
    if (conflict_entry_of(operation, outcome, carried,
                          &entries->conflicts[entries->conflict_count])) {
        entries->conflict_count++;
    }
    switch (outcome->status) {
    case OUTCOME_SYNCED:
        result->synced_count++;
        /* No room for a list, as the result says. */
        result->truncated = result->truncated || (outcome->resolution == RESOLUTION_MERGE &&
                                                  span_is_absent(outcome->applied));
        return;
    case OUTCOME_FAILED:
        result->failed_count++;
        break;
    case OUTCOME_PENDING:
        result->pending_count++;
        break;
    }
    entries->failures[entries->failure_count++] = (struct failure_entry){
        .index = operation->index,
        .code = outcome->code,
        .message = outcome->message,
        .retryable = outcome->is_retryable,
        .pending = outcome->status == OUTCOME_PENDING,
        .body = body_of(operation),
    };
}

static struct apply_context apply_context_of(const struct batch *batch,
                                             const struct process_context *context)
{
    const struct retry_section *retry = batch->retry;
    return (struct apply_context){
        .limits = context->limits,
        .strategy = batch->strategy,
        .is_retry = retry != NULL,
        .is_last_attempt = process_attempt_of(batch) > context->retries_max,
        .arrival_ms = retry == NULL ? context->arrival_ms : retry->arrival_ms,
        .record_time_ms = context->record_time_ms,
        .arena = context->arena,
        .scratch = context->scratch,
    };
}

static struct element *element_of(const struct scene *scene, const struct process_context *context,
                                  const struct operation *operation, uint32_t place)
{
    if (span_is_absent(operation->id)) {
        return NULL;
    }
    return context->elements != NULL ? context->elements[place] : scene_find(scene, operation->id);
}

static bool run_operations(struct scene *scene, const struct batch *batch,
                           const struct process_context *context, const struct apply_context *apply,
                           struct attempt_entries *entries, struct sync_result *result,
                           struct error *error)
{
    const struct retry_section *retry = batch->retry;
    uint32_t cursor = 0;
    for (uint32_t i = 0; i < batch->operation_count; i++) {
        const struct operation *operation = &batch->operations[i];
        struct outcome outcome;
        bool has_memory =
            context->not_tried == NULL
                ? apply_operation(scene, element_of(scene, context, operation, i), operation, apply,
                                  &outcome, error)
                : apply_not_tried(scene, operation, apply, context->not_tried, &outcome, error);
        if (!has_memory) {
            return false;
        }
        /* A pending operation's clamping was counted by its first attempt. */
        result->clamped_count += outcome.is_clamped && retry == NULL ? 1 : 0;
        const struct conflict_entry *carried = carried_conflict(retry, operation->index, &cursor);
        if (outcome.status == OUTCOME_SYNCED && outcome.reason == CONFLICT_NONE &&
            carried == NULL) {
            result->synced_count++;
            continue;
        }
        if (!entries_prepare(entries, batch->operation_count, context->arena)) {
            return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a result's entries");
        }
        take_outcome(operation, &outcome, carried, entries, result);
    }
    return true;
}

/* Merges the conflicts of earlier attempts with this one's: per index the latest. */
static bool merge_conflicts(const struct retry_section *retry,
                            const struct attempt_entries *entries, struct arena *arena,
                            struct sync_result *result)
{
    uint32_t carried_count = retry == NULL ? 0 : retry->conflict_count;
    if (carried_count == 0) {
        result->conflicts = entries->conflicts;
        result->conflict_entry_count = entries->conflict_count;
        return true;
    }
    size_t count_max = (size_t)carried_count + entries->conflict_count;
    struct conflict_entry *merged = arena_alloc_array(arena, count_max, sizeof(*merged));
    if (merged == NULL) {
        return false;
    }
    uint32_t old = 0;
    uint32_t new = 0;
    uint32_t count = 0;
    while (old < carried_count || new < entries->conflict_count) {
        bool take_new =
            old == carried_count || (new < entries->conflict_count &&
                                     entries->conflicts[new].index <= retry->conflicts[old].index);
        if (!take_new) {
            /* Lists that the requeue had no room for are gone from the results that follow. */
            const struct conflict_entry *kept = &retry->conflicts[old++];
            result->truncated = result->truncated || (kept->resolution == RESOLUTION_MERGE &&
                                                      span_is_absent(kept->applied));
            merged[count++] = *kept;
            continue;
        }
        if (old < carried_count && retry->conflicts[old].index == entries->conflicts[new].index) {
            old++;
        }
        merged[count++] = entries->conflicts[new ++];
    }
    result->conflicts = merged;
    result->conflict_entry_count = count;
    return true;
}

/* Merges the failures that earlier attempts settled with this one's; indexes are disjoint. */
static bool merge_failures(const struct retry_section *retry, const struct attempt_entries *entries,
                           struct arena *arena, struct sync_result *result)
{
    uint32_t carried_count = retry == NULL ? 0 : retry->failure_count;
    if (carried_count == 0) {
        result->failures = entries->failures;
        result->failure_entry_count = entries->failure_count;
        return true;
    }
    size_t count_max = (size_t)carried_count + entries->failure_count;
    struct failure_entry *merged = arena_alloc_array(arena, count_max, sizeof(*merged));
    if (merged == NULL) {
        return false;
    }
    uint32_t old = 0;
    uint32_t new = 0;
    for (uint32_t i = 0; i < count_max; i++) {
        bool take_new =
            old == carried_count || (new < entries->failure_count &&
                                     entries->failures[new].index < retry->failures[old].index);
        merged[i] = take_new ? entries->failures[new ++] : retry->failures[old++];
        /* A body that the requeue had no room for is gone from the results that follow. */
        result->truncated = result->truncated || (!take_new && merged[i].body.kind == BODY_ABSENT);
    }
    result->failures = merged;
    result->failure_entry_count = (uint32_t)count_max;
    return true;
}

static bool append_version(const struct retry_section *retry, uint64_t version, struct arena *arena,
                           struct sync_result *result)
{
    uint32_t before = retry == NULL ? 0 : retry->attempt_version_count;
    uint64_t *versions = arena_alloc_array(arena, (size_t)before + 1, sizeof(*versions));
    if (versions == NULL) {
        return false;
    }
    if (before > 0) {
        memcpy(versions, retry->attempt_versions, before * sizeof(*versions));
    }
    versions[before] = version;
    result->attempt_versions = versions;
    result->attempt_version_count = before + 1;
    result->scene_version = version;
    return true;
}

static struct sync_result begin_result(const struct batch *batch,
                                       const struct process_context *context)
{
    const struct retry_section *retry = batch->retry;
    struct sync_result result = {
        .session_id = batch->session_id,
        .batch_id = batch->batch_id,
        .client_id = batch->client_id,
        .attempts = process_attempt_of(batch),
        .strategy = batch->strategy,
        .source = context->source,
    };
    if (retry != NULL) {
        result.source = retry->source;
        result.synced_count = retry->synced_count;
        result.clamped_count = retry->clamped_count;
        result.failed_count = retry->failure_count;
    }
    return result;
}

bool process_batch(struct scene *scene, const struct batch *batch,
                   const struct process_context *context, struct sync_result *out,
                   struct error *error)
{
    struct arena *arena = context->arena;
    struct sync_result result = begin_result(batch, context);
    struct attempt_entries entries = {.conflicts = NULL};
    if (context->not_tried == NULL) {
        scene_begin_batch(scene);
    }
    struct apply_context apply = apply_context_of(batch, context);
    size_t list_bytes = context->limits->result_bytes_max; /* more than that would not fit it */
    /* Takes memory only where there are clocks, and is bounded by what those may take. */
    struct arena work;
    arena_init(&work, SIZE_MAX);
    apply.list_bytes = &list_bytes;
    apply.work = &work;
    bool has_memory = run_operations(scene, batch, context, &apply, &entries, &result, error);
    arena_deinit(&work);
    if (!has_memory) {
        return false;
    }
    uint64_t version = context->not_tried == NULL ? scene_end_batch(scene) : scene->version;
    if (!merge_conflicts(batch->retry, &entries, arena, &result) ||
        !merge_failures(batch->retry, &entries, arena, &result) ||
        !append_version(batch->retry, version, arena, &result)) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a result");
    }
    result.conflict_count = result.conflict_entry_count;
    result.final = result.pending_count == 0;
    process_stamp(&result, batch, context);
    *out = result;
    return true;
}

void process_stamp(struct sync_result *result, const struct batch *batch,
                   const struct process_context *context)
{
    uint64_t before_ms = batch->retry == NULL ? 0 : batch->retry->duration_ms;
    result->timestamp_ms = context->timestamp_ms;
    result->duration_ms = before_ms + context->duration_ms;
    result->next_attempt_at_ms =
        result->final ? 0 : context->timestamp_ms + context->retry_delay_ms;
}

void process_fail_pending(struct sync_result *result)
{
    static const char reason[] = "the requeue would exceed limits.max_message_bytes; "
                                 "send the operation again in a smaller batch";
    for (uint32_t i = 0; i < result->failure_entry_count; i++) {
        struct failure_entry *entry = &result->failures[i];
        if (entry->pending) {
            entry->pending = false;
            entry->retryable = true;
            entry->code = ERROR_RETRY_TOO_LARGE;
            entry->message = span_of_text(reason);
        }
    }
    for (uint32_t i = 0; i < result->conflict_entry_count; i++) {
        result->conflicts[i].resolved = true;
    }
    result->failed_count += result->pending_count;
    result->pending_count = 0;
    result->final = true;
    result->next_attempt_at_ms = 0;
}
