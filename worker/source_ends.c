#include "worker/source_ends.h"

#include "worker/source_internal.h"

/* To the look-up by time -1 is the end. Where the time is up, older versions of librdkafka name no
 * error and leave the offsets as they were. */
enum partition_ends_answer source_query_ends(struct record_source *source,
                                             struct partition_end *const *rows, size_t count,
                                             int timeout_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, rows[i]->topic, rows[i]->number)->offset =
            RD_KAFKA_OFFSET_END;
    }
    uint64_t until_ms = clock_monotonic_ms(&source->clock) + (uint64_t)timeout_ms;
    rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(source->consumer, list, timeout_ms);
    bool is_told = error == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; i < count && is_told; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i]; /* they are filled in in place */
        is_told = entry->err == RD_KAFKA_RESP_ERR_NO_ERROR && entry->offset >= 0;
    }
    for (size_t i = 0; i < count && is_told; i++) {
        rows[i]->end = list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (is_told) {
        return PARTITION_ENDS_TOLD;
    }
    bool is_from_broker = error > 0 && clock_monotonic_ms(&source->clock) < until_ms;
    return is_from_broker ? PARTITION_ENDS_REFUSED : PARTITION_ENDS_SILENT;
}

static int32_t leader_of(const struct rd_kafka_metadata *metadata, const struct partition_end *row)
{
    const struct rd_kafka_metadata_topic *topic = NULL;
    for (int i = 0; i < metadata->topic_cnt && topic == NULL; i++) {
        topic = strcmp(metadata->topics[i].topic, row->topic) == 0 ? &metadata->topics[i] : NULL;
    }
    int count = topic != NULL ? topic->partition_cnt : 0;
    for (int i = 0; i < count; i++) {
        /* Mostly in order, so the first looked at is the right one. */
        const struct rd_kafka_metadata_partition *partition =
            &topic->partitions[(row->number + i) % count];
        if (partition->id == row->number) {
            return partition->leader;
        }
    }
    return -1;
}

/* The client's own topics are those of the partitions that it was ever given. */
bool source_find_leaders(struct record_source *source, struct partition_end *rows, size_t count,
                         int timeout_ms)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(source->consumer, 0, NULL, &metadata, timeout_ms) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        rows[i].leader = leader_of(metadata, &rows[i]);
    }
    rd_kafka_metadata_destroy(metadata);
    return true;
}

static bool is_missing(const struct rd_kafka_metadata *metadata)
{
    return metadata->topic_cnt == 1 &&
           metadata->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

enum source_topic source_ask_topic(struct record_source *source, const char *topic, int timeout_ms)
{
    enum source_topic answer = SOURCE_TOPIC_SILENT;
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(source->consumer, topic, NULL);
    if (handle == NULL) {
        return answer;
    }
    if (rd_kafka_metadata(source->consumer, 0, handle, &metadata, timeout_ms) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        answer = is_missing(metadata) ? SOURCE_TOPIC_MISSING : SOURCE_TOPIC_THERE;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(handle);
    return answer;
}
