#include "worker/verify_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/commands.h"
#include "worker/interrupt.h"
#include "worker/source_internal.h"

enum {
    GROUP_BYTES_MAX = 64,
    NAME_BYTES_MAX = SETTINGS_TOPIC_BYTES_MAX + 16,
    QUERY_TIMEOUT_MS = 5000,
    POLL_INTERVAL_MS = 100,
    OBSERVE_INTERVAL_MS = 100,
    PARTITIONS_MAX = 1000000
};

/* ---- Ends ---- */

static void announce_failure(const struct verify_reader *reader)
{
    if (reader->observer.fail != NULL) {
        reader->observer.fail(reader->observer.context);
    }
}

static int fail_memory(const struct verify_reader *reader)
{
    announce_failure(reader);
    (void)fprintf(stderr,
                  "scenesync: what is to be kept of the log takes more than %zu MiB: check one "
                  "scene with --session, or allow more with --memory MIB\n",
                  reader->log->arena.bytes_max >> 20);
    return EXIT_CODE_INTERNAL;
}

static int fail_kafka(const struct verify_reader *reader, const char *what,
                      rd_kafka_resp_err_t error)
{
    announce_failure(reader);
    (void)fprintf(stderr,
                  "scenesync: %s at %s: %s; check the broker, or wait longer with "
                  "--timeout\n",
                  what, reader->kafka.servers, rd_kafka_err2str(error));
    return EXIT_CODE_UNAVAILABLE;
}

static int fail_interrupted(const struct verify_reader *reader)
{
    announce_failure(reader);
    (void)fputs("scenesync: interrupted before everything was compared\n", stderr);
    return EXIT_CODE_INTERRUPTED;
}

/* ---- Opening ---- */

/* librdkafka's consumer needs a name for a group even where it joins none. */
static bool adapt_conf(rd_kafka_conf_t *conf, char *message, size_t message_bytes)
{
    struct clock clock = clock_system();
    char group[GROUP_BYTES_MAX];
    (void)snprintf(group, sizeof group, "scenesync-verify-%ld-%" PRIu64, (long)getpid(),
                   clock_wall_ms(&clock));
    return rd_kafka_conf_set(conf, "group.id", group, message, message_bytes) == RD_KAFKA_CONF_OK &&
           rd_kafka_conf_set(conf, "enable.partition.eof", "true", message, message_bytes) ==
               RD_KAFKA_CONF_OK;
}

static int open_client(struct verify_reader *reader)
{
    char message[SETTINGS_ERROR_BYTES_MAX];
    rd_kafka_conf_t *conf =
        kafka_conf_create(reader->settings, KAFKA_CLIENT_CONSUMER, message, sizeof message);
    if (conf != NULL && !adapt_conf(conf, message, sizeof message)) {
        rd_kafka_conf_destroy(conf);
        conf = NULL;
    }
    int result =
        command_kafka_open(&reader->kafka, RD_KAFKA_CONSUMER, conf, reader->settings, message);
    if (result != EXIT_CODE_OK) {
        return result;
    }
    reader->is_open = true;
    (void)rd_kafka_poll_set_consumer(reader->kafka.client);
    return EXIT_CODE_OK;
}

static bool add_partition(struct verify_reader *reader, const char *topic, int32_t number,
                          uint32_t tier)
{
    char name[NAME_BYTES_MAX];
    int length = snprintf(name, sizeof name, "%s/%" PRId32, topic, number);
    struct span copy = arena_copy(&reader->log->arena, span_make(name, (size_t)length));
    if (span_is_absent(copy) || reader->partition_count == reader->partition_capacity) {
        return false;
    }
    reader->partitions[reader->partition_count++] = (struct verify_partition){
        .topic = span_make(copy.data, strlen(topic)),
        .number = number,
        .name = copy,
        .is_results = strcmp(topic, reader->settings->topic_results) == 0,
        .tier = tier,
        .gap_offset = -1,
    };
    return true;
}

/* Whether verify reads the topic; gives its tier. */
static bool is_read(const struct settings *settings, const char *topic, uint32_t *tier)
{
    int32_t number = source_tier(settings, topic);
    *tier = number > 0 ? (uint32_t)number : 0;
    return number >= 0 || strcmp(topic, settings->topic_results) == 0;
}

static bool add_topics(struct verify_reader *reader, const struct rd_kafka_metadata *metadata)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        uint32_t tier = 0;
        for (int32_t k = 0;
             is_read(reader->settings, topic->topic, &tier) && k < topic->partition_cnt; k++) {
            if (!add_partition(reader, topic->topic, k, tier)) {
                return false;
            }
        }
    }
    return true;
}

/* A topic that this client may not see looks as if it were not there. */
static int check_rights(struct verify_reader *reader)
{
    const struct settings *settings = reader->settings;
    int result = command_kafka_check_right(&reader->kafka, settings->topic_results);
    for (uint32_t tier = 1; result == EXIT_CODE_OK && tier <= settings->retry_retries_max; tier++) {
        char topic[SETTINGS_TOPIC_BYTES_MAX + 1];
        (void)snprintf(topic, sizeof topic, "%s%" PRIu32, settings->topic_retry_prefix, tier);
        result = command_kafka_check_right(&reader->kafka, topic);
    }
    if (result != EXIT_CODE_OK) {
        announce_failure(reader);
    }
    return result;
}

static int find_topics(struct verify_reader *reader)
{
    int32_t ops_partition_count = 0;
    int result = command_kafka_wait_for_topic(&reader->kafka, reader->settings->topic_ops,
                                              reader->timeout_ms, &ops_partition_count);
    if (result != EXIT_CODE_OK) {
        return interrupt_count() > 0 ? fail_interrupted(reader) : result;
    }
    result = check_rights(reader);
    if (result != EXIT_CODE_OK) {
        return result;
    }
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error =
        rd_kafka_metadata(reader->kafka.client, 1, NULL, &metadata, QUERY_TIMEOUT_MS);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail_kafka(reader, "topics cannot be listed", error);
    }
    uint32_t tier = 0;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (is_read(reader->settings, metadata->topics[i].topic, &tier)) {
            reader->partition_capacity += (size_t)metadata->topics[i].partition_cnt;
        }
    }
    if (reader->partition_capacity <= PARTITIONS_MAX) {
        reader->partitions = calloc(reader->partition_capacity + 1, sizeof(*reader->partitions));
    }
    bool has_memory = reader->partitions != NULL && add_topics(reader, metadata);
    rd_kafka_metadata_destroy(metadata);
    return has_memory ? EXIT_CODE_OK : fail_memory(reader);
}

static int query(struct verify_reader *reader, const struct verify_partition *partition,
                 int64_t *start, int64_t *end)
{
    char topic[SETTINGS_TOPIC_BYTES_MAX + 1];
    (void)snprintf(topic, sizeof topic, "%.*s", SPAN_ARGS(partition->topic));
    uint64_t timeout_ms =
        reader->timeout_ms < QUERY_TIMEOUT_MS ? QUERY_TIMEOUT_MS : reader->timeout_ms;
    rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
        reader->kafka.client, topic, partition->number, start, end, (int)timeout_ms);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return EXIT_CODE_OK;
    }
    char what[NAME_BYTES_MAX + 40];
    (void)snprintf(what, sizeof what, "the ends of %.*s cannot be asked for",
                   SPAN_ARGS(partition->name));
    return interrupt_count() > 0 ? fail_interrupted(reader) : fail_kafka(reader, what, error);
}

static int find_ends(struct verify_reader *reader)
{
    int result = EXIT_CODE_OK;
    for (size_t i = 0; i < reader->partition_count && result == EXIT_CODE_OK; i++) {
        struct verify_partition *partition = &reader->partitions[i];
        result = query(reader, partition, &partition->start_offset, &partition->end_offset);
        partition->next_offset = partition->start_offset;
        partition->is_at_end = partition->start_offset >= partition->end_offset;
    }
    return result;
}

static int assign(struct verify_reader *reader)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)reader->partition_count);
    for (size_t i = 0; i < reader->partition_count; i++) {
        const struct verify_partition *partition = &reader->partitions[i];
        char topic[SETTINGS_TOPIC_BYTES_MAX + 1];
        (void)snprintf(topic, sizeof topic, "%.*s", SPAN_ARGS(partition->topic));
        rd_kafka_topic_partition_list_add(list, topic, partition->number)->offset =
            partition->start_offset;
    }
    rd_kafka_resp_err_t error = rd_kafka_assign(reader->kafka.client, list);
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR
               ? EXIT_CODE_OK
               : fail_kafka(reader, "the log cannot be read", error);
}

int verify_reader_open(struct verify_reader *reader, const struct settings *settings,
                       struct verify_log *log, const struct verify_reader_observer *observer,
                       uint64_t timeout_ms)
{
    *reader = (struct verify_reader){
        .settings = settings, .log = log, .observer = *observer, .timeout_ms = timeout_ms};
    int result = open_client(reader);
    if (result == EXIT_CODE_OK) {
        result = find_topics(reader);
    }
    if (result == EXIT_CODE_OK) {
        result = find_ends(reader);
    }
    return result == EXIT_CODE_OK ? assign(reader) : result;
}

void verify_reader_close(struct verify_reader *reader)
{
    if (reader->is_open) {
        (void)rd_kafka_assign(reader->kafka.client, NULL);
        (void)rd_kafka_consumer_close(reader->kafka.client);
        command_kafka_close(&reader->kafka);
    }
    free(reader->partitions);
}

/* ---- Reading ---- */

static struct verify_partition *partition_of(struct verify_reader *reader,
                                             const rd_kafka_message_t *message)
{
    struct span topic = span_of_text(rd_kafka_topic_name(message->rkt));
    for (size_t i = 0; i < reader->partition_count; i++) {
        size_t at = (reader->last_found + i) % reader->partition_count;
        struct verify_partition *partition = &reader->partitions[at];
        if (partition->number == message->partition && span_equal(partition->topic, topic)) {
            reader->last_found = at;
            return partition;
        }
    }
    return NULL;
}

static bool take_record(struct verify_reader *reader, struct verify_partition *partition,
                        const rd_kafka_message_t *message)
{
    reader->record_count++;
    if (message->offset > partition->next_offset && partition->gap_offset < 0) {
        partition->gap_offset = message->offset;
    }
    partition->next_offset = message->offset + 1;
    struct span value = span_make(message->payload != NULL ? message->payload : "", message->len);
    if (partition->is_results) {
        return verify_log_add_result(reader->log, value);
    }
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    struct verify_record record = {
        .partition = partition,
        .offset = message->offset,
        .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp_ms,
        .log_append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME,
        .value = value,
    };
    return verify_log_add_batch(reader->log, &record);
}

/* Takes what the consumer gave. False: out of memory. */
static bool take_message(struct verify_reader *reader, const rd_kafka_message_t *message)
{
    struct verify_partition *partition =
        message->rkt != NULL ? partition_of(reader, message) : NULL;
    bool is_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    reader->last_error = is_end ? RD_KAFKA_RESP_ERR_NO_ERROR : message->err;
    if (partition == NULL) {
        return true; /* an error of a broker: it passes, or the wait ends */
    }
    bool has_memory = true;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        has_memory = take_record(reader, partition, message);
    } else if (is_end) {
        partition->next_offset = message->offset;
        partition->is_at_end = true;
    }
    partition->is_at_end = partition->is_at_end || partition->next_offset >= partition->end_offset;
    return has_memory;
}

static void observe(struct verify_reader *reader)
{
    uint64_t now_ms = clock_monotonic_ms(&reader->kafka.context.clock);
    if (reader->observer.progress == NULL || now_ms - reader->observed_ms < OBSERVE_INTERVAL_MS) {
        return;
    }
    reader->observed_ms = now_ms;
    uint64_t read = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < reader->partition_count; i++) {
        const struct verify_partition *partition = &reader->partitions[i];
        int64_t next = partition->is_at_end && partition->next_offset < partition->end_offset
                           ? partition->end_offset
                           : partition->next_offset;
        int64_t end = next > partition->end_offset ? next : partition->end_offset;
        read += (uint64_t)(next - partition->start_offset);
        total += (uint64_t)(end - partition->start_offset);
    }
    reader->observer.progress(reader->observer.context, read, total);
}

/* A condition of the reading that a wait is for. */
typedef bool (*reader_condition)(const struct verify_reader *reader, const void *context);

/* Reads until the condition is met; gives up where nothing at all comes for timeout_ms. */
static int read_until(struct verify_reader *reader, reader_condition is_met, const void *context)
{
    const struct clock *clock = &reader->kafka.context.clock;
    uint64_t heard_ms = clock_monotonic_ms(clock);
    while (!is_met(reader, context)) {
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(reader->kafka.client, POLL_INTERVAL_MS);
        bool has_memory = message == NULL || take_message(reader, message);
        bool is_progress = message != NULL && (message->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
                                               message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF);
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
        observe(reader);
        if (!has_memory) {
            return fail_memory(reader);
        }
        if (interrupt_count() > 0) {
            return fail_interrupted(reader);
        }
        uint64_t now_ms = clock_monotonic_ms(clock);
        heard_ms = is_progress ? now_ms : heard_ms;
        if (now_ms - heard_ms >= reader->timeout_ms) {
            return fail_kafka(reader, "the log cannot be read on",
                              reader->last_error != RD_KAFKA_RESP_ERR_NO_ERROR
                                  ? reader->last_error
                                  : RD_KAFKA_RESP_ERR__TIMED_OUT);
        }
    }
    return EXIT_CODE_OK;
}

static bool is_all_at_end(const struct verify_reader *reader, const void *context)
{
    (void)context;
    for (size_t i = 0; i < reader->partition_count; i++) {
        if (!reader->partitions[i].is_at_end) {
            return false;
        }
    }
    return true;
}

int verify_reader_read(struct verify_reader *reader)
{
    return read_until(reader, is_all_at_end, NULL);
}

static bool is_partition_at_end(const struct verify_reader *reader, const void *context)
{
    (void)reader;
    const struct verify_partition *partition = context;
    return partition->is_at_end;
}

int verify_reader_catch_up(struct verify_reader *reader, struct verify_partition *partition,
                           int64_t offset)
{
    if (partition->next_offset > offset) {
        return EXIT_CODE_OK;
    }
    int64_t start = 0;
    int64_t end = 0;
    int result = query(reader, partition, &start, &end);
    if (result != EXIT_CODE_OK) {
        return result;
    }
    partition->end_offset = offset < end ? offset + 1 : end;
    partition->is_at_end = partition->next_offset >= partition->end_offset;
    return read_until(reader, is_partition_at_end, partition);
}

static bool is_over(const struct verify_reader *reader, const void *context)
{
    const uint64_t *until_ms = context;
    return clock_monotonic_ms(&reader->kafka.context.clock) >= *until_ms;
}

int verify_reader_linger(struct verify_reader *reader, int wait_ms)
{
    /* Below the time after which silence is a failure. */
    uint64_t limit_ms = reader->timeout_ms / 2;
    uint64_t until_ms = clock_monotonic_ms(&reader->kafka.context.clock) +
                        ((uint64_t)wait_ms < limit_ms ? (uint64_t)wait_ms : limit_ms);
    return read_until(reader, is_over, &until_ms);
}

struct verify_partition *verify_reader_find(const struct verify_reader *reader, struct span name)
{
    for (size_t i = 0; i < reader->partition_count; i++) {
        if (!reader->partitions[i].is_results && span_equal(reader->partitions[i].name, name)) {
            return &reader->partitions[i];
        }
    }
    return NULL;
}

int verify_reader_check_starts(struct verify_reader *reader)
{
    int result = EXIT_CODE_OK;
    for (size_t i = 0; i < reader->partition_count && result == EXIT_CODE_OK; i++) {
        struct verify_partition *partition = &reader->partitions[i];
        int64_t start = 0;
        int64_t end = 0;
        if (partition->gap_offset < 0) {
            continue; /* read without a gap */
        }
        result = query(reader, partition, &start, &end);
        if (result == EXIT_CODE_OK && start > partition->start_offset) {
            partition->start_offset = start;
        }
    }
    return result;
}
