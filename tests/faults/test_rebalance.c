/*
 * Workers come and go all the time, some by SIGTERM, some by SIGKILL, under load.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/faults/fault_worker.h"
#include "tests/faults/story.h"

enum {
    PARTITIONS = 4,
    SESSIONS = 8,
    SLOTS = 2,
    STEPS = 6,
    STEP_MS = 2000,
    PAUSE_MS = 150,
    HEAD_START = 64 /* batches */
};

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(rebalance, .fini = end, .timeout = 180);

/* The successor of a static member has its name. */
static struct worker_process *start(int slot, bool is_static)
{
    if (is_static) {
        world_set(world, "kafka.group.instance.id=worker-%d", slot);
    }
    return world_start_worker(world);
}

/* librdkafka before 2.3.0 aborts when a cooperative-sticky member leaves before it was given
 * anything (confluentinc/librdkafka #4312): nothing is lost by that, but the exit code is not ours.
 */
static void await_first_assignment(struct worker_process *worker)
{
    worker_process_await_log(worker, "partitions assigned", WORLD_WAIT_MS);
}

static void churn(const char *assignor, bool is_static)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    world_set(world, "kafka.partition.assignment.strategy=%s", assignor);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    struct worker_process *slots[SLOTS];
    for (int slot = 0; slot < SLOTS; slot++) {
        slots[slot] = start(slot, is_static);
    }
    story_send_until(&story, slots[0], "partitions assigned", PAUSE_MS);
    for (int step = 0; step < STEPS; step++) {
        const int slot = step % SLOTS;
        const bool is_kill = step % 3 != 2;
        story_send_for(&story, STEP_MS, PAUSE_MS);
        if (!is_kill) {
            await_first_assignment(slots[slot]);
        }
        worker_process_signal(slots[slot], is_kill ? SIGKILL : SIGTERM);
        const int code = worker_process_await_exit(slots[slot], WORLD_WAIT_MS);
        cr_assert_eq(code, is_kill ? 128 + SIGKILL : 0, "worker %d ended with %d", slot, code);
        slots[slot] = start(slot, is_static);
    }
    story_send_for(&story, STEP_MS, PAUSE_MS);
    story_settle(&story);
    world_await_assignment(world); /* so that all of them can end well */
    story_expect_once(&story);
}

Test(rebalance, range)
{
    churn("range", false);
}

Test(rebalance, range_with_static_members)
{
    churn("range", true);
}

Test(rebalance, cooperative_sticky)
{
    churn("cooperative-sticky", false);
}

Test(rebalance, cooperative_sticky_with_static_members)
{
    churn("cooperative-sticky", true);
}

/* Kafka's client fetches as soon as it is assigned a partition, the worker claims it only then. */
Test(rebalance, what_is_fetched_before_the_claim_is_read_again)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    story_send(&story, HEAD_START);
    fault_worker_start(world, "assigned:*:delay=2000");
    story_settle(&story);
    story_expect_once(&story);
}
