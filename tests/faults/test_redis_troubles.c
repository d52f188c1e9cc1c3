/*
 * Redis refuses to work for a while, under load: whatever it says, the worker waits, and goes on
 * where it was. That each refusal is understood is shown by integration/test_redis_faults; here
 * nothing may be lost or done twice over it, and no attempt be spent.
 */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <sys/stat.h>

#include "tests/faults/story.h"
#include "tests/support/child_process.h"

enum {
    PARTITIONS = 2,
    SESSIONS = 4,

    FIRST = 40,
    DURING = 60,
    LATER = 40,
    PAUSE_MS = 10,
    TROUBLE_MS = 1500
};

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(redis_troubles, .fini = end, .timeout = 120);

struct trouble {
    struct story story;
    struct worker_process *worker;
};

/* A worker at work, with more to come. */
static struct trouble begin_work(void)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    struct trouble trouble = {.story = story_begin(world, PARTITIONS, SESSIONS)};
    story_send(&trouble.story, FIRST);
    trouble.worker = world_start_worker(world);
    (void)world_await_results(world, NULL, 1);
    return trouble;
}

/* While it lasts: the worker says what Redis said, and does nothing. */
static void outlast(struct trouble *trouble, const char *reason)
{
    story_send_until(&trouble->story, trouble->worker, reason, PAUSE_MS);
    story_send_for(&trouble->story, TROUBLE_MS, PAUSE_MS);
}

static void end_work(struct trouble *trouble)
{
    story_send(&trouble->story, LATER);
    story_settle(&trouble->story);
    story_expect_once(&trouble->story);
    cr_assert_eq(worker_process_log_count(trouble->worker, "partitions assigned"), 1,
                 "it kept its place in the group");
}

static void trouble_by_config(const char *name, const char *bad, const char *good,
                              const char *reason)
{
    struct trouble trouble = begin_work();
    REDIS_RUN(world_redis(world), "CONFIG", "SET", name, bad);
    outlast(&trouble, reason);
    REDIS_RUN(world_redis(world), "CONFIG", "SET", name, good);
    end_work(&trouble);
}

Test(redis_troubles, full_memory)
{
    trouble_by_config("maxmemory", "1", "0", "OOM");
}

Test(redis_troubles, missing_replicas)
{
    trouble_by_config("min-replicas-to-write", "1", "0", "NOREPLICAS");
}

Test(redis_troubles, disk_that_cannot_be_written)
{
    struct trouble trouble = begin_work();
    struct redis_server *const redis = world_redis(world);
    /* Where the dump is to go stands a directory, and no file can be renamed to that. */
    const char *const blocked = text_of_format("%s/dump.rdb", redis_server_directory(redis));
    cr_assert_eq(mkdir(blocked, 0700), 0);
    REDIS_RUN(redis, "CONFIG", "SET", "save", "3600 1");
    freeReplyObject(redis_server_query(redis, (const char *const[]){"BGSAVE", NULL}));
    outlast(&trouble, "MISCONF");
    REDIS_RUN(redis, "CONFIG", "SET", "save", "");
    end_work(&trouble);
}

/* Whichever right it is, what was begun is not left half done. */
static void take_a_right(const char *command)
{
    struct trouble trouble = begin_work();
    struct redis_server *const redis = world_redis(world);
    REDIS_RUN(redis, "ACL", "SETUSER", "default", text_of_format("-%s", command));
    outlast(&trouble, "grant the user the commands");
    REDIS_RUN(redis, "ACL", "SETUSER", "default", text_of_format("+%s", command));
    end_work(&trouble);
}

Test(redis_troubles, right_to_call_scripts_is_taken_away)
{
    take_a_right("evalsha");
}

Test(redis_troubles, right_to_write_the_first_key_is_taken_away)
{
    take_a_right("hset");
}

Test(redis_troubles, right_to_write_the_index_of_tombstones_is_taken_away)
{
    take_a_right("zadd");
}

Test(redis_troubles, right_to_set_a_time_to_live_is_taken_away)
{
    take_a_right("pexpire");
}

Test(redis_troubles, another_programs_endless_script)
{
    struct trouble trouble = begin_work();
    struct redis_server *const redis = world_redis(world);
    REDIS_RUN(redis, "CONFIG", "SET", "busy-reply-threshold", "50");
    redisContext *const other = redisConnectUnix(redis_server_socket_path(redis));
    const char *script[] = {"EVAL", "while true do end", "0"};
    cr_assert_eq(redisAppendCommandArgv(other, 3, script, NULL), REDIS_OK);
    int is_written = 0;
    while (is_written == 0) {
        cr_assert_eq(redisBufferWrite(other, &is_written), REDIS_OK);
    }
    outlast(&trouble, "BUSY");
    REDIS_RUN(redis, "SCRIPT", "KILL");
    end_work(&trouble);
    redisFree(other);
}

Test(redis_troubles, connections_killed_over_and_over)
{
    enum { KILLS = 60 };
    struct trouble trouble = begin_work();
    for (int i = 0; i < KILLS; i++) {
        REDIS_RUN(world_redis(world), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        story_send_for(&trouble.story, 20 + i % 5 * 20, PAUSE_MS);
    }
    cr_assert_gt(worker_process_log_count(trouble.worker, "store connection lost"), 5);
    end_work(&trouble);
}
