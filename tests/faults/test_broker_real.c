/*
 * A broker of the test's own goes away under load, in every way a process can: shut down, killed,
 * stopped for longer than most things wait.
 */
#include <criterion/criterion.h>

#include "tests/faults/story.h"
#include "tests/support/child_process.h"

enum { PARTITIONS = 2, SESSIONS = 4, FIRST = 400, LATER = 40, STOPPED_MS = 20000 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(broker_real, .fini = end, .timeout = 200);

/* A worker in the middle of what there is to do. */
static struct story begin_work(void)
{
    world = world_create_on(kafka_broker_start_private(), PARTITIONS, STORY_TIERS, NULL);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    story_send(&story, FIRST);
    (void)world_start_worker(world);
    (void)world_await_results(world, NULL, 1);
    return story;
}

static void end_work(struct story *story)
{
    story_send(story, LATER);
    story_settle(story);
    story_expect_once(story);
}

Test(broker_real, restarted)
{
    struct story story = begin_work();
    kafka_broker_restart(world_broker(world));
    end_work(&story);
}

Test(broker_real, killed)
{
    struct story story = begin_work();
    kafka_broker_kill(world_broker(world));
    sleep_ms(1000);
    kafka_broker_restart(world_broker(world));
    end_work(&story);
}

Test(broker_real, stopped_for_twenty_seconds)
{
    struct story story = begin_work();
    kafka_broker_pause(world_broker(world));
    sleep_ms(STOPPED_MS);
    kafka_broker_resume(world_broker(world));
    end_work(&story);
}
