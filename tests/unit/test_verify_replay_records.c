/*
 * A scene made again from the log: which records count, and how.
 */
#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"
#include "tests/support/verify_replay_fixture.h"

TestSuite(verify_replay_records, .init = rebuilt_begin, .fini = rebuilt_end);

Test(verify_replay_records, what_is_beyond_the_position_is_not_applied_yet)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1));
    keep_batch(OPS_0, 1, "c", UPDATE("a", 2, 2));
    rebuilt.positions[OPS_0] = 0;
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 1);
    cr_assert_eq(rebuilt.model.lost_count, 0);
}

Test(verify_replay_records, what_was_answered_beyond_the_position_is_lost)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1));
    keep_batch(OPS_0, 1, "c", UPDATE("a", 2, 2));
    keep_batch(OPS_0, 2, "d", UPDATE("a", 3, 3));
    keep_batch(OPS_0, 3, "e", UPDATE("a", 4, 4));
    keep_result(0, 1, 1, 2, FINAL(1));
    keep_result(0, 2, 1, 3, FINAL(1));
    rebuilt.positions[OPS_0] = 0;
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 3);
    cr_assert_eq(rebuilt.model.lost_count, 1);
    cr_assert_eq(rebuilt.model.lost[0].position, 0);
    cr_assert_eq(rebuilt.model.lost[0].answered, 2);
}

/* What the store refused was answered too, and changed nothing. */
Test(verify_replay_records, what_the_store_refused_is_not_applied_and_not_lost)
{
    static const char refused[] = "'final':true,'failed_count':1,'failed_operations':[{'index':0,"
                                  "'code':'store_error','retryable':false}]";
    static const char raced[] = "'final':true,'synced_count':1,'failed_count':1,"
                                "'failed_operations':[{'index':1,'code':'concurrent_modification',"
                                "'retryable':true}]";
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1) "," ADD("c", 1, 1));
    keep_batch(OPS_0, 1, "c", UPDATE("a", 2, 2));
    keep_result(0, 0, 1, 1, raced);
    keep_result(0, 1, 1, 1, refused);
    rebuilt.positions[OPS_0] = 0;
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 1);
    cr_assert_eq(rebuilt_number_of("c"), 0);
    cr_assert_eq(rebuilt.model.lost_count, 0);
    cr_assert(verify_model_has_versions(&rebuilt.model));
}

Test(verify_replay_records, a_resend_counts_once_unless_its_result_says_otherwise)
{
    keep_batch(OPS_0, 0, "b", UPDATE("a", 1, 1) "," ADD("a", 1, 1));
    keep_batch(OPS_0, 1, "c", UPDATE("a", 2, 2));
    keep_batch(OPS_0, 2, "b", UPDATE("a", 1, 1) "," ADD("a", 1, 1));
    keep_batch(OPS_0, 3, "c", UPDATE("a", 5, 5));
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 2, "b came again, and c was taken by others");
    cr_assert_eq(rebuilt.model.scene->version, 2);
}

/* The copy stands before the original in another partition; its own result would be there. */
Test(verify_replay_records, what_was_passed_by_without_a_result_was_recognised)
{
    rebuilt.has_all_results = true;
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1));
    keep_batch(OPS_1, 0, "c", UPDATE("a", 2, 1));
    keep_batch(OPS_1, 1, "d", UPDATE("a", 3, 1));
    keep_batch(OPS_0, 1, "c", UPDATE("a", 2, 1));
    keep_result(0, 0, 1, 1, FINAL(1));
    keep_result(1, 1, 1, 2, FINAL(1));
    keep_result(0, 1, 1, 4, FINAL(1));
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 2);
    cr_assert(is_judged("a"));
    cr_assert_not(rebuilt.model.has_guessed_order);
    cr_assert(rebuilt.model.has_version_gap, "somebody else made version 3");
}

/* Neither of the two applied anything; the later removal raised the tombstone. */
Test(verify_replay_records, of_equal_versions_the_one_that_moves_a_tombstone_comes_first)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1) "," REMOVE("a", 10));
    keep_batch(OPS_0, 1, "c", REMOVE("a", 20));
    keep_batch(OPS_1, 0, "d", REMOVE("a", 30));
    keep_result(0, 0, 1, 1, FINAL(2));
    keep_result(0, 1, 1, 2, "'final':true,'failed_count':1");
    keep_result(1, 0, 1, 2, "'final':true,'failed_count':1");
    rebuild();
    cr_assert_eq(rebuilt_timestamp_of("a"), 30);
    cr_assert(verify_model_has_versions(&rebuilt.model));
}

/* Where the results do not go back, a worker may have forgotten the batch by then. */
Test(verify_replay_records, a_resend_without_results_is_not_judged)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1));
    keep_batch(OPS_0, 1, "b", ADD("a", 1, 1));
    rebuild();
    cr_assert_not(is_judged("a"));
}

Test(verify_replay_records, a_forgotten_batch_was_applied_again)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1));
    keep_batch(OPS_0, 1, "c", UPDATE("a", 2, 1));
    keep_batch(OPS_0, 2, "b", ADD("a", 1, 1));
    keep_result(0, 2, 1, 3, FINAL(1));
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 1);
    cr_assert_eq(rebuilt.model.scene->version, 3);
}

Test(verify_replay_records, what_was_refused_whole_changes_nothing)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1));
    keep_record(OPS_0, 1, 100001, message_of("{'session_id':'s','operations':7}"));
    keep_batch(OPS_0, 2, "c", UPDATE("a", 2, 2));
    keep_result(0, 2, 1, 0, "'final':true,'error_code':'batch_id_reused','error':'used'");
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 1);
}

/* After a crash a requeue may stand in the topic twice. */
Test(verify_replay_records, a_copy_of_a_requeue_counts_once)
{
    keep_retry_story();
    keep_requeue(RETRY_1, 1, late_requeue);
    keep_result(0, 0, 1, 1, PENDING(1));
    keep_result(0, 1, 1, 2, FINAL(1));
    keep_result(0, 0, 2, 3, FINAL(2));
    keep_result(0, 2, 1, 4, FINAL(1));
    rebuilt.positions[RETRY_1] = 0;
    rebuild();
    cr_assert_eq(rebuilt_number_of("u"), 3);
    cr_assert_eq(rebuilt.model.scene->version, 4);
    cr_assert_eq(rebuilt.model.lost_count, 0);
}

/* Out of retries: the results say so, whatever retry.max_retries is today. */
Test(verify_replay_records, the_last_attempt_is_the_one_without_anything_pending)
{
    keep_batch(OPS_0, 0, "b", REMOVE("ghost", 50));
    keep_result(0, 0, 1, 1,
                "'final':true,'failed_count':1,'failed_operations':[{'index':0,'code':"
                "'element_not_found','retryable':true}]");
    rebuild();
    cr_assert_eq(scene_get(rebuilt.model.scene, "ghost")->presence, ELEMENT_REMOVED);
    cr_assert_eq(rebuilt_timestamp_of("ghost"), 50);
}

Test(verify_replay_records, the_strategy_is_the_one_that_was_used)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 10));
    keep_batch(OPS_0, 1, "c", UPDATE("a", 2, 5));
    keep_result(0, 1, 1, 2, FINAL(1) ",'strategy':'remote_wins'");
    rebuild();
    cr_assert_eq(rebuilt_number_of("a"), 2);
}
