#include <criterion/criterion.h>

#include "tests/support/store_contract_fixture.h"

static const char session[] = CONTRACT_SESSION;

/* The watermark alone. */

void contract_watermark_reads_what_was_written(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    expect_mark(&fixture, "t/0", NULL);
    struct watermark_entry entries[] = {mark_entry("t/0", NULL, "12 me"),
                                        mark_entry("t.retry-1/7", NULL, "a \xff\r\n$1\r\n")};
    cr_assert_eq(write_marks(&fixture, entries, 2), STORE_DONE);
    expect_mark(&fixture, "t/0", "12 me");
    expect_mark(&fixture, "t.retry-1/7", "a \xff\r\n$1\r\n");
    expect_mark(&fixture, "t/1", NULL);
    struct watermark_entry next = mark_entry("t/0", "12 me", "13 me");
    cr_assert_eq(write_marks(&fixture, &next, 1), STORE_DONE);
    expect_mark(&fixture, "t/0", "13 me");
    cr_assert_str_empty(dump(&fixture), "a scene came to be");
    close_fixture(&fixture);
}

void contract_watermark_is_written_as_a_whole_or_not_at_all(const struct store_contract *contract)
{
    static const struct {
        const char *expected[3]; /* of t/0, which says "a", of t/1, which says "b", and of t/2 */
    } cases[] = {
        {{"a", "b", "c"}},   /* it lacks an entry */
        {{"a", NULL, NULL}}, /* it has one more */
        {{"a", "B", NULL}},  /* it has another */
        {{"b", "a", NULL}},  {{"a ", "b", NULL}}, {{NULL, NULL, NULL}}, {{"a", "b\n", NULL}},
    };
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct watermark_entry first[] = {mark_entry("t/0", NULL, "a"), mark_entry("t/1", NULL, "b")};
    cr_assert_eq(write_marks(&fixture, first, 2), STORE_DONE);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct watermark_entry entries[] = {mark_entry("t/0", cases[i].expected[0], "x"),
                                            mark_entry("t/1", cases[i].expected[1], "x"),
                                            mark_entry("t/2", cases[i].expected[2], "x")};
        cr_assert_eq(write_marks(&fixture, entries, 3), STORE_DISOWNED, "case %zu", i);
        cr_assert(span_equal_text(entries[0].found, "a"), "case %zu", i);
        cr_assert(span_equal_text(entries[1].found, "b"), "case %zu", i);
        cr_assert(span_is_absent(entries[2].found), "case %zu", i);
        expect_mark(&fixture, "t/0", "a");
        expect_mark(&fixture, "t/1", "b");
        expect_mark(&fixture, "t/2", NULL);
    }
    struct watermark_entry right[] = {mark_entry("t/0", "a", "x"), mark_entry("t/1", "b", "y"),
                                      mark_entry("t/2", NULL, "z")};
    cr_assert_eq(write_marks(&fixture, right, 3), STORE_DONE);
    expect_mark(&fixture, "t/2", "z");
    close_fixture(&fixture);
}

void contract_watermark_takes_as_many_entries_as_allowed(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct arena *const arena = &fixture.arena;
    static struct watermark_entry entries[STORE_WATERMARK_ENTRIES_MAX];
    for (size_t i = 0; i < STORE_WATERMARK_ENTRIES_MAX; i++) {
        entries[i] = (struct watermark_entry){.name = text_in(arena, "t/%zu", i),
                                              .value = text_in(arena, "%zu", i)};
    }
    cr_assert_eq(write_marks(&fixture, entries, STORE_WATERMARK_ENTRIES_MAX), STORE_DONE);
    cr_assert_eq(write_marks(&fixture, entries, STORE_WATERMARK_ENTRIES_MAX), STORE_DISOWNED);
    for (size_t i = 0; i < STORE_WATERMARK_ENTRIES_MAX; i++) {
        cr_assert(span_equal(entries[i].found, entries[i].value), "entry %zu", i);
    }
    expect_mark(&fixture, "t/999", "999");
    close_fixture(&fixture);
}

void contract_watermark_fails_where_the_arena_is_full(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct watermark_entry entry = mark_entry("t/0", NULL, "1");
    cr_assert_eq(write_marks(&fixture, &entry, 1), STORE_DONE);
    struct arena none;
    arena_init(&none, 0);
    for (int is_write = 0; is_write < 2; is_write++) {
        struct watermark_request request = {
            .entries = &entry, .count = 1, .is_write = is_write, .arena = &none};
        cr_assert_eq(run_watermark(fixture.store, &request), STORE_FAILED);
        cr_assert_eq(request.error.code, ERROR_OUT_OF_MEMORY);
    }
    expect_mark(&fixture, "t/0", "1");
    arena_deinit(&none);
    close_fixture(&fixture);
}

/* Commits that name it. */

/** A commit to version 2 that writes a bit of everything, with a position per mark. */
static struct scene_commit marked_commit(struct fixture *fixture, const char *const *marks,
                                         size_t count)
{
    struct arena *const arena = &fixture->arena;
    struct store_position *const positions = arena_alloc_array(arena, count, sizeof(*positions));
    struct record_write *const record = arena_alloc_array(arena, 1, sizeof(*record));
    *record = record_of(arena, "batch", 1, 1, false);
    for (size_t i = 0; i < count; i++) {
        positions[i] = (struct store_position){
            .name = text_in(arena, "t/%zu", i), .offset = 5, .timestamp_ms = 5};
        if (marks[i] != NULL) {
            positions[i].mark = span_of_text(marks[i]);
        }
    }
    struct scene_commit commit = commit_to(session, 2, arena);
    commit.records = record;
    commit.record_count = 1;
    commit.positions = positions;
    commit.position_count = count;
    return commit;
}

/** A scene at version 1, in a store whose watermark says "a" of t/0 and "b" of t/1. */
static struct fixture open_marked(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct watermark_entry entries[] = {mark_entry("t/0", NULL, "a"), mark_entry("t/1", NULL, "b")};
    cr_assert_eq(write_marks(&fixture, entries, 2), STORE_DONE);
    struct scene_commit first = commit_to(session, 1, &fixture.arena);
    commit_done(&fixture, &first);
    return fixture;
}

void contract_commit_builds_on_the_watermark_it_names(const struct store_contract *contract)
{
    static const struct {
        const char *marks[3];
        enum store_status status;
    } cases[] = {
        {{"b", NULL, NULL}, STORE_DISOWNED}, {{"", "B", NULL}, STORE_DISOWNED},
        {{"a", "a", NULL}, STORE_DISOWNED},  {{"b", "b", NULL}, STORE_DISOWNED},
        {{"a", "b", "c"}, STORE_DISOWNED},   {{NULL, NULL, "a"}, STORE_DISOWNED},
        {{"a", NULL, NULL}, STORE_DONE},     {{NULL, "b", NULL}, STORE_DONE},
        {{"a", "b", NULL}, STORE_DONE},      {{NULL, NULL, NULL}, STORE_DONE},
    };
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
        struct fixture fixture = open_marked(contract);
        const struct span before = keep_dump(&fixture);
        struct scene_commit commit = marked_commit(&fixture, cases[i / 2].marks, 3);
        commit.checked = i % 2 == 0;
        cr_assert_eq(run_commit(fixture.store, &commit), cases[i / 2].status,
                     "case %zu, checked %d: %d %s", i / 2, commit.checked, (int)commit.status,
                     commit.error.message);
        cr_assert_eq(span_equal_text(before, dump(&fixture)), cases[i / 2].status == STORE_DISOWNED,
                     "case %zu", i / 2);
        close_fixture(&fixture);
    }
}

void contract_disowned_comes_before_refused(const struct store_contract *contract)
{
    static const char *const marks[] = {"lost"};
    struct fixture fixture = open_marked(contract);
    struct scene_commit stale = marked_commit(&fixture, marks, 1);
    stale.expected_token = token_of("stale");
    cr_assert_eq(run_commit(fixture.store, &stale), STORE_DISOWNED);
    contract->break_elements(contract->context, fixture.store, span_of_text(session));
    cr_assert_eq(run_commit(fixture.store, &stale), STORE_DISOWNED);
    close_fixture(&fixture);
}

/** What a worker that lost its partition had sent ahead must not take effect behind the take-over.
 */
void contract_commit_sent_behind_a_takeover_is_disowned(const struct store_contract *contract)
{
    static const char *const marks[] = {"a"};
    struct fixture fixture = open_marked(contract);
    struct watermark_entry entry = mark_entry("t/0", "a", "somebody else's");
    struct watermark_request takeover = {
        .entries = &entry, .count = 1, .is_write = true, .arena = &fixture.arena};
    struct scene_commit before = marked_commit(&fixture, marks, 1);
    struct scene_commit after = before;
    after.expected_version = 2;
    after.expected_token = before.token;
    after.record_count = 0;
    store_submit_commit(fixture.store, &before);
    store_submit_watermark(fixture.store, &takeover);
    store_submit_commit(fixture.store, &after);
    for (int i = 0; i < REQUEST_WAIT_MS && store_poll(fixture.store, 1) > 0; i++) {
    }
    cr_assert_eq(before.status, STORE_DONE, "%s", before.error.message);
    cr_assert_eq(takeover.status, STORE_DONE, "%s", takeover.error.message);
    cr_assert_eq(after.status, STORE_DISOWNED);
    close_fixture(&fixture);
}

/* Faults. */

void contract_changed_history_gives_the_connection_up(const struct store_contract *contract)
{
    static const char *const marks[] = {"a"};
    struct fixture fixture = open_marked(contract);
    const uint64_t epoch = store_epoch(fixture.store);
    contract->change_history(contract->context, fixture.store);
    expect_mark(&fixture, "t/0", "a");
    struct watermark_entry entry = mark_entry("t/0", "a", "x");
    cr_assert_eq(write_marks(&fixture, &entry, 1), STORE_UNKNOWN);
    await_ready(fixture.store);
    cr_assert_eq(store_epoch(fixture.store), epoch + 1);
    expect_mark(&fixture, "t/0", "a");
    struct scene_commit commit = marked_commit(&fixture, marks, 1);
    commit_done(&fixture, &commit);
    cr_assert_eq(write_marks(&fixture, &entry, 1), STORE_DONE);
    close_fixture(&fixture);
}

/** Nothing may be given up as a scene's own fault: all wait until somebody removes what is there.
 */
void contract_wrong_type_of_the_watermark_stops_all_work(const struct store_contract *contract)
{
    static const char *const marks[] = {"a"};
    for (int first = 0; first < 3; first++) {
        struct fixture fixture = open_marked(contract);
        struct watermark_entry entry = mark_entry("t/0", NULL, "x");
        struct watermark_request request = {
            .entries = &entry, .count = 1, .is_write = first == 1, .arena = &fixture.arena};
        struct scene_commit commit = marked_commit(&fixture, marks, 1);
        contract->set_watermark_wrong(contract->context, fixture.store, true);
        cr_assert_eq(first == 2 ? run_commit(fixture.store, &commit)
                                : run_watermark(fixture.store, &request),
                     STORE_UNKNOWN, "request %d", first);
        cr_assert(!store_is_ready(fixture.store), "request %d", first);
        contract->set_watermark_wrong(contract->context, fixture.store, false);
        await_ready(fixture.store);
        request.is_write = false;
        cr_assert_eq(run_watermark(fixture.store, &request), STORE_DONE, "request %d", first);
        close_fixture(&fixture);
    }
}
