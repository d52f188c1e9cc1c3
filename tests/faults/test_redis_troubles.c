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
    LATER = 40,
    PAUSE_MS = 30,
    ROUNDS = 4,
    WORK_MS = 300,   /* between two troubles */
    TROUBLE_MS = 400 /* after the worker has noticed */
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
    size_t connected; /* times it said so before this round */
};

/* A worker at work, with more to come. */
static struct trouble begin_work_with(const char *setting)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    if (setting != NULL) {
        world_set(world, "%s", setting);
    }
    struct trouble trouble = {.story = story_begin(world, PARTITIONS, SESSIONS)};
    story_send(&trouble.story, FIRST);
    trouble.worker = world_start_worker(world);
    (void)world_await_results(world, NULL, 1);
    return trouble;
}

static struct trouble begin_work(void)
{
    return begin_work_with(NULL);
}

/* To be called before trouble is made. */
static void begin_round(struct trouble *trouble)
{
    story_send_for(&trouble->story, WORK_MS, PAUSE_MS);
    trouble->connected = worker_process_log_count(trouble->worker, "store connected");
}

/* While it lasts: in the round `round` of them the worker says what Redis said. */
static void outlast(struct trouble *trouble, const char *reason, size_t round)
{
    story_send_until_count(&trouble->story, trouble->worker, reason, round, PAUSE_MS);
    story_send_for(&trouble->story, TROUBLE_MS, PAUSE_MS);
}

/* To be called when it is over. */
static void end_round(struct trouble *trouble)
{
    story_send_until_count(&trouble->story, trouble->worker, "store connected",
                           trouble->connected + 1, PAUSE_MS);
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
    for (size_t round = 1; round <= ROUNDS; round++) {
        begin_round(&trouble);
        REDIS_RUN(world_redis(world), "CONFIG", "SET", name, bad);
        outlast(&trouble, reason, round);
        REDIS_RUN(world_redis(world), "CONFIG", "SET", name, good);
        end_round(&trouble);
    }
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
    begin_round(&trouble);
    REDIS_RUN(redis, "CONFIG", "SET", "save", "3600 1");
    REDIS_RUN(redis, "BGSAVE");
    outlast(&trouble, "MISCONF", 1);
    REDIS_RUN(redis, "CONFIG", "SET", "save", "");
    end_round(&trouble);
    end_work(&trouble);
}

/* Whichever right it is, what was begun is not left half done. */
static void take_a_right(const char *command, const char *setting)
{
    struct trouble trouble = begin_work_with(setting);
    struct redis_server *const redis = world_redis(world);
    for (size_t round = 1; round <= ROUNDS; round++) {
        begin_round(&trouble);
        REDIS_RUN(redis, "ACL", "SETUSER", "default", text_of_format("-%s", command));
        outlast(&trouble, "grant the user the commands", round);
        REDIS_RUN(redis, "ACL", "SETUSER", "default", text_of_format("+%s", command));
        end_round(&trouble);
    }
    end_work(&trouble);
}

Test(redis_troubles, right_to_call_scripts_is_taken_away)
{
    take_a_right("evalsha", NULL);
}

Test(redis_troubles, right_to_write_the_first_key_is_taken_away)
{
    take_a_right("hset", NULL);
}

Test(redis_troubles, right_to_write_the_index_of_tombstones_is_taken_away)
{
    take_a_right("zadd", NULL);
}

/* Within so short a window it is set all the time. */
Test(redis_troubles, right_to_set_a_time_to_live_is_taken_away)
{
    take_a_right("pexpire", "dedupe.window_ms=1000");
}

/* Has Redis run a script that never ends, without waiting for it. */
static void start_endless_script(redisContext *other)
{
    const char *script[] = {"EVAL", "while true do end", "0"};
    int is_written = 0;
    cr_assert_eq(redisAppendCommandArgv(other, 3, script, NULL), REDIS_OK);
    while (is_written == 0) {
        cr_assert_eq(redisBufferWrite(other, &is_written), REDIS_OK);
    }
}

Test(redis_troubles, another_programs_endless_script)
{
    struct trouble trouble = begin_work();
    struct redis_server *const redis = world_redis(world);
    redisContext *const other = redisConnectUnix(redis_server_socket_path(redis));
    cr_assert(other != NULL && other->err == 0);
    REDIS_RUN(redis, "CONFIG", "SET", "busy-reply-threshold", "50");
    for (size_t round = 1; round <= ROUNDS; round++) {
        void *reply = NULL;
        begin_round(&trouble);
        start_endless_script(other);
        outlast(&trouble, "BUSY", round);
        REDIS_RUN(redis, "SCRIPT", "KILL");
        cr_assert_eq(redisGetReply(other, &reply), REDIS_OK);
        freeReplyObject(reply);
        end_round(&trouble);
    }
    redisFree(other);
    end_work(&trouble);
}

Test(redis_troubles, connections_killed_over_and_over)
{
    enum { KILLS = 40, NOTICED_MIN = 10 };
    struct trouble trouble = begin_work();
    for (int i = 0; i < KILLS; i++) {
        REDIS_RUN(world_redis(world), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        story_send_for(&trouble.story, 40 + i % 5 * 20, PAUSE_MS);
    }
    cr_assert_geq(worker_process_log_count(trouble.worker, "store connection lost"), NOTICED_MIN);
    end_work(&trouble);
}
