/*
 * Merge, sentence by sentence (protocol.md section 4, "per property"), and the clocks that stand in
 * the store for it. test_merge_model.c holds the same against the model at random.
 */
#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/merge_fixture.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"
#include "tests/support/sent_batch.h"

TestSuite(apply_merge, .init = merge_fixture_begin, .fini = merge_fixture_end);

/* --- What has which clock --- */

Test(apply_merge, what_an_add_says_has_its_time_at_the_cost_of_one_clock)
{
    expect_plain(add("'n':1,'m':{'a':1,'e':{}},'l':[1]", 100));
    expect_clocks("{'':100}");
    expect_kept(update("'n':2,'m':{'a':2,'e':{}},'l':[],'transform':{'x':9},'interactive':false,"
                       "'parent':null,'kind':{'type':'U'}",
                       99),
                ERROR_STALE_TIMESTAMP);
    (void)update("'other':1", 200);
    expect_merged(update("'n':2", 100), "['/n']", "[]");
}

Test(apply_merge, what_an_add_leaves_to_defaults_has_clock_0)
{
    expect_plain(apply("{'op':'add','element':{'id':'a','kind':{'type':'T'},'transform':{'x':1,"
                       "'rotation':null},'interactive':null},'timestamp':100}"));
    expect_clocks("{'':100,'/interactive':0,'/parent':0,'/selected':0,'/transform/height':0,"
                  "'/transform/rotation':0,'/transform/width':0,'/transform/y':0,"
                  "'/transform/z_index':0}");
    expect_merged(update("'transform':{'x':9,'y':9,'rotation':9},'selected':true", 1),
                  "['/transform/y','/transform/rotation','/selected']", "['/transform/x']");
    expect_merged(update("'interactive':false,'parent':null", 1), "['/interactive','/parent']",
                  "[]");
}

Test(apply_merge, an_add_without_a_transform_leaves_all_of_it_to_defaults)
{
    static const char *const transforms[] = {"", "'transform':{},", "'transform':null,",
                                             "'transform':{'x':null,'z_index':null},"};
    for (size_t i = 0; i < sizeof(transforms) / sizeof(transforms[0]); i++) {
        (void)apply(text_of_format("{'op':'add','element':{%s'id':'a','kind':{'type':'T'},"
                                   "'interactive':true,'selected':true,'parent':'p'},"
                                   "'timestamp':%u}",
                                   transforms[i], 100));
        expect_clocks("{'':100,'/transform/height':0,'/transform/rotation':0,'/transform/width':0,"
                      "'/transform/x':0,'/transform/y':0,'/transform/z_index':0}");
        merge_fixture_begin();
    }
}

Test(apply_merge, what_was_never_written_has_clock_0)
{
    (void)add("", 100);
    expect_merged(update("'n':1", 1), "['/n']", "[]");
    expect_members("'n':1");
    expect_clocks("{'':100,'/n':1}");
    expect_kept(update("'n':2", 0), ERROR_STALE_TIMESTAMP);
}

Test(apply_merge, a_clock_costs_bytes_only_where_it_differs_from_the_adds)
{
    (void)add("'n':1,'m':1", 100);
    expect_plain(update("'n':2", 200));
    expect_plain(update("'n':3", 300));
    expect_clocks("{'':100,'/n':300}");
    (void)scene_end_batch(merge_fixture.scene);
    scene_begin_batch(merge_fixture.scene);
    expect_plain(apply(update_on(2, 100, (int)SCENE_VERSION + 1)));
    expect_members("'n':2,'m':2");
    expect_clocks("{'':100,'/n':300}");
}

/* --- Which leaves a stale operation writes --- */

Test(apply_merge, a_stale_update_writes_the_leaves_for_which_it_is_not_older)
{
    (void)add("'n':1,'m':2,'o':3", 100);
    (void)update("'n':7", 300);
    const struct outcome outcome = update("'n':8,'m':8,'transform':{'x':8,'y':'ignored'}", 200);
    cr_assert_eq(outcome.reason, CONFLICT_STALE_TIMESTAMP);
    cr_assert_eq(outcome.stale_local_ms, 300);
    cr_assert_eq(outcome.stale_remote_ms, 200);
    cr_assert_eq(outcome.local.timestamp_ms, 300);
    expect_merged(outcome, "['/m','/transform/x']", "['/n']");
    const struct element *const element = scene_get(merge_fixture.scene, "a");
    cr_assert_eq(element_number(element, "n"), 7);
    cr_assert_eq(element_number(element, "m"), 8);
    cr_assert_eq(element->timestamp_ms, 300, "clocks never go back");
    cr_assert_eq(element->version, SCENE_VERSION + 1);
    expect_clocks("{'':100,'/m':200,'/n':300,'/transform/x':200}");
}

Test(apply_merge, with_no_leaf_to_write_all_is_kept_and_nothing_changes)
{
    (void)add("'n':1", 100);
    (void)update("'n':2", 300);
    const struct outcome outcome = update("'n':3", 200);
    expect_kept(outcome, ERROR_STALE_TIMESTAMP);
    outcome_expect_says(outcome, "stale timestamp (local=300, remote=200)");
    expect_kept(update("", 200), ERROR_STALE_TIMESTAMP);
    expect_kept(update("'transform':{'x':'no number'},'id':'b'", 200), ERROR_STALE_TIMESTAMP);
    expect_members("'n':2");
    expect_clocks("{'':100,'/n':300}");
    expect_plain(update("", 400));
    cr_assert_eq(scene_get(merge_fixture.scene, "a")->timestamp_ms, 400);
}

Test(apply_merge, operations_that_are_not_stale_write_all_of_theirs)
{
    (void)add("'n':1", 100);
    expect_plain(update("'n':2,'m':{'a':1}", 100));
    expect_plain(update("'n':3,'m':null", 101));
    expect_members("'n':3");
    expect_clocks("{'':100,'/m':101,'/n':101}");
}

Test(apply_merge, deleting_is_a_write_and_keeps_its_clock)
{
    (void)add("'n':1,'m':{'a':1,'b':2}", 100);
    (void)update("'n':null,'m':{'a':null}", 300);
    expect_members("'m':{'b':2}");
    expect_clocks("{'':100,'/m/a':300,'/n':300}");
    expect_merged(update("'n':5,'m':{'a':5,'b':5}", 200), "['/m/b']", "['/n','/m/a']");
    expect_members("'m':{'b':5}");
    (void)update("'m':null", 400);
    expect_members("");
    expect_clocks("{'':100,'/m':400,'/n':300}");
    expect_kept(update("'m':{'c':1}", 399), ERROR_STALE_TIMESTAMP);
    expect_plain(update("'m':{'c':1}", 400));
}

Test(apply_merge, a_stale_delete_goes_by_the_clocks_below)
{
    (void)add("'m':{'a':1,'b':2}", 100);
    (void)update("'m':{'a':3}", 300);
    expect_kept(update("'m':null", 200), ERROR_STALE_TIMESTAMP);
    (void)update("'n':1", 500);
    expect_merged(update("'m':null", 400), "['/m']", "[]");
    expect_members("'n':1");
    expect_clocks("{'':100,'/m':400,'/n':500}");
}

Test(apply_merge, a_leaf_goes_by_the_clock_of_what_was_written_above)
{
    (void)add("'m':{'a':1}", 100);
    (void)update("'m':5", 300);
    expect_clocks("{'':100,'/m':300}");
    expect_kept(update("'m':{'z':1}", 200), ERROR_STALE_TIMESTAMP);
    expect_members("'m':5");
}

Test(apply_merge, a_map_over_a_leaf_remembers_when_the_leaf_was_written)
{
    (void)add("'m':5", 100);
    (void)update("'m':{'a':1}", 300);
    expect_members("'m':{'a':1}");
    expect_clocks("{'':100,'/m':100,'/m/a':300}");
    expect_merged(update("'m':{'z':1}", 100), "['/m/z']", "[]");
    expect_kept(update("'m':{'y':1}", 99), ERROR_STALE_TIMESTAMP);
    expect_kept(update("'m':6", 299), ERROR_STALE_TIMESTAMP);
    expect_members("'m':{'a':1,'z':1}");
}

Test(apply_merge, an_empty_map_is_a_leaf)
{
    (void)add("'e':{},'m':{'a':1}", 100);
    (void)update("'n':1", 500);
    expect_kept(update("'e':{'a':1}", 99), ERROR_STALE_TIMESTAMP);
    expect_merged(update("'m':{}", 200), "['/m']", "[]");
    expect_members("'e':{},'m':{'a':1},'n':1");
    expect_kept(update("'m':{'a':2}", 199), ERROR_STALE_TIMESTAMP);
    expect_merged(update("'m':{'a':null}", 300), "['/m/a']", "[]");
    expect_members("'e':{},'m':{},'n':1");
    expect_merged(update("'m':{'b':1}", 200), "['/m/b']", "[]");
    expect_clocks("{'':100,'/m':200,'/m/a':300,'/n':500}");
}

Test(apply_merge, a_map_that_is_left_empty_was_not_written)
{
    (void)add("'m':{'a':1}", 100);
    (void)update("'m':{'a':null}", 300);
    expect_clocks("{'':100,'/m':0,'/m/a':300}");
    expect_merged(update("'m':{'b':1}", 1), "['/m/b']", "[]");
    expect_clocks("{'':100,'/m/a':300,'/m/b':1}");
}

Test(apply_merge, pointers_are_escaped)
{
    (void)add("'a/b':{'c~d':1,'~1':2}", 100);
    (void)update("'a/b':{'c~d':2}", 300);
    expect_clocks("{'':100,'/a~1b/c~0d':300}");
    expect_merged(update("'a/b':{'c~d':3,'~1':3}", 200), "['/a~1b/~01']", "['/a~1b/c~0d']");
    expect_members("'a/b':{'c~d':2,'~1':3}");
}

Test(apply_merge, a_key_is_not_above_another_that_begins_with_it)
{
    (void)add("'m':{'a':1},'m-n':1,'mn':1", 100);
    (void)update("'m':{'a':2}", 300);
    expect_merged(update("'m':9,'m-n':2,'mn':2", 200), "['/m-n','/mn']", "['/m']");
    expect_clocks("{'':100,'/m/a':300,'/m-n':200,'/mn':200}");
}

Test(apply_merge, arrays_are_one_value)
{
    (void)add("'l':[1,{'a':1}]", 100);
    (void)update("'l':[2]", 300);
    expect_clocks("{'':100,'/l':300}");
    expect_kept(update("'l':[1,{'a':2}]", 200), ERROR_STALE_TIMESTAMP);
    expect_members("'l':[2]");
}

Test(apply_merge, bytes_that_are_not_written_stay_as_they_were)
{
    /* A str in an encoding longer than need be, a 64-bit 1, a float32. */
    (void)apply("{'op':'add','element':{" SAID ",'s':'hex:da000178','i':'hex:cf0000000000000001',"
                "'f':'hex:ca3dcccccd','n':1},'timestamp':100}");
    (void)update("'n':2", 300);
    expect_merged(update("'n':3,'z':1", 200), "['/z']", "['/n']");
    expect_members("'s':'hex:da000178','i':'hex:cf0000000000000001','f':'hex:ca3dcccccd','n':2,"
                   "'z':1");
}

/* --- Adds on what is there --- */

Test(apply_merge, an_add_on_a_present_element_writes_what_it_says)
{
    (void)apply("{'op':'add','element':{'id':'a','kind':{'type':'T'},'n':1,'m':{'a':1}},"
                "'timestamp':100}");
    (void)update("'n':2,'selected':true", 300);
    const struct outcome outcome =
        apply("{'op':'add','element':{'id':'a','kind':{'type':'U','data':{}},'n':3,'m':{},"
              "'gone':null,'transform':{'x':7,'y':null},'selected':null},'timestamp':200}");
    cr_assert_eq(outcome.reason, CONFLICT_STALE_TIMESTAMP);
    expect_merged(outcome, "['/kind/type','/kind/data','/m','/gone','/transform/x']", "['/n']");
    cr_assert(span_equal(element_document(scene_get(merge_fixture.scene, "a")),
                         message_of("{'id':'a','kind':{'type':'U','data':{}},'n':2,'m':{},"
                                    "'transform':{'x':7,'y':0,'width':100,'height':100,"
                                    "'rotation':0,'z_index':0},'interactive':true,'selected':true,"
                                    "'parent':null,'gone':null}")));
}

Test(apply_merge, the_add_clock_becomes_the_later_of_the_two)
{
    (void)add("'n':1,'m':1", 100);
    (void)update("'n':2", 300);
    expect_merged(apply("{'op':'add','element':{'id':'a','kind':{'type':'U'},'n':3},"
                        "'timestamp':200}"),
                  "['/kind/type']", "['/n']");
    expect_clocks("{'':200,'/interactive':100,'/m':100,'/n':300,'/parent':100,'/selected':100,"
                  "'/transform/height':100,'/transform/rotation':100,'/transform/width':100,"
                  "'/transform/x':100,'/transform/y':100,'/transform/z_index':100}");
    expect_kept(apply(REMOVE("a", 199)), ERROR_STALE_TIMESTAMP);
    expect_merged(update("'m':2,'kind':{'type':'V'}", 150), "['/m']", "['/kind/type']");
    expect_merged(apply("{'op':'add','element':{'id':'a','kind':{'type':'U','k':1}},"
                        "'timestamp':120}"),
                  "['/kind/k']", "['/kind/type']");
    cr_assert_eq(apply(REMOVE("a", 200)).status, OUTCOME_SYNCED);
}

Test(apply_merge, an_add_that_is_not_stale_is_a_conflict_that_is_merged)
{
    (void)add("'n':1,'m':1", 100);
    const struct outcome outcome =
        apply("{'op':'add','element':{'id':'a','kind':{'type':'U'},'n':3},'timestamp':200}");
    cr_assert_eq(outcome.reason, CONFLICT_ELEMENT_ALREADY_EXISTS);
    expect_merged(outcome, "['/kind/type','/n']", "[]");
    cr_assert_eq(element_number(scene_get(merge_fixture.scene, "a"), "m"), 1,
                 "nothing is replaced");
    cr_assert_eq(scene_get(merge_fixture.scene, "a")->timestamp_ms, 200);
}

/* --- Removes --- */

Test(apply_merge, a_stale_remove_goes_by_the_add)
{
    (void)add("'n':1", 100);
    (void)update("'n':2", 300);
    const struct outcome kept = apply(REMOVE("a", 99));
    expect_kept(kept, ERROR_STALE_TIMESTAMP);
    const struct outcome removed = apply(REMOVE("a", 100));
    cr_assert_eq(removed.status, OUTCOME_SYNCED);
    cr_assert_eq(removed.reason, CONFLICT_STALE_TIMESTAMP);
    cr_assert_eq(removed.resolution, RESOLUTION_KEEP_REMOTE);
    const struct element *const element = scene_get(merge_fixture.scene, "a");
    cr_assert_eq(element->presence, ELEMENT_REMOVED);
    cr_assert_eq(element->timestamp_ms, 300);
    cr_assert(span_is_absent(element_clocks(element)));
    expect_plain(add("'n':1", 400));
    expect_clocks("{'':400}");
}

/* --- base_version --- */

Test(apply_merge, a_concurrent_modification_goes_per_property)
{
    (void)add("'n':1,'m':1", 100);
    (void)update("'n':2", 300);
    (void)scene_end_batch(merge_fixture.scene);
    scene_begin_batch(merge_fixture.scene);
    const struct outcome stale = apply(update_on(3, 200, 1));
    cr_assert_eq(stale.reason, CONFLICT_CONCURRENT_MODIFICATION);
    expect_merged(stale, "['/m']", "['/n']");
    const struct outcome newer = apply(update_on(4, 400, 1));
    cr_assert_eq(newer.reason, CONFLICT_CONCURRENT_MODIFICATION);
    expect_merged(newer, "['/n','/m']", "[]");
    const struct outcome none = apply(update_on(5, 200, 1));
    expect_kept(none, ERROR_CONCURRENT_MODIFICATION);
    /* What has seen all that is stored is no conflict, whatever the clocks say. */
    expect_plain(apply(update_on(6, 10, (int)SCENE_VERSION + 1)));
    expect_members("'n':6,'m':6");
    expect_clocks("{'':100,'/m':400,'/n':400}");
}

/* --- Clocks under other strategies, and where there were none --- */

Test(apply_merge, clocks_are_kept_true_under_every_strategy)
{
    (void)add("'n':1,'m':1,'o':1", 100);
    expect_plain(apply_by(STRATEGY_LAST_WRITE_WINS, update_text("'n':2", 300)));
    expect_plain(apply_by(STRATEGY_LOCAL_WINS, update_text("'m':2", 400)));
    cr_assert_eq(apply_by(STRATEGY_LOCAL_WINS, update_text("'m':3", 200)).status, OUTCOME_FAILED);
    cr_assert_eq(apply_by(STRATEGY_REMOTE_WINS, update_text("'n':4,'o':4", 250)).status,
                 OUTCOME_SYNCED);
    expect_clocks("{'':100,'/m':400,'/n':300,'/o':250}");
    expect_merged(update("'n':9,'m':9,'o':9", 299), "['/o']", "['/n','/m']");
}

Test(apply_merge, an_add_that_replaces_begins_anew)
{
    (void)add("'n':1", 100);
    (void)update("'n':2", 200);
    (void)apply_by(STRATEGY_LAST_WRITE_WINS,
                   "{'op':'add','element':{" SAID ",'n':5},'timestamp':300}");
    expect_members("'n':5");
    expect_clocks("{'':300}");
}

Test(apply_merge, elements_of_other_strategies_have_none)
{
    static const enum strategy others[] = {STRATEGY_LAST_WRITE_WINS, STRATEGY_LOCAL_WINS,
                                           STRATEGY_REMOTE_WINS};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)apply_by(others[i], "{'op':'add','element':{" SAID ",'n':1},'timestamp':100}");
        (void)apply_by(others[i], update_text("'n':2", 200));
        cr_assert(span_is_absent(element_clocks(scene_get(merge_fixture.scene, "a"))));
        merge_fixture_begin();
    }
}

Test(apply_merge, without_clocks_everything_counts_as_written_at_the_elements_time)
{
    (void)apply_by(STRATEGY_LAST_WRITE_WINS,
                   "{'op':'add','element':{" SAID ",'n':1},'timestamp':100}");
    (void)apply_by(STRATEGY_LAST_WRITE_WINS, update_text("'n':2", 200));
    expect_kept(update("'m':1", 199), ERROR_STALE_TIMESTAMP);
    expect_kept(apply(REMOVE("a", 199)), ERROR_STALE_TIMESTAMP);
    cr_assert(span_is_absent(element_clocks(scene_get(merge_fixture.scene, "a"))));
    expect_plain(update("'n':3", 300));
    expect_clocks("{'':200,'*':200,'/n':300}");
    expect_kept(update("'m':1,'z':1", 199), ERROR_STALE_TIMESTAMP);
    expect_merged(update("'n':4,'z':1", 250), "['/z']", "['/n']");
    expect_members("'n':3,'z':1");
}
