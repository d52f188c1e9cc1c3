/* A dead letter that a topic with less room does not take: an operator learns at least that there
 * was one. */
#include <criterion/criterion.h>

#include "tests/support/world.h"

enum { DEAD_BYTES_MAX = 2000 };

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(poison_real, .fini = end, .timeout = 120);

Test(poison_real, dead_letter_too_large_for_its_topic_loses_its_value)
{
    world = world_create(1, 0);
    (void)kafka_broker_produce_text(world_broker(world), TOPIC_OPS, 0, "the-key",
                                    text_of_format("\xc1%5000d", 1));
    kafka_broker_limit_topic(world_broker(world), TOPIC_DEAD, DEAD_BYTES_MAX);
    world_start_worker(world);
    world_settle(world);
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 1);
    cr_assert_eq(dead.items[0].value.size, 0);
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-truncated"), "1");
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-source"),
                     text_of_format("%s/0/0", TOPIC_OPS));
}
