#include "worker/lag_monitor.h"

#include <criterion/criterion.h>

static struct progress_partition partition_at(int64_t position)
{
    return (struct progress_partition){
        .topic = "scene.ops.retry-1", .position = position, .committed = 3, .waits_from = -1};
}

Test(lag_monitor, lag_is_what_lies_behind_the_position)
{
    const struct progress_partition partition = partition_at(10);
    const struct partition_lag lag = partition_lag_of(&partition, 25);
    cr_assert_eq(lag.lag, 15);
    cr_assert_eq(lag.processable_lag, 15);
    cr_assert_eq(lag.due_ms, 0);
}

Test(lag_monitor, what_waits_for_its_time_is_lag_but_not_processable)
{
    struct progress_partition partition = partition_at(10);
    partition.waits_from = 12;
    partition.due_ms = 5000;
    const struct partition_lag lag = partition_lag_of(&partition, 25);
    cr_assert_eq(lag.lag, 15);
    cr_assert_eq(lag.processable_lag, 2);
    cr_assert_eq(lag.due_ms, 5000);
}

Test(lag_monitor, where_nothing_was_read_yet_the_committed_offset_counts)
{
    const struct progress_partition partition = partition_at(-1);
    cr_assert_eq(partition_lag_of(&partition, 25).lag, 22);
}

Test(lag_monitor, what_is_not_known_is_said_to_be_so)
{
    struct progress_partition partition = partition_at(10);
    cr_assert_eq(partition_lag_of(&partition, -1).lag, -1);
    partition.position = -1;
    partition.committed = -1;
    cr_assert_eq(partition_lag_of(&partition, 25).processable_lag, -1);
}

Test(lag_monitor, a_position_behind_the_end_is_no_lag)
{
    const struct progress_partition partition = partition_at(30); /* a look that came later */
    cr_assert_eq(partition_lag_of(&partition, 25).lag, 0);
}
