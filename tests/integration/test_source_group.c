/* The source as a member of its consumer group: what it commits and shares. What it survives of a
 * broker: test_source_group_mock.c. */
#include "worker/source_internal.h"

#include <criterion/criterion.h>
#include <time.h>

#include "tests/support/sent_batch.h"
#include "tests/support/source_fixture.h"

TestSuite(source_group, .init = source_fixture_start, .fini = source_fixture_stop,
          .timeout = FIXTURE_SUITE_S);

Test(source_group, settled_records_are_not_delivered_to_the_next_member)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 1);
    for (int i = 0; i < 10; i++) {
        produce_number(TOPIC_OPS, 0, i);
    }
    struct record_source *source = create_source();
    struct record records[10];
    poll_records(source, records, 10);
    source_settle(source, records, 6);
    source_release(source, records, 10);
    destroy_source(source);
    cr_assert_eq(kafka_broker_committed(fixture.broker, GROUP, TOPIC_OPS, 0), 6);

    source = create_source();
    poll_records(source, records, 4);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(number_of(&records[i]), 6 + i);
    }
    source_release(source, records, 4);
    destroy_source(source);
}

Test(source_group, delivers_again_what_was_not_settled)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 1);
    produce_number(TOPIC_OPS, 0, 7);
    struct record record;
    for (int i = 0; i < 2; i++) {
        struct record_source *source = create_source();
        poll_records(source, &record, 1);
        cr_assert_eq(number_of(&record), 7);
        source_release(source, &record, 1);
        destroy_source(source);
    }
    cr_assert_eq(kafka_broker_committed(fixture.broker, GROUP, TOPIC_OPS, 0), -1001);
}

Test(source_group, tells_the_offsets_that_kafka_confirmed)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 1, 2);
    produce_number(TOPIC_OPS, 0, 1);
    produce_number(TOPIC_OPS, 0, 2);
    struct record_source *source = create_source();
    struct record records[2];
    poll_records(source, records, 2);
    cr_assert_eq(source_committed_text(source, 0).size, 0);
    source_settle(source, records, 2);
    source_release(source, records, 2);
    wait_for_commit(source, TOPIC_OPS, 0, 2);
    cr_assert_eq(source_committed_text(source, 1).size, 0);
    cr_assert_eq(kafka_broker_committed(fixture.broker, GROUP, TOPIC_OPS, 0), 2);
    (void)produce_retry(1, 0, 3, 0);
    poll_records(source, records, 1);
    source_settle(source, records, 1);
    source_release(source, records, 1);
    uint64_t deadline_ms = now_ms() + FIXTURE_PATIENCE_MS;
    const char *const both = text_of_format("%s/0=2 %s/0=1", TOPIC_OPS, TOPIC_RETRY_1);
    while (!span_equal_text(source_committed_text(source, 0), both)) {
        cr_assert_lt(now_ms(), deadline_ms);
        source_service(source);
    }
    destroy_source(source);
}

/** Polls both until they share `count` partitions and each has some. */
static void wait_for_sharing(struct record_source *const sources[2], size_t count)
{
    struct record record;
    uint64_t deadline_ms = now_ms() + FIXTURE_SHARING_MS;
    for (;;) {
        size_t first = source_assigned_count(sources[0]);
        size_t second = source_assigned_count(sources[1]);
        if (first > 0 && second > 0 && first + second == count) {
            return;
        }
        cr_assert_lt(now_ms(), deadline_ms, "%zu and %zu partitions", first, second);
        for (size_t i = 0; i < 2; i++) {
            cr_assert_eq(source_poll(sources[i], &record, 1, SIZE_MAX, FIXTURE_POLL_MS), 0);
        }
    }
}

static void check_sharing(void)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 4);
    struct record_source *sources[2] = {create_source()};
    wait_for_partitions(sources[0], 4);
    uint64_t generation = source_generation(sources[0]);
    sources[1] = create_source();
    wait_for_sharing(sources, 4);
    cr_assert_gt(source_generation(sources[0]), generation);
    for (int i = 0; i < 4; i++) {
        produce_number(TOPIC_OPS, i, i);
    }
    struct record records[4];
    poll_records(sources[0], records, 2);
    poll_records(sources[1], records + 2, 2);
    for (int i = 0; i < 4; i++) {
        finish(sources[i / 2], &records[i]);
    }
    destroy_source(sources[0]);

    wait_for_partitions(sources[1], 4);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(kafka_broker_committed(fixture.broker, GROUP, TOPIC_OPS, i), 1);
        produce_number(TOPIC_OPS, i, 4 + i);
    }
    poll_records(sources[1], records, 4);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(number_of(&records[i]), 4 + records[i].partition);
    }
    source_release(sources[1], records, 4);
    destroy_source(sources[1]);
}

Test(source_group, members_share_the_partitions_and_take_over_from_one_another)
{
    check_sharing();
}

Test(source_group, shares_incrementally_with_the_cooperative_assignor)
{
    set("kafka.consumer.partition.assignment.strategy", "cooperative-sticky");
    check_sharing();
}

Test(source_group, ignores_a_settlement_from_before_a_rebalance)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 2);
    produce_number(TOPIC_OPS, 0, 0);
    produce_number(TOPIC_OPS, 1, 1);
    struct record_source *sources[2] = {create_source()};
    struct record records[2];
    poll_records(sources[0], records, 2);
    sources[1] = create_source();
    uint64_t deadline_ms = now_ms() + FIXTURE_SHARING_MS;
    struct record again[2];
    size_t again_count = 0;
    while (again_count < 2) {
        cr_assert_lt(now_ms(), deadline_ms);
        for (size_t i = 0; i < 2 && again_count < 2; i++) {
            struct record record;
            if (source_poll(sources[i], &record, 1, SIZE_MAX, FIXTURE_POLL_MS) == 1) {
                again[again_count] = record;
                again_count++;
            }
        }
    }
    source_settle(sources[0], records, 2);
    source_release(sources[0], records, 2);
    source_release(sources[0], again, 2);
    poll_nothing(sources[0], 500);
    destroy_source(sources[0]);
    destroy_source(sources[1]);
    cr_assert_eq(kafka_broker_committed(fixture.broker, GROUP, TOPIC_OPS, 0), -1001);
    cr_assert_eq(kafka_broker_committed(fixture.broker, GROUP, TOPIC_OPS, 1), -1001);
}

Test(source_group, stays_a_member_and_loses_nothing_while_it_only_serves)
{
    set("kafka.consumer.max.poll.interval.ms", "7000");
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 1);
    struct record_source *source = create_source();
    wait_for_partitions(source, 1);
    uint64_t generation = source_generation(source);
    enum { COUNT = 1500 };
    for (int i = 0; i < COUNT; i++) {
        produce_number(TOPIC_OPS, 0, i);
    }
    for (uint64_t until_ms = now_ms() + 10000; now_ms() < until_ms;) {
        source_service(source);
        struct timespec wait = {.tv_nsec = 50000000};
        (void)nanosleep(&wait, NULL);
    }
    struct record records[COUNT];
    poll_records(source, records, COUNT);
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(number_of(&records[i]), i);
    }
    cr_assert_eq(source_generation(source), generation);
    poll_nothing(source, 300);
    source_release(source, records, COUNT);
    destroy_source(source);
}

Test(source_group, tells_an_error_that_it_cannot_go_on_after)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 1);
    struct record_source *source = create_source();
    cr_assert_null(source_fatal_error(source));
    cr_assert_eq(rd_kafka_test_fatal_error(source->consumer, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
                                           "another has this group.instance.id"),
                 RD_KAFKA_RESP_ERR_NO_ERROR);
    source_service(source);
    cr_assert_not_null(source_fatal_error(source));
    cr_assert_not_null(strstr(source_fatal_error(source), "group.instance.id"), "%s",
                       source_fatal_error(source));
    destroy_source(source);
}
