/*
 * The store loses what it acknowledged, and the worker notices (store.on_lost_writes): what it does
 * then, and what it says. What makes the store lose writes under load is in tests/faults.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/support/child_process.h"
#include "tests/support/moves.h"
#include "worker/commands.h"

enum { MOVES = 40, MORE = 20, RESULTS = MOVES * MOVES_PARTITIONS };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(lost_writes, .fini = end, .timeout = 180);

static const char *watermark_key(void)
{
    return text_of_format("scene:watermark:%s", GROUP);
}

static void empty_the_store(void)
{
    REDIS_RUN(world_redis(world), "FLUSHALL");
}

/* A worker has done the first moves and is idle. */
static struct worker_process *start_and_settle(void)
{
    struct worker_process *const worker = world_start_worker(world);
    moves_send(world, 0, MOVES);
    world_settle(world);
    (void)world_await_results(world, NULL, RESULTS);
    return worker;
}

static void stop(struct worker_process *worker)
{
    worker_process_signal(worker, SIGTERM);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), EXIT_CODE_OK);
}

static size_t replayed_results(void)
{
    const struct record_list records = world_records(world, TOPIC_RESULTS);
    size_t count = 0;
    for (size_t i = 0; i < records.count; i++) {
        count += strcmp(world_header(&records.items[i], "scenesync-replay"), "1") == 0;
    }
    return count;
}

Test(lost_writes, an_idle_worker_notices_and_replays)
{
    world = world_create(MOVES_PARTITIONS, 1);
    struct worker_process *const worker = start_and_settle();
    cr_assert_eq(replayed_results(), 0);
    empty_the_store();
    worker_process_await_log(worker, "the store lost writes, replaying them from kafka",
                             WORLD_WAIT_MS);
    (void)world_await_results(world, NULL, (size_t)2 * RESULTS);
    world_settle(world);
    cr_expect_eq(replayed_results(), RESULTS, "each was answered again, and said to be a replay");
    moves_send(world, MOVES, MORE);
    world_settle(world);
    (void)moves_expect(world, MOVES + MORE);
    cr_expect_eq(replayed_results(), RESULTS, "the rest is none");
}

Test(lost_writes, a_worker_that_starts_notices_and_replays)
{
    world = world_create(MOVES_PARTITIONS, 1);
    stop(start_and_settle());
    empty_the_store();
    (void)world_start_worker(world);
    (void)world_await_results(world, NULL, (size_t)2 * RESULTS);
    world_settle(world);
    (void)moves_expect(world, MOVES);
}

Test(lost_writes, stop_ends_the_worker_with_a_code_of_its_own)
{
    world = world_create(MOVES_PARTITIONS, 1);
    world_set(world, "store.on_lost_writes=stop");
    struct worker_process *const worker = start_and_settle();
    empty_the_store();
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), EXIT_CODE_LOST_WRITES);
    cr_expect_eq(
        worker_process_log_count(worker, "the store lost writes, stopping (store.on_lost_writes)"),
        1);
    /* And so it does at every start, until somebody decides. */
    struct worker_process *const again = world_start_worker(world);
    cr_assert_eq(worker_process_await_exit(again, WORLD_WAIT_MS), EXIT_CODE_LOST_WRITES);
    world_set(world, "store.on_lost_writes=replay");
    (void)world_start_worker(world);
    (void)world_await_results(world, NULL, (size_t)2 * RESULTS);
    world_settle(world);
    (void)moves_expect(world, MOVES);
}

Test(lost_writes, accept_leaves_what_was_lost_before_the_start)
{
    world = world_create(MOVES_PARTITIONS, 1);
    stop(start_and_settle());
    empty_the_store();
    world_set(world, "store.on_lost_writes=accept");
    struct worker_process *const worker = world_start_worker(world);
    worker_process_await_log(worker, "the store lost writes, accepted (store.on_lost_writes)",
                             WORLD_WAIT_MS);
    world_send(world, 0, sent_batch("after", "after", op_add("a", 1, 1)));
    (void)world_await_results(world, "after", 1);
    world_settle(world);
    cr_expect_eq(replayed_results(), 0);
    struct scene_view scene = world_scene(world, "after");
    cr_assert(scene_view_has(&scene, "a"));
    /* Only what was lost before: the next loss is replayed, `after` with it. */
    empty_the_store();
    (void)world_await_results(world, "after", 2);
    scene = world_scene(world, "after");
    cr_assert(scene_view_has(&scene, "a"));
}

/* As after a zombie's last write: Kafka knows only one owner, and that one takes it back. */
Test(lost_writes, a_foreign_claim_is_taken_back_and_nothing_lost)
{
    world = world_create(MOVES_PARTITIONS, 1);
    struct worker_process *const worker = start_and_settle();
    REDIS_RUN(world_redis(world), "HSET", watermark_key(), text_of_format("at:%s/0", TOPIC_OPS),
              "1000 00000000deadbeef");
    moves_send(world, MOVES, MORE);
    worker_process_await_log(worker, "another worker claimed a partition", WORLD_WAIT_MS);
    world_settle(world);
    (void)moves_expect(world, MOVES + MORE);
    moves_expect_told_once(world, MOVES + MORE);
}

/* What stands under the watermark's key is no watermark: nothing is worked on, nothing is lost. */
Test(lost_writes, a_watermark_of_another_type_is_waited_for)
{
    world = world_create(MOVES_PARTITIONS, 1);
    REDIS_RUN(world_redis(world), "SET", watermark_key(), "mine");
    struct worker_process *const worker = world_start_worker(world);
    moves_send(world, 0, MORE);
    worker_process_await_log(worker, "watermark:<group>: remove it", WORLD_WAIT_MS);
    cr_assert_eq(world_records(world, TOPIC_RESULTS).count, 0);
    REDIS_RUN(world_redis(world), "DEL", watermark_key());
    world_settle(world);
    moves_expect_told_once(world, MORE);
}
