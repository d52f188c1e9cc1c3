/* The sink on a real broker: what the mock has not, or only pretends to. */
#include "worker/sink.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/sent_batch.h"
#include "tests/support/sink_fixture.h"

enum { TOPIC_LIMIT_BYTES = 2000, LARGE_BYTES = 1500, TOO_LARGE_BYTES = 3000 };

TestSuite(sink_real, .init = sink_fixture_start, .fini = sink_fixture_stop, .timeout = 120);

/* A value of its own first letter. */
static struct span blanks(char first, int size_bytes)
{
    return span_of_text(text_of_format("%c%*s", first, size_bytes - 1, ""));
}

/* Sends them in one batch to a topic that has less room than the producer thinks. */
static void send_to_small_topic(struct outgoing *messages, size_t count)
{
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    kafka_broker_limit_topic(sink_fixture.broker, TOPIC_RESULTS, TOPIC_LIMIT_BYTES);
    set_for_sink("kafka.producer.linger.ms", "200");
    create_sink();
    for (size_t i = 0; i < count; i++) {
        sink_send(sink_fixture.sink, &messages[i]);
    }
    poll_until(0);
}

Test(sink_real, a_batch_beyond_the_topics_limit_goes_through_one_by_one)
{
    struct outgoing messages[3];
    for (size_t i = 0; i < 3; i++) {
        messages[i] = (struct outgoing){.topic = TOPIC_RESULTS,
                                        .value = blanks((char)('a' + i), LARGE_BYTES)};
    }
    send_to_small_topic(messages, 3);
    size_t count = 0;
    struct kafka_record *const records =
        kafka_broker_read(sink_fixture.broker, TOPIC_RESULTS, &count);
    cr_assert_eq(count, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(messages[i].status, OUTGOING_ACKNOWLEDGED);
        cr_assert(span_equal(records[i].value, messages[i].value), "in order");
    }
    kafka_records_free(records, count);
}

Test(sink_real, finds_the_one_beyond_the_topics_limit)
{
    struct outgoing messages[] = {
        {.topic = TOPIC_RESULTS, .value = blanks('a', 10)},
        {.topic = TOPIC_RESULTS, .value = blanks('b', TOO_LARGE_BYTES)},
        {.topic = TOPIC_RESULTS, .value = blanks('c', 10)},
    };
    send_to_small_topic(messages, 3);
    cr_assert_eq(messages[0].status, OUTGOING_ACKNOWLEDGED);
    cr_assert_eq(messages[1].status, OUTGOING_TOO_LARGE);
    cr_assert_eq(messages[2].status, OUTGOING_ACKNOWLEDGED);
    size_t count = 0;
    struct kafka_record *const records =
        kafka_broker_read(sink_fixture.broker, TOPIC_RESULTS, &count);
    cr_assert_eq(count, 2);
    kafka_records_free(records, count);
}

Test(sink_real, waits_for_a_topic_that_is_created_later)
{
    set_for_sink("kafka.producer.topic.metadata.propagation.max.ms", "500");
    create_sink();
    struct numbered *const messages = send_numbers(TOPIC_RESULTS, 5);
    poll_in_flight(5, 3000);
    kafka_broker_create_topic(sink_fixture.broker, TOPIC_RESULTS, 1);
    poll_until(0);
    check_all(messages, 5, OUTGOING_ACKNOWLEDGED);
    check_numbers(TOPIC_RESULTS, 5, true);
    free(messages);
}
