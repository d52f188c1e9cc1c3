/* A dead letter that a broker that says so does not take: an operator learns at least that there
 * was one. */
#include <criterion/criterion.h>

#include "tests/support/world.h"

/* Of a record that its topic takes; with the headers of a dead letter the producer does not. */
enum { KAFKA_PRODUCE = 0, LARGE_KEY_BYTES = 3145700 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(poison_mock, .fini = end, .timeout = 120);

Test(poison_mock, dead_letter_too_large_for_its_topic_loses_its_value)
{
    world = world_create(1, 0);
    (void)kafka_broker_produce_text(world_broker(world), TOPIC_OPS, 0, "the-key",
                                    text_of_format("\xc1%5000d", 1));
    kafka_broker_fail_requests(world_broker(world), KAFKA_PRODUCE,
                               RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 2);
    world_start_worker(world);
    world_settle(world);
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 1);
    cr_assert_eq(dead.items[0].value.size, 0);
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-truncated"), "1");
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-source"),
                     text_of_format("%s/0/0", TOPIC_OPS));
}

static void expect_without_key(const struct kafka_record *dead, int32_t partition)
{
    cr_assert(span_is_absent(dead->key));
    cr_assert_eq(dead->partition, 0);
    cr_assert_eq(dead->value.size, 0);
    cr_assert_str_eq(world_header(dead, "scenesync-truncated-key"), "1");
    cr_assert_str_eq(world_header(dead, "scenesync-error-code"), "not_messagepack");
    cr_assert_str_eq(world_header(dead, "scenesync-source"),
                     text_of_format("%s/%d/0", TOPIC_OPS, (int)partition));
}

/* Nothing but its topic limits a key: one such record would stop its worker for good. */
Test(poison_mock, dead_letter_whose_key_is_too_large_loses_it_and_stops_nothing)
{
    world = world_create(2, 0); /* the mock keeps 5 MiB of each partition: one such record */
    static char key[LARGE_KEY_BYTES + 1];
    memset(key, 'k', LARGE_KEY_BYTES);
    (void)kafka_broker_produce_text(world_broker(world), TOPIC_OPS, 0, key, "");
    world_start_worker(world);
    world_settle(world);
    (void)kafka_broker_produce_text(world_broker(world), TOPIC_OPS, 1, key, "\xc1");
    world_send(world, 1, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    world_settle(world);
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 2);
    expect_without_key(&dead.items[0], 0);
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-truncated"), "", "it had no value");
    expect_without_key(&dead.items[1], 1);
    cr_assert_str_eq(world_header(&dead.items[1], "scenesync-truncated"), "1");
    const struct sync_result result = world_result(world, "b1");
    cr_assert(sync_result_is_success(&result));
}

Test(poison_mock, what_cannot_be_made_smaller_is_told_with_its_key_and_sent_again)
{
    world = world_create(1, 0);
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    kafka_broker_fail_requests(world_broker(world), KAFKA_PRODUCE,
                               RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 2);
    struct worker_process *const worker = world_start_worker(world);
    world_settle(world);
    const struct result_list results = world_results(world, "b1");
    cr_assert_eq(results.count, 1);
    const size_t bytes = strlen("s1") + results.records[0]->value.size;
    cr_assert_lt(bytes, 1024, "small enough that nothing goes");
    cr_assert_eq(worker_process_log_count(
                     worker, text_of_format("event=\"message too large for its topic\" topic=%s "
                                            "bytes=%zu ",
                                            TOPIC_RESULTS, bytes)),
                 1, "%s", worker_process_log(worker));
}
