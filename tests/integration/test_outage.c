/*
 * The store or the broker is away under load and comes back: nothing is lost, repeated, reordered
 * or given up, and no attempt is spent.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/support/child_process.h"
#include "tests/support/command.h"
#include "tests/support/world.h"

enum { PARTITIONS = 2, MOVES_BEFORE = 100, MOVES_DURING = 100, MOVES_AFTER = 30 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(outage, .fini = end, .timeout = 180);

/* One scene per partition; each batch moves `a` on and adds an element of its own. */
static void send_moves(int from, int count)
{
    for (int i = from; i < from + count; i++) {
        for (int32_t partition = 0; partition < PARTITIONS; partition++) {
            const char *const move =
                i == 0 ? op_add("a", 0, 1000) : op_move("a", i, 1000 + (uint64_t)i);
            world_send(world, partition,
                       sent_batch(text_of_format("s%d", (int)partition), NULL,
                                  ops(move, op_add(text_of_format("e%d", i), i, 1000))));
        }
    }
}

/* Results come in the order of their batches; a repeated one says what the first one said. */
static void expect_all_in_order(const struct result_list *results, int32_t partition,
                                int batch_count)
{
    const char *const session = text_of_format("s%d", (int)partition);
    int64_t seen = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct sync_result *const result = &results->items[i];
        if (span_equal_text(result->session_id, session)) {
            cr_assert_leq(result->source.offset, seen, "out of order");
            cr_assert_eq(result->scene_version, (uint64_t)result->source.offset + 1);
            cr_assert_eq(result->attempts, 1, "an outage spent an attempt");
            cr_assert(sync_result_is_success(result));
            seen += result->source.offset == seen ? 1 : 0;
        }
    }
    cr_assert_eq(seen, batch_count, "%d of %d batches of %s have a result", (int)seen, batch_count,
                 session);
    const struct scene_view scene = world_scene(world, session);
    cr_assert_eq(scene.version, (uint64_t)batch_count);
    cr_assert_eq(scene.element_count, (uint64_t)batch_count + 1);
    cr_assert_eq(scene_view_transform(&scene, "a", "x"), batch_count - 1);
}

/* Returns how many results there are. */
static size_t expect_untouched(int batch_count)
{
    const struct result_list results = world_results(world, NULL);
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        expect_all_in_order(&results, partition, batch_count);
    }
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 0);
    cr_assert_eq(world_records(world, TOPIC_RETRY_1).count, 0);
    return results.count;
}

static void expect_untouched_and_told_once(int batch_count)
{
    cr_assert_eq(expect_untouched(batch_count), (size_t)batch_count * PARTITIONS);
}

Test(outage, redis_stopped_for_ten_seconds_under_load)
{
    world = world_create(PARTITIONS, 1);
    send_moves(0, MOVES_BEFORE);
    struct worker_process *const worker = world_start_worker(world);
    (void)world_await_results(world, NULL, 1);
    redis_server_pause(world_redis(world));
    const uint64_t paused_ms = monotonic_ms();
    send_moves(MOVES_BEFORE, MOVES_DURING);
    worker_process_await_log(worker, "store connection lost", WORLD_WAIT_MS);
    while (monotonic_ms() - paused_ms < 10000) {
        sleep_ms(100);
    }
    redis_server_resume(world_redis(world));
    send_moves(MOVES_BEFORE + MOVES_DURING, MOVES_AFTER);
    world_settle(world);
    expect_untouched_and_told_once(MOVES_BEFORE + MOVES_DURING + MOVES_AFTER);
    cr_assert_eq(worker_process_log_count(worker, "partitions lost"), 0);
    cr_assert_eq(worker_process_log_count(worker, "partitions assigned"), 1,
                 "it kept its place in the group");
}

Test(outage, redis_killed_and_restarted_with_its_data)
{
    static const char *const every_write_on_disk[] = {"--appendonly", "yes", "--appendfsync",
                                                      "always", NULL};
    world = world_create_with(PARTITIONS, 1, every_write_on_disk);
    send_moves(0, MOVES_BEFORE);
    struct worker_process *const worker = world_start_worker(world);
    (void)world_await_results(world, NULL, 1);
    redis_server_kill(world_redis(world));
    send_moves(MOVES_BEFORE, MOVES_DURING);
    worker_process_await_log(worker, "store connection lost", WORLD_WAIT_MS);
    redis_server_launch(world_redis(world));
    redis_server_await(world_redis(world));
    send_moves(MOVES_BEFORE + MOVES_DURING, MOVES_AFTER);
    world_settle(world);
    expect_untouched_and_told_once(MOVES_BEFORE + MOVES_DURING + MOVES_AFTER);
}

/* Right after a commit, so that what follows from it still has to be published. */
static void await_commit(void)
{
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    while (world_scene(world, "s0").version == 0) {
        cr_assert_lt(monotonic_ms(), deadline_ms);
        sleep_ms(2);
    }
}

/* By a producer of its own: the mock broker forgets to close some of the connections that it has
 * when it goes down, and whoever uses one of them waits for its socket's time-out. */
static void send_by_new_producer(int32_t partition, int batch_count)
{
    const char *lines = "";
    for (int i = 0; i < batch_count; i++) {
        lines =
            text_of_format("%s{\"session_id\":\"s%d\",\"operations\":[]}\n", lines, (int)partition);
    }
    const struct command command = {
        .arguments = {"produce"},
        .environment = {text_of_format("SCENESYNC_KAFKA_BOOTSTRAP_SERVERS=%s",
                                       kafka_broker_bootstrap(world_broker(world)))},
        .input = lines};
    const struct command_outcome outcome = command_run(world_directory(world), &command);
    cr_assert_eq(outcome.exit_code, 0, "%s", outcome.err);
}

Test(outage, broker_away_for_some_seconds_under_load)
{
    enum { DOWN_MS = 4000 };
    world = world_create(PARTITIONS, 1);
    world_set(world, "kafka.socket.timeout.ms=3000");
    send_moves(0, MOVES_BEFORE);
    struct worker_process *const worker = world_start_worker(world);
    await_commit();
    kafka_broker_set_up(world_broker(world), false);
    sleep_ms(DOWN_MS);
    cr_assert(worker_process_is_running(worker));
    kafka_broker_set_up(world_broker(world), true);
    world_settle(world);
    (void)expect_untouched(MOVES_BEFORE);

    const size_t result_count = world_results(world, NULL).count;
    send_by_new_producer(0, MOVES_AFTER);
    (void)world_await_results(world, NULL, result_count + MOVES_AFTER);
    world_settle(world);

    kafka_broker_set_up(world_broker(world), false);
    worker_process_signal(worker, SIGTERM);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), 0,
                 "idle, it can go at any time");
}

Test(outage, worker_that_starts_before_redis_waits_for_it)
{
    world = world_create(PARTITIONS, 1);
    redis_server_kill(world_redis(world));
    send_moves(0, MOVES_AFTER);
    struct worker_process *const worker = world_start_worker(world);
    worker_process_await_log(worker, "partitions assigned", WORLD_WAIT_MS);
    sleep_ms(2000);
    cr_assert_eq(world_records(world, TOPIC_RESULTS).count, 0);
    redis_server_launch(world_redis(world));
    redis_server_await(world_redis(world));
    world_settle(world);
    expect_untouched_and_told_once(MOVES_AFTER);
}
