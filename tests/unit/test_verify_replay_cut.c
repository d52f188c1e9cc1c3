/*
 * A scene made again from a log whose beginning is gone: what is known of it, and what is not
 * judged.
 */
#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/scenes.h"
#include "tests/support/verify_replay_fixture.h"

TestSuite(verify_replay_cut, .init = rebuilt_begin, .fini = rebuilt_end);

Test(verify_replay_cut, elements_of_a_cut_history_are_judged_once_they_are_known)
{
    rebuilt.partitions[OPS_0].start_offset = 5;
    keep_batch(OPS_0, 5, "b",
               UPDATE("blind", 1, 30) "," ADD("fresh", 2, 30) "," ADD("replaced", 3, 30));
    keep_batch(OPS_0, 6, "c", UPDATE("fresh", 4, 20) "," REMOVE("gone", 30) "," ADD("back", 5, 1));
    keep_batch(OPS_0, 7, "d", UPDATE("replaced", 6, 35) "," UPDATE("ghost", 1, 3));
    keep_result(
        0, 5, 1, 10,
        "'final':true,'synced_count':3,'conflicts':[{'index':2,'reason':'ElementAlreadyExists',"
        "'resolution':'keep_remote','resolved':true,'local':{'version':4,'timestamp':30,"
        "'removed':false}}]");
    keep_result(
        0, 6, 1, 11,
        "'final':true,'synced_count':1,'failed_count':2,'conflicts':[{'index':0,'reason':"
        "{'StaleTimestamp':{'local':30,'remote':20}},'resolution':'keep_local','resolved':true,"
        "'local':{'version':10,'timestamp':30,'removed':false}},{'index':2,'reason':"
        "{'StaleTimestamp':{'local':40,'remote':1}},'resolution':'keep_local','resolved':true,"
        "'local':{'version':3,'timestamp':40,'removed':true}}],'failed_operations':[{'index':0,"
        "'code':'stale_timestamp','retryable':false},{'index':2,'code':'stale_timestamp',"
        "'retryable':false}]");
    keep_result(0, 7, 1, 12,
                "'final':true,'synced_count':1,'failed_count':1,'conflicts':[{'index':1,'reason':"
                "'ElementNotFound','resolution':'keep_local','resolved':true,'local':{'version':0,"
                "'timestamp':0,'removed':false}}],'failed_operations':[{'index':1,'code':"
                "'element_not_found','retryable':true}]");
    rebuild();
    cr_assert_not(rebuilt.model.is_complete);
    cr_assert_not(is_judged("blind"));
    cr_assert(is_judged("fresh"));
    cr_assert_eq(rebuilt_number_of("fresh"), 2);
    cr_assert(is_judged("replaced"));
    cr_assert_eq(rebuilt_number_of("replaced"), 6);
    cr_assert_eq(rebuilt_timestamp_of("replaced"), 35);
    cr_assert(is_judged("gone"));
    cr_assert_eq(scene_get(rebuilt.model.scene, "gone")->presence, ELEMENT_REMOVED);
    cr_assert_eq(rebuilt_timestamp_of("back"), 40, "the tombstone that it met");
    cr_assert(is_judged("ghost"));
    cr_assert_eq(scene_get(rebuilt.model.scene, "ghost")->presence, ELEMENT_UNKNOWN);
    cr_assert(verify_model_has_versions(&rebuilt.model), "from the first result on");
    cr_assert_eq(rebuilt.model.scene->version, 12);
}

Test(verify_replay_cut, without_results_a_cut_history_stays_unknown)
{
    rebuilt.partitions[OPS_0].start_offset = 5;
    keep_batch(OPS_0, 5, "b", ADD("a", 1, 30));
    rebuild();
    cr_assert_not(is_judged("a"));
    cr_assert_not(verify_model_has_versions(&rebuilt.model));
}

Test(verify_replay_cut, a_scene_that_begins_behind_the_cut_is_whole)
{
    rebuilt.partitions[OPS_0].start_offset = 5;
    keep_batch(OPS_0, 5, "b", ADD("a", 1, 30));
    keep_batch(OPS_0, 6, "c", UPDATE("a", 2, 40));
    keep_result(0, 5, 1, 1, FINAL(1));
    keep_result(0, 6, 1, 2, FINAL(1));
    rebuild();
    cr_assert(rebuilt.model.is_complete);
    cr_assert(is_judged("a"));
    cr_assert(verify_model_has_versions(&rebuilt.model));
}

/* Its requeue is there no more: what it did to the element nobody knows. */
Test(verify_replay_cut, elements_of_a_lost_requeue_are_not_judged)
{
    rebuilt.partitions[RETRY_1].start_offset = 3;
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1) "," UPDATE("u", 2, 20));
    keep_batch(OPS_0, 1, "c", ADD("u", 1, 10) "," ADD("other", 1, 1));
    rebuild();
    cr_assert_not(is_judged("u"));
    cr_assert(is_judged("other"));
}
