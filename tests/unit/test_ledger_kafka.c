/*
 * The ledger itself: whatever one thing is changed in the messages of a true history is found and
 * named.
 */
#include <criterion/criterion.h>

#include "tests/support/ledger_fixture.h"
#include "tests/support/messages.h"

TestSuite(ledger_tampering, .init = ledger_fixture_begin, .fini = ledger_fixture_end);

/* --- Results --- */

Test(ledger_tampering, no_result_of_a_batch)
{
    result_of("b4", 1)->is_gone = true;
    expect_lost("batch 'b4' of client '' in scene 's1' (scene.ops/1/0): no result at all");
}

Test(ledger_tampering, no_final_result)
{
    for (size_t i = 0; i < told.record_count; i++) {
        struct history_record *const record = &told.records[i];
        if (span_equal(record->record.value, result_of("b3", 4)->record.value)) {
            record->is_gone = true;
        }
    }
    expect_lost(
        "batch 'b3' (client 'ben', scene 's1', scene.ops/0/2): no final result, 3 attempts");
}

Test(ledger_tampering, a_repeated_result_that_differs)
{
    replace(&result_of("b3", 4)->record.value, "'duration_ms'", "'duration_xs'");
    expect_differing("batch 'b3' (client 'ben', scene 's1', scene.ops/0/2): its result at "
                     "scene.results/0/11 differs from the one at scene.results/0/12");
}

Test(ledger_tampering, an_effect_at_two_versions)
{
    struct history_record *const again = publish_copy(result_of("b4", 1));
    again->record.value =
        bytes_with(again->record.value, bytes_of_hex("ad7363656e655f76657273696f6e04"),
                   bytes_of_hex("ad7363656e655f76657273696f6e06"));
    expect_doubled("batch 'b4' (client '', scene 's1', scene.ops/1/0): attempt 1 took effect at "
                   "version 6 and again at version 4");
}

Test(ledger_tampering, a_resend_that_took_effect)
{
    struct history_record *const again = publish_copy(result_of("b2", 1));
    again->record.value = bytes_with(again->record.value, bytes_of_hex("a66f666673657401"),
                                     bytes_of_hex("a66f666673657405"));
    expect_doubled("batch 'b2' of client 'ann' in scene 's1' took effect again as scene.ops/0/5");
}

Test(ledger_tampering, a_wrong_count)
{
    struct span *const value = &result_of("b1", 1)->record.value;
    *value = bytes_with(*value, bytes_of_hex("ac73796e6365645f636f756e7402"),
                        bytes_of_hex("ac73796e6365645f636f756e7401"));
    expect_differing("result of attempt 1: synced_count is 1, expected 2");
}

Test(ledger_tampering, attempts_of_two_histories)
{
    struct span *const value = &result_of("b5", 2)->record.value;
    *value = bytes_with(*value, bytes_of_hex("76657273696f6e73920002"),
                        bytes_of_hex("76657273696f6e73920302"));
    expect_differing("batch 'b5' (client '', scene 's2', scene.ops/1/1): attempt_versions go back, "
                     "from 3 after attempt 1 to 2");
}

Test(ledger_tampering, a_conflict_that_was_none)
{
    struct span *const value = &result_of("b3", 1)->record.value;
    replace(value, "'ElementAlreadyExists'", "'ElementNotFound'");
    expect_differing("conflicts: operation 3: reason is not ElementAlreadyExists");
}

Test(ledger_tampering, a_body_that_was_never_sent)
{
    struct span *const value = &result_of("b3", 1)->record.value;
    replace(value, "'phantom'", "'phantam'");
    expect_differing("failed_operations: operation 2: operation is not what was received");
}

Test(ledger_tampering, a_header_of_a_result)
{
    result_of("b4", 1)->headers[1].value = span_of_text("0");
    expect_differing("batch 'b4' (client '', scene 's1', scene.ops/1/0): result of attempt 1: its "
                     "headers do not say what it says");
}

Test(ledger_tampering, a_result_of_nothing)
{
    struct history_record *const stray = publish_copy(result_of("b4", 1));
    replace(&stray->record.value, "'b4'", "'b9'");
    expect_differing("nothing explains it (batch 'b9' of client '' in scene 's1', attempt 1)");
}

static struct span add_of(const char *batch_id, const char *id)
{
    return message_of_format("{'session_id':'s','batch_id':'%s','operations':[{'op':'add',"
                             "'timestamp':5,'element':{'id':'%s','kind':{'type':'T'}}}]}",
                             batch_id, id);
}

Test(ledger_tampering, two_batches_in_the_wrong_order)
{
    history_free(&told);
    history_init(&told);
    struct history_record *const first = history_send(&told, 0, add_of("b1", "x"));
    struct history_record *const second = history_send(&told, 0, add_of("b2", "y"));
    history_apply(&told, second);
    history_apply(&told, first);
    history_store(&told);
    expect_differing("batch 'b2' (client '', scene 's', scene.ops/0/1) took effect before batch "
                     "'b1' (client '', scene 's', scene.ops/0/0), which stands before it");
}

/* --- Requeues and dead letters --- */

/* The first dead letter of this code. */
static struct history_record *dead_letter_of(const char *code)
{
    for (size_t i = 0; i < told.record_count; i++) {
        struct history_record *const record = &told.records[i];
        for (size_t j = 0; j < record->record.header_count; j++) {
            if (strcmp(record->headers[j].name, "scenesync-error-code") == 0 &&
                span_equal_text(record->headers[j].value, code)) {
                return record;
            }
        }
    }
    cr_assert_fail("there is no such dead letter");
    return NULL;
}

Test(ledger_tampering, a_missing_dead_letter_of_a_record)
{
    dead_letter_of("not_a_map")->is_gone = true;
    expect_lost("refused record at scene.ops/0/3: no dead letter (not_a_map)");
}

Test(ledger_tampering, a_missing_dead_letter_of_a_used_name)
{
    dead_letter_of("batch_id_reused")->is_gone = true;
    expect_lost("batch 'b1' of client 'ann' in scene 's1' at scene.ops/0/4: no dead letter");
}

Test(ledger_tampering, a_missing_dead_letter_of_operations)
{
    dead_letter_of("retries_exhausted")->is_gone = true;
    expect_lost("batch 'b3' (client 'ben', scene 's1', scene.ops/0/2): no dead letter");
}

Test(ledger_tampering, a_changed_value_of_a_dead_letter)
{
    replace_text(&dead_letter_of("not_a_map")->record.value, "all", "ale");
    expect_differing("refused record at scene.ops/0/3: its dead letter at scene.ops.dlq/0/0: its "
                     "value is not the record's");
}

Test(ledger_tampering, a_changed_key_of_a_dead_letter)
{
    dead_letter_of("not_a_map")->record.key = (struct span){0};
    expect_differing("its dead letter at scene.ops.dlq/0/0: its key is not the record's");
}

Test(ledger_tampering, a_changed_header_of_a_dead_letter)
{
    dead_letter_of("retries_exhausted")->headers[0].value = span_of_text("2");
    expect_differing("its dead letter at scene.ops.dlq/0/2: header trace is missing or changed");
}

Test(ledger_tampering, another_operation_in_a_dead_letter)
{
    replace(&dead_letter_of("retries_exhausted")->record.value, "'phantom'", "'phantam'");
    expect_differing("its dead letter at scene.ops.dlq/0/2: operation 2 is not in it");
}

Test(ledger_tampering, another_code_of_a_dead_letter)
{
    dead_letter_of("not_a_map")->headers[0].value = span_of_text("too_deep");
    expect_differing("its code is 'too_deep', expected not_a_map");
}

Test(ledger_tampering, a_dead_letter_of_what_was_applied)
{
    struct history_record *const stray = publish_copy(dead_letter_of("not_a_map"));
    stray->headers[2].value = span_of_text("scene.ops/0/1");
    expect_differing("dead letter at scene.ops.dlq/0/1000: nothing explains it (not_a_map, from "
                     "scene.ops/0/1)");
}

Test(ledger_tampering, a_missing_refusal)
{
    for (size_t i = 0; i < told.record_count; i++) {
        const struct history_record *const record = &told.records[i];
        struct pool pool = {0};
        const struct value *const map = value_read(record->record.value, &pool);
        if (value_is_text(value_find(map, "error_code"), "batch_id_reused")) {
            told.records[i].is_gone = true;
        }
        pool_free(&pool);
    }
    expect_lost("refused record scene.ops/0/4: no result says so (batch_id_reused)");
}

Test(ledger_tampering, a_missing_requeue)
{
    history_record_of(&told, LEDGER_RETRY, 0)->is_gone = true;
    expect_lost("batch 'b3' (client 'ben', scene 's1', scene.ops/0/2): no requeue of what waits "
                "for attempt 2");
}

Test(ledger_tampering, an_operation_in_a_requeue)
{
    replace(&history_record_of(&told, LEDGER_RETRY, 0)->record.value, "'ghost'", "'gh0st'");
    expect_differing("its requeue at scene.ops.retry-1/0/0: operation 1 is not in it");
}

Test(ledger_tampering, a_requeue_on_another_partition)
{
    history_record_of(&told, LEDGER_RETRY, 0)->record.partition = 1;
    history_record_of(&told, LEDGER_RETRY, 0)->record.offset = 50;
    expect_differing("its requeue at scene.ops.retry-1/1/50: partition is 1, expected 0");
}

Test(ledger_tampering, a_header_of_a_requeue)
{
    history_record_of(&told, LEDGER_RETRY, 0)->headers[1].value = span_of_text("3");
    expect_differing("header scenesync-attempt is not 2");
}

Test(ledger_tampering, a_requeue_of_nothing)
{
    struct history_record *const stray = publish_copy(history_record_of(&told, LEDGER_RETRY, 0));
    replace(&stray->record.value, "'b3'", "'b4'");
    expect_differing("requeue at scene.ops.retry-1/0/1000: nothing explains it");
}
