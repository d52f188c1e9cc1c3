/* A worker alone with a thousand partitions; a shared real broker would be busy with them for long.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/child_process.h"
#include "tests/support/http_client.h"
#include "tests/support/moves.h"

enum { PARTITIONS = 250, TIERS = 3, BATCHES = 40, STATUS_BYTES_MAX = 100000, LOOK_MS = 200 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(many_partitions_mock, .fini = end, .timeout = 180);

Test(many_partitions_mock, the_work_is_done_and_the_status_stays_small)
{
    int port = 0;
    world = world_create(PARTITIONS, TIERS);
    world_set(world, "http.listen=127.0.0.1:0");
    struct worker_process *const worker = world_start_worker(world);
    worker_process_await_log(worker, "http listening", WORLD_WAIT_MS);
    const char *const url = strstr(worker_process_log(worker), "http://127.0.0.1:");
    cr_assert(url != NULL && sscanf(url, "http://127.0.0.1:%d/", &port) == 1);
    moves_send(world, 0, BATCHES);
    world_settle(world);
    moves_expect(world, BATCHES);

    const char *const count = text_of_format("\"partition_count\":%d,", PARTITIONS * (1 + TIERS));
    const uint64_t begun_ms = monotonic_ms();
    struct http_answer status = http_get(port, "/status.json");
    while (strstr(status.body, count) == NULL) {
        cr_assert_lt(monotonic_ms() - begun_ms, (uint64_t)WORLD_WAIT_MS, "%s", status.body);
        sleep_ms(LOOK_MS);
        status = http_get(port, "/status.json");
    }
    cr_assert_lt(strlen(status.body), (size_t)STATUS_BYTES_MAX);
}
