#include "tests/support/results.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"

struct sync_result result_plain(void)
{
    static uint64_t versions[] = {5};
    return (struct sync_result){
        .session_id = span_of_text("s"),
        .batch_id = span_of_text("b"),
        .final = true,
        .attempts = 1,
        .strategy = STRATEGY_LAST_WRITE_WINS,
        .synced_count = 2,
        .scene_version = 5,
        .attempt_versions = versions,
        .attempt_version_count = 1,
        .duration_ms = 3,
        .timestamp_ms = 1000,
        .source = {.topic = span_of_text("t"), .partition = 1, .offset = 300}};
}

struct sync_result result_mixed(void)
{
    static struct conflict_entry conflicts[3];
    static struct failure_entry failures[3];
    struct sync_result result = result_plain();
    conflicts[0] =
        (struct conflict_entry){.index = 0,
                                .reason = CONFLICT_ELEMENT_ALREADY_EXISTS,
                                .resolution = RESOLUTION_KEEP_REMOTE,
                                .resolved = true,
                                .local = {.version = 4, .timestamp_ms = 900},
                                .body = {.kind = BODY_PRESENT, .raw = message_of("{'op':'add'}")}};
    conflicts[1] = (struct conflict_entry){.index = 1,
                                           .reason = CONFLICT_STALE_TIMESTAMP,
                                           .stale_local_ms = 900,
                                           .stale_remote_ms = 800,
                                           .resolution = RESOLUTION_KEEP_LOCAL,
                                           .resolved = true,
                                           .local = {.version = 4, .timestamp_ms = 900}};
    conflicts[2] = (struct conflict_entry){.index = 3,
                                           .reason = CONFLICT_ELEMENT_NOT_FOUND,
                                           .resolution = RESOLUTION_KEEP_LOCAL,
                                           .local = {.timestamp_ms = 7, .removed = true}};
    failures[0] = (struct failure_entry){
        .index = 1,
        .code = ERROR_STALE_TIMESTAMP,
        .message = span_of_text("stale timestamp (local=900, remote=800)"),
        .body = {.kind = BODY_PRESENT, .raw = message_of("{'op':'update'}")}};
    failures[1] = (struct failure_entry){.index = 2,
                                         .code = ERROR_INVALID_OPERATION,
                                         .message = span_of_text("`op` is missing"),
                                         .body = {.kind = BODY_NIL}};
    failures[2] = (struct failure_entry){
        .index = 3,
        .code = ERROR_ELEMENT_NOT_FOUND,
        .message = span_of_text("element not found"),
        .retryable = true,
        .pending = true,
        .body = {.kind = BODY_PRESENT, .raw = message_of("{'op':'remove','id':'e'}")}};
    result.client_id = span_of_text("c");
    result.final = false;
    result.synced_count = 1;
    result.failed_count = 2;
    result.pending_count = 1;
    result.conflict_count = 3;
    result.conflicts = conflicts;
    result.conflict_entry_count = 3;
    result.failures = failures;
    result.failure_entry_count = 3;
    result.next_attempt_at_ms = 1100;
    return result;
}

/* xorshift64 */
static uint64_t random_below(uint64_t *state, uint64_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % bound;
}

static uint64_t random_number(uint64_t *state)
{
    const uint64_t shift = random_below(state, 64);
    return *state >> shift;
}

static struct body random_body(uint64_t *state)
{
    static const char *const bodies[] = {"{'op':'add'}", "[]", "7",
                                         "{'op':'update','id':'0123456789','changes':{}}"};
    switch (random_below(state, 3)) {
    case 0:
        return (struct body){.kind = BODY_ABSENT};
    case 1:
        return (struct body){.kind = BODY_NIL};
    default:
        return (struct body){.kind = BODY_PRESENT,
                             .raw = message_of(bodies[random_below(state, 4)])};
    }
}

static struct span random_text(uint64_t *state)
{
    static const char text[400] = "............................................................";
    return random_below(state, 4) == 0 ? (struct span){NULL, 0}
                                       : span_make(text, random_below(state, 300));
}

void result_random_conflicts(struct sync_result *result, uint32_t count, uint64_t *state)
{
    result->conflicts = calloc(count + 1, sizeof *result->conflicts);
    result->conflict_entry_count = count;
    uint32_t index = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct conflict_entry *const entry = &result->conflicts[i];
        index += 1 + (uint32_t)random_below(state, 100);
        *entry = (struct conflict_entry){
            .index = index,
            .reason = (enum conflict_reason)(1 + random_below(state, CONFLICT_REASON_COUNT - 1)),
            .resolution = (enum resolution)random_below(state, RESOLUTION_COUNT),
            .resolved = random_below(state, 2) == 0,
            .local = {random_number(state), random_number(state), random_below(state, 2) == 0},
            .body = random_body(state)};
        if (entry->reason == CONFLICT_STALE_TIMESTAMP) {
            entry->stale_local_ms = random_number(state);
            entry->stale_remote_ms = random_number(state);
        }
        if (entry->resolution == RESOLUTION_MERGE && random_below(state, 2) == 0) {
            entry->applied = message_of("['/a','/b~1c']");
            entry->kept = message_of(random_below(state, 2) == 0 ? "[]" : "['/d']");
        }
    }
}

void result_random_failures(struct sync_result *result, uint32_t count, uint64_t *state)
{
    result->failures = calloc(count + 1, sizeof *result->failures);
    result->failure_entry_count = count;
    uint32_t index = 0;
    for (uint32_t i = 0; i < count; i++) {
        index += 1 + (uint32_t)random_below(state, 100);
        result->failures[i] =
            (struct failure_entry){.index = index,
                                   .code = (enum error_code)(1 + random_below(state, 23)),
                                   .message = random_text(state),
                                   .retryable = random_below(state, 2) == 0,
                                   .body = random_body(state)};
        result->failures[i].pending = !result->final && result->failures[i].retryable;
    }
}

struct sync_result result_random(uint32_t entries_max, uint64_t *state)
{
    struct sync_result result = {
        .session_id = span_of_text("scene"),
        .batch_id = span_of_text("batch"),
        .client_id = random_below(state, 2) == 0 ? (struct span){NULL, 0} : span_of_text("client"),
        .final = random_below(state, 2) == 0,
        .attempts = 1 + (uint32_t)random_below(state, 5),
        .strategy = (enum strategy)random_below(state, STRATEGY_COUNT),
        .synced_count = (uint32_t)random_number(state),
        .failed_count = (uint32_t)random_number(state),
        .pending_count = (uint32_t)random_number(state),
        .clamped_count = (uint32_t)random_number(state),
        .conflict_count = (uint32_t)random_number(state),
        .scene_version = random_number(state),
        .duration_ms = random_number(state),
        .timestamp_ms = random_number(state),
        .source = {span_of_text("scene.ops"), (int32_t)random_below(state, INT32_MAX),
                   (int64_t)random_below(state, INT64_MAX)},
        .truncated = random_below(state, 2) == 0};
    if (!result.final) {
        result.next_attempt_at_ms = random_number(state);
    }
    result.attempt_version_count = result.attempts;
    result.attempt_versions = calloc(result.attempts, sizeof *result.attempt_versions);
    for (uint32_t i = 0; i < result.attempts; i++) {
        result.attempt_versions[i] =
            result.attempts == 1 ? result.scene_version : random_number(state);
    }
    result_random_conflicts(&result, (uint32_t)random_below(state, entries_max), state);
    result_random_failures(&result, (uint32_t)random_below(state, entries_max), state);
    return result;
}

void result_random_free(struct sync_result *result)
{
    free(result->conflicts);
    free(result->failures);
    free(result->attempt_versions);
}

struct span result_encoded(const struct sync_result *result, enum body_encoding bodies,
                           size_t bytes_max)
{
    struct error error;
    struct wire_structure structure;
    buffer_clear(test_scratch());
    sync_result_encode(result, bodies, bytes_max, test_scratch());
    cr_assert_not(test_scratch()->failed);
    struct span bytes = buffer_span(test_scratch());
    cr_assert(wire_check_structure(bytes, &structure, &error), "%s", error.message);
    return bytes_keep(bytes);
}

struct sync_result result_decoded(struct span raw)
{
    struct error error;
    struct sync_result result;
    cr_assert(sync_result_decode(raw, test_arena(), &result, &error), "%s", error.message);
    return result;
}
