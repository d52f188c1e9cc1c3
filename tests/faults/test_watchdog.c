/*
 * A worker's cycle blocks at some step and never comes back, while its client keeps the membership
 * alive. The watchdog ends it; another finishes what it held, and nothing is lost or done twice.
 */
#include <criterion/criterion.h>

#include "tests/faults/fault_worker.h"
#include "tests/faults/story.h"

enum { PARTITIONS = 2, SESSIONS = 4, FIRST = 16, LATER = 16, PAUSE_MS = 20, EXIT_STALLED = 74 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(watchdog, .fini = end, .timeout = 150);

/* The worker that blocks has a short time-out, the others that of a service. */
static struct worker_process *start_short_tempered(const char *faults)
{
    world_set(world, "redis.command_timeout_ms=1000");
    world_set(world, "worker.stall_timeout_ms=3000");
    struct worker_process *const worker = fault_worker_start(world, faults);
    world_set(world, "worker.stall_timeout_ms=60000");
    return worker;
}

static void expect_stall(struct worker_process *worker)
{
    const int code = worker_process_await_exit(worker, WORLD_WAIT_MS);
    if (code != EXIT_STALLED) {
        worker_process_show_log(worker);
    }
    cr_assert_eq(code, EXIT_STALLED, "it ended with %d", code);
    cr_expect_eq(worker_process_log_count(worker, "level=error event=\"worker stalled, it ends\" "
                                                  "cause=\"the cycle does not get further\""),
                 1);
    cr_expect_eq(worker_process_log_count(worker, " left_group=true "), 1);
}

static void block_at(const char *point, int passage)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    story_send(&story, FIRST);
    struct worker_process *const worker =
        start_short_tempered(text_of_format("%s:%d:block", point, passage));
    story_send_until(&story, worker, text_of_format("fault: %s %d block", point, passage),
                     PAUSE_MS);
    expect_stall(worker);
    (void)world_start_worker(world);
    story_send(&story, LATER);
    story_settle(&story);
    story_expect_once(&story);
}

Test(watchdog, ends_a_cycle_that_blocks_with_its_first_records)
{
    block_at("after_decode", 1);
}

Test(watchdog, ends_a_cycle_that_blocks_with_commits_on_their_way)
{
    block_at("commit_sent", 2);
}

Test(watchdog, ends_a_cycle_that_blocks_with_results_on_their_way)
{
    block_at("after_publish", 2);
}

Test(watchdog, ends_a_cycle_that_blocks_with_offsets_to_commit)
{
    block_at("before_offset_commit", 2);
}
