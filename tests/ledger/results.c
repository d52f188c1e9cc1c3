/* A published result against what the model makes of the batch (inside.h). */
#include <stdarg.h>

#include "tests/ledger/inside.h"

bool differs(struct reason *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason->bytes, sizeof(reason->bytes), format, arguments);
    va_end(arguments);
    return false;
}

static bool is_uint(const struct value *map, const char *key, uint64_t expected,
                    struct reason *reason)
{
    uint64_t number = 0;
    if (!value_as_uint(value_find(map, key), &number)) {
        return differs(reason, "%s is no uint", key);
    }
    return number == expected || differs(reason, "%s is %llu, expected %llu", key,
                                         (unsigned long long)number, (unsigned long long)expected);
}

static bool is_bool(const struct value *map, const char *key, bool expected, struct reason *reason)
{
    const struct value *const value = value_find(map, key);
    if (value_is(value, VALUE_BOOL) && value->boolean == expected) {
        return true;
    }
    return differs(reason, "%s is not %s", key, expected ? "true" : "false");
}

/* An absent or empty `expected`: the key must not be there. */
static bool is_str(const struct value *map, const char *key, struct span expected,
                   struct reason *reason)
{
    const struct value *const value = value_find(map, key);
    if (value == NULL && expected.size == 0) {
        return true;
    }
    if (value_is(value, VALUE_STR) && span_equal(value->text, expected)) {
        return true;
    }
    return differs(reason, "%s is not '%.*s'", key, SPAN_ARGS(expected));
}

static bool is_text(const struct value *map, const char *key, const char *expected,
                    struct reason *reason)
{
    return is_str(map, key, span_of_text(expected), reason);
}

static bool is_local(const struct value *local, const struct model_local *expected,
                     struct reason *reason)
{
    return is_uint(local, "version", expected->version, reason) &&
           is_uint(local, "timestamp", expected->timestamp_ms, reason) &&
           is_bool(local, "removed", expected->is_removed, reason);
}

static bool is_reason(const struct value *entry, const struct model_verdict *verdict,
                      struct reason *reason)
{
    const struct value *const stated = value_find(entry, "reason");
    const struct value *const stale = value_find(stated, "StaleTimestamp");
    if (strcmp(verdict->reason, "StaleTimestamp") != 0) {
        return value_is_text(stated, verdict->reason) ||
               differs(reason, "reason is not %s", verdict->reason);
    }
    if (stale == NULL) {
        return differs(reason, "reason is not StaleTimestamp");
    }
    return is_uint(stale, "local", verdict->stale_local_ms, reason) &&
           is_uint(stale, "remote", verdict->stale_remote_ms, reason);
}

/* The operation's bytes, nil, or no such key. */
static bool is_body(const struct value *entry, struct span expected, bool is_truncated,
                    struct reason *reason)
{
    const struct value *const body = value_find(entry, "operation");
    if (body == NULL) {
        return span_is_absent(expected) || is_truncated || differs(reason, "operation is missing");
    }
    if (span_is_absent(expected)) {
        return differs(reason, "operation is there, expected none");
    }
    return span_equal(body->raw, expected) || differs(reason, "operation is not what was received");
}

static bool is_conflict(const struct entries *entries, uint32_t index, const struct value *entry,
                        struct reason *reason)
{
    const struct model_verdict *const verdict = &entries->run->verdicts[index];
    const bool has_body = verdict->standing == MODEL_SYNCED && verdict->attempt == entries->attempt;
    const struct span body =
        has_body ? entries->run->batch->operations[index].raw : (struct span){0};
    return is_uint(entry, "index", index, reason) && is_reason(entry, verdict, reason) &&
           is_text(entry, "resolution", verdict->resolution, reason) &&
           is_bool(entry, "resolved", verdict->standing != MODEL_PENDING, reason) &&
           is_local(value_find(entry, "local"), &verdict->local, reason) &&
           is_body(entry, body, entries->is_truncated, reason);
}

/* What the sentence for a person has to begin with. */
static bool is_error(const struct value *entry, const struct model_verdict *verdict,
                     bool is_truncated, struct reason *reason)
{
    char start[128] = "";
    const struct value *const error = value_find(entry, "error");
    if (error == NULL && is_truncated) {
        return true;
    }
    if (strcmp(verdict->code, "stale_timestamp") == 0) {
        (void)snprintf(start, sizeof(start), "stale timestamp (local=%llu, remote=%llu)",
                       (unsigned long long)verdict->stale_local_ms,
                       (unsigned long long)verdict->stale_remote_ms);
    } else if (strcmp(verdict->code, "element_already_exists") == 0) {
        (void)snprintf(start, sizeof(start), "element already exists");
    } else if (strcmp(verdict->code, "concurrent_modification") == 0) {
        (void)snprintf(start, sizeof(start), "concurrent modification");
    } else if (strcmp(verdict->code, "element_not_found") == 0 ||
               strcmp(verdict->code, "element_removed") == 0) {
        (void)snprintf(start, sizeof(start), "element not found");
    }
    if (value_is(error, VALUE_STR) && error->text.size >= strlen(start) &&
        memcmp(error->text.data, start, strlen(start)) == 0) {
        return true;
    }
    return differs(reason, "error does not begin with '%s'", start);
}

static bool is_failure(const struct entries *entries, uint32_t index, const struct value *entry,
                       struct reason *reason)
{
    const struct model_verdict *const verdict = &entries->run->verdicts[index];
    const struct model_operation *const operation = &entries->run->batch->operations[index];
    const struct span nil = span_of_text("\xc0");
    return is_uint(entry, "index", index, reason) &&
           is_text(entry, "code", verdict->code, reason) &&
           is_bool(entry, "retryable", verdict->is_retryable, reason) &&
           is_error(entry, verdict, entries->is_truncated, reason) &&
           is_body(entry, operation->is_echoed ? operation->raw : nil, entries->is_truncated,
                   reason);
}

typedef bool (*is_listed)(const struct entries *entries, uint32_t index);
typedef bool (*is_entry)(const struct entries *entries, uint32_t index, const struct value *entry,
                         struct reason *reason);

static bool is_in_conflicts(const struct entries *entries, uint32_t index)
{
    return entries->run->verdicts[index].has_conflict;
}

static bool is_in_failures(const struct entries *entries, uint32_t index)
{
    const enum model_standing standing = entries->run->verdicts[index].standing;
    return standing == MODEL_FAILED || (standing == MODEL_PENDING && entries->has_pending);
}

static bool has_index(const struct value *entry, uint32_t index)
{
    uint64_t number = 0;
    return entry != NULL && value_as_uint(value_find(entry, "index"), &number) && number == index;
}

/* Every operation that should be listed is, in order, and no other one. */
static bool compare_list(const struct entries *entries, const struct value *list,
                         is_listed is_expected, is_entry is_same, struct reason *reason)
{
    if (!value_is(list, VALUE_ARRAY)) {
        return differs(reason, "it is no array");
    }
    const struct value *entry = list->first;
    for (uint32_t i = 0; i < entries->run->batch->operation_count; i++) {
        if (!is_expected(entries, i)) {
            continue;
        }
        if (!has_index(entry, i)) {
            if (entries->is_truncated) {
                continue;
            }
            return differs(reason, "there is no entry for operation %u", (unsigned)i);
        }
        struct reason inner;
        if (!is_same(entries, i, entry, &inner)) {
            return differs(reason, "operation %u: %.500s", (unsigned)i, inner.bytes);
        }
        entry = entry->next;
    }
    return entry == NULL || differs(reason, "there is an entry too many");
}

bool compare_conflicts(const struct entries *entries, const struct value *list,
                       struct reason *reason)
{
    struct reason inner;
    return compare_list(entries, list, is_in_conflicts, is_conflict, &inner) ||
           differs(reason, "conflicts: %.600s", inner.bytes);
}

bool compare_failures(const struct entries *entries, const struct value *list,
                      struct reason *reason)
{
    struct reason inner;
    return compare_list(entries, list, is_in_failures, is_failure, &inner) ||
           differs(reason, "failed_operations: %.600s", inner.bytes);
}

static bool compare_versions(const struct story *story, uint64_t attempts, const struct value *map,
                             struct reason *reason)
{
    const struct value *const list = value_find(map, "attempt_versions");
    if (attempts == 1) {
        return list == NULL || differs(reason, "attempt_versions is there after one attempt");
    }
    if (!value_is(list, VALUE_ARRAY) || list->count != attempts) {
        return differs(reason, "attempt_versions has not one entry per attempt");
    }
    const struct value *item = list->first;
    for (uint64_t i = 0; i < attempts; i++, item = item->next) {
        uint64_t version = 0;
        if (!value_as_uint(item, &version) || version != story->versions[i]) {
            return differs(reason, "attempt_versions differs at attempt %llu",
                           (unsigned long long)i + 1);
        }
    }
    return true;
}

static bool compare_counts(const struct model_run *run, const struct value *map,
                           struct reason *reason)
{
    const struct model_counts counts = model_run_counts(run);
    return is_uint(map, "synced_count", counts.synced, reason) &&
           is_uint(map, "failed_count", counts.failed, reason) &&
           is_uint(map, "pending_count", counts.pending, reason) &&
           is_uint(map, "conflict_count", counts.conflicts, reason) &&
           is_uint(map, "clamped_count", counts.clamped, reason) &&
           is_bool(map, "success", counts.failed + counts.pending == 0, reason) &&
           is_bool(map, "final", counts.pending == 0, reason);
}

static bool compare_source(const struct place *place, const struct value *map,
                           struct reason *reason)
{
    const struct value *const source = value_find(map, "source");
    return is_str(source, "topic", place->topic, reason) &&
           is_uint(source, "partition", (uint64_t)place->partition, reason) &&
           is_uint(source, "offset", (uint64_t)place->offset, reason);
}

static bool compare_times(const struct model_run *run, const struct value *map,
                          struct reason *reason)
{
    const bool waits = value_find(map, "next_attempt_at") != NULL;
    uint64_t number = 0;
    if (!value_as_uint(value_find(map, "timestamp"), &number) ||
        !value_as_uint(value_find(map, "duration_ms"), &number)) {
        return differs(reason, "timestamp or duration_ms is missing");
    }
    return waits == (model_run_counts(run).pending > 0) ||
           differs(reason, "next_attempt_at is %s", waits ? "there" : "missing");
}

static bool compare_headers(const struct result *result, const struct value *map,
                            struct reason *reason)
{
    const struct value *const success = value_find(map, "success");
    const bool is_success = value_is(success, VALUE_BOOL) && success->boolean;
    if (!is_header(result->record, "scenesync-final", result->is_final ? "1" : "0") ||
        !is_header(result->record, "scenesync-success", is_success ? "1" : "0")) {
        return differs(reason, "its headers do not say what it says");
    }
    return span_equal(result->record->key, result->identity.session_id) ||
           differs(reason, "its key is not the session_id");
}

static bool compare_map(const struct story *story, const struct model_run *run,
                        const struct value *map, struct reason *reason)
{
    const struct value *const truncated = value_find(map, "truncated");
    const struct entries entries = {
        .run = run,
        .attempt = run->attempt,
        .has_pending = true,
        .is_truncated = value_is(truncated, VALUE_BOOL) && truncated->boolean,
    };
    return is_uint(map, "v", 1, reason) &&
           is_str(map, "client_id", story->identity.client_id, reason) &&
           is_uint(map, "attempts", run->attempt, reason) &&
           is_text(map, "strategy", model_strategy_name(run->batch->strategy), reason) &&
           compare_counts(run, map, reason) &&
           compare_conflicts(&entries, value_find(map, "conflicts"), reason) &&
           compare_failures(&entries, value_find(map, "failed_operations"), reason) &&
           compare_versions(story, run->attempt, map, reason) && compare_times(run, map, reason) &&
           compare_source(&story->delivery->place, map, reason);
}

bool compare_result(const struct story *story, const struct model_run *run, uint64_t scene_version,
                    const struct result *result, struct reason *reason)
{
    struct pool pool = {0};
    const struct value *const map = value_read(result->record->value, &pool);
    const bool is_same = is_uint(map, "scene_version", scene_version, reason) &&
                         compare_map(story, run, map, reason) &&
                         compare_headers(result, map, reason);
    pool_free(&pool);
    return is_same;
}

static bool is_list_key(struct span key)
{
    return span_equal_text(key, "conflicts") || span_equal_text(key, "failed_operations");
}

/* Entries of both, in turn: equal but for the body. */
static bool compare_remembered_list(const struct value *kept, const struct value *published,
                                    struct reason *reason)
{
    const struct value *a = kept->first;
    const struct value *b = value_is(published, VALUE_ARRAY) ? published->first : NULL;
    for (; a != NULL && b != NULL; a = a->next, b = b->next) {
        for (const struct value *member = a->first; member != NULL; member = member->next) {
            const struct value *const other = value_find_span(b, member->key->text);
            if (!value_is_text(member->key, "operation") &&
                (other == NULL || !span_equal(member->raw, other->raw))) {
                return differs(reason, "an entry's %.*s", SPAN_ARGS(member->key->text));
            }
        }
    }
    return (a == NULL && b == NULL) || differs(reason, "entries are missing or too many");
}

static bool compare_remembered(const struct value *kept, const struct value *published,
                               struct reason *reason)
{
    for (const struct value *member = kept->first; member != NULL; member = member->next) {
        const struct value *const other = value_find_span(published, member->key->text);
        if (is_list_key(member->key->text)) {
            if (!compare_remembered_list(member, other, reason)) {
                return false;
            }
        } else if (other == NULL || !span_equal(member->raw, other->raw)) {
            return differs(reason, "%.*s", SPAN_ARGS(member->key->text));
        }
    }
    return true;
}

bool compare_memory(const struct memory *memory, const struct result *result, struct reason *reason)
{
    struct pool pool = {0};
    const struct value *const kept = value_read(memory->result, &pool);
    const struct value *const published = value_read(result->record->value, &pool);
    const struct value *const truncated = value_find(published, "truncated");
    const bool is_same =
        memory->attempt == result->attempts
            ? truncated != NULL || compare_remembered(kept, published, reason)
            : differs(reason, "attempt %llu, not %llu", (unsigned long long)memory->attempt,
                      (unsigned long long)result->attempts);
    pool_free(&pool);
    return is_same;
}
