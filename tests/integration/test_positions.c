/* A scene's positions only rise, whatever comes again (protocol.md section 8). */
#include <criterion/criterion.h>
#include <signal.h>

#include "tests/support/batches.h"
#include "tests/support/world.h"

enum { BATCH_COUNT = 5 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(positions, .fini = end, .timeout = 120);

static const char *position_of(const char *partition)
{
    const char *const arguments[] = {"HGET", "scene:{s1}",
                                     text_of_format("at:%s/%s", TOPIC_OPS, partition), NULL};
    return world_redis_command(world, arguments);
}

static void read_again_from_the_beginning(struct worker_process *worker)
{
    worker_process_signal(worker, SIGTERM);
    cr_assert_eq(worker_process_await_exit(worker, WORLD_WAIT_MS), 0);
    world_set_group(world, kafka_name("again"));
    (void)world_start_worker(world);
    world_settle(world);
}

static void send_further_batches(void)
{
    for (int i = 0; i < BATCH_COUNT; i++) {
        const char *const id = text_of_format("further%d", i);
        (void)world_send(world, 0, sent_batch("s1", id, op_add(id, 1, 1000)));
    }
}

Test(positions, resend_that_comes_again_does_not_lower_its_partitions)
{
    world = world_create(1, 1);
    const struct span batch = sent_batch("s1", "b1", op_add("a", 1, 1000));
    (void)world_send(world, 0, batch);
    (void)world_send(world, 0, batch);
    send_further_batches();
    struct worker_process *const worker = world_start_worker(world);
    world_settle(world);
    const char *const before = position_of("0");
    cr_assert_eq(strncmp(before, "6 ", 2), 0, "%s", before);

    read_again_from_the_beginning(worker);
    cr_assert_str_eq(position_of("0"), before);
}

Test(positions, batch_that_comes_again_after_its_retry_does_not_lower_its_partitions)
{
    world = world_create(1, 1);
    (void)world_send(world, 0, sent_batch("s1", "b1", op_move("nobody", 1, 1000)));
    send_further_batches();
    struct worker_process *const worker = world_start_worker(world);
    world_settle(world);
    const char *const before = position_of("0");
    cr_assert_eq(strncmp(before, "5 ", 2), 0, "%s", before);

    read_again_from_the_beginning(worker);
    cr_assert_str_eq(position_of("0"), before);
}
