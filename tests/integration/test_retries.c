/*
 * Delayed requeue (protocol.md section 6) through real topics and real time.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#include "protocol/batch.h"
#include "tests/support/batches.h"
#include "tests/support/world.h"

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(retries, .fini = end, .timeout = 120);

static uint64_t header_number(const struct kafka_record *record, const char *name)
{
    return strtoull(world_header(record, name), NULL, 10);
}

Test(retries, succeeds_on_the_second_attempt_and_never_early)
{
    world = world_create(2, 3);
    world_set(world, "retry.initial_delay_ms=2000");
    world_send(world, 0, /* which is not where its key would go */
               sent_batch_by("ann", "local_wins", "s1", "b1",
                             text_of_format("%s,%s,{'op':'remove'}", op_add("a", 1, 1000),
                                            op_move("u", 2, 1000))));
    world_start_worker(world);
    const struct sync_result first = world_await_results(world, "b1", 1).items[0];
    world_send(world, 1, sent_batch("s1", "b2", op_add("u", 9, 500)));
    world_settle(world);

    cr_assert(!first.final && !sync_result_is_success(&first));
    cr_assert_eq(first.synced_count, 1);
    cr_assert_eq(first.pending_count, 1);
    cr_assert_eq(first.failed_count, 1);
    cr_assert(failure_at(&first, 1)->retryable);
    cr_assert_not(conflict_at(&first, 1)->resolved);
    cr_assert_eq(first.next_attempt_at_ms, first.timestamp_ms + 2000);

    const struct record_list requeues = world_records(world, TOPIC_RETRY_1);
    cr_assert_eq(requeues.count, 1);
    const struct kafka_record *const requeue = &requeues.items[0];
    cr_assert_eq(requeue->partition, 0, "the number that its batch came from");
    cr_assert(span_equal_text(requeue->key, "s1"));
    cr_assert_eq(header_number(requeue, "scenesync-attempt"), 2);
    cr_assert_eq(header_number(requeue, "scenesync-not-before"), first.next_attempt_at_ms);
    const struct batch batch = world_batch(world, requeue->value, true);
    cr_assert_eq(batch.operation_count, 1, "only what failed and may still succeed");
    cr_assert_eq(batch.operations[0].index, 1);
    cr_assert_eq(batch.retry->total, 3);

    const struct sync_result second = world_results(world, "b1").items[1];
    cr_assert(second.final);
    cr_assert_eq(second.attempts, 2);
    cr_assert_geq(second.timestamp_ms, first.next_attempt_at_ms, "early: %llu is before %llu",
                  (unsigned long long)second.timestamp_ms,
                  (unsigned long long)first.next_attempt_at_ms);
    cr_assert_eq(second.synced_count, 2);
    cr_assert_eq(second.failed_count, 1);
    cr_assert_eq(failure_at(&second, 2)->code, ERROR_INVALID_OPERATION);
    cr_assert_eq(failure_at(&second, 2)->body.kind, BODY_PRESENT, "carried from attempt 1");
    cr_assert_eq(second.conflict_count, 1);
    cr_assert_eq(conflict_at(&second, 1)->resolution, RESOLUTION_KEEP_REMOTE);
    cr_assert_eq(second.strategy, STRATEGY_LOCAL_WINS);
    cr_assert_eq(second.source.partition, 0);
    cr_assert_eq(second.attempt_version_count, 2);
    cr_assert_eq(second.attempt_versions[0], 1);
    cr_assert_eq(second.attempt_versions[1], 3);
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene_view_transform(&scene, "u", "x"), 2);
}

/* What ran out of retries, as an operator finds it. */
static void check_dead_letter(const struct kafka_record *dead, struct span operation)
{
    cr_assert(span_equal_text(dead->key, "s1"));
    cr_assert_str_eq(world_header(dead, "scenesync-error-code"), "retries_exhausted");
    cr_assert_neq(strstr(world_header(dead, "scenesync-error"), "element not found"), NULL);
    cr_assert_str_eq(world_header(dead, "scenesync-batch-id"), "b1");
    cr_assert_str_eq(world_header(dead, "scenesync-indexes"), "1");
    cr_assert_str_eq(world_header(dead, "scenesync-source"),
                     text_of_format("%s/0/0", TOPIC_RETRY_2));
    cr_assert_gt(header_number(dead, "scenesync-failed-at"), 0);
    const struct batch batch = world_batch(world, dead->value, false);
    cr_assert(span_equal_text(batch.batch_id, "b1:dlq"));
    cr_assert_eq(batch.operation_count, 1);
    cr_assert(span_equal(batch.operations[0].raw, operation), "timestamps and all untouched");
}

static void check_attempts(const struct result_list *results)
{
    cr_assert_eq(results->count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(results->items[i].attempts, i + 1);
        cr_assert_eq(results->items[i].final, i == 2);
        cr_assert_eq(results->items[i].synced_count, 1);
    }
    for (uint32_t i = 0; i < 2; i++) {
        const struct record_list requeues =
            world_records(world, i == 0 ? TOPIC_RETRY_1 : TOPIC_RETRY_2);
        cr_assert_eq(requeues.count, 1);
        const uint64_t not_before_ms = header_number(&requeues.items[0], "scenesync-not-before");
        cr_assert_eq(not_before_ms, results->items[i].timestamp_ms + (i == 0 ? 150 : 300));
        cr_assert_geq(results->items[i + 1].timestamp_ms, not_before_ms, "early");
    }
    const struct sync_result *const last = &results->items[2];
    cr_assert_eq(last->failed_count, 1);
    cr_assert_eq(failure_at(last, 1)->code, ERROR_ELEMENT_NOT_FOUND);
    cr_assert(failure_at(last, 1)->retryable, "the client may send it again");
    cr_assert(conflict_at(last, 1)->resolved);
    cr_assert_eq(last->attempt_version_count, 3);
}

Test(retries, exhausted_is_dead_lettered_as_a_batch_that_applies_once_when_sent_again)
{
    world = world_create(1, 3);
    world_set(world, "retry.max_retries=2");
    world_set(world, "retry.initial_delay_ms=150");
    const struct span update = message_of(op_move("u", 5, 2000));
    world_send(world, 0, sent_batch("s1", "b1", ops(op_add("a", 1, 1000), op_move("u", 5, 2000))));
    world_start_worker(world);
    world_settle(world);
    const struct result_list results = world_results(world, "b1");
    check_attempts(&results);
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 1);
    check_dead_letter(&dead.items[0], update);
    cr_assert_eq(world_records(world, TOPIC_RETRY_3).count, 0);

    world_send(world, 0, sent_batch("s1", "b2", op_add("u", 1, 1500)));
    world_send(world, 0, dead.items[0].value);
    world_send(world, 0, dead.items[0].value);
    world_settle(world);
    const struct result_list again = world_results(world, "b1:dlq");
    cr_assert_eq(again.count, 2);
    cr_assert(sync_result_is_success(&again.items[0]));
    cr_assert_eq(again.items[0].scene_version, 3);
    cr_assert(span_equal(again.records[0]->value, again.records[1]->value));
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene.version, 3, "sent twice, applied once");
    cr_assert_eq(scene_view_transform(&scene, "u", "x"), 5);
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 1);
}

static void produce_copy(const struct kafka_record *record, const char *topic)
{
    static const char *const names[] = {"scenesync-attempt", "scenesync-not-before"};
    struct record_header headers[2];
    for (size_t i = 0; i < 2; i++) {
        headers[i] = (struct record_header){names[i], kafka_record_header(record, names[i])};
    }
    (void)kafka_broker_produce(world_broker(world), topic, record->partition, record->key,
                               record->value, headers, 2);
}

Test(retries, requeue_delivered_twice_has_one_effect)
{
    world = world_create(1, 1);
    world_set(world, "retry.max_retries=1");
    world_set(world, "retry.initial_delay_ms=4000"); /* what follows must be there before */
    world_send(world, 0, sent_batch("s1", "b1", ops(op_move("u", 5, 2000), op_move("v", 6, 2000))));
    world_start_worker(world);
    const struct record_list requeues = world_await_records(world, TOPIC_RETRY_1, 1);
    produce_copy(&requeues.items[0], TOPIC_RETRY_1);
    world_send(world, 0, sent_batch_by("ann", "remote_wins", "s1", "b2", op_add("u", 1, 1000)));
    world_settle(world);
    produce_copy(&requeues.items[0], TOPIC_RETRY_1);
    world_settle(world);

    const struct result_list results = world_results(world, "b1");
    cr_assert_eq(results.count, 2, "the copies are dropped");
    cr_assert_eq(results.items[1].synced_count, 1);
    cr_assert_eq(results.items[1].failed_count, 1);
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 1);
    cr_assert_eq(world_scene(world, "s1").version, 2);
}

Test(retries, tier_above_todays_max_retries_is_drained)
{
    world = world_create(1, 3);
    world_set(world, "retry.initial_delay_ms=500");
    world_set(world, "retry.backoff_multiplier=4");
    world_send(world, 0, sent_batch("s1", "b1", op_move("u", 5, 2000)));
    struct worker_process *const first = world_start_worker(world);
    (void)world_await_records(world, TOPIC_RETRY_2, 1);
    worker_process_signal(first, SIGTERM);
    cr_assert_eq(worker_process_await_exit(first, WORLD_WAIT_MS), 0);

    world_set(world, "retry.max_retries=1");
    world_start_worker(world);
    world_settle(world);
    const struct result_list results = world_results(world, "b1");
    cr_assert_eq(results.count, 3);
    cr_assert(results.items[2].final);
    cr_assert_eq(results.items[2].attempts, 3);
    cr_assert_eq(results.items[2].failed_count, 1);
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 1);
    cr_assert_eq(world_records(world, TOPIC_RETRY_3).count, 0);
}

Test(retries, max_retries_zero_makes_every_failure_final)
{
    world = world_create(1, 0);
    world_set(world, "retry.max_retries=0");
    world_send(world, 0, sent_batch("s1", "b1", ops(op_move("u", 5, 2000), op_remove("v", 3000))));
    world_send(world, 0, sent_batch("s1", "b2", op_add("v", 1, 2500)));
    world_start_worker(world);
    world_settle(world);
    const struct sync_result result = world_result(world, "b1");
    cr_assert(result.final);
    cr_assert_eq(result.failed_count, 2);
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 1);
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-indexes"), "0,1");
    const struct sync_result late = world_result(world, "b2");
    cr_assert_eq(failure_at(&late, 0)->code, ERROR_STALE_TIMESTAMP,
                 "the remove that found nothing left its tombstone");
}

/* Ten thousand operations that all fail for now: with their history they are too large for one
 * message, so they fail for good, and the result leaves out what it has no room for. */
Test(retries, requeue_beyond_the_message_limit_fails_at_once)
{
    enum { COUNT = 10000 };
    struct buffer operations;
    buffer_init(&operations, 4 << 20);
    for (int i = 0; i < COUNT; i++) {
        buffer_append_format(&operations,
                             "%s{'op':'update','timestamp':1,'id':'e%d','changes':{'x':%d}}",
                             i == 0 ? "" : ",", i, i);
    }
    buffer_append(&operations, "", 1);
    const struct span batch = sent_batch("s1", "b1", (const char *)operations.data);
    buffer_deinit(&operations);
    world = world_create(1, 1);
    world_send(world, 0, batch);
    world_send(world, 0, batch);
    world_send(world, 0, sent_batch("s1", "b2", op_add("a", 1, 1000)));
    world_start_worker(world);
    world_settle(world);
    const struct result_list results = world_results(world, "b1");
    cr_assert_eq(results.count, 2);
    const struct sync_result *const result = &results.items[0];
    cr_assert(result->final && result->truncated);
    cr_assert_eq(result->failed_count, COUNT);
    cr_assert_eq(result->conflict_count, COUNT, "counts are never left out");
    cr_assert_eq(result->failures[0].code, ERROR_RETRY_TOO_LARGE);
    cr_assert(result->failures[0].retryable);
    cr_assert_leq(results.records[0]->value.size, 921600);
    cr_assert(span_equal(results.records[0]->value, results.records[1]->value));
    cr_assert_eq(world_records(world, TOPIC_RETRY_1).count, 0);
    const struct sync_result next = world_result(world, "b2");
    cr_assert(sync_result_is_success(&next));
}
