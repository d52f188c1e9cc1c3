/* The source as a member of its consumer group, on a broker that fails on demand. */
#include "worker/source.h"

#include <criterion/criterion.h>

#include "tests/support/source_fixture.h"

enum { OFFSET_COMMIT_REQUEST = 8 };

TestSuite(source_group_mock, .init = source_fixture_start, .fini = source_fixture_stop,
          .timeout = 120);

Test(source_group_mock, repeats_a_commit_that_failed)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 1);
    produce_number(TOPIC_OPS, 0, 1);
    struct record_source *source = create_source();
    struct record record;
    poll_records(source, &record, 1);
    kafka_broker_fail_requests(fixture.broker, OFFSET_COMMIT_REQUEST,
                               RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE, 1);
    source_settle(source, &record, 1);
    source_release(source, &record, 1);
    wait_for_commit(source, TOPIC_OPS, 0, 1);
    destroy_source(source);
}

Test(source_group_mock, goes_on_after_the_broker_was_away_and_ends_while_it_is)
{
    set("kafka.reconnect.backoff.max.ms", "300");
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 1);
    produce_number(TOPIC_OPS, 0, 1);
    struct record_source *source = create_source();
    struct record records[2];
    poll_records(source, records, 1);
    kafka_broker_set_up(fixture.broker, false);
    source_settle(source, records, 1);
    poll_nothing(source, 2000);
    kafka_broker_set_up(fixture.broker, true);
    produce_number(TOPIC_OPS, 0, 2);
    poll_records(source, records + 1, 1);
    cr_assert_eq(number_of(&records[1]), 2);
    wait_for_commit(source, TOPIC_OPS, 0, 1);
    kafka_broker_set_up(fixture.broker, false);
    source_settle(source, records + 1, 1);
    source_release(source, records, 2);
    uint64_t before_ms = now_ms();
    destroy_source(source);
    cr_assert_lt(now_ms() - before_ms, 20000);
}
