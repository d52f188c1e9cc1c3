/* What the source delivers, and when. Membership and commits: test_source_group.c. */
#include "worker/source.h"

#include <criterion/criterion.h>

#include "tests/support/source_fixture.h"

TestSuite(source, .init = source_fixture_start, .fini = source_fixture_stop, .timeout = 120);

Test(source, keeps_each_partitions_order)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 1, 3);
    for (int i = 0; i < 300; i++) {
        produce_number(TOPIC_OPS, i % 3, i);
    }
    struct record_source *source = create_source();
    struct record records[300];
    poll_records(source, records, 300);
    int64_t next[3] = {0};
    for (size_t i = 0; i < 300; i++) {
        cr_assert(span_equal_text(records[i].topic, TOPIC_OPS));
        cr_assert_eq(records[i].tier, 0);
        cr_assert_eq(records[i].offset, next[records[i].partition]++);
        cr_assert_eq(number_of(&records[i]), records[i].offset * 3 + records[i].partition);
    }
    source_release(source, records, 300);
    destroy_source(source);
}

Test(source, holds_a_retry_until_it_is_due_and_delays_no_other_partition)
{
    set("retry.initial_delay_ms", "3000");
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 1, 2);
    struct record_source *source = create_source();
    wait_for_partitions(source, 4);
    uint64_t not_before_ms = produce_retry(1, 0, 1, 2500);
    (void)produce_retry(1, 1, 2, 0);
    produce_number(TOPIC_OPS, 0, 3);
    struct record records[3];
    poll_records(source, records, 2);
    cr_assert_lt(clock_wall_ms(&fixture.clock), not_before_ms - 1000);
    poll_records(source, records + 2, 1);
    cr_assert_eq(number_of(&records[2]), 1);
    cr_assert_geq(clock_wall_ms(&fixture.clock), not_before_ms, "early");
    cr_assert_lt(clock_wall_ms(&fixture.clock), not_before_ms + 1500, "late");
    source_release(source, records, 3);
    destroy_source(source);
}

Test(source, records_behind_a_held_one_keep_their_order)
{
    set("retry.initial_delay_ms", "2000");
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 1, 1);
    struct record_source *source = create_source();
    wait_for_partitions(source, 2);
    uint64_t not_before_ms = produce_retry(1, 0, 0, 1500);
    for (int i = 1; i < 600; i++) {
        (void)produce_retry(1, 0, i, 0);
    }
    struct record records[600];
    poll_records(source, records, 600);
    cr_assert_geq(clock_wall_ms(&fixture.clock), not_before_ms);
    for (int i = 0; i < 600; i++) {
        cr_assert_eq(number_of(&records[i]), i);
        cr_assert_eq(records[i].offset, i);
    }
    source_release(source, records, 600);
    destroy_source(source);
}

Test(source, a_wrong_clock_holds_a_retry_no_longer_than_its_tiers_delay)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 1, 1);
    struct record_source *source = create_source();
    wait_for_partitions(source, 2);
    (void)produce_retry(1, 0, 1, INT64_C(86400000));
    struct record record;
    uint64_t before_ms = now_ms();
    poll_records(source, &record, 1);
    cr_assert_geq(clock_wall_ms(&fixture.clock) - record.received_wall_ms, 100);
    cr_assert_lt(now_ms() - record.received_monotonic_ms, 100, "counted from when it was due");
    cr_assert_lt(now_ms() - before_ms, 5000);
    source_release(source, &record, 1);
    destroy_source(source);
}

Test(source, a_retry_without_a_readable_time_is_due_at_once)
{
    set("retry.initial_delay_ms", "5000");
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 1, 1);
    struct record_header headers[] = {{"scenesync-not-before", span_of_text("soon")},
                                      {"scenesync-not-before", {0}},
                                      {"scenesync-not-before", span_of_text("-1")}};
    for (size_t i = 0; i < 3; i++) {
        (void)kafka_broker_produce(fixture.broker, TOPIC_RETRY_1, 0, span_of_text("k"),
                                   span_of_text("v"), &headers[i], 1);
    }
    (void)kafka_broker_produce_text(fixture.broker, TOPIC_RETRY_1, 0, "k", "v");
    struct record_source *source = create_source();
    struct record records[4];
    poll_records(source, records, 4);
    cr_assert_lt(now_ms() - records[0].received_monotonic_ms, 1000);
    source_release(source, records, 4);
    destroy_source(source);
}

Test(source, reads_the_tiers_by_name_and_finds_new_ones)
{
    static const char *const others[] = {"scene.ops.retry-01", "scene.ops.retry-x",
                                         "scene.ops.retry-0",  "scene.ops.retry-1.old",
                                         "sceneXops.retry-3",  "scene.ops.retry-1001"};
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 1, 1);
    kafka_broker_create_topic(fixture.broker, kafka_name("scene.ops.retry-12"), 1);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        kafka_broker_create_topic(fixture.broker, kafka_name(others[i]), 1);
        (void)kafka_broker_produce_text(fixture.broker, kafka_name(others[i]), 0, "k", "v");
    }
    struct record_source *source = create_source();
    wait_for_partitions(source, 3);
    poll_nothing(source, 500);
    (void)produce_retry(12, 0, 1, 0);
    struct record record;
    poll_records(source, &record, 1);
    cr_assert_eq(record.tier, 12);
    finish(source, &record);

    kafka_broker_create_topic(fixture.broker, TOPIC_RETRY_2, 1);
    wait_for_partitions(source, 4);
    (void)produce_retry(2, 0, 1, 0);
    poll_records(source, &record, 1);
    cr_assert_eq(record.tier, 2);
    finish(source, &record);
    destroy_source(source);
}

Test(source, waits_for_a_topic_that_is_created_later)
{
    struct record_source *source = create_source();
    poll_nothing(source, 2000);
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 1);
    produce_number(TOPIC_OPS, 0, 7);
    struct record record;
    poll_records(source, &record, 1);
    cr_assert_eq(number_of(&record), 7);
    source_release(source, &record, 1);
    destroy_source(source);
}

Test(source, gives_no_more_than_it_is_asked_for)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 1);
    static const char value[1000] = "";
    for (int i = 0; i < 10; i++) {
        (void)kafka_broker_produce(fixture.broker, TOPIC_OPS, 0, span_of_text("k"),
                                   span_make(value, sizeof value), NULL, 0);
    }
    struct record_source *source = create_source();
    struct record records[10];
    poll_records(source, records, 1);
    for (uint64_t until_ms = now_ms() + 500; now_ms() < until_ms;) {
        source_service(source);
    }
    cr_assert_eq(source_poll(source, records + 1, 9, 2500, FIXTURE_POLL_MS), 3);
    cr_assert_eq(source_poll(source, records + 4, 2, SIZE_MAX, FIXTURE_POLL_MS), 2);
    cr_assert_eq(source_poll(source, records + 6, 4, 1, FIXTURE_POLL_MS), 1, "at least one");
    source_release(source, records, 7);
    destroy_source(source);
}

Test(source, gives_headers_in_order_with_absent_and_empty_values)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 1);
    struct record_header headers[] = {
        {"a", span_of_text("1")}, {"b", span_make("", 0)}, {"c", {0}}, {"a", span_of_text("2")}};
    (void)kafka_broker_produce(fixture.broker, TOPIC_OPS, 0, (struct span){0}, (struct span){0},
                               headers, 4);
    (void)kafka_broker_produce_text(fixture.broker, TOPIC_OPS, 0, "k", "v");
    struct record_source *source = create_source();
    struct record records[2];
    poll_records(source, records, 2);
    cr_assert(span_is_absent(records[0].key));
    cr_assert(!span_is_absent(records[0].value) && records[0].value.size == 0);
    struct arena arena;
    arena_init(&arena, 65536);
    size_t count = 0;
    const struct record_header *got = source_headers(&records[0], &arena, &count);
    cr_assert_eq(count, 4);
    cr_assert(strcmp(got[0].name, "a") == 0 && span_equal_text(got[0].value, "1"));
    cr_assert(!span_is_absent(got[1].value) && got[1].value.size == 0);
    cr_assert(span_is_absent(got[2].value));
    cr_assert(strcmp(got[3].name, "a") == 0 && span_equal_text(got[3].value, "2"));
    (void)source_headers(&records[1], &arena, &count);
    cr_assert_eq(count, 0);
    arena_deinit(&arena);
    source_release(source, records, 2);
    destroy_source(source);
}

Test(source, pausing_and_going_on_neither_loses_nor_repeats_a_record)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 2);
    struct record_source *source = create_source();
    wait_for_partitions(source, 2);
    enum { COUNT = 6000, STEP = 37 };
    int64_t next[2] = {0};
    for (int i = 0; i < COUNT; i++) {
        produce_number(TOPIC_OPS, i % 2, i);
        if (i % 10 == 0) {
            source_service(source);
        }
    }
    uint64_t deadline_ms = now_ms() + FIXTURE_PATIENCE_MS;
    while (next[0] + next[1] < COUNT && now_ms() < deadline_ms) {
        struct record records[STEP];
        size_t count = source_poll(source, records, STEP, SIZE_MAX, FIXTURE_POLL_MS);
        for (size_t i = 0; i < count; i++) {
            cr_assert_eq(records[i].offset, next[records[i].partition]++);
        }
        source_settle(source, records, count);
        source_release(source, records, count);
        for (int i = 0; i < 8; i++) {
            source_service(source);
        }
    }
    cr_assert_eq(next[0] + next[1], COUNT, "%d and %d", (int)next[0], (int)next[1]);
    destroy_source(source);
    cr_assert_eq(kafka_broker_committed(fixture.broker, GROUP, TOPIC_OPS, 1), COUNT / 2);
}

Test(source, refuses_a_configuration_that_librdkafka_refuses)
{
    char message[512] = "";
    set("kafka.consumer.session.timeout.ms", "5000");
    set("kafka.consumer.max.poll.interval.ms", "4000");
    cr_assert_null(
        source_create(&fixture.settings, &fixture.clock, fixture.log, message, sizeof message));
    cr_assert_not_null(strstr(message, "max.poll.interval.ms"), "%s", message);
}
