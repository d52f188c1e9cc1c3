/*
 * How a worker ends, and how two of them get on with one scene.
 */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/batches.h"
#include "tests/support/child_process.h"
#include "tests/support/world.h"

enum { EXIT_INTERRUPTED = 75, MOVES = 150 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(lifecycle, .fini = end, .timeout = 120);

/* What it has taken it finishes and settles; what it has not, the next one takes. No batch is
 * worked on twice. */
Test(lifecycle, sigterm_drains_and_exits_0)
{
    world = world_create(1, 1);
    struct worker_process *const first = world_start_worker(world);
    world_await_assignment(world);
    for (int i = 0; i < MOVES; i++) {
        world_send(world, 0, sent_batch("s1", NULL, op_add(text_of_format("e%d", i), i, 1000)));
        if (i == MOVES / 2) {
            worker_process_signal(first, SIGTERM);
        }
    }
    cr_assert_eq(worker_process_await_exit(first, WORLD_WAIT_MS), 0);
    cr_assert_eq(worker_process_log_count(first, "event=\"worker stopped\""), 1);
    world_start_worker(world);
    world_settle(world);
    const struct result_list results = world_results(world, NULL);
    cr_assert_eq(results.count, MOVES);
    for (size_t i = 0; i < results.count; i++) {
        cr_assert_eq(results.items[i].scene_version, i + 1);
        cr_assert_str_eq(world_header(results.records[i], "scenesync-duplicate"), "");
    }
}

/* A worker that waits for Redis, which does not answer, with a batch in its hands. */
static struct worker_process *start_stuck_worker(int drain_timeout_ms)
{
    world = world_create(1, 1);
    world_set(world, "worker.drain_timeout_ms=%d", drain_timeout_ms);
    world_set(world, "redis.command_timeout_ms=300");
    struct worker_process *const worker = world_start_worker(world);
    world_await_assignment(world);
    redis_server_pause(world_redis(world));
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    worker_process_await_log(worker, "store connection lost", WORLD_WAIT_MS);
    return worker;
}

static void expect_finished_by_another(void)
{
    redis_server_resume(world_redis(world));
    world_start_worker(world);
    world_settle(world);
    const struct sync_result result = world_result(world, "b1");
    cr_assert(sync_result_is_success(&result));
    cr_assert_eq(result.attempts, 1);
    cr_assert_eq(world_scene(world, "s1").version, 1);
}

Test(lifecycle, second_signal_exits_75_at_once)
{
    struct worker_process *const worker = start_stuck_worker(60000);
    worker_process_signal(worker, SIGTERM);
    sleep_ms(1000);
    const uint64_t before_ms = monotonic_ms();
    worker_process_signal(worker, SIGINT);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), EXIT_INTERRUPTED);
    cr_assert_lt(monotonic_ms() - before_ms, 5000, "the drain time-out is a minute");
    expect_finished_by_another();
}

Test(lifecycle, drain_timeout_exits_75)
{
    enum { DRAIN_MS = 2000 };
    struct worker_process *const worker = start_stuck_worker(DRAIN_MS);
    const uint64_t before_ms = monotonic_ms();
    worker_process_signal(worker, SIGINT);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), EXIT_INTERRUPTED);
    cr_assert_geq(monotonic_ms() - before_ms, DRAIN_MS);
    expect_finished_by_another();
}

/* Each version stands for exactly one batch: none lost, none applied twice. */
static void expect_each_version_once(const struct result_list *results, size_t count)
{
    bool *const is_seen = calloc(count + 1, sizeof(bool));
    cr_assert_not_null(is_seen);
    for (size_t i = 0; i < results->count; i++) {
        const uint64_t version = results->items[i].scene_version;
        cr_assert(version >= 1 && version <= count, "version %d", (int)version);
        cr_assert_not(is_seen[version], "version %d twice", (int)version);
        is_seen[version] = true;
    }
    free(is_seen);
}

/* Results say what was done in which order: played again, they must lead to the stored scene. */
static void expect_scene_of_results(const struct result_list *results)
{
    const struct sync_result *last = &results->items[0];
    uint32_t conflict_count = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct sync_result *const result = &results->items[i];
        cr_assert(sync_result_is_success(result));
        conflict_count += result->conflict_count;
        for (uint32_t k = 0; k < result->conflict_entry_count; k++) {
            const struct conflict_entry *const conflict = &result->conflicts[k];
            cr_assert_eq(conflict->reason, CONFLICT_CONCURRENT_MODIFICATION);
            cr_assert_eq(conflict->resolution, RESOLUTION_KEEP_REMOTE);
            cr_assert_eq(conflict->local.version, result->scene_version - 1);
        }
        last = result->scene_version > last->scene_version ? result : last;
    }
    cr_assert_gt(conflict_count, 0, "there was no race");
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene.version, last->scene_version);
    cr_assert_eq(scene_view_find(&scene, "a")->value.version, last->scene_version);
    int number = 0;
    char id[64];
    (void)snprintf(id, sizeof(id), "%.*s", SPAN_ARGS(last->batch_id));
    cr_assert_eq(sscanf(id, "b%d", &number), 1);
    cr_assert_eq(scene_view_transform(&scene, "a", "x"), number);
}

Test(lifecycle, two_workers_race_for_one_scene_and_lose_nothing)
{
    enum { BATCHES = 240 };
    world = world_create(2, 1);
    world_set(world, "redis.command_timeout_ms=60000");
    world_set(world, "store.cache_bytes=0"); /* every look at the scene is one at Redis */
    world_start_worker(world);
    world_start_worker(world);
    world_await_assignment(world);
    world_send(world, 0, sent_batch("s1", "b0", op_add("a", 0, 1000)));
    world_settle(world);
    redis_server_pause(world_redis(world)); /* so that both have work in their hands at once */
    for (int i = 1; i < BATCHES; i++) {
        world_send(world, i % 2, sent_batch("s1", text_of_format("b%d", i), op_move("a", i, 1000)));
    }
    redis_server_resume(world_redis(world));
    world_settle(world);
    const struct result_list results = world_results(world, NULL);
    cr_assert_eq(results.count, BATCHES);
    expect_each_version_once(&results, BATCHES);
    expect_scene_of_results(&results);
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 0);
}

/* Another program that writes to the scene all the time: a new commit token, thousands a second. */
struct contender {
    const char *socket_path;
    atomic_bool must_end;
    pthread_t thread;
};

static void *contend(void *context)
{
    struct contender *const contender = context;
    redisContext *const redis = redisConnectUnix(contender->socket_path);
    bool is_fine = redis != NULL && redis->err == 0;
    for (int i = 0; is_fine && !atomic_load(&contender->must_end); i++) {
        char token[24];
        (void)snprintf(token, sizeof(token), "other-%d", i);
        const char *arguments[] = {"HSET", "scene:{s1}", "commit", token};
        redisReply *const reply = redisCommandArgv(redis, 4, arguments, NULL);
        is_fine = reply != NULL;
        freeReplyObject(reply);
    }
    redisFree(redis);
    return NULL;
}

/* Sends moves until one lost its race, which is a matter of luck. Returns its number. */
static int send_until_contended(void)
{
    enum { TRIES_MAX = 200 };
    for (int i = 1; i < TRIES_MAX; i++) {
        const char *const batch_id = text_of_format("b%d", i);
        world_send(world, 0, sent_batch("s1", batch_id, op_move("a", i, 1000 + (uint64_t)i)));
        if (!world_await_results(world, batch_id, 1).items[0].final) {
            return i;
        }
    }
    cr_assert_fail("no race was lost");
    return 0;
}

Test(lifecycle, contended_scene_is_given_up_and_retried_later)
{
    world = world_create(1, 1);
    world_set(world, "store.max_commit_attempts=1");
    world_set(world, "retry.initial_delay_ms=2000");
    world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b0", op_add("a", 0, 1000)));
    (void)world_await_results(world, "b0", 1);
    struct contender contender = {.socket_path = redis_server_socket_path(world_redis(world))};
    cr_assert_eq(pthread_create(&contender.thread, NULL, contend, &contender), 0);
    const int number = send_until_contended();
    atomic_store(&contender.must_end, true);
    (void)pthread_join(contender.thread, NULL);
    world_settle(world);

    const struct result_list results = world_results(world, text_of_format("b%d", number));
    cr_assert_eq(results.count, 2);
    const struct sync_result *const first = &results.items[0];
    cr_assert_eq(first->pending_count, 1);
    cr_assert_eq(failure_at(first, 0)->code, ERROR_CONCURRENT_MODIFICATION);
    cr_assert(failure_at(first, 0)->retryable);
    cr_assert_eq(first->scene_version, (uint64_t)number, "nothing was applied");
    cr_assert(sync_result_is_success(&results.items[1]));
    cr_assert_eq(results.items[1].attempts, 2);
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene_view_transform(&scene, "a", "x"), number);
    cr_assert_eq(scene.version, (uint64_t)number + 1);
}

static void send_numbered(int from, int to)
{
    for (int i = from; i < to; i++) {
        for (int32_t partition = 0; partition < 2; partition++) {
            const char *const session = text_of_format("s%d", (int)partition);
            world_send(world, partition,
                       sent_batch(session, text_of_format("%s-%d", session, i),
                                  op_add(text_of_format("e%d", i), i, 1000)));
        }
    }
}

/* However often it was published: the same bytes, and one place in the scene's history. */
static void expect_told_alike(const char *batch_id, uint64_t version)
{
    const struct result_list results = world_results(world, batch_id);
    cr_assert_geq(results.count, 1);
    cr_assert_eq(results.items[0].scene_version, version);
    for (size_t i = 1; i < results.count; i++) {
        cr_assert(span_equal(results.records[i]->value, results.records[0]->value));
    }
}

/* A worker is stopped with commits on their way, for so long that the group gives its partitions
 * to another; then it wakes up and believes that they are still its own. */
Test(lifecycle, zombie_that_wakes_up_changes_nothing_twice)
{
    enum { FIRST = 20, SECOND = 30, THIRD = 35 };
    world = world_create(2, 1);
    struct worker_process *const zombie = world_start_worker(world);
    struct worker_process *const other = world_start_worker(world);
    world_await_assignment(world);
    redis_server_pause(world_redis(world));
    send_numbered(0, FIRST);
    sleep_ms(500); /* long enough for both to have sent what they will send */
    worker_process_signal(zombie, SIGSTOP);
    redis_server_resume(world_redis(world));
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    while (worker_process_assigned(other) < 4) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "nobody took over");
        sleep_ms(50);
    }
    send_numbered(FIRST, SECOND);
    world_settle(world);
    worker_process_signal(zombie, SIGCONT);
    worker_process_await_log(zombie, "partitions lost", WORLD_WAIT_MS);
    world_await_assignment(world);
    send_numbered(SECOND, THIRD);
    world_settle(world);
    for (int i = 0; i < THIRD; i++) {
        expect_told_alike(text_of_format("s0-%d", i), (uint64_t)i + 1);
        expect_told_alike(text_of_format("s1-%d", i), (uint64_t)i + 1);
    }
    cr_assert_eq(world_scene(world, "s0").version, THIRD);
    cr_assert_eq(world_scene(world, "s1").version, THIRD);
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 0);
}
