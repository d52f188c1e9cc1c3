/*
 * A worker is stopped at some step for longer than its group waits for it; another takes its
 * partitions over and finishes; then the first one wakes up and goes on as if nothing had been.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/faults/fault_worker.h"
#include "tests/faults/story.h"
#include "tests/support/child_process.h"

enum { PARTITIONS = 2, SESSIONS = 4, FIRST = 24, LATER = 40, PAUSE_MS = 80 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(zombie, .fini = end, .timeout = 150);

/* Starts one that has all partitions, and loads it until it stops at the passage. */
static struct worker_process *stop_at(struct story *story, const char *point, int passage)
{
    struct worker_process *const zombie =
        fault_worker_start(world, text_of_format("%s:%d:stop", point, passage));
    story_send_until(story, zombie, text_of_format("fault: %s %d stop", point, passage), PAUSE_MS);
    return zombie;
}

/* Another one does what is left and more; the zombie wakes up and has its share of the rest. */
static void outlive(struct story *story, struct worker_process *zombie)
{
    (void)world_start_worker(world);
    story_send(story, LATER);
    story_settle(story);
    story_expect_once(story);
    worker_process_signal(zombie, SIGCONT);
    worker_process_await_log(zombie, "partitions lost", WORLD_WAIT_MS);
    world_await_assignment(world);
    story_send(story, LATER);
    story_settle(story);
    story_expect_once(story);
}

static void wake_after(const char *point, int passage)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    story_send(&story, FIRST);
    struct worker_process *const zombie = stop_at(&story, point, passage);
    outlive(&story, zombie);
}

Test(zombie, with_commits_decided_and_not_sent)
{
    wake_after("before_commit", 2);
}

Test(zombie, with_commits_whose_replies_wait)
{
    wake_after("commit_sent", 2);
}

Test(zombie, with_results_to_publish)
{
    wake_after("after_commit", 2);
}

Test(zombie, with_a_watermark_to_raise)
{
    wake_after("after_acknowledgement", 2);
}

Test(zombie, with_offsets_to_commit)
{
    wake_after("before_offset_commit", 2);
}

/* The one that took over did so much that no record of what the zombie holds is left: only the
 * positions and the watermark tell that it was done. */
Test(zombie, whose_records_are_older_than_every_one_kept)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    world_set(world, "dedupe.max_batches=1");
    struct story story = story_begin(world, PARTITIONS, 1);
    story_send(&story, FIRST);
    struct worker_process *const zombie = stop_at(&story, "before_commit", 1);
    (void)world_start_worker(world);
    story_settle(&story);
    story_send_for(&story, 3000, 30); /* in many cycles: records are evicted by later ones */
    story_settle(&story);
    const struct scene_view before = world_scene(world, "s0");
    static const char *const records[] = {"HLEN", "scene:{s0}:batches", NULL};
    cr_assert_lt(strtol(world_redis_command(world, records), NULL, 10), FIRST,
                 "no record was evicted");
    worker_process_signal(zombie, SIGCONT);
    worker_process_await_log(zombie, "partitions lost", WORLD_WAIT_MS);
    world_await_assignment(world);
    story_settle(&story);
    const struct scene_view after = world_scene(world, "s0");
    cr_assert(scene_view_equal(&before, &after));
    story_send(&story, LATER);
    story_settle(&story);
    story_expect_once(&story);
}
