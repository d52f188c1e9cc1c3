/* What a worker's readiness says without a topic of operations. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/kafka_name.h"
#include "tests/support/observed_worker.h"

enum { WATCH_MS = 6000 };

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
