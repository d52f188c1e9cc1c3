/*
 * The store is away under load and comes back: nothing is lost, repeated, reordered or given up,
 * and no attempt is spent. The broker: test_outage_mock.c.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/support/child_process.h"
#include "tests/support/messages.h"
#include "tests/support/moves.h"

enum { MOVES_BEFORE = 100, MOVES_DURING = 100, MOVES_AFTER = 30 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(outage, .fini = end, .timeout = 180);

Test(outage, redis_stopped_for_ten_seconds_under_load)
{
    world = world_create(MOVES_PARTITIONS, 1);
    moves_send(world, 0, MOVES_BEFORE);
    struct worker_process *const worker = world_start_worker(world);
    (void)world_await_results(world, NULL, 1);
    redis_server_pause(world_redis(world));
    const uint64_t paused_ms = monotonic_ms();
    moves_send(world, MOVES_BEFORE, MOVES_DURING);
    worker_process_await_log(worker, "store connection lost", WORLD_WAIT_MS);
    while (monotonic_ms() - paused_ms < 10000) {
        sleep_ms(100);
    }
    redis_server_resume(world_redis(world));
    moves_send(world, MOVES_BEFORE + MOVES_DURING, MOVES_AFTER);
    world_settle(world);
    moves_expect_told_once(world, MOVES_BEFORE + MOVES_DURING + MOVES_AFTER);
    cr_assert_eq(worker_process_log_count(worker, "partitions lost"), 0);
    cr_assert_eq(worker_process_log_count(worker, "partitions assigned"), 1,
                 "it kept its place in the group");
}

static struct worker_process *start_with_redis_on_disk(void)
{
    static const char *const every_write_on_disk[] = {"--appendonly", "yes", "--appendfsync",
                                                      "always", NULL};
    world = world_create_with(MOVES_PARTITIONS, 1, every_write_on_disk);
    moves_send(world, 0, MOVES_BEFORE);
    return world_start_worker(world);
}

static void kill_and_restart_redis(struct worker_process *worker)
{
    redis_server_kill(world_redis(world));
    moves_send(world, MOVES_BEFORE, MOVES_DURING);
    worker_process_await_log(worker, "store connection lost", WORLD_WAIT_MS);
    redis_server_launch(world_redis(world));
    redis_server_await(world_redis(world));
    moves_send(world, MOVES_BEFORE + MOVES_DURING, MOVES_AFTER);
    world_settle(world);
}

Test(outage, redis_killed_and_restarted_with_its_data)
{
    struct worker_process *const worker = start_with_redis_on_disk();
    world_settle(world);
    kill_and_restart_redis(worker);
    moves_expect_told_once(world, MOVES_BEFORE + MOVES_DURING + MOVES_AFTER);
}

/* What was published when Redis died, and was not below the watermark yet, is told again, and says
 * that it is. */
Test(outage, redis_killed_under_load_and_restarted_with_its_data)
{
    struct worker_process *const worker = start_with_redis_on_disk();
    (void)world_await_results(world, NULL, 1);
    kill_and_restart_redis(worker);
    moves_expect_new_once(world, MOVES_BEFORE + MOVES_DURING + MOVES_AFTER);
}

Test(outage, worker_that_starts_before_redis_waits_for_it)
{
    world = world_create(MOVES_PARTITIONS, 1);
    redis_server_kill(world_redis(world));
    moves_send(world, 0, MOVES_AFTER);
    struct worker_process *const worker = world_start_worker(world);
    worker_process_await_log(worker, "partitions assigned", WORLD_WAIT_MS);
    sleep_ms(2000);
    cr_assert_eq(world_records(world, TOPIC_RESULTS).count, 0);
    redis_server_launch(world_redis(world));
    redis_server_await(world_redis(world));
    world_settle(world);
    moves_expect_told_once(world, MOVES_AFTER);
}

/* A run that has nothing to store is published while the store is away, and begins anew after it.
 */
Test(outage, refused_message_that_is_looked_at_again_counts_once)
{
    world = world_create(1, 1);
    struct worker_process *const worker = world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    world_settle(world);
    redis_server_pause(world_redis(world));
    worker_process_await_log(worker, "store connection lost", WORLD_WAIT_MS);
    world_send(world, 0, message_of("{'session_id':'s1','operations':5}"));
    (void)world_await_records(world, TOPIC_DEAD, 1);
    redis_server_resume(world_redis(world));
    worker_process_await_log(worker, "cycle repeated", WORLD_WAIT_MS);
    world_settle(world);
    worker_process_signal(worker, SIGTERM);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), 0);
    cr_assert_eq(worker_process_log_count(worker, "batch refused"), 1);
    cr_assert_eq(worker_process_log_count(worker, " refused=1 "), 1);
}
