#include "store/conflict.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { LOCAL_MS = 100 };
enum { OLDER = LOCAL_MS - 1, SAME = LOCAL_MS, NEWER = LOCAL_MS + 1 };
enum base { NO_BASE, BASE_EQUAL, BASE_DIFFERENT };

enum { APPLY = DECISION_APPLY, KEEP = DECISION_KEEP_LOCAL, RETRY = DECISION_RETRY };

/* A row of the protocol's table of conflicts: what is met, the reason, and the decision under
 * last_write_wins, local_wins, remote_wins, and remote_wins on a retry. */
static const struct table_row {
    enum operation_kind kind;
    enum element_presence presence;
    uint64_t remote_ms;
    bool removed_by_batch;
    enum base base;
    enum conflict_reason reason;
    int last_write_wins, local_wins, remote_wins, remote_wins_retry;
} table[] = {
    {OPERATION_ADD, ELEMENT_UNKNOWN, OLDER, false, NO_BASE, CONFLICT_NONE, APPLY, APPLY, APPLY,
     APPLY},
    {OPERATION_ADD, ELEMENT_REMOVED, NEWER, false, NO_BASE, CONFLICT_NONE, APPLY, APPLY, APPLY,
     APPLY},
    {OPERATION_ADD, ELEMENT_REMOVED, NEWER, true, NO_BASE, CONFLICT_NONE, APPLY, APPLY, APPLY,
     APPLY},
    {OPERATION_ADD, ELEMENT_REMOVED, SAME, true, NO_BASE, CONFLICT_NONE, APPLY, APPLY, APPLY,
     APPLY},
    {OPERATION_ADD, ELEMENT_REMOVED, SAME, false, NO_BASE, CONFLICT_STALE_TIMESTAMP, KEEP, KEEP,
     APPLY, APPLY},
    {OPERATION_ADD, ELEMENT_REMOVED, OLDER, false, NO_BASE, CONFLICT_STALE_TIMESTAMP, KEEP, KEEP,
     APPLY, KEEP},
    {OPERATION_ADD, ELEMENT_REMOVED, OLDER, true, NO_BASE, CONFLICT_STALE_TIMESTAMP, KEEP, KEEP,
     APPLY, KEEP},
    {OPERATION_ADD, ELEMENT_PRESENT, NEWER, false, NO_BASE, CONFLICT_ELEMENT_ALREADY_EXISTS, APPLY,
     KEEP, APPLY, APPLY},
    {OPERATION_ADD, ELEMENT_PRESENT, SAME, false, NO_BASE, CONFLICT_ELEMENT_ALREADY_EXISTS, APPLY,
     KEEP, APPLY, APPLY},
    {OPERATION_ADD, ELEMENT_PRESENT, OLDER, false, NO_BASE, CONFLICT_STALE_TIMESTAMP, KEEP, KEEP,
     APPLY, KEEP},
    {OPERATION_UPDATE, ELEMENT_UNKNOWN, OLDER, false, NO_BASE, CONFLICT_ELEMENT_NOT_FOUND, RETRY,
     RETRY, RETRY, RETRY},
    {OPERATION_UPDATE, ELEMENT_REMOVED, OLDER, false, NO_BASE, CONFLICT_STALE_TIMESTAMP, KEEP, KEEP,
     KEEP, KEEP},
    {OPERATION_UPDATE, ELEMENT_REMOVED, SAME, false, NO_BASE, CONFLICT_ELEMENT_NOT_FOUND, RETRY,
     RETRY, RETRY, RETRY},
    {OPERATION_UPDATE, ELEMENT_REMOVED, NEWER, false, NO_BASE, CONFLICT_ELEMENT_NOT_FOUND, RETRY,
     RETRY, RETRY, RETRY},
    {OPERATION_UPDATE, ELEMENT_REMOVED, SAME, true, NO_BASE, CONFLICT_ELEMENT_NOT_FOUND, RETRY,
     RETRY, RETRY, RETRY},
    {OPERATION_UPDATE, ELEMENT_PRESENT, NEWER, false, NO_BASE, CONFLICT_NONE, APPLY, APPLY, APPLY,
     APPLY},
    {OPERATION_UPDATE, ELEMENT_PRESENT, SAME, false, NO_BASE, CONFLICT_NONE, APPLY, APPLY, APPLY,
     APPLY},
    {OPERATION_UPDATE, ELEMENT_PRESENT, OLDER, false, NO_BASE, CONFLICT_STALE_TIMESTAMP, KEEP, KEEP,
     APPLY, KEEP},
    {OPERATION_REMOVE, ELEMENT_PRESENT, NEWER, false, NO_BASE, CONFLICT_NONE, APPLY, APPLY, APPLY,
     APPLY},
    {OPERATION_REMOVE, ELEMENT_PRESENT, SAME, false, NO_BASE, CONFLICT_NONE, APPLY, APPLY, APPLY,
     APPLY},
    {OPERATION_REMOVE, ELEMENT_PRESENT, OLDER, false, NO_BASE, CONFLICT_STALE_TIMESTAMP, KEEP, KEEP,
     APPLY, KEEP},
    {OPERATION_REMOVE, ELEMENT_UNKNOWN, OLDER, false, NO_BASE, CONFLICT_ELEMENT_NOT_FOUND, RETRY,
     RETRY, RETRY, RETRY},
    {OPERATION_REMOVE, ELEMENT_REMOVED, OLDER, false, NO_BASE, CONFLICT_ELEMENT_NOT_FOUND,
     DECISION_FAIL, DECISION_FAIL, DECISION_FAIL, DECISION_FAIL},
    {OPERATION_REMOVE, ELEMENT_REMOVED, SAME, false, NO_BASE, CONFLICT_ELEMENT_NOT_FOUND,
     DECISION_FAIL, DECISION_FAIL, DECISION_FAIL, DECISION_FAIL},
    {OPERATION_REMOVE, ELEMENT_REMOVED, NEWER, true, NO_BASE, CONFLICT_ELEMENT_NOT_FOUND,
     DECISION_FAIL, DECISION_FAIL, DECISION_FAIL, DECISION_FAIL},
    {OPERATION_INTERACTION, ELEMENT_UNKNOWN, OLDER, false, NO_BASE, CONFLICT_NONE, APPLY, APPLY,
     APPLY, APPLY},
    /* base_version equal: causally after what is stored, whatever the clocks say. */
    {OPERATION_ADD, ELEMENT_PRESENT, OLDER, false, BASE_EQUAL, CONFLICT_NONE, APPLY, APPLY, APPLY,
     APPLY},
    {OPERATION_ADD, ELEMENT_PRESENT, NEWER, false, BASE_EQUAL, CONFLICT_NONE, APPLY, APPLY, APPLY,
     APPLY},
    {OPERATION_UPDATE, ELEMENT_PRESENT, OLDER, false, BASE_EQUAL, CONFLICT_NONE, APPLY, APPLY,
     APPLY, APPLY},
    {OPERATION_UPDATE, ELEMENT_PRESENT, NEWER, false, BASE_EQUAL, CONFLICT_NONE, APPLY, APPLY,
     APPLY, APPLY},
    {OPERATION_REMOVE, ELEMENT_PRESENT, OLDER, false, BASE_EQUAL, CONFLICT_NONE, APPLY, APPLY,
     APPLY, APPLY},
    /* Different: ConcurrentModification in the place of every other reason, and of none. */
    {OPERATION_ADD, ELEMENT_PRESENT, NEWER, false, BASE_DIFFERENT, CONFLICT_CONCURRENT_MODIFICATION,
     APPLY, KEEP, APPLY, APPLY},
    {OPERATION_ADD, ELEMENT_PRESENT, OLDER, false, BASE_DIFFERENT, CONFLICT_CONCURRENT_MODIFICATION,
     KEEP, KEEP, APPLY, KEEP},
    {OPERATION_UPDATE, ELEMENT_PRESENT, NEWER, false, BASE_DIFFERENT,
     CONFLICT_CONCURRENT_MODIFICATION, APPLY, KEEP, APPLY, APPLY},
    {OPERATION_UPDATE, ELEMENT_PRESENT, SAME, false, BASE_DIFFERENT,
     CONFLICT_CONCURRENT_MODIFICATION, APPLY, KEEP, APPLY, APPLY},
    {OPERATION_UPDATE, ELEMENT_PRESENT, OLDER, false, BASE_DIFFERENT,
     CONFLICT_CONCURRENT_MODIFICATION, KEEP, KEEP, APPLY, KEEP},
    {OPERATION_REMOVE, ELEMENT_PRESENT, NEWER, false, BASE_DIFFERENT,
     CONFLICT_CONCURRENT_MODIFICATION, APPLY, KEEP, APPLY, APPLY},
    {OPERATION_REMOVE, ELEMENT_PRESENT, OLDER, false, BASE_DIFFERENT,
     CONFLICT_CONCURRENT_MODIFICATION, KEEP, KEEP, APPLY, KEEP},
};

static struct conflict_case case_of(const struct table_row *row, bool is_retry)
{
    return (struct conflict_case){
        .kind = row->kind,
        .presence = row->presence,
        .local_ms = LOCAL_MS,
        .remote_ms = row->remote_ms,
        .removed_by_batch = row->removed_by_batch,
        .has_base = row->base != NO_BASE,
        .base_is_current = row->base == BASE_EQUAL,
        .is_retry = is_retry,
    };
}

static void expect(size_t number, enum strategy strategy, bool is_retry, int expected)
{
    struct conflict_case arrived = case_of(&table[number], is_retry);
    enum conflict_reason reason = conflict_detect(&arrived);
    cr_expect_eq(reason, table[number].reason, "row %zu: reason %d, expected %d", number,
                 (int)reason, (int)table[number].reason);
    enum conflict_decision decision = conflict_resolve(&arrived, reason, strategy);
    cr_expect_eq((int)decision, expected, "row %zu, %s%s: decided %d, expected %d", number,
                 strategy_name(strategy), is_retry ? " on a retry" : "", (int)decision, expected);
}

Test(conflict, decides_every_row_under_every_strategy)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct table_row *row = &table[i];
        expect(i, STRATEGY_LAST_WRITE_WINS, false, row->last_write_wins);
        expect(i, STRATEGY_LOCAL_WINS, false, row->local_wins);
        expect(i, STRATEGY_REMOTE_WINS, false, row->remote_wins);
    }
}

/* Only remote_wins decides otherwise on a retry: a delayed operation must not overwrite what came
 * after it. */
Test(conflict, decides_every_row_on_a_retry)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct table_row *row = &table[i];
        expect(i, STRATEGY_LAST_WRITE_WINS, true, row->last_write_wins);
        expect(i, STRATEGY_LOCAL_WINS, true, row->local_wins);
        expect(i, STRATEGY_REMOTE_WINS, true, row->remote_wins_retry);
    }
}

Test(conflict, compares_timestamps_over_their_whole_range)
{
    struct conflict_case arrived = {.kind = OPERATION_UPDATE, .presence = ELEMENT_PRESENT};
    arrived.local_ms = UINT64_MAX;
    arrived.remote_ms = 0;
    cr_expect_eq(conflict_detect(&arrived), CONFLICT_STALE_TIMESTAMP);
    arrived.remote_ms = UINT64_MAX;
    cr_expect_eq(conflict_detect(&arrived), CONFLICT_NONE);
    arrived.local_ms = 0;
    cr_expect_eq(conflict_detect(&arrived), CONFLICT_NONE);
}
