/*
 * The broker refuses what the worker writes, under load: errors that pass, errors after which a
 * producer has to be made anew, and offset commits that fail.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/faults/story.h"

enum {
    PARTITIONS = 2,
    SESSIONS = 4,

    WAVE = 32,
    ERRORS = 8,
    KAFKA_PRODUCE = 0,
    KAFKA_OFFSET_COMMIT = 8
};

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(broker_mock, .fini = end, .timeout = 120);

/* The mock fails requests of everybody: while the test sends, nothing is failed, and while things
 * are failed, only the worker sends. */
static void live_through(int16_t request, const rd_kafka_resp_err_t *errors, size_t error_count)
{
    world = world_create(PARTITIONS, STORY_TIERS);
    struct story story = story_begin(world, PARTITIONS, SESSIONS);
    struct worker_process *const worker = world_start_worker(world);
    world_await_assignment(world);
    for (size_t i = 0; i < error_count; i++) {
        worker_process_signal(worker, SIGSTOP);
        story_send(&story, WAVE);
        kafka_broker_fail_requests(world_broker(world), request, errors[i], ERRORS);
        worker_process_signal(worker, SIGCONT);
        world_settle(world);
    }
    story_settle(&story);
    story_expect_once(&story);
}

Test(broker_mock, produce_errors_that_pass)
{
    static const rd_kafka_resp_err_t errors[] = {
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR};
    live_through(KAFKA_PRODUCE, errors, sizeof(errors) / sizeof(errors[0]));
}

Test(broker_mock, produce_errors_that_end_a_producer)
{
    static const rd_kafka_resp_err_t errors[] = {
        RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, RD_KAFKA_RESP_ERR_INVALID_RECORD};
    live_through(KAFKA_PRODUCE, errors, sizeof(errors) / sizeof(errors[0]));
}

Test(broker_mock, offset_commits_that_fail)
{
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                                                 RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                                                 RD_KAFKA_RESP_ERR_UNKNOWN};
    live_through(KAFKA_OFFSET_COMMIT, errors, sizeof(errors) / sizeof(errors[0]));
}
