/*
 * The bounds of merge: what clocks and lists may take, elements that would become too large or
 * invalid, clocks that others wrote.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/batches.h"
#include "tests/support/merge_fixture.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"
#include "tests/support/sent_batch.h"

TestSuite(apply_merge_bounds, .init = merge_fixture_begin, .fini = merge_fixture_end);

Test(apply_merge_bounds, clocks_beyond_the_limit_are_folded_into_one)
{
    merge_fixture.limits.element_bytes_max = 400;
    (void)add("", 100);
    unsigned time_ms = 1000;
    size_t folded = 0;
    for (unsigned i = 0; i < 60; i++) {
        expect_plain(update(text_of_format("'key%u':null", i), ++time_ms));
        const struct span clocks = element_clocks(scene_get(merge_fixture.scene, "a"));
        cr_assert_leq(clocks.size, 400);
        folded += span_equal(clocks, message_of_format("{'':100,'*':%u}", time_ms));
    }
    cr_assert_geq(folded, 1);
    expect_kept(update("'new':1", 101), ERROR_STALE_TIMESTAMP);
    const char *const remove = text_of_format("{'op':'remove','id':'a','timestamp':%u}", time_ms);
    expect_plain(apply(remove));
}

Test(apply_merge_bounds, long_keys_above_many_leaves_cost_no_more_than_they_are)
{
    char key[1001] = "";
    memset(key, 'k', sizeof(key) - 1);
    static char leaves[200000];
    size_t size = 0;
    for (unsigned i = 0; i < 10000; i++) {
        size += (size_t)snprintf(leaves + size, sizeof(leaves) - size, "%s'%u':1", i ? "," : "", i);
    }
    (void)add("", 100);
    (void)update("'n':1", 300);
    const struct outcome outcome = update(text_of_format("'%s':{%s}", key, leaves), 200);
    cr_assert_eq(outcome.resolution, RESOLUTION_MERGE);
    cr_assert(span_is_absent(outcome.applied), "there is no room for 10 MB of pointers");
    cr_assert_lt(merge_fixture.work.used_bytes, 4U << 20);
    expect_clocks("{'':100,'*':300}");
}

Test(apply_merge_bounds, a_document_has_its_limit_to_itself)
{
    (void)add("'n':1", 100);
    merge_fixture.limits.element_bytes_max = scene_get(merge_fixture.scene, "a")->document_bytes;
    expect_plain(update("'n':2", 200));
    const struct outcome outcome = update("'n':300", 300);
    cr_assert_eq(outcome.status, OUTCOME_FAILED);
    cr_assert_eq(outcome.code, ERROR_ELEMENT_TOO_LARGE);
    (void)update("'selected':true", 400);
    const struct outcome merged = update("'n':300", 300);
    cr_assert_eq(merged.code, ERROR_ELEMENT_TOO_LARGE);
    cr_assert_eq(merged.reason, CONFLICT_NONE);
    expect_clocks("{'':100,'/n':200,'/selected':400}");
}

Test(apply_merge_bounds, a_merge_that_breaks_the_element_is_invalid)
{
    (void)add("'n':1", 100);
    (void)update("'n':2", 300);
    const struct outcome outcome = update("'kind':{'type':null}", 200);
    cr_assert_eq(outcome.code, ERROR_INVALID_OPERATION);
    expect_kept(update("'kind':{'type':null}", 99), ERROR_STALE_TIMESTAMP);
    expect_members("'n':2");
}

Test(apply_merge_bounds, clocks_of_other_programs_may_stand_in_any_order)
{
    struct element *const element = scene_note(merge_fixture.scene, span_of_text("a"));
    struct error error;
    cr_assert(scene_load_element(merge_fixture.scene, element,
                                 message_of("[3,300,{" SAID ",'n':1,'m':1},{'/n':300,'/m':200.0}]"),
                                 &error));
    expect_merged(update("'n':2,'m':2,'transform':{'x':2}", 250), "['/m']",
                  "['/n','/transform/x']");
    expect_clocks("{'':300,'/m':250,'/n':300}");
}

Test(apply_merge_bounds, memory_for_clocks_is_used_again)
{
    (void)add("", 100);
    for (unsigned i = 0; i < 3000; i++) {
        (void)update(text_of_format("'key%u':%u", i, i), 1000 + i);
    }
    cr_assert_gt(element_clocks(scene_get(merge_fixture.scene, "a")).size, 20000);
    cr_assert_lt(merge_fixture.work.used_bytes, 1U << 20, "of one operation, not of 3000");
    const size_t before = test_arena()->used_bytes;
    (void)update("'key7':0", 5000);
    cr_assert_lt(test_arena()->used_bytes - before, 1024);
}
