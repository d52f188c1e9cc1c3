#include "protocol/result.h"

#include "protocol/pack.h"

#include <assert.h>

enum { RESULT_VERSION = 1 };

/* How much of a result is written: the entries, and of which of them the bodies and the texts, each
 * as a count from the lowest index up. What is left out for size goes from the highest down, so
 * five numbers say it all and the caller's entries stay as they are. */
struct extent {
    uint32_t conflicts, conflict_bodies;
    uint32_t failures, failure_bodies, failure_messages;
    bool truncated;
};

static const struct body no_body = {.kind = BODY_ABSENT};

bool sync_result_is_success(const struct sync_result *result)
{
    return result->failed_count == 0 && result->pending_count == 0 &&
           result->error_code == ERROR_NONE;
}

/* Entries. */

static struct body body_encoded_as(struct body body, enum body_encoding encoding)
{
    if (encoding == BODIES_MARKED && body.kind == BODY_PRESENT) {
        body.kind = BODY_MARKED;
    }
    return body;
}

static void body_encode(struct body body, struct buffer *out)
{
    if (body.kind == BODY_ABSENT) {
        return;
    }
    pack_text(out, "operation");
    switch (body.kind) {
    case BODY_ABSENT:
        break;
    case BODY_NIL:
        pack_nil(out);
        break;
    case BODY_PRESENT:
        pack_raw(out, body.raw);
        break;
    case BODY_MARKED:
        pack_bool(out, true);
        break;
    }
}

static void reason_encode(const struct conflict_entry *entry, struct buffer *out)
{
    const char *const name = conflict_reason_name(entry->reason);
    assert(name != NULL);
    if (entry->reason != CONFLICT_STALE_TIMESTAMP) {
        pack_text(out, name);
        return;
    }
    pack_map(out, 1);
    pack_text(out, name);
    pack_map(out, 2);
    pack_text(out, "local");
    pack_uint(out, entry->stale_local_ms);
    pack_text(out, "remote");
    pack_uint(out, entry->stale_remote_ms);
}

static void local_state_encode(const struct local_state *local, struct buffer *out)
{
    pack_map(out, 3);
    pack_text(out, "version");
    pack_uint(out, local->version);
    pack_text(out, "timestamp");
    pack_uint(out, local->timestamp_ms);
    pack_text(out, "removed");
    pack_bool(out, local->removed);
}

static void conflict_encode(const struct conflict_entry *entry, struct body body,
                            struct buffer *out)
{
    bool has_lists = !span_is_absent(entry->applied);
    pack_map(out, 5u + (has_lists ? 2u : 0u) + (body.kind != BODY_ABSENT ? 1u : 0u));
    pack_text(out, "index");
    pack_uint(out, entry->index);
    pack_text(out, "reason");
    reason_encode(entry, out);
    pack_text(out, "resolution");
    pack_text(out, resolution_name(entry->resolution));
    pack_text(out, "resolved");
    pack_bool(out, entry->resolved);
    pack_text(out, "local");
    local_state_encode(&entry->local, out);
    if (has_lists) {
        pack_text(out, "applied");
        pack_raw(out, entry->applied);
        pack_text(out, "kept");
        pack_raw(out, entry->kept);
    }
    body_encode(body, out);
}

static void failure_encode(const struct failure_entry *entry, struct span message, struct body body,
                           struct buffer *out)
{
    const bool has_message = !span_is_absent(message);
    pack_map(out, 3u + (has_message ? 1u : 0u) + (body.kind != BODY_ABSENT ? 1u : 0u));
    pack_text(out, "index");
    pack_uint(out, entry->index);
    pack_text(out, "code");
    pack_text(out, error_code_name(entry->code));
    if (has_message) {
        pack_text(out, "error");
        pack_str(out, message);
    }
    pack_text(out, "retryable");
    pack_bool(out, entry->retryable);
    body_encode(body, out);
}

static void conflicts_encode(const struct conflict_entry *entries, uint32_t count,
                             uint32_t with_body, enum body_encoding bodies, struct buffer *out)
{
    pack_array(out, count);
    for (uint32_t i = 0; i < count; i++) {
        conflict_encode(&entries[i],
                        i < with_body ? body_encoded_as(entries[i].body, bodies) : no_body, out);
    }
}

static void failures_encode(const struct failure_entry *entries, const struct extent *extent,
                            enum body_encoding bodies, struct buffer *out)
{
    const struct span no_message = {NULL, 0};
    pack_array(out, extent->failures);
    for (uint32_t i = 0; i < extent->failures; i++) {
        failure_encode(
            &entries[i], i < extent->failure_messages ? entries[i].message : no_message,
            i < extent->failure_bodies ? body_encoded_as(entries[i].body, bodies) : no_body, out);
    }
}

void conflict_entries_encode(const struct conflict_entry *entries, uint32_t count,
                             enum body_encoding bodies, struct buffer *out)
{
    conflicts_encode(entries, count, count, bodies, out);
}

void failure_entries_encode(const struct failure_entry *entries, uint32_t count,
                            enum body_encoding bodies, struct buffer *out)
{
    const struct extent all = {
        .failures = count, .failure_bodies = count, .failure_messages = count};
    failures_encode(entries, &all, bodies, out);
}

void source_encode(const struct source *source, struct buffer *out)
{
    pack_map(out, 3);
    pack_text(out, "topic");
    pack_str(out, source->topic);
    pack_text(out, "partition");
    pack_int(out, source->partition);
    pack_text(out, "offset");
    pack_int(out, source->offset);
}

/* The result. */

static struct extent extent_of_all(const struct sync_result *result)
{
    return (struct extent){.conflicts = result->conflict_entry_count,
                           .conflict_bodies = result->conflict_entry_count,
                           .failures = result->failure_entry_count,
                           .failure_bodies = result->failure_entry_count,
                           .failure_messages = result->failure_entry_count,
                           .truncated = result->truncated};
}

static void key_uint(struct buffer *out, const char *key, uint64_t value)
{
    pack_text(out, key);
    pack_uint(out, value);
}

static void key_str(struct buffer *out, const char *key, struct span text)
{
    pack_text(out, key);
    pack_str(out, text);
}

static void key_bool(struct buffer *out, const char *key, bool value)
{
    pack_text(out, key);
    pack_bool(out, value);
}

/* Keys that every result has: v, session_id, batch_id, success, final, attempts, strategy, five
 * counts, two arrays, scene_version, duration_ms, timestamp, source. */
static uint32_t key_count(const struct sync_result *result, const struct extent *extent)
{
    return 18u + (span_is_absent(result->client_id) ? 0u : 1u) + (result->attempts > 1 ? 1u : 0u) +
           (result->final ? 0u : 1u) + (result->error_code != ERROR_NONE ? 2u : 0u) +
           (extent->truncated ? 1u : 0u);
}

static void head_encode(const struct sync_result *result, struct buffer *out)
{
    key_uint(out, "v", RESULT_VERSION);
    key_str(out, "session_id", result->session_id);
    key_str(out, "batch_id", result->batch_id);
    if (!span_is_absent(result->client_id)) {
        key_str(out, "client_id", result->client_id);
    }
    key_bool(out, "success", sync_result_is_success(result));
    key_bool(out, "final", result->final);
    key_uint(out, "attempts", result->attempts);
    key_str(out, "strategy", span_of_text(strategy_name(result->strategy)));
    key_uint(out, "synced_count", result->synced_count);
    key_uint(out, "conflict_count", result->conflict_count);
    key_uint(out, "failed_count", result->failed_count);
    key_uint(out, "pending_count", result->pending_count);
    key_uint(out, "clamped_count", result->clamped_count);
}

static void tail_encode(const struct sync_result *result, const struct extent *extent,
                        struct buffer *out)
{
    key_uint(out, "scene_version", result->scene_version);
    if (result->attempts > 1) {
        pack_text(out, "attempt_versions");
        pack_array(out, result->attempt_version_count);
        for (uint32_t i = 0; i < result->attempt_version_count; i++) {
            pack_uint(out, result->attempt_versions[i]);
        }
    }
    if (!result->final) {
        key_uint(out, "next_attempt_at", result->next_attempt_at_ms);
    }
    key_uint(out, "duration_ms", result->duration_ms);
    key_uint(out, "timestamp", result->timestamp_ms);
    pack_text(out, "source");
    source_encode(&result->source, out);
    if (result->error_code != ERROR_NONE) {
        key_str(out, "error_code", span_of_text(error_code_name(result->error_code)));
        key_str(out, "error",
                span_is_absent(result->error_message) ? span_of_text("") : result->error_message);
    }
    if (extent->truncated) {
        key_bool(out, "truncated", true);
    }
}

static void result_encode(const struct sync_result *result, const struct extent *extent,
                          enum body_encoding bodies, struct buffer *out)
{
    pack_map(out, key_count(result, extent));
    head_encode(result, out);
    pack_text(out, "conflicts");
    conflicts_encode(result->conflicts, extent->conflicts, extent->conflict_bodies, bodies, out);
    pack_text(out, "failed_operations");
    failures_encode(result->failures, extent, bodies, out);
    tail_encode(result, extent, out);
}

/* Making it fit. Sizes of entries are found by writing them at the buffer's end and taking that
 * back, so that the layout is described once. Linear: every entry is measured twice at most. */

/* A str with its head. */
static size_t str_bytes(size_t size)
{
    return size + (size < 32 ? 1u : size < 256 ? 2u : size < 65536 ? 3u : 5u);
}

static size_t array_head_bytes(uint32_t count)
{
    return count < 16 ? 1 : count < 65536 ? 3 : 5;
}

/* What leaving out the `operation` key, or the `error` key, saves. The map's head is one byte
 * with or without. */
static size_t body_bytes(struct body body, enum body_encoding encoding)
{
    body = body_encoded_as(body, encoding);
    const size_t key_bytes = sizeof "operation"; /* a head and 9 characters */
    switch (body.kind) {
    case BODY_ABSENT:
        return 0;
    case BODY_NIL:
    case BODY_MARKED:
        return key_bytes + 1;
    case BODY_PRESENT:
        return key_bytes + body.raw.size;
    }
    return 0;
}

static size_t message_bytes(struct span message)
{
    return span_is_absent(message) ? 0 : sizeof "error" + str_bytes(message.size);
}

/* Takes back what was written from `size` on and says how much it was. */
static size_t written_take_back(struct buffer *out, size_t size)
{
    const size_t written_bytes = out->size - size;
    out->size = size;
    return written_bytes;
}

static size_t conflict_bytes(const struct conflict_entry *entry, struct buffer *out)
{
    const size_t start = out->size;
    conflict_encode(entry, no_body, out);
    return written_take_back(out, start);
}

static size_t failure_bytes(const struct failure_entry *entry, struct buffer *out)
{
    const size_t start = out->size;
    failure_encode(entry, (struct span){NULL, 0}, no_body, out);
    return written_take_back(out, start);
}

/* The size of the whole, `truncated` included. */
static size_t result_bytes(const struct sync_result *result, enum body_encoding bodies,
                           struct buffer *out)
{
    const size_t start = out->size;
    const struct extent none = {.truncated = true};
    result_encode(result, &none, bodies, out);
    size_t size = written_take_back(out, start);
    for (uint32_t i = 0; i < result->conflict_entry_count; i++) {
        const struct conflict_entry *const entry = &result->conflicts[i];
        size += conflict_bytes(entry, out) + body_bytes(entry->body, bodies);
    }
    for (uint32_t i = 0; i < result->failure_entry_count; i++) {
        const struct failure_entry *const entry = &result->failures[i];
        size += failure_bytes(entry, out) + body_bytes(entry->body, bodies) +
                message_bytes(entry->message);
    }
    size += array_head_bytes(result->conflict_entry_count) - array_head_bytes(0);
    size += array_head_bytes(result->failure_entry_count) - array_head_bytes(0);
    return size;
}

/* Whether a result of this size, `truncated` included, was not written for want of memory alone. */
static bool has_fitted(const struct sync_result *result, size_t size, size_t bytes_max,
                       size_t room_bytes)
{
    const size_t flag_bytes = result->truncated ? 0 : str_bytes(sizeof "truncated" - 1) + 1;
    return size - flag_bytes <= bytes_max && size - flag_bytes <= room_bytes;
}

/* Bodies and texts, in the protocol's order. Returns what is left of `size`. */
static size_t contents_cut(const struct sync_result *result, enum body_encoding bodies,
                           size_t bytes_max, size_t size, struct extent *extent)
{
    while (size > bytes_max && extent->conflict_bodies > 0) {
        size -= body_bytes(result->conflicts[--extent->conflict_bodies].body, bodies);
    }
    while (size > bytes_max && extent->failure_bodies > 0) {
        size -= body_bytes(result->failures[--extent->failure_bodies].body, bodies);
    }
    while (size > bytes_max && extent->failure_messages > 0) {
        size -= message_bytes(result->failures[--extent->failure_messages].message);
    }
    return size;
}

/* Entries, which by then have neither body nor text. */
static size_t entries_cut(const struct sync_result *result, size_t bytes_max, size_t size,
                          struct extent *extent, struct buffer *out)
{
    while (size > bytes_max && extent->conflicts > 0) {
        size -= array_head_bytes(extent->conflicts);
        size -= conflict_bytes(&result->conflicts[--extent->conflicts], out);
        size += array_head_bytes(extent->conflicts);
    }
    while (size > bytes_max && extent->failures > 0) {
        size -= array_head_bytes(extent->failures);
        size -= failure_bytes(&result->failures[--extent->failures], out);
        size += array_head_bytes(extent->failures);
    }
    return size;
}

void sync_result_encode(const struct sync_result *result, enum body_encoding bodies,
                        size_t bytes_max, struct buffer *out)
{
    const size_t start = out->size;
    const bool failed_before = out->failed;
    struct extent extent = extent_of_all(result);
    result_encode(result, &extent, bodies, out);
    if (bytes_max == 0 || failed_before || (!out->failed && out->size - start <= bytes_max)) {
        return;
    }
    /* Too large, be it for the limit or for the buffer: what is cut down may fit both. */
    const bool has_failed = out->failed;
    out->size = start;
    out->failed = false;
    extent.truncated = true;
    size_t size = result_bytes(result, bodies, out);
    if (has_failed && has_fitted(result, size, bytes_max, out->bytes_max - start)) {
        out->failed = true;
        return;
    }
    size = contents_cut(result, bodies, bytes_max, size, &extent);
    size = entries_cut(result, bytes_max, size, &extent, out);
    result_encode(result, &extent, bodies, out);
    assert(out->failed || out->size - start == size);
}
