#include "worker/stats.h"

#include <criterion/criterion.h>

#include "protocol/batch.h"
#include "protocol/result.h"

static struct operation operations[3] = {
    {.kind = OPERATION_ADD, .index = 0},
    {.kind = OPERATION_UPDATE, .index = 2},
    {.kind = OPERATION_REMOVE, .index = 5},
};
static struct batch batch = {.operations = operations, .operation_count = 3};

Test(stats, operations_count_by_kind_and_outcome)
{
    struct stats stats = {0};
    struct failure_entry failures[] = {{.index = 1}, {.index = 2, .pending = true}, {.index = 5}};
    const struct sync_result result = {.failures = failures, .failure_entry_count = 3};
    stats_count_attempt(&stats, &batch, &result);
    cr_assert_eq(stats.operations[OPERATION_ADD][OPERATION_SYNCED], 1);
    cr_assert_eq(stats.operations[OPERATION_UPDATE][OPERATION_REQUEUED], 1);
    cr_assert_eq(stats.operations[OPERATION_REMOVE][OPERATION_FAILED], 1);
    cr_assert_eq(stats_operations(&stats, OPERATION_SYNCED), 1);
    cr_assert_eq(stats_operations(&stats, OPERATION_FAILED), 1,
                 "a failure of an earlier attempt is not counted again");
}

Test(stats, a_conflict_counts_when_it_is_met_first)
{
    struct stats stats = {0};
    struct conflict_entry before[] = {{.index = 2, .reason = CONFLICT_ELEMENT_NOT_FOUND}};
    struct retry_section retry = {.conflicts = before, .conflict_count = 1};
    struct batch again = batch;
    again.retry = &retry;
    struct conflict_entry now[] = {
        {.index = 0,
         .reason = CONFLICT_STALE_TIMESTAMP,
         .resolution = RESOLUTION_KEEP_LOCAL,
         .resolved = true},
        {.index = 2, .reason = CONFLICT_ELEMENT_NOT_FOUND, .resolved = true},
        {.index = 5, .reason = CONFLICT_ELEMENT_NOT_FOUND},
    };
    const struct sync_result result = {.conflicts = now, .conflict_entry_count = 3};
    stats_count_attempt(&stats, &again, &result);
    cr_assert_eq(stats_conflicts(&stats), 2);
    cr_assert_eq(stats.conflicts[CONFLICT_STALE_TIMESTAMP][RESOLUTION_KEEP_LOCAL], 1);
    cr_assert_eq(stats.conflicts[CONFLICT_ELEMENT_NOT_FOUND][STATS_CONFLICT_PENDING], 1);
}
