/* What a worker's readiness says without a topic of operations, and without any broker. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/kafka_name.h"
#include "tests/support/observed_worker.h"

enum { WATCH_MS = 6000, SESSION_MS = 6000, STALL_MS = 4000 };

static struct world *world;
static int port;

static void end(void)
{
    world_destroy(world);
}

TestSuite(readiness_mock, .fini = end, .timeout = 180);

/* It is in the group, and has the retry topic's partition. */
Test(readiness_mock, a_worker_is_not_ready_until_its_ops_topic_is_there)
{
    const char *const why = "\"topic scene.ops does not exist\"";
    world = world_create(1, 1);
    kafka_broker_hide_topic(world_broker(world), TOPIC_OPS, true);
    port = observed_worker_start(world);
    observed_await_reason(port, why);
    observed_await_metric(port, "scenesync_assigned_partitions", 1);
    observed_expect_readiness(port, 503, why, WATCH_MS);
    cr_assert_eq(observed_metric(port, "scenesync_ready"), 0);
    cr_assert_not_null(strstr(http_get(port, "/status.json").body, why));
    kafka_broker_hide_topic(world_broker(world), TOPIC_OPS, false);
    observed_await_status(port, "/readyz", 200);
    observed_await_metric(port, "scenesync_assigned_partitions", 2);
}

/* The session time-out takes the partitions, and with them what there was to ask Kafka about. */
Test(readiness_mock, kafkas_silence_stays_the_reason_when_the_partitions_are_lost)
{
    const char *const why = "kafka has not answered for ";
    world = world_create(1, 1);
    world_set(world, "kafka.session.timeout.ms=%d", SESSION_MS);
    world_set(world, "kafka.socket.timeout.ms=3000");
    world_set(world, "worker.stall_timeout_ms=%d", STALL_MS);
    world_set(world, "redis.command_timeout_ms=1000");
    port = observed_worker_start(world);
    observed_await_status(port, "/readyz", 200);
    observed_await_metric(port, "scenesync_assigned_partitions", 2);
    kafka_broker_set_up(world_broker(world), false);
    observed_await_reason(port, why);
    observed_await_metric(port, "scenesync_assigned_partitions", 0);
    observed_expect_readiness(port, 503, why, WATCH_MS);
    kafka_broker_set_up(world_broker(world), true);
    observed_await_status(port, "/readyz", 200);
}

/* Kafka is not there from the start: that is no rebalance that does not end. */
Test(readiness_mock, kafkas_silence_is_the_reason_before_the_group_was_joined)
{
    world = world_create(1, 1);
    world_set(world, "worker.stall_timeout_ms=%d", STALL_MS);
    world_set(world, "redis.command_timeout_ms=1000");
    kafka_broker_set_up(world_broker(world), false);
    port = observed_worker_start(world);
    observed_await_reason(port, "kafka has not answered for ");
    kafka_broker_set_up(world_broker(world), true);
    observed_await_status(port, "/readyz", 200);
}
