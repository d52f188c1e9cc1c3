/*
 * What workers wrote, as anybody may have changed it: a SyncResult, its parts, the retry section
 * and the store's batch record. Whatever is read is written the same by every further turn, and a
 * result that is cut to a size keeps to it, its counts and its meaning.
 */
#include "protocol/result.h"
#include "protocol/retry.h"
#include "store/record.h"
#include "tests/fuzz/fuzz.h"

static void demand_code(const struct error *error, enum error_code code)
{
    fuzz_demand_refusal(error);
    fuzz_demand(error->code == code, "a refusal keeps to its code");
}

static struct sync_result decode_again(const struct buffer *written, struct arena *arena)
{
    struct sync_result result;
    struct wire_structure structure;
    struct error error = {.code = ERROR_NONE};
    fuzz_demand(wire_check_structure(buffer_span(written), &structure, &error),
                "a written result is well-formed");
    fuzz_demand(sync_result_decode(buffer_span(written), arena, &result, &error),
                "a written result can be read");
    return result;
}

static void demand_same_counts(const struct sync_result *found, const struct sync_result *expected)
{
    fuzz_demand(found->synced_count == expected->synced_count &&
                    found->failed_count == expected->failed_count &&
                    found->pending_count == expected->pending_count &&
                    found->conflict_count == expected->conflict_count &&
                    found->clamped_count == expected->clamped_count,
                "no count is ever left out");
    fuzz_demand(sync_result_is_success(found) == sync_result_is_success(expected),
                "a result cut short says the same of success");
    fuzz_demand(found->conflict_entry_count <= expected->conflict_entry_count &&
                    found->failure_entry_count <= expected->failure_entry_count,
                "a result cut short has no more entries");
}

static void demand_cut(const struct sync_result *result, size_t whole_bytes, size_t bytes_max,
                       struct arena *arena)
{
    struct buffer cut;
    buffer_init(&cut, FUZZ_BUFFER_BYTES_MAX);
    sync_result_encode(result, BODIES_AS_THEY_ARE, bytes_max, &cut);
    fuzz_demand(!cut.failed, "a result can be cut to any size");
    const struct sync_result found = decode_again(&cut, arena);
    demand_same_counts(&found, result);
    fuzz_demand(cut.size <= bytes_max ||
                    (found.conflict_entry_count == 0 && found.failure_entry_count == 0),
                "a result keeps to its size as long as there is an entry to leave out");
    fuzz_demand(bytes_max >= whole_bytes || found.truncated, "a result cut short says so");
    buffer_deinit(&cut);
}

static void demand_result_survives(const struct sync_result *result, struct arena *arena)
{
    static const enum body_encoding encodings[] = {BODIES_AS_THEY_ARE, BODIES_MARKED};
    struct buffer written, again;
    buffer_init(&written, FUZZ_BUFFER_BYTES_MAX);
    buffer_init(&again, FUZZ_BUFFER_BYTES_MAX);
    for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
        buffer_clear(&written);
        buffer_clear(&again);
        sync_result_encode(result, encodings[i], 0, &written);
        fuzz_demand(!written.failed, "a result can be written");
        const struct sync_result copy = decode_again(&written, arena);
        demand_same_counts(&copy, result);
        fuzz_demand(copy.conflict_entry_count == result->conflict_entry_count &&
                        copy.failure_entry_count == result->failure_entry_count,
                    "a whole result has all entries");
        sync_result_encode(&copy, encodings[i], 0, &again);
        fuzz_demand_equal(buffer_span(&again), buffer_span(&written),
                          "a result is written the same again");
    }
    buffer_clear(&written);
    sync_result_encode(result, BODIES_AS_THEY_ARE, 0, &written);
    const size_t whole_bytes = written.size;
    for (size_t part = 0; part <= 8; part++) {
        demand_cut(result, whole_bytes, 1 + whole_bytes * part / 8, arena);
    }
    buffer_deinit(&again);
    buffer_deinit(&written);
}

/* Keys may be missing when a result is read; of those that a worker always writes, this is the one
 * that cannot be written empty. */
static bool has_source(const struct sync_result *result)
{
    return result->source.topic.size > 0;
}

static void read_result(struct span bytes, struct arena *arena)
{
    struct sync_result result;
    struct error error = {.code = ERROR_NONE};
    if (!sync_result_decode(bytes, arena, &result, &error)) {
        demand_code(&error, ERROR_INVALID_VALUE);
    } else if (has_source(&result)) {
        demand_result_survives(&result, arena);
    }
}

static void read_parts(struct span bytes, struct arena *arena)
{
    struct conflict_entry *conflicts = NULL;
    struct failure_entry *failures = NULL;
    uint32_t count = 0;
    struct source source;
    struct error error = {.code = ERROR_NONE};
    struct buffer out;
    buffer_init(&out, FUZZ_BUFFER_BYTES_MAX);
    if (conflict_entries_decode(bytes, arena, &conflicts, &count, &error)) {
        conflict_entries_encode(conflicts, count, BODIES_AS_THEY_ARE, &out);
        fuzz_demand(conflict_entries_decode(buffer_span(&out), arena, &conflicts, &count, &error),
                    "conflicts that were read and written can be read");
    } else {
        demand_code(&error, ERROR_INVALID_VALUE);
    }
    buffer_clear(&out);
    if (failure_entries_decode(bytes, arena, &failures, &count, &error)) {
        failure_entries_encode(failures, count, BODIES_AS_THEY_ARE, &out);
        fuzz_demand(failure_entries_decode(buffer_span(&out), arena, &failures, &count, &error),
                    "failures that were read and written can be read");
    } else {
        demand_code(&error, ERROR_INVALID_VALUE);
    }
    if (!source_decode(bytes, &source, &error)) {
        demand_code(&error, ERROR_INVALID_VALUE);
    }
    buffer_deinit(&out);
}

static void read_retry(struct span bytes, struct arena *arena)
{
    struct retry_section section;
    struct error error = {.code = ERROR_NONE};
    if (!retry_section_decode(bytes, arena, &section, &error)) {
        demand_code(&error, ERROR_INVALID_RETRY);
        return;
    }
    fuzz_demand((uint64_t)section.synced_count + section.failure_count + section.index_count ==
                    section.total,
                "every operation of the batch is in one place");
    struct buffer written, again;
    buffer_init(&written, FUZZ_BUFFER_BYTES_MAX);
    buffer_init(&again, FUZZ_BUFFER_BYTES_MAX);
    retry_section_encode(&section, &written);
    fuzz_demand(!written.failed &&
                    retry_section_decode(buffer_span(&written), arena, &section, &error),
                "a retry section that was read and written can be read");
    retry_section_encode(&section, &again);
    fuzz_demand_equal(buffer_span(&again), buffer_span(&written), "... and is written the same");
    buffer_deinit(&again);
    buffer_deinit(&written);
}

static void read_record(struct span bytes, struct arena *arena)
{
    struct batch_record record;
    struct error error = {.code = ERROR_NONE};
    if (!record_decode(bytes, arena, &record, &error)) {
        demand_code(&error, ERROR_STORE_ERROR);
        return;
    }
    if (!has_source(&record.result)) {
        return;
    }
    struct buffer written, again;
    buffer_init(&written, FUZZ_BUFFER_BYTES_MAX);
    buffer_init(&again, FUZZ_BUFFER_BYTES_MAX);
    record_encode(&record, &written);
    fuzz_demand(!written.failed && record_decode(buffer_span(&written), arena, &record, &error),
                "a batch record that was read and written can be read");
    record_encode(&record, &again);
    fuzz_demand_equal(buffer_span(&again), buffer_span(&written), "... and is written the same");
    buffer_deinit(&again);
    buffer_deinit(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span bytes = span_make(data, size);
    struct arena arena;
    struct pool pool = {0};
    arena_init(&arena, FUZZ_ARENA_BYTES_MAX);
    read_record(bytes, &arena);
    if (fuzz_readers_agree(bytes, &arena, &pool)) {
        read_result(bytes, &arena);
        read_parts(bytes, &arena);
        read_retry(bytes, &arena);
    }
    pool_free(&pool);
    arena_deinit(&arena);
    return 0;
}
