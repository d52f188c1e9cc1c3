/* A crash between the commit and its result, which takes a broker that refuses to be written to. */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/support/batches.h"
#include "tests/support/child_process.h"
#include "tests/support/world.h"

enum { KAFKA_PRODUCE = 0 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(dedupe_mock, .fini = end, .timeout = 120);

static void await_version(const char *session_id, uint64_t version)
{
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    while (world_scene(world, session_id).version < version) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "scene %s is not committed", session_id);
        sleep_ms(10);
    }
}

/* The effect is in the store, the result is not out, the worker dies: the next one publishes what
 * the first would have, requeue and dead letter included. */
Test(dedupe_mock, crash_between_commit_and_publish)
{
    world = world_create(1, 1);
    world_send(world, 0, sent_batch("s1", "b1", ops(op_add("a", 1, 1000), op_move("u", 1, 1000))));
    kafka_broker_fail_requests(world_broker(world), KAFKA_PRODUCE,
                               RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 40);
    struct worker_process *const first = world_start_worker(world);
    await_version("s1", 1);
    worker_process_signal(first, SIGKILL);
    (void)worker_process_await_exit(first, WORLD_WAIT_MS);
    cr_assert_eq(world_records(world, TOPIC_RESULTS).count, 0, "the crash came too late");
    world_send(world, 0, sent_batch("s1", "b2", op_add("u", 2, 500)));

    world_start_worker(world);
    world_settle(world);
    const struct result_list results = world_results(world, "b1");
    cr_assert_eq(results.count, 2);
    cr_assert(strcmp(world_header(results.records[0], "scenesync-duplicate"), "1") == 0,
              "for all the worker knows");
    cr_assert_eq(results.items[0].attempts, 1);
    cr_assert_eq(results.items[0].scene_version, 1);
    cr_assert_eq(results.items[0].pending_count, 1);
    cr_assert_eq(results.items[1].attempts, 2);
    cr_assert(sync_result_is_success(&results.items[1]));
    cr_assert_eq(world_records(world, TOPIC_RETRY_1).count, 1);
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene.version, 3);
    cr_assert_eq(scene_view_transform(&scene, "u", "x"), 1);
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 0);
}
