/* The broker is away under load and comes back: as test_outage.c has it for the store. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "tests/support/child_process.h"
#include "tests/support/command.h"
#include "tests/support/moves.h"

enum { MOVES_BEFORE = 100, MOVES_AFTER = 30 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(outage_mock, .fini = end, .timeout = 180);

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

Test(outage_mock, broker_away_for_some_seconds_under_load)
{
    enum { DOWN_MS = 4000 };
    world = world_create(MOVES_PARTITIONS, 1);
    world_set(world, "kafka.socket.timeout.ms=3000");
    moves_send(world, 0, MOVES_BEFORE);
    struct worker_process *const worker = world_start_worker(world);
    await_commit();
    kafka_broker_set_up(world_broker(world), false);
    sleep_ms(DOWN_MS);
    cr_assert(worker_process_is_running(worker));
    kafka_broker_set_up(world_broker(world), true);
    world_settle(world);
    (void)moves_expect(world, MOVES_BEFORE);

    const size_t result_count = world_results(world, NULL).count;
    send_by_new_producer(0, MOVES_AFTER);
    (void)world_await_results(world, NULL, result_count + MOVES_AFTER);
    world_settle(world);

    kafka_broker_set_up(world_broker(world), false);
    worker_process_signal(worker, SIGTERM);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), 0,
                 "idle, it can go at any time");
}

/* It has nothing to send, and says all the same what its producer meets, when it does. */
Test(outage_mock, an_idle_worker_tells_its_producers_errors_as_they_come)
{
    world = world_create(1, 1);
    struct worker_process *const worker = world_start_worker(world);
    world_await_assignment(world);
    kafka_broker_set_up(world_broker(world), false);
    worker_process_await_log(worker, "event=\"kafka error\" client=producer", WORLD_WAIT_MS);
    worker_process_signal(worker, SIGTERM);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), 0);
    const char *const stopped = strstr(worker_process_log(worker), "event=\"worker stopped\"");
    cr_assert_not_null(stopped);
    cr_assert_null(strstr(stopped, "event=\"kafka error\""), "%s", stopped);
}
