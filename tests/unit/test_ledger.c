/*
 * The ledger itself: a history that is true passes, and whatever one thing is changed in it is
 * found and named.
 */
#include <criterion/criterion.h>

#include "tests/support/ledger_history.h"
#include "tests/support/messages.h"

#define T "1749999"

static struct history history;

/* Scene s1: elements, a tombstone, every kind of conflict, a batch that runs out of retries, a
 * resend, a used name, a record that is no batch. Scene s2: a batch that needs its retry. */
static void tell(void)
{
    history_init(&history);
    history_batch(&history, 0,
                  "{'session_id':'s1','batch_id':'b1','client_id':'ann','operations':["
                  "{'op':'add','timestamp':" T "100000,'element':{'id':'a','kind':{'type':'T'},"
                  "'transform':{'x':1.5,'z_index':7.0},'tags':[1,2]}},"
                  "{'op':'add','timestamp':" T
                  "100000,'element':{'id':'gone','kind':{'type':'T'}}}]}");
    history_batch(&history, 0,
                  "{'session_id':'s1','batch_id':'b2','client_id':'ann','operations':["
                  "{'op':'remove','timestamp':" T "200000,'id':'gone'}]}");
    struct history_record *const third = history_send(
        &history, 0,
        message_of("{'session_id':'s1','batch_id':'b3','client_id':'ben','operations':["
                   "{'op':'update','timestamp':" T "000000,'id':'a','changes':{'n':1}},"
                   "{'op':'update','timestamp':" T "300000,'id':'ghost','changes':{'n':1}},"
                   "{'op':'remove','timestamp':" T "300000,'id':'phantom'},"
                   "{'op':'add','timestamp':" T "300000,'element':{'id':'a','kind':{'type':'U'}}},"
                   "{'op':'interaction','timestamp':99999999999999}]}"));
    third->headers[third->record.header_count++] =
        (struct ledger_header){.name = "trace", .value = span_of_text("1")};
    history_apply(&history, third);
    history_batch(&history, 0, "'no batch at all'");
    history_batch(&history, 1,
                  "{'session_id':'s1','batch_id':'b4','operations':["
                  "{'op':'update','timestamp':" T "400000,'id':'a','changes':{'note':'late'}}]}");
    history_batch(&history, 0,
                  "{'session_id':'s1','batch_id':'b1','client_id':'ann','operations':[]}");
    history_batch(&history, 0,
                  "{'session_id':'s1','batch_id':'b2','client_id':'ann','operations':["
                  "{'op':'remove','timestamp':" T "200000,'id':'gone'}]}");
    history_batch(&history, 1,
                  "{'session_id':'s2','batch_id':'b5','operations':["
                  "{'op':'update','timestamp':" T "200000,'id':'k','changes':{'n':2}}]}");
    history_batch(&history, 1,
                  "{'session_id':'s2','operations':["
                  "{'op':'add','timestamp':" T
                  "100000,'element':{'id':'k','kind':{'type':'T'}}}]}");
    history_retry(&history, "b5");
    for (unsigned i = 0; i < 3; i++) {
        history_retry(&history, "b3");
    }
    history_publish_again(&history, "b3");
    history_store(&history);
}

static void forget(void)
{
    history_free(&history);
}

TestSuite(ledger, .init = tell, .fini = forget);
TestSuite(ledger_tampering, .init = tell, .fini = forget);

/* The ledger says so, in these words, and nothing passes. */
static void expect_finding(const char *kind, const char *words)
{
    cr_assert_not(history_check(&history), "nothing was found");
    const char *const line = strstr(history.findings, words);
    cr_assert_not_null(line, "'%s' is not in:\n%s", words, history.findings);
    const char *start = line;
    while (start > history.findings && start[-1] != '\n') {
        start--;
    }
    cr_assert_eq(strncmp(start, kind, strlen(kind)), 0, "it is not %s:\n%s", kind,
                 history.findings);
}

static void expect_lost(const char *words)
{
    expect_finding("lost: ", words);
    cr_assert_gt(history.counts.lost, 0);
}

static void expect_doubled(const char *words)
{
    expect_finding("doubled: ", words);
    cr_assert_gt(history.counts.doubled, 0);
}

static void expect_differing(const char *words)
{
    expect_finding("differing: ", words);
    cr_assert_gt(history.counts.differing, 0);
}

static void replace(struct span *bytes, const char *from, const char *to)
{
    *bytes = bytes_with(*bytes, message_of(from), message_of(to));
}

static void replace_text(struct span *bytes, const char *from, const char *to)
{
    *bytes = bytes_with(*bytes, span_of_text(from), span_of_text(to));
}

/* The first result of a batch after those of this number of attempts. */
static struct history_record *result_of(const char *batch_id, uint64_t attempts)
{
    for (size_t i = 0; i < history.record_count; i++) {
        struct pool pool = {0};
        struct history_record *const record = &history.records[i];
        if (record->record.topic != LEDGER_RESULTS) {
            continue;
        }
        const struct value *const map = value_read(record->record.value, &pool);
        uint64_t number = 0;
        const bool is_it = value_is_text(value_find(map, "batch_id"), batch_id) &&
                           value_as_uint(value_find(map, "attempts"), &number) &&
                           number == attempts;
        pool_free(&pool);
        if (is_it) {
            return record;
        }
    }
    cr_assert_fail("there is no such result");
    return NULL;
}

static struct history_field *element_of(const char *session_id, const char *id)
{
    return history_field_of(&history, session_id, LEDGER_ELEMENTS, id);
}

/* --- True histories --- */

Test(ledger, passes_a_true_history_and_counts_it)
{
    cr_assert(history_check(&history), "%s", history.findings);
    cr_assert_str_eq(history.findings, "");
    cr_assert_eq(history.counts.batches, 6);
    cr_assert_eq(history.counts.operations, 11);
    cr_assert_eq(history.counts.results, 13);
    cr_assert_eq(history.counts.repeated_results, 2);
    cr_assert_eq(history.counts.requeues, 4);
    cr_assert_eq(history.counts.dead_letters, 3);
    cr_assert_eq(history.counts.scenes, 2);
    cr_assert_eq(history.counts.elements, 2);
    cr_assert_eq(history.counts.tombstones, 2);
}

Test(ledger, passes_nothing_at_all)
{
    history_free(&history);
    history_init(&history);
    cr_assert(history_check(&history));
    cr_assert_eq(history.counts.batches, 0);
}

Test(ledger, takes_copies_of_everything)
{
    for (size_t i = 0, count = history.record_count; i < count; i++) {
        const struct history_record *const from = &history.records[i];
        if (from->record.topic == LEDGER_OPS) {
            continue;
        }
        struct history_record *const copy = &history.records[history.record_count++];
        *copy = *from;
        copy->record.headers = copy->headers;
        copy->record.offset += 1000;
    }
    cr_assert(history_check(&history), "%s", history.findings);
    cr_assert_eq(history.counts.repeated_results, 15);
}

Test(ledger, misses_no_result_between_two_attempts)
{
    result_of("b3", 2)->is_gone = true; /* as after a crash between commit and publishing */
    cr_assert(history_check(&history), "%s", history.findings);
}

Test(ledger, takes_a_lost_race_for_what_it_is)
{
    struct history_record *const result = result_of("b4", 1);
    const struct span none = bytes_of_hex("a9636f6e666c6963747390");
    const struct span one = message_of(
        "['conflicts',[{'index':0,'reason':'ConcurrentModification','resolution':'keep_remote',"
        "'resolved':true,'local':{'version':3,'timestamp':1749999300000,'removed':false},"
        "'operation':{'op':'update','timestamp':1749999400000,'id':'a','changes':{'note':'late'}}}"
        "]]");
    result->record.value =
        bytes_with(result->record.value, none, span_make(one.data + 1, one.size - 1));
    result->record.value =
        bytes_with(result->record.value, bytes_of_hex("ae636f6e666c6963745f636f756e7400"),
                   bytes_of_hex("ae636f6e666c6963745f636f756e7401"));
    history_field_of(&history, "s1", LEDGER_BATCHES, "b4 ")->is_gone = true;
    history.config.records_are_kept = false;
    cr_assert(history_check(&history), "%s", history.findings);
    cr_assert_eq(history.counts.lost_races, 1);
}

Test(ledger, forgives_records_that_were_evicted)
{
    history_field_of(&history, "s1", LEDGER_BATCHES, "b2 ann")->is_gone = true;
    history.config.records_are_kept = false;
    cr_assert(history_check(&history), "%s", history.findings);
}

/* --- Redis --- */

Test(ledger_tampering, a_byte_of_an_element)
{
    replace_text(&element_of("s1", "a")->value, "late", "lake");
    expect_differing("scene 's1': element 'a': 'note' is not as expected");
}

Test(ledger_tampering, the_way_an_untouched_number_is_written)
{
    struct history_field *const element = element_of("s2", "k");
    element->value = bytes_with(element->value, bytes_of_hex("a16e02"), bytes_of_hex("a16ecc02"));
    expect_differing("scene 's2': element 'k': 'n' is not as expected");
}

Test(ledger_tampering, a_key_too_many_in_an_element)
{
    const struct span name = bytes_of_hex("a16e");
    struct history_field *const element = element_of("s2", "k");
    element->value = bytes_with(element->value, name, bytes_of_hex("a16d"));
    expect_differing("scene 's2': element 'k': 'n' is not as expected");
}

Test(ledger_tampering, a_version_of_an_element)
{
    struct history_field *const element = element_of("s2", "k");
    uint8_t bytes[512];
    memcpy(bytes, element->value.data, element->value.size);
    bytes[1]++;
    element->value = bytes_keep(span_make(bytes, element->value.size));
    expect_differing("scene 's2': element 'k': its version is 3, expected 2");
}

Test(ledger_tampering, a_missing_element)
{
    element_of("s1", "a")->is_gone = true;
    expect_lost("scene 's1': element 'a' is missing");
}

Test(ledger_tampering, a_missing_tombstone)
{
    element_of("s1", "gone")->is_gone = true;
    expect_lost("scene 's1': tombstone 'gone' is missing");
}

Test(ledger_tampering, a_removed_element_that_is_back)
{
    element_of("s1", "gone")->value = element_of("s1", "a")->value;
    expect_differing("scene 's1': element 'gone'");
}

Test(ledger_tampering, a_missing_index_entry)
{
    history_field_of(&history, "s1", LEDGER_TOMBSTONES, "gone")->is_gone = true;
    expect_lost("scene 's1': 'gone' is missing in :tombstones");
}

Test(ledger_tampering, an_index_entry_at_another_time)
{
    history_field_of(&history, "s1", LEDGER_TOMBSTONES, "gone")->value = span_of_text("12");
    expect_differing("scene 's1': 'gone' in :tombstones has the score 12");
}

Test(ledger_tampering, an_index_entry_of_a_present_element)
{
    history_add_field(&history, "s1", LEDGER_TOMBSTONES, "a", span_of_text("1750000000000"));
    expect_differing("scene 's1': 'a' stands in :tombstones, and is no tombstone");
}

Test(ledger_tampering, a_stray_element)
{
    history_add_field(&history, "s1", LEDGER_ELEMENTS, "stray", element_of("s1", "a")->value);
    expect_differing("scene 's1': element 'stray' stands there, and no operation explains it");
}

Test(ledger_tampering, a_stray_scene)
{
    history_add_field(&history, "s9", LEDGER_META, "version", span_of_text("1"));
    expect_differing("scene 's9': no operation explains it");
}

Test(ledger_tampering, a_stray_key)
{
    struct ledger *const ledger = ledger_create(&history.config);
    struct ledger_counts counts;
    ledger_add_stray_key(ledger, span_of_text("scene:other"));
    FILE *const out = fmemopen(history.findings, sizeof(history.findings), "w");
    cr_assert_not(ledger_check(ledger, out, 5, &counts));
    (void)fclose(out);
    ledger_destroy(ledger);
    cr_assert_not_null(strstr(history.findings, "key 'scene:other': nothing explains it"));
}

Test(ledger_tampering, a_doubled_effect)
{
    history_field_of(&history, "s1", LEDGER_META, "version")->value = span_of_text("6");
    expect_differing("meta field 'version' is '6': expected 5");
}

Test(ledger_tampering, a_wrong_element_count)
{
    history_field_of(&history, "s1", LEDGER_META, "element_count")->value = span_of_text("2");
    expect_differing("meta field 'element_count' is '2': expected 1");
}

Test(ledger_tampering, a_stray_meta_field)
{
    history_add_field(&history, "s1", LEDGER_META, "colour", span_of_text("red"));
    expect_differing("meta field 'colour' is 'red': nothing explains it");
}

Test(ledger_tampering, a_missing_meta_field)
{
    history_field_of(&history, "s1", LEDGER_META, "commit")->is_gone = true;
    expect_lost("scene 's1': meta field 'commit' is missing");
}

Test(ledger_tampering, a_position_that_stands_too_low)
{
    history_field_of(&history, "s1", LEDGER_META, "at:scene.ops/0")->value =
        span_of_text("0 1750000000000");
    expect_differing("meta field 'at:scene.ops/0' is '0 1750000000000': records above it");
}

Test(ledger_tampering, a_position_where_no_record_stands)
{
    history_field_of(&history, "s1", LEDGER_META, "at:scene.ops/0")->value =
        span_of_text("77 1750000000000");
    expect_differing("no record of the scene stands there");
}

Test(ledger_tampering, a_missing_record)
{
    history_field_of(&history, "s1", LEDGER_BATCHES, "b2 ann")->is_gone = true;
    expect_lost("batch 'b2' (client 'ann', scene 's1', scene.ops/0/1): it has no record in Redis");
}

Test(ledger_tampering, a_record_of_another_result)
{
    replace(&history_field_of(&history, "s1", LEDGER_BATCHES, "b2 ann")->value, "'synced_count'",
            "'synced_xount'");
    expect_differing("batch 'b2' (client 'ann', scene 's1', scene.ops/0/1): its record in Redis");
}

Test(ledger_tampering, a_record_that_still_waits)
{
    history_field_of(&history, "s1", LEDGER_BATCHES, "b2 ann")->key = LEDGER_PENDING;
    expect_differing("final, but its record still waits");
}

Test(ledger_tampering, a_record_of_nothing)
{
    struct span value = history_field_of(&history, "s2", LEDGER_BATCHES, "b5 ")->value;
    history_add_field(&history, "s2", LEDGER_BATCHES, "b99 ", value);
    expect_differing("the record of batch 'b99' of client '' in scene 's2': nothing explains it");
}

/* --- Results --- */

Test(ledger_tampering, no_result_of_a_batch)
{
    result_of("b4", 1)->is_gone = true;
    expect_lost("batch 'b4' of client '' in scene 's1' (scene.ops/1/0): no result at all");
}

Test(ledger_tampering, no_final_result)
{
    for (size_t i = 0; i < history.record_count; i++) {
        struct history_record *const record = &history.records[i];
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
    struct history_record *const again = &history.records[history.record_count++];
    *again = *result_of("b4", 1);
    again->record.headers = again->headers;
    again->record.offset += 1000;
    again->record.value =
        bytes_with(again->record.value, bytes_of_hex("ad7363656e655f76657273696f6e04"),
                   bytes_of_hex("ad7363656e655f76657273696f6e06"));
    expect_doubled("batch 'b4' (client '', scene 's1', scene.ops/1/0): attempt 1 took effect at "
                   "version 6 and again at version 4");
}

Test(ledger_tampering, a_resend_that_took_effect)
{
    struct history_record *const again = &history.records[history.record_count++];
    *again = *result_of("b2", 1);
    again->record.headers = again->headers;
    again->record.offset += 1000;
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
    struct history_record *const stray = &history.records[history.record_count++];
    *stray = *result_of("b4", 1);
    stray->record.headers = stray->headers;
    stray->record.offset += 1000;
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
    history_free(&history);
    history_init(&history);
    struct history_record *const first = history_send(&history, 0, add_of("b1", "x"));
    struct history_record *const second = history_send(&history, 0, add_of("b2", "y"));
    history_apply(&history, second);
    history_apply(&history, first);
    history_store(&history);
    expect_differing("batch 'b2' (client '', scene 's', scene.ops/0/1) took effect before batch "
                     "'b1' (client '', scene 's', scene.ops/0/0), which stands before it");
}

/* --- Requeues and dead letters --- */

/* The first dead letter of this code. */
static struct history_record *dead_letter_of(const char *code)
{
    for (size_t i = 0; i < history.record_count; i++) {
        struct history_record *const record = &history.records[i];
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
    struct history_record *const stray = &history.records[history.record_count++];
    *stray = *dead_letter_of("not_a_map");
    stray->record.headers = stray->headers;
    stray->record.offset += 1000;
    stray->headers[2].value = span_of_text("scene.ops/0/1");
    expect_differing("dead letter at scene.ops.dlq/0/1000: nothing explains it (not_a_map, from "
                     "scene.ops/0/1)");
}

Test(ledger_tampering, a_missing_refusal)
{
    for (size_t i = 0; i < history.record_count; i++) {
        const struct history_record *const record = &history.records[i];
        struct pool pool = {0};
        const struct value *const map = value_read(record->record.value, &pool);
        if (value_is_text(value_find(map, "error_code"), "batch_id_reused")) {
            history.records[i].is_gone = true;
        }
        pool_free(&pool);
    }
    expect_lost("refused record scene.ops/0/4: no result says so (batch_id_reused)");
}

Test(ledger_tampering, a_missing_requeue)
{
    history_record_of(&history, LEDGER_RETRY, 0)->is_gone = true;
    expect_lost("batch 'b3' (client 'ben', scene 's1', scene.ops/0/2): no requeue of what waits "
                "for attempt 2");
}

Test(ledger_tampering, an_operation_in_a_requeue)
{
    replace(&history_record_of(&history, LEDGER_RETRY, 0)->record.value, "'ghost'", "'gh0st'");
    expect_differing("its requeue at scene.ops.retry-1/0/0: operation 1 is not in it");
}

Test(ledger_tampering, a_requeue_on_another_partition)
{
    history_record_of(&history, LEDGER_RETRY, 0)->record.partition = 1;
    history_record_of(&history, LEDGER_RETRY, 0)->record.offset = 50;
    expect_differing("its requeue at scene.ops.retry-1/1/50: partition is 1, expected 0");
}

Test(ledger_tampering, a_header_of_a_requeue)
{
    history_record_of(&history, LEDGER_RETRY, 0)->headers[1].value = span_of_text("3");
    expect_differing("header scenesync-attempt is not 2");
}

Test(ledger_tampering, a_requeue_of_nothing)
{
    struct history_record *const stray = &history.records[history.record_count++];
    *stray = *history_record_of(&history, LEDGER_RETRY, 0);
    stray->record.headers = stray->headers;
    stray->record.offset += 1000;
    replace(&stray->record.value, "'b3'", "'b4'");
    expect_differing("requeue at scene.ops.retry-1/0/1000: nothing explains it");
}

/* --- Lost writes --- */

/* The store forgot b2 of s1, and it was applied once more from Kafka. */
static void lose_and_replay(void)
{
    struct history_record *const replayed = &history.records[history.record_count++];
    struct history_record *const first = result_of("b4", 1);
    *replayed = *first;
    replayed->record.headers = replayed->headers;
    replayed->record.offset += 1000;
    replayed->headers[replayed->record.header_count++] =
        (struct ledger_header){.name = "scenesync-replay", .value = span_of_text("1")};
    replace(&first->record.value, "'duration_ms'", "'duration_xs'");
}

Test(ledger, takes_the_last_result_where_writes_were_lost)
{
    lose_and_replay();
    history.config.lost_writes = true;
    cr_assert(history_check(&history), "%s", history.findings);
    cr_assert_eq(history.counts.replayed_results, 1);
}

Test(ledger_tampering, a_replay_where_nothing_was_lost)
{
    lose_and_replay();
    expect_differing("batch 'b4' (client '', scene 's1', scene.ops/1/0): its result at");
}

Test(ledger, prefers_the_result_of_the_record_that_stands)
{
    struct history_record *const other = &history.records[history.record_count++];
    *other = *result_of("b4", 1);
    other->record.headers = other->headers;
    other->record.offset += 1000;
    other->record.value =
        bytes_with(other->record.value, bytes_of_hex("ad7363656e655f76657273696f6e04"),
                   bytes_of_hex("ad7363656e655f76657273696f6e06"));
    history.config.lost_writes = true;
    cr_assert(history_check(&history), "%s", history.findings);
}

Test(ledger_tampering, an_effect_that_was_lost_and_not_replayed)
{
    history.config.lost_writes = true;
    history_field_of(&history, "s1", LEDGER_BATCHES, "b2 ann")->is_gone = true;
    element_of("s1", "gone")->is_gone = true;
    expect_lost("scene 's1': tombstone 'gone' is missing");
}
