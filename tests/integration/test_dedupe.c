/*
 * One effect, equal results, nothing swallowed (protocol.md section 8), whatever is delivered
 * twice. What takes a broker that fails on demand: test_dedupe_mock.c.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/support/batches.h"
#include "tests/support/child_process.h"
#include "tests/support/world.h"

enum { TWIN_COUNT = 60 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(dedupe, .fini = end, .timeout = 120);

static bool is_duplicate(const struct kafka_record *record)
{
    return strcmp(world_header(record, "scenesync-duplicate"), "1") == 0;
}

static void expect_equal(const struct result_list *results, size_t a, size_t b)
{
    cr_assert(span_equal(results->records[a]->value, results->records[b]->value),
              "results %zu and %zu of a batch differ", a, b);
}

Test(dedupe, same_batch_twice_has_one_effect_and_equal_results)
{
    world = world_create(1, 3);
    const struct span batch = sent_batch_by(
        "ann", "remote_wins", "s1", "b1",
        text_of_format("%s,%s,{'op':'remove'}", op_add("a", 1, 1000), op_add("a", 2, 500)));
    world_send(world, 0, batch);
    world_send(world, 0, batch);
    world_send(world, 0, sent_batch("s1", "b1", op_add("b", 1, 1000)));
    world_send(world, 0, sent_batch("s1", NULL, op_add("c", 1, 1000)));
    world_send(world, 0, sent_batch("s1", NULL, op_add("c", 1, 1000)));
    world_start_worker(world);
    world_settle(world);

    const struct result_list results = world_results(world, NULL);
    cr_assert_eq(results.count, 5);
    expect_equal(&results, 0, 1);
    cr_assert_not(is_duplicate(results.records[0]));
    cr_assert(is_duplicate(results.records[1]));
    cr_assert_eq(results.items[1].conflict_entry_count, 1, "its bodies and entries included");
    cr_assert_eq(results.items[1].failures[0].body.kind, BODY_PRESENT);
    cr_assert(sync_result_is_success(&results.items[2]), "another client's b1 is another batch");
    cr_assert_eq(results.items[3].conflict_count, 0);
    cr_assert_eq(results.items[4].conflict_count, 1, "without batch_id every record is a batch");
    cr_assert(span_equal_text(results.items[4].source.topic, TOPIC_OPS));
    cr_assert_eq(results.items[4].source.offset, 4);
    cr_assert_eq(world_scene(world, "s1").version, 4);
}

/* The copies race through two workers: one of them applies each batch, the other tells the same. */
Test(dedupe, same_batch_to_two_workers_at_once)
{
    world = world_create(2, 1);
    world_set(world, "redis.command_timeout_ms=60000");
    world_start_worker(world);
    world_start_worker(world);
    world_await_assignment(world);
    redis_server_pause(world_redis(world)); /* so that both have them in their hands at once */
    for (int i = 0; i < TWIN_COUNT; i++) {
        const struct span batch =
            sent_batch("s1", text_of_format("b%d", i), op_add(text_of_format("e%d", i), i, 1000));
        world_send(world, 0, batch);
        world_send(world, 1, batch);
    }
    redis_server_resume(world_redis(world));
    world_settle(world);

    for (int i = 0; i < TWIN_COUNT; i++) {
        const struct result_list twins = world_results(world, text_of_format("b%d", i));
        cr_assert_eq(twins.count, 2);
        expect_equal(&twins, 0, 1);
        cr_assert(is_duplicate(twins.records[0]) != is_duplicate(twins.records[1]));
        cr_assert(sync_result_is_success(&twins.items[0]));
    }
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene.version, TWIN_COUNT);
    cr_assert_eq(scene.element_count, TWIN_COUNT);
    cr_assert_eq(world_records(world, TOPIC_RETRY_1).count, 0);
}

static size_t stored_records(void)
{
    size_t count = 0;
    static const char *const keys[] = {"scene:{s1}:batches", "scene:{s1}:batches.old",
                                       "scene:{s1}:pending"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *const command[] = {"HLEN", keys[i], NULL};
        count += strtoul(world_redis_command(world, command), NULL, 10);
    }
    return count;
}

/* Moves that each undo the one before: any of them applied again would show. */
static void send_moves(int from, int to)
{
    for (int i = from; i < to; i++) {
        world_send(
            world, 0,
            sent_batch_by("ann", "remote_wins", "s1", text_of_format("b%d", i),
                          ops(op_move("a", i, 1000), op_add(text_of_format("e%d", i), i, 1000))));
    }
}

static void await_committed(int64_t offset)
{
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    while (kafka_broker_committed(world_broker(world), GROUP, TOPIC_OPS, 0) < offset) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "offset %d is not committed", (int)offset);
        sleep_ms(20);
    }
}

/* Sends moves behind the `first_offset` records of the ops topic until the store has forgotten some
 * of them, which it only does once Kafka has confirmed their offsets. */
static int send_until_evicted(int first_offset)
{
    enum { WAVE = 5, WAVES_MAX = 20 };
    for (int sent = WAVE; sent <= WAVE * WAVES_MAX; sent += WAVE) {
        send_moves(sent - WAVE, sent);
        await_committed(first_offset + sent);
        if (stored_records() + WAVE <= (size_t)sent) {
            return sent;
        }
    }
    cr_assert_fail("no record is evicted");
    return 0;
}

static void restart_from_the_beginning(struct worker_process *worker, const char *group)
{
    worker_process_signal(worker, SIGTERM);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), 0);
    world_set_group(world, kafka_name(group));
    world_start_worker(world);
    world_settle(world);
}

Test(dedupe, redelivery_after_the_record_was_evicted)
{
    world = world_create(1, 1);
    world_set(world, "dedupe.max_batches=1");
    world_send(world, 0, sent_batch("s1", "add", op_add("a", 0, 1000)));
    struct worker_process *const worker = world_start_worker(world);
    const int sent = send_until_evicted(1);
    const struct scene_view before = world_scene(world, "s1");
    cr_assert_eq(before.version, (uint64_t)sent + 1);
    const size_t result_count = world_results(world, NULL).count;

    restart_from_the_beginning(worker, "again");
    const struct scene_view after = world_scene(world, "s1");
    cr_assert(scene_view_equal(&before, &after));
    const struct result_list results = world_results(world, NULL);
    for (size_t i = result_count; i < results.count; i++) {
        cr_assert(is_duplicate(results.records[i]));
    }
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 0);
}

/* The record of a batch that waits for its retry outlives those behind it. When all of them come
 * again, its resend must not make the ones behind it look new. */
Test(dedupe, redelivered_resend_moves_no_position_back)
{
    world = world_create(1, 1);
    world_set(world, "dedupe.max_batches=1");
    world_set(world, "retry.max_delay_ms=15000");
    world_set(world, "retry.initial_delay_ms=15000");
    const struct span waiting =
        sent_batch("s1", "waiting", ops(op_add("a", 0, 1000), op_move("u", 1, 1000)));
    world_send(world, 0, waiting);
    world_send(world, 0, waiting);
    struct worker_process *const worker = world_start_worker(world);
    (void)send_until_evicted(2);
    const struct scene_view before = world_scene(world, "s1");
    world_send(world, 0, sent_batch("s1", "last", op_add("u", 0, 500)));

    restart_from_the_beginning(worker, "again");
    const struct scene_view after = world_scene(world, "s1");
    cr_assert_eq(after.version, before.version + 2, "u was added and moved, nothing else");
    cr_assert_eq(scene_view_find(&after, "a")->value.version,
                 scene_view_find(&before, "a")->value.version);
    cr_assert_eq(world_scene(world, "s1").element_count, before.element_count + 1);
}

Test(dedupe, resend_while_pending_and_after)
{
    world = world_create(1, 1);
    world_set(world, "retry.initial_delay_ms=3000");
    const struct span batch =
        sent_batch("s1", "b1", ops(op_add("a", 1, 1000), op_move("u", 7, 2000)));
    world_send(world, 0, batch);
    world_start_worker(world);
    (void)world_await_results(world, "b1", 1);
    world_send(world, 0, batch);
    (void)world_await_results(world, "b1", 2);
    world_send(world, 0, sent_batch("s1", "b2", op_add("u", 2, 1000)));
    (void)world_await_results(world, "b1", 3);
    world_send(world, 0, batch);
    world_settle(world);

    const struct result_list results = world_results(world, "b1");
    cr_assert_eq(results.count, 4);
    expect_equal(&results, 0, 1);
    expect_equal(&results, 2, 3);
    cr_assert_not(results.items[1].final);
    cr_assert(is_duplicate(results.records[1]) && is_duplicate(results.records[3]));
    cr_assert(sync_result_is_success(&results.items[2]));
    cr_assert_eq(results.items[2].attempts, 2);
    cr_assert_eq(world_records(world, TOPIC_RETRY_1).count, 1, "nothing is requeued twice");
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene.version, 3);
    cr_assert_eq(scene_view_transform(&scene, "u", "x"), 7);
}

Test(dedupe, identity_reused_with_other_operations)
{
    world = world_create(1, 1);
    const struct span other = sent_batch("s1", "b1", op_add("b", 2, 1000));
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    world_send(world, 0, other);
    world_send(world, 0, other);
    world_send(world, 0, sent_batch("s1", "b2", op_add("c", 3, 1000)));
    world_start_worker(world);
    world_settle(world);

    const struct result_list results = world_results(world, "b1");
    cr_assert_eq(results.count, 3);
    cr_assert(sync_result_is_success(&results.items[0]));
    for (size_t i = 1; i < results.count; i++) {
        cr_assert_eq(results.items[i].error_code, ERROR_BATCH_ID_REUSED);
        cr_assert(results.items[i].final && !sync_result_is_success(&results.items[i]));
    }
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 2);
    cr_assert(span_equal(dead.items[0].value, other));
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-error-code"), "batch_id_reused");
    cr_assert_str_eq(world_header(&dead.items[1], "scenesync-source"),
                     text_of_format("%s/0/2", TOPIC_OPS));
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert(scene_view_has(&scene, "a") && !scene_view_has(&scene, "b"));
    cr_assert(scene_view_has(&scene, "c"), "the partition goes on");
}

/* Without the memory of resends each copy counts, but a record of Kafka still counts once. */
Test(dedupe, max_batches_zero_forgets_resends_only)
{
    world = world_create(1, 1);
    world_set(world, "dedupe.max_batches=0");
    const struct span batch = sent_batch("s1", "b1", op_add("a", 1, 1000));
    world_send(world, 0, batch);
    world_send(world, 0, batch);
    world_send(world, 0, sent_batch("s1", "b1", op_add("b", 1, 1000)));
    world_send(world, 0, sent_batch("s1", "b2", op_move("u", 1, 1000)));
    world_send(world, 0, sent_batch("s1", "b3", op_add("u", 0, 500)));
    struct worker_process *const worker = world_start_worker(world);
    world_settle(world);
    const struct result_list results = world_results(world, "b1");
    cr_assert_eq(results.count, 3);
    cr_assert(world_results(world, "b2").items[1].final, "a retry is known all the same");
    cr_assert_eq(world_results(world, "b2").items[1].synced_count, 1);
    cr_assert_eq(results.items[1].conflict_count, 1, "the add met its own element");
    cr_assert(sync_result_is_success(&results.items[2]), "no identity is reused");
    const struct scene_view before = world_scene(world, "s1");
    cr_assert_eq(before.version, 5);

    restart_from_the_beginning(worker, "again");
    const struct scene_view after = world_scene(world, "s1");
    cr_assert(scene_view_equal(&before, &after));
}

/* The time to live is not set with every commit, but for a sixteenth of the window. */
Test(dedupe, time_to_live_of_records_is_not_set_anew_with_every_batch)
{
    static const char *const shorten[] = {"PEXPIRE", "scene:{s1}:batches", "80000000", NULL};
    static const char *const ask[] = {"PTTL", "scene:{s1}:batches", NULL};
    world = world_create(1, 1);
    world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    await_committed(1);
    const long first_ms = strtol(world_redis_command(world, ask), NULL, 10);
    cr_assert_gt(first_ms, 86400000);
    (void)world_redis_command(world, shorten);
    world_send(world, 0, sent_batch("s1", "b2", op_add("b", 1, 1000)));
    await_committed(2);
    cr_assert_eq(world_scene(world, "s1").version, 2);
    const long second_ms = strtol(world_redis_command(world, ask), NULL, 10);
    cr_assert(second_ms > 0 && second_ms <= 80000000, "%ld", second_ms);
}

/* A retry that is settled first after the records had expired makes their key anew. */
Test(dedupe, records_that_a_retry_makes_anew_have_a_time_to_live)
{
    static const char *const expire[] = {"DEL", "scene:{s1}:batches", NULL};
    static const char *const ask[] = {"PTTL", "scene:{s1}:batches", NULL};
    world = world_create(1, 1);
    struct worker_process *const worker = world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    await_committed(1);
    worker_process_signal(worker, SIGTERM);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), 0);
    cr_assert_str_eq(world_redis_command(world, expire), "1");
    world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b2", op_move("missing", 1, 1000)));
    cr_assert(world_await_results(world, "b2", 2).items[1].final);
    cr_assert_gt(strtol(world_redis_command(world, ask), NULL, 10), 86400000);
}

/* Batches of one scene that come by several partitions in turn, so that always the same one has the
 * commit that decides which records are still needed. */
Test(dedupe, records_of_all_partitions_are_evicted)
{
    enum { PARTITIONS = 2, KEPT = 4, SENT = 32 };
    world = world_create(PARTITIONS, 1);
    world_set(world, "dedupe.max_batches=%d", KEPT);
    world_start_worker(world);
    for (int i = 0; i < SENT; i++) {
        world_send(world, i % PARTITIONS,
                   sent_batch("s1", text_of_format("b%d", i), op_add("a", i, 1000 + i)));
        world_settle(world);
    }
    cr_assert_leq(stored_records(), 2 * KEPT + 1);
}
