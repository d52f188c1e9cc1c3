/* The sink on a broker that is well. One that fails on demand: test_sink_mock.c; what only a real
 * one does: test_sink_real.c. */
#include "worker/sink.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/sink_fixture.h"

TestSuite(sink, .init = sink_fixture_start, .fini = sink_fixture_stop, .timeout = 120);

Test(sink, acknowledges_what_is_written_with_key_value_and_headers)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    create_sink();
    struct record_header headers[] = {
        {"scenesync-final", span_of_text("1")},
        {"empty", span_make("", 0)},
        {"absent", {0}},
    };
    struct outgoing message = {.topic = TOPIC_RESULTS,
                               .partition = -1,
                               .key = span_of_text("scene-1"),
                               .value = span_make("\x81\x00v", 3),
                               .headers = headers,
                               .header_count = 3};
    sink_send(sink_fixture.sink, &message);
    cr_assert_eq(message.status, OUTGOING_IN_FLIGHT);
    poll_until(0);
    cr_assert_eq(message.status, OUTGOING_ACKNOWLEDGED);

    size_t count = 0;
    struct kafka_record *records = kafka_broker_read(sink_fixture.broker, TOPIC_RESULTS, &count);
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
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_DEAD, 1);
    create_sink();
    struct outgoing absent = {.topic = TOPIC_DEAD, .partition = 0};
    struct outgoing empty = {
        .topic = TOPIC_DEAD, .partition = 0, .key = span_make("", 0), .value = span_make("", 0)};
    sink_send(sink_fixture.sink, &absent);
    sink_send(sink_fixture.sink, &empty);
    poll_until(0);
    size_t count = 0;
    struct kafka_record *records = kafka_broker_read(sink_fixture.broker, TOPIC_DEAD, &count);
    cr_assert_eq(count, 2);
    cr_assert(span_is_absent(records[0].key) && span_is_absent(records[0].value));
    cr_assert(!span_is_absent(records[1].key) && !span_is_absent(records[1].value));
    cr_assert(records[1].key.size == 0 && records[1].value.size == 0);
    kafka_records_free(records, count);
}

Test(sink, refuses_a_message_beyond_the_clients_limit)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    create_sink();
    size_t size = 3200000;
    char *value = calloc(size, 1);
    cr_assert_not_null(value);
    struct outgoing large = {
        .topic = TOPIC_RESULTS, .partition = 0, .value = span_make(value, size)};
    sink_send(sink_fixture.sink, &large);
    cr_assert_eq(large.status, OUTGOING_TOO_LARGE);
    cr_assert_eq(sink_poll(sink_fixture.sink, 0), 0);
    free(value);
}

Test(sink, falls_back_to_the_key_where_the_partition_does_not_exist)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RETRY_1, 2);
    create_sink();
    struct outgoing message = {.topic = TOPIC_RETRY_1,
                               .partition = 7,
                               .key = span_of_text("scene-1"),
                               .value = span_of_text("x")};
    sink_send(sink_fixture.sink, &message);
    poll_until(0);
    cr_assert_eq(message.status, OUTGOING_ACKNOWLEDGED);
    cr_assert_eq(message.partition, -1);
}

Test(sink, sends_what_the_queue_has_no_room_for_when_there_is_room)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    set_for_sink("kafka.producer.queue.buffering.max.messages", "10");
    create_sink();
    struct numbered *messages = send_numbers(TOPIC_RESULTS, 500);
    poll_until(0);
    check_all(messages, 500, OUTGOING_ACKNOWLEDGED);
    check_numbers(TOPIC_RESULTS, 500, true);
    free(messages);
}

Test(sink, waits_quietly_where_the_queue_is_too_small_for_a_message)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    set_for_sink("kafka.producer.queue.buffering.max.kbytes", "1");
    create_sink();
    static const char value[2000] = "";
    struct outgoing large = {
        .topic = TOPIC_RESULTS, .partition = 0, .value = span_make(value, sizeof value)};
    sink_send(sink_fixture.sink, &large);
    int polls = 0;
    for (uint64_t until_ms = clock_monotonic_ms(&sink_fixture.clock) + 1000;
         clock_monotonic_ms(&sink_fixture.clock) < until_ms; polls++) {
        cr_assert_eq(sink_poll(sink_fixture.sink, SINK_FIXTURE_POLL_MS), 1);
    }
    cr_assert_lt(polls, 100);
}
