#include "worker/source.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/source_internal.h"

enum {
    COMMITTED_TEXT_BYTES_MAX = 1 << 20,
    POLLS_MAX = 100000,     /* messages looked at by one source_poll() */
    SERVICE_POLLS_MAX = 64, /* by one source_service() */
    CLOSE_WAIT_MS = 8000,
    CLOSE_POLL_MS = 20
};

/* ---- Topics ---- */

int32_t source_tier(const struct settings *settings, const char *topic)
{
    if (strcmp(topic, settings->topic_ops) == 0) {
        return 0;
    }
    size_t prefix_size = strlen(settings->topic_retry_prefix);
    if (strncmp(topic, settings->topic_retry_prefix, prefix_size) != 0) {
        return -1;
    }
    const char *digits = topic + prefix_size;
    int32_t tier = 0;
    for (size_t i = 0; digits[i] != '\0'; i++) {
        bool canonical = digits[i] >= '0' && digits[i] <= '9' && !(i == 0 && digits[i] == '0');
        if (!canonical || tier > SOURCE_TIER_MAX) {
            return -1;
        }
        tier = tier * 10 + (digits[i] - '0');
    }
    return tier >= 1 && tier <= SOURCE_TIER_MAX ? tier : -1;
}

/** The ops topic by its name, the tiers by a pattern; a topic name's one special character is ".".
 */
static rd_kafka_resp_err_t subscribe(struct record_source *source)
{
    struct buffer pattern;
    buffer_init(&pattern, 4 * SETTINGS_TOPIC_BYTES_MAX);
    buffer_append_format(&pattern, "^");
    for (const char *c = source->settings->topic_retry_prefix; *c != '\0'; c++) {
        buffer_append_format(&pattern, *c == '.' ? "\\%c" : "%c", *c);
    }
    buffer_append_format(&pattern, "[1-9][0-9]*$");
    buffer_append(&pattern, "", 1);
    if (pattern.failed) {
        buffer_deinit(&pattern);
        return RD_KAFKA_RESP_ERR__INVALID_ARG;
    }
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(2);
    rd_kafka_topic_partition_list_add(topics, source->settings->topic_ops, RD_KAFKA_PARTITION_UA);
    rd_kafka_topic_partition_list_add(topics, (const char *)pattern.data, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(source->consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    buffer_deinit(&pattern);
    return error;
}

/* ---- Lifetime ---- */

/** Connects the parts of a source; false with `message` set. */
static bool start(struct record_source *source, char *message, size_t message_bytes)
{
    rd_kafka_conf_t *conf =
        kafka_conf_create(source->settings, KAFKA_CLIENT_CONSUMER, message, message_bytes);
    if (conf == NULL) {
        return false;
    }
    kafka_conf_set_context(conf, &source->context);
    rd_kafka_conf_set_rebalance_cb(conf, source_rebalance);
    source->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, message, message_bytes);
    if (source->consumer == NULL) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    (void)rd_kafka_poll_set_consumer(source->consumer);
    source->commit_replies = rd_kafka_queue_new(source->consumer);
    rd_kafka_resp_err_t error = subscribe(source);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)snprintf(message, message_bytes, "cannot subscribe to %s and %s*: %s",
                       source->settings->topic_ops, source->settings->topic_retry_prefix,
                       rd_kafka_err2str(error));
        return false;
    }
    return true;
}

struct record_source *source_create(const struct settings *settings, const struct clock *clock,
                                    struct log *log, char *message, size_t message_bytes)
{
    struct record_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        (void)snprintf(message, message_bytes, "out of memory for the Kafka consumer");
        return NULL;
    }
    source->settings = settings;
    source->clock = *clock;
    source->log = log;
    source->context =
        (struct kafka_context){.log = log, .clock = *clock, .client = "consumer", .owner = source};
    source->next_due_ms = UINT64_MAX;
    assignment_init(&source->assignment);
    buffer_init(&source->committed_text, COMMITTED_TEXT_BYTES_MAX);
    if (!start(source, message, message_bytes)) {
        source_destroy(source);
        return NULL;
    }
    return source;
}

void source_drop_held(struct record_source *source, struct assigned_partition *partition)
{
    for (const struct held_record *held = assignment_held(partition); held != NULL;
         held = assignment_held(partition)) {
        rd_kafka_message_destroy(held->record.message);
        assignment_drop_held(&source->assignment, partition);
    }
}

/**
 * Leaves the group; the revocation commits what is settled. With a bound: rd_kafka_consumer_close()
 * waits for as long as the group's coordinator is away while a commit is on its way.
 */
static void leave_group(struct record_source *source)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(source->consumer);
    rd_kafka_error_destroy(rd_kafka_consumer_close_queue(source->consumer, queue));
    uint64_t deadline_ms = clock_monotonic_ms(&source->clock) + CLOSE_WAIT_MS;
    while (rd_kafka_consumer_closed(source->consumer) == 0 &&
           clock_monotonic_ms(&source->clock) < deadline_ms) {
        (void)rd_kafka_queue_poll_callback(queue, CLOSE_POLL_MS);
    }
    if (rd_kafka_consumer_closed(source->consumer) == 0) {
        struct log_line line;
        log_begin(&line, source->log, LOG_WARN,
                  "kafka did not let the consumer go in time; what was not committed comes again");
        log_end(&line);
    }
    rd_kafka_queue_destroy(queue);
}

void source_destroy(struct record_source *source)
{
    if (source == NULL) {
        return;
    }
    if (source->consumer != NULL) {
        leave_group(source);
        struct assignment_cursor cursor = {0};
        struct assigned_partition *partition = assignment_next(&source->assignment, &cursor);
        for (; partition != NULL; partition = assignment_next(&source->assignment, &cursor)) {
            source_drop_held(source, partition);
        }
        rd_kafka_queue_destroy(source->commit_replies);
        rd_kafka_destroy_flags(source->consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    assignment_deinit(&source->assignment);
    buffer_deinit(&source->committed_text);
    free(source);
}

/* ---- Errors ---- */

void source_set_fatal(struct record_source *source, const char *text)
{
    if (source->fatal[0] == '\0') {
        (void)snprintf(source->fatal, sizeof source->fatal, "%s", text);
    }
}

/** Looks for what librdkafka itself cannot go on after, such as a fenced static member. */
static void check_fatal(struct record_source *source)
{
    char text[SOURCE_FATAL_BYTES_MAX];
    if (rd_kafka_fatal_error(source->consumer, text, sizeof text) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        source_set_fatal(source, text);
    }
}

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

/** librdkafka gives the consumer's errors as messages. */
static void report_error(struct record_source *source, const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        return;
    }
    const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : "";
    if (!kafka_context_may_log(&source->context, message->err, topic)) {
        return;
    }
    struct log_line line;
    log_begin(&line, source->log, LOG_WARN, "cannot read from kafka");
    log_text(&line, "topic", topic);
    log_text(&line, "code", rd_kafka_err2name(message->err));
    log_text(&line, "reason", rd_kafka_message_errstr(message));
    if (cure_of(message->err)[0] != '\0') {
        log_text(&line, "cure", cure_of(message->err));
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

/* ---- Pausing ---- */

static void set_paused(struct record_source *source, struct assigned_partition *partition,
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

/* ---- Receiving and delivering ---- */

/** The records that one source_poll() gives out. */
struct delivery {
    struct record *records;
    size_t count, count_max;
    size_t bytes, bytes_max;
};

static bool is_complete(const struct delivery *delivery)
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
    return record->received_monotonic_ms + (wait_ms < wait_max_ms ? wait_ms : wait_max_ms);
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
        set_paused(source, partition, true);
    }
    return partition;
}

/** Takes what librdkafka gave. Returns the partition that has a further record, or NULL. */
static struct assigned_partition *receive(struct record_source *source, rd_kafka_message_t *message)
{
    struct assigned_partition *partition = NULL;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        report_error(source, message);
    } else {
        partition = hold(source, message);
    }
    if (partition == NULL) {
        rd_kafka_message_destroy(message);
    }
    return partition;
}

/** Gives out a partition's due records, in order: one that is not due holds up those behind it. */
static void deliver(struct record_source *source, struct assigned_partition *partition,
                    struct delivery *delivery)
{
    uint64_t now_ms = clock_monotonic_ms(&source->clock);
    const struct held_record *held = assignment_held(partition);
    for (; held != NULL && held->due_ms <= now_ms && !is_complete(delivery);
         held = assignment_held(partition)) {
        delivery->records[delivery->count] = held->record;
        delivery->count++;
        delivery->bytes += held->record.value.size;
        assignment_drop_held(&source->assignment, partition);
    }
    if (held != NULL && held->due_ms < source->next_due_ms) {
        source->next_due_ms = held->due_ms;
    }
    if (partition->paused && assignment_has_room(partition)) {
        set_paused(source, partition, false);
    }
}

/** Gives out the due records of all partitions; costs nothing while none is due. */
static void deliver_due(struct record_source *source, struct delivery *delivery)
{
    if (source->assignment.held_count == 0 ||
        clock_monotonic_ms(&source->clock) < source->next_due_ms) {
        return;
    }
    source->next_due_ms = UINT64_MAX;
    struct assignment_cursor cursor = {0};
    struct assigned_partition *partition = assignment_next(&source->assignment, &cursor);
    for (; partition != NULL; partition = assignment_next(&source->assignment, &cursor)) {
        deliver(source, partition, delivery);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/** How long to wait for a message, at most until `deadline_ms`. */
static int wait_ms(const struct record_source *source, uint64_t deadline_ms)
{
    uint64_t until_ms =
        earlier(deadline_ms, earlier(source->next_due_ms, source_commit_due_ms(source)));
    uint64_t now_ms = clock_monotonic_ms(&source->clock);
    return until_ms <= now_ms ? 0 : (int)(until_ms - now_ms);
}

size_t source_poll(struct record_source *source, struct record *records, size_t count_max,
                   size_t bytes_max, int timeout_ms)
{
    assert(count_max > 0 && timeout_ms >= 0);
    struct delivery delivery = {.records = records, .count_max = count_max, .bytes_max = bytes_max};
    uint64_t deadline_ms = clock_monotonic_ms(&source->clock) + (uint64_t)timeout_ms;
    for (size_t i = 0; i < POLLS_MAX && source->fatal[0] == '\0'; i++) {
        if (delivery.count == 0) {
            source_commit_serve(source);
        }
        deliver_due(source, &delivery);
        if (is_complete(&delivery)) {
            break;
        }
        int wait = delivery.count > 0 ? 0 : wait_ms(source, deadline_ms);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(source->consumer, wait);
        struct assigned_partition *partition = message != NULL ? receive(source, message) : NULL;
        if (partition != NULL) {
            deliver(source, partition, &delivery);
        }
        if (message == NULL &&
            (delivery.count > 0 || clock_monotonic_ms(&source->clock) >= deadline_ms)) {
            break;
        }
    }
    check_fatal(source);
    return delivery.count;
}

void source_service(struct record_source *source)
{
    source_commit_serve(source);
    for (size_t i = 0; i < SERVICE_POLLS_MAX; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(source->consumer, 0);
        if (message == NULL) {
            break;
        }
        const struct assigned_partition *partition = receive(source, message);
        if (partition != NULL) {
            source->next_due_ms = earlier(source->next_due_ms, assignment_held(partition)->due_ms);
        }
    }
    check_fatal(source);
}

/* ---- Records ---- */

struct record_header *source_headers(const struct record *record, struct arena *arena,
                                     size_t *count)
{
    rd_kafka_headers_t *headers = NULL;
    *count = 0;
    if (rd_kafka_message_headers(record->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return NULL;
    }
    *count = rd_kafka_header_cnt(headers);
    struct record_header *views = arena_alloc_array(arena, *count, sizeof *views);
    for (size_t i = 0; views != NULL && i < *count; i++) {
        const char *name = NULL;
        const void *value = NULL;
        size_t size = 0;
        (void)rd_kafka_header_get_all(headers, i, &name, &value, &size);
        views[i] = (struct record_header){.name = name, .value = span_make(value, size)};
    }
    return views;
}

void source_settle(struct record_source *source, const struct record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assignment_settle(&source->assignment, &records[i]);
    }
    source->commit_wanted = source->commit_wanted || count > 0;
}

void source_release(struct record_source *source, struct record *records, size_t count)
{
    (void)source;
    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_destroy(records[i].message);
        records[i].message = NULL;
    }
}

/* ---- State ---- */

struct span source_committed_text(struct record_source *source, int32_t partition)
{
    buffer_clear(&source->committed_text);
    for (size_t i = 0; i < source->assignment.topic_count; i++) {
        const char *topic = source->assignment.topics[i].name;
        const struct assigned_partition *known =
            assignment_find(&source->assignment, topic, partition);
        if (known != NULL && known->confirmed >= 0) {
            buffer_append_format(&source->committed_text, "%s%s/%d=%lld",
                                 source->committed_text.size == 0 ? "" : " ", topic, (int)partition,
                                 (long long)known->confirmed);
        }
    }
    return buffer_span(&source->committed_text);
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
    return source->fatal[0] != '\0' ? source->fatal : NULL;
}
