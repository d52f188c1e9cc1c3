/* What a worker's readiness says in a group of several. */
#include <criterion/criterion.h>

#include "tests/support/child_process.h"
#include "tests/support/observed_worker.h"

enum { WORKERS = 2, PARTITIONS = 2, WATCH_MS = 5000, POLL_MS = 100 };

static struct world *world;
static int ports[WORKERS];

static void end(void)
{
    world_destroy(world);
}

TestSuite(readiness, .fini = end, .timeout = 180);

static double share_of(int worker)
{
    return observed_metric(ports[worker], "scenesync_assigned_partitions");
}

/* One ops and one retry partition are the first member's. */
Test(readiness, a_worker_without_a_partition_is_ready)
{
    world = world_create(1, 1);
    for (int i = 0; i < WORKERS; i++) {
        ports[i] = observed_worker_start(world);
    }
    for (int i = 0; i < WORKERS; i++) {
        observed_await_status(ports[i], "/readyz", 200);
    }
    const uint64_t deadline_ms = monotonic_ms() + WORLD_WAIT_MS;
    while (share_of(0) + share_of(1) != PARTITIONS) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "nobody has the partitions");
        sleep_ms(POLL_MS);
    }
    cr_assert(share_of(0) == 0 || share_of(1) == 0);
    for (int i = 0; i < WORKERS; i++) {
        observed_expect_readiness(ports[i], 200, "\"ready\":true", WATCH_MS);
    }
}
