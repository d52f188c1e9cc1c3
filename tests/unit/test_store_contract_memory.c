/* The contract that all stores share, on the memory store. */
#include <criterion/criterion.h>

#include "store/memory_store.h"
#include "tests/support/store_contract.h"

static struct store *create(void *context, const struct store_retention *retention)
{
    (void)context;
    struct store *const store = memory_store_create(retention);
    cr_assert_not_null(store);
    return store;
}

static void break_elements(void *context, struct store *store, struct span session_id)
{
    (void)context;
    memory_store_set_wrong_type(store, session_id, true);
}

static void set_watermark_wrong(void *context, struct store *store, bool wrong)
{
    (void)context;
    memory_store_set_wrong_type(store, (struct span){0}, wrong);
}

static void change_history(void *context, struct store *store)
{
    (void)context;
    memory_store_change_history(store);
}

static void dump(void *context, struct store *store, struct span session_id, struct buffer *out)
{
    (void)context;
    memory_store_dump(store, session_id, out);
}

static void check(void (*contract_check)(const struct store_contract *contract))
{
    const struct store_contract contract = {.create = create,
                                            .break_elements = break_elements,
                                            .set_watermark_wrong = set_watermark_wrong,
                                            .change_history = change_history,
                                            .dump = dump};
    contract_check(&contract);
}

Test(memory_store, loads_what_was_committed)
{
    check(contract_loads_what_was_committed);
}

Test(memory_store, unknown_scene_is_version_zero)
{
    check(contract_unknown_scene_is_version_zero);
}

Test(memory_store, bytes_pass_through_unchanged)
{
    check(contract_bytes_pass_through_unchanged);
}

Test(memory_store, meta_is_complete_after_any_commit)
{
    check(contract_meta_is_complete_after_any_commit);
}

Test(memory_store, refuses_stale_version)
{
    check(contract_refuses_stale_version);
}

Test(memory_store, refuses_stale_token_at_equal_version)
{
    check(contract_refuses_stale_token_at_equal_version);
}

Test(memory_store, refused_commit_writes_nothing)
{
    check(contract_refused_commit_writes_nothing);
}

Test(memory_store, pipelined_chain_takes_effect)
{
    check(contract_pipelined_chain_takes_effect);
}

Test(memory_store, pipelined_chain_breaks_where_another_was_faster)
{
    check(contract_pipelined_chain_breaks_where_another_was_faster);
}

Test(memory_store, requests_run_in_order)
{
    check(contract_requests_run_in_order);
}

Test(memory_store, refuses_attempt_out_of_turn)
{
    check(contract_refuses_attempt_out_of_turn);
}

Test(memory_store, pending_record_moves_when_settled)
{
    check(contract_pending_record_moves_when_settled);
}

Test(memory_store, unchecked_commit_keeps_version_and_elements)
{
    check(contract_unchecked_commit_keeps_version_and_elements);
}

Test(memory_store, unchecked_commit_never_lowers_a_position)
{
    check(contract_unchecked_commit_never_lowers_a_position);
}

Test(memory_store, unchecked_commit_checks_attempts)
{
    check(contract_unchecked_commit_checks_attempts);
}

Test(memory_store, keeps_the_newest_batches)
{
    check(contract_keeps_the_newest_batches);
}

Test(memory_store, evicts_by_bytes)
{
    check(contract_evicts_by_bytes);
}

Test(memory_store, keeps_unsettled_records)
{
    check(contract_keeps_unsettled_records);
}

Test(memory_store, never_evicts_pending_records)
{
    check(contract_never_evicts_pending_records);
}

Test(memory_store, without_dedupe_keeps_unsettled_records_only)
{
    check(contract_without_dedupe_keeps_unsettled_records_only);
}

Test(memory_store, drops_old_tombstones_a_few_at_a_time)
{
    check(contract_drops_old_tombstones_a_few_at_a_time);
}

Test(memory_store, drops_the_oldest_tombstones_beyond_the_maximum)
{
    check(contract_drops_the_oldest_tombstones_beyond_the_maximum);
}

Test(memory_store, drops_no_present_element)
{
    check(contract_drops_no_present_element);
}

Test(memory_store, wrong_type_fails_that_scene_only)
{
    check(contract_wrong_type_fails_that_scene_only);
}

Test(memory_store, ten_thousand_elements_in_one_commit)
{
    check(contract_ten_thousand_elements_in_one_commit);
}

Test(memory_store, many_records_and_positions_in_one_commit)
{
    check(contract_many_records_and_positions_in_one_commit);
}

Test(memory_store, load_fails_where_the_arena_is_full)
{
    check(contract_load_fails_where_the_arena_is_full);
}

Test(memory_store, watermark_reads_what_was_written)
{
    check(contract_watermark_reads_what_was_written);
}

Test(memory_store, watermark_is_written_as_a_whole_or_not_at_all)
{
    check(contract_watermark_is_written_as_a_whole_or_not_at_all);
}

Test(memory_store, watermark_takes_as_many_entries_as_allowed)
{
    check(contract_watermark_takes_as_many_entries_as_allowed);
}

Test(memory_store, watermark_fails_where_the_arena_is_full)
{
    check(contract_watermark_fails_where_the_arena_is_full);
}

Test(memory_store, commit_builds_on_the_watermark_it_names)
{
    check(contract_commit_builds_on_the_watermark_it_names);
}

Test(memory_store, disowned_comes_before_refused)
{
    check(contract_disowned_comes_before_refused);
}

Test(memory_store, commit_sent_behind_a_takeover_is_disowned)
{
    check(contract_commit_sent_behind_a_takeover_is_disowned);
}

Test(memory_store, changed_history_gives_the_connection_up)
{
    check(contract_changed_history_gives_the_connection_up);
}

Test(memory_store, wrong_type_of_the_watermark_stops_all_work)
{
    check(contract_wrong_type_of_the_watermark_stops_all_work);
}
