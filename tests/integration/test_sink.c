#include "worker/sink.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/kafka_broker.h"

enum { POLL_MS = 100, PATIENCE_MS = 30000, PRODUCE_REQUEST = 0 };

static struct kafka_broker *broker;
static struct settings settings;
static struct clock machine_clock;
static struct log *quiet_log;
static struct sink *sink;

static void set(const char *name, const char *value)
{
    struct settings_error error;
    cr_assert(settings_set(&settings, name, value, "test", &error), "%s", error.message);
}

static void start(void)
{
    broker = kafka_broker_start();
    machine_clock = clock_system();
    cr_assert(settings_init(&settings));
    set("kafka.bootstrap.servers", kafka_broker_bootstrap(broker));
    quiet_log = log_create(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT, NULL);
    cr_assert_not_null(quiet_log);
}

static void stop(void)
{
    sink_destroy(sink);
    kafka_broker_stop(broker);
    settings_deinit(&settings);
    log_destroy(quiet_log);
}

TestSuite(sink, .init = start, .fini = stop, .timeout = 120);

static void create_sink(void)
{
    char message[512];
    sink = sink_create(&settings, &machine_clock, quiet_log, message, sizeof message);
    cr_assert_not_null(sink, "%s", message);
}

static void poll_until(size_t in_flight)
{
    uint64_t deadline_ms = clock_monotonic_ms(&machine_clock) + PATIENCE_MS;
    while (sink_poll(sink, POLL_MS) > in_flight) {
        cr_assert_lt(clock_monotonic_ms(&machine_clock), deadline_ms, "no acknowledgement in time");
    }
}

/** A message whose value is its number. */
struct numbered {
    struct outgoing outgoing;
    char text[24];
};

/** Sends `count` of them to partition 0. Returns owned. */
static struct numbered *send_numbers(const char *topic, size_t count)
{
    struct numbered *messages = calloc(count, sizeof *messages);
    cr_assert_not_null(messages);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(messages[i].text, sizeof messages[i].text, "%zu", i);
        messages[i].outgoing = (struct outgoing){
            .topic = topic, .partition = 0, .value = span_of_text(messages[i].text)};
        sink_send(sink, &messages[i].outgoing);
    }
    return messages;
}

static void check_all(const struct numbered *messages, size_t count, enum outgoing_status status)
{
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(messages[i].outgoing.status, status, "message %zu", i);
    }
}

/** The topic has the numbers below `count` in order; each at least once. */
static void check_numbers(const char *topic, size_t count, bool exactly_once)
{
    size_t record_count = 0;
    struct kafka_record *records = kafka_broker_read(broker, topic, &record_count);
    size_t next = 0;
    for (size_t i = 0; i < record_count; i++) {
        char text[16] = "";
        memcpy(text, records[i].value.data, records[i].value.size);
        next += strtoul(text, NULL, 10) == next ? 1 : 0;
    }
    cr_assert_eq(next, count, "%zu of %zu in order among %zu", next, count, record_count);
    cr_assert(!exactly_once || record_count == count, "%zu records", record_count);
    kafka_records_free(records, record_count);
}

Test(sink, acknowledges_what_is_written_with_key_value_and_headers)
{
    kafka_broker_create_topic(broker, "scene.results", 1);
    create_sink();
    struct record_header headers[] = {
        {"scenesync-final", span_of_text("1")},
        {"empty", span_make("", 0)},
        {"absent", {0}},
    };
    struct outgoing message = {.topic = "scene.results",
                               .partition = -1,
                               .key = span_of_text("scene-1"),
                               .value = span_make("\x81\x00v", 3),
                               .headers = headers,
                               .header_count = 3};
    sink_send(sink, &message);
    cr_assert_eq(message.status, OUTGOING_IN_FLIGHT);
    poll_until(0);
    cr_assert_eq(message.status, OUTGOING_ACKNOWLEDGED);

    size_t count = 0;
    struct kafka_record *records = kafka_broker_read(broker, "scene.results", &count);
    cr_assert_eq(count, 1);
    cr_assert(span_equal_text(records[0].key, "scene-1"));
    cr_assert(span_equal(records[0].value, span_make("\x81\x00v", 3)));
    cr_assert_eq(rd_kafka_header_cnt(records[0].headers), 3);
    cr_assert(span_equal_text(kafka_record_header(&records[0], "scenesync-final"), "1"));
    struct span empty = kafka_record_header(&records[0], "empty");
    cr_assert(!span_is_absent(empty) && empty.size == 0);
    cr_assert(span_is_absent(kafka_record_header(&records[0], "absent")));
    kafka_records_free(records, count);
}

Test(sink, tells_an_absent_key_and_value_from_empty_ones)
{
    kafka_broker_create_topic(broker, "scene.ops.dlq", 1);
    create_sink();
    struct outgoing absent = {.topic = "scene.ops.dlq", .partition = 0};
    struct outgoing empty = {.topic = "scene.ops.dlq",
                             .partition = 0,
                             .key = span_make("", 0),
                             .value = span_make("", 0)};
    sink_send(sink, &absent);
    sink_send(sink, &empty);
    poll_until(0);
    size_t count = 0;
    struct kafka_record *records = kafka_broker_read(broker, "scene.ops.dlq", &count);
    cr_assert_eq(count, 2);
    cr_assert(span_is_absent(records[0].key) && span_is_absent(records[0].value));
    cr_assert(!span_is_absent(records[1].key) && !span_is_absent(records[1].value));
    cr_assert(records[1].key.size == 0 && records[1].value.size == 0);
    kafka_records_free(records, count);
}

Test(sink, keeps_order_and_writes_once_over_retried_requests)
{
    kafka_broker_create_topic(broker, "scene.results", 1);
    kafka_broker_fail_requests(broker, PRODUCE_REQUEST, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                               2);
    kafka_broker_fail_requests(broker, PRODUCE_REQUEST, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, 1);
    create_sink();
    struct numbered *messages = send_numbers("scene.results", 200);
    poll_until(0);
    check_all(messages, 200, OUTGOING_ACKNOWLEDGED);
    check_numbers("scene.results", 200, true);
    free(messages);
}

Test(sink, refuses_a_message_beyond_the_clients_limit)
{
    kafka_broker_create_topic(broker, "scene.results", 1);
    create_sink();
    size_t size = 3200000;
    char *value = calloc(size, 1);
    cr_assert_not_null(value);
    struct outgoing large = {
        .topic = "scene.results", .partition = 0, .value = span_make(value, size)};
    sink_send(sink, &large);
    cr_assert_eq(large.status, OUTGOING_TOO_LARGE);
    cr_assert_eq(sink_poll(sink, 0), 0);
    free(value);
}

Test(sink, finds_the_one_that_the_broker_refuses_for_its_size)
{
    kafka_broker_create_topic(broker, "scene.results", 1);
    set("kafka.producer.linger.ms", "200");
    /* One batch of three is refused, then the first and the second that are sent alone. */
    kafka_broker_fail_requests(broker, PRODUCE_REQUEST, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 2);
    create_sink();
    struct numbered *messages = send_numbers("scene.results", 3);
    poll_until(0);
    cr_assert_eq(messages[0].outgoing.status, OUTGOING_TOO_LARGE);
    cr_assert_eq(messages[1].outgoing.status, OUTGOING_ACKNOWLEDGED);
    cr_assert_eq(messages[2].outgoing.status, OUTGOING_ACKNOWLEDGED);
    free(messages);
}

Test(sink, a_batch_that_is_too_large_goes_through_one_by_one)
{
    kafka_broker_create_topic(broker, "scene.results", 1);
    set("kafka.producer.linger.ms", "200");
    kafka_broker_fail_requests(broker, PRODUCE_REQUEST, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1);
    create_sink();
    struct numbered *messages = send_numbers("scene.results", 5);
    poll_until(0);
    check_all(messages, 5, OUTGOING_ACKNOWLEDGED);
    check_numbers("scene.results", 5, true);
    free(messages);
}

Test(sink, waits_for_a_topic_that_is_created_later)
{
    set("kafka.producer.topic.metadata.propagation.max.ms", "500");
    kafka_broker_hide_topic(broker, "scene.later", true);
    create_sink();
    struct numbered *messages = send_numbers("scene.later", 5);
    uint64_t until_ms = clock_monotonic_ms(&machine_clock) + 3000;
    while (clock_monotonic_ms(&machine_clock) < until_ms) {
        cr_assert_eq(sink_poll(sink, POLL_MS), 5);
    }
    kafka_broker_hide_topic(broker, "scene.later", false);
    poll_until(0);
    check_all(messages, 5, OUTGOING_ACKNOWLEDGED);
    check_numbers("scene.later", 5, true);
    free(messages);
}

Test(sink, falls_back_to_the_key_where_the_partition_does_not_exist)
{
    kafka_broker_create_topic(broker, "scene.ops.retry-1", 2);
    create_sink();
    struct outgoing message = {.topic = "scene.ops.retry-1",
                               .partition = 7,
                               .key = span_of_text("scene-1"),
                               .value = span_of_text("x")};
    sink_send(sink, &message);
    poll_until(0);
    cr_assert_eq(message.status, OUTGOING_ACKNOWLEDGED);
    cr_assert_eq(message.partition, -1);
}

Test(sink, sends_what_the_queue_has_no_room_for_when_there_is_room)
{
    kafka_broker_create_topic(broker, "scene.results", 1);
    set("kafka.producer.queue.buffering.max.messages", "10");
    create_sink();
    struct numbered *messages = send_numbers("scene.results", 500);
    poll_until(0);
    check_all(messages, 500, OUTGOING_ACKNOWLEDGED);
    check_numbers("scene.results", 500, true);
    free(messages);
}

Test(sink, waits_quietly_where_the_queue_is_too_small_for_a_message)
{
    kafka_broker_create_topic(broker, "scene.results", 1);
    set("kafka.producer.queue.buffering.max.kbytes", "1");
    create_sink();
    static const char value[2000] = "";
    struct outgoing large = {
        .topic = "scene.results", .partition = 0, .value = span_make(value, sizeof value)};
    sink_send(sink, &large);
    int polls = 0;
    for (uint64_t until_ms = clock_monotonic_ms(&machine_clock) + 1000;
         clock_monotonic_ms(&machine_clock) < until_ms; polls++) {
        cr_assert_eq(sink_poll(sink, POLL_MS), 1);
    }
    cr_assert_lt(polls, 100);
}

Test(sink, loses_nothing_while_the_broker_is_away)
{
    kafka_broker_create_topic(broker, "scene.results", 1);
    create_sink();
    kafka_broker_set_up(broker, false);
    struct numbered *messages = send_numbers("scene.results", 50);
    uint64_t until_ms = clock_monotonic_ms(&machine_clock) + 2000;
    while (clock_monotonic_ms(&machine_clock) < until_ms) {
        cr_assert_eq(sink_poll(sink, POLL_MS), 50);
    }
    kafka_broker_set_up(broker, true);
    poll_until(0);
    check_all(messages, 50, OUTGOING_ACKNOWLEDGED);
    check_numbers("scene.results", 50, true);
    free(messages);
}

/** The next `count` batches fail with `error`; everything is written nevertheless, in order. */
static void survive(rd_kafka_resp_err_t error, size_t count)
{
    kafka_broker_create_topic(broker, "scene.results", 1);
    create_sink();
    struct numbered *first = send_numbers("scene.results", 20);
    poll_until(0);
    kafka_broker_fail_requests(broker, PRODUCE_REQUEST, error, count);
    struct numbered *second = send_numbers("scene.results", 100);
    poll_until(0);
    check_all(second, 100, OUTGOING_ACKNOWLEDGED);
    check_numbers("scene.results", 100, false);
    free(first);
    free(second);
}

Test(sink, goes_on_with_a_new_producer_after_a_fatal_error)
{
    survive(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
}

Test(sink, goes_on_after_several_fatal_errors_in_a_row)
{
    survive(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 3);
}

Test(sink, survives_a_fenced_producer_epoch)
{
    survive(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1);
}

Test(sink, survives_a_forgotten_producer_id)
{
    survive(RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, 1);
}

Test(sink, survives_an_error_that_tells_nothing)
{
    survive(RD_KAFKA_RESP_ERR_UNKNOWN, 1);
}

Test(sink, survives_a_refused_record)
{
    survive(RD_KAFKA_RESP_ERR_INVALID_RECORD, 1);
}

Test(sink, abandons_what_is_in_flight_when_destroyed)
{
    create_sink();
    kafka_broker_set_up(broker, false);
    struct numbered *messages = send_numbers("scene.results", 50);
    sink_destroy(sink);
    sink = NULL;
    check_all(messages, 50, OUTGOING_IN_FLIGHT);
    free(messages);
}
