/*
 * Lost writes that Kafka cannot give back either: the mock cluster drops a partition's oldest
 * records beyond 5 MiB, which takes a real broker's retention minutes.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/world.h"

enum { LARGE = 8, LARGE_BYTES = 900000, SMALL = 5 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(lost_writes_mock, .fini = end, .timeout = 180);

/* An interaction changes nothing, but its batch takes as much room as any. */
static void send_large(int number)
{
    char *const text = malloc(LARGE_BYTES + 1);
    cr_assert_not_null(text);
    memset(text, 'x', LARGE_BYTES);
    text[LARGE_BYTES] = '\0';
    const char *const event =
        text_of_format("{'op':'interaction','event':'%s','timestamp':1}", text);
    world_send(world, 0, sent_batch("s", text_of_format("large%d", number), event));
    free(text);
}

Test(lost_writes_mock, reports_what_kafka_no_longer_has)
{
    world = world_create(1, 1);
    struct worker_process *const worker = world_start_worker(world);
    for (int i = 0; i < SMALL; i++) {
        world_send(world, 0, sent_batch("s", NULL, op_add(text_of_format("e%d", i), i, 1)));
    }
    for (int i = 0; i < LARGE; i++) {
        send_large(i);
    }
    (void)world_await_results(world, text_of_format("large%d", LARGE - 1), 1);
    world_settle(world);
    REDIS_RUN(world_redis(world), "FLUSHALL");
    worker_process_await_log(worker, "lost for good: kafka no longer has records", WORLD_WAIT_MS);
    cr_expect_eq(worker_process_log_count(worker, "from=0 until="), 2,
                 "the loss as a whole, and what of it is gone");
    (void)world_await_results(world, text_of_format("large%d", LARGE - 1), 2);
    world_settle(world);
    const struct scene_view scene = world_scene(world, "s");
    cr_expect_eq(scene.count, 0, "the small ones came first: they are gone, and it was said");
    /* It goes on. */
    world_send(world, 0, sent_batch("s", "after", op_add("after", 1, 2)));
    (void)world_await_results(world, "after", 1);
}
