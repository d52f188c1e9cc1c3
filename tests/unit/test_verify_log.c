/*
 * What is kept of the log, and what the results say of each attempt.
 */
#include <criterion/criterion.h>

#include "tests/support/messages.h"
#include "tests/support/sent_batch.h"
#include "worker/verify_log.h"

enum { LOG_BYTES_MAX = 64 << 20 };

static struct verify_log kept_log;
static const struct verify_partition partition = {.number = 3};

static void begin(void)
{
    verify_log_init(&kept_log, "scene.ops", (struct span){0}, LOG_BYTES_MAX);
}

static void end(void)
{
    verify_log_deinit(&kept_log);
}

TestSuite(verify_log, .init = begin, .fini = end);

static bool add_batch(int64_t offset, const char *json)
{
    const struct verify_record record = {
        .partition = &partition, .offset = offset, .value = message_of(json)};
    return verify_log_add_batch(&kept_log, &record);
}

static void add_result(const char *json)
{
    cr_assert(verify_log_add_result(&kept_log, message_of(json)));
}

static const struct verify_result *find(int64_t offset, uint32_t attempt)
{
    return verify_log_find_result(&kept_log, 3, offset, attempt);
}

Test(verify_log, keeps_batches_by_scene_in_order)
{
    cr_assert(add_batch(0, "{'session_id':'s1'}"));
    cr_assert(add_batch(1, "{'session_id':'s2'}"));
    cr_assert(add_batch(2, "{'operations':7,'session_id':'s1'}"));
    cr_assert_eq(verify_log_scene_count(&kept_log), 2);
    struct verify_scene *const scene = verify_log_find_scene(&kept_log, span_of_text("s1"));
    cr_assert_eq(scene, kept_log.scenes[0]);
    cr_assert_eq(scene->lanes->first->offset, 0);
    cr_assert_eq(scene->lanes->first->next, scene->lanes->last);
    cr_assert_eq(scene->lanes->last->offset, 2);
    cr_assert_null(scene->lanes->next);
    cr_assert_null(verify_log_find_scene(&kept_log, span_of_text("s3")));

    scene->is_checked = true;
    cr_assert(add_batch(3, "{'session_id':'s1'}"));
    cr_assert_eq(scene->lanes->last->offset, 2, "what comes behind the check is passed by");
}

Test(verify_log, what_names_no_scene_is_not_kept)
{
    static const char *const others[] = {
        "'hex:c1'",         "'hex:81a1'",       "[1]",
        "{'session':'s1'}", "{'session_id':7}", "{'session_id':'no/slash'}"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        cr_assert(add_batch(0, others[i]), "%s", others[i]);
        add_result(others[i]);
    }
    cr_assert_eq(verify_log_scene_count(&kept_log), 0);
    cr_assert_eq(kept_log.sequence, 0);
}

Test(verify_log, one_scene_alone)
{
    kept_log.session_id = span_of_text("s2");
    cr_assert(add_batch(0, "{'session_id':'s1'}"));
    cr_assert(add_batch(1, "{'session_id':'s2'}"));
    add_result("{'session_id':'s1','attempts':1,'source':{'topic':'scene.ops','partition':3,"
               "'offset':0}}");
    cr_assert_eq(verify_log_scene_count(&kept_log), 1);
    cr_assert_null(find(0, 1));
}

Test(verify_log, the_last_result_of_an_attempt_counts)
{
    add_result("{'session_id':'s','attempts':1,'scene_version':5,'source':{'topic':'scene.ops',"
               "'partition':3,'offset':0}}");
    add_result("{'session_id':'s','attempts':1,'scene_version':4,'source':{'topic':'scene.ops',"
               "'partition':3,'offset':0}}");
    add_result("{'session_id':'s','attempts':1,'scene_version':9,'source':{'topic':'other',"
               "'partition':3,'offset':0}}");
    const struct verify_result *const result = find(0, 1);
    cr_assert_eq(result->scene_version, 4);
    cr_assert_eq(result->first_sequence, 1);
    cr_assert_eq(result->sequence, 2);
    cr_assert_null(find(1, 1));
    cr_assert_null(find(0, 2));
}

Test(verify_log, later_attempts_tell_the_versions_of_earlier_ones)
{
    add_result("{'session_id':'s','attempts':1,'scene_version':1,'source':{'topic':'scene.ops',"
               "'partition':3,'offset':0}}");
    add_result("{'session_id':'s','attempts':3,'scene_version':7,'attempt_versions':[2,5,7],"
               "'source':{'topic':'scene.ops','partition':3,'offset':0}}");
    cr_assert_eq(find(0, 1)->scene_version, 1, "its own result tells");
    cr_assert_eq(find(0, 2)->scene_version, 5);
    cr_assert(span_is_absent(find(0, 2)->bytes));
    cr_assert_eq(find(0, 3)->scene_version, 7);
}

/* Repeated results are equal: they must not fill the memory. */
Test(verify_log, equal_results_are_kept_once)
{
    static const char result[] = "{'session_id':'s','attempts':1,'scene_version':1,'source':"
                                 "{'topic':'scene.ops','partition':3,'offset':0}}";
    add_result(result);
    const size_t used_bytes = kept_log.arena.used_bytes;
    for (int i = 0; i < 100; i++) {
        add_result(result);
    }
    cr_assert_eq(kept_log.arena.used_bytes, used_bytes);
}

Test(verify_log, bodies_are_not_kept)
{
    const char *const body = text_of_format("%0100000d", 7);
    add_result(text_of_format(
        "{'session_id':'s','attempts':1,'scene_version':1,'failed_operations':[{'index':0,'code':"
        "'stale_timestamp','error':'%s','retryable':false,'operation':'%s'}],'source':"
        "{'topic':'scene.ops','partition':3,'offset':0}}",
        body, body));
    cr_assert_lt(find(0, 1)->bytes.size, 1000u);
}

Test(verify_log, a_log_beyond_its_memory_is_refused)
{
    kept_log.arena.bytes_max = 100000;
    int64_t offset = 0;
    while (offset < 100000 && add_batch(offset, "{'session_id':'s1'}")) {
        offset++;
    }
    cr_assert_lt(offset, 2000);
    cr_assert_gt(offset, 100);
}

Test(verify_log, many_scenes_are_found_again)
{
    for (int i = 0; i < 3000; i++) {
        cr_assert(add_batch(i, text_of_format("{'session_id':'s%d'}", i)));
    }
    for (int i = 0; i < 3000; i++) {
        const struct verify_scene *const scene =
            verify_log_find_scene(&kept_log, span_of_text(text_of_format("s%d", i)));
        cr_assert_eq(scene->lanes->first->offset, i);
    }
}
