/* What a worker's readiness says of a topic of operations that does not exist, or no more. */
#include <criterion/criterion.h>

#include "tests/support/kafka_admin.h"
#include "tests/support/kafka_name.h"
#include "tests/support/observed_worker.h"

enum { WATCH_MS = 6000 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(readiness_real, .fini = end, .timeout = 180);

/* Nothing that it subscribes to is there, so its share is nothing. */
Test(readiness_real, a_worker_is_ready_only_while_its_ops_topic_is_there)
{
    const char *const topic = kafka_name("scene.miss4");
    const char *const why = text_of_format("\"topic %s does not exist\"", topic);
    world = world_create(1, 1);
    world_set(world, "topics.ops=%s", topic);
    world_set(world, "topics.retry_prefix=%s.retry-", topic);
    world_set(world, "kafka.topic.metadata.refresh.interval.ms=2000");
    const int port = observed_worker_start(world);
    observed_await_reason(port, why);
    observed_expect_readiness(port, 503, why, WATCH_MS);
    kafka_broker_create_topic(world_broker(world), topic, 1);
    observed_await_status(port, "/readyz", 200);
    observed_await_metric(port, "scenesync_assigned_partitions", 1);
}
