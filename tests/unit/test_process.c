#include "store/process.h"

#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/process_fixture.h"
#include "tests/support/scenes.h"

TestSuite(process, .init = process_fixture_begin, .fini = process_fixture_end);

/* One attempt. */

Test(process, test_process_empty_batch)
{
    struct batch batch = batch_of(BATCH(""));
    struct sync_result result = process(&batch);
    cr_assert(result.final);
    cr_assert(sync_result_is_success(&result));
    cr_assert_eq(result.synced_count, 0);
    cr_assert_eq(result.scene_version, 5, "nothing changed");
    cr_assert_eq(result.attempts, 1);
}

Test(process, test_process_single_add)
{
    struct batch batch = batch_of(BATCH(ADD("a", 1, 100)));
    struct sync_result result = process(&batch);
    cr_assert(sync_result_is_success(&result));
    cr_assert_eq(result.synced_count, 1);
    cr_assert_eq(result.conflict_count, 0);
    cr_assert_eq(result.scene_version, 6);
    const struct element *element = scene_get(process_fixture.scene, "a");
    cr_assert_eq(element->presence, ELEMENT_PRESENT);
    cr_assert_eq(element->version, 6);
    cr_assert_eq(element->timestamp_ms, 100);
    cr_assert(span_equal(
        element_document(element),
        message_of("{'id':'a','kind':{'type':'T'},'n':1,'transform':{'x':0,'y':0,'width':100,"
                   "'height':100,'rotation':0,'z_index':0},'interactive':true,'selected':false,"
                   "'parent':null}")));
    cr_assert_eq(process_fixture.scene->element_count, 1);
    cr_assert_eq(process_fixture.scene->dirty_count, 1);
}

Test(process, test_process_mixed_operations)
{
    scene_with(process_fixture.scene, "old", 3, 500, "{'id':'old','kind':{'type':'T'},'n':1}");
    struct batch batch = batch_of(BATCH(ADD("a", 1, 100), UPDATE("a", 2, 101), INTERACTION(102),
                                        UPDATE("old", 3, 499), ADD("old", 4, 500), REMOVE("a", 103),
                                        UPDATE("later", 5, 104), MALFORMED, INVALID));
    struct sync_result result = process(&batch);
    cr_assert_eq(result.synced_count, 5);
    cr_assert_eq(result.failed_count, 3);
    cr_assert_eq(result.pending_count, 1);
    cr_assert_eq(result.conflict_count, 3);
    cr_assert_eq(result.scene_version, 6, "one step for all of it");
    cr_assert_eq(result.next_attempt_at_ms, TEST_NOW_MS + TEST_RETRY_DELAY_MS);

    cr_assert_eq(failure_at(&result, 3)->code, ERROR_STALE_TIMESTAMP);
    cr_assert_not(failure_at(&result, 3)->retryable);
    expect_body(failure_at(&result, 3)->body, UPDATE("old", 3, 499));
    cr_assert_eq(conflict_at(&result, 3)->resolution, RESOLUTION_KEEP_LOCAL);
    cr_assert_eq(conflict_at(&result, 3)->local.version, 3);

    cr_assert_eq(conflict_at(&result, 4)->reason, CONFLICT_ELEMENT_ALREADY_EXISTS);
    cr_assert_eq(conflict_at(&result, 4)->resolution, RESOLUTION_KEEP_REMOTE);
    expect_body(conflict_at(&result, 4)->body, ADD("old", 4, 500));

    cr_assert_eq(failure_at(&result, 6)->code, ERROR_ELEMENT_NOT_FOUND);
    cr_assert(failure_at(&result, 6)->pending);
    cr_assert_not(conflict_at(&result, 6)->resolved);
    expect_body(failure_at(&result, 6)->body, UPDATE("later", 5, 104));

    cr_assert_eq(failure_at(&result, 7)->code, ERROR_INVALID_OPERATION);
    cr_assert_eq(failure_at(&result, 7)->body.kind, BODY_NIL, "it was not well-formed");
    cr_assert_eq(failure_at(&result, 8)->code, ERROR_INVALID_OPERATION);
    expect_body(failure_at(&result, 8)->body, INVALID);

    cr_assert_eq(scene_get(process_fixture.scene, "a")->presence, ELEMENT_REMOVED);
    cr_assert_eq(element_number(scene_get(process_fixture.scene, "old"), "n"), 4);
    cr_assert_eq(process_fixture.scene->element_count, 1);
}

Test(process, operations_meet_the_elements_that_they_were_given)
{
    struct element *a =
        scene_with(process_fixture.scene, "a", 3, 100, "{'id':'a','kind':{'type':'T'},'n':1}");
    struct element *b =
        scene_with(process_fixture.scene, "b", 3, 300, "{'id':'b','kind':{'type':'T'},'n':2}");
    struct batch batch = batch_of(
        BATCH(UPDATE("b", 3, 299), INTERACTION(1), UPDATE("a", 4, 101), INVALID, REMOVE("b", 301)));
    struct element *elements[] = {b, NULL, a, NULL, b};
    process_fixture.context.elements = elements;
    struct sync_result result = process(&batch);
    cr_assert_eq(result.synced_count, 3);
    cr_assert_eq(failure_at(&result, 0)->code, ERROR_STALE_TIMESTAMP);
    cr_assert_eq(failure_at(&result, 3)->code, ERROR_INVALID_OPERATION);
    cr_assert_eq(element_number(a, "n"), 4);
    cr_assert_eq(b->presence, ELEMENT_REMOVED);
    cr_assert_eq(b->timestamp_ms, 301);
}

Test(process, result_says_whose_it_is)
{
    struct batch batch = batch_of(BATCH_BY("RemoteWins", ADD("a", 1, 100)));
    struct sync_result result = process(&batch);
    cr_assert(span_equal_text(result.session_id, "s"));
    cr_assert(span_equal_text(result.batch_id, "b"));
    cr_assert(span_equal_text(result.client_id, "c"));
    cr_assert_eq(result.strategy, STRATEGY_REMOTE_WINS);
    cr_assert(span_equal_text(result.source.topic, "scene.ops"));
    cr_assert_eq(result.source.partition, 3);
    cr_assert_eq(result.source.offset, 7);
    cr_assert_eq(result.timestamp_ms, TEST_NOW_MS);
    cr_assert_eq(result.duration_ms, 5);
    cr_assert_eq(result.error_code, ERROR_NONE);
    cr_assert_not(result.truncated);
}

Test(process, result_names_the_assigned_batch_id)
{
    struct batch batch = batch_of("{'session_id':'s','operations':[]}");
    struct sync_result result = process(&batch);
    cr_assert(span_equal_text(result.batch_id, "scene.ops/3/7@1000000"));
    cr_assert(span_is_absent(result.client_id));
}

Test(process, version_rises_once_per_attempt_that_changed_something)
{
    static const struct {
        const char *batch;
        uint64_t version;
    } steps[] = {
        {BATCH(ADD("a", 1, 100), ADD("b", 2, 100)), 6},
        {BATCH(UPDATE("a", 3, 99)), 6}, /* stale */
        {BATCH(INTERACTION(1), INVALID), 6},
        {BATCH(UPDATE("nobody", 3, 99)), 6}, /* pending */
        {BATCH(UPDATE("a", 3, 99), UPDATE("b", 3, 100)), 7},
        {BATCH(REMOVE("a", 200)), 8},
        {BATCH(REMOVE("a", 200)), 8}, /* removed then, too */
        {BATCH(REMOVE("a", 150)), 8},
        {BATCH(REMOVE("a", 201)), 9}, /* the tombstone rises */
        {BATCH(ADD("a", 1, 300), REMOVE("a", 301)), 10},
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct batch batch = batch_of(steps[i].batch);
        cr_assert_eq(process(&batch).scene_version, steps[i].version, "step %zu", i);
    }
    cr_assert_eq(scene_get(process_fixture.scene, "a")->version, 10);
    cr_assert_eq(scene_get(process_fixture.scene, "b")->version, 7);
}

Test(process, clamped_operations_are_counted)
{
    struct batch batch =
        batch_of(BATCH(ADD("a", 1, 1000001), ADD("b", 1, 1000000), INTERACTION(2000000),
                       UPDATE("nobody", 1, 3000000), MALFORMED));
    cr_assert_eq(process(&batch).clamped_count, 3);
    cr_assert_eq(scene_get(process_fixture.scene, "a")->timestamp_ms, TEST_NOW_MS);
}

/* Merged operations. */

#define MERGE_PAST                                                                                 \
    ADD("a", 1, 100), UPDATE("a", 2, 300),                                                         \
        "{'op':'update','id':'a','changes':{'n':3,'m':3},'timestamp':200}"

Test(process, what_was_merged_is_listed_and_carried_over_the_attempts)
{
    struct batch batch = batch_of(BATCH_BY("merge", MERGE_PAST, UPDATE("b", 1, 100)));
    struct sync_result result = process(&batch);
    cr_assert_eq(result.synced_count, 3);
    cr_assert_eq(result.pending_count, 1);
    for (uint32_t attempt = 1; attempt <= 4; attempt++) {
        const struct conflict_entry *const conflict = conflict_at(&result, 2);
        cr_assert_eq(conflict->resolution, RESOLUTION_MERGE);
        cr_assert(conflict->resolved);
        cr_assert(span_equal(conflict->applied, message_of("['/m']")));
        cr_assert(span_equal(conflict->kept, message_of("['/n']")));
        cr_assert_not(result.truncated);
        if (attempt < 4) {
            batch = batch_requeued(&result, &batch);
            result = process(&batch);
        }
    }
    cr_assert(result.final);
}

Test(process, lists_that_a_requeue_left_out_make_the_result_truncated)
{
    struct batch batch = batch_of(BATCH_BY("merge", MERGE_PAST, UPDATE("b", 1, 100)));
    struct sync_result result = process(&batch);
    batch = batch_requeued(&result, &batch);
    batch.retry->conflicts[0].applied = (struct span){0};
    batch.retry->conflicts[0].kept = (struct span){0};
    result = process(&batch);
    cr_assert(result.truncated);
    cr_assert_eq(conflict_at(&result, 2)->resolution, RESOLUTION_MERGE);
}

Test(process, lists_that_no_result_has_room_for_are_left_out)
{
    struct limits limits = *process_fixture.context.limits;
    limits.result_bytes_max = 20; /* for '/m', '/n' and their heads, once */
    process_fixture.context.limits = &limits;
    struct batch batch = batch_of(BATCH_BY(
        "merge", MERGE_PAST, "{'op':'update','id':'a','changes':{'n':4,'m':4},'timestamp':201}"));
    struct sync_result result = process(&batch);
    cr_assert(result.truncated);
    cr_assert_eq(result.synced_count, 4);
    cr_assert_not(span_is_absent(conflict_at(&result, 2)->applied));
    cr_assert(span_is_absent(conflict_at(&result, 3)->applied));
}

/* What could not be tried. */

Test(process, batch_that_was_not_tried_changes_nothing)
{
    struct batch batch = batch_of(BATCH(ADD("a", 1, 2000000), INTERACTION(1), INVALID));
    struct error cause;
    error_set(&cause, ERROR_CONCURRENT_MODIFICATION, "concurrent modification: by a test");
    process_fixture.context.not_tried = &cause;
    struct sync_result result = process(&batch);
    cr_assert_eq(result.synced_count, 1);
    cr_assert_eq(result.failed_count, 1);
    cr_assert_eq(result.pending_count, 1);
    cr_assert_eq(result.clamped_count, 1);
    cr_assert_eq(result.scene_version, 5);
    cr_assert_eq(conflict_at(&result, 0)->reason, CONFLICT_CONCURRENT_MODIFICATION);
    cr_assert_eq(process_fixture.scene->dirty_count, 0);

    process_fixture.context.not_tried = NULL;
    batch = batch_requeued(&result, &batch);
    result = process(&batch);
    cr_assert_eq(result.synced_count, 2);
    cr_assert_eq(result.clamped_count, 1);
    cr_assert_eq(conflict_at(&result, 0)->resolution, RESOLUTION_KEEP_REMOTE);
}

Test(process, requeue_that_does_not_fit_fails_for_good)
{
    struct batch batch = batch_of(BATCH(UPDATE("a", 1, 100), INVALID, REMOVE("b", 100)));
    struct sync_result result = process(&batch);
    process_fail_pending(&result);
    expect_sound(&result, 3);
    cr_assert(result.final);
    cr_assert_eq(result.failed_count, 3);
    cr_assert_eq(result.failures[0].code, ERROR_RETRY_TOO_LARGE);
    cr_assert(result.failures[0].retryable, "in a smaller batch");
    cr_assert_eq(result.failures[1].code, ERROR_INVALID_OPERATION);
    cr_assert_eq(result.failures[2].code, ERROR_RETRY_TOO_LARGE);
    cr_assert(result.conflicts[0].resolved);
}

Test(process, equal_input_gives_equal_bytes)
{
    static const char json[] =
        BATCH(ADD("a", 1, 100), UPDATE("a", 2, 50), UPDATE("b", 3, 5), MALFORMED);
    struct batch batch = batch_of(json);
    struct sync_result result = process(&batch);
    struct span first = result_bytes(&result);
    scene_destroy(process_fixture.scene);
    process_fixture.scene = scene_at_version(5);
    result = process(&batch);
    cr_assert(span_equal(result_bytes(&result), first));
}

Test(process, says_when_memory_runs_out)
{
    struct batch batch = batch_of(
        BATCH(ADD("a", 1, 100), UPDATE("a", 2, 50), UPDATE("nobody", 1, 1), REMOVE("a", 200)));
    size_t failures = 0;
    bool has_memory = false;
    for (size_t bytes_max = 0; !has_memory; bytes_max += 16) {
        struct arena small;
        arena_init(&small, bytes_max);
        process_fixture.context.arena = &small;
        struct sync_result result = {.attempts = 77};
        struct error error = {.code = ERROR_NONE};
        scene_destroy(process_fixture.scene);
        process_fixture.scene = scene_at_version(5);
        scene_without(process_fixture.scene, "a");
        scene_without(process_fixture.scene, "nobody");
        has_memory =
            process_batch(process_fixture.scene, &batch, &process_fixture.context, &result, &error);
        cr_assert_eq(error.code, has_memory ? ERROR_NONE : ERROR_OUT_OF_MEMORY);
        cr_assert_eq(result.attempts, has_memory ? 1 : 77, "written on success only");
        arena_deinit(&small);
        failures += has_memory ? 0 : 1;
        cr_assert_lt(failures, 10000);
    }
    cr_assert_gt(failures, 5);
}
