/* A partition that was paused because it held too much, across rebalances. */
#include <criterion/criterion.h>

#include "tests/support/child_process.h"
#include "tests/support/source_fixture.h"
#include "worker/assignment.h"

/* More than a partition is paused at, so that the rest stays in Kafka. */
enum { COUNT = 4 * ASSIGNMENT_HELD_RECORDS_MAX, SERVE_MS = 5 };

TestSuite(source_pause, .init = source_fixture_start, .fini = source_fixture_stop,
          .timeout = FIXTURE_SUITE_S);

/* Serves the sources without taking a record, as a cycle does that waits for the store, until each
 * holds `count_each` partitions. */
static void serve_until(struct record_source *const sources[], size_t source_count,
                        size_t count_each)
{
    uint64_t deadline_ms = now_ms() + FIXTURE_SHARING_MS;
    size_t ready_count = 0;
    while (ready_count < source_count) {
        cr_assert_lt(now_ms(), deadline_ms, "%zu of %zu members hold %zu each", ready_count,
                     source_count, count_each);
        ready_count = 0;
        for (size_t i = 0; i < source_count; i++) {
            source_service(sources[i]);
            ready_count += source_assigned_count(sources[i]) == count_each ? 1 : 0;
        }
        sleep_ms(SERVE_MS);
    }
}

static void serve_for(struct record_source *source, uint64_t wait_ms)
{
    for (uint64_t end_ms = now_ms() + wait_ms; now_ms() < end_ms;) {
        source_service(source);
        sleep_ms(SERVE_MS);
    }
}

static void check_partition_that_comes_back(void)
{
    kafka_broker_create_topics(fixture.broker, &fixture.settings, 0, 2);
    struct record_source *sources[2] = {create_source()};
    wait_for_partitions(sources[0], 2);
    for (int i = 0; i < 2 * COUNT; i++) {
        produce_number(TOPIC_OPS, i % 2, i);
    }
    serve_for(sources[0], 2000); /* both partitions are full by then, and paused */
    sources[1] = create_source();
    serve_until(sources, 2, 1);
    destroy_source(sources[1]);
    serve_until(sources, 1, 2);

    int64_t next[2] = {0};
    uint64_t deadline_ms = now_ms() + FIXTURE_PATIENCE_MS;
    while (next[0] < COUNT || next[1] < COUNT) {
        cr_assert_lt(now_ms(), deadline_ms, "%d and %d records came", (int)next[0], (int)next[1]);
        struct record record;
        if (source_poll(sources[0], &record, 1, SIZE_MAX, FIXTURE_POLL_MS) == 1) {
            next[record.partition] = record.offset + 1;
            source_release(sources[0], &record, 1);
        }
    }
    destroy_source(sources[0]);
}

Test(source_pause, partition_that_comes_back_is_read_again)
{
    set("kafka.consumer.partition.assignment.strategy", "range");
    check_partition_that_comes_back();
}

Test(source_pause, partition_that_comes_back_is_read_again_by_cooperative_sticky)
{
    set("kafka.consumer.partition.assignment.strategy", "cooperative-sticky");
    check_partition_that_comes_back();
}
