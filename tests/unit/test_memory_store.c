/* What the memory store has beyond the contract: faults, and forgetting its latest commits. */
#include <criterion/criterion.h>

#include "protocol/buffer.h"
#include "store/memory_store.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_requests.h"

static struct store *store;
static struct arena arena;

static void set_up(void)
{
    const struct store_retention retention = contract_retention();
    store = memory_store_create(&retention);
    cr_assert_not_null(store);
    arena_init(&arena, 1 << 20);
}

static void tear_down(void)
{
    store_destroy(store);
    arena_deinit(&arena);
}

TestSuite(memory_store_faults, .init = set_up, .fini = tear_down);

/** Writes "a" = "v<version>" to a scene's next version. */
static enum store_status commit_version(const char *session, uint64_t version)
{
    const struct element_write element = {.id = span_of_text("a"),
                                          .value = text_in(&arena, "v%d", (int)version)};
    struct scene_commit commit = commit_to(session, version, &arena);
    commit.elements = &element;
    commit.element_count = 1;
    return run_commit(store, &commit);
}

static uint64_t load_version(const char *session)
{
    struct scene_load load = {.session_id = span_of_text(session), .arena = &arena};
    cr_assert_eq(run_load(store, &load), STORE_DONE);
    return load.version;
}

Test(memory_store_faults, lost_reply_has_its_effect_all_the_same)
{
    memory_store_inject(store, MEMORY_STORE_FAULT_LOSE_REPLY);
    cr_assert_eq(load_version("s"), 0, "a load took the fault");
    cr_assert_eq(commit_version("s", 1), STORE_UNKNOWN);
    cr_assert_eq(load_version("s"), 1);
    cr_assert_eq(commit_version("s", 2), STORE_DONE);
}

Test(memory_store_faults, lost_request_has_no_effect)
{
    memory_store_inject(store, MEMORY_STORE_FAULT_LOSE_REQUEST);
    cr_assert_eq(commit_version("s", 1), STORE_UNKNOWN);
    cr_assert_eq(load_version("s"), 0);
    memory_store_inject(store, MEMORY_STORE_FAULT_LOSE_REQUEST);
    struct scene_load load = {.session_id = span_of_text("s"), .arena = &arena};
    cr_assert_eq(run_load(store, &load), STORE_UNKNOWN);
    cr_assert_eq(run_load(store, &load), STORE_DONE);
}

Test(memory_store_faults, refusal_has_no_effect)
{
    memory_store_inject(store, MEMORY_STORE_FAULT_REFUSE);
    memory_store_inject(store, MEMORY_STORE_FAULT_REFUSE);
    cr_assert_eq(commit_version("s", 1), STORE_REFUSED);
    cr_assert_eq(commit_version("s", 1), STORE_REFUSED);
    cr_assert_eq(load_version("s"), 0);
    cr_assert_eq(commit_version("s", 1), STORE_DONE);
}

Test(memory_store_faults, down_is_unknown_and_up_is_a_new_epoch)
{
    const uint64_t epoch = store_epoch(store);
    memory_store_set_down(store, true);
    cr_assert(!store_is_ready(store));
    cr_assert_eq(commit_version("s", 1), STORE_UNKNOWN);
    memory_store_set_down(store, false);
    cr_assert(store_is_ready(store));
    cr_assert_eq(store_epoch(store), epoch + 1);
    cr_assert_eq(load_version("s"), 0);
}

Test(memory_store_faults, wrong_type_can_be_mended)
{
    cr_assert_eq(commit_version("s", 1), STORE_DONE);
    memory_store_set_wrong_type(store, span_of_text("s"), true);
    cr_assert_eq(commit_version("s", 2), STORE_FAILED);
    memory_store_set_wrong_type(store, span_of_text("s"), false);
    cr_assert_eq(commit_version("s", 2), STORE_DONE);
}

static struct span dump(const char *session)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    memory_store_dump(store, span_of_text(session), &out);
    const struct span kept = arena_copy(&arena, buffer_span(&out));
    buffer_deinit(&out);
    return kept;
}

Test(memory_store_faults, forgets_its_tail_whatever_scenes_it_touched)
{
    cr_assert_eq(commit_version("a", 1), STORE_DONE);
    cr_assert_eq(commit_version("b", 1), STORE_DONE);
    cr_assert_eq(commit_version("a", 2), STORE_DONE);
    const struct span a = dump("a"), b = dump("b");
    cr_assert_eq(commit_version("a", 3), STORE_DONE);
    cr_assert_eq(commit_version("b", 2), STORE_DONE);
    cr_assert_eq(commit_version("a", 3), STORE_REFUSED);
    const struct record_write record = record_of(&arena, "batch", 1, 1, false);
    struct scene_commit commit = commit_to("b", 3, &arena);
    commit.records = &record;
    commit.record_count = 1;
    cr_assert_eq(run_commit(store, &commit), STORE_DONE);

    memory_store_forget_tail(store, 3);
    cr_assert(span_equal(dump("a"), a));
    cr_assert(span_equal(dump("b"), b));
    cr_assert_eq(commit_version("a", 3), STORE_DONE);
    memory_store_forget_tail(store, MEMORY_STORE_HISTORY_WRITES);
    cr_assert_eq(load_version("a"), 0);
    cr_assert_eq(load_version("b"), 0);
    cr_assert_eq(dump("a").size, 0);
}

/** Writes the watermark's only entry; `expected` NULL: there is none yet. */
static enum store_status write_mark(const char *expected, const char *value)
{
    struct watermark_entry entry = {.name = span_of_text("t/0"), .value = span_of_text(value)};
    if (expected != NULL) {
        entry.expected = span_of_text(expected);
    }
    struct watermark_request request = {
        .entries = &entry, .count = 1, .is_write = true, .arena = &arena};
    return run_watermark(store, &request);
}

static struct span read_mark(void)
{
    struct watermark_entry entry = {.name = span_of_text("t/0")};
    struct watermark_request request = {.entries = &entry, .count = 1, .arena = &arena};
    cr_assert_eq(run_watermark(store, &request), STORE_DONE);
    return entry.found;
}

Test(memory_store_faults, forgets_the_watermark_in_its_turn)
{
    cr_assert_eq(commit_version("s", 1), STORE_DONE);
    cr_assert_eq(write_mark(NULL, "1"), STORE_DONE);
    cr_assert_eq(commit_version("s", 2), STORE_DONE);
    cr_assert_eq(write_mark("1", "2"), STORE_DONE);
    cr_assert_eq(write_mark("1", "3"), STORE_DISOWNED); /* no write, so nothing to forget */
    cr_assert(span_equal_text(read_mark(), "2"));
    memory_store_forget_tail(store, 1);
    cr_assert(span_equal_text(read_mark(), "1"));
    cr_assert_eq(load_version("s"), 2);
    memory_store_forget_tail(store, 1);
    cr_assert_eq(load_version("s"), 1);
    memory_store_forget_tail(store, 1);
    cr_assert(span_is_absent(read_mark()));
    cr_assert_eq(load_version("s"), 1);
}

Test(memory_store_faults, watermark_requests_can_be_lost)
{
    memory_store_inject(store, MEMORY_STORE_FAULT_LOSE_REPLY);
    cr_assert(span_is_absent(read_mark()), "a read took the fault");
    cr_assert_eq(write_mark(NULL, "1"), STORE_UNKNOWN);
    cr_assert(span_equal_text(read_mark(), "1"));
    memory_store_inject(store, MEMORY_STORE_FAULT_LOSE_REQUEST);
    cr_assert_eq(write_mark("1", "2"), STORE_UNKNOWN);
    cr_assert(span_equal_text(read_mark(), "1"));
    memory_store_inject(store, MEMORY_STORE_FAULT_REFUSE);
    cr_assert_eq(write_mark("1", "2"), STORE_DONE, "it took a commit's fault");
    memory_store_set_down(store, true);
    cr_assert_eq(write_mark("2", "3"), STORE_UNKNOWN);
    memory_store_set_down(store, false);
    cr_assert(span_equal_text(read_mark(), "2"));
}

/** What is sent behind the write that notices a take-over goes down with the connection. */
Test(memory_store_faults, changed_history_takes_all_that_is_in_flight)
{
    const uint64_t epoch = store_epoch(store);
    struct watermark_entry entry = {.name = span_of_text("t/0"), .value = span_of_text("1")};
    struct watermark_request write = {
        .entries = &entry, .count = 1, .is_write = true, .arena = &arena};
    struct scene_commit before = commit_to("s", 1, &arena), behind = commit_to("s", 2, &arena);
    memory_store_change_history(store);
    store_submit_commit(store, &before);
    store_submit_watermark(store, &write);
    store_submit_commit(store, &behind);
    cr_assert_eq(store_poll(store, 0), 0);
    cr_assert_eq(before.status, STORE_DONE);
    cr_assert_eq(write.status, STORE_UNKNOWN);
    cr_assert_eq(behind.status, STORE_UNKNOWN);
    cr_assert_eq(store_epoch(store), epoch + 1);
    cr_assert_eq(load_version("s"), 1);
    cr_assert_eq(write_mark(NULL, "1"), STORE_DONE);
}

Test(memory_store_faults, new_connection_knows_the_changed_history)
{
    memory_store_change_history(store);
    memory_store_set_down(store, true);
    memory_store_set_down(store, false);
    cr_assert_eq(write_mark(NULL, "1"), STORE_DONE);
}

Test(memory_store_faults, remembers_the_latest_commits_only)
{
    for (uint64_t version = 1; version <= MEMORY_STORE_HISTORY_WRITES + 5; version++) {
        cr_assert_eq(commit_version("s", version), STORE_DONE);
        arena_reset(&arena);
    }
    memory_store_forget_tail(store, MEMORY_STORE_HISTORY_WRITES);
    cr_assert_eq(load_version("s"), 5);
    cr_assert(span_equal_text(find_element(store, "s", "a", &arena), "v5"));
}

Test(memory_store_faults, full_arena_undoes_the_commit)
{
    struct store_retention retention = contract_retention();
    retention.tombstones_max = 0;
    store_destroy(store);
    store = memory_store_create(&retention);
    const struct element_write element = {
        .id = span_of_text("a"), .value = tombstone_value(&arena), .kind = ELEMENT_WRITE_TOMBSTONE};
    struct arena none;
    arena_init(&none, 0);
    struct scene_commit commit = commit_to("s", 1, &none);
    commit.elements = &element;
    commit.element_count = 1;
    cr_assert_eq(run_commit(store, &commit), STORE_FAILED);
    cr_assert_eq(commit.error.code, ERROR_OUT_OF_MEMORY);
    cr_assert_eq(dump("s").size, 0);
    arena_deinit(&none);
}

Test(memory_store_faults, requests_in_flight_at_its_end_are_unknown)
{
    struct scene_commit commit = commit_to("s", 1, &arena);
    store_submit_commit(store, &commit);
    cr_assert_eq(commit.status, STORE_IN_FLIGHT);
    store_destroy(store);
    store = NULL;
    cr_assert_eq(commit.status, STORE_UNKNOWN);
}
