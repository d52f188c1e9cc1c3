/*
 * `scenesync verify` with a log that does not reach back.
 */
#include <criterion/criterion.h>

#include "tests/support/verify_fixture.h"

TestSuite(verify_cut, .fini = verify_fixture_end, .timeout = 180);

enum { FILLER_BYTES = 900 * 1024, FILLER_COUNT = 7 };

static void delete_records(int64_t before_offset)
{
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    cr_assert_eq(rd_kafka_conf_set(conf, "bootstrap.servers",
                                   kafka_broker_bootstrap(world_broker(verify_world)), NULL, 0),
                 RD_KAFKA_CONF_OK);
    rd_kafka_t *const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    cr_assert_not_null(client);
    rd_kafka_topic_partition_list_t *const list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, TOPIC_OPS, 0)->offset = before_offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t *const queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteRecords(client, &request, 1, NULL, queue);
    rd_kafka_event_t *const event = rd_kafka_queue_poll(queue, WORLD_WAIT_MS);
    cr_assert_not_null(event);
    cr_assert_eq(rd_kafka_event_error(event), 0, "%s", rd_kafka_event_error_string(event));
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
}

/* Cuts off all that the ops topic has: a real broker deletes it, the mock forgets what is beyond 5
 * MiB. */
static void cut_log(void)
{
    static uint8_t filler[FILLER_BYTES];
    memset(filler, 0xC1, sizeof(filler));
    int64_t offset = -1;
    for (int i = 0; i < FILLER_COUNT; i++) {
        offset =
            kafka_broker_produce(world_broker(verify_world), TOPIC_OPS, 0, span_of_text("filler"),
                                 span_make(filler, sizeof(filler)), NULL, 0);
    }
    if (kafka_shared_address() != NULL) {
        delete_records(offset);
    }
    world_settle(verify_world);
}

/* Of a and x only the log's lost beginning tells; b is replaced later, c comes later, s3 begins
 * later. */
static void play_cut_story(void)
{
    verify_world = world_create(1, 0);
    world_start_worker(verify_world);
    world_send(verify_world, 0,
               sent_batch("s1", NULL, ops(op_add("a", 1, 1000), op_add("b", 2, 1000))));
    world_send(verify_world, 0, sent_batch("s2", NULL, op_add("x", 1, 1000)));
    world_settle(verify_world);
    cut_log();
    world_send(verify_world, 0,
               sent_batch("s1", NULL, ops(op_move("a", 3, 2000), op_add("b", 4, 2000))));
    world_send(verify_world, 0,
               sent_batch("s1", NULL, ops(op_add("c", 5, 1000), op_move("b", 6, 3000))));
    world_send(verify_world, 0,
               sent_batch("s3", NULL, ops(op_add("y", 1, 1000), op_remove("y", 2000))));
    world_settle(verify_world);
}

Test(verify_cut, what_the_log_has_lost_is_not_judged_and_said)
{
    play_cut_story();
    const struct command_outcome outcome = VERIFY("--timeout", "20000");
    verify_fixture_expect(outcome, OK,
                          "3 scenes with 4 elements and 1 removed ones: 1 equal, 0 different (0 "
                          "differences), 2 not judged");
    verify_fixture_expect(outcome, OK, "not judged: 2 elements;");
    verify_fixture_expect(VERIFY("--session", "s3"), OK, "1 equal");

    REDIS("HSET", "scene:{s1}:elements", "a", "\x93\x01\x02\x80");
    verify_fixture_expect(VERIFY("--timeout", "20000"), OK, "2 not judged");
    REDIS("HSET", "scene:{s1}:elements", "b", "\x93\x01\x02\x80");
    REDIS("HDEL", "scene:{s1}:elements", "c");
    REDIS("HDEL", "scene:{s3}:elements", "y");
    const struct command_outcome tampered = VERIFY("--timeout", "20000");
    verify_fixture_expect(tampered, DIFFERENT, "scene s1, element b: different: /id is not there");
    verify_fixture_expect(tampered, DIFFERENT,
                          "; timestamp is 2, the log makes it 3000; version is 1, the log "
                          "makes it 3\n");
    verify_fixture_expect(tampered, DIFFERENT, "scene s1, element c: missing: ");
    verify_fixture_expect(tampered, DIFFERENT,
                          "scene s3, element y: missing: the log makes it removed\n");
    verify_fixture_expect(tampered, DIFFERENT, "2 different (3 differences), 1 not judged");
}
