/*
 * A bad network between the worker and Redis, under load, over and over: replies lost after their
 * effect, connections that are half open, delay.
 */
#include <criterion/criterion.h>

#include "tests/faults/story.h"
#include "tests/support/fault_proxy.h"

enum {
    PARTITIONS = 2,
    SESSIONS = 4,
    FIRST = 40,
    LATER = 40,
    PAUSE_MS = 30,
    QUICK_TIMEOUT_MS = 400,
    SLOW_TIMEOUT_MS = 10000,
    ROUNDS = 6,
    WORK_MS = 400, /* between two faults */
    FAULT_MS = 300 /* after the worker has noticed */
};

#define NO_REPLY "no reply from Redis for"

static struct world *world;
static struct fault_proxy *proxy;
static struct worker_process *worker;

static void end(void)
{
    world_destroy(world);
    fault_proxy_stop(proxy);
}

TestSuite(network, .fini = end, .timeout = 120);

static struct story begin_work(int timeout_ms)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    proxy = fault_proxy_start(redis_server_port(world_redis(world)));
    world_set(world, "redis.url=redis://127.0.0.1:%d", fault_proxy_port(proxy));
    world_set(world, "redis.command_timeout_ms=%d", timeout_ms);
    world_set(world, "redis.connect_timeout_ms=%d", timeout_ms);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    story_send(&story, FIRST);
    worker = world_start_worker(world);
    (void)world_await_results(world, NULL, 1);
    return story;
}

static void end_work(struct story *story)
{
    story_send(story, LATER);
    story_settle(story);
    story_expect_once(story);
    cr_assert_eq(worker_process_log_count(worker, "partitions assigned"), 1,
                 "it kept its place in the group");
}

/* Each time another commit of those in flight is the one whose effect is there and whose reply is
 * not; what was sent behind it has no effect. */
Test(network, replies_lost_one_by_one)
{
    enum { CUTS = 20 };
    struct story story = begin_work(QUICK_TIMEOUT_MS);
    for (size_t i = 0; i < CUTS; i++) {
        const size_t connected = worker_process_log_count(worker, "store connected");
        fault_proxy_cut_after(proxy, 1 + i % SESSIONS, "EVALSHA scene:{s");
        story_send_until_count(&story, worker, "store connected", connected + 1, PAUSE_MS);
        cr_assert_eq(fault_proxy_cuts(proxy), i + 1);
    }
    end_work(&story);
}

/* The worker has to find out for itself that nobody answers, while the fault lasts. */
static void live_through(enum fault_proxy_mode mode, const char *noticed)
{
    struct story story = begin_work(QUICK_TIMEOUT_MS);
    for (size_t i = 1; i <= ROUNDS; i++) {
        const size_t connected = worker_process_log_count(worker, "store connected");
        fault_proxy_set_mode(proxy, mode);
        story_send_until_count(&story, worker, noticed, i, PAUSE_MS);
        story_send_for(&story, FAULT_MS, PAUSE_MS);
        fault_proxy_set_mode(proxy, FAULT_PROXY_PASS);
        story_send_until_count(&story, worker, "store connected", connected + 1, PAUSE_MS);
        story_send_for(&story, WORK_MS, PAUSE_MS);
    }
    end_work(&story);
}

Test(network, all_replies_lost)
{
    live_through(FAULT_PROXY_DROP_REPLIES, NO_REPLY);
}

Test(network, everything_lost)
{
    live_through(FAULT_PROXY_SWALLOW, NO_REPLY);
}

Test(network, standing_still)
{
    live_through(FAULT_PROXY_FREEZE, NO_REPLY);
}

Test(network, refused)
{
    live_through(FAULT_PROXY_REFUSE, "Connection refused");
}

/* The connection is dead, nobody says so, and it never comes back to life; others work. */
Test(network, half_open)
{
    struct story story = begin_work(QUICK_TIMEOUT_MS);
    for (size_t i = 1; i <= ROUNDS; i++) {
        story_send_for(&story, WORK_MS, PAUSE_MS);
        fault_proxy_strand(proxy);
        story_send_until_count(&story, worker, NO_REPLY, i, PAUSE_MS);
    }
    end_work(&story);
}

Test(network, delay_of_200_ms)
{
    enum { DELAY_MS = 200, DELAYED_MS = 4000 };
    struct story story = begin_work(SLOW_TIMEOUT_MS);
    fault_proxy_set_delay(proxy, DELAY_MS);
    story_send_for(&story, DELAYED_MS, PAUSE_MS);
    story_settle(&story);
    story_expect_once(&story);
    cr_assert_eq(worker_process_log_count(worker, "store connection lost"), 0,
                 "it is slow, not away");
    fault_proxy_set_delay(proxy, 0);
    end_work(&story);
}
