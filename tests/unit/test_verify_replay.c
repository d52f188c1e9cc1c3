/*
 * A scene made again from the log: which records count, in which order, and what is not judged.
 */
#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"
#include "tests/support/sent_batch.h"
#include "worker/verify_replay.h"

enum {
    OPS_0,
    OPS_1,
    RETRY_1,
    RETRY_2,
    PARTITION_COUNT,
    LOG_BYTES_MAX = 64 << 20,
    NOT_CUT = 0,
    ALL = 1 << 20 /* a position beyond every offset used here */
};

static struct verify_partition partitions[PARTITION_COUNT];
static int64_t positions[PARTITION_COUNT];
static struct verify_log kept_log;
static struct settings settings;
static struct arena attempt_arena;
static struct buffer scratch;
static struct verify_model model;
static bool is_model_made;
static bool has_all_results; /* not in most tests, which give a few only */

static void begin(void)
{
    static const char *const topics[] = {"scene.ops", "scene.ops", "scene.ops.retry-1",
                                         "scene.ops.retry-2"};
    static const int32_t numbers[] = {0, 1, 0, 0};
    for (size_t i = 0; i < PARTITION_COUNT; i++) {
        partitions[i] = (struct verify_partition){
            .topic = span_of_text(topics[i]),
            .number = numbers[i],
            .name = span_of_text(text_of_format("%s/%d", topics[i], (int)numbers[i])),
            .tier = i == RETRY_1   ? 1
                    : i == RETRY_2 ? 2
                                   : 0,
        };
        positions[i] = ALL;
    }
    cr_assert(settings_init(&settings));
    settings.retry_initial_delay_ms = 100;
    verify_log_init(&kept_log, settings.topic_ops, (struct span){0}, LOG_BYTES_MAX);
    arena_init(&attempt_arena, LOG_BYTES_MAX);
    buffer_init(&scratch, LOG_BYTES_MAX);
}

static void end(void)
{
    if (is_model_made) {
        verify_model_deinit(&model);
    }
    verify_log_deinit(&kept_log);
    settings_deinit(&settings);
    arena_deinit(&attempt_arena);
    buffer_deinit(&scratch);
}

TestSuite(verify_replay, .init = begin, .fini = end);

/* ---- The log ---- */

static void add_record(int lane, int64_t offset, int64_t timestamp_ms, struct span value)
{
    const struct verify_record record = {
        .partition = &partitions[lane],
        .offset = offset,
        .timestamp_ms = timestamp_ms,
        .log_append_time = true,
        .value = value,
    };
    cr_assert(verify_log_add_batch(&kept_log, &record));
}

/* A batch of session s by client c, stamped in log order. */
static void batch(int lane, int64_t offset, const char *id, const char *operations)
{
    add_record(lane, offset, 100000 + offset,
               message_of_format("{'session_id':'s','batch_id':'%s','client_id':'c',"
                                 "'operations':[%s]}",
                                 id, operations));
}

/* The requeue of one pending operation, the `index`th of `total`, of a batch at OPS_0/`source`. */
struct requeue {
    const char *id, *operation;
    uint32_t attempt, index, total;
    int64_t source;
    uint64_t not_before_ms;
};

static void requeue(int lane, int64_t offset, struct requeue given)
{
    const char *versions = "0";
    for (uint32_t i = 2; i < given.attempt; i++) {
        versions = text_of_format("%s,0", versions);
    }
    add_record(lane, offset, (int64_t)given.not_before_ms - 50,
               message_of_format(
                   "{'session_id':'s','batch_id':'%s','client_id':'c','strategy':"
                   "'last_write_wins','operations':[%s],'retry':{'attempt':%u,'not_before':%llu,"
                   "'arrival':200000,'source':{'topic':'scene.ops','partition':0,'offset':%lld},"
                   "'total':%u,'indexes':[%u],'synced_count':%u,'clamped_count':0,'duration_ms':0,"
                   "'attempt_versions':[%s],'conflicts':[],'failed_operations':[]}}",
                   given.id, given.operation, given.attempt,
                   (unsigned long long)given.not_before_ms, (long long)given.source, given.total,
                   given.index, given.total - 1, versions));
}

/* What a result says: `rest` is more of its keys. */
static void result(int32_t partition, int64_t offset, uint32_t attempt, uint64_t version,
                   const char *rest)
{
    cr_assert(verify_log_add_result(
        &kept_log,
        message_of_format("{'v':1,'session_id':'s','batch_id':'b','attempts':%u,"
                          "'scene_version':%llu,'source':{'topic':'scene.ops','partition':%d,"
                          "'offset':%lld},%s%s}",
                          attempt, (unsigned long long)version, (int)partition, (long long)offset,
                          strstr(rest, "strategy") != NULL ? "" : "'strategy':'last_write_wins',",
                          rest)));
}

#define FINAL(synced) "'final':true,'synced_count':" #synced
/* Of the batch that `late` is a requeue of, or of one like it. */
#define PENDING(index)                                                                             \
    "'final':false,'synced_count':1,'pending_count':1,'next_attempt_at':100005,"                   \
    "'failed_operations':[{'index':" #index ",'code':'element_not_found','retryable':true}]"

/* ---- The rebuild ---- */

static bool is_cut(const void *context, uint32_t tier, int32_t number)
{
    (void)context;
    (void)number;
    return tier > 0 && partitions[tier == 1 ? RETRY_1 : RETRY_2].start_offset > 0;
}

/* Makes session s again; the history begins in the log unless an ops partition is cut. */
static void rebuild(void)
{
    const struct verify_context context = {.settings = &settings,
                                           .log = &kept_log,
                                           .has_all_results = has_all_results,
                                           .arena = &attempt_arena,
                                           .scratch = &scratch};
    const struct verify_scene *const scene = verify_log_find_scene(&kept_log, span_of_text("s"));
    cr_assert_not_null(scene);
    struct verify_bound bounds[PARTITION_COUNT];
    struct verify_replay replay = {.context = &context,
                                   .bounds = bounds,
                                   .answered_sequence = kept_log.sequence,
                                   .is_cut = is_cut};
    cr_assert(verify_model_init(&model, span_of_text("s")));
    is_model_made = true;
    model.is_complete = true;
    for (const struct verify_lane *lane = scene->lanes; lane != NULL; lane = lane->next) {
        bounds[replay.bound_count++] = (struct verify_bound){
            .lane = lane, .position = positions[lane->partition - partitions]};
        if (lane->partition->tier == 0 && lane->partition->start_offset > 0) {
            model.is_complete = false;
            replay.cut = lane->partition;
        }
    }
    model.is_version_known = model.is_complete;
    struct error error;
    cr_assert(verify_replay_run(&replay, &model, &error), "%s", error.message);
}

/* The element's number n; 0 where it is removed or was never there. */
static uint64_t number_of(const char *id)
{
    const struct element *const element = scene_find(model.scene, span_of_text(id));
    return element != NULL && element->presence == ELEMENT_PRESENT ? element_number(element, "n")
                                                                   : 0;
}

static uint64_t timestamp_of(const char *id)
{
    return scene_get(model.scene, id)->timestamp_ms;
}

static bool is_judged(const char *id)
{
    return verify_model_is_judged(&model, span_of_text(id));
}

/* ---- Order ---- */

static const struct requeue late = {.id = "b",
                                    .operation = UPDATE("u", 2, 20),
                                    .attempt = 2,
                                    .index = 1,
                                    .total = 2,
                                    .source = 0,
                                    .not_before_ms = 100005};

/* The retry is applied between the two updates behind it, or after both. */
static void log_with_a_retry(void)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 1) "," UPDATE("u", 2, 20));
    batch(OPS_0, 1, "c", ADD("u", 1, 10));
    batch(OPS_0, 2, "d", UPDATE("u", 3, 20));
    requeue(RETRY_1, 0, late);
}

Test(verify_replay, results_tell_where_a_retry_belongs)
{
    log_with_a_retry();
    result(0, 0, 1, 1, PENDING(1));
    result(0, 1, 1, 2, FINAL(1));
    result(0, 0, 2, 3, FINAL(2));
    result(0, 2, 1, 4, FINAL(1));
    rebuild();
    cr_assert_eq(number_of("u"), 3);
    cr_assert(is_judged("u"));
    cr_assert(verify_model_has_versions(&model));
    cr_assert_eq(model.scene->version, 4);
}

Test(verify_replay, the_last_result_tells_of_all_attempts)
{
    log_with_a_retry();
    result(0, 2, 1, 3, FINAL(1));
    result(0, 1, 1, 2, FINAL(1));
    result(0, 0, 2, 4, FINAL(2) ",'attempt_versions':[1,4]");
    rebuild();
    cr_assert_eq(number_of("u"), 2);
    cr_assert(verify_model_has_versions(&model));
}

/* The store lost the first attempt, which was made again: only its own requeue counts. */
Test(verify_replay, a_requeue_of_a_lost_attempt_is_passed_over)
{
    struct requeue lost = late;
    lost.not_before_ms = 100003;
    batch(OPS_0, 0, "b", ADD("a", 1, 1) "," UPDATE("u", 2, 20));
    batch(OPS_0, 1, "c", ADD("u", 1, 10));
    requeue(RETRY_1, 0, lost);
    batch(OPS_0, 2, "d", UPDATE("u", 3, 20));
    result(0, 0, 1, 1, PENDING(1));
    result(0, 1, 1, 2, FINAL(1));
    result(0, 2, 1, 3, FINAL(1));
    rebuild();
    cr_assert_eq(number_of("u"), 3);
    cr_assert_eq(model.scene->version, 3);
}

Test(verify_replay, without_results_time_is_a_guess_and_said)
{
    log_with_a_retry();
    rebuild();
    cr_assert_eq(number_of("u"), 2, "it was due last");
    cr_assert_not(is_judged("u"));
    cr_assert(model.has_guessed_order);
    cr_assert_not(verify_model_has_versions(&model));
}

/* One result is missing, but there is only one place for its attempt. */
Test(verify_replay, a_hole_in_the_versions_is_filled)
{
    log_with_a_retry();
    result(0, 0, 1, 1, PENDING(1));
    result(0, 1, 1, 2, FINAL(1));
    result(0, 2, 1, 4, FINAL(1));
    rebuild();
    cr_assert_eq(number_of("u"), 3);
    cr_assert(is_judged("u"));
    cr_assert(verify_model_has_versions(&model));
}

Test(verify_replay, partitions_are_merged_by_version)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 1));
    batch(OPS_0, 1, "c", UPDATE("a", 3, 5));
    batch(OPS_1, 0, "d", UPDATE("a", 2, 5));
    result(0, 0, 1, 1, FINAL(1));
    result(1, 0, 1, 2, FINAL(1));
    result(0, 1, 1, 3, FINAL(1));
    rebuild();
    cr_assert_eq(number_of("a"), 3);
    cr_assert(verify_model_has_versions(&model));
}

/* The one that changed nothing has the same version, whichever was published first. */
Test(verify_replay, of_equal_versions_the_change_comes_first)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 10));
    batch(OPS_1, 0, "c", UPDATE("a", 2, 20));
    batch(OPS_0, 1, "d", UPDATE("a", 9, 15));
    result(0, 0, 1, 1, FINAL(1));
    result(0, 1, 1, 2, "'final':true,'failed_count':1");
    result(1, 0, 1, 2, FINAL(1));
    rebuild();
    cr_assert_eq(number_of("a"), 2);
    cr_assert_eq(model.scene->version, 2);
    cr_assert(verify_model_has_versions(&model));
}

/* ---- Which records count ---- */

Test(verify_replay, what_is_beyond_the_position_is_not_applied_yet)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 1));
    batch(OPS_0, 1, "c", UPDATE("a", 2, 2));
    positions[OPS_0] = 0;
    rebuild();
    cr_assert_eq(number_of("a"), 1);
    cr_assert_eq(model.lost_count, 0);
}

Test(verify_replay, what_was_answered_beyond_the_position_is_lost)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 1));
    batch(OPS_0, 1, "c", UPDATE("a", 2, 2));
    batch(OPS_0, 2, "d", UPDATE("a", 3, 3));
    batch(OPS_0, 3, "e", UPDATE("a", 4, 4));
    result(0, 1, 1, 2, FINAL(1));
    result(0, 2, 1, 3, FINAL(1));
    positions[OPS_0] = 0;
    rebuild();
    cr_assert_eq(number_of("a"), 3);
    cr_assert_eq(model.lost_count, 1);
    cr_assert_eq(model.lost[0].position, 0);
    cr_assert_eq(model.lost[0].answered, 2);
}

/* What the store refused was answered too, and changed nothing. */
Test(verify_replay, what_the_store_refused_is_not_applied_and_not_lost)
{
    static const char refused[] = "'final':true,'failed_count':1,'failed_operations':[{'index':0,"
                                  "'code':'store_error','retryable':false}]";
    static const char raced[] = "'final':true,'synced_count':1,'failed_count':1,"
                                "'failed_operations':[{'index':1,'code':'concurrent_modification',"
                                "'retryable':true}]";
    batch(OPS_0, 0, "b", ADD("a", 1, 1) "," ADD("c", 1, 1));
    batch(OPS_0, 1, "c", UPDATE("a", 2, 2));
    result(0, 0, 1, 1, raced);
    result(0, 1, 1, 1, refused);
    positions[OPS_0] = 0;
    rebuild();
    cr_assert_eq(number_of("a"), 1);
    cr_assert_eq(number_of("c"), 0);
    cr_assert_eq(model.lost_count, 0);
    cr_assert(verify_model_has_versions(&model));
}

Test(verify_replay, a_resend_counts_once_unless_its_result_says_otherwise)
{
    batch(OPS_0, 0, "b", UPDATE("a", 1, 1) "," ADD("a", 1, 1));
    batch(OPS_0, 1, "c", UPDATE("a", 2, 2));
    batch(OPS_0, 2, "b", UPDATE("a", 1, 1) "," ADD("a", 1, 1));
    batch(OPS_0, 3, "c", UPDATE("a", 5, 5));
    rebuild();
    cr_assert_eq(number_of("a"), 2, "b came again, and c was taken by others");
    cr_assert_eq(model.scene->version, 2);
}

/* The copy stands before the original in another partition; its own result would be there. */
Test(verify_replay, what_was_passed_by_without_a_result_was_recognised)
{
    has_all_results = true;
    batch(OPS_0, 0, "b", ADD("a", 1, 1));
    batch(OPS_1, 0, "c", UPDATE("a", 2, 1));
    batch(OPS_1, 1, "d", UPDATE("a", 3, 1));
    batch(OPS_0, 1, "c", UPDATE("a", 2, 1));
    result(0, 0, 1, 1, FINAL(1));
    result(1, 1, 1, 2, FINAL(1));
    result(0, 1, 1, 4, FINAL(1));
    rebuild();
    cr_assert_eq(number_of("a"), 2);
    cr_assert(is_judged("a"));
    cr_assert_not(model.has_guessed_order);
    cr_assert(model.has_version_gap, "somebody else made version 3");
}

/* Neither of the two applied anything; the later removal raised the tombstone. */
Test(verify_replay, of_equal_versions_the_one_that_moves_a_tombstone_comes_first)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 1) "," REMOVE("a", 10));
    batch(OPS_0, 1, "c", REMOVE("a", 20));
    batch(OPS_1, 0, "d", REMOVE("a", 30));
    result(0, 0, 1, 1, FINAL(2));
    result(0, 1, 1, 2, "'final':true,'failed_count':1");
    result(1, 0, 1, 2, "'final':true,'failed_count':1");
    rebuild();
    cr_assert_eq(timestamp_of("a"), 30);
    cr_assert(verify_model_has_versions(&model));
}

/* Where the results do not go back, a worker may have forgotten the batch by then. */
Test(verify_replay, a_resend_without_results_is_not_judged)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 1));
    batch(OPS_0, 1, "b", ADD("a", 1, 1));
    rebuild();
    cr_assert_not(is_judged("a"));
}

Test(verify_replay, a_forgotten_batch_was_applied_again)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 1));
    batch(OPS_0, 1, "c", UPDATE("a", 2, 1));
    batch(OPS_0, 2, "b", ADD("a", 1, 1));
    result(0, 2, 1, 3, FINAL(1));
    rebuild();
    cr_assert_eq(number_of("a"), 1);
    cr_assert_eq(model.scene->version, 3);
}

Test(verify_replay, what_was_refused_whole_changes_nothing)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 1));
    add_record(OPS_0, 1, 100001, message_of("{'session_id':'s','operations':7}"));
    batch(OPS_0, 2, "c", UPDATE("a", 2, 2));
    result(0, 2, 1, 0, "'final':true,'error_code':'batch_id_reused','error':'used'");
    rebuild();
    cr_assert_eq(number_of("a"), 1);
}

/* After a crash a requeue may stand in the topic twice. */
Test(verify_replay, a_copy_of_a_requeue_counts_once)
{
    log_with_a_retry();
    requeue(RETRY_1, 1, late);
    result(0, 0, 1, 1, PENDING(1));
    result(0, 1, 1, 2, FINAL(1));
    result(0, 0, 2, 3, FINAL(2));
    result(0, 2, 1, 4, FINAL(1));
    positions[RETRY_1] = 0;
    rebuild();
    cr_assert_eq(number_of("u"), 3);
    cr_assert_eq(model.scene->version, 4);
    cr_assert_eq(model.lost_count, 0);
}

/* Out of retries: the results say so, whatever retry.max_retries is today. */
Test(verify_replay, the_last_attempt_is_the_one_without_anything_pending)
{
    batch(OPS_0, 0, "b", REMOVE("ghost", 50));
    result(0, 0, 1, 1,
           "'final':true,'failed_count':1,'failed_operations':[{'index':0,'code':"
           "'element_not_found','retryable':true}]");
    rebuild();
    cr_assert_eq(scene_get(model.scene, "ghost")->presence, ELEMENT_REMOVED);
    cr_assert_eq(timestamp_of("ghost"), 50);
}

Test(verify_replay, the_strategy_is_the_one_that_was_used)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 10));
    batch(OPS_0, 1, "c", UPDATE("a", 2, 5));
    result(0, 1, 1, 2, FINAL(1) ",'strategy':'remote_wins'");
    rebuild();
    cr_assert_eq(number_of("a"), 2);
}

/* ---- A history whose beginning is gone ---- */

Test(verify_replay, elements_of_a_cut_history_are_judged_once_they_are_known)
{
    partitions[OPS_0].start_offset = 5;
    batch(OPS_0, 5, "b", UPDATE("blind", 1, 30) "," ADD("fresh", 2, 30) "," ADD("replaced", 3, 30));
    batch(OPS_0, 6, "c", UPDATE("fresh", 4, 20) "," REMOVE("gone", 30) "," ADD("back", 5, 1));
    batch(OPS_0, 7, "d", UPDATE("replaced", 6, 35) "," UPDATE("ghost", 1, 3));
    result(0, 5, 1, 10,
           "'final':true,'synced_count':3,'conflicts':[{'index':2,'reason':'ElementAlreadyExists',"
           "'resolution':'keep_remote','resolved':true,'local':{'version':4,'timestamp':30,"
           "'removed':false}}]");
    result(0, 6, 1, 11,
           "'final':true,'synced_count':1,'failed_count':2,'conflicts':[{'index':0,'reason':"
           "{'StaleTimestamp':{'local':30,'remote':20}},'resolution':'keep_local','resolved':true,"
           "'local':{'version':10,'timestamp':30,'removed':false}},{'index':2,'reason':"
           "{'StaleTimestamp':{'local':40,'remote':1}},'resolution':'keep_local','resolved':true,"
           "'local':{'version':3,'timestamp':40,'removed':true}}],'failed_operations':[{'index':0,"
           "'code':'stale_timestamp','retryable':false},{'index':2,'code':'stale_timestamp',"
           "'retryable':false}]");
    result(0, 7, 1, 12,
           "'final':true,'synced_count':1,'failed_count':1,'conflicts':[{'index':1,'reason':"
           "'ElementNotFound','resolution':'keep_local','resolved':true,'local':{'version':0,"
           "'timestamp':0,'removed':false}}],'failed_operations':[{'index':1,'code':"
           "'element_not_found','retryable':true}]");
    rebuild();
    cr_assert_not(model.is_complete);
    cr_assert_not(is_judged("blind"));
    cr_assert(is_judged("fresh"));
    cr_assert_eq(number_of("fresh"), 2);
    cr_assert(is_judged("replaced"));
    cr_assert_eq(number_of("replaced"), 6);
    cr_assert_eq(timestamp_of("replaced"), 35);
    cr_assert(is_judged("gone"));
    cr_assert_eq(scene_get(model.scene, "gone")->presence, ELEMENT_REMOVED);
    cr_assert_eq(timestamp_of("back"), 40, "the tombstone that it met");
    cr_assert(is_judged("ghost"));
    cr_assert_eq(scene_get(model.scene, "ghost")->presence, ELEMENT_UNKNOWN);
    cr_assert(verify_model_has_versions(&model), "from the first result on");
    cr_assert_eq(model.scene->version, 12);
}

Test(verify_replay, without_results_a_cut_history_stays_unknown)
{
    partitions[OPS_0].start_offset = 5;
    batch(OPS_0, 5, "b", ADD("a", 1, 30));
    rebuild();
    cr_assert_not(is_judged("a"));
    cr_assert_not(verify_model_has_versions(&model));
}

Test(verify_replay, a_scene_that_begins_behind_the_cut_is_whole)
{
    partitions[OPS_0].start_offset = 5;
    batch(OPS_0, 5, "b", ADD("a", 1, 30));
    batch(OPS_0, 6, "c", UPDATE("a", 2, 40));
    result(0, 5, 1, 1, FINAL(1));
    result(0, 6, 1, 2, FINAL(1));
    rebuild();
    cr_assert(model.is_complete);
    cr_assert(is_judged("a"));
    cr_assert(verify_model_has_versions(&model));
}

/* Its requeue is there no more: what it did to the element nobody knows. */
Test(verify_replay, elements_of_a_lost_requeue_are_not_judged)
{
    partitions[RETRY_1].start_offset = 3;
    batch(OPS_0, 0, "b", ADD("a", 1, 1) "," UPDATE("u", 2, 20));
    batch(OPS_0, 1, "c", ADD("u", 1, 10) "," ADD("other", 1, 1));
    rebuild();
    cr_assert_not(is_judged("u"));
    cr_assert(is_judged("other"));
}

/* ---- Versions and clocks ---- */

Test(verify_replay, versions_of_other_programs_are_a_gap)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 1));
    batch(OPS_0, 1, "c", UPDATE("a", 2, 2));
    result(0, 0, 1, 1, FINAL(1));
    result(0, 1, 1, 5, FINAL(1));
    rebuild();
    cr_assert_eq(model.scene->version, 5);
    cr_assert_not(verify_model_has_versions(&model));
    cr_assert(is_judged("a"));
}

/* The result says that it changed something; the rebuild does not see what. */
Test(verify_replay, a_version_that_the_rebuild_does_not_reach_is_a_gap)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 10));
    batch(OPS_0, 1, "c", UPDATE("a", 2, 5));
    result(0, 0, 1, 1, FINAL(1));
    result(0, 1, 1, 2, FINAL(1));
    rebuild();
    cr_assert_eq(number_of("a"), 1);
    cr_assert_eq(model.scene->version, 2);
    cr_assert_not(verify_model_has_versions(&model));
}

Test(verify_replay, base_versions_follow_the_results)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 10));
    batch(OPS_0, 1, "c", UPDATE_ON(1, "a", 2, 5));
    rebuild();
    cr_assert_eq(number_of("a"), 2, "version 1 was current");
    cr_assert(is_judged("a"));
}

Test(verify_replay, stamped_records_clamp_exactly)
{
    batch(OPS_0, 0, "b", ADD("a", 1, 999999999));
    rebuild();
    cr_assert_eq(timestamp_of("a"), 100000);
    cr_assert(is_judged("a"));
}

/* The producer's clock stamped it: when the worker met it only the result can tell, about. */
Test(verify_replay, clamping_by_a_workers_clock_is_not_judged)
{
    const struct verify_record record = {
        .partition = &partitions[OPS_0],
        .timestamp_ms = 500000,
        .value = message_of("{'session_id':'s','batch_id':'b','client_id':'c',"
                            "'operations':[" ADD("a", 1, 450000) "," ADD("old", 1, 5) "]}"),
    };
    cr_assert(verify_log_add_batch(&kept_log, &record));
    result(0, 0, 1, 1, FINAL(2) ",'timestamp':300010,'duration_ms':10");
    rebuild();
    cr_assert_eq(timestamp_of("a"), 300000);
    cr_assert_not(is_judged("a"));
    cr_assert(is_judged("old"));
}

Test(verify_replay, operations_that_meet_an_old_tombstone_are_not_judged)
{
    settings.tombstone_retention_ms = 1000;
    batch(OPS_0, 0, "b", ADD("a", 1, 10) "," REMOVE("a", 20));
    batch(OPS_0, 2000, "c", ADD("z", 1, 10));
    batch(OPS_0, 2001, "d", ADD("a", 2, 15));
    rebuild();
    cr_assert_not(is_judged("a"), "dropped or not: the add may have met nothing");
    cr_assert(is_judged("z"));
}
