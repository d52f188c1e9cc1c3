#include "store/apply.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/apply_fixture.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

/* What one operation may not do, and what becomes of those that are not tried. (The table of
 * conflicts is in test_apply.c.) */

static struct apply_fixture fixture;
static struct error error;

static void begin_again(void)
{
    apply_fixture_begin(&fixture);
}

static void teardown(void)
{
    apply_fixture_end(&fixture);
}

TestSuite(apply_limits, .init = begin_again, .fini = teardown);

static void given_element(void)
{
    scene_with(fixture.scene, "a", LOCAL_VERSION, LOCAL_MS, "{'id':'a','kind':{'type':'T'},'n':7}");
}

/* Clocks that run ahead. */

Test(apply_limits, later_timestamp_than_the_arrival_is_taken_as_the_arrival)
{
    struct outcome outcome = apply_fixture_apply(&fixture, ADD("a", 1, 1000001));
    cr_assert(outcome.is_clamped);
    cr_assert_eq(scene_get(fixture.scene, "a")->timestamp_ms, TEST_NOW_MS);
    outcome = apply_fixture_apply(&fixture, UPDATE("a", 2, 1000000));
    cr_assert_not(outcome.is_clamped, "the arrival itself is not later");
    cr_assert_eq(outcome.status, OUTCOME_SYNCED);
    outcome = apply_fixture_apply(&fixture, REMOVE("a", 9999999));
    cr_assert(outcome.is_clamped);
    cr_assert_eq(outcome.status, OUTCOME_SYNCED, "equal after clamping");
    cr_assert(apply_fixture_apply(&fixture, INTERACTION(1000001)).is_clamped);
    cr_assert_not(apply_fixture_apply(&fixture, INVALID).is_clamped);
}

/* Limits. */

Test(apply_limits, scene_takes_no_element_beyond_its_limit)
{
    fixture.limits.elements_max = 2;
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 1, 100)).status, OUTCOME_SYNCED);
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("b", 1, 100)).status, OUTCOME_SYNCED);
    struct outcome outcome = apply_fixture_apply(&fixture, ADD("c", 1, 100));
    cr_assert_eq(outcome.status, OUTCOME_FAILED);
    cr_assert_eq(outcome.code, ERROR_TOO_MANY_ELEMENTS);
    cr_assert_not(outcome.is_retryable);
    cr_assert_eq(outcome.reason, CONFLICT_NONE);
    cr_assert_eq(scene_get(fixture.scene, "c")->presence, ELEMENT_UNKNOWN);
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 2, 100)).status, OUTCOME_SYNCED,
                 "replacing adds none");
    cr_assert_eq(apply_fixture_apply(&fixture, REMOVE("b", 100)).status, OUTCOME_SYNCED);
    cr_assert_eq(fixture.scene->element_count, 1);
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("c", 1, 100)).status, OUTCOME_SYNCED,
                 "the removed one made room");
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("b", 2, 101)).code, ERROR_TOO_MANY_ELEMENTS,
                 "so does a re-added one");
    cr_assert_eq(scene_get(fixture.scene, "b")->presence, ELEMENT_REMOVED);
}

Test(apply_limits, element_too_large_leaves_what_was_there)
{
    fixture.limits.element_bytes_max = 200;
    struct span text = message_of_format("{'op':'add','element':{'id':'a','kind':{'type':'T'},"
                                         "'text':'%0200d'},'timestamp':100}",
                                         0);
    struct operation add;
    cr_assert(operation_decode(text, 0, &fixture.limits, test_arena(), &add, &error));
    struct element *element = scene_without(fixture.scene, "a");
    struct outcome outcome;
    cr_assert(apply_operation(fixture.scene, scene_find(fixture.scene, add.id), &add,
                              &fixture.context, &outcome, &error));
    cr_assert_eq(outcome.code, ERROR_ELEMENT_TOO_LARGE);
    cr_assert_not(outcome.is_retryable);
    cr_assert_eq(element->presence, ELEMENT_UNKNOWN);
    cr_assert_eq(fixture.scene->element_count, 0);

    cr_assert_eq(apply_fixture_apply(&fixture, ADD("a", 7, 100)).status, OUTCOME_SYNCED);
    struct span before = bytes_keep(element_document(element));
    struct span changes = message_of_format(
        "{'op':'update','id':'a','changes':{'n':8,'text':'%0200d'},'timestamp':200}", 0);
    struct operation update;
    cr_assert(operation_decode(changes, 0, &fixture.limits, test_arena(), &update, &error));
    cr_assert(apply_operation(fixture.scene, scene_find(fixture.scene, update.id), &update,
                              &fixture.context, &outcome, &error));
    cr_assert_eq(outcome.code, ERROR_ELEMENT_TOO_LARGE);
    cr_assert(span_equal(element_document(element), before));
    cr_assert_eq(element->timestamp_ms, 100);
}

Test(apply_limits, patch_that_breaks_the_kind_is_an_invalid_operation)
{
    given_element();
    struct outcome outcome = apply_fixture_apply(
        &fixture, "{'op':'update','id':'a','changes':{'kind':{'type':5}},'timestamp':200}");
    cr_assert_eq(outcome.status, OUTCOME_FAILED);
    cr_assert_eq(outcome.code, ERROR_INVALID_OPERATION);
    cr_assert_not(outcome.is_retryable);
    cr_assert_eq(scene_get(fixture.scene, "a")->timestamp_ms, LOCAL_MS);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION);
}

Test(apply_limits, update_without_a_difference_counts_as_a_change)
{
    given_element();
    cr_assert_eq(
        apply_fixture_apply(&fixture, "{'op':'update','id':'a','changes':{},'timestamp':100}")
            .status,
        OUTCOME_SYNCED);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION + 1);
}

Test(apply_limits, interaction_counts_and_changes_nothing)
{
    struct outcome outcome = apply_fixture_apply(&fixture, INTERACTION(5));
    cr_assert_eq(outcome.status, OUTCOME_SYNCED);
    cr_assert_eq(outcome.reason, CONFLICT_NONE);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION);
    cr_assert_eq(fixture.scene->dirty_count, 0);
}

/* What cannot be tried. */

static struct outcome not_tried(const char *json, enum error_code code)
{
    struct operation operation = operation_of(json);
    struct error cause;
    error_set(&cause, code, "concurrent modification: by a test");
    struct outcome outcome;
    cr_assert(
        apply_not_tried(fixture.scene, &operation, &fixture.context, &cause, &outcome, &error));
    return outcome;
}

Test(apply_limits, lost_too_many_races_is_retryable_while_there_are_attempts)
{
    given_element();
    struct outcome outcome = not_tried(UPDATE("a", 9, 200), ERROR_CONCURRENT_MODIFICATION);
    cr_assert_eq(outcome.status, OUTCOME_PENDING);
    cr_assert_eq(outcome.code, ERROR_CONCURRENT_MODIFICATION);
    cr_assert(outcome.is_retryable);
    cr_assert_eq(outcome.reason, CONFLICT_CONCURRENT_MODIFICATION);
    cr_assert_eq(outcome.resolution, RESOLUTION_KEEP_LOCAL);
    cr_assert_eq(outcome.local.version, LOCAL_VERSION);
    outcome_expect_says(outcome, "concurrent modification");
    fixture.context.is_last_attempt = true;
    outcome = not_tried(UPDATE("a", 9, 200), ERROR_CONCURRENT_MODIFICATION);
    cr_assert_eq(outcome.status, OUTCOME_FAILED);
    cr_assert(outcome.is_retryable);
    cr_assert_eq(not_tried(INTERACTION(5), ERROR_CONCURRENT_MODIFICATION).status, OUTCOME_SYNCED);
    cr_assert_eq(not_tried(INVALID, ERROR_CONCURRENT_MODIFICATION).code, ERROR_INVALID_OPERATION);
    cr_assert_eq(scene_end_batch(fixture.scene), SCENE_VERSION);
}

Test(apply_limits, refused_by_the_store_fails_for_good)
{
    struct outcome outcome = not_tried(ADD("new", 9, 2000000), ERROR_STORE_ERROR);
    cr_assert_eq(outcome.status, OUTCOME_FAILED);
    cr_assert_eq(outcome.code, ERROR_STORE_ERROR);
    cr_assert_not(outcome.is_retryable);
    cr_assert_eq(outcome.reason, CONFLICT_NONE);
    cr_assert(outcome.is_clamped);
    cr_assert_eq(not_tried(INVALID, ERROR_STORE_ERROR).code, ERROR_INVALID_OPERATION);
}

Test(apply_limits, what_the_store_has_and_is_no_element_fails_every_operation_on_it)
{
    static const char *const operations[] = {ADD("a", 9, 200), UPDATE("a", 9, 200),
                                             REMOVE("a", 200)};
    scene_mark_unreadable(scene_without(fixture.scene, "a"));
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        struct outcome outcome = apply_fixture_apply(&fixture, operations[i]);
        cr_assert_eq(outcome.status, OUTCOME_FAILED, "%s", operations[i]);
        cr_assert_eq(outcome.code, ERROR_STORE_ERROR, "%s", operations[i]);
        cr_assert_not(outcome.is_retryable);
        cr_assert_eq(outcome.reason, CONFLICT_NONE);
    }
    cr_assert_eq(apply_fixture_apply(&fixture, ADD("b", 1, 200)).status, OUTCOME_SYNCED);
    cr_assert_eq(fixture.scene->dirty_count, 1, "b alone is written");
}
