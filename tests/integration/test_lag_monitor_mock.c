/*
 * What a worker's metrics, health and page say of lag while some of Kafka is away: a broker of two,
 * or one partition's leader. Only a mock moves leaders on demand.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/child_process.h"
#include "tests/support/kafka_name.h"
#include "tests/support/moves.h"
#include "tests/support/observed_worker.h"

enum { BATCHES = 10, WATCH_MS = 2000, POLL_MS = 200 };

static struct world *world;
static int port;

static void end(void)
{
    world_destroy(world);
}

TestSuite(lag_monitor_mock, .fini = end, .timeout = 180);

/* All is broker 1's but for one partition of operations, which is broker 2's. */
static void work(void)
{
    struct kafka_broker *const broker = kafka_broker_start_cluster(2);
    world = world_create_on(broker, MOVES_PARTITIONS, 1, NULL);
    const char *const topics[] = {TOPIC_OPS, TOPIC_RETRY_1, TOPIC_RESULTS, TOPIC_DEAD};
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        for (int32_t partition = 0; partition < MOVES_PARTITIONS; partition++) {
            kafka_broker_set_leader(broker, topics[i], partition, 1);
        }
    }
    kafka_broker_set_leader(broker, TOPIC_OPS, 1, 2);
    kafka_broker_set_coordinator(broker, GROUP, 1);
    world_set(world, "kafka.socket.timeout.ms=3000");
    port = observed_worker_start(world);
    moves_send(world, 0, BATCHES);
    world_settle(world);
    observed_await_status(port, "/readyz", 200);
}

static const char *lag_of(int partition)
{
    return text_of_format("kafka_consumergroup_lag{consumergroup=\"%s\",topic=\"%s\","
                          "partition=\"%d\"}",
                          GROUP, TOPIC_OPS, partition);
}

static const char *end_of(int partition)
{
    return text_of_format("kafka_topic_partition_current_offset{topic=\"%s\",partition=\"%d\"}",
                          TOPIC_OPS, partition);
}

/* What /status.json says of a partition of operations. */
static const char *told_of(int partition)
{
    const char *const head =
        text_of_format("{\"topic\":\"%s\",\"partition\":%d,", TOPIC_OPS, partition);
    const char *const row = strstr(http_get(port, "/status.json").body, head);
    cr_assert_not_null(row, "there is no %s", head);
    return text_of_format("%.*s", (int)strcspn(row, "}"), row);
}

static void expect_all_known(void)
{
    observed_await_metric(port, "scenesync_unknown_lag_partitions", 0);
    observed_await_metric(port, lag_of(0), 0);
    observed_await_metric(port, lag_of(1), 0);
    cr_assert_not_null(strstr(told_of(1), "\"current\":true"), "%s", told_of(1));
}

/* One partition's end cannot be had: for longer than Kafka may be silent, the others are shown as
 * they are now, and it as it was. */
static void expect_one_unknown(void)
{
    observed_await_metric(port, "scenesync_unknown_lag_partitions", 1);
    kafka_broker_produce_text(world_broker(world), TOPIC_OPS, 0, "s0", "no batch");
    observed_await_metric(port, end_of(0), BATCHES + 1);
    observed_await_metric(port, lag_of(0), 0);
    const uint64_t until_ms = monotonic_ms() + WATCH_MS;
    while (monotonic_ms() < until_ms) {
        double lag = -1;
        cr_assert_eq(observed_metric(port, "scenesync_dependency_up{dependency=\"kafka\"}"), 1);
        cr_assert_eq(observed_metric(port, "scenesync_unknown_lag_partitions"), 1);
        cr_assert(observed_has(port, lag_of(0), &lag));
        cr_assert_not(observed_has(port, lag_of(1), &lag), "an old lag that looks fresh");
        cr_assert_eq(http_get(port, "/readyz").status, 200);
        sleep_ms(POLL_MS);
    }
    const char *const told = told_of(1);
    cr_assert_not_null(strstr(told, "\"current\":false"), "%s", told);
    cr_assert_not_null(strstr(told, text_of_format("\"end\":%d,", BATCHES)), "%s", told);
    const char *const age = strstr(told, "\"age_ms\":");
    cr_assert(age != NULL && atol(age + strlen("\"age_ms\":")) >= 10000, "%s", told);
}

Test(lag_monitor_mock, a_partition_without_a_leader_does_not_hide_the_others)
{
    work();
    expect_all_known();
    kafka_broker_set_leader(world_broker(world), TOPIC_OPS, 1, -1);
    expect_one_unknown();
    kafka_broker_set_leader(world_broker(world), TOPIC_OPS, 1, 2);
    expect_all_known();
}

Test(lag_monitor_mock, a_broker_that_is_away_does_not_hide_the_others)
{
    work();
    expect_all_known();
    kafka_broker_set_one_up(world_broker(world), 2, false);
    expect_one_unknown();
    kafka_broker_set_one_up(world_broker(world), 2, true);
    expect_all_known();
}

Test(lag_monitor_mock, without_any_broker_kafka_is_away_and_no_lag_is_known)
{
    work();
    expect_all_known();
    kafka_broker_set_up(world_broker(world), false);
    observed_await_metric(port, "scenesync_dependency_up{dependency=\"kafka\"}", 0);
    double lag = -1;
    cr_assert_not(observed_has(port, lag_of(0), &lag));
    cr_assert_not(observed_has(port, lag_of(1), &lag));
    observed_await_status(port, "/readyz", 503);
    kafka_broker_set_up(world_broker(world), true);
    observed_await_metric(port, "scenesync_dependency_up{dependency=\"kafka\"}", 1);
    observed_await_metric(port, end_of(0), BATCHES);
    observed_await_metric(port, end_of(1), BATCHES);
    observed_await_metric(port, "scenesync_unknown_lag_partitions", 0);
}
