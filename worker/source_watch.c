#include "worker/source_watch.h"

#include <stdlib.h>

#include "worker/source_internal.h"

/** What the source gives out next: the oldest record held, or what comes behind the last one. */
static int64_t position_of(const struct assigned_partition *partition)
{
    const struct held_record *held = assignment_held(partition);
    if (held != NULL) {
        return held->record.offset;
    }
    return partition->end_offset > partition->next_offset ? partition->end_offset
                                                          : partition->next_offset;
}

static bool is_resting(const struct assigned_partition *partition, uint64_t now_ms)
{
    const struct held_record *held = assignment_held(partition);
    return partition->resting || (held != NULL && held->due_ms > now_ms);
}

/** Finds the first held record that is not due. */
static void tell_waiting(const struct assigned_partition *partition, uint64_t now_ms,
                         struct progress_partition *told)
{
    for (size_t i = 0; i < partition->held_count && told->waits_from < 0; i++) {
        const struct held_record *held = assignment_held_at(partition, i);
        if (held->due_ms > now_ms) {
            told->waits_from = held->record.offset;
            told->due_ms = held->due_ms;
        }
    }
}

void source_tell_partitions(struct record_source *source, struct progress *progress)
{
    size_t count = source->assignment.assigned_count;
    struct progress_partition *table = calloc(count + 1, sizeof *table);
    if (table == NULL) {
        return;
    }
    uint64_t now_ms = clock_monotonic_ms(&source->clock);
    struct assignment_cursor cursor = {0};
    for (size_t i = 0; i < count; i++) {
        const struct assigned_partition *partition = assignment_next(&source->assignment, &cursor);
        table[i] = (struct progress_partition){
            .topic = partition->topic,
            .number = partition->number,
            .position = position_of(partition),
            .committed = partition->confirmed,
            .resting = is_resting(partition, now_ms),
            .waits_from = -1,
        };
        tell_waiting(partition, now_ms, &table[i]);
    }
    progress_set_partitions(progress, table, count, source->is_member);
}

/* Not by rd_kafka_query_watermark_offsets(): before librdkafka 2.3.0 it waits for as long as the
 * broker is away, whatever time-out it is given. To the look-up by time -1 is the end, -2 the
 * beginning. */
static bool query_offset(struct record_source *source, const char *topic, int32_t number,
                         int timeout_ms, int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_add(list, topic, number);
    entry->offset = *offset;
    bool is_known = rd_kafka_offsets_for_times(source->consumer, list, timeout_ms) ==
                        RD_KAFKA_RESP_ERR_NO_ERROR &&
                    entry->err == RD_KAFKA_RESP_ERR_NO_ERROR && entry->offset >= 0;
    if (is_known) {
        *offset = entry->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return is_known;
}

bool source_query_first(struct record_source *source, const char *topic, int32_t number,
                        int timeout_ms, int64_t *first)
{
    *first = RD_KAFKA_OFFSET_BEGINNING;
    return query_offset(source, topic, number, timeout_ms, first);
}

bool source_query_end(struct record_source *source, const char *topic, int32_t number,
                      int timeout_ms, int64_t *end)
{
    *end = RD_KAFKA_OFFSET_END;
    return query_offset(source, topic, number, timeout_ms, end);
}

bool source_query_committed(struct record_source *source, const char *topic, int32_t number,
                            int timeout_ms, int64_t *committed)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    const rd_kafka_topic_partition_t *entry =
        rd_kafka_topic_partition_list_add(list, topic, number);
    bool is_known =
        rd_kafka_committed(source->consumer, list, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        entry->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (is_known) {
        *committed = entry->offset >= 0 ? entry->offset : -1;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return is_known;
}

bool source_abandon(struct record_source *source)
{
    atomic_store(&source->abandoned, true);
    return source_leave_group(source);
}

bool source_is_abandoned(const struct record_source *source)
{
    return atomic_load(&source->abandoned);
}
