#include "worker/durations.h"

#include <criterion/criterion.h>

Test(durations, a_bound_belongs_to_its_own_bucket)
{
    struct durations durations = {0};
    const struct durations_bounds *const bounds = &durations_bounds_process;
    durations_note(&durations, bounds, 0);
    durations_note(&durations, bounds, bounds->upper_ms[0]);
    durations_note(&durations, bounds, bounds->upper_ms[0] + 1);
    cr_assert_eq(durations.counts[0], 2);
    cr_assert_eq(durations.counts[1], 1);
}

Test(durations, what_is_longer_than_all_bounds_counts_too)
{
    struct durations durations = {0};
    const struct durations_bounds *const bounds = &durations_bounds_age;
    durations_note(&durations, bounds, UINT64_C(1) << 40);
    cr_assert_eq(durations.counts[bounds->count], 1);
    cr_assert_eq(durations.sum_ms, UINT64_C(1) << 40);
    cr_assert_eq(durations_count(&durations, bounds), 1);
}

static void expect_ascending(const struct durations_bounds *bounds)
{
    cr_assert_leq(bounds->count, (size_t)DURATIONS_BOUNDS_MAX);
    for (size_t i = 1; i < bounds->count; i++) {
        cr_assert_lt(bounds->upper_ms[i - 1], bounds->upper_ms[i]);
    }
}

Test(durations, bounds_ascend)
{
    expect_ascending(&durations_bounds_process);
    expect_ascending(&durations_bounds_commit);
    expect_ascending(&durations_bounds_age);
}
