/*
 * SIGKILL at every step of the cycle: one worker dies at the first passage of a point, its heir at
 * a later one, the third finishes what both have left.
 */
#include <criterion/criterion.h>

#include "tests/faults/fault_worker.h"
#include "tests/faults/story.h"

enum { PARTITIONS = 2, SESSIONS = 4, FIRST = 24, LATER_PASSAGE = 3, PAUSE_MS = 80 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(kill_points, .fini = end, .timeout = 120);

static void die_at(struct story *story, const char *point, int passage)
{
    struct worker_process *const worker =
        fault_worker_start(world, text_of_format("%s:%d:kill", point, passage));
    story_send_until(story, worker, text_of_format("fault: %s %d kill", point, passage), PAUSE_MS);
    fault_worker_await_killed(worker);
}

static void kill_at(const char *point)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    story_send(&story, FIRST);
    die_at(&story, point, 1);
    die_at(&story, point, LATER_PASSAGE);
    fault_worker_start(world, NULL);
    story_settle(&story);
    story_expect_once(&story);
}

Test(kill_points, after_decode)
{
    kill_at("after_decode");
}

Test(kill_points, after_load)
{
    kill_at("after_load");
}

Test(kill_points, before_commit)
{
    kill_at("before_commit");
}

Test(kill_points, commit_sent)
{
    kill_at("commit_sent");
}

Test(kill_points, commit_replied)
{
    kill_at("commit_replied");
}

Test(kill_points, after_commit)
{
    kill_at("after_commit");
}

Test(kill_points, after_publish)
{
    kill_at("after_publish");
}

Test(kill_points, after_acknowledgement)
{
    kill_at("after_acknowledgement");
}

Test(kill_points, after_watermark)
{
    kill_at("after_watermark");
}

Test(kill_points, before_offset_commit)
{
    kill_at("before_offset_commit");
}

Test(kill_points, after_offset_commit)
{
    kill_at("after_offset_commit");
}
