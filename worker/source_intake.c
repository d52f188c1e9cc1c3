#include "worker/source_internal.h"

/** What to do about it; empty where waiting is all there is. */
static const char *cure_of(rd_kafka_resp_err_t error)
{
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
        return "create the topic; it is found within topic.metadata.refresh.interval.ms";
    }
    if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
        return "grant this client READ on the topics and the group, and DESCRIBE on the topics";
    }
    if (error == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
        return "the worker was stopped or starved for too long; it joins the group again";
    }
    return "";
}

/** librdkafka gives the consumer's errors as messages; one about a pattern names the pattern. */
static void report_error(struct record_source *source, const rd_kafka_message_t *message)
{
    const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : "";
    bool is_pattern = topic[0] == '^';
    if ((is_pattern && source->settings->retry_retries_max == 0) ||
        !kafka_context_may_log(&source->context, message->err, topic)) {
        return;
    }
    const char *cure = is_pattern ? "create the retry topics, numbered from 1 to retry.max_retries"
                                  : cure_of(message->err);
    struct log_line line;
    log_begin(&line, source->log, LOG_WARN, "cannot read from kafka");
    log_text(&line, "topic", is_pattern ? source->settings->topic_retry_prefix : topic);
    log_text(&line, "code", rd_kafka_err2name(message->err));
    log_text(&line, "reason", rd_kafka_message_errstr(message));
    if (cure[0] != '\0') {
        log_text(&line, "cure", cure);
    }
    log_end(&line);
}

static void report_position(struct record_source *source,
                            const struct assigned_partition *partition, int64_t offset,
                            const char *event, rd_kafka_resp_err_t reason)
{
    if (!kafka_context_may_log(&source->context, reason, partition->topic)) {
        return;
    }
    struct log_line line;
    log_begin(&line, source->log, LOG_WARN, event);
    log_text(&line, "topic", partition->topic);
    log_int(&line, "partition", partition->number);
    log_int(&line, "offset", offset);
    log_int(&line, "expected", partition->next_offset);
    log_end(&line);
}

void source_set_paused(struct record_source *source, struct assigned_partition *partition,
                       bool paused)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->number);
    rd_kafka_resp_err_t error = paused ? rd_kafka_pause_partitions(source->consumer, list)
                                       : rd_kafka_resume_partitions(source->consumer, list);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        error = list->elems[0].err;
    }
    rd_kafka_topic_partition_list_destroy(list);
    /* A pause that failed is asked for again with the next record; nothing is lost meanwhile. */
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || !paused) {
        partition->paused = paused;
    }
}

void source_drop_held(struct record_source *source, struct assigned_partition *partition)
{
    for (const struct held_record *held = assignment_held(partition); held != NULL;
         held = assignment_held(partition)) {
        rd_kafka_message_destroy(held->record.message);
        assignment_drop_held(&source->assignment, partition);
    }
}

bool source_delivery_is_complete(const struct source_delivery *delivery)
{
    return delivery->count == delivery->count_max ||
           (delivery->count > 0 && delivery->bytes >= delivery->bytes_max);
}

/** The value of a retry's not-before header in ms since the epoch; 0 where there is none. */
static uint64_t read_not_before_ms(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "scenesync-not-before", &value, &size) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        value == NULL || size == 0 || size > 18) {
        return 0;
    }
    uint64_t not_before_ms = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t digit = ((const uint8_t *)value)[i];
        if (digit < '0' || digit > '9') {
            return 0;
        }
        not_before_ms = not_before_ms * 10 + (uint64_t)(digit - '0');
    }
    return not_before_ms;
}

/** When a record may be given out (monotonic): a wrong clock costs at most the tier's delay. */
static uint64_t due_ms(const struct record_source *source, const struct record *record)
{
    if (record->tier == 0) {
        return 0;
    }
    uint64_t not_before_ms = read_not_before_ms(record->message);
    if (not_before_ms <= record->received_wall_ms) {
        return 0;
    }
    uint64_t wait_ms = not_before_ms - record->received_wall_ms;
    uint64_t wait_max_ms = settings_retry_delay_ms(source->settings, record->tier);
    /* Both clocks cut off fractions, each at its own instant: without the 1 it might be early. */
    return record->received_monotonic_ms + 1 + (wait_ms < wait_max_ms ? wait_ms : wait_max_ms);
}

static struct record make_record(const struct record_source *source,
                                 const struct assigned_partition *partition,
                                 rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    return (struct record){
        .topic = span_of_text(partition->topic),
        .tier = partition->tier,
        .partition = partition->number,
        .offset = message->offset,
        .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp_ms,
        .log_append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME,
        .key = span_make(message->key, message->key_len),
        .value = span_make(message->payload != NULL ? message->payload : "", message->len),
        .received_monotonic_ms = clock_monotonic_ms(&source->clock),
        .received_wall_ms = clock_wall_ms(&source->clock),
        .assignment = partition->assignment,
        .message = message,
    };
}

/** Queues a message behind its partition's held records. Returns the partition, NULL if dropped. */
static struct assigned_partition *hold(struct record_source *source, rd_kafka_message_t *message)
{
    struct assigned_partition *partition =
        assignment_find(&source->assignment, rd_kafka_topic_name(message->rkt), message->partition);
    if (partition == NULL) {
        return NULL;
    }
    if (partition->resting) {
        partition->must_seek = true; /* it is read again */
        if (!partition->paused) {
            source_set_paused(source, partition, true);
        }
        return NULL;
    }
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, NULL);
    switch (assignment_accept(&source->assignment, partition, message->offset, timestamp_ms)) {
    case ASSIGNMENT_NEXT:
        break;
    case ASSIGNMENT_STALE:
        report_position(source, partition, message->offset, "record dropped: delivered before",
                        RD_KAFKA_RESP_ERR__OUTDATED);
        return NULL;
    case ASSIGNMENT_RESTARTED:
        report_position(source, partition, message->offset,
                        "offsets went back: the topic was re-created",
                        RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
        break;
    }
    struct record record = make_record(source, partition, message);
    if (!assignment_hold(&source->assignment, partition, &record, due_ms(source, &record))) {
        source_set_fatal(source, "out of memory for a record; give the worker more memory or "
                                 "fewer partitions");
        return NULL;
    }
    if (!partition->paused && assignment_is_full(partition)) {
        source_set_paused(source, partition, true);
    }
    return partition;
}

/** Notes where a partition ends: behind its last record there may be transaction markers. */
static void note_end(struct record_source *source, const rd_kafka_message_t *message)
{
    struct assigned_partition *partition =
        assignment_find(&source->assignment, rd_kafka_topic_name(message->rkt), message->partition);
    if (partition != NULL && !partition->resting) {
        partition->end_offset = message->offset;
    }
}

struct assigned_partition *source_receive(struct record_source *source, rd_kafka_message_t *message)
{
    struct assigned_partition *partition = NULL;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        note_end(source, message);
    } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        report_error(source, message);
    } else {
        partition = hold(source, message);
    }
    if (partition == NULL) {
        rd_kafka_message_destroy(message);
    }
    return partition;
}

void source_deliver(struct record_source *source, struct assigned_partition *partition,
                    struct source_delivery *delivery)
{
    uint64_t now_ms = clock_monotonic_ms(&source->clock);
    const struct held_record *held = assignment_held(partition);
    for (; held != NULL && held->due_ms <= now_ms && !source_delivery_is_complete(delivery);
         held = assignment_held(partition)) {
        struct record *record = &delivery->records[delivery->count++];
        *record = held->record;
        if (record->received_monotonic_ms < held->due_ms) {
            record->received_monotonic_ms = held->due_ms; /* waiting to be due is nobody's work */
        }
        delivery->bytes += held->record.value.size;
        assignment_drop_held(&source->assignment, partition);
    }
    if (held != NULL && held->due_ms < source->next_due_ms) {
        source->next_due_ms = held->due_ms;
    }
    if (partition->paused && !partition->resting && assignment_has_room(partition)) {
        source_set_paused(source, partition, false);
    }
}

void source_deliver_due(struct record_source *source, struct source_delivery *delivery)
{
    if (source->assignment.held_count == 0 ||
        clock_monotonic_ms(&source->clock) < source->next_due_ms) {
        return;
    }
    source->next_due_ms = UINT64_MAX;
    struct assignment_cursor cursor = {0};
    struct assigned_partition *partition = assignment_next(&source->assignment, &cursor);
    for (; partition != NULL; partition = assignment_next(&source->assignment, &cursor)) {
        source_deliver(source, partition, delivery);
    }
}
