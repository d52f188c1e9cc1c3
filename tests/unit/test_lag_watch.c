#include "worker/lag_watch.h"

#include <criterion/criterion.h>

enum { INTERVAL_MS = 1000 };

static struct lag_watch watch;
static uint64_t time_ms, idle_polls;

static void start(void)
{
    watch = (struct lag_watch){0};
    time_ms = 1000000;
    idle_polls = 0;
}

static void stop(void)
{
    lag_watch_deinit(&watch);
}

TestSuite(lag_watch, .init = start, .fini = stop);

static struct progress_partition partition_at(int64_t position)
{
    return (struct progress_partition){.topic = "ops", .number = 3, .position = position};
}

/* An interval goes by, then one partition is looked at. Returns for how long it has been stuck. */
static uint64_t look(const struct progress_partition *partition, int64_t lag)
{
    time_ms += INTERVAL_MS;
    cr_assert(lag_watch_begin(&watch, partition, 1, idle_polls));
    lag_watch_judge(&watch, &watch.rows[0], lag, time_ms);
    return lag_watch_stuck_ms(&watch);
}

static uint64_t look_idle(const struct progress_partition *partition, int64_t lag)
{
    idle_polls++;
    return look(partition, lag);
}

Test(lag_watch, counts_while_an_idle_worker_leaves_records_alone)
{
    const struct progress_partition partition = partition_at(10);
    cr_expect_eq(look_idle(&partition, 2), 0, "they may have come just now");
    cr_expect_eq(look_idle(&partition, 2), INTERVAL_MS);
    cr_expect_eq(look_idle(&partition, 5), INTERVAL_MS + INTERVAL_MS);
    cr_expect_eq(watch.rows[0].lag, 5);
}

Test(lag_watch, counts_a_partition_of_which_nothing_came_yet)
{
    const struct progress_partition partition = partition_at(-1);
    (void)look_idle(&partition, 2);
    cr_expect_eq(look_idle(&partition, 2), INTERVAL_MS);
}

Test(lag_watch, does_not_count_without_lag)
{
    const struct progress_partition partition = partition_at(10);
    (void)look_idle(&partition, 2);
    (void)look_idle(&partition, 2);
    cr_expect_eq(look_idle(&partition, 0), 0);
    cr_expect_eq(look_idle(&partition, 2), 0, "these are new ones");
}

Test(lag_watch, begins_anew_where_the_position_moved)
{
    const struct progress_partition before = partition_at(10);
    const struct progress_partition after = partition_at(11);
    (void)look_idle(&before, 2);
    (void)look_idle(&before, 2);
    cr_expect_eq(look_idle(&after, 1), 0);
    cr_expect_eq(look_idle(&after, 1), INTERVAL_MS);
}

/* A busy worker has other records to get through first. */
Test(lag_watch, does_not_count_while_the_cycle_is_busy)
{
    const struct progress_partition partition = partition_at(10);
    (void)look_idle(&partition, 2);
    (void)look_idle(&partition, 2);
    cr_expect_eq(look(&partition, 2), 0);
    cr_expect_eq(look_idle(&partition, 2), INTERVAL_MS);
}

Test(lag_watch, does_not_count_what_rests)
{
    struct progress_partition partition = partition_at(10);
    (void)look_idle(&partition, 2);
    (void)look_idle(&partition, 2);
    partition.resting = true;
    cr_expect_eq(look_idle(&partition, 2), 0);
    cr_expect_eq(look_idle(&partition, 2), 0);
    partition.resting = false;
    cr_expect_eq(look_idle(&partition, 2), 0);
    cr_expect_eq(look_idle(&partition, 2), INTERVAL_MS);
}

Test(lag_watch, does_not_count_while_kafka_does_not_answer)
{
    const struct progress_partition partition = partition_at(10);
    (void)look_idle(&partition, 2);
    (void)look_idle(&partition, 2);
    cr_expect_eq(look_idle(&partition, -1), 0);
    cr_expect_eq(watch.rows[0].lag, -1);
    cr_expect_eq(look_idle(&partition, 2), 0);
    cr_expect_eq(look_idle(&partition, 2), INTERVAL_MS);
}

/* There may be no time for all of them at every look. */
Test(lag_watch, keeps_a_row_that_was_not_judged)
{
    const struct progress_partition partition = partition_at(10);
    (void)look_idle(&partition, 2);
    (void)look_idle(&partition, 2);
    time_ms += INTERVAL_MS;
    idle_polls++;
    cr_assert(lag_watch_begin(&watch, &partition, 1, idle_polls));
    cr_expect_eq(lag_watch_stuck_ms(&watch), INTERVAL_MS);
    cr_expect_eq(look_idle(&partition, 2), INTERVAL_MS + INTERVAL_MS + INTERVAL_MS);
}

static void judge_all(const struct progress_partition *partitions, size_t count)
{
    time_ms += INTERVAL_MS;
    idle_polls++;
    cr_assert(lag_watch_begin(&watch, partitions, count, idle_polls));
    for (size_t i = 0; i < count; i++) {
        lag_watch_judge(&watch, &watch.rows[i], 1, time_ms);
    }
}

/* Partitions come and go, in an order of their own; the same number of another topic is another. */
Test(lag_watch, knows_partitions_by_topic_and_number)
{
    const struct progress_partition before[] = {{.topic = "ops", .number = 1},
                                                {.topic = "ops", .number = 2},
                                                {.topic = "retry", .number = 2}};
    const struct progress_partition after[] = {{.topic = "retry", .number = 2},
                                               {.topic = "retry", .number = 1},
                                               {.topic = "ops", .number = 2}};
    judge_all(before, 3);
    judge_all(after, 3);
    cr_expect_eq(watch.rows[0].stuck_ms, INTERVAL_MS);
    cr_expect_eq(watch.rows[1].stuck_ms, 0);
    cr_expect_eq(watch.rows[2].stuck_ms, INTERVAL_MS);
    judge_all(NULL, 0);
    cr_expect_eq(lag_watch_stuck_ms(&watch), 0);
    judge_all(before, 3);
    cr_expect_eq(lag_watch_stuck_ms(&watch), 0, "a partition that comes back begins anew");
}
