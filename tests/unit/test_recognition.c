#include "store/recognition.h"

#include <criterion/criterion.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Every case is a change of this one: a batch at offset 50 of scene.ops/3, written at 5000, of
 * which the store knows nothing. */
static struct recognition_case arrived;
static struct batch batch;
static struct retry_section retry;
static struct batch_record record;
static struct store_position position;

static uint32_t recorded_pending[] = {1, 4};
static uint32_t carried_indexes[] = {1, 4};
static uint64_t recorded_versions[] = {7};
static uint64_t carried_versions[] = {7};

static void setup(void)
{
    batch = (struct batch){.session_id = span_of_text("s"), .batch_id = span_of_text("b")};
    position = (struct store_position){.name = span_of_text("scene.ops/3")};
    arrived = (struct recognition_case){
        .batch = &batch,
        .delivery = {.topic = span_of_text("scene.ops"), .partition = 3, .offset = 50},
        .record_timestamp_ms = 5000,
        .fingerprint = {.bytes = {1, 2, 3}},
        .position = &position,
    };
    record = (struct batch_record){
        .attempt = 1,
        .delivery = arrived.delivery,
        .fingerprint = arrived.fingerprint,
        .pending_indexes = recorded_pending,
        .pending_count = 2,
        .result = {.synced_count = 3,
                   .attempt_versions = recorded_versions,
                   .attempt_version_count = 1,
                   .next_attempt_at_ms = 5100,
                   .duration_ms = 4},
    };
    carried_versions[0] = recorded_versions[0];
    retry = (struct retry_section){.attempt = 2,
                                   .not_before_ms = 5100,
                                   .indexes = carried_indexes,
                                   .index_count = 2,
                                   .synced_count = 3,
                                   .duration_ms = 4,
                                   .attempt_versions = carried_versions,
                                   .attempt_version_count = 1};
}

TestSuite(recognition, .init = setup);

static void position_at(int64_t offset, int64_t timestamp_ms)
{
    position.known = true;
    position.offset = offset;
    position.timestamp_ms = timestamp_ms;
}

/* The requeue of attempt 1, at offset 9 of its tier's partition. */
static void arrive_as_retry(void)
{
    batch.retry = &retry;
    arrived.delivery =
        (struct source){.topic = span_of_text("scene.ops.retry-1"), .partition = 3, .offset = 9};
    arrived.fingerprint = (struct record_fingerprint){.bytes = {9}}; /* of fewer operations */
    arrived.record = &record;
}

/* Batches from the ops topic. */

Test(recognition, batch_that_nobody_knows_is_new)
{
    cr_assert_eq(recognise(&arrived), VERDICT_NEW);
}

Test(recognition, position_tells_a_redelivery_whose_record_is_gone)
{
    static const struct {
        int64_t offset, timestamp_ms;
        enum verdict verdict;
    } rows[] = {
        {49, 5000, VERDICT_NEW},   {49, 9000, VERDICT_NEW}, /* further on in the partition */
        {50, 5000, VERDICT_STALE}, {51, 5000, VERDICT_STALE}, {99, 9000, VERDICT_STALE},
        {50, 4999, VERDICT_NEW}, /* a lower offset, but later: the topic was made anew */
        {99, 4999, VERDICT_NEW},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        position_at(rows[i].offset, rows[i].timestamp_ms);
        cr_expect_eq(recognise(&arrived), rows[i].verdict, "row %zu", i);
    }
}

Test(recognition, same_record_again_is_redelivered)
{
    arrived.record = &record;
    position_at(50, 5000);
    cr_assert_eq(recognise(&arrived), VERDICT_REDELIVERED);
    position_at(70, 7000);
    cr_assert_eq(recognise(&arrived), VERDICT_REDELIVERED, "others came since");
}

Test(recognition, same_operations_from_elsewhere_are_resent)
{
    arrived.record = &record;
    static const struct source places[] = {
        {.topic = {(const uint8_t *)"scene.ops", 9}, .partition = 3, .offset = 49},
        {.topic = {(const uint8_t *)"scene.ops", 9}, .partition = 2, .offset = 50},
        {.topic = {(const uint8_t *)"scene.opz", 9}, .partition = 3, .offset = 50},
    };
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        record.delivery = places[i];
        cr_expect_eq(recognise(&arrived), VERDICT_RESENT, "place %zu", i);
    }
}

Test(recognition, original_again_after_its_retry_is_resent)
{
    arrived.record = &record;
    record.attempt = 2;
    record.delivery =
        (struct source){.topic = span_of_text("scene.ops.retry-1"), .partition = 3, .offset = 50};
    position_at(50, 5000);
    cr_assert_eq(recognise(&arrived), VERDICT_RESENT);
}

Test(recognition, other_operations_under_a_used_name_are_reused)
{
    arrived.record = &record;
    record.fingerprint.bytes[RECORD_FINGERPRINT_BYTES - 1] ^= 1;
    cr_assert_eq(recognise(&arrived), VERDICT_REUSED);
    record.delivery.offset = 49;
    cr_assert_eq(recognise(&arrived), VERDICT_REUSED);
    position_at(99, 9000);
    cr_assert_eq(recognise(&arrived), VERDICT_REUSED, "never silently swallowed");
}

/* Requeues. */

Test(recognition, next_attempt_of_what_is_pending_is_new)
{
    arrive_as_retry();
    cr_assert_eq(recognise(&arrived), VERDICT_NEW);
    position_at(8, 9000);
    cr_assert_eq(recognise(&arrived), VERDICT_NEW);
}

Test(recognition, retry_of_an_unknown_batch_is_stale)
{
    arrive_as_retry();
    arrived.record = NULL;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE);
}

Test(recognition, retry_that_was_applied_is_redelivered)
{
    arrive_as_retry();
    record.attempt = 2;
    record.delivery = arrived.delivery;
    record.pending_count = 0;
    position_at(9, 5000);
    cr_assert_eq(recognise(&arrived), VERDICT_REDELIVERED);
}

Test(recognition, second_copy_of_a_requeue_is_stale)
{
    arrive_as_retry();
    record.attempt = 2;
    record.delivery = arrived.delivery;
    record.delivery.offset = 8;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE);
}

Test(recognition, retry_out_of_turn_is_stale)
{
    arrive_as_retry();
    static const uint32_t attempts[] = {3, 4, 1000}; /* recorded; the arriving one is 2 */
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        record.attempt = attempts[i];
        cr_expect_eq(recognise(&arrived), VERDICT_STALE, "attempt %u is recorded", attempts[i]);
    }
    record.attempt = 3;
    record.delivery = arrived.delivery;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE, "as of a retry topic that was made anew");
    record.attempt = 1;
    retry.attempt = 3;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE, "attempt 2 was never recorded");
}

Test(recognition, retry_of_other_operations_than_the_pending_ones_is_stale)
{
    arrive_as_retry();
    static uint32_t others[] = {1, 5};
    retry.indexes = others;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE);
    retry.indexes = carried_indexes;
    retry.index_count = 1;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE);
    retry.index_count = 2;
    record.pending_count = 0;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE, "nothing is pending");
}

/* The store lost the first attempt, and it was made again: the same operations wait again. */
Test(recognition, requeue_of_an_attempt_that_was_lost_is_stale)
{
    arrive_as_retry();
    retry.not_before_ms++;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE);
    retry.not_before_ms--;
    retry.duration_ms++;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE);
    retry.duration_ms--;
    retry.synced_count++;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE);
    retry.synced_count--;
    carried_versions[0]++;
    cr_assert_eq(recognise(&arrived), VERDICT_STALE);
    carried_versions[0]--;
    cr_assert_eq(recognise(&arrived), VERDICT_NEW);
}

Test(recognition, retry_behind_its_partitions_position_is_stale)
{
    arrive_as_retry();
    position_at(9, 5000);
    cr_assert_eq(recognise(&arrived), VERDICT_STALE);
    position_at(9, 4999);
    cr_assert_eq(recognise(&arrived), VERDICT_NEW, "the topic was made anew");
}
