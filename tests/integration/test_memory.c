/* Work that needs more memory than a cycle may use is done in smaller steps, or refused: it never
 * ends the worker, which would meet it again after every start. */
#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/world.h"

/* Read at once, these elements take more than a cycle's arena. */
enum { LARGE_COUNT = 600 };
#define LARGE_BYTES "1000000"

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(memory, .fini = end, .timeout = 120);

/* Writes elements {"kind": {"type": "T"}, "blob": …} as another program would. */
static void store_large_elements(void)
{
    static const char script[] =
        "local value = '\\130\\164kind\\129\\164type\\161T\\164blob\\198' .."
        " struct.pack('>I4', ARGV[1]) .. string.rep('x', ARGV[1])"
        " for i = 0, ARGV[2] - 1 do redis.call('HSET', KEYS[1], 'e' .. i, value) end"
        " return redis.call('HLEN', KEYS[1])";
    const char *const count = text_of_format("%d", LARGE_COUNT);
    const char *const arguments[] = {"EVAL",      script, "1", "scene:{s1}:elements",
                                     LARGE_BYTES, count,  NULL};
    cr_assert_str_eq(world_redis_command(world, arguments), count);
}

static const char *move(int i)
{
    return op_move(text_of_format("e%d", i), i, 1000);
}

Test(memory, batch_that_needs_too_much_fails_and_the_worker_goes_on)
{
    world = world_create(1, 0);
    store_large_elements();
    const char *operations = move(0);
    for (int i = 1; i < LARGE_COUNT; i++) {
        operations = text_of_format("%s,%s", operations, move(i));
    }
    (void)world_send(world, 0, sent_batch("s1", "large", operations));
    (void)world_send(world, 0, sent_batch("s1", "small", move(0)));
    (void)world_start_worker(world);
    world_settle(world);

    const struct sync_result large = world_result(world, "large");
    cr_assert_eq(large.failed_count, LARGE_COUNT);
    cr_assert_eq(large.failures[0].code, ERROR_STORE_ERROR);
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 1);
    const struct sync_result small = world_result(world, "small");
    cr_assert(sync_result_is_success(&small));
    cr_assert_eq(small.scene_version, 1);
}

Test(memory, batches_that_need_too_much_together_are_taken_in_parts)
{
    world = world_create(1, 0);
    store_large_elements();
    for (int i = 0; i < LARGE_COUNT; i++) {
        (void)world_send(world, 0, sent_batch("s1", text_of_format("b%d", i), move(i)));
    }
    (void)world_start_worker(world);
    world_settle(world);

    const struct result_list results = world_results(world, NULL);
    cr_assert_eq(results.count, LARGE_COUNT);
    for (int i = 0; i < LARGE_COUNT; i++) {
        cr_assert(sync_result_is_success(&results.items[i]));
        cr_assert_eq(results.items[i].scene_version, (uint64_t)i + 1);
    }
}
