/**
 * What every store has to do (store/store.h), as checks that run on any of them, and a comparison
 * of two stores under the same random commits.
 *
 * Each check makes a store of its own through the hooks and ends the running test where the
 * contract is broken. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_STORE_CONTRACT_H
#define SCENESYNC_TESTS_SUPPORT_STORE_CONTRACT_H

#include "protocol/buffer.h"
#include "store/store.h"

/** How to make and look into one kind of store. */
struct store_contract {
    /** Returns it owned, ready and empty. */
    struct store *(*create)(void *context, const struct store_retention *retention);
    /** Lets the scene's elements key be of a wrong type. */
    void (*break_elements)(void *context, struct store *store, struct span session_id);
    /** Lets the watermark's key be of a wrong type, or removes it again; entries may be lost. */
    void (*set_watermark_wrong)(void *context, struct store *store, bool wrong);
    /** Lets another primary take over, which lacks nothing, behind the open connection. */
    void (*change_history)(void *context, struct store *store);
    /** Appends all that a scene holds, in the format of memory_store_dump(). */
    void (*dump)(void *context, struct store *store, struct span session_id, struct buffer *out);
    void *context;
};

/** What the settings default to. */
struct store_retention contract_retention(void);

void contract_loads_what_was_committed(const struct store_contract *contract);
void contract_unknown_scene_is_version_zero(const struct store_contract *contract);
void contract_bytes_pass_through_unchanged(const struct store_contract *contract);
void contract_meta_is_complete_after_any_commit(const struct store_contract *contract);
void contract_refuses_stale_version(const struct store_contract *contract);
void contract_refuses_stale_token_at_equal_version(const struct store_contract *contract);
void contract_refused_commit_writes_nothing(const struct store_contract *contract);
void contract_pipelined_chain_takes_effect(const struct store_contract *contract);
void contract_pipelined_chain_breaks_where_another_was_faster(
    const struct store_contract *contract);
void contract_requests_run_in_order(const struct store_contract *contract);
void contract_refuses_attempt_out_of_turn(const struct store_contract *contract);
void contract_pending_record_moves_when_settled(const struct store_contract *contract);
void contract_unchecked_commit_keeps_version_and_elements(const struct store_contract *contract);
void contract_unchecked_commit_never_lowers_a_position(const struct store_contract *contract);
void contract_unchecked_commit_checks_attempts(const struct store_contract *contract);
void contract_keeps_the_newest_batches(const struct store_contract *contract);
void contract_evicts_by_bytes(const struct store_contract *contract);
void contract_keeps_unsettled_records(const struct store_contract *contract);
void contract_never_evicts_pending_records(const struct store_contract *contract);
void contract_without_dedupe_keeps_unsettled_records_only(const struct store_contract *contract);
void contract_drops_old_tombstones_a_few_at_a_time(const struct store_contract *contract);
void contract_drops_the_oldest_tombstones_beyond_the_maximum(const struct store_contract *contract);
void contract_drops_no_present_element(const struct store_contract *contract);
void contract_wrong_type_fails_that_scene_only(const struct store_contract *contract);
void contract_ten_thousand_elements_in_one_commit(const struct store_contract *contract);
void contract_many_records_and_positions_in_one_commit(const struct store_contract *contract);
void contract_load_fails_where_the_arena_is_full(const struct store_contract *contract);

void contract_watermark_reads_what_was_written(const struct store_contract *contract);
void contract_watermark_is_written_as_a_whole_or_not_at_all(const struct store_contract *contract);
void contract_watermark_takes_as_many_entries_as_allowed(const struct store_contract *contract);
void contract_watermark_fails_where_the_arena_is_full(const struct store_contract *contract);
void contract_commit_builds_on_the_watermark_it_names(const struct store_contract *contract);
void contract_disowned_comes_before_refused(const struct store_contract *contract);
void contract_commit_sent_behind_a_takeover_is_disowned(const struct store_contract *contract);
void contract_changed_history_gives_the_connection_up(const struct store_contract *contract);
void contract_wrong_type_of_the_watermark_stops_all_work(const struct store_contract *contract);

/**
 * Applies the same `steps` random loads, commits and watermark requests to a store of either kind,
 * and ends the test where statuses, results or contents differ; the message names the seed.
 */
void contract_compare(const struct store_contract *first, const struct store_contract *second,
                      uint64_t seed, size_t steps);

#endif
