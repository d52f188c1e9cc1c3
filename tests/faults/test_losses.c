/*
 * The store loses what it had acknowledged, under load: the worker notices before it commits a
 * further offset, and applies what was lost again from Kafka. That it notices when it is idle and
 * when it starts, and what else it can be told to do, is in integration/test_lost_writes.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/faults/failover.h"
#include "tests/faults/fault_worker.h"
#include "tests/faults/story.h"
#include "tests/support/child_process.h"

enum {
    PARTITIONS = 2,
    SESSIONS = 4,

    FIRST = 64,
    LATER = 40,
    PAUSE_MS = 40,
    UNDER_LOAD_MS = 1000
};

#define NOTICED "the store lost writes, replaying them from kafka"

static struct world *world;
static struct failover *failover;

static void end(void)
{
    world_destroy(world);
    failover_end(failover);
}

TestSuite(losses, .fini = end, .timeout = 150);

/* A world whose first batches are done and acknowledged, and a worker that waits for more. */
static struct worker_process *settle_first(struct story *story)
{
    *story = story_begin(world, PARTITIONS, SESSIONS);
    story_send(story, FIRST);
    struct worker_process *const worker = world_start_worker(world);
    story_settle(story);
    return worker;
}

static void end_work(struct story *story, struct worker_process *worker)
{
    worker_process_await_log(worker, NOTICED, WORLD_WAIT_MS);
    story_send(story, LATER);
    story_settle(story);
    story_expect_once_after_losses(story);
}

static void stop(struct worker_process *worker)
{
    worker_process_signal(worker, SIGTERM);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), 0);
}

/* ---- Restarts ---- */

static void restart_redis(void)
{
    redis_server_launch(world_redis(world));
    redis_server_await(world_redis(world));
}

Test(losses, restart_with_nothing)
{
    struct story story;
    world = world_create(PARTITIONS, STORY_TIERS);
    struct worker_process *const worker = settle_first(&story);
    story_send_for(&story, UNDER_LOAD_MS, PAUSE_MS);
    redis_server_kill(world_redis(world));
    restart_redis();
    story_send_for(&story, UNDER_LOAD_MS, PAUSE_MS);
    end_work(&story, worker);
}

Test(losses, restart_from_an_older_dump)
{
    struct story story;
    world = world_create(PARTITIONS, STORY_TIERS);
    struct worker_process *const worker = settle_first(&story);
    REDIS_RUN(world_redis(world), "SAVE");
    story_send_for(&story, UNDER_LOAD_MS, PAUSE_MS);
    redis_server_kill(world_redis(world));
    restart_redis();
    story_send_for(&story, UNDER_LOAD_MS, PAUSE_MS);
    end_work(&story, worker);
}

/* Cuts the end off the append-only file, in the middle of whatever is there. */
static void cut_append_only_file(off_t cut_bytes)
{
    const char *const directory =
        text_of_format("%s/appendonlydir", redis_server_directory(world_redis(world)));
    DIR *const files = opendir(directory);
    cr_assert_not_null(files);
    int cut_count = 0;
    for (const struct dirent *entry = readdir(files); entry != NULL; entry = readdir(files)) {
        struct stat state;
        const char *const path = text_of_format("%s/%s", directory, entry->d_name);
        if (strstr(entry->d_name, ".incr.aof") != NULL) {
            cr_assert_eq(stat(path, &state), 0);
            cr_assert_gt(state.st_size, cut_bytes, "the file is too short for this story");
            cr_assert_eq(truncate(path, state.st_size - cut_bytes), 0);
            cut_count++;
        }
    }
    (void)closedir(files);
    cr_assert_eq(cut_count, 1);
}

Test(losses, restart_from_an_append_only_file_without_its_tail)
{
    static const char *const every_write_on_disk[] = {"--appendonly", "yes", "--appendfsync",
                                                      "always", NULL};
    struct story story;
    world = world_create_with(PARTITIONS, STORY_TIERS, every_write_on_disk);
    struct worker_process *const worker = settle_first(&story);
    story_send_for(&story, UNDER_LOAD_MS, PAUSE_MS);
    redis_server_kill(world_redis(world));
    cut_append_only_file(20001);
    restart_redis();
    story_send_for(&story, UNDER_LOAD_MS, PAUSE_MS);
    end_work(&story, worker);
}

/* ---- Without a restart ---- */

Test(losses, emptied_without_a_disconnect_over_and_over)
{
    enum { TIMES = 4 };
    struct story story;
    world = world_create(PARTITIONS, STORY_TIERS);
    struct worker_process *const worker = settle_first(&story);
    for (int i = 0; i < TIMES; i++) {
        story_send_for(&story, 200 + i * 150, PAUSE_MS);
        REDIS_RUN(world_redis(world), "FLUSHALL");
    }
    end_work(&story, worker);
    cr_assert_eq(worker_process_log_count(worker, "store connection lost"), 0);
}

/* What a worker has decided and not yet sent rests on scenes that are gone; some of it would fit
 * on the empty store, and its positions would make what was lost look done. */
Test(losses, emptied_while_commits_are_decided)
{
    struct story story;
    world = world_create(PARTITIONS, STORY_TIERS);
    stop(settle_first(&story));
    struct worker_process *const worker = fault_worker_start(world, "before_commit:1:stop");
    story_send(&story, LATER);
    fault_worker_await(worker, "before_commit 1 stop");
    REDIS_RUN(world_redis(world), "FLUSHALL");
    worker_process_signal(worker, SIGCONT);
    end_work(&story, worker);
}

/* ---- A replica that lacks the last writes is promoted ---- */

Test(losses, promotion_of_a_lagging_replica)
{
    struct story story;
    world = world_create(PARTITIONS, STORY_TIERS);
    failover = failover_begin(world);
    struct worker_process *const worker = settle_first(&story);
    failover_hold_replica_up(failover);
    story_send_for(&story, UNDER_LOAD_MS, PAUSE_MS);
    failover_promote(failover);
    story_send_for(&story, UNDER_LOAD_MS, PAUSE_MS);
    end_work(&story, worker);
}

/* Nobody is there to notice when it happens: the next worker does at its start. */
Test(losses, promotion_of_a_lagging_replica_between_two_workers)
{
    struct story story;
    world = world_create(PARTITIONS, STORY_TIERS);
    failover = failover_begin(world);
    struct worker_process *const first = settle_first(&story);
    failover_hold_replica_up(failover);
    story_send(&story, LATER);
    story_settle(&story);
    stop(first);
    failover_promote(failover);
    struct worker_process *const worker = world_start_worker(world);
    end_work(&story, worker);
}

/* The worker stands at a step of its cycle while the primary goes and takes the cycle's commits
 * with it. */
static void promote_at(const char *point)
{
    struct story story;
    world = world_create(PARTITIONS, STORY_TIERS);
    failover = failover_begin(world);
    stop(settle_first(&story));
    failover_hold_replica_up(failover);
    struct worker_process *const worker =
        fault_worker_start(world, text_of_format("%s:1:stop", point));
    story_send(&story, LATER);
    fault_worker_await(worker, text_of_format("%s 1 stop", point));
    failover_promote(failover);
    worker_process_signal(worker, SIGCONT);
    story_send(&story, LATER);
    story_settle(&story);
    story_expect_once_after_losses(&story);
}

Test(losses, promotion_before_the_commits_replies)
{
    promote_at("commit_sent");
}

Test(losses, promotion_between_acknowledged_commits_and_publishing)
{
    promote_at("after_commit");
}

Test(losses, promotion_between_acknowledged_commits_and_the_next_watermark)
{
    promote_at("after_acknowledgement");
}

Test(losses, promotion_between_the_watermark_and_the_offsets)
{
    promote_at("after_watermark");
}

Test(losses, promotion_after_the_offsets)
{
    promote_at("after_offset_commit");
}

/* The first attempt and what it waited for are on the replica, the second attempt is not. */
Test(losses, effect_of_a_retry_lost_by_a_promotion)
{
    world = world_create(1, STORY_TIERS);
    world_set(world, "retry.initial_delay_ms=4000");
    failover = failover_begin(world);
    struct worker_process *const worker = world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b1", op_move("u", 7, 2000)));
    (void)world_await_results(world, "b1", 1);
    world_send(world, 0, sent_batch("s1", "b2", op_add("u", 1, 1000)));
    (void)world_await_results(world, "b2", 1);
    failover_hold_replica_up(failover);
    cr_assert_eq(world_results(world, "b1").count, 1, "the retry came too early for this story");
    (void)world_await_results(world, "b1", 2);
    world_settle(world);
    failover_promote(failover);
    const struct scene_view lost = world_scene(world, "s1");
    cr_assert_eq(scene_view_transform(&lost, "u", "x"), 1);

    worker_process_await_log(worker, NOTICED, WORLD_WAIT_MS);
    (void)world_await_results(world, "b1", 3);
    world_settle(world);
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene_view_transform(&scene, "u", "x"), 7);
    cr_assert_eq(scene.version, 2);
    const struct result_list results = world_results(world, "b1");
    cr_assert(results.items[results.count - 1].final);
    cr_assert(sync_result_is_success(&results.items[results.count - 1]));
    cr_assert_eq(results.items[results.count - 1].attempts, 2);
}

/* ---- Behind a watermark ---- */

/* Where the worker's mark for the partition stands; -1: nowhere. */
static long long stored_mark(void)
{
    const char *const command[] = {"HGET", text_of_format("scene:watermark:%s", GROUP),
                                   text_of_format("at:%s/0", TOPIC_OPS), NULL};
    const char *const text = world_redis_command(world, command);
    return text[0] == '\0' ? -1 : strtoll(text, NULL, 10);
}

/* Two scenes in one cycle: the first one's commit loses its race and is decided again, the other's
 * is done. As long as that lasts, neither the watermark nor an offset may pass the first. */
Test(losses, commit_that_loses_its_race_holds_the_watermark)
{
    world = world_create(1, 1);
    world_send(world, 0, sent_batch("s0", "b0", op_add("a", 1, 1000)));
    /* While the first cycle dawdles, the next one's records gather. Commits: s0's, then in one
     * cycle s1's, s2's, s1's again. */
    struct worker_process *const worker = fault_worker_start(
        world, "after_decode:1:delay=500,before_commit:2:stop,before_commit:4:stop");
    fault_worker_await(worker, "after_decode 1 delay");
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    world_send(world, 0, sent_batch("s2", "b2", op_add("a", 1, 1000)));
    fault_worker_await(worker, "before_commit 2 stop");
    REDIS_RUN(world_redis(world), "HSET", "scene:{s1}", "version", "1", "commit", "foreign");
    worker_process_signal(worker, SIGCONT);
    fault_worker_await(worker, "before_commit 4 stop");
    cr_assert_eq(world_scene(world, "s2").version, 1, "s2 is done");
    cr_assert_eq(stored_mark(), 1);
    cr_assert_leq(kafka_broker_committed(world_broker(world), GROUP, TOPIC_OPS, 0), 1);

    worker_process_signal(worker, SIGKILL);
    (void)worker_process_await_exit(worker, WORLD_WAIT_MS);
    world_start_worker(world);
    world_settle(world);
    const struct scene_view first = world_scene(world, "s1");
    cr_assert(scene_view_has(&first, "a"));
    cr_assert_eq(first.version, 2);
    cr_assert_eq(world_scene(world, "s2").version, 1);
    cr_assert(sync_result_is_success(&world_results(world, "b1").items[0]));
    cr_assert(sync_result_is_success(&world_results(world, "b2").items[0]));
    cr_assert_eq(stored_mark(), 3);
}
