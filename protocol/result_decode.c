#include "protocol/result.h"

#include "protocol/fields.h"

#include <assert.h>
#include <inttypes.h>

enum {
    RESULT_VERSION = 1,
    /* No entry with its keys is shorter. An array that announces more entries than its bytes could
     * hold is refused before memory is taken for them: an arena never gives more than twice the
     * bytes that came. */
    CONFLICT_BYTES_MIN = 64,
    FAILURE_BYTES_MIN = 32,
    /* Kafka's limit on a topic's name. */
    TOPIC_BYTES_MAX = 249
};

/* {topic, partition, offset} */

enum { SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET, SOURCE_KEY_COUNT };

static const struct field_name source_names[SOURCE_KEY_COUNT] = {
    FIELD_NAME("topic"), FIELD_NAME("partition"), FIELD_NAME("offset")};

bool source_decode(struct span raw, struct source *out, struct error *error)
{
    struct fields fields = {.where = "`source`",
                            .names = source_names,
                            .count = SOURCE_KEY_COUNT,
                            .required = true,
                            .code = ERROR_INVALID_VALUE,
                            .error = error};
    if (!fields_open(&fields, raw)) {
        return false;
    }
    const struct source source = {
        .topic = fields_str(&fields, SOURCE_TOPIC),
        .partition = (int32_t)fields_uint(&fields, SOURCE_PARTITION, INT32_MAX),
        .offset = (int64_t)fields_uint(&fields, SOURCE_OFFSET, INT64_MAX)};
    if (!fields.failed && (source.topic.size == 0 || source.topic.size > TOPIC_BYTES_MAX)) {
        fields_fail(&fields, SOURCE_TOPIC, "must have 1 to 249 bytes");
    }
    if (fields.failed) {
        return false;
    }
    *out = source;
    return true;
}

/* What a conflict met. */

enum { LOCAL_VERSION, LOCAL_TIMESTAMP, LOCAL_REMOVED, LOCAL_KEY_COUNT };

static const struct field_name local_names[LOCAL_KEY_COUNT] = {
    FIELD_NAME("version"), FIELD_NAME("timestamp"), FIELD_NAME("removed")};

static bool local_state_decode(struct span raw, struct local_state *out, struct error *error)
{
    struct fields fields = {.where = "`local` of a conflict",
                            .names = local_names,
                            .count = LOCAL_KEY_COUNT,
                            .required = true,
                            .code = ERROR_INVALID_VALUE,
                            .error = error};
    if (!fields_open(&fields, raw)) {
        return false;
    }
    *out = (struct local_state){.version = fields_uint(&fields, LOCAL_VERSION, UINT64_MAX),
                                .timestamp_ms = fields_uint(&fields, LOCAL_TIMESTAMP, UINT64_MAX),
                                .removed = fields_bool(&fields, LOCAL_REMOVED)};
    return !fields.failed;
}

/* {"StaleTimestamp": {local, remote}}, or the name alone for the others. */

enum { STALE_LOCAL, STALE_REMOTE, STALE_KEY_COUNT };

static const struct field_name stale_names[STALE_KEY_COUNT] = {FIELD_NAME("local"),
                                                               FIELD_NAME("remote")};

static bool stale_decode(struct span raw, struct conflict_entry *out, struct error *error)
{
    struct fields fields = {.where = "StaleTimestamp",
                            .names = stale_names,
                            .count = STALE_KEY_COUNT,
                            .required = true,
                            .code = ERROR_INVALID_VALUE,
                            .error = error};
    if (!fields_open(&fields, raw)) {
        return false;
    }
    out->reason = CONFLICT_STALE_TIMESTAMP;
    out->stale_local_ms = fields_uint(&fields, STALE_LOCAL, UINT64_MAX);
    out->stale_remote_ms = fields_uint(&fields, STALE_REMOTE, UINT64_MAX);
    return !fields.failed;
}

static bool reason_decode(struct span raw, struct conflict_entry *out, struct error *error)
{
    struct wire_cursor cursor = wire_cursor_of(raw);
    struct wire_value value = wire_read(&cursor);
    const bool has_clocks = value.type == WIRE_MAP && value.count == 1;
    if (has_clocks) {
        value = wire_peek(wire_skip(&cursor));
    }
    if (value.type == WIRE_STR) {
        const enum conflict_reason reason = conflict_reason_of_name(value.body);
        if (has_clocks && reason == CONFLICT_STALE_TIMESTAMP) {
            return stale_decode(wire_skip(&cursor), out, error);
        }
        if (!has_clocks && reason < CONFLICT_STALE_TIMESTAMP) {
            out->reason = reason;
            return true;
        }
    }
    return error_set(error, ERROR_INVALID_VALUE,
                     "a conflict: `reason` is no conflict reason, found %s",
                     wire_type_name(wire_peek(raw).type));
}

static struct body body_decode(struct span raw)
{
    if (span_is_absent(raw)) {
        return (struct body){.kind = BODY_ABSENT};
    }
    const struct wire_value value = wire_peek(raw);
    if (value.type == WIRE_NIL) {
        return (struct body){.kind = BODY_NIL};
    }
    if (value.type == WIRE_BOOL && value.boolean) {
        return (struct body){.kind = BODY_MARKED};
    }
    return (struct body){.kind = BODY_PRESENT, .raw = raw};
}

/* Entries. */

enum {
    CONFLICT_INDEX,
    CONFLICT_REASON,
    CONFLICT_RESOLUTION,
    CONFLICT_RESOLVED,
    CONFLICT_LOCAL,
    CONFLICT_APPLIED,
    CONFLICT_KEPT,
    CONFLICT_OPERATION,
    CONFLICT_KEY_COUNT
};

static const struct field_name conflict_names[CONFLICT_KEY_COUNT] = {
    FIELD_NAME("index"), FIELD_NAME("reason"),  FIELD_NAME("resolution"), FIELD_NAME("resolved"),
    FIELD_NAME("local"), FIELD_NAME("applied"), FIELD_NAME("kept"),       FIELD_NAME("operation")};

/* A merged operation's lists: both or none, arrays of str. */
static struct span pointers_decode(struct fields *fields, unsigned key)
{
    if (!fields_has(fields, CONFLICT_APPLIED) && !fields_has(fields, CONFLICT_KEPT)) {
        return (struct span){0};
    }
    const struct span raw = fields_container(fields, key, WIRE_ARRAY);
    if (fields->failed) {
        return (struct span){0};
    }
    struct wire_cursor cursor = wire_cursor_of(raw);
    for (uint32_t left = wire_read(&cursor).count; left > 0; left--) {
        if (wire_peek(wire_skip(&cursor)).type != WIRE_STR) {
            fields_fail(fields, key, "must hold strs");
            return (struct span){0};
        }
    }
    return raw;
}

static bool conflict_decode(struct span raw, struct conflict_entry *out, struct error *error)
{
    struct fields fields = {.where = "a conflict",
                            .names = conflict_names,
                            .count = CONFLICT_KEY_COUNT,
                            .required = true,
                            .code = ERROR_INVALID_VALUE,
                            .error = error};
    if (!fields_open(&fields, raw)) {
        return false;
    }
    *out = (struct conflict_entry){.index = fields_uint32(&fields, CONFLICT_INDEX),
                                   .resolution =
                                       resolution_of_name(fields_str(&fields, CONFLICT_RESOLUTION)),
                                   .resolved = fields_bool(&fields, CONFLICT_RESOLVED),
                                   .applied = pointers_decode(&fields, CONFLICT_APPLIED),
                                   .kept = pointers_decode(&fields, CONFLICT_KEPT),
                                   .body = body_decode(fields.values[CONFLICT_OPERATION])};
    if (!fields_has(&fields, CONFLICT_REASON)) {
        fields_fail(&fields, CONFLICT_REASON, "is missing");
    }
    if (!fields_has(&fields, CONFLICT_LOCAL)) {
        fields_fail(&fields, CONFLICT_LOCAL, "is missing");
    }
    if (out->resolution == RESOLUTION_COUNT) {
        fields_fail(&fields, CONFLICT_RESOLUTION, "is none of keep_local, keep_remote, merge");
    }
    return !fields.failed && reason_decode(fields.values[CONFLICT_REASON], out, error) &&
           local_state_decode(fields.values[CONFLICT_LOCAL], &out->local, error);
}

enum {
    FAILURE_INDEX,
    FAILURE_CODE,
    FAILURE_ERROR,
    FAILURE_RETRYABLE,
    FAILURE_OPERATION,
    FAILURE_KEY_COUNT
};

static const struct field_name failure_names[FAILURE_KEY_COUNT] = {
    FIELD_NAME("index"), FIELD_NAME("code"), FIELD_NAME("error"), FIELD_NAME("retryable"),
    FIELD_NAME("operation")};

static bool failure_decode(struct span raw, struct failure_entry *out, struct error *error)
{
    struct fields fields = {.where = "a failed operation",
                            .names = failure_names,
                            .count = FAILURE_KEY_COUNT,
                            .required = true,
                            .code = ERROR_INVALID_VALUE,
                            .error = error};
    if (!fields_open(&fields, raw)) {
        return false;
    }
    *out = (struct failure_entry){.index = fields_uint32(&fields, FAILURE_INDEX),
                                  .code = error_code_of_name(fields_str(&fields, FAILURE_CODE)),
                                  .retryable = fields_bool(&fields, FAILURE_RETRYABLE),
                                  .body = body_decode(fields.values[FAILURE_OPERATION])};
    if (out->code == ERROR_CODE_COUNT) {
        fields_fail(&fields, FAILURE_CODE, "is no error code");
    }
    if (fields_has(&fields, FAILURE_ERROR)) {
        out->message = fields_str(&fields, FAILURE_ERROR);
    }
    return !fields.failed;
}

/* Opens an array of entries: its items follow at the cursor. */
static bool entries_open(struct span raw, const char *where, size_t entry_bytes_min,
                         struct wire_cursor *cursor, uint32_t *count, struct error *error)
{
    *cursor = wire_cursor_of(raw);
    const struct wire_value head = wire_read(cursor);
    if (head.type != WIRE_ARRAY) {
        return error_set(error, ERROR_INVALID_VALUE, "`%s` must be an array, found %s", where,
                         wire_type_name(head.type));
    }
    if (head.count > raw.size / entry_bytes_min) {
        return error_set(error, ERROR_INVALID_VALUE,
                         "`%s` announces %" PRIu32 " entries in %zu bytes; each has at least %zu",
                         where, head.count, raw.size, entry_bytes_min);
    }
    *count = head.count;
    return true;
}

static bool entries_order_check(const char *where, uint32_t previous, uint32_t index,
                                struct error *error)
{
    if (index > previous) {
        return true;
    }
    return error_set(error, ERROR_INVALID_VALUE,
                     "`%s`: index %" PRIu32 " behind %" PRIu32 ", indexes must ascend", where,
                     index, previous);
}

static bool entries_out_of_memory(const char *where, uint32_t count, struct error *error)
{
    return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for %" PRIu32 " entries of `%s`", count,
                     where);
}

bool conflict_entries_decode(struct span raw, struct arena *arena, struct conflict_entry **entries,
                             uint32_t *count, struct error *error)
{
    static const char where[] = "conflicts";
    struct wire_cursor cursor;
    uint32_t length = 0;
    if (!entries_open(raw, where, CONFLICT_BYTES_MIN, &cursor, &length, error)) {
        return false;
    }
    struct conflict_entry *const items = arena_alloc_array(arena, length, sizeof *items);
    if (items == NULL) {
        return entries_out_of_memory(where, length, error);
    }
    for (uint32_t i = 0; i < length; i++) {
        if (!conflict_decode(wire_skip(&cursor), &items[i], error) ||
            (i > 0 && !entries_order_check(where, items[i - 1].index, items[i].index, error))) {
            return false;
        }
    }
    *entries = items;
    *count = length;
    return true;
}

bool failure_entries_decode(struct span raw, struct arena *arena, struct failure_entry **entries,
                            uint32_t *count, struct error *error)
{
    static const char where[] = "failed_operations";
    struct wire_cursor cursor;
    uint32_t length = 0;
    if (!entries_open(raw, where, FAILURE_BYTES_MIN, &cursor, &length, error)) {
        return false;
    }
    struct failure_entry *const items = arena_alloc_array(arena, length, sizeof *items);
    if (items == NULL) {
        return entries_out_of_memory(where, length, error);
    }
    for (uint32_t i = 0; i < length; i++) {
        if (!failure_decode(wire_skip(&cursor), &items[i], error) ||
            (i > 0 && !entries_order_check(where, items[i - 1].index, items[i].index, error))) {
            return false;
        }
    }
    *entries = items;
    *count = length;
    return true;
}

/* The result. */

enum {
    RESULT_V,
    RESULT_SESSION_ID,
    RESULT_BATCH_ID,
    RESULT_CLIENT_ID,
    RESULT_FINAL,
    RESULT_ATTEMPTS,
    RESULT_STRATEGY,
    RESULT_SYNCED_COUNT,
    RESULT_CONFLICT_COUNT,
    RESULT_FAILED_COUNT,
    RESULT_PENDING_COUNT,
    RESULT_CLAMPED_COUNT,
    RESULT_CONFLICTS,
    RESULT_FAILED_OPERATIONS,
    RESULT_SCENE_VERSION,
    RESULT_ATTEMPT_VERSIONS,
    RESULT_NEXT_ATTEMPT_AT,
    RESULT_DURATION_MS,
    RESULT_TIMESTAMP,
    RESULT_SOURCE,
    RESULT_ERROR_CODE,
    RESULT_ERROR,
    RESULT_TRUNCATED,
    RESULT_KEY_COUNT
};

/* `success` is not among them: it follows from the counts. */
static const struct field_name result_names[RESULT_KEY_COUNT] = {
    FIELD_NAME("v"),
    FIELD_NAME("session_id"),
    FIELD_NAME("batch_id"),
    FIELD_NAME("client_id"),
    FIELD_NAME("final"),
    FIELD_NAME("attempts"),
    FIELD_NAME("strategy"),
    FIELD_NAME("synced_count"),
    FIELD_NAME("conflict_count"),
    FIELD_NAME("failed_count"),
    FIELD_NAME("pending_count"),
    FIELD_NAME("clamped_count"),
    FIELD_NAME("conflicts"),
    FIELD_NAME("failed_operations"),
    FIELD_NAME("scene_version"),
    FIELD_NAME("attempt_versions"),
    FIELD_NAME("next_attempt_at"),
    FIELD_NAME("duration_ms"),
    FIELD_NAME("timestamp"),
    FIELD_NAME("source"),
    FIELD_NAME("error_code"),
    FIELD_NAME("error"),
    FIELD_NAME("truncated"),
};

static void scalars_decode(struct fields *fields, struct sync_result *out)
{
    if (fields_has(fields, RESULT_V) &&
        fields_uint(fields, RESULT_V, UINT64_MAX) != RESULT_VERSION) {
        fields_fail(fields, RESULT_V, "must be 1");
    }
    out->session_id = fields_str(fields, RESULT_SESSION_ID);
    out->batch_id = fields_str(fields, RESULT_BATCH_ID);
    out->client_id = fields_str(fields, RESULT_CLIENT_ID);
    out->final = fields_bool(fields, RESULT_FINAL);
    out->attempts = fields_uint32(fields, RESULT_ATTEMPTS);
    out->synced_count = fields_uint32(fields, RESULT_SYNCED_COUNT);
    out->conflict_count = fields_uint32(fields, RESULT_CONFLICT_COUNT);
    out->failed_count = fields_uint32(fields, RESULT_FAILED_COUNT);
    out->pending_count = fields_uint32(fields, RESULT_PENDING_COUNT);
    out->clamped_count = fields_uint32(fields, RESULT_CLAMPED_COUNT);
    out->scene_version = fields_uint(fields, RESULT_SCENE_VERSION, UINT64_MAX);
    out->next_attempt_at_ms = fields_uint(fields, RESULT_NEXT_ATTEMPT_AT, UINT64_MAX);
    out->duration_ms = fields_uint(fields, RESULT_DURATION_MS, UINT64_MAX);
    out->timestamp_ms = fields_uint(fields, RESULT_TIMESTAMP, UINT64_MAX);
    out->error_message = fields_str(fields, RESULT_ERROR);
    out->truncated = fields_bool(fields, RESULT_TRUNCATED);
}

static void names_decode(struct fields *fields, struct sync_result *out)
{
    if (fields_has(fields, RESULT_STRATEGY)) {
        out->strategy = strategy_of_name(fields_str(fields, RESULT_STRATEGY));
        if (out->strategy == STRATEGY_COUNT) {
            fields_fail(fields, RESULT_STRATEGY, "is no strategy");
        }
    }
    if (fields_has(fields, RESULT_ERROR_CODE)) {
        out->error_code = error_code_of_name(fields_str(fields, RESULT_ERROR_CODE));
        if (out->error_code == ERROR_CODE_COUNT) {
            fields_fail(fields, RESULT_ERROR_CODE, "is no error code");
        }
    }
}

static void attempt_versions_decode(struct fields *fields, struct arena *arena,
                                    struct sync_result *out)
{
    out->attempt_versions =
        fields_uint_array(fields, RESULT_ATTEMPT_VERSIONS, arena, &out->attempt_version_count);
    if (fields->failed || out->attempt_versions != NULL || out->attempts != 1) {
        return;
    }
    out->attempt_versions = arena_alloc_array(arena, 1, sizeof *out->attempt_versions);
    if (out->attempt_versions == NULL) {
        fields_adopt(fields,
                     error_set(fields->error, ERROR_OUT_OF_MEMORY, "no memory for a result"));
        return;
    }
    out->attempt_versions[0] = out->scene_version;
    out->attempt_version_count = 1;
}

static bool arrays_decode(const struct fields *fields, struct arena *arena, struct sync_result *out)
{
    if (fields_has(fields, RESULT_SOURCE) &&
        !source_decode(fields->values[RESULT_SOURCE], &out->source, fields->error)) {
        return false;
    }
    if (fields_has(fields, RESULT_CONFLICTS) &&
        !conflict_entries_decode(fields->values[RESULT_CONFLICTS], arena, &out->conflicts,
                                 &out->conflict_entry_count, fields->error)) {
        return false;
    }
    if (fields_has(fields, RESULT_FAILED_OPERATIONS) &&
        !failure_entries_decode(fields->values[RESULT_FAILED_OPERATIONS], arena, &out->failures,
                                &out->failure_entry_count, fields->error)) {
        return false;
    }
    for (uint32_t i = 0; i < out->failure_entry_count; i++) {
        out->failures[i].pending = !out->final && out->failures[i].retryable;
    }
    return true;
}

bool sync_result_decode(struct span raw, struct arena *arena, struct sync_result *out,
                        struct error *error)
{
    struct fields fields = {.where = "a result",
                            .names = result_names,
                            .count = RESULT_KEY_COUNT,
                            .code = ERROR_INVALID_VALUE,
                            .error = error};
    struct sync_result result = {.error_code = ERROR_NONE};
    if (!fields_open(&fields, raw)) {
        return false;
    }
    scalars_decode(&fields, &result);
    names_decode(&fields, &result);
    attempt_versions_decode(&fields, arena, &result);
    if (fields.failed || !arrays_decode(&fields, arena, &result)) {
        return false;
    }
    *out = result;
    return true;
}
