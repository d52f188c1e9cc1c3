/*
 * The same as in test_watchdog.c where it can be timed: after a member has left, a mock lets the
 * others wait for the session time-out all the same.
 */
#include <criterion/criterion.h>

#include "tests/faults/fault_worker.h"
#include "tests/faults/story.h"
#include "tests/support/child_process.h"

enum {
    PARTITIONS = 2,
    SESSIONS = 4,
    FIRST = 16,
    LATER = 16,
    PAUSE_MS = 20,
    EXIT_STALLED = 74,
    SESSION_MS = 45000,
    /* Three for the group, the rest for the work and a busy machine. */
    TAKE_OVER_MS = 20000
};

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(watchdog_real, .fini = end, .timeout = 150);

Test(watchdog_real, another_worker_takes_over_well_before_the_session_ends)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    world_set(world, "kafka.session.timeout.ms=%d", SESSION_MS);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    story_send(&story, FIRST);
    world_set(world, "redis.command_timeout_ms=1000");
    world_set(world, "worker.stall_timeout_ms=3000");
    struct worker_process *const worker = fault_worker_start(world, "after_decode:2:block");
    world_set(world, "worker.stall_timeout_ms=60000");
    story_send_until(&story, worker, "fault: after_decode 2 block", PAUSE_MS);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), EXIT_STALLED);
    const uint64_t since_ms = monotonic_ms();
    (void)world_start_worker(world);
    story_send(&story, LATER);
    story_settle(&story);
    cr_expect_lt(monotonic_ms() - since_ms, TAKE_OVER_MS);
    story_expect_once(&story);
}
