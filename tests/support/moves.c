#include "tests/support/moves.h"

#include <criterion/criterion.h>

void moves_send(struct world *world, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        for (int32_t partition = 0; partition < MOVES_PARTITIONS; partition++) {
            const char *const move =
                i == 0 ? op_add("a", 0, 1000) : op_move("a", i, 1000 + (uint64_t)i);
            world_send(world, partition,
                       sent_batch(text_of_format("s%d", (int)partition), NULL,
                                  ops(move, op_add(text_of_format("e%d", i), i, 1000))));
        }
    }
}

/* Results come in the order of their batches; a repeated one says what the first one said. */
static void expect_all_in_order(struct world *world, const struct result_list *results,
                                int32_t partition, int batch_count)
{
    const char *const session = text_of_format("s%d", (int)partition);
    int64_t seen = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct sync_result *const result = &results->items[i];
        if (span_equal_text(result->session_id, session)) {
            cr_assert_leq(result->source.offset, seen, "out of order");
            cr_assert_eq(result->scene_version, (uint64_t)result->source.offset + 1);
            cr_assert_eq(result->attempts, 1, "an outage spent an attempt");
            cr_assert(sync_result_is_success(result));
            seen += result->source.offset == seen ? 1 : 0;
        }
    }
    cr_assert_eq(seen, batch_count, "%d of %d batches of %s have a result", (int)seen, batch_count,
                 session);
    const struct scene_view scene = world_scene(world, session);
    cr_assert_eq(scene.version, (uint64_t)batch_count);
    cr_assert_eq(scene.element_count, (uint64_t)batch_count + 1);
    cr_assert_eq(scene_view_transform(&scene, "a", "x"), batch_count - 1);
}

size_t moves_expect(struct world *world, int batch_count)
{
    const struct result_list results = world_results(world, NULL);
    for (int32_t partition = 0; partition < MOVES_PARTITIONS; partition++) {
        expect_all_in_order(world, &results, partition, batch_count);
    }
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 0);
    cr_assert_eq(world_records(world, TOPIC_RETRY_1).count, 0);
    return results.count;
}

void moves_expect_new_once(struct world *world, int batch_count)
{
    size_t new_count = 0;
    (void)moves_expect(world, batch_count);
    const struct result_list results = world_results(world, NULL);
    for (size_t i = 0; i < results.count; i++) {
        const char *const duplicate = world_header(results.records[i], "scenesync-duplicate");
        new_count += strcmp(duplicate, "1") != 0;
    }
    cr_assert_eq(new_count, (size_t)batch_count * MOVES_PARTITIONS);
}

void moves_expect_told_once(struct world *world, int batch_count)
{
    cr_assert_eq(moves_expect(world, batch_count), (size_t)batch_count * MOVES_PARTITIONS);
}
