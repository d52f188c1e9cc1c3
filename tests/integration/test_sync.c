/*
 * Clients edit offline and sync: through a real worker, a broker and Redis.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/support/batches.h"
#include "tests/support/world.h"

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(sync, .fini = end, .timeout = 120);

Test(sync, test_client_queues_offline_then_syncs)
{
    world = world_create(1, 3);
    world_send(world, 0, sent_batch("s1", "b1", ops(op_add("a", 1, 1000), op_add("b", 2, 1001))));
    world_send(world, 0,
               sent_batch("s1", "b2",
                          ops(op_move("a", 10, 1002), "{'op':'interaction','timestamp':1003,"
                                                      "'event':{'type':'tap','at':[1,2]}}")));
    world_send(world, 0, sent_batch("s1", "b3", ops(op_remove("b", 1004), op_add("c", 3, 1005))));
    world_send(world, 0, sent_batch("s1", "b4", ""));
    world_start_worker(world);
    world_settle(world);

    const struct result_list results = world_results(world, NULL);
    static const uint64_t versions[] = {1, 2, 3, 3};
    static const uint32_t synced[] = {2, 2, 2, 0};
    cr_assert_eq(results.count, 4);
    for (size_t i = 0; i < results.count; i++) {
        const struct sync_result *const result = &results.items[i];
        cr_assert(span_equal_text(result->batch_id, text_of_format("b%zu", i + 1)));
        cr_assert(sync_result_is_success(result) && result->final);
        cr_assert_eq(result->synced_count, synced[i]);
        cr_assert_eq(result->scene_version, versions[i]);
        cr_assert_eq(result->source.offset, (int64_t)i);
        cr_assert_str_eq(world_header(results.records[i], "scenesync-final"), "1");
        cr_assert_str_eq(world_header(results.records[i], "scenesync-success"), "1");
        cr_assert(span_equal_text(results.records[i]->key, "s1"));
    }
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene.version, 3);
    cr_assert_eq(scene.element_count, 2);
    cr_assert_eq(scene_view_transform(&scene, "a", "x"), 10);
    cr_assert_eq(scene_view_transform(&scene, "a", "width"), 100, "defaults are filled in");
    cr_assert_eq(scene_view_find(&scene, "a")->value.version, 2);
    cr_assert_eq(scene_view_find(&scene, "a")->value.timestamp_ms, 1002);
    cr_assert(scene_view_find(&scene, "b") != NULL && !scene_view_has(&scene, "b"));
    cr_assert(scene_view_has(&scene, "c"));
}

/* Two clients on one element; every way in which they can collide under last_write_wins. */
Test(sync, test_concurrent_clients_conflict_resolution)
{
    static const char lww[] = "last_write_wins";
    world = world_create(1, 3);
    world_send(world, 0, sent_batch_by("ann", lww, "s1", "ann-1", op_add("a", 1, 1000)));
    world_send(world, 0, sent_batch_by("ann", lww, "s1", "ann-2", op_move("a", 2, 3000)));
    world_send(world, 0, sent_batch_by("bob", lww, "s1", "bob-1", op_move("a", 3, 2000)));
    world_send(world, 0, sent_batch_by("bob", lww, "s1", "bob-2", op_add("a", 4, 4000)));
    world_send(world, 0,
               sent_batch_by("ann", lww, "s1", "ann-3",
                             "{'op':'update','id':'a','timestamp':5000,'base_version':2,"
                             "'changes':{'transform':{'y':7}}}"));
    world_send(world, 0, sent_batch_by("ann", lww, "s1", "ann-4", op_remove("a", 6000)));
    world_send(world, 0, sent_batch_by("bob", lww, "s1", "bob-3", op_move("a", 5, 5500)));
    world_start_worker(world);
    world_settle(world);

    const struct sync_result stale = world_result(world, "bob-1");
    cr_assert(span_equal_text(stale.client_id, "bob"));
    cr_assert_eq(stale.failed_count, 1);
    cr_assert_eq(stale.conflict_count, 1);
    cr_assert_eq(failure_at(&stale, 0)->code, ERROR_STALE_TIMESTAMP);
    cr_assert_not(failure_at(&stale, 0)->retryable);
    cr_assert_eq(conflict_at(&stale, 0)->stale_local_ms, 3000);
    cr_assert_eq(conflict_at(&stale, 0)->stale_remote_ms, 2000);
    cr_assert_eq(conflict_at(&stale, 0)->resolution, RESOLUTION_KEEP_LOCAL);
    cr_assert_eq(conflict_at(&stale, 0)->local.version, 2);

    const struct sync_result replaced = world_result(world, "bob-2");
    cr_assert(sync_result_is_success(&replaced));
    cr_assert_eq(conflict_at(&replaced, 0)->reason, CONFLICT_ELEMENT_ALREADY_EXISTS);
    cr_assert_eq(conflict_at(&replaced, 0)->resolution, RESOLUTION_KEEP_REMOTE);
    cr_assert_eq(replaced.scene_version, 3);

    const struct sync_result concurrent = world_result(world, "ann-3");
    cr_assert(sync_result_is_success(&concurrent));
    cr_assert_eq(conflict_at(&concurrent, 0)->reason, CONFLICT_CONCURRENT_MODIFICATION);

    const struct sync_result too_late = world_result(world, "bob-3");
    cr_assert_eq(failure_at(&too_late, 0)->code, ERROR_STALE_TIMESTAMP);
    cr_assert(conflict_at(&too_late, 0)->local.removed);

    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene.version, 5);
    cr_assert_eq(scene.element_count, 0);
    cr_assert_eq(scene_view_find(&scene, "a")->value.timestamp_ms, 6000);
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 0, "a lost conflict is no dead letter");
}

Test(sync, test_sync_survives_restart)
{
    world = world_create(1, 3);
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    struct worker_process *const first = world_start_worker(world);
    world_settle(world);
    worker_process_signal(first, SIGTERM);
    cr_assert_eq(worker_process_await_exit(first, WORLD_WAIT_MS), 0);

    world_send(world, 0, sent_batch("s1", "b2", op_move("a", 2, 2000)));
    world_start_worker(world);
    world_settle(world);
    cr_assert_eq(world_results(world, NULL).count, 2, "nothing was worked on twice");
    cr_assert_eq(world_result(world, "b2").scene_version, 2);
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene_view_transform(&scene, "a", "x"), 2);
}

/* Same element ids, same batch ids, same partition: nothing of it crosses over. */
Test(sync, multiple_sessions_stay_apart)
{
    world = world_create(2, 3);
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    world_send(world, 0, sent_batch("s2", "b1", ops(op_add("a", 2, 1000), op_add("b", 2, 1000))));
    world_send(world, 1, sent_batch("s3", "b1", op_add("a", 3, 1000)));
    world_send(world, 0, sent_batch("s1", "b2", op_remove("a", 2000)));
    world_start_worker(world);
    world_settle(world);

    const struct result_list results = world_results(world, NULL);
    cr_assert_eq(results.count, 4);
    for (size_t i = 0; i < results.count; i++) {
        cr_assert(sync_result_is_success(&results.items[i]));
        cr_assert_str_eq(world_header(results.records[i], "scenesync-duplicate"), "");
        cr_assert(span_equal(results.records[i]->key, results.items[i].session_id));
    }
    const struct scene_view removed = world_scene(world, "s1");
    const struct scene_view two = world_scene(world, "s2");
    const struct scene_view other = world_scene(world, "s3");
    cr_assert_eq(removed.element_count, 0);
    cr_assert_eq(two.element_count, 2);
    cr_assert_eq(two.version, 1);
    cr_assert_eq(scene_view_transform(&two, "a", "x"), 2);
    cr_assert_eq(scene_view_transform(&other, "a", "x"), 3);
}

/* An element is added, added again later, and updated by somebody whose clock is behind. */
static void play_contested_history(const char *strategy)
{
    const char *const session = text_of_format("s-%s", strategy);
    world_send(world, 0, sent_batch_by("ann", strategy, session, "1", op_add("a", 1, 1000)));
    world_send(world, 0, sent_batch_by("bob", strategy, session, "2", op_add("a", 2, 3000)));
    world_send(world, 0, sent_batch_by("cid", strategy, session, "3", op_move("a", 3, 500)));
}

Test(sync, strategies_differ)
{
    static const struct {
        const char *strategy;
        double x;
        uint64_t version, timestamp_ms;
    } ends[] = {
        {"last_write_wins", 2, 2, 3000}, {"local_wins", 1, 1, 1000}, {"remote_wins", 3, 3, 3000}};
    world = world_create(1, 3);
    world_set(world, "conflict.strategy=local_wins");
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        play_contested_history(ends[i].strategy);
    }
    world_send(world, 0, sent_batch("s-setting", "b", op_add("a", 1, 1000)));
    world_start_worker(world);
    world_settle(world);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const struct scene_view scene =
            world_scene(world, text_of_format("s-%s", ends[i].strategy));
        cr_assert_eq(scene_view_transform(&scene, "a", "x"), ends[i].x, "%s", ends[i].strategy);
        cr_assert_eq(scene.version, ends[i].version, "%s", ends[i].strategy);
        cr_assert_eq(scene_view_find(&scene, "a")->value.timestamp_ms, ends[i].timestamp_ms);
    }
    cr_assert_eq(world_result(world, "b").strategy, STRATEGY_LOCAL_WINS, "from the settings");
}

/* The largest batch that the limits allow, in one step; and what is one too many. */
Test(sync, ten_thousand_elements_at_once)
{
    enum { COUNT = 10000 };
    struct buffer operations;
    buffer_init(&operations, 4 << 20);
    for (int i = 0; i < COUNT; i++) {
        buffer_append_format(&operations,
                             "%s{'op':'add','timestamp':1,'element':{'id':'e%d',"
                             "'kind':{'type':'t'}}}",
                             i == 0 ? "" : ",", i);
    }
    buffer_append(&operations, "", 1);
    world = world_create(1, 1);
    world_send(world, 0, sent_batch("s1", "b1", (const char *)operations.data));
    buffer_deinit(&operations);
    world_send(world, 0, sent_batch("s1", "b2", op_add("more", 1, 1000)));
    world_send(world, 0,
               sent_batch("s1", "b3", ops(op_remove("e0", 1000), op_add("more", 1, 1000))));
    world_start_worker(world);
    world_settle(world);
    const struct sync_result all = world_result(world, "b1");
    cr_assert(sync_result_is_success(&all));
    cr_assert_eq(all.synced_count, COUNT);
    cr_assert_eq(all.scene_version, 1);
    const struct sync_result more = world_result(world, "b2");
    cr_assert_eq(failure_at(&more, 0)->code, ERROR_TOO_MANY_ELEMENTS);
    const struct sync_result instead = world_result(world, "b3");
    cr_assert(sync_result_is_success(&instead));
    cr_assert_eq(world_scene(world, "s1").element_count, COUNT);
}

/* A client's clock in the far future must not freeze an element for everybody else. */
Test(sync, a_clock_that_runs_ahead_freezes_nothing)
{
    static const uint64_t far_ms = 32503680000000; /* the year 3000 */
    world = world_create(1, 1);
    world_set(world, "retry.initial_delay_ms=2000");
    world_send(world, 0,
               sent_batch("s1", "b1", ops(op_add("a", 1, far_ms), op_move("u", 2, far_ms))));
    world_start_worker(world);
    const struct sync_result first = world_await_results(world, "b1", 1).items[0];
    world_send(world, 0,
               sent_batch("s1", "b2",
                          ops(op_move("a", 3, first.timestamp_ms),
                              op_add("u", 1, first.timestamp_ms - 60000))));
    world_settle(world);
    cr_assert_eq(first.clamped_count, 2);
    const struct sync_result later = world_result(world, "b2");
    cr_assert(sync_result_is_success(&later));
    cr_assert_eq(later.conflict_count, 0);
    const struct sync_result second = world_results(world, "b1").items[1];
    cr_assert(sync_result_is_success(&second));
    cr_assert_eq(second.clamped_count, 2, "counted once");
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene_view_transform(&scene, "a", "x"), 3);
    cr_assert_eq(scene_view_transform(&scene, "u", "x"), 2);
    cr_assert_leq(scene_view_find(&scene, "u")->value.timestamp_ms, first.timestamp_ms,
                  "a requeue carries its arrival");
}
