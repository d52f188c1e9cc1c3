/* What the worker sees of the Kafka in memory: worker/source.h and worker/sink.h (kafka_inside.h).
 */
#include <stdlib.h>

#include "tests/property/kafka_inside.h"
#include "worker/source_watch.h"

/* --- worker/source.h --- */

/* The partition whose next record is the oldest of all that can be given out; NULL: there is none.
 */
static struct partition *find_next(struct kafka *kafka)
{
    struct partition *oldest = NULL;
    for (size_t i = 0; i < kafka->partition_count; i++) {
        struct partition *partition = &kafka->partitions[i];
        if (partition->next >= partition->count) {
            continue;
        }
        size_t at = partition->places[partition->next];
        bool is_due = kafka->log.items[at]->due_ms <= *kafka->options.now_ms;
        if (is_due && (oldest == NULL || at < oldest->places[oldest->next])) {
            oldest = partition;
        }
    }
    return oldest;
}

bool kafka_has_records(struct kafka *kafka)
{
    return source_has_claimable(&kafka->source, UINT64_MAX) || find_next(kafka) != NULL;
}

bool kafka_has_waiting(const struct kafka *kafka)
{
    for (size_t i = 0; i < kafka->partition_count; i++) {
        if (kafka->partitions[i].next < kafka->partitions[i].count) {
            return true;
        }
    }
    return false;
}

static struct record give(struct kafka *kafka, struct partition *partition)
{
    struct assigned_partition *assigned =
        assignment_find(&kafka->assignment, partition->topic, partition->number);
    const struct ledger_record *kept =
        &kafka->log.items[partition->places[partition->next]]->record;
    (void)assignment_accept(&kafka->assignment, assigned, kept->offset, kept->timestamp_ms);
    partition->next++;
    kafka->open++;
    return (struct record){
        .topic = span_of_text(assigned->topic),
        .tier = partition->tier,
        .partition = kept->partition,
        .offset = kept->offset,
        .timestamp_ms = kept->timestamp_ms,
        .log_append_time = kept->log_append_time,
        .key = kept->key,
        .value = kept->value,
        .received_monotonic_ms = *kafka->options.now_ms,
        .received_wall_ms = *kafka->options.now_ms,
        .assignment = assigned->assignment,
    };
}

/* The clock stands still: whoever waits for a claim has waited by the next poll. */
static void end_rests(struct kafka *kafka)
{
    struct assignment_cursor cursor = {0};
    struct assigned_partition *partition = assignment_next(&kafka->assignment, &cursor);
    for (; partition != NULL; partition = assignment_next(&kafka->assignment, &cursor)) {
        partition->rest_until_ms = 0;
    }
}

/* Kafka confirms what was settled with the next poll. */
static void confirm_settled(struct kafka *kafka)
{
    for (size_t i = 0; i < kafka->partition_count; i++) {
        struct partition *partition = &kafka->partitions[i];
        struct assigned_partition *assigned =
            assignment_find(&kafka->assignment, partition->topic, partition->number);
        if (assigned->settled >= 0) {
            assigned->confirmed = assigned->settled;
            partition->committed = assigned->settled;
        }
    }
}

size_t source_poll(struct record_source *source, struct record *records, size_t count_max,
                   size_t bytes_max, int timeout_ms)
{
    struct kafka *kafka = source->kafka;
    (void)bytes_max;
    (void)timeout_ms;
    confirm_settled(kafka);
    end_rests(kafka);
    if (source_has_claimable(source, UINT64_MAX) ||
        (kafka->open > 0 && !kafka->options.is_pipelined)) {
        return 0;
    }
    size_t limit = count_max;
    if (kafka->options.cut_max > 0 && kafka->options.cut_max < limit) {
        limit = 1 + dice_below(&kafka->dice, kafka->options.cut_max);
    }
    size_t count = 0;
    for (struct partition *next = find_next(kafka); count < limit && next != NULL;
         next = find_next(kafka)) {
        records[count++] = give(kafka, next);
    }
    return count;
}

void source_service(struct record_source *source)
{
    (void)source;
}

struct record_header *source_headers(const struct record *record, struct arena *arena,
                                     size_t *count)
{
    (void)record; /* all ops records have the same one, and requeues keep it */
    struct record_header *headers = arena_alloc_array(arena, 1, sizeof(*headers));
    *count = 1;
    if (headers != NULL) {
        headers[0] = (struct record_header){"traceparent", span_of_text("00-1")};
    }
    return headers;
}

void source_settle(struct record_source *source, const struct record *records, size_t count)
{
    struct kafka *kafka = source->kafka;
    for (size_t i = 0; i < count; i++) {
        const struct partition *partition =
            kafka_find_partition(kafka, (const char *)records[i].topic.data, records[i].partition);
        assignment_settle(&kafka->assignment, &records[i]);
        kafka->settled = grown(kafka->settled, kafka->settled_count + 1, sizeof(size_t));
        kafka->settled[kafka->settled_count++] = partition->places[records[i].offset];
    }
}

void source_release(struct record_source *source, struct record *records, size_t count)
{
    (void)records;
    source->kafka->open -= count <= source->kafka->open ? count : source->kafka->open;
}

struct span source_committed_text(struct record_source *source, int32_t number)
{
    struct kafka *kafka = source->kafka;
    buffer_clear(&kafka->text);
    for (size_t i = 0; i < kafka->partition_count; i++) {
        const struct partition *partition = &kafka->partitions[i];
        const struct assigned_partition *assigned =
            assignment_find(&kafka->assignment, partition->topic, partition->number);
        if (partition->number == number && assigned->confirmed >= 0) {
            buffer_append_format(&kafka->text, "%s%s/%d=%lld", kafka->text.size > 0 ? " " : "",
                                 partition->topic, (int)number, (long long)assigned->confirmed);
        }
    }
    return buffer_span(&kafka->text);
}

bool source_holds(struct record_source *source, const struct record *record)
{
    return assignment_holds(&source->kafka->assignment, record);
}

size_t source_assigned_count(const struct record_source *source)
{
    return source->kafka->assignment.assigned_count;
}

uint64_t source_generation(const struct record_source *source)
{
    return source->kafka->assignment.generation;
}

const char *source_fatal_error(const struct record_source *source)
{
    (void)source;
    return NULL;
}

/* --- worker/source_claim.h --- */

void source_require_claims(struct record_source *source)
{
    struct assignment_cursor cursor = {0};
    struct assigned_partition *partition = assignment_next(&source->kafka->assignment, &cursor);
    source->kafka->needs_claims = true;
    for (; partition != NULL; partition = assignment_next(&source->kafka->assignment, &cursor)) {
        partition->resting = true;
    }
}

struct assignment *source_assignment(struct record_source *source)
{
    return &source->kafka->assignment;
}

bool source_has_claimable(struct record_source *source, uint64_t now_ms)
{
    struct assignment_cursor cursor = {0};
    const struct assigned_partition *partition =
        assignment_next(&source->kafka->assignment, &cursor);
    for (; partition != NULL; partition = assignment_next(&source->kafka->assignment, &cursor)) {
        if (partition->resting && partition->rest_until_ms <= now_ms) {
            return true;
        }
    }
    return false;
}

bool source_ask_committed(struct record_source *source)
{
    struct kafka *kafka = source->kafka;
    for (size_t i = 0; i < kafka->partition_count; i++) {
        assignment_find(&kafka->assignment, kafka->partitions[i].topic, kafka->partitions[i].number)
            ->committed = kafka->partitions[i].committed;
    }
    return true;
}

bool source_ask_log(struct record_source *source, const char *topic, int32_t number, int64_t *start,
                    int64_t *end)
{
    *start = 0;
    *end = kafka_find_partition(source->kafka, topic, number)->count;
    return true;
}

bool source_start(struct record_source *source, struct assigned_partition *assigned, int64_t offset)
{
    struct partition *partition =
        kafka_find_partition(source->kafka, assigned->topic, assigned->number);
    int64_t beginning = partition->committed >= 0 ? partition->committed : 0;
    partition->next = offset >= 0 ? offset : beginning;
    assigned->resting = false;
    assigned->start = offset;
    return true;
}

void source_rest(struct record_source *source, struct assigned_partition *partition,
                 uint64_t until_ms)
{
    assignment_rewind(&source->kafka->assignment, partition);
    partition->resting = true;
    partition->rest_until_ms = until_ms;
}

/* --- worker/source_watch.h --- */

void source_tell_partitions(struct record_source *source, struct progress *progress)
{
    (void)source;
    (void)progress;
}

/* --- worker/sink.h --- */

static void take_message(struct kafka *kafka, const struct outgoing *outgoing)
{
    struct kafka_record *record =
        kafka_append(kafka, &kafka->published, outgoing->key, outgoing->value);
    const struct settings *settings = kafka->options.settings;
    bool is_result = strcmp(outgoing->topic, settings->topic_results) == 0;
    for (size_t i = 0; i < outgoing->header_count; i++) {
        kafka_add_header(kafka, record, outgoing->headers[i].name, outgoing->headers[i].value);
    }
    if (is_result || strcmp(outgoing->topic, settings->topic_dead_letter) == 0) {
        record->record.topic = is_result ? LEDGER_RESULTS : LEDGER_DEAD;
        record->record.topic_name =
            is_result ? settings->topic_results : settings->topic_dead_letter;
        record->record.offset = (int64_t)kafka->published.count;
        record->record.timestamp_ms = (int64_t)*kafka->options.now_ms;
        return;
    }
    struct partition *partition = kafka_find_partition(kafka, outgoing->topic, outgoing->partition);
    const struct span not_before = kafka_header(record, "scenesync-not-before");
    if (partition == NULL || span_is_absent(not_before)) {
        abort();
    }
    char digits[32] = {0};
    memcpy(digits, not_before.data, not_before.size < 31 ? not_before.size : 31);
    record->due_ms = strtoull(digits, NULL, 10);
    kafka->log.items = grown(kafka->log.items, kafka->log.count + 1, sizeof(*kafka->log.items));
    kafka->log.items[kafka->log.count++] = record;
    kafka_place(kafka, record, partition, (int64_t)*kafka->options.now_ms);
}

void sink_send(struct sink *sink, struct outgoing *outgoing)
{
    struct doom *doom = sink->kafka->options.doom;
    bool was_dead = doom->is_dead;
    bool dies = doom_meets(doom);
    if (!dies || (!was_dead && doom->is_after)) {
        take_message(sink->kafka, outgoing);
    }
    sink->is_stuck = dies;
    outgoing->status = OUTGOING_IN_FLIGHT;
    outgoing->next = sink->first;
    sink->first = outgoing;
}

size_t sink_poll(struct sink *sink, int timeout_ms)
{
    (void)timeout_ms;
    if (sink->is_stuck) {
        return 1;
    }
    while (sink->first != NULL) {
        struct outgoing *outgoing = sink->first;
        sink->first = outgoing->next;
        outgoing->next = NULL;
        outgoing->status = OUTGOING_ACKNOWLEDGED;
    }
    return 0;
}
