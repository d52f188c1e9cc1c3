#include "tests/bench/instructions/bench_source.h"

#include <stdlib.h>

#include "tests/bench/instructions/collect.h"
#include "worker/source_claim.h"
#include "worker/source_watch.h"

enum { PARTITION_COUNT = 12, BYTES_MAX = 1 << 30 };

struct kept_record {
    size_t key_begin, key_size, value_begin, value_size; /* in `bytes` */
    int32_t partition;
    uint32_t operation_count;
};

struct record_source {
    const char *topic;
    uint64_t now_ms;
    struct assignment assignment;
    struct buffer bytes;
    struct kept_record *kept;
    size_t kept_count, given, settled, allowed, per_poll;
    uint64_t operations;
    struct buffer committed_text;
};

/* ---- The benchmark's side ---- */

struct record_source *bench_source_create(const struct settings *settings, uint64_t now_ms)
{
    struct record_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        return NULL;
    }
    source->topic = settings->topic_ops;
    source->now_ms = now_ms;
    assignment_init(&source->assignment);
    buffer_init(&source->bytes, BYTES_MAX);
    buffer_init(&source->committed_text, BYTES_MAX);
    for (int32_t i = 0; i < PARTITION_COUNT; i++) {
        if (!assignment_add(&source->assignment, source->topic, 0, i)) {
            bench_source_destroy(source);
            return NULL;
        }
    }
    return source;
}

void bench_source_destroy(struct record_source *source)
{
    if (source != NULL) {
        assignment_deinit(&source->assignment);
        buffer_deinit(&source->bytes);
        buffer_deinit(&source->committed_text);
        free(source->kept);
        free(source);
    }
}

static void keep(struct record_source *source, const struct workload *workload,
                 const struct workload_batch *batch)
{
    struct buffer *bytes = &source->bytes;
    char session[WORKLOAD_SESSION_BYTES_MAX];
    struct kept_record kept = {.key_begin = bytes->size,
                               .key_size = workload_session(batch->scene, session),
                               .partition = (int32_t)(batch->scene % PARTITION_COUNT),
                               .operation_count = batch->operation_count};
    buffer_append(bytes, session, kept.key_size);
    kept.value_begin = bytes->size;
    workload_encode_batch(workload, batch, bytes);
    kept.value_size = bytes->size - kept.value_begin;
    source->kept[source->kept_count++] = kept;
}

bool bench_source_fill(struct record_source *source, struct workload *workload, size_t batch_count)
{
    size_t count = source->kept_count + batch_count;
    struct kept_record *kept = realloc(source->kept, count * sizeof *kept);
    struct workload_batch *batch = malloc(sizeof *batch);
    if (kept != NULL) {
        source->kept = kept;
    }
    for (size_t i = 0; kept != NULL && batch != NULL && i < batch_count; i++) {
        workload_next(workload, batch);
        keep(source, workload, batch);
    }
    free(batch);
    return source->kept_count == count && !source->bytes.failed;
}

void bench_source_allow(struct record_source *source, size_t record_count, size_t per_poll)
{
    source->allowed = record_count < source->kept_count ? record_count : source->kept_count;
    source->per_poll = per_poll;
}

size_t bench_source_settled(const struct record_source *source)
{
    return source->settled;
}

uint64_t bench_source_operations(const struct record_source *source)
{
    return source->operations;
}

/* ---- worker/source.h ---- */

static struct record make_record(struct record_source *source, const struct kept_record *kept)
{
    struct assigned_partition *partition =
        assignment_find(&source->assignment, source->topic, kept->partition);
    int64_t offset = partition->next_offset < 0 ? 0 : partition->next_offset;
    (void)assignment_accept(&source->assignment, partition, offset, (int64_t)source->now_ms);
    const uint8_t *bytes = source->bytes.data;
    return (struct record){
        .topic = span_of_text(partition->topic),
        .partition = kept->partition,
        .offset = offset,
        .timestamp_ms = (int64_t)source->now_ms,
        .key = span_make(bytes + kept->key_begin, kept->key_size),
        .value = span_make(bytes + kept->value_begin, kept->value_size),
        .received_monotonic_ms = source->now_ms,
        .received_wall_ms = source->now_ms,
        .assignment = partition->assignment,
    };
}

/* Kafka has confirmed what was settled: commits are quick against a cycle. */
static void confirm_settled(struct record_source *source)
{
    struct assignment_cursor cursor = {0};
    struct assigned_partition *partition = assignment_next(&source->assignment, &cursor);
    for (; partition != NULL; partition = assignment_next(&source->assignment, &cursor)) {
        partition->confirmed = partition->settled;
    }
}

static bool is_resting(struct record_source *source)
{
    return source_has_claimable(source, UINT64_MAX);
}

size_t source_poll(struct record_source *source, struct record *records, size_t count_max,
                   size_t bytes_max, int timeout_ms)
{
    (void)timeout_ms;
    collect_pause();
    size_t count = 0, bytes = 0;
    size_t limit = source->per_poll < count_max ? source->per_poll : count_max;
    confirm_settled(source);
    while (!is_resting(source) && count < limit && bytes < bytes_max &&
           source->given < source->allowed) {
        const struct kept_record *kept = &source->kept[source->given++];
        records[count++] = make_record(source, kept);
        bytes += kept->value_size;
        source->operations += kept->operation_count;
    }
    collect_resume();
    return count;
}

void source_service(struct record_source *source)
{
    (void)source;
}

struct record_header *source_headers(const struct record *record, struct arena *arena,
                                     size_t *count)
{
    (void)record;
    (void)arena;
    *count = 0;
    return NULL;
}

void source_settle(struct record_source *source, const struct record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assignment_settle(&source->assignment, &records[i]);
    }
    source->settled += count;
}

void source_release(struct record_source *source, struct record *records, size_t count)
{
    (void)source;
    (void)records;
    (void)count;
}

struct span source_committed_text(struct record_source *source, int32_t partition)
{
    collect_pause();
    const struct assigned_partition *found =
        assignment_find(&source->assignment, source->topic, partition);
    buffer_clear(&source->committed_text);
    if (found != NULL && found->confirmed >= 0) {
        buffer_append_format(&source->committed_text, "%s/%d=%lld", source->topic, (int)partition,
                             (long long)found->confirmed);
    }
    collect_resume();
    return buffer_span(&source->committed_text);
}

bool source_holds(struct record_source *source, const struct record *record)
{
    return assignment_holds(&source->assignment, record);
}

size_t source_assigned_count(const struct record_source *source)
{
    return source->assignment.assigned_count;
}

uint64_t source_generation(const struct record_source *source)
{
    return source->assignment.generation;
}

const char *source_fatal_error(const struct record_source *source)
{
    (void)source;
    return NULL;
}

/* ---- worker/source_claim.h ---- */

void source_require_claims(struct record_source *source)
{
    struct assignment_cursor cursor = {0};
    struct assigned_partition *partition = assignment_next(&source->assignment, &cursor);
    for (; partition != NULL; partition = assignment_next(&source->assignment, &cursor)) {
        partition->resting = true;
    }
}

struct assignment *source_assignment(struct record_source *source)
{
    return &source->assignment;
}

bool source_has_claimable(struct record_source *source, uint64_t now_ms)
{
    return assignment_has_claimable(&source->assignment, now_ms);
}

bool source_ask_committed(struct record_source *source)
{
    (void)source; /* nothing was: assignment_add() says so */
    return true;
}

bool source_ask_log(struct record_source *source, const char *topic, int32_t number, int64_t *start,
                    int64_t *end)
{
    (void)source;
    (void)topic;
    (void)number;
    *start = 0;
    *end = 0;
    return true;
}

bool source_start(struct record_source *source, struct assigned_partition *partition,
                  int64_t offset)
{
    (void)source;
    partition->resting = false;
    partition->start = offset;
    return true;
}

void source_rest(struct record_source *source, struct assigned_partition *partition,
                 uint64_t until_ms)
{
    assignment_rewind(&source->assignment, partition);
    partition->resting = true;
    partition->rest_until_ms = until_ms;
}

/* ---- worker/source_watch.h ---- */

void source_tell_partitions(struct record_source *source, struct progress *progress)
{
    (void)source;
    (void)progress;
}
