#include "worker/assignment.h"

#include <criterion/criterion.h>

static struct assignment assignment;

static void start(void)
{
    assignment_init(&assignment);
}

static void stop(void)
{
    assignment_deinit(&assignment);
}

TestSuite(assignment, .init = start, .fini = stop);

static struct assigned_partition *add(const char *topic, int32_t number)
{
    cr_assert(assignment_add(&assignment, topic, 0, number));
    struct assigned_partition *partition = assignment_find(&assignment, topic, number);
    cr_assert_not_null(partition);
    return partition;
}

static struct record record_of(const struct assigned_partition *partition, int64_t offset)
{
    return (struct record){.topic = span_of_text(partition->topic),
                           .partition = partition->number,
                           .offset = offset,
                           .value = span_make("", 0),
                           .assignment = partition->assignment};
}

static void hold(struct assigned_partition *partition, int64_t offset, size_t bytes)
{
    struct record record = record_of(partition, offset);
    record.value.size = bytes; /* never read */
    cr_assert(assignment_hold(&assignment, partition, &record, (uint64_t)offset));
}

static void drop_all(struct assigned_partition *partition)
{
    while (assignment_held(partition) != NULL) {
        assignment_drop_held(&assignment, partition);
    }
}

Test(assignment, finds_only_what_is_assigned)
{
    add("a", 3);
    cr_assert_null(assignment_find(&assignment, "a", 2));
    cr_assert_null(assignment_find(&assignment, "a", 4));
    cr_assert_null(assignment_find(&assignment, "a", -1));
    cr_assert_null(assignment_find(&assignment, "b", 3));
    cr_assert_eq(assignment.assigned_count, 1);
    assignment_remove(&assignment, assignment_find(&assignment, "a", 3));
    cr_assert_null(assignment_find(&assignment, "a", 3));
    cr_assert_eq(assignment.assigned_count, 0);
}

Test(assignment, refuses_partition_numbers_out_of_range)
{
    cr_assert_not(assignment_add(&assignment, "a", 0, -1));
    cr_assert_not(assignment_add(&assignment, "a", 0, ASSIGNMENT_PARTITION_NUMBER_MAX + 1));
}

Test(assignment, iterates_over_all_topics)
{
    add("a", 0);
    add("a", 5);
    add("b", 1);
    assignment_remove(&assignment, add("c", 0));
    add("d", 2);
    struct assignment_cursor cursor = {0};
    static const int32_t expected[] = {0, 5, 1, 2};
    for (size_t i = 0; i < 4; i++) {
        struct assigned_partition *partition = assignment_next(&assignment, &cursor);
        cr_assert_not_null(partition);
        cr_assert_eq(partition->number, expected[i]);
    }
    cr_assert_null(assignment_next(&assignment, &cursor));
}

Test(assignment, drops_what_was_delivered_and_accepts_gaps)
{
    struct assigned_partition *partition = add("a", 0);
    cr_assert_eq(assignment_accept(&assignment, partition, 7, 100), ASSIGNMENT_NEXT);
    cr_assert_eq(assignment_accept(&assignment, partition, 7, 100), ASSIGNMENT_STALE);
    cr_assert_eq(assignment_accept(&assignment, partition, 6, 99), ASSIGNMENT_STALE);
    cr_assert_eq(assignment_accept(&assignment, partition, 12, 90), ASSIGNMENT_NEXT);
    cr_assert_eq(partition->next_offset, 13);
}

Test(assignment, lower_offsets_with_later_times_are_a_new_topic)
{
    struct assigned_partition *partition = add("a", 0);
    cr_assert_eq(assignment_accept(&assignment, partition, 50, 100), ASSIGNMENT_NEXT);
    struct record old = record_of(partition, 50);
    assignment_settle(&assignment, &old);
    cr_assert_eq(assignment_accept(&assignment, partition, 0, 200), ASSIGNMENT_RESTARTED);
    cr_assert_not(assignment_is_uncommitted(partition));
    assignment_settle(&assignment, &old);
    cr_assert_not(assignment_is_uncommitted(partition), "an old record settled a new offset");
    struct record new = record_of(partition, 0);
    assignment_settle(&assignment, &new);
    cr_assert_eq(partition->settled, 1);
}

Test(assignment, held_records_come_out_in_order_whatever_the_rings_shape)
{
    struct assigned_partition *partition = add("a", 0);
    int64_t in = 0;
    int64_t out = 0;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 5; i++) {
            hold(partition, in++, 10);
        }
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(assignment_held(partition)->record.offset, out++);
            assignment_drop_held(&assignment, partition);
        }
    }
    cr_assert_eq(assignment.held_count, 80);
    cr_assert_eq(partition->held_bytes, 800);
    while (assignment_held(partition) != NULL) {
        cr_assert_eq(assignment_held(partition)->record.offset, out++);
        assignment_drop_held(&assignment, partition);
    }
    cr_assert_eq(out, in);
    cr_assert_eq(partition->held_bytes, 0);
}

Test(assignment, is_full_by_count_and_has_room_below_half)
{
    struct assigned_partition *partition = add("a", 0);
    for (int i = 0; i < ASSIGNMENT_HELD_RECORDS_MAX; i++) {
        cr_assert_not(assignment_is_full(partition));
        hold(partition, i, 1);
    }
    cr_assert(assignment_is_full(partition));
    for (int i = 0; i < ASSIGNMENT_HELD_RECORDS_MAX / 2; i++) {
        cr_assert_not(assignment_has_room(partition));
        assignment_drop_held(&assignment, partition);
    }
    cr_assert(assignment_has_room(partition));
    drop_all(partition);
}

Test(assignment, is_full_by_bytes)
{
    struct assigned_partition *partition = add("a", 0);
    hold(partition, 0, ASSIGNMENT_HELD_BYTES_MAX - 1);
    cr_assert_not(assignment_is_full(partition));
    cr_assert_not(assignment_has_room(partition));
    hold(partition, 1, 1);
    cr_assert(assignment_is_full(partition));
    drop_all(partition);
    cr_assert(assignment_has_room(partition));
}

Test(assignment, settles_the_highest_offset)
{
    struct assigned_partition *partition = add("a", 0);
    cr_assert_not(assignment_is_uncommitted(partition));
    struct record later = record_of(partition, 9);
    struct record earlier = record_of(partition, 4);
    assignment_settle(&assignment, &later);
    assignment_settle(&assignment, &earlier);
    cr_assert_eq(partition->settled, 10);
    cr_assert(assignment_is_uncommitted(partition));
    assignment_confirm(&assignment, "a", 0, 10);
    cr_assert_not(assignment_is_uncommitted(partition));
}

Test(assignment, ignores_settlements_from_an_earlier_assignment)
{
    struct assigned_partition *partition = add("a", 0);
    struct record record = record_of(partition, 4);
    assignment_remove(&assignment, partition);
    assignment_settle(&assignment, &record);
    partition = add("a", 0);
    assignment_settle(&assignment, &record);
    cr_assert_not(assignment_is_uncommitted(partition));
}

Test(assignment, ignores_confirmations_from_an_earlier_assignment)
{
    struct assigned_partition *partition = add("a", 0);
    struct record record = record_of(partition, 4);
    assignment_settle(&assignment, &record);
    assignment_remove(&assignment, partition);
    assignment_confirm(&assignment, "a", 0, 5);
    partition = add("a", 0);
    assignment_confirm(&assignment, "a", 0, 5);
    cr_assert_eq(partition->confirmed, -1);
}

Test(assignment, topic_names_stay_where_records_point)
{
    const char *name = add("a", 0)->topic;
    for (int32_t number = 1; number < 100; number++) {
        add("a", number);
    }
    for (char topic[] = "b0"; topic[1] <= '9'; topic[1]++) {
        add(topic, 0);
    }
    assignment_remove(&assignment, assignment_find(&assignment, "a", 0));
    cr_assert_str_eq(name, "a");
    cr_assert_eq(add("a", 0)->topic, name);
}

Test(assignment, has_a_cap_on_topics)
{
    for (int i = 0; i < ASSIGNMENT_TOPICS_MAX; i++) {
        char topic[16];
        (void)snprintf(topic, sizeof topic, "t%d", i);
        cr_assert(assignment_add(&assignment, topic, 0, 0));
    }
    cr_assert_not(assignment_add(&assignment, "one-more", 0, 0));
}
