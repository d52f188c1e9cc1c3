/*
 * A bad network between the worker and Redis, under load: replies lost after their effect,
 * connections that are half open, delay.
 */
#include <criterion/criterion.h>

#include "tests/faults/story.h"
#include "tests/support/child_process.h"
#include "tests/support/fault_proxy.h"

enum {
    PARTITIONS = 2,
    SESSIONS = 4,

    FIRST = 40,
    LATER = 40,
    PAUSE_MS = 10,
    COMMAND_TIMEOUT_MS = 500,
    FAULT_MS = 3000
};

static struct world *world;
static struct fault_proxy *proxy;

static void end(void)
{
    world_destroy(world);
    fault_proxy_stop(proxy);
}

TestSuite(network, .fini = end, .timeout = 120);

static struct story begin_work(struct worker_process **worker)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    proxy = fault_proxy_start(redis_server_port(world_redis(world)));
    world_set(world, "redis.url=redis://127.0.0.1:%d", fault_proxy_port(proxy));
    world_set(world, "redis.command_timeout_ms=%d", COMMAND_TIMEOUT_MS);
    world_set(world, "redis.connect_timeout_ms=%d", COMMAND_TIMEOUT_MS);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    story_send(&story, FIRST);
    *worker = world_start_worker(world);
    (void)world_await_results(world, NULL, 1);
    return story;
}

static void end_work(struct story *story, struct worker_process *worker)
{
    story_send(story, LATER);
    story_settle(story);
    story_expect_once(story);
    cr_assert_eq(worker_process_log_count(worker, "partitions assigned"), 1,
                 "it kept its place in the group");
}

static void await_cut(struct story *story, size_t count)
{
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    while (fault_proxy_cuts(proxy) < count) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "nothing was cut");
        story_send_for(story, PAUSE_MS, PAUSE_MS);
    }
}

/* Each time another commit of a cycle is the one whose effect is there and whose reply is not. */
Test(network, replies_lost_one_by_one)
{
    enum { CUTS = 12, COMMITS_MAX = 4 };
    struct worker_process *worker = NULL;
    struct story story = begin_work(&worker);
    for (size_t i = 0; i < CUTS; i++) {
        fault_proxy_cut_after(proxy, 1 + i % COMMITS_MAX, "scene:{s");
        await_cut(&story, i + 1);
    }
    end_work(&story, worker);
}

/* The worker has to find out for itself that nobody answers, while the fault lasts. */
static void live_through(enum fault_proxy_mode mode, const char *noticed)
{
    struct worker_process *worker = NULL;
    struct story story = begin_work(&worker);
    fault_proxy_set_mode(proxy, mode);
    story_send_until(&story, worker, noticed, PAUSE_MS);
    story_send_for(&story, FAULT_MS, PAUSE_MS);
    fault_proxy_set_mode(proxy, FAULT_PROXY_PASS);
    end_work(&story, worker);
}

Test(network, all_replies_lost_for_a_while)
{
    live_through(FAULT_PROXY_DROP_REPLIES, "no reply from Redis for");
}

Test(network, everything_lost_for_a_while)
{
    live_through(FAULT_PROXY_SWALLOW, "no reply from Redis for");
}

Test(network, standing_still)
{
    live_through(FAULT_PROXY_FREEZE, "no reply from Redis for");
}

Test(network, refused)
{
    live_through(FAULT_PROXY_REFUSE, "Connection refused");
}

/* The connection is dead, nobody says so, and it never comes back to life; others work. */
Test(network, half_open)
{
    enum { TIMES = 3 };
    struct worker_process *worker = NULL;
    struct story story = begin_work(&worker);
    for (size_t i = 1; i <= TIMES; i++) {
        story_send_for(&story, COMMAND_TIMEOUT_MS, PAUSE_MS);
        fault_proxy_strand(proxy);
        while (worker_process_log_count(worker, "no reply from Redis for") < i) {
            story_send_for(&story, PAUSE_MS, PAUSE_MS);
        }
    }
    end_work(&story, worker);
}

Test(network, delay_of_200_ms)
{
    struct worker_process *worker = NULL;
    struct story story = begin_work(&worker);
    fault_proxy_set_delay(proxy, 200);
    story_send_for(&story, FAULT_MS, PAUSE_MS);
    story_settle(&story);
    story_expect_once(&story);
    cr_assert_eq(worker_process_log_count(worker, "store connection lost"), 0,
                 "it is slow, not away");
    fault_proxy_set_delay(proxy, 0);
    end_work(&story, worker);
}
