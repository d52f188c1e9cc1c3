/* A dead letter that a broker that says so does not take: an operator learns at least that there
 * was one. */
#include <criterion/criterion.h>

#include "tests/support/world.h"

enum { KAFKA_PRODUCE = 0 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(poison_mock, .fini = end, .timeout = 120);

Test(poison_mock, dead_letter_too_large_for_its_topic_loses_its_value)
{
    world = world_create(1, 0);
    (void)kafka_broker_produce_text(world_broker(world), TOPIC_OPS, 0, "the-key",
                                    text_of_format("\xc1%5000d", 1));
    kafka_broker_fail_requests(world_broker(world), KAFKA_PRODUCE,
                               RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 2);
    world_start_worker(world);
    world_settle(world);
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 1);
    cr_assert_eq(dead.items[0].value.size, 0);
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-truncated"), "1");
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-source"),
                     text_of_format("%s/0/0", TOPIC_OPS));
}
