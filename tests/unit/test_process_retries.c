#include "store/process.h"

#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/process_fixture.h"
#include "tests/support/scenes.h"

TestSuite(process_retries, .init = process_fixture_begin, .fini = process_fixture_end);

Test(process_retries, test_retry_on_transient_failure)
{
    struct batch first = batch_of(BATCH(ADD("a", 1, 100), UPDATE("b", 2, 100)));
    struct sync_result result = process(&first);
    cr_assert_eq(result.pending_count, 1);
    cr_assert_not(result.final);

    struct batch other = batch_of(BATCH(ADD("b", 1, 50)));
    cr_assert_eq(process(&other).scene_version, 7);

    struct batch second = batch_requeued(&result, &first);
    cr_assert_eq(second.operation_count, 1);
    cr_assert_eq(process_attempt_of(&second), 2);
    result = process(&second);
    cr_assert(result.final);
    cr_assert(sync_result_is_success(&result));
    cr_assert_eq(result.synced_count, 2);
    cr_assert_eq(element_number(scene_get(process_fixture.scene, "b"), "n"), 2);
    cr_assert_eq(result.attempts, 2);
    cr_assert_eq(result.attempt_versions[0], 6);
    cr_assert_eq(result.attempt_versions[1], 8);
    cr_assert_eq(result.duration_ms, 10, "summed over the attempts");
    /* Failed first, applied on a retry. */
    cr_assert_eq(result.conflict_count, 1);
    const struct conflict_entry *conflict = conflict_at(&result, 1);
    cr_assert_eq(conflict->reason, CONFLICT_ELEMENT_NOT_FOUND);
    cr_assert_eq(conflict->resolution, RESOLUTION_KEEP_REMOTE);
    cr_assert(conflict->resolved);
    expect_body(conflict->body, UPDATE("b", 2, 100));
}

Test(process_retries, test_no_retry_on_permanent_failure)
{
    scene_with(process_fixture.scene, "a", 3, 500, "{'id':'a','kind':{'type':'T'},'n':1}");
    scene_with_tombstone(process_fixture.scene, "r", 3, 500);
    struct limits limits = limits_default();
    limits.elements_max = 1;
    process_fixture.context.limits = &limits;
    struct batch batch =
        batch_of(BATCH_BY("local_wins", UPDATE("a", 2, 499), ADD("a", 2, 600),
                          UPDATE_ON(1, "a", 2, 600), REMOVE("r", 100), ADD("b", 1, 600), INVALID));
    static const enum error_code codes[] = {
        ERROR_STALE_TIMESTAMP, ERROR_ELEMENT_ALREADY_EXISTS, ERROR_CONCURRENT_MODIFICATION,
        ERROR_ELEMENT_REMOVED, ERROR_TOO_MANY_ELEMENTS,      ERROR_INVALID_OPERATION};
    struct sync_result result = process(&batch);
    cr_assert(result.final);
    cr_assert_eq(result.failed_count, 6);
    cr_assert_eq(result.pending_count, 0);
    for (uint32_t i = 0; i < 6; i++) {
        cr_expect_eq(result.failures[i].code, codes[i], "operation %u", i);
        cr_expect_not(result.failures[i].retryable, "operation %u", i);
    }
}

Test(process_retries, retries_end_after_the_last_one)
{
    struct batch batch = batch_of(BATCH(UPDATE("a", 1, 100), REMOVE("b", 200)));
    struct sync_result result = process(&batch);
    for (uint32_t attempt = 2; attempt <= 4; attempt++) {
        cr_assert_eq(result.pending_count, 2, "before attempt %u", attempt);
        batch = batch_requeued(&result, &batch);
        result = process(&batch);
        cr_assert_eq(result.attempts, attempt);
    }
    cr_assert(result.final);
    cr_assert_eq(result.failed_count, 2);
    cr_assert_eq(result.failures[0].code, ERROR_ELEMENT_NOT_FOUND);
    cr_assert(result.failures[0].retryable, "the client may send it again");
    cr_assert(result.conflicts[0].resolved);
    cr_assert_eq(result.conflicts[0].resolution, RESOLUTION_KEEP_LOCAL);
    cr_assert_eq(result.conflict_count, 2);
    cr_assert_eq(scene_get(process_fixture.scene, "b")->presence, ELEMENT_REMOVED);
    cr_assert_eq(result.attempt_versions[2], 5);
    cr_assert_eq(result.scene_version, 6, "the tombstone of the last attempt");
}

Test(process_retries, without_retries_every_failure_is_final)
{
    process_fixture.context.retries_max = 0;
    scene_with_tombstone(process_fixture.scene, "r", 3, 50);
    struct batch batch = batch_of(BATCH(UPDATE("a", 1, 100), UPDATE("r", 1, 100)));
    struct sync_result result = process(&batch);
    cr_assert(result.final);
    cr_assert_eq(result.failures[0].code, ERROR_ELEMENT_NOT_FOUND);
    cr_assert(result.failures[0].retryable);
    cr_assert_eq(result.failures[1].code, ERROR_ELEMENT_REMOVED);
    cr_assert_not(result.failures[1].retryable);
}

Test(process_retries, entries_of_all_attempts_stand_in_order)
{
    scene_with(process_fixture.scene, "x", 3, 500, "{'id':'x','kind':{'type':'T'},'n':1}");
    struct batch batch =
        batch_of(BATCH(UPDATE("late", 1, 100), UPDATE("x", 2, 10), UPDATE("never", 3, 100),
                       ADD("x", 4, 600), INVALID, UPDATE("late", 5, 40), UPDATE("never", 6, 100)));
    struct sync_result result = process(&batch);
    cr_assert_eq(result.pending_count, 4);
    cr_assert_eq(result.conflict_count, 6);
    struct batch other = batch_of(BATCH(ADD("late", 9, 60)));
    (void)process(&other);

    batch = batch_requeued(&result, &batch);
    result = process(&batch);
    cr_assert_eq(result.conflict_count, 6, "each operation counts once");
    cr_assert_eq(result.synced_count, 2);
    cr_assert_eq(result.failed_count, 3);
    cr_assert_eq(result.pending_count, 2);
    cr_assert_eq(conflict_at(&result, 0)->resolution, RESOLUTION_KEEP_REMOTE);
    cr_assert_eq(conflict_at(&result, 3)->reason, CONFLICT_ELEMENT_ALREADY_EXISTS);
    cr_assert_eq(conflict_at(&result, 3)->resolution, RESOLUTION_KEEP_REMOTE, "of attempt 1");
    cr_assert_eq(conflict_at(&result, 5)->reason, CONFLICT_STALE_TIMESTAMP, "the latest counts");
    cr_assert_eq(conflict_at(&result, 5)->local.timestamp_ms, 100);
    cr_assert_eq(failure_at(&result, 5)->code, ERROR_STALE_TIMESTAMP);
    cr_assert_null(failure_at(&result, 0));
    expect_body(failure_at(&result, 1)->body, UPDATE("x", 2, 10));
    cr_assert_eq(failure_at(&result, 4)->code, ERROR_INVALID_OPERATION);
    cr_assert(failure_at(&result, 2)->pending);
}

Test(process_retries, clamping_is_not_counted_again_on_a_retry)
{
    struct batch batch = batch_of(BATCH(UPDATE("a", 1, 2000000), ADD("b", 1, 2000000)));
    struct sync_result result = process(&batch);
    cr_assert_eq(result.clamped_count, 2);
    struct batch other = batch_of(BATCH(ADD("a", 1, 100)));
    (void)process(&other);
    /* Of the requeue's record; that of the batch counts. */
    process_fixture.context.arrival_ms = 9000000;
    batch = batch_requeued(&result, &batch);
    result = process(&batch);
    cr_assert_eq(result.clamped_count, 2);
    cr_assert_eq(scene_get(process_fixture.scene, "a")->timestamp_ms, TEST_NOW_MS);
}

Test(process_retries, retry_tells_the_place_of_the_first_delivery)
{
    struct batch batch = batch_of(BATCH(UPDATE("a", 1, 100)));
    struct sync_result result = process(&batch);
    batch = batch_requeued(&result, &batch);
    process_fixture.context.source =
        (struct source){.topic = span_of_text("scene.ops.retry-1"), .partition = 3, .offset = 99};
    result = process(&batch);
    cr_assert(span_equal_text(result.source.topic, "scene.ops"));
    cr_assert_eq(result.source.offset, 7);
}

Test(process_retries, bodies_that_a_requeue_left_out_make_the_result_truncated)
{
    struct batch batch = batch_of(BATCH(UPDATE("a", 1, 100), MALFORMED, INVALID));
    struct sync_result result = process(&batch);
    batch = batch_requeued(&result, &batch);
    batch.retry->failures[1].body = (struct body){.kind = BODY_ABSENT};
    result = process(&batch);
    cr_assert(result.truncated);
    cr_assert_eq(failure_at(&result, 1)->body.kind, BODY_NIL);
    cr_assert_eq(failure_at(&result, 2)->body.kind, BODY_ABSENT);
}
