/*
 * A scene made again from the log: in which order, and with which versions and clocks.
 */
#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"
#include "tests/support/verify_replay_fixture.h"

TestSuite(verify_replay, .init = rebuilt_begin, .fini = rebuilt_end);

/* ---- Order ---- */

Test(verify_replay, results_tell_where_a_retry_belongs)
{
    keep_retry_story();
    keep_result(0, 0, 1, 1, PENDING(1));
    keep_result(0, 1, 1, 2, FINAL(1));
    keep_result(0, 0, 2, 3, FINAL(2));
    keep_result(0, 2, 1, 4, FINAL(1));
    rebuild();
    cr_assert_eq(rebuilt_number_of("u"), 3);
    cr_assert(is_judged("u"));
    cr_assert(verify_model_has_versions(&rebuilt.model));
    cr_assert_eq(rebuilt.model.scene->version, 4);
}

Test(verify_replay, the_last_result_tells_of_all_attempts)
{
    keep_retry_story();
    keep_result(0, 2, 1, 3, FINAL(1));
    keep_result(0, 1, 1, 2, FINAL(1));
    keep_result(0, 0, 2, 4, FINAL(2) ",'attempt_versions':[1,4]");
    rebuild();
    cr_assert_eq(rebuilt_number_of("u"), 2);
    cr_assert(verify_model_has_versions(&rebuilt.model));
}

/* The store lost the first attempt, which was made again: only its own requeue counts. */
Test(verify_replay, a_requeue_of_a_lost_attempt_is_passed_over)
{
    struct requeue lost = late_requeue;
    lost.not_before_ms = 100003;
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1) "," UPDATE("u", 2, 20));
    keep_batch(OPS_0, 1, "c", ADD("u", 1, 10));
    keep_requeue(RETRY_1, 0, lost);
    keep_batch(OPS_0, 2, "d", UPDATE("u", 3, 20));
    keep_result(0, 0, 1, 1, PENDING(1));
    keep_result(0, 1, 1, 2, FINAL(1));
    keep_result(0, 2, 1, 3, FINAL(1));
    rebuild();
    cr_assert_eq(rebuilt_number_of("u"), 3);
    cr_assert_eq(rebuilt.model.scene->version, 3);
}

Test(verify_replay, without_results_time_is_a_guess_and_said)
{
    keep_retry_story();
    rebuild();
    cr_assert_eq(rebuilt_number_of("u"), 2, "it was due last");
    cr_assert_not(is_judged("u"));
    cr_assert(rebuilt.model.has_guessed_order);
    cr_assert_not(verify_model_has_versions(&rebuilt.model));
}

/* One result is missing, but there is only one place for its attempt. */
Test(verify_replay, a_hole_in_the_versions_is_filled)
{
    keep_retry_story();
    keep_result(0, 0, 1, 1, PENDING(1));
    keep_result(0, 1, 1, 2, FINAL(1));
    keep_result(0, 2, 1, 4, FINAL(1));
    rebuild();
    cr_assert_eq(rebuilt_number_of("u"), 3);
    cr_assert(is_judged("u"));
    cr_assert(verify_model_has_versions(&rebuilt.model));
}

Test(verify_replay, partitions_are_merged_by_version)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1));
    keep_batch(OPS_0, 1, "c", UPDATE("a", 3, 5));
    keep_batch(OPS_1, 0, "d", UPDATE("a", 2, 5));
    keep_result(0, 0, 1, 1, FINAL(1));
    keep_result(1, 0, 1, 2, FINAL(1));
    keep_result(0, 1, 1, 3, FINAL(1));
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 3);
    cr_assert(verify_model_has_versions(&rebuilt.model));
}

/* The one that changed nothing has the same version, whichever was published first. */
Test(verify_replay, of_equal_versions_the_change_comes_first)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 10));
    keep_batch(OPS_1, 0, "c", UPDATE("a", 2, 20));
    keep_batch(OPS_0, 1, "d", UPDATE("a", 9, 15));
    keep_result(0, 0, 1, 1, FINAL(1));
    keep_result(0, 1, 1, 2, "'final':true,'failed_count':1");
    keep_result(1, 0, 1, 2, FINAL(1));
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 2);
    cr_assert_eq(rebuilt.model.scene->version, 2);
    cr_assert(verify_model_has_versions(&rebuilt.model));
}

/* ---- Versions and clocks ---- */

Test(verify_replay, versions_of_other_programs_are_a_gap)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1));
    keep_batch(OPS_0, 1, "c", UPDATE("a", 2, 2));
    keep_result(0, 0, 1, 1, FINAL(1));
    keep_result(0, 1, 1, 5, FINAL(1));
    rebuild();
    cr_assert_eq(rebuilt.model.scene->version, 5);
    cr_assert_not(verify_model_has_versions(&rebuilt.model));
    cr_assert(is_judged("a"));
}

/* The result says that it changed something; the rebuild does not see what. */
Test(verify_replay, a_version_that_the_rebuild_does_not_reach_is_a_gap)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 10));
    keep_batch(OPS_0, 1, "c", UPDATE("a", 2, 5));
    keep_result(0, 0, 1, 1, FINAL(1));
    keep_result(0, 1, 1, 2, FINAL(1));
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 1);
    cr_assert_eq(rebuilt.model.scene->version, 2);
    cr_assert_not(verify_model_has_versions(&rebuilt.model));
}

Test(verify_replay, base_versions_follow_the_results)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 10));
    keep_batch(OPS_0, 1, "c", UPDATE_ON(1, "a", 2, 5));
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 2, "version 1 was current");
    cr_assert(is_judged("a"));
}

Test(verify_replay, stamped_records_clamp_exactly)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 999999999));
    rebuild();
    cr_assert_eq(rebuilt_timestamp_of("a"), 100000);
    cr_assert(is_judged("a"));
}

/* The producer's clock stamped it: when the worker met it only the result can tell, about. */
Test(verify_replay, clamping_by_a_workers_clock_is_not_judged)
{
    const struct verify_record record = {
        .partition = &rebuilt.partitions[OPS_0],
        .timestamp_ms = 500000,
        .value = message_of("{'session_id':'s','batch_id':'b','client_id':'c',"
                            "'operations':[" ADD("a", 1, 450000) "," ADD("old", 1, 5) "]}"),
    };
    cr_assert(verify_log_add_batch(&rebuilt.log, &record));
    keep_result(0, 0, 1, 1, FINAL(2) ",'timestamp':300010,'duration_ms':10");
    rebuild();
    cr_assert_eq(rebuilt_timestamp_of("a"), 300000);
    cr_assert_not(is_judged("a"));
    cr_assert(is_judged("old"));
}

Test(verify_replay, operations_that_meet_an_old_tombstone_are_not_judged)
{
    rebuilt.settings.tombstone_retention_ms = 1000;
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 10) "," REMOVE("a", 20));
    keep_batch(OPS_0, 2000, "c", ADD("z", 1, 10));
    keep_batch(OPS_0, 2001, "d", ADD("a", 2, 15));
    rebuild();
    cr_assert_not(is_judged("a"), "dropped or not: the add may have met nothing");
    cr_assert(is_judged("z"));
}
