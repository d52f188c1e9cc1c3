/* The contract that all stores share, on the Redis store: it shows what store/commit.lua does. */
#include <criterion/criterion.h>

#include "store/memory_store.h"
#include "tests/support/redis_store_fixture.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_requests.h"

enum { SEEDS = 12, STEPS = 150 };

static struct store *create(void *context, const struct store_retention *retention)
{
    struct redis_server *const server = context;
    REDIS_RUN(server, "FLUSHALL");
    struct store *const store = redis_fixture_create_store(server, retention);
    await_ready(store);
    return store;
}

static void break_elements(void *context, struct store *store, struct span session_id)
{
    char key[128];
    (void)store;
    redis_fixture_key(session_id, ":elements", key);
    REDIS_RUN(context, "DEL", key);
    REDIS_RUN(context, "SET", key, "a string");
}

static void set_watermark_wrong(void *context, struct store *store, bool wrong)
{
    (void)store;
    REDIS_RUN(context, "DEL", REDIS_FIXTURE_WATERMARK_KEY);
    if (wrong) {
        REDIS_RUN(context, "SET", REDIS_FIXTURE_WATERMARK_KEY, "a string");
    }
}

/* A replica that is promoted gets a new replication id. There is nobody to copy from here, so it
 * keeps its data. */
static void change_history(void *context, struct store *store)
{
    (void)store;
    REDIS_RUN(context, "REPLICAOF", "127.0.0.1", "1");
    REDIS_RUN(context, "REPLICAOF", "NO", "ONE");
}

static void dump(void *context, struct store *store, struct span session_id, struct buffer *out)
{
    (void)store;
    redis_fixture_dump(context, session_id, out);
}

static struct store_contract contract_on(struct redis_server *server)
{
    return (struct store_contract){.create = create,
                                   .break_elements = break_elements,
                                   .set_watermark_wrong = set_watermark_wrong,
                                   .change_history = change_history,
                                   .dump = dump,
                                   .context = server};
}

static void check(void (*contract_check)(const struct store_contract *contract))
{
    struct redis_server *const server = redis_server_start();
    const struct store_contract contract = contract_on(server);
    contract_check(&contract);
    redis_server_stop(server);
}

static struct store *create_in_memory(void *context, const struct store_retention *retention)
{
    (void)context;
    struct store *const store = memory_store_create(retention);
    cr_assert_not_null(store);
    return store;
}

static void change_memory_history(void *context, struct store *store)
{
    (void)context;
    memory_store_change_history(store);
}

static void dump_memory(void *context, struct store *store, struct span session_id,
                        struct buffer *out)
{
    (void)context;
    memory_store_dump(store, session_id, out);
}

Test(redis_store, loads_what_was_committed)
{
    check(contract_loads_what_was_committed);
}

Test(redis_store, unknown_scene_is_version_zero)
{
    check(contract_unknown_scene_is_version_zero);
}

Test(redis_store, bytes_pass_through_unchanged)
{
    check(contract_bytes_pass_through_unchanged);
}

Test(redis_store, meta_is_complete_after_any_commit)
{
    check(contract_meta_is_complete_after_any_commit);
}

Test(redis_store, refuses_stale_version)
{
    check(contract_refuses_stale_version);
}

Test(redis_store, refuses_stale_token_at_equal_version)
{
    check(contract_refuses_stale_token_at_equal_version);
}

Test(redis_store, refused_commit_writes_nothing)
{
    check(contract_refused_commit_writes_nothing);
}

Test(redis_store, pipelined_chain_takes_effect)
{
    check(contract_pipelined_chain_takes_effect);
}

Test(redis_store, pipelined_chain_breaks_where_another_was_faster)
{
    check(contract_pipelined_chain_breaks_where_another_was_faster);
}

Test(redis_store, requests_run_in_order)
{
    check(contract_requests_run_in_order);
}

Test(redis_store, refuses_attempt_out_of_turn)
{
    check(contract_refuses_attempt_out_of_turn);
}

Test(redis_store, pending_record_moves_when_settled)
{
    check(contract_pending_record_moves_when_settled);
}

Test(redis_store, unchecked_commit_keeps_version_and_elements)
{
    check(contract_unchecked_commit_keeps_version_and_elements);
}

Test(redis_store, unchecked_commit_never_lowers_a_position)
{
    check(contract_unchecked_commit_never_lowers_a_position);
}

Test(redis_store, unchecked_commit_checks_attempts)
{
    check(contract_unchecked_commit_checks_attempts);
}

Test(redis_store, keeps_the_newest_batches)
{
    check(contract_keeps_the_newest_batches);
}

Test(redis_store, evicts_by_bytes)
{
    check(contract_evicts_by_bytes);
}

Test(redis_store, keeps_unsettled_records)
{
    check(contract_keeps_unsettled_records);
}

Test(redis_store, never_evicts_pending_records)
{
    check(contract_never_evicts_pending_records);
}

Test(redis_store, without_dedupe_keeps_unsettled_records_only)
{
    check(contract_without_dedupe_keeps_unsettled_records_only);
}

Test(redis_store, drops_old_tombstones_a_few_at_a_time)
{
    check(contract_drops_old_tombstones_a_few_at_a_time);
}

Test(redis_store, drops_the_oldest_tombstones_beyond_the_maximum)
{
    check(contract_drops_the_oldest_tombstones_beyond_the_maximum);
}

Test(redis_store, drops_no_present_element)
{
    check(contract_drops_no_present_element);
}

Test(redis_store, wrong_type_fails_that_scene_only)
{
    check(contract_wrong_type_fails_that_scene_only);
}

Test(redis_store, ten_thousand_elements_in_one_commit)
{
    check(contract_ten_thousand_elements_in_one_commit);
}

Test(redis_store, many_records_and_positions_in_one_commit)
{
    check(contract_many_records_and_positions_in_one_commit);
}

Test(redis_store, load_fails_where_the_arena_is_full)
{
    check(contract_load_fails_where_the_arena_is_full);
}

Test(redis_store, watermark_reads_what_was_written)
{
    check(contract_watermark_reads_what_was_written);
}

Test(redis_store, watermark_is_written_as_a_whole_or_not_at_all)
{
    check(contract_watermark_is_written_as_a_whole_or_not_at_all);
}

Test(redis_store, watermark_takes_as_many_entries_as_allowed)
{
    check(contract_watermark_takes_as_many_entries_as_allowed);
}

Test(redis_store, watermark_fails_where_the_arena_is_full)
{
    check(contract_watermark_fails_where_the_arena_is_full);
}

Test(redis_store, commit_builds_on_the_watermark_it_names)
{
    check(contract_commit_builds_on_the_watermark_it_names);
}

Test(redis_store, disowned_comes_before_refused)
{
    check(contract_disowned_comes_before_refused);
}

Test(redis_store, commit_sent_behind_a_takeover_is_disowned)
{
    check(contract_commit_sent_behind_a_takeover_is_disowned);
}

Test(redis_store, changed_history_gives_the_connection_up)
{
    check(contract_changed_history_gives_the_connection_up);
}

Test(redis_store, wrong_type_of_the_watermark_stops_all_work)
{
    check(contract_wrong_type_of_the_watermark_stops_all_work);
}

Test(redis_store, does_as_the_memory_store_does_under_random_commits, .timeout = 240)
{
    struct redis_server *const server = redis_server_start();
    const struct store_contract redis = contract_on(server);
    const struct store_contract memory = {
        .create = create_in_memory, .change_history = change_memory_history, .dump = dump_memory};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        contract_compare(&redis, &memory, seed, STEPS);
    }
    redis_server_stop(server);
}
