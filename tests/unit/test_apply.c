#include "store/apply.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/apply_fixture.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The element "a" of the tables. */
enum { LOCAL_N = 7 };
#define LOCAL_DOCUMENT "{'id':'a','kind':{'type':'T'},'n':7}"

static struct apply_fixture fixture;

static void begin_again(void)
{
    apply_fixture_begin(&fixture);
}

static void teardown(void)
{
    apply_fixture_end(&fixture);
}

TestSuite(apply, .init = begin_again, .fini = teardown);

/* The table of conflicts, on a scene. */

static const struct table_row {
    enum element_presence presence;
    const char *operation;
    uint64_t remote_ms;
    enum conflict_reason reason;
    enum error_code last_write_wins, local_wins, remote_wins; /* ERROR_NONE: applied */
} table[] = {
    {ELEMENT_UNKNOWN, ADD("a", 9, 100), 100, CONFLICT_NONE, 0, 0, 0},
    {ELEMENT_REMOVED, ADD("a", 9, 101), 101, CONFLICT_NONE, 0, 0, 0},
    {ELEMENT_REMOVED, ADD("a", 9, 100), 100, CONFLICT_STALE_TIMESTAMP, ERROR_STALE_TIMESTAMP,
     ERROR_STALE_TIMESTAMP, 0},
    {ELEMENT_REMOVED, ADD("a", 9, 99), 99, CONFLICT_STALE_TIMESTAMP, ERROR_STALE_TIMESTAMP,
     ERROR_STALE_TIMESTAMP, 0},
    {ELEMENT_PRESENT, ADD("a", 9, 101), 101, CONFLICT_ELEMENT_ALREADY_EXISTS, 0,
     ERROR_ELEMENT_ALREADY_EXISTS, 0},
    {ELEMENT_PRESENT, ADD("a", 9, 100), 100, CONFLICT_ELEMENT_ALREADY_EXISTS, 0,
     ERROR_ELEMENT_ALREADY_EXISTS, 0},
    {ELEMENT_PRESENT, ADD("a", 9, 99), 99, CONFLICT_STALE_TIMESTAMP, ERROR_STALE_TIMESTAMP,
     ERROR_STALE_TIMESTAMP, 0},
    {ELEMENT_UNKNOWN, UPDATE("a", 9, 100), 100, CONFLICT_ELEMENT_NOT_FOUND, ERROR_ELEMENT_NOT_FOUND,
     ERROR_ELEMENT_NOT_FOUND, ERROR_ELEMENT_NOT_FOUND},
    {ELEMENT_REMOVED, UPDATE("a", 9, 99), 99, CONFLICT_STALE_TIMESTAMP, ERROR_STALE_TIMESTAMP,
     ERROR_STALE_TIMESTAMP, ERROR_STALE_TIMESTAMP},
    {ELEMENT_REMOVED, UPDATE("a", 9, 100), 100, CONFLICT_ELEMENT_NOT_FOUND, ERROR_ELEMENT_NOT_FOUND,
     ERROR_ELEMENT_NOT_FOUND, ERROR_ELEMENT_NOT_FOUND},
    {ELEMENT_REMOVED, UPDATE("a", 9, 101), 101, CONFLICT_ELEMENT_NOT_FOUND, ERROR_ELEMENT_NOT_FOUND,
     ERROR_ELEMENT_NOT_FOUND, ERROR_ELEMENT_NOT_FOUND},
    {ELEMENT_PRESENT, UPDATE("a", 9, 101), 101, CONFLICT_NONE, 0, 0, 0},
    {ELEMENT_PRESENT, UPDATE("a", 9, 100), 100, CONFLICT_NONE, 0, 0, 0},
    {ELEMENT_PRESENT, UPDATE("a", 9, 99), 99, CONFLICT_STALE_TIMESTAMP, ERROR_STALE_TIMESTAMP,
     ERROR_STALE_TIMESTAMP, 0},
    {ELEMENT_PRESENT, REMOVE("a", 101), 101, CONFLICT_NONE, 0, 0, 0},
    {ELEMENT_PRESENT, REMOVE("a", 100), 100, CONFLICT_NONE, 0, 0, 0},
    {ELEMENT_PRESENT, REMOVE("a", 99), 99, CONFLICT_STALE_TIMESTAMP, ERROR_STALE_TIMESTAMP,
     ERROR_STALE_TIMESTAMP, 0},
    {ELEMENT_UNKNOWN, REMOVE("a", 100), 100, CONFLICT_ELEMENT_NOT_FOUND, ERROR_ELEMENT_NOT_FOUND,
     ERROR_ELEMENT_NOT_FOUND, ERROR_ELEMENT_NOT_FOUND},
    {ELEMENT_REMOVED, REMOVE("a", 99), 99, CONFLICT_ELEMENT_NOT_FOUND, ERROR_ELEMENT_REMOVED,
     ERROR_ELEMENT_REMOVED, ERROR_ELEMENT_REMOVED},
    {ELEMENT_REMOVED, REMOVE("a", 100), 100, CONFLICT_ELEMENT_NOT_FOUND, ERROR_ELEMENT_REMOVED,
     ERROR_ELEMENT_REMOVED, ERROR_ELEMENT_REMOVED},
    {ELEMENT_REMOVED, REMOVE("a", 101), 101, CONFLICT_ELEMENT_NOT_FOUND, ERROR_ELEMENT_REMOVED,
     ERROR_ELEMENT_REMOVED, ERROR_ELEMENT_REMOVED},
    /* base_version: of the version that is stored, and of another one. */
    {ELEMENT_PRESENT, UPDATE_ON(4, "a", 9, 99), 99, CONFLICT_NONE, 0, 0, 0},
    {ELEMENT_PRESENT, UPDATE_ON(4, "a", 9, 101), 101, CONFLICT_NONE, 0, 0, 0},
    {ELEMENT_PRESENT, UPDATE_ON(3, "a", 9, 101), 101, CONFLICT_CONCURRENT_MODIFICATION, 0,
     ERROR_CONCURRENT_MODIFICATION, 0},
    {ELEMENT_PRESENT, UPDATE_ON(3, "a", 9, 100), 100, CONFLICT_CONCURRENT_MODIFICATION, 0,
     ERROR_CONCURRENT_MODIFICATION, 0},
    {ELEMENT_PRESENT, UPDATE_ON(3, "a", 9, 99), 99, CONFLICT_CONCURRENT_MODIFICATION,
     ERROR_CONCURRENT_MODIFICATION, ERROR_CONCURRENT_MODIFICATION, 0},
    {ELEMENT_REMOVED, UPDATE_ON(4, "a", 9, 99), 99, CONFLICT_STALE_TIMESTAMP, ERROR_STALE_TIMESTAMP,
     ERROR_STALE_TIMESTAMP, ERROR_STALE_TIMESTAMP},
    {ELEMENT_UNKNOWN, UPDATE_ON(0, "a", 9, 100), 100, CONFLICT_ELEMENT_NOT_FOUND,
     ERROR_ELEMENT_NOT_FOUND, ERROR_ELEMENT_NOT_FOUND, ERROR_ELEMENT_NOT_FOUND},
};

static struct element *given(enum element_presence presence)
{
    switch (presence) {
    case ELEMENT_PRESENT:
        return scene_with(fixture.scene, "a", LOCAL_VERSION, LOCAL_MS, LOCAL_DOCUMENT);
    case ELEMENT_REMOVED:
        return scene_with_tombstone(fixture.scene, "a", LOCAL_VERSION, LOCAL_MS);
    case ELEMENT_UNKNOWN:
        break;
    }
    return scene_without(fixture.scene, "a");
}

static void expect_applied(const struct table_row *row, const struct outcome *outcome)
{
    const struct element *element = scene_get(fixture.scene, "a");
    uint64_t local_ms = row->presence == ELEMENT_UNKNOWN ? 0 : LOCAL_MS;
    bool is_remove = operation_of(row->operation).kind == OPERATION_REMOVE;
    cr_expect_eq(outcome->status, OUTCOME_SYNCED);
    cr_expect(outcome->reason == CONFLICT_NONE || outcome->resolution == RESOLUTION_KEEP_REMOTE);
    cr_expect_eq(element->presence, is_remove ? ELEMENT_REMOVED : ELEMENT_PRESENT);
    cr_expect(is_remove || element_number(element, "n") == 9);
    /* Clocks never go back. */
    cr_expect_eq(element->timestamp_ms, local_ms > row->remote_ms ? local_ms : row->remote_ms);
    cr_expect_eq(scene_end_batch(fixture.scene), SCENE_VERSION + 1);
    cr_expect_eq(element->version, SCENE_VERSION + 1);
}

static void expect_refused(const struct table_row *row, const struct outcome *outcome,
                           enum error_code code)
{
    static const char *const starts[CONFLICT_REASON_COUNT] = {
        [CONFLICT_ELEMENT_NOT_FOUND] = "element not found",
        [CONFLICT_ELEMENT_ALREADY_EXISTS] = "element already exists",
        [CONFLICT_CONCURRENT_MODIFICATION] = "concurrent modification",
        [CONFLICT_STALE_TIMESTAMP] = "stale timestamp (local=100, remote="};
    const struct element *element = scene_get(fixture.scene, "a");
    bool is_retryable = code == ERROR_ELEMENT_NOT_FOUND;
    bool raises_tombstone = code == ERROR_ELEMENT_REMOVED && row->remote_ms > LOCAL_MS;
    cr_expect_eq(outcome->status, is_retryable ? OUTCOME_PENDING : OUTCOME_FAILED);
    cr_expect_eq(outcome->code, code);
    cr_expect_eq(outcome->is_retryable, is_retryable);
    cr_expect_eq(outcome->resolution, RESOLUTION_KEEP_LOCAL);
    outcome_expect_says(*outcome, starts[row->reason]);
    cr_expect_eq(element->presence, row->presence);
    cr_expect(row->presence != ELEMENT_PRESENT || element_number(element, "n") == LOCAL_N);
    if (row->presence != ELEMENT_UNKNOWN) {
        cr_expect_eq(element->timestamp_ms, raises_tombstone ? row->remote_ms : LOCAL_MS);
        cr_expect_eq(element->version, raises_tombstone ? SCENE_VERSION + 1 : LOCAL_VERSION);
    }
    /* A tombstone that rises is a change. */
    cr_expect_eq(scene_end_batch(fixture.scene), SCENE_VERSION + (raises_tombstone ? 1 : 0));
}

static void check_row(const struct table_row *row, enum strategy strategy, enum error_code code)
{
    begin_again();
    given(row->presence);
    fixture.context.strategy = strategy;
    struct outcome outcome = apply_fixture_apply(&fixture, row->operation);
    cr_expect_eq(outcome.reason, row->reason, "%s on %d", row->operation, (int)row->presence);
    if (outcome.reason == CONFLICT_STALE_TIMESTAMP) {
        cr_expect_eq(outcome.stale_local_ms, LOCAL_MS);
        cr_expect_eq(outcome.stale_remote_ms, row->remote_ms);
    }
    bool is_unknown = row->presence == ELEMENT_UNKNOWN;
    cr_expect_eq(outcome.local.version, is_unknown ? 0 : LOCAL_VERSION);
    cr_expect_eq(outcome.local.timestamp_ms, is_unknown ? 0 : LOCAL_MS);
    cr_expect_eq(outcome.local.removed, row->presence == ELEMENT_REMOVED);
    cr_assert_eq(outcome.status == OUTCOME_SYNCED, code == ERROR_NONE, "%s of %s on %d",
                 strategy_name(strategy), row->operation, (int)row->presence);
    if (code == ERROR_NONE) {
        expect_applied(row, &outcome);
    } else {
        expect_refused(row, &outcome, code);
    }
}

Test(apply, does_what_the_table_says_under_every_strategy)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        check_row(&table[i], STRATEGY_LAST_WRITE_WINS, table[i].last_write_wins);
        check_row(&table[i], STRATEGY_LOCAL_WINS, table[i].local_wins);
        check_row(&table[i], STRATEGY_REMOTE_WINS, table[i].remote_wins);
    }
}

/* The tests that the mission names. */

Test(apply, test_detect_element_not_found)
{
    struct outcome outcome = apply_fixture_apply(&fixture, UPDATE("nobody", 1, 500));
    cr_assert_eq(outcome.reason, CONFLICT_ELEMENT_NOT_FOUND);
    cr_assert_eq(outcome.code, ERROR_ELEMENT_NOT_FOUND);
    cr_assert(outcome.is_retryable, "the element may still come");
    outcome_expect_says(outcome, "element not found: update of 'nobody'");
    cr_assert_eq(scene_get(fixture.scene, "nobody")->presence, ELEMENT_UNKNOWN);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION);
}

Test(apply, test_detect_stale_timestamp)
{
    given(ELEMENT_PRESENT);
    struct outcome outcome = apply_fixture_apply(&fixture, UPDATE("a", 9, 99));
    cr_assert_eq(outcome.reason, CONFLICT_STALE_TIMESTAMP);
    cr_assert_eq(outcome.stale_local_ms, 100);
    cr_assert_eq(outcome.stale_remote_ms, 99);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE("a", 9, 100)).reason, CONFLICT_NONE,
                 "equal is not stale");
}

Test(apply, test_resolve_last_write_wins)
{
    given(ELEMENT_PRESENT);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE("a", 8, 99)).code, ERROR_STALE_TIMESTAMP);
    cr_assert_eq(element_number(scene_get(fixture.scene, "a"), "n"), LOCAL_N);
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 9, 101)).resolution,
                 RESOLUTION_KEEP_REMOTE);
    cr_assert_eq(element_number(scene_get(fixture.scene, "a"), "n"), 9);
}

Test(apply, test_resolve_local_wins)
{
    given(ELEMENT_PRESENT);
    fixture.context.strategy = STRATEGY_LOCAL_WINS;
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 9, 101)).code,
                 ERROR_ELEMENT_ALREADY_EXISTS);
    cr_assert_eq(apply_fixture_apply(&fixture, REMOVE("a", 99)).code, ERROR_STALE_TIMESTAMP);
    cr_assert_eq(element_number(scene_get(fixture.scene, "a"), "n"), LOCAL_N);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE("a", 10, 101)).status, OUTCOME_SYNCED,
                 "no conflict, no local win");
}

Test(apply, test_resolve_remote_wins)
{
    given(ELEMENT_PRESENT);
    fixture.context.strategy = STRATEGY_REMOTE_WINS;
    struct outcome outcome = apply_fixture_apply(&fixture, UPDATE("a", 9, 50));
    cr_assert_eq(outcome.status, OUTCOME_SYNCED);
    cr_assert_eq(outcome.reason, CONFLICT_STALE_TIMESTAMP);
    cr_assert_eq(outcome.resolution, RESOLUTION_KEEP_REMOTE);
    cr_assert_eq(element_number(scene_get(fixture.scene, "a"), "n"), 9);
    cr_assert_eq(scene_get(fixture.scene, "a")->timestamp_ms, LOCAL_MS, "its clock stays");
}

/* Retries. */

Test(apply, remote_wins_keeps_what_is_newer_on_a_retry)
{
    static const struct {
        const char *operation;
        enum error_code code;
    } rows[] = {{UPDATE("a", 9, 99), ERROR_STALE_TIMESTAMP},
                {REMOVE("a", 99), ERROR_STALE_TIMESTAMP},
                {ADD("a", 9, 99), ERROR_STALE_TIMESTAMP},
                {UPDATE_ON(3, "a", 9, 99), ERROR_CONCURRENT_MODIFICATION},
                {UPDATE_ON(3, "a", 9, 100), ERROR_NONE},
                {ADD("a", 9, 100), ERROR_NONE},
                {UPDATE_ON(4, "a", 9, 99), ERROR_NONE}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_again();
        given(ELEMENT_PRESENT);
        fixture.context.strategy = STRATEGY_REMOTE_WINS;
        fixture.context.is_retry = true;
        struct outcome outcome = apply_fixture_apply(&fixture, rows[i].operation);
        cr_expect_eq(outcome.code, rows[i].code, "%s", rows[i].operation);
        cr_expect_not(outcome.is_retryable);
    }
}

Test(apply, update_of_a_removed_element_out_of_retries_is_element_removed)
{
    given(ELEMENT_REMOVED);
    fixture.context.is_last_attempt = true;
    struct outcome outcome = apply_fixture_apply(&fixture, UPDATE("a", 9, 101));
    cr_assert_eq(outcome.status, OUTCOME_FAILED);
    cr_assert_eq(outcome.code, ERROR_ELEMENT_REMOVED);
    cr_assert_not(outcome.is_retryable);
    cr_assert_eq(outcome.reason, CONFLICT_ELEMENT_NOT_FOUND);
    outcome_expect_says(outcome, "element not found");
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION);
}

Test(apply, update_of_an_unknown_element_out_of_retries_may_be_sent_again)
{
    fixture.context.is_last_attempt = true;
    struct outcome outcome = apply_fixture_apply(&fixture, UPDATE("a", 9, 101));
    cr_assert_eq(outcome.status, OUTCOME_FAILED);
    cr_assert_eq(outcome.code, ERROR_ELEMENT_NOT_FOUND);
    cr_assert(outcome.is_retryable);
    cr_assert_eq(scene_get(fixture.scene, "a")->presence, ELEMENT_UNKNOWN);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION);
}

Test(apply, remove_of_an_unknown_element_out_of_retries_leaves_a_tombstone)
{
    fixture.context.is_last_attempt = true;
    struct outcome outcome = apply_fixture_apply(&fixture, REMOVE("a", 300));
    cr_assert_eq(outcome.status, OUTCOME_FAILED);
    cr_assert_eq(outcome.code, ERROR_ELEMENT_NOT_FOUND);
    cr_assert(outcome.is_retryable);
    const struct element *element = scene_get(fixture.scene, "a");
    cr_assert_eq(element->presence, ELEMENT_REMOVED);
    cr_assert_eq(element->timestamp_ms, 300);
    cr_assert_eq(element->tombstone_record_ms, TEST_NOW_MS);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION + 1, "a new tombstone is a change");
    cr_assert_eq(fixture.scene->element_count, 0);
    scene_begin_batch(fixture.scene);
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 1, 299)).code, ERROR_STALE_TIMESTAMP,
                 "an older add comes late");
}

/* Several operations of one batch. */

Test(apply, remove_and_add_at_one_time_is_a_replacement_within_a_batch_only)
{
    given(ELEMENT_PRESENT);
    cr_assert_eq(apply_fixture_apply(&fixture, REMOVE("a", 200)).status, OUTCOME_SYNCED);
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 9, 200)).status, OUTCOME_SYNCED);
    cr_assert_eq(element_number(scene_get(fixture.scene, "a"), "n"), 9);
    cr_assert_eq(apply_fixture_apply(&fixture, REMOVE("a", 200)).status, OUTCOME_SYNCED);
    (void)scene_end_batch(fixture.scene);
    scene_begin_batch(fixture.scene);
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 10, 200)).code, ERROR_STALE_TIMESTAMP);
}

Test(apply, base_version_is_compared_with_the_version_before_the_batch)
{
    given(ELEMENT_PRESENT);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE_ON(4, "a", 8, 50)).reason, CONFLICT_NONE);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE_ON(4, "a", 9, 60)).reason, CONFLICT_NONE,
                 "its own change is none");
    cr_assert_eq(element_number(scene_get(fixture.scene, "a"), "n"), 9);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION + 1);
    scene_begin_batch(fixture.scene);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE_ON(4, "a", 10, 200)).reason,
                 CONFLICT_CONCURRENT_MODIFICATION);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE_ON(6, "a", 11, 200)).reason, CONFLICT_NONE);
}

Test(apply, base_version_has_no_effect_on_what_the_batch_added)
{
    fixture.context.strategy = STRATEGY_LOCAL_WINS;
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 1, 100)).status, OUTCOME_SYNCED);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE_ON(77, "a", 2, 100)).reason, CONFLICT_NONE);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE_ON(77, "a", 3, 99)).reason,
                 CONFLICT_STALE_TIMESTAMP);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE_ON(0, "a", 3, 99)).reason,
                 CONFLICT_STALE_TIMESTAMP,
                 "equal to the version before the batch, which it did not have");
    cr_assert_eq(element_number(scene_get(fixture.scene, "a"), "n"), 2);
}

Test(apply, base_version_has_no_effect_on_what_the_batch_added_again)
{
    given(ELEMENT_PRESENT);
    cr_assert_eq(apply_fixture_apply(&fixture, REMOVE("a", 200)).status, OUTCOME_SYNCED);
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 8, 201)).status, OUTCOME_SYNCED);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE_ON(3, "a", 9, 201)).reason, CONFLICT_NONE);
}

Test(apply, removal_on_the_seen_version_keeps_the_later_clock)
{
    given(ELEMENT_PRESENT);
    cr_assert_eq(
        apply_fixture_apply(&fixture, "{'op':'remove','id':'a','timestamp':50,'base_version':4}")
            .status,
        OUTCOME_SYNCED);
    cr_assert_eq(scene_get(fixture.scene, "a")->timestamp_ms, LOCAL_MS);
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 9, 99)).code, ERROR_STALE_TIMESTAMP);
}

/* Lost races. */

/* Another program has changed the element between the first look and this one, or has not. */
static void read_again(uint64_t version, uint64_t timestamp_ms)
{
    scene_forget(fixture.scene, true);
    fixture.scene->element_count = 0;
    fixture.scene->version = SCENE_VERSION + 1;
    fixture.scene->is_loaded = true;
    scene_with(fixture.scene, "a", version, timestamp_ms, "{'id':'a','kind':{'type':'T'},'n':20}");
    scene_begin_batch(fixture.scene);
}

Test(apply, lost_race_over_an_element_is_a_resolved_concurrent_modification)
{
    given(ELEMENT_PRESENT);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE("a", 9, 200)).reason, CONFLICT_NONE);
    read_again(6, 150);
    struct outcome outcome = apply_fixture_apply(&fixture, UPDATE("a", 9, 200));
    cr_assert_eq(outcome.status, OUTCOME_SYNCED);
    cr_assert_eq(outcome.reason, CONFLICT_CONCURRENT_MODIFICATION);
    cr_assert_eq(outcome.resolution, RESOLUTION_KEEP_REMOTE);
    cr_assert_eq(outcome.local.version, 6);
    cr_assert_eq(outcome.local.timestamp_ms, 150);
}

Test(apply, lost_race_over_another_element_is_no_conflict)
{
    given(ELEMENT_PRESENT);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE("a", 9, 200)).reason, CONFLICT_NONE);
    read_again(LOCAL_VERSION, LOCAL_MS);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE("a", 9, 200)).reason, CONFLICT_NONE);
}

Test(apply, lost_race_remembers_the_first_look_of_several)
{
    given(ELEMENT_PRESENT);
    read_again(6, 150);
    read_again(6, 150);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE("a", 9, 200)).reason,
                 CONFLICT_CONCURRENT_MODIFICATION);
}

Test(apply, another_conflict_wins_over_a_lost_race)
{
    given(ELEMENT_PRESENT);
    read_again(6, 300);
    struct outcome outcome = apply_fixture_apply(&fixture, UPDATE("a", 9, 200));
    cr_assert_eq(outcome.reason, CONFLICT_STALE_TIMESTAMP, "the second look decides");
    cr_assert_eq(outcome.code, ERROR_STALE_TIMESTAMP);
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 9, 300)).reason,
                 CONFLICT_ELEMENT_ALREADY_EXISTS);
}

Test(apply, lost_race_is_over_once_first_looks_are_forgotten)
{
    given(ELEMENT_PRESENT);
    read_again(6, 150);
    scene_forget_first_looks(fixture.scene);
    cr_assert_eq(apply_fixture_apply(&fixture, UPDATE("a", 9, 200)).reason, CONFLICT_NONE);
}
