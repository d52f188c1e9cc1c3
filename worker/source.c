#include "worker/source.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/source_internal.h"
#include "worker/source_watch.h"

enum {
    COMMITTED_TEXT_BYTES_MAX = 1 << 20,
    PATTERN_BYTES_MAX = 4 * SETTINGS_TOPIC_BYTES_MAX,
    POLLS_MAX = 100000,     /* messages looked at by one source_poll() */
    SERVICE_POLLS_MAX = 64, /* by one source_service() */
    CLOSE_WAIT_MS = 6000,
    CLOSE_POLL_MS = 20,
    CLOSE_BATCH_MAX = 64
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

/** The ops topic by its name, the tiers by a pattern: of a topic name's characters "." is special.
 */
static rd_kafka_resp_err_t subscribe(struct record_source *source)
{
    struct buffer pattern;
    buffer_init(&pattern, PATTERN_BYTES_MAX);
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
    /* The watchdog must tell a partition that is read to its end from one that gives nothing. */
    (void)rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
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

/** Serves the queue for a moment. Messages may still arrive in it, and are nobody's any more;
 * rd_kafka_queue_poll_callback() would abort the process at the first of them. */
static void drop_messages(rd_kafka_queue_t *queue)
{
    rd_kafka_message_t *messages[CLOSE_BATCH_MAX];
    ssize_t count = rd_kafka_consume_batch_queue(queue, CLOSE_POLL_MS, messages, CLOSE_BATCH_MAX);
    for (ssize_t i = 0; i < count; i++) {
        rd_kafka_message_destroy(messages[i]);
    }
}

/* The revocation commits what is settled. With a bound: rd_kafka_consumer_close() waits for as long
 * as the group's coordinator is away while a commit is on its way. */
bool source_leave_group(struct record_source *source)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(source->consumer);
    rd_kafka_error_destroy(rd_kafka_consumer_close_queue(source->consumer, queue));
    uint64_t deadline_ms = clock_monotonic_ms(&source->clock) + CLOSE_WAIT_MS;
    while (rd_kafka_consumer_closed(source->consumer) == 0 &&
           clock_monotonic_ms(&source->clock) < deadline_ms) {
        drop_messages(queue);
    }
    rd_kafka_queue_destroy(queue);
    return rd_kafka_consumer_closed(source->consumer) != 0;
}

static bool leave_group(struct record_source *source)
{
    if (source_leave_group(source)) {
        return true;
    }
    struct log_line line;
    log_begin(&line, source->log, LOG_WARN,
              "kafka did not let the consumer go in time; what was not committed comes again");
    log_end(&line);
    return false;
}

/**
 * librdkafka before 2.2 aborts in rd_kafka_destroy() where a cooperative member ends between
 * joining and its first assignment (its issue 4312). Then the client is left to the end of the
 * process, which is near, with what its threads reach; it has left the group and says nothing more.
 */
static bool must_leave_client(const struct record_source *source)
{
    enum { FIXED_IN_VERSION = 0x02020000 };
    return rd_kafka_version() < FIXED_IN_VERSION && !source->was_member &&
           source_is_cooperative(source);
}

void source_destroy(struct record_source *source)
{
    if (source == NULL) {
        return;
    }
    if (source->consumer != NULL) {
        /* A client that is still closing can hang in its destruction for good (seen with a static
         * member that was fenced): it ends with the process, too. */
        bool is_left = must_leave_client(source);
        is_left = !leave_group(source) || is_left;
        struct assignment_cursor cursor = {0};
        struct assigned_partition *partition = assignment_next(&source->assignment, &cursor);
        for (; partition != NULL; partition = assignment_next(&source->assignment, &cursor)) {
            source_drop_held(source, partition);
        }
        rd_kafka_queue_destroy(source->commit_replies);
        if (is_left) {
            source->context.log = NULL;
            return;
        }
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

/* ---- Polling ---- */

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
    struct source_delivery delivery = {
        .records = records, .count_max = count_max, .bytes_max = bytes_max};
    uint64_t deadline_ms = clock_monotonic_ms(&source->clock) + (uint64_t)timeout_ms;
    source->claims_wanted = false;
    for (size_t i = 0; i < POLLS_MAX && source->fatal[0] == '\0' && !source_is_abandoned(source);
         i++) {
        if (delivery.count == 0) {
            source_commit_serve(source);
        }
        source_deliver_due(source, &delivery);
        if (source_delivery_is_complete(&delivery)) {
            break;
        }
        int wait = delivery.count > 0 ? 0 : wait_ms(source, deadline_ms);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(source->consumer, wait);
        struct assigned_partition *partition =
            message != NULL ? source_receive(source, message) : NULL;
        if (partition != NULL) {
            source_deliver(source, partition, &delivery);
        }
        if (message == NULL && (delivery.count > 0 || source->claims_wanted ||
                                clock_monotonic_ms(&source->clock) >= deadline_ms)) {
            break;
        }
    }
    if (delivery.count > 0 && source->on_taken != NULL) {
        source->on_taken(source->on_taken_context, &records[delivery.count - 1], delivery.bytes);
    }
    check_fatal(source);
    return delivery.count;
}

void source_service(struct record_source *source)
{
    source_commit_serve(source);
    for (size_t i = 0; i < SERVICE_POLLS_MAX && !source_is_abandoned(source); i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(source->consumer, 0);
        if (message == NULL) {
            break;
        }
        const struct assigned_partition *partition = source_receive(source, message);
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
    for (size_t i = 0; partition >= 0 && i < source->assignment.topic_count; i++) {
        const struct assigned_topic *topic = &source->assignment.topics[i];
        if (partition < topic->partition_count && topic->partitions[partition].assigned &&
            topic->partitions[partition].confirmed >= 0) {
            buffer_append_format(&source->committed_text, "%s%s/%d=%lld",
                                 source->committed_text.size == 0 ? "" : " ", topic->name,
                                 (int)partition, (long long)topic->partitions[partition].confirmed);
        }
    }
    return buffer_span(&source->committed_text);
}

bool source_holds(struct record_source *source, const struct record *record)
{
    return assignment_holds(&source->assignment, record);
}

void source_set_faults(struct record_source *source, const struct fault_hook *faults)
{
    source->faults = faults;
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
