/*
 * Letters that a broker refused for their size.
 */
#include "worker/outbox.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/outbox_fixture.h"

TestSuite(outbox_shrink, .init = posting_begin, .fini = posting_end);

/* The real one's records only a broker can make. */
struct record_header *source_headers(const struct record *of, struct arena *arena, size_t *count)
{
    return posting_headers(of, arena, count);
}

/* The dead letter of a record with a header, once it has been shrunk. */
static struct letter *shrink_dead_letter(void)
{
    static const struct record_header headers[] = {
        {.name = "trace", .value = {(const uint8_t *)"42", 2}}};
    posting.original_headers = headers;
    posting.original_header_count = 1;
    deliver("{'session_id':'s','operations':5}");
    struct letter *letters[4];
    (void)post(letters);
    cr_assert_eq(outbox_shrink(&posting.outbox, letters[0]), OUTBOX_SHRUNK);
    return letters[0];
}

Test(outbox_shrink, dead_letter_loses_its_value_and_says_so)
{
    struct letter *const letter = shrink_dead_letter();
    expect_dead(letter, "wrong_type");
    expect_header(letter, "scenesync-truncated", "1");
    expect_header(letter, "trace", "42");
    cr_assert_eq(letter->outgoing.value.size, 0);
    cr_assert_not(span_is_absent(letter->outgoing.value), "empty, not absent");
}

Test(outbox_shrink, dead_letter_loses_the_records_headers_next)
{
    struct letter *const letter = shrink_dead_letter();
    cr_assert_eq(outbox_shrink(&posting.outbox, letter), OUTBOX_SHRUNK);
    expect_dead(letter, "wrong_type");
    expect_header(letter, "scenesync-truncated", "1");
    cr_assert_str_neq(letter->outgoing.headers[0].name, "trace");
    cr_assert(span_is_absent(header_of(letter, "scenesync-truncated-key")));
}

Test(outbox_shrink, dead_letter_loses_its_key_last_and_says_so)
{
    struct letter *const letter = shrink_dead_letter();
    cr_assert_eq(outbox_shrink(&posting.outbox, letter), OUTBOX_SHRUNK);
    cr_assert_eq(outbox_shrink(&posting.outbox, letter), OUTBOX_SHRUNK);
    cr_assert(span_is_absent(letter->outgoing.key));
    cr_assert_eq(letter->outgoing.partition, 0, "not one at random");
    expect_header(letter, "scenesync-truncated-key", "1");
    expect_header(letter, "scenesync-truncated", "1");
    expect_header(letter, "scenesync-error-code", "wrong_type");
    expect_header(letter, "scenesync-source", "scene.ops/3/7");
    cr_assert_eq(outbox_shrink(&posting.outbox, letter), OUTBOX_CANNOT_SHRINK);
}

Test(outbox_shrink, dead_letter_without_a_value_is_not_called_truncated)
{
    deliver_bytes(span_make("", 0));
    struct letter *letters[4];
    cr_assert_eq(post(letters), 1);
    cr_assert_eq(outbox_shrink(&posting.outbox, letters[0]), OUTBOX_SHRUNK);
    cr_assert(span_is_absent(letters[0]->outgoing.key));
    cr_assert(span_is_absent(header_of(letters[0], "scenesync-truncated")));
    expect_header(letters[0], "scenesync-truncated-key", "1");
}

Test(outbox_shrink, result_leaves_out_more_each_time)
{
    char operations[8192] = "";
    size_t size = 0;
    for (int i = 0; i < 60; i++) {
        size += (size_t)snprintf(operations + size, sizeof(operations) - size,
                                 "%s" UPDATE("old", 1, 1), i == 0 ? "" : ",");
    }
    deliver_bytes(message_of_format(BATCH("%s"), operations));
    struct letter *letters[4];
    cr_assert_eq(post(letters), 1);
    size_t before = letters[0]->outgoing.value.size;
    int times = 0;
    while (outbox_shrink(&posting.outbox, letters[0]) == OUTBOX_SHRUNK) {
        cr_assert_leq(letters[0]->outgoing.value.size, before / 2);
        before = letters[0]->outgoing.value.size;
        times++;
        struct sync_result result;
        cr_assert(
            sync_result_decode(letters[0]->outgoing.value, test_arena(), &result, &posting.error));
        cr_assert(result.truncated);
        cr_assert_eq(result.failed_count, 60);
    }
    cr_assert_gt(times, 2);
    cr_assert_lt(before, 1024);
    expect_header(letters[0], "scenesync-final", "1");
}

Test(outbox_shrink, requeue_cannot)
{
    deliver(BATCH(UPDATE("late", 2, 100)));
    struct letter *letters[4];
    cr_assert_eq(post(letters), 2);
    size_t before = letters[0]->outgoing.value.size;
    cr_assert_eq(outbox_shrink(&posting.outbox, letters[0]), OUTBOX_CANNOT_SHRINK);
    cr_assert_eq(letters[0]->outgoing.value.size, before);
}
