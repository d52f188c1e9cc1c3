/*
 * Several workers and other programs on one scene: whoever wins, nothing is lost and nothing is
 * done twice.
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

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(workers, .fini = end, .timeout = 120);

/* Every batch adds an element of its own and moves `a`, which all of them share. */
static void send_batches(int from, int to)
{
    for (int i = from; i < to; i++) {
        const char *const share = i == 0 ? op_add("a", 0, 1000) : op_move("a", i, 1000);
        world_send(world, i % 2,
                   sent_batch("s1", text_of_format("b%d", i),
                              ops(share, op_add(text_of_format("e%d", i), i, 1000))));
    }
}

static int number_of(const struct sync_result *result)
{
    char id[64];
    int number = -1;
    (void)snprintf(id, sizeof(id), "%.*s", SPAN_ARGS(result->batch_id));
    cr_assert_eq(sscanf(id, "b%d", &number), 1);
    return number;
}

static void show_result(const char *what, const struct sync_result *result)
{
    (void)fprintf(stderr,
                  "%s: offset %lld, version %llu, synced %u, failed %u, conflicts %u, attempts %u, "
                  "timestamp %llu, duration %llu ms\n",
                  what, (long long)result->source.offset, (unsigned long long)result->scene_version,
                  result->synced_count, result->failed_count, result->conflict_count,
                  result->attempts, (unsigned long long)result->timestamp_ms,
                  (unsigned long long)result->duration_ms);
}

/* The results by batch: each has one, and all copies of it are the same bytes. */
static const struct sync_result **results_by_number(const struct result_list *results, int count)
{
    const struct sync_result **const by_number =
        calloc((size_t)count, sizeof(const struct sync_result *));
    struct span *const bytes = calloc((size_t)count, sizeof(struct span));
    cr_assert(by_number != NULL && bytes != NULL);
    for (size_t i = 0; i < results->count; i++) {
        const int number = number_of(&results->items[i]);
        const struct span value = results->records[i]->value;
        cr_assert(number >= 0 && number < count);
        if (by_number[number] == NULL) {
            by_number[number] = &results->items[i];
            bytes[number] = value;
        }
        if (!span_equal(value, bytes[number])) {
            show_result("first", by_number[number]);
            show_result("again", &results->items[i]);
            world_show_logs(world);
            cr_assert_fail("b%d has two results", number);
        }
    }
    free(bytes);
    return by_number;
}

/* Each version stands for exactly one batch, and the scene is what the last one left. Returns how
 * many operations met a conflict. */
static uint32_t expect_one_history(int count)
{
    const struct result_list results = world_results(world, NULL);
    const struct sync_result **const by_number = results_by_number(&results, count);
    int *const by_version = calloc((size_t)count + 1, sizeof(int));
    cr_assert_not_null(by_version);
    uint32_t conflict_count = 0;
    for (int i = 0; i < count; i++) {
        const struct sync_result *const result = by_number[i];
        cr_assert_not_null(result, "b%d has no result", i);
        cr_assert(sync_result_is_success(result));
        cr_assert_eq(result->attempts, 1);
        const uint64_t version = result->scene_version;
        cr_assert(version >= 1 && version <= (uint64_t)count, "version %d", (int)version);
        cr_assert_eq(by_version[version], 0, "version %d twice", (int)version);
        by_version[version] = i + 1;
        conflict_count += result->conflict_count;
    }
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene.version, (uint64_t)count);
    cr_assert_eq(scene.element_count, (uint64_t)count + 1);
    cr_assert_eq(scene_view_find(&scene, "a")->value.version, (uint64_t)count);
    cr_assert_eq(scene_view_transform(&scene, "a", "x"), by_version[count] - 1);
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 0);
    free(by_version);
    free(by_number);
    return conflict_count;
}

static void expect_races_told(void)
{
    const struct result_list results = world_results(world, NULL);
    for (size_t i = 0; i < results.count; i++) {
        const struct sync_result *const result = &results.items[i];
        for (uint32_t k = 0; k < result->conflict_entry_count; k++) {
            const struct conflict_entry *const conflict = &result->conflicts[k];
            cr_assert_eq(conflict->index, 0, "only `a` is shared");
            cr_assert_eq(conflict->reason, CONFLICT_CONCURRENT_MODIFICATION);
            cr_assert_eq(conflict->resolution, RESOLUTION_KEEP_REMOTE);
            cr_assert_eq(conflict->local.version, result->scene_version - 1);
        }
    }
}

/* While Redis answers nobody, both take work into their hands; then they are let loose. */
Test(workers, two_race_for_one_scene_and_lose_nothing)
{
    enum { WAVE = 60, WAVES_MAX = 10 };
    world = world_create(2, 1);
    world_set(world, "redis.command_timeout_ms=60000");
    world_set(world, "store.cache_bytes=0"); /* every look at the scene is one at Redis */
    world_start_worker(world);
    world_start_worker(world);
    world_await_assignment(world);
    send_batches(0, 1);
    world_settle(world);
    uint32_t conflict_count = 0;
    for (int wave = 0; conflict_count == 0; wave++) {
        cr_assert_lt(wave, WAVES_MAX, "there is no race");
        redis_server_pause(world_redis(world));
        send_batches(1 + wave * WAVE, 1 + (wave + 1) * WAVE);
        redis_server_resume(world_redis(world));
        world_settle(world);
        conflict_count = expect_one_history(1 + (wave + 1) * WAVE);
    }
    expect_races_told();
}

/* Twice, under load, one of two workers is killed and a new one joins. */
Test(workers, killed_ones_lose_nothing)
{
    enum { ROUNDS = 2, ROUND = 80 };
    world = world_create(2, 1);
    struct worker_process *victim = world_start_worker(world);
    struct worker_process *heir = world_start_worker(world);
    world_await_assignment(world);
    send_batches(0, 1); /* `a` must be there before the other partition's worker moves it */
    world_settle(world);
    int sent = 1;
    for (int round = 0; round < ROUNDS; round++, sent += ROUND) {
        send_batches(sent, sent + ROUND / 2);
        worker_process_signal(victim, SIGKILL);
        (void)worker_process_await_exit(victim, WORLD_WAIT_MS);
        victim = heir;
        heir = world_start_worker(world);
        send_batches(sent + ROUND / 2, sent + ROUND);
        world_settle(world);
    }
    (void)expect_one_history(sent);
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

Test(workers, contended_scene_is_given_up_and_retried_later)
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

/* A worker is stopped with commits on their way, for so long that the group gives its partitions
 * to another; then it wakes up and believes that they are still its own. */
Test(workers, zombie_that_wakes_up_changes_nothing_twice)
{
    enum { FIRST = 40, SECOND = 60, THIRD = 70 };
    world = world_create(2, 1);
    struct worker_process *const zombie = world_start_worker(world);
    struct worker_process *const other = world_start_worker(world);
    world_await_assignment(world);
    send_batches(0, 1);
    world_settle(world);
    redis_server_pause(world_redis(world));
    send_batches(1, FIRST);
    sleep_ms(500); /* long enough for both to have sent what they will send */
    worker_process_signal(zombie, SIGSTOP);
    redis_server_resume(world_redis(world));
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    while (worker_process_assigned(other) < 4) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "nobody took over");
        sleep_ms(50);
    }
    send_batches(FIRST, SECOND);
    world_settle(world);
    worker_process_signal(zombie, SIGCONT);
    worker_process_await_log(zombie, "partitions lost", WORLD_WAIT_MS);
    world_await_assignment(world);
    send_batches(SECOND, THIRD);
    world_settle(world);
    (void)expect_one_history(THIRD);
}
