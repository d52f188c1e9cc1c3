/* The sink on a broker that refuses, fails and goes away on demand. */
#include "worker/sink.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/sink_fixture.h"

enum { PRODUCE_REQUEST = 0 };

TestSuite(sink_mock, .init = sink_fixture_start, .fini = sink_fixture_stop, .timeout = 120);

Test(sink_mock, keeps_order_and_writes_once_over_retried_requests)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    kafka_broker_fail_requests(sink_fixture.broker, PRODUCE_REQUEST,
                               RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 2);
    kafka_broker_fail_requests(sink_fixture.broker, PRODUCE_REQUEST,
                               RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, 1);
    create_sink();
    struct numbered *messages = send_numbers(TOPIC_RESULTS, 200);
    poll_until(0);
    check_all(messages, 200, OUTGOING_ACKNOWLEDGED);
    check_numbers(TOPIC_RESULTS, 200, true);
    free(messages);
}

Test(sink_mock, finds_the_one_that_the_broker_refuses_for_its_size)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    set_for_sink("kafka.producer.linger.ms", "200");
    /* One batch of three is refused, then the first and the second that are sent alone. */
    kafka_broker_fail_requests(sink_fixture.broker, PRODUCE_REQUEST,
                               RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 2);
    create_sink();
    struct numbered *messages = send_numbers(TOPIC_RESULTS, 3);
    poll_until(0);
    cr_assert_eq(messages[0].outgoing.status, OUTGOING_TOO_LARGE);
    cr_assert_eq(messages[1].outgoing.status, OUTGOING_ACKNOWLEDGED);
    cr_assert_eq(messages[2].outgoing.status, OUTGOING_ACKNOWLEDGED);
    free(messages);
}

Test(sink_mock, a_batch_that_is_too_large_goes_through_one_by_one)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    set_for_sink("kafka.producer.linger.ms", "200");
    kafka_broker_fail_requests(sink_fixture.broker, PRODUCE_REQUEST,
                               RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1);
    create_sink();
    struct numbered *messages = send_numbers(TOPIC_RESULTS, 5);
    poll_until(0);
    check_all(messages, 5, OUTGOING_ACKNOWLEDGED);
    check_numbers(TOPIC_RESULTS, 5, true);
    free(messages);
}

Test(sink_mock, waits_for_a_topic_that_is_created_later)
{
    set_for_sink("kafka.producer.topic.metadata.propagation.max.ms", "500");
    kafka_broker_hide_topic(sink_fixture.broker, "scene.later", true);
    create_sink();
    struct numbered *messages = send_numbers("scene.later", 5);
    poll_in_flight(5, 3000);
    kafka_broker_hide_topic(sink_fixture.broker, "scene.later", false);
    poll_until(0);
    check_all(messages, 5, OUTGOING_ACKNOWLEDGED);
    check_numbers("scene.later", 5, true);
    free(messages);
}

Test(sink_mock, loses_nothing_while_the_broker_is_away)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    create_sink();
    kafka_broker_set_up(sink_fixture.broker, false);
    struct numbered *messages = send_numbers(TOPIC_RESULTS, 50);
    poll_in_flight(50, 2000);
    kafka_broker_set_up(sink_fixture.broker, true);
    poll_until(0);
    check_all(messages, 50, OUTGOING_ACKNOWLEDGED);
    check_numbers(TOPIC_RESULTS, 50, true);
    free(messages);
}

/** The next `count` batches fail with `error`; everything is written nevertheless, in order. */
static void survive(rd_kafka_resp_err_t error, size_t count)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    create_sink();
    struct numbered *first = send_numbers(TOPIC_RESULTS, 20);
    poll_until(0);
    kafka_broker_fail_requests(sink_fixture.broker, PRODUCE_REQUEST, error, count);
    struct numbered *second = send_numbers(TOPIC_RESULTS, 100);
    poll_until(0);
    check_all(second, 100, OUTGOING_ACKNOWLEDGED);
    check_numbers(TOPIC_RESULTS, 100, false);
    free(first);
    free(second);
}

Test(sink_mock, goes_on_with_a_new_producer_after_a_fatal_error)
{
    survive(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
}

Test(sink_mock, goes_on_after_several_fatal_errors_in_a_row)
{
    survive(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 3);
}

Test(sink_mock, survives_a_fenced_producer_epoch)
{
    survive(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1);
}

Test(sink_mock, survives_a_forgotten_producer_id)
{
    survive(RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, 1);
}

Test(sink_mock, survives_an_error_that_tells_nothing)
{
    survive(RD_KAFKA_RESP_ERR_UNKNOWN, 1);
}

Test(sink_mock, survives_a_refused_record)
{
    survive(RD_KAFKA_RESP_ERR_INVALID_RECORD, 1);
}

Test(sink_mock, abandons_what_is_in_flight_when_destroyed)
{
    create_sink();
    kafka_broker_set_up(sink_fixture.broker, false);
    struct numbered *messages = send_numbers(TOPIC_RESULTS, 50);
    sink_destroy(sink_fixture.sink);
    sink_fixture.sink = NULL;
    check_all(messages, 50, OUTGOING_IN_FLIGHT);
    free(messages);
}
