/*
 * How a worker ends, and that the next one finds nothing missing and nothing to do twice.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "tests/support/child_process.h"
#include "tests/support/world.h"

enum { EXIT_INTERRUPTED = 75, MOVES = 150 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(lifecycle, .fini = end, .timeout = 120);

/* Whatever happens while it closes has come before: who reads the log's end reads how it ended. */
static void expect_last_line(struct worker_process *worker, const char *text)
{
    const char *line = worker_process_log(worker);
    for (const char *next = line; next[0] != '\0'; next = strchr(next, '\n') + 1) {
        line = next;
        cr_assert_not_null(strchr(next, '\n'), "a line without an end: %s", line);
    }
    cr_assert_not_null(strstr(line, text), "%s", line);
}

/* What it has taken it finishes and settles; what it has not, the next one takes. No batch is
 * worked on twice. */
Test(lifecycle, sigterm_drains_and_exits_0)
{
    world = world_create(1, 1);
    struct worker_process *const first = world_start_worker(world);
    world_await_assignment(world);
    for (int i = 0; i < MOVES; i++) {
        world_send(world, 0, sent_batch("s1", NULL, op_add(text_of_format("e%d", i), i, 1000)));
        if (i == MOVES / 2) {
            worker_process_signal(first, SIGTERM);
        }
    }
    cr_assert_eq(worker_process_await_exit(first, WORLD_WAIT_MS), 0);
    expect_last_line(first, " event=\"worker stopped\" partitions=2 ");
    cr_assert_eq(worker_process_log_count(first, "event=\"worker stopped\""), 1);
    cr_assert_eq(worker_process_log_count(first, "event=\"partitions revoked\""), 1);
    world_start_worker(world);
    world_settle(world);
    const struct result_list results = world_results(world, NULL);
    cr_assert_eq(results.count, MOVES);
    for (size_t i = 0; i < results.count; i++) {
        cr_assert_eq(results.items[i].scene_version, i + 1);
        cr_assert_str_eq(world_header(results.records[i], "scenesync-duplicate"), "");
    }
}

/* A worker that waits for Redis, which does not answer, with a batch in its hands. Before, it has
 * claimed its partition, for it takes nothing from one that it has not. */
static struct worker_process *start_stuck_worker(int drain_timeout_ms)
{
    world = world_create(1, 1);
    world_set(world, "worker.drain_timeout_ms=%d", drain_timeout_ms);
    world_set(world, "redis.command_timeout_ms=300");
    struct worker_process *const worker = world_start_worker(world);
    world_send(world, 0, sent_batch("s0", "b0", op_add("a", 1, 1000)));
    world_settle(world);
    redis_server_pause(world_redis(world));
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    worker_process_await_log(worker, "store connection lost", WORLD_WAIT_MS);
    return worker;
}

static void expect_finished_by_another(void)
{
    redis_server_resume(world_redis(world));
    world_start_worker(world);
    world_settle(world);
    const struct sync_result result = world_result(world, "b1");
    cr_assert(sync_result_is_success(&result));
    cr_assert_eq(result.attempts, 1);
    cr_assert_eq(world_scene(world, "s1").version, 1);
}

Test(lifecycle, second_signal_exits_75_at_once)
{
    struct worker_process *const worker = start_stuck_worker(60000);
    worker_process_signal(worker, SIGTERM);
    sleep_ms(1000);
    const uint64_t before_ms = monotonic_ms();
    worker_process_signal(worker, SIGINT);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), EXIT_INTERRUPTED);
    cr_assert_lt(monotonic_ms() - before_ms, 5000, "the drain time-out is a minute");
    expect_last_line(worker, " event=\"worker stopped with work unfinished, it will be delivered "
                             "again\" partitions=2 ");
    expect_finished_by_another();
}

Test(lifecycle, drain_timeout_exits_75)
{
    enum { DRAIN_MS = 2000 };
    struct worker_process *const worker = start_stuck_worker(DRAIN_MS);
    const uint64_t before_ms = monotonic_ms();
    worker_process_signal(worker, SIGINT);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), EXIT_INTERRUPTED);
    cr_assert_geq(monotonic_ms() - before_ms, DRAIN_MS);
    expect_finished_by_another();
}
