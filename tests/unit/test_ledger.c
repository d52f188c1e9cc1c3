/*
 * The ledger itself: a history that is true passes, also where writes were lost. Whatever else
 * is changed in it is the job of test_ledger_redis and test_ledger_kafka.
 */
#include <criterion/criterion.h>

#include "tests/support/ledger_fixture.h"
#include "tests/support/messages.h"

TestSuite(ledger, .init = ledger_fixture_begin, .fini = ledger_fixture_end);
TestSuite(ledger_tampering, .init = ledger_fixture_begin, .fini = ledger_fixture_end);

Test(ledger, passes_a_true_history_and_counts_it)
{
    cr_assert(history_check(&told), "%s", told.findings);
    cr_assert_str_eq(told.findings, "");
    cr_assert_eq(told.counts.batches, 6);
    cr_assert_eq(told.counts.operations, 11);
    cr_assert_eq(told.counts.results, 13);
    cr_assert_eq(told.counts.repeated_results, 2);
    cr_assert_eq(told.counts.requeues, 4);
    cr_assert_eq(told.counts.dead_letters, 3);
    cr_assert_eq(told.counts.scenes, 2);
    cr_assert_eq(told.counts.elements, 2);
    cr_assert_eq(told.counts.tombstones, 2);
}

Test(ledger, passes_nothing_at_all)
{
    history_free(&told);
    history_init(&told);
    cr_assert(history_check(&told));
    cr_assert_eq(told.counts.batches, 0);
}

Test(ledger, takes_copies_of_everything)
{
    for (size_t i = 0, count = told.record_count; i < count; i++) {
        const struct history_record *const from = &told.records[i];
        if (from->record.topic == LEDGER_OPS) {
            continue;
        }
        (void)publish_copy(from);
    }
    cr_assert(history_check(&told), "%s", told.findings);
    cr_assert_eq(told.counts.repeated_results, 15);
}

Test(ledger, misses_no_result_between_two_attempts)
{
    result_of("b3", 2)->is_gone = true; /* as after a crash between commit and publishing */
    cr_assert(history_check(&told), "%s", told.findings);
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
    history_field_of(&told, "s1", LEDGER_BATCHES, "b4 ")->is_gone = true;
    told.config.records_are_kept = false;
    cr_assert(history_check(&told), "%s", told.findings);
    cr_assert_eq(told.counts.lost_races, 1);
}

/* Puts an operation 0 that lost a race before the only conflict that `value` tells. */
static void add_lost_race(struct span *value)
{
    const struct span one = bytes_of_hex("a9636f6e666c6963747391");
    const struct span two = message_of(
        "['conflicts',[{'index':0,'reason':'ConcurrentModification','resolution':'keep_remote',"
        "'resolved':true,'local':{'version':1,'timestamp':1749999100000,'removed':false}},1]]");
    *value = bytes_with(*value, one, span_make(two.data + 1, two.size - 2));
}

Test(ledger, takes_a_lost_race_that_only_the_requeue_tells)
{
    history_free(&told);
    history_init(&told);
    history_batch(&told, 0,
                  "{'session_id':'s','batch_id':'b1','operations':["
                  "{'op':'add','timestamp':1749999100000,'element':{'id':'a','kind':{'type':'T'}}}"
                  "]}");
    history_batch(&told, 0,
                  "{'session_id':'s','batch_id':'b2','operations':["
                  "{'op':'update','timestamp':1749999200000,'id':'a','changes':{'n':1}},"
                  "{'op':'update','timestamp':1749999200000,'id':'k','changes':{'n':1}}]}");
    history_batch(&told, 0,
                  "{'session_id':'s','batch_id':'b3','operations':["
                  "{'op':'add','timestamp':1749999100000,'element':{'id':'k','kind':{'type':'T'}}}"
                  "]}");
    history_retry(&told, "b2");
    history_store(&told);
    history_field_of(&told, "s", LEDGER_BATCHES, "b2 ")->is_gone = true;
    told.config.records_are_kept = false;
    result_of("b2", 1)->is_gone = true; /* a crash between the requeue and it */
    struct span *const final = &result_of("b2", 2)->record.value;
    *final = bytes_with(*final, bytes_of_hex("ae636f6e666c6963745f636f756e7401"),
                        bytes_of_hex("ae636f6e666c6963745f636f756e7402"));
    add_lost_race(final);
    add_lost_race(&history_record_of(&told, LEDGER_RETRY, 0)->record.value);
    cr_assert(history_check(&told), "%s", told.findings);
    cr_assert_eq(told.counts.lost_races, 1);
}

Test(ledger, forgives_records_that_were_evicted)
{
    history_field_of(&told, "s1", LEDGER_BATCHES, "b2 ann")->is_gone = true;
    told.config.records_are_kept = false;
    cr_assert(history_check(&told), "%s", told.findings);
}

/* --- Lost writes --- */

/* The store forgot b2 of s1, and it was applied once more from Kafka. */
static void lose_and_replay(void)
{
    struct history_record *const first = result_of("b4", 1);
    struct history_record *const replayed = publish_copy(first);
    replayed->headers[replayed->record.header_count++] =
        (struct ledger_header){.name = "scenesync-replay", .value = span_of_text("1")};
    replace(&first->record.value, "'duration_ms'", "'duration_xs'");
}

Test(ledger, takes_the_last_result_where_writes_were_lost)
{
    lose_and_replay();
    told.config.lost_writes = true;
    cr_assert(history_check(&told), "%s", told.findings);
    cr_assert_eq(told.counts.replayed_results, 1);
}

Test(ledger_tampering, a_replay_where_nothing_was_lost)
{
    lose_and_replay();
    expect_differing("batch 'b4' (client '', scene 's1', scene.ops/1/0): its result at");
}

Test(ledger, prefers_the_result_of_the_record_that_stands)
{
    struct history_record *const other = publish_copy(result_of("b4", 1));
    other->record.value =
        bytes_with(other->record.value, bytes_of_hex("ad7363656e655f76657273696f6e04"),
                   bytes_of_hex("ad7363656e655f76657273696f6e06"));
    told.config.lost_writes = true;
    cr_assert(history_check(&told), "%s", told.findings);
}

Test(ledger_tampering, an_effect_that_was_lost_and_not_replayed)
{
    told.config.lost_writes = true;
    history_field_of(&told, "s1", LEDGER_BATCHES, "b2 ann")->is_gone = true;
    element_of("s1", "gone")->is_gone = true;
    expect_lost("scene 's1': tombstone 'gone' is missing");
}
