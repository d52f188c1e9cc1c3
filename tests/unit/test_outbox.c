#include "worker/outbox.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/outbox_fixture.h"

TestSuite(outbox, .init = posting_begin, .fini = posting_end);

/* The real one's records only a broker can make. */
struct record_header *source_headers(const struct record *of, struct arena *arena, size_t *count)
{
    return posting_headers(of, arena, count);
}

static void expect_result(const struct letter *letter, const char *is_final, const char *is_success)
{
    cr_assert_eq(letter->kind, LETTER_RESULT);
    cr_expect_str_eq(letter->outgoing.topic, "scene.results");
    cr_expect_eq(letter->outgoing.partition, -1, "by its key");
    cr_expect(span_equal_text(letter->outgoing.key, "s"));
    expect_header(letter, "scenesync-final", is_final);
    expect_header(letter, "scenesync-success", is_success);
    cr_expect(span_equal(letter->outgoing.value, result_bytes(&posting.delivery.result)));
}

/* What was worked with. */

Test(outbox, applied_batch_gets_its_result)
{
    deliver(BATCH(ADD("a", 1, 100)));
    struct letter *letters[4];
    cr_assert_eq(post(letters), 1);
    expect_result(letters[0], "1", "1");
    cr_assert_eq(letters[0]->outgoing.header_count, 2);
    cr_assert_eq(posting.stats.results, 0, "nothing is sent yet");
    outbox_count(&posting.outbox);
    cr_assert_eq(posting.stats.results, 1);
}

Test(outbox, failed_batch_says_so_in_the_header)
{
    deliver(BATCH(UPDATE("old", 1, 100)));
    struct letter *letters[4];
    cr_assert_eq(post(letters), 1, "a lost conflict is nothing for operators");
    expect_result(letters[0], "1", "0");
}

Test(outbox, pending_operations_are_requeued_to_the_same_partition_number)
{
    deliver(BATCH(ADD("a", 1, 100), UPDATE("late", 2, 100)));
    struct letter *letters[4];
    cr_assert_eq(post(letters), 2);
    cr_assert_eq(letters[0]->kind, LETTER_REQUEUE);
    cr_assert_str_eq(letters[0]->outgoing.topic, "scene.ops.retry-1");
    cr_assert_eq(letters[0]->outgoing.partition, 3);
    cr_assert(span_equal_text(letters[0]->outgoing.key, "s"));
    expect_header(letters[0], "scenesync-attempt", "2");
    expect_header(letters[0], "scenesync-not-before", "1000100");
    cr_assert(span_equal(letters[0]->outgoing.value,
                         batch_requeue(&posting.delivery.result, &posting.delivery.batch)));
    expect_result(letters[1], "0", "0");
    cr_assert_eq(stats_requeues(&posting.stats), 0, "nothing is sent yet");
    outbox_count(&posting.outbox);
    cr_assert_eq(stats_requeues(&posting.stats), 1);
    cr_assert_eq(stats_dead_letters(&posting.stats), 0);
}

static void deliver_retry(uint32_t tier)
{
    struct span message = batch_requeue(&posting.delivery.result, &posting.delivery.batch);
    char topic[32];
    (void)snprintf(topic, sizeof(topic), "scene.ops.retry-%d", (int)tier);
    posting.record.topic = bytes_keep(span_of_text(topic));
    posting.record.tier = tier;
    posting.record.offset = 40 + tier;
    deliver_bytes(message);
}

Test(outbox, each_retry_goes_to_its_own_tier)
{
    deliver(BATCH(UPDATE("late", 2, 100)));
    for (uint32_t tier = 1; tier <= 2; tier++) {
        deliver_retry(tier);
        struct letter *letters[4];
        cr_assert_eq(post(letters), 2);
        char topic[32];
        (void)snprintf(topic, sizeof(topic), "scene.ops.retry-%d", (int)tier + 1);
        cr_assert_str_eq(letters[0]->outgoing.topic, topic);
        expect_header(letters[0], "scenesync-attempt", tier == 1 ? "3" : "4");
    }
}

Test(outbox, operations_that_ran_out_of_retries_are_dead_lettered)
{
    static const struct record_header headers[] = {
        {.name = "trace", .value = {(const uint8_t *)"42", 2}}, {.name = "flag"}};
    posting.original_headers = headers;
    posting.original_header_count = 2;
    posting.context.retries_max = 1;
    deliver(BATCH(UPDATE("late", 2, 100), ADD("a", 1, 100), REMOVE("late", 3)));
    deliver_retry(1);
    struct letter *letters[4];
    cr_assert_eq(post(letters), 2);
    expect_dead(letters[0], "retries_exhausted");
    expect_header(letters[0], "trace", "42");
    cr_assert_str_eq(letters[0]->outgoing.headers[0].name, "trace", "original ones come first");
    cr_assert_str_eq(letters[0]->outgoing.headers[1].name, "flag");
    expect_header(letters[0], "scenesync-source", "scene.ops.retry-1/3/41");
    expect_header(letters[0], "scenesync-batch-id", "b");
    expect_header(letters[0], "scenesync-indexes", "0,2");
    struct batch again = batch_of_bytes(letters[0]->outgoing.value);
    cr_assert_eq(again.operation_count, 2);
    cr_assert(span_equal_text(again.batch_id, "b:dlq"));
    expect_result(letters[1], "1", "0");
    cr_assert_eq(stats_dead_letters(&posting.stats), 0, "nothing is sent yet");
    outbox_count(&posting.outbox);
    cr_assert_eq(stats_dead_letters(&posting.stats), 1);
}

Test(outbox, operations_that_the_store_refused_are_dead_lettered)
{
    struct error cause;
    error_set(&cause, ERROR_STORE_ERROR, "WRONGTYPE, said the store");
    posting.context.not_tried = &cause;
    deliver(BATCH(ADD("a", 1, 100)));
    struct letter *letters[4];
    cr_assert_eq(post(letters), 2);
    expect_dead(letters[0], "store_error");
    expect_header(letters[0], "scenesync-error", "WRONGTYPE, said the store");
    expect_header(letters[0], "scenesync-source", "scene.ops/3/7");
    expect_header(letters[0], "scenesync-indexes", "0");
    expect_result(letters[1], "1", "0");
}

Test(outbox, redelivery_publishes_all_of_it_again)
{
    deliver(BATCH(UPDATE("late", 2, 100)));
    struct letter *first[4];
    struct letter *second[4];
    cr_assert_eq(post(first), 2);
    posting.delivery.verdict = VERDICT_REDELIVERED;
    cr_assert_eq(post(second), 2);
    cr_assert(span_equal(second[0]->outgoing.value, first[0]->outgoing.value));
    cr_assert_str_eq(second[0]->outgoing.topic, first[0]->outgoing.topic);
    expect_result(second[1], "0", "0");
    expect_header(second[1], "scenesync-duplicate", "1");
}

/* The commit took effect, only its reply was lost: nobody has seen the result yet. */
Test(outbox, redelivery_within_the_cycle_is_no_duplicate)
{
    deliver(BATCH(ADD("a", 1, 100)));
    posting.delivery.verdict = VERDICT_REDELIVERED;
    posting.delivery.was_sent = true;
    struct letter *letters[4];
    cr_assert_eq(post(letters), 1);
    cr_assert(span_is_absent(header_of(letters[0], "scenesync-duplicate")));
}

Test(outbox, resend_gets_the_result_only)
{
    deliver(BATCH(UPDATE("late", 2, 100)));
    posting.delivery.verdict = VERDICT_RESENT;
    struct letter *letters[4];
    cr_assert_eq(post(letters), 1);
    expect_result(letters[0], "0", "0");
    expect_header(letters[0], "scenesync-duplicate", "1");
}

Test(outbox, stale_delivery_gets_nothing)
{
    deliver(BATCH(UPDATE("late", 2, 100)));
    posting.delivery.verdict = VERDICT_STALE;
    struct letter *letters[4];
    cr_assert_eq(post(letters), 0);
}

Test(outbox, result_keeps_to_its_limit)
{
    posting.settings.limits.result_bytes_max = 600;
    deliver(
        BATCH(UPDATE("old", 1, 1), UPDATE("old", 2, 2), UPDATE("old", 3, 3), UPDATE("old", 4, 4)));
    struct letter *letters[4];
    cr_assert_eq(post(letters), 1);
    cr_assert_leq(letters[0]->outgoing.value.size, 600);
    struct sync_result result;
    cr_assert(
        sync_result_decode(letters[0]->outgoing.value, test_arena(), &result, &posting.error));
    cr_assert(result.truncated);
    cr_assert_eq(result.failed_count, 4);
}

/* What was refused whole. */

Test(outbox, refused_batch_is_dead_lettered_as_it_came)
{
    static const struct record_header headers[] = {
        {.name = "trace", .value = {(const uint8_t *)"42", 2}}};
    posting.original_headers = headers;
    posting.original_header_count = 1;
    deliver("{'session_id':'s','client_id':'c','operations':5}");
    struct letter *letters[4];
    cr_assert_eq(post(letters), 2);
    expect_dead(letters[0], "wrong_type");
    expect_header(letters[0], "trace", "42");
    expect_header(letters[0], "scenesync-source", "scene.ops/3/7");
    expect_header(letters[0], "scenesync-error", posting.delivery.refusal.message);
    cr_assert(span_is_absent(header_of(letters[0], "scenesync-indexes")));
    cr_assert(span_equal(letters[0]->outgoing.value, posting.record.value));
    expect_result(letters[1], "1", "0");
    cr_assert_eq(posting.delivery.result.error_code, ERROR_WRONG_TYPE);
    cr_assert(
        span_equal_text(posting.delivery.result.error_message, posting.delivery.refusal.message));
    cr_assert(span_equal_text(posting.delivery.result.batch_id, "scene.ops/3/7@1000000"));
    cr_assert(span_equal_text(posting.delivery.result.client_id, "c"));
    cr_assert_eq(posting.delivery.result.attempts, 1);
    cr_assert_eq(posting.delivery.result.source.offset, 7);
}

Test(outbox, result_of_a_refused_batch_is_the_same_every_time)
{
    deliver("{'session_id':'s','operations':5}");
    struct letter *first[4];
    struct letter *second[4];
    cr_assert_eq(post(first), 2);
    posting.outbox.now_wall_ms += 1000;
    deliver("{'session_id':'s','operations':5}");
    cr_assert_eq(post(second), 2);
    cr_assert(span_equal(first[1]->outgoing.value, second[1]->outgoing.value));
}

Test(outbox, refusal_without_a_session_has_no_result)
{
    static const char *const messages[] = {"{'operations':[]}", "5", "'hex:'", "'hex:c1'"};
    static const char *const codes[] = {"missing_field", "not_a_map", "not_messagepack",
                                        "not_messagepack"};
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        deliver(messages[i]);
        struct letter *letters[4];
        cr_assert_eq(post(letters), 1, "%s", messages[i]);
        expect_dead(letters[0], codes[i]);
        cr_assert_eq(letters[0]->outgoing.value.size, posting.record.value.size);
    }
}

Test(outbox, record_without_a_key_is_dead_lettered_without_one)
{
    posting.record.key = (struct span){0};
    deliver("5");
    struct letter *letters[4];
    cr_assert_eq(post(letters), 1);
    cr_assert(span_is_absent(letters[0]->outgoing.key));
}

Test(outbox, invalid_retry_has_no_result)
{
    posting.record.tier = 1;
    posting.record.topic = span_of_text("scene.ops.retry-1");
    deliver(BATCH(""));
    cr_assert_eq(posting.delivery.refusal.code, ERROR_INVALID_RETRY);
    struct letter *letters[4];
    cr_assert_eq(post(letters), 1);
    expect_dead(letters[0], "invalid_retry");
}

Test(outbox, reused_name_is_dead_lettered_and_answered)
{
    deliver(BATCH(ADD("a", 1, 100)));
    posting.delivery.verdict = VERDICT_REUSED;
    error_set(&posting.delivery.refusal, ERROR_BATCH_ID_REUSED, "batch_id 'b' was used before");
    struct letter *letters[4];
    cr_assert_eq(post(letters), 2);
    expect_dead(letters[0], "batch_id_reused");
    cr_assert(span_equal(letters[0]->outgoing.value, posting.record.value));
    expect_result(letters[1], "1", "0");
    cr_assert_eq(posting.delivery.result.error_code, ERROR_BATCH_ID_REUSED);
    cr_assert_eq(posting.delivery.result.synced_count, 0);
}

Test(outbox, letters_stand_in_the_order_of_posting)
{
    deliver(BATCH(ADD("a", 1, 100)));
    cr_assert(outbox_post(&posting.outbox, &posting.delivery, &posting.error));
    struct letter *first = posting.outbox.last;
    cr_assert(outbox_post(&posting.outbox, &posting.delivery, &posting.error));
    cr_assert_eq(posting.outbox.first, first);
    cr_assert_eq(first->next, posting.outbox.last);
    cr_assert_null(posting.outbox.last->next);
}

/* With every size of arena it either posts or says why not. */
static void expect_memory_errors(void)
{
    size_t failures = 0;
    bool has_memory = false;
    for (size_t bytes_max = 0; !has_memory; bytes_max += 16) {
        struct arena small;
        arena_init(&small, bytes_max);
        posting.outbox.arena = &small;
        posting.outbox.first = NULL;
        posting.outbox.last = NULL;
        posting.error.code = ERROR_NONE;
        has_memory = outbox_post(&posting.outbox, &posting.delivery, &posting.error);
        cr_assert_eq(posting.error.code, has_memory ? ERROR_NONE : ERROR_OUT_OF_MEMORY);
        arena_deinit(&small);
        failures += has_memory ? 0 : 1;
        cr_assert_lt(failures, 10000);
    }
    cr_assert_gt(failures, 5);
    posting.outbox.arena = test_arena();
}

Test(outbox, says_when_memory_runs_out)
{
    static const struct record_header headers[] = {
        {.name = "trace", .value = {(const uint8_t *)"42", 2}}};
    posting.original_headers = headers;
    posting.original_header_count = 1;
    deliver("{'session_id':'s','operations':5}");
    expect_memory_errors();
    deliver(BATCH(UPDATE("late", 2, 100), UPDATE("old", 1, 1)));
    expect_memory_errors();
    posting.context.retries_max = 0;
    deliver(BATCH(UPDATE("nobody", 2, 100), UPDATE("old", 1, 1)));
    expect_memory_errors();
}
