#include "worker/requeue.h"

#include <assert.h>

#include "protocol/decimal.h"

enum {
    DEAD_BATCH_ID_BYTES_MAX = 310, /* with ":dlq-999" still within the 320 of a batch_id */
    FRAME_BYTES_MAX = 256 /* a session_id of 64, two headers, a batch of one record: about 210 */
};

size_t requeue_value_bytes_max(size_t message_bytes_max)
{
    return message_bytes_max > FRAME_BYTES_MAX ? message_bytes_max - FRAME_BYTES_MAX : 0;
}

/* What one message carries of the batch at hand. */
struct selection {
    struct span *operations;
    uint32_t *indexes;
    uint32_t count;
};

static bool selection_init(struct selection *selection, uint32_t count_max, struct arena *arena,
                           struct error *error)
{
    selection->count = 0;
    selection->operations = arena_alloc_array(arena, count_max, sizeof(struct span));
    selection->indexes = arena_alloc_array(arena, count_max, sizeof(uint32_t));
    return (selection->operations != NULL && selection->indexes != NULL) ||
           error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a requeue");
}

static void selection_add(struct selection *selection, const struct operation *operation)
{
    selection->operations[selection->count] = operation->raw;
    selection->indexes[selection->count] = operation->index;
    selection->count++;
}

/* Takes the pending operations and gives the settled failures. Operations and failures ascend by
 * index, so one pass over both will do. */
static bool split_failures(const struct sync_result *result, const struct batch *batch,
                           struct arena *arena, struct selection *pending,
                           struct retry_section *section, struct error *error)
{
    if (!selection_init(pending, result->pending_count, arena, error)) {
        return false;
    }
    section->failures =
        arena_alloc_array(arena, result->failure_entry_count, sizeof(struct failure_entry));
    if (section->failures == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a requeue");
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < result->failure_entry_count; i++) {
        const struct failure_entry *entry = &result->failures[i];
        if (!entry->pending) {
            section->failures[section->failure_count++] = *entry;
            continue;
        }
        while (batch->operations[at].index < entry->index) {
            at++;
            assert(at < batch->operation_count);
        }
        selection_add(pending, &batch->operations[at]);
    }
    return true;
}

/* What the message can do without: settled bodies, and what merged operations wrote. */
static void drop_details(struct retry_section *section)
{
    for (uint32_t i = 0; i < section->failure_count; i++) {
        section->failures[i].body = (struct body){.kind = BODY_ABSENT};
    }
    for (uint32_t i = 0; i < section->conflict_count; i++) {
        section->conflicts[i].applied = (struct span){0};
        section->conflicts[i].kept = (struct span){0};
    }
}

static bool conflicts_without_bodies(const struct sync_result *result, struct arena *arena,
                                     struct retry_section *section, struct error *error)
{
    section->conflict_count = result->conflict_entry_count;
    section->conflicts =
        arena_alloc_array(arena, result->conflict_entry_count, sizeof(struct conflict_entry));
    if (section->conflicts == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a requeue");
    }
    for (uint32_t i = 0; i < section->conflict_count; i++) {
        section->conflicts[i] = result->conflicts[i];
        section->conflicts[i].body = (struct body){.kind = BODY_ABSENT};
    }
    return true;
}

bool requeue_encode(const struct sync_result *result, const struct batch *batch,
                    uint64_t arrival_ms, size_t bytes_max, struct arena *arena, struct buffer *out,
                    bool *fits, struct error *error)
{
    struct selection pending;
    struct retry_section section = {
        .attempt = result->attempts + 1,
        .not_before_ms = result->next_attempt_at_ms,
        .arrival_ms = arrival_ms,
        .source = result->source,
        .synced_count = result->synced_count,
        .clamped_count = result->clamped_count,
        .duration_ms = result->duration_ms,
        .attempt_versions = result->attempt_versions,
        .attempt_version_count = result->attempt_version_count,
        .total = result->synced_count + result->failed_count + result->pending_count,
    };
    if (!split_failures(result, batch, arena, &pending, &section, error) ||
        !conflicts_without_bodies(result, arena, &section, error)) {
        return false;
    }
    section.indexes = pending.indexes;
    section.index_count = pending.count;
    struct batch_parts parts = {
        .session_id = batch->session_id,
        .batch_id = batch->batch_id,
        .client_id = batch->client_id,
        .strategy = result->strategy,
        .operations = pending.operations,
        .operation_count = pending.count,
        .retry = &section,
    };
    buffer_clear(out);
    batch_encode(&parts, out);
    if (out->size > bytes_max) {
        drop_details(&section);
        buffer_clear(out);
        batch_encode(&parts, out);
    }
    *fits = out->size <= bytes_max;
    return !out->failed || error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a requeue");
}

/* Whether a settled failure goes to the operators. An update that ends as element_removed is one
 * whose retries ran out; a remove that does was decided at once (section 4). */
static bool is_dead(const struct failure_entry *entry, const struct operation *operation)
{
    if (entry->pending) {
        return false;
    }
    if (entry->code == ERROR_STORE_ERROR || entry->code == ERROR_ELEMENT_NOT_FOUND) {
        return true;
    }
    if (entry->code == ERROR_ELEMENT_REMOVED) {
        return operation->kind == OPERATION_UPDATE;
    }
    return entry->code == ERROR_CONCURRENT_MODIFICATION && entry->retryable;
}

static bool select_dead(const struct sync_result *result, const struct batch *batch,
                        struct arena *arena, struct selection *selection,
                        struct dead_operations *dead, struct error *error)
{
    if (!selection_init(selection, batch->operation_count, arena, error)) {
        return false;
    }
    dead->code = ERROR_RETRIES_EXHAUSTED;
    uint32_t at = 0;
    for (uint32_t i = 0; i < result->failure_entry_count; i++) {
        const struct failure_entry *entry = &result->failures[i];
        while (at < batch->operation_count && batch->operations[at].index < entry->index) {
            at++;
        }
        bool is_at_hand =
            at < batch->operation_count && batch->operations[at].index == entry->index;
        if (!is_at_hand || !is_dead(entry, &batch->operations[at])) {
            continue; /* settled by an earlier attempt, or nothing for operators */
        }
        if (selection->count == 0) {
            dead->message = entry->message;
        }
        if (entry->code == ERROR_STORE_ERROR) {
            dead->code = ERROR_STORE_ERROR;
        }
        selection_add(selection, &batch->operations[at]);
    }
    return true;
}

/* Two attempts can have a dead letter each, with other operations: under one name the second that
 * is produced again would be refused as batch_id_reused. Only one attempt is the last. */
static struct span dead_batch_id(const struct sync_result *result, struct span batch_id,
                                 struct arena *arena)
{
    char suffix[sizeof(":dlq-") + DECIMAL_BYTES_MAX] = ":dlq-";
    size_t suffix_size = strlen(":dlq");
    if (!result->final) {
        suffix_size = strlen(":dlq-");
        suffix_size += decimal_write(result->attempts, suffix + suffix_size);
    }
    size_t kept = batch_id.size < DEAD_BATCH_ID_BYTES_MAX ? batch_id.size : DEAD_BATCH_ID_BYTES_MAX;
    uint8_t *id = arena_alloc(arena, kept + suffix_size);
    if (id == NULL) {
        return (struct span){0};
    }
    memcpy(id, batch_id.data, kept);
    memcpy(id + kept, suffix, suffix_size);
    return span_make(id, kept + suffix_size);
}

bool dead_operations_encode(const struct sync_result *result, const struct batch *batch,
                            struct arena *arena, struct buffer *out, struct dead_operations *dead,
                            struct error *error)
{
    struct selection selection;
    *dead = (struct dead_operations){0};
    buffer_clear(out);
    if (result->failure_entry_count == 0) {
        return true;
    }
    if (!select_dead(result, batch, arena, &selection, dead, error)) {
        return false;
    }
    dead->indexes = selection.indexes;
    dead->count = selection.count;
    if (selection.count == 0) {
        return true;
    }
    struct batch_parts parts = {
        .session_id = batch->session_id,
        .batch_id = dead_batch_id(result, batch->batch_id, arena),
        .client_id = batch->client_id,
        .strategy = result->strategy,
        .operations = selection.operations,
        .operation_count = selection.count,
    };
    if (span_is_absent(parts.batch_id)) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a dead letter");
    }
    batch_encode(&parts, out);
    return !out->failed || error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a dead letter");
}
