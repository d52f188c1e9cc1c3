#include "protocol/vocabulary.h"

#include <criterion/criterion.h>

static struct span text(const char *name)
{
    return span_of_text(name);
}

Test(vocabulary, reads_both_spellings_of_a_strategy)
{
    cr_assert_eq(strategy_of_name(text("last_write_wins")), STRATEGY_LAST_WRITE_WINS);
    cr_assert_eq(strategy_of_name(text("LastWriteWins")), STRATEGY_LAST_WRITE_WINS);
    cr_assert_eq(strategy_of_name(text("local_wins")), STRATEGY_LOCAL_WINS);
    cr_assert_eq(strategy_of_name(text("LocalWins")), STRATEGY_LOCAL_WINS);
    cr_assert_eq(strategy_of_name(text("remote_wins")), STRATEGY_REMOTE_WINS);
    cr_assert_eq(strategy_of_name(text("RemoteWins")), STRATEGY_REMOTE_WINS);
    cr_assert_eq(strategy_of_name(text("merge")), STRATEGY_MERGE);
    cr_assert_eq(strategy_of_name(text("Merge")), STRATEGY_MERGE);
}

Test(vocabulary, knows_no_other_strategy)
{
    const char *const names[] = {"", "last-write-wins", "LASTWRITEWINS", "merge ", "merg"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_assert_eq(strategy_of_name(text(names[i])), STRATEGY_COUNT, "\"%s\"", names[i]);
    }
    /* A NUL byte is a character like any other. */
    cr_assert_eq(strategy_of_name(span_make("merge\0", 6)), STRATEGY_COUNT);
}

Test(vocabulary, every_name_leads_back_to_its_value)
{
    for (int i = 0; i < STRATEGY_COUNT; i++) {
        cr_assert_eq(strategy_of_name(text(strategy_name((enum strategy)i))), (enum strategy)i);
    }
    for (int i = CONFLICT_NONE + 1; i < CONFLICT_REASON_COUNT; i++) {
        const enum conflict_reason reason = (enum conflict_reason)i;
        cr_assert_eq(conflict_reason_of_name(text(conflict_reason_name(reason))), reason);
    }
    for (int i = 0; i < RESOLUTION_COUNT; i++) {
        const enum resolution resolution = (enum resolution)i;
        cr_assert_eq(resolution_of_name(text(resolution_name(resolution))), resolution);
    }
}

Test(vocabulary, names_stand_on_the_wire_as_documented)
{
    cr_assert_str_eq(strategy_name(STRATEGY_REMOTE_WINS), "remote_wins");
    cr_assert_str_eq(conflict_reason_name(CONFLICT_STALE_TIMESTAMP), "StaleTimestamp");
    cr_assert_str_eq(conflict_reason_name(CONFLICT_ELEMENT_ALREADY_EXISTS), "ElementAlreadyExists");
    cr_assert_str_eq(resolution_name(RESOLUTION_KEEP_REMOTE), "keep_remote");
}

Test(vocabulary, no_conflict_has_no_name)
{
    cr_assert_null(conflict_reason_name(CONFLICT_NONE));
    cr_assert_eq(conflict_reason_of_name(text("")), CONFLICT_REASON_COUNT);
    cr_assert_eq(conflict_reason_of_name(text("staletimestamp")), CONFLICT_REASON_COUNT);
    cr_assert_eq(resolution_of_name(text("keep")), RESOLUTION_COUNT);
}
