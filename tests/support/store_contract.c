#include "tests/support/store_contract.h"

#include <criterion/criterion.h>

#include "tests/support/store_contract_fixture.h"

static const char session[] = CONTRACT_SESSION;

struct store_retention contract_retention(void)
{
    return (struct store_retention){.dedupe_batches_max = 256,
                                    .dedupe_bytes_max = 1048576,
                                    .dedupe_window_ms = 86400000,
                                    .tombstones_max = 10000,
                                    .tombstone_retention_ms = 2592000000};
}

/* Loads and commits. */

void contract_loads_what_was_committed(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    const struct element_write elements[] = {
        {.id = span_of_text("a"), .value = span_of_text("value a")},
        {.id = span_of_text("b"), .value = span_of_text("value b")},
    };
    const struct record_write records[] = {record_of(&fixture.arena, "batch client", 1, 7, false)};
    struct store_position positions[] = {
        {.name = span_of_text("t/0"), .offset = 7, .timestamp_ms = -1},
        {.name = span_of_text("t/1"), .offset = INT64_MAX, .timestamp_ms = 1700000000000},
        {.name = span_of_text("t/2")},
    };
    struct scene_commit commit = commit_to(session, 1, &fixture.arena);
    commit.elements = elements;
    commit.element_count = 2;
    commit.scene_element_count = 2;
    commit.records = records;
    commit.record_count = 1;
    commit.positions = positions;
    commit.position_count = 2;
    commit_done(&fixture, &commit);
    cr_assert_eq(commit.dropped_count, 0);

    const struct span ids[] = {span_of_text("b"), span_of_text("unknown"), span_of_text("a")};
    const struct span fields[] = {span_of_text("unknown"), span_of_text("batch client")};
    struct store_position read[] = {{.name = positions[1].name},
                                    {.name = positions[2].name, .known = true},
                                    {.name = positions[0].name}};
    struct scene_load load = {.session_id = span_of_text(session),
                              .element_ids = ids,
                              .element_count = 3,
                              .record_fields = fields,
                              .record_count = 2,
                              .positions = read,
                              .position_count = 3,
                              .arena = &fixture.arena};
    cr_assert_eq(run_load(fixture.store, &load), STORE_DONE, "%s", load.error.message);
    cr_assert_eq(load.version, 1);
    cr_assert_str_eq(token_text(&load.token), "t1");
    cr_assert_eq(load.scene_element_count, 2);
    cr_assert(span_equal_text(load.element_values[0], "value b"));
    cr_assert(span_is_absent(load.element_values[1]));
    cr_assert(span_equal_text(load.element_values[2], "value a"));
    cr_assert(span_is_absent(load.record_values[0]));
    cr_assert(span_equal(load.record_values[1], records[0].value));
    cr_assert(read[0].known && read[0].offset == INT64_MAX);
    cr_assert_eq(read[0].timestamp_ms, 1700000000000);
    cr_assert(!read[1].known);
    cr_assert(read[2].known && read[2].offset == 7 && read[2].timestamp_ms == -1);
    close_fixture(&fixture);
}

void contract_unknown_scene_is_version_zero(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    const struct scene_load load = load_scene(&fixture);
    cr_assert_eq(load.version, 0);
    cr_assert_eq(load.token.size, 0);
    cr_assert_eq(load.scene_element_count, 0);
    cr_assert_str_empty(dump(&fixture), "a load left something behind");
    close_fixture(&fixture);
}

void contract_bytes_pass_through_unchanged(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    const struct span all = span_make(bytes, sizeof(bytes)), none = span_make("", 0);
    const struct element_write elements[] = {{.id = span_of_text("all"), .value = all},
                                             {.id = span_of_text("none"), .value = none}};
    uint8_t record_bytes[2 + sizeof(bytes)] = {'1', ' '}; /* the attempt, which stores look at */
    memcpy(record_bytes + 2, bytes, sizeof(bytes));
    const struct record_write record = {.field = span_of_text("b \r\n*1\r\n\xff"),
                                        .value = span_make(record_bytes, sizeof(record_bytes)),
                                        .attempt = 1};
    struct scene_commit commit = commit_to(session, 1, &fixture.arena);
    commit.elements = elements;
    commit.element_count = 2;
    commit.records = &record;
    commit.record_count = 1;
    commit_done(&fixture, &commit);
    cr_assert(span_equal(find_element(fixture.store, session, "all", &fixture.arena), all));
    const struct span empty = find_element(fixture.store, session, "none", &fixture.arena);
    cr_assert(!span_is_absent(empty) && empty.size == 0);
    cr_assert(span_equal(
        find_record(fixture.store, session, (const char *)record.field.data, &fixture.arena),
        record.value));
    close_fixture(&fixture);
}

void contract_meta_is_complete_after_any_commit(const struct store_contract *contract)
{
    static const char *const fields[] = {"meta version ", "meta commit ", "meta element_count ",
                                         "meta updated_at "};
    for (int checked = 0; checked < 2; checked++) {
        struct fixture fixture = open_fixture(contract, contract_retention());
        struct scene_commit commit = commit_to(session, 1, &fixture.arena);
        commit.checked = checked;
        commit_done(&fixture, &commit);
        for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
            cr_assert_not_null(strstr(dump(&fixture), fields[i]), "checked %d: no %s", checked,
                               fields[i]);
        }
        cr_assert_eq(load_scene(&fixture).version, checked ? 1 : 0);
        close_fixture(&fixture);
    }
}

/* The check. */

void contract_refuses_stale_version(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct scene_commit first = commit_to(session, 1, &fixture.arena);
    commit_done(&fixture, &first);
    struct scene_commit stale = commit_to(session, 3, &fixture.arena);
    stale.expected_token = token_of("t1");
    cr_assert_eq(run_commit(fixture.store, &stale), STORE_REFUSED);
    close_fixture(&fixture);
}

void contract_refuses_stale_token_at_equal_version(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct scene_commit first = commit_to(session, 1, &fixture.arena);
    commit_done(&fixture, &first);
    struct scene_commit stale = commit_to(session, 2, &fixture.arena);
    stale.expected_token = token_of("t0");
    cr_assert_eq(run_commit(fixture.store, &stale), STORE_REFUSED);
    stale.expected_token = token_of("");
    cr_assert_eq(run_commit(fixture.store, &stale), STORE_REFUSED);
    stale.expected_token = token_of("t1");
    cr_assert_eq(run_commit(fixture.store, &stale), STORE_DONE);
    close_fixture(&fixture);
}

void contract_refused_commit_writes_nothing(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct scene_commit first = commit_to(session, 1, &fixture.arena);
    commit_done(&fixture, &first);
    const struct span before = keep_dump(&fixture);

    const struct element_write element = {.id = span_of_text("a"),
                                          .value = tombstone_value(&fixture.arena),
                                          .kind = ELEMENT_WRITE_TOMBSTONE,
                                          .record_time_ms = 1};
    const struct record_write record = record_of(&fixture.arena, "batch", 1, 1, false);
    const struct store_position position = {.name = span_of_text("t/0"), .offset = 1};
    struct scene_commit stale = commit_to(session, 3, &fixture.arena);
    stale.elements = &element;
    stale.element_count = 1;
    stale.records = &record;
    stale.record_count = 1;
    stale.positions = &position;
    stale.position_count = 1;
    cr_assert_eq(run_commit(fixture.store, &stale), STORE_REFUSED);
    cr_assert(span_equal_text(before, dump(&fixture)));
    close_fixture(&fixture);
}

/** Submits all, then polls until all are complete. */
static void run_pipeline(struct store *store, struct scene_commit *commits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        store_submit_commit(store, &commits[i]);
    }
    for (int i = 0; i < REQUEST_WAIT_MS && store_poll(store, 1) > 0; i++) {
    }
    for (size_t i = 0; i < count; i++) {
        cr_assert_neq(commits[i].status, STORE_IN_FLIGHT);
    }
}

void contract_pipelined_chain_takes_effect(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct scene_commit commits[20];
    for (uint64_t i = 0; i < 20; i++) {
        commits[i] = commit_to(session, i + 1, &fixture.arena);
    }
    run_pipeline(fixture.store, commits, 20);
    for (size_t i = 0; i < 20; i++) {
        cr_assert_eq(commits[i].status, STORE_DONE, "commit %zu", i);
    }
    cr_assert_eq(load_scene(&fixture).version, 20);
    close_fixture(&fixture);
}

/** A commits 10 -> 11 -> 12 ahead of the replies while B commits 10 -> 11: none of A's may land on
 * B's state, though the second one expects version 11. */
void contract_pipelined_chain_breaks_where_another_was_faster(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    const struct element_write ours = {.id = span_of_text("a"), .value = span_of_text("A's")};
    const struct element_write theirs = {.id = span_of_text("a"), .value = span_of_text("B's")};
    struct scene_commit first = commit_to(session, 10, &fixture.arena);
    first.expected_version = 0;
    first.expected_token = token_of("");
    commit_done(&fixture, &first);

    struct scene_commit commits[] = {commit_to(session, 11, &fixture.arena),
                                     commit_to(session, 11, &fixture.arena),
                                     commit_to(session, 12, &fixture.arena)};
    commits[0].token = token_of("B");
    for (size_t i = 0; i < 3; i++) {
        commits[i].elements = i == 0 ? &theirs : &ours;
        commits[i].element_count = 1;
    }
    run_pipeline(fixture.store, commits, 3);
    cr_assert_eq(commits[0].status, STORE_DONE);
    cr_assert_eq(commits[1].status, STORE_REFUSED);
    cr_assert_eq(commits[2].status, STORE_REFUSED);
    cr_assert_eq(load_scene(&fixture).version, 11);
    cr_assert(span_equal_text(find_element(fixture.store, session, "a", &fixture.arena), "B's"));
    close_fixture(&fixture);
}

void contract_requests_run_in_order(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct scene_load before = {.session_id = span_of_text(session), .arena = &fixture.arena};
    struct scene_load after = before;
    struct scene_commit commit = commit_to(session, 1, &fixture.arena);
    store_submit_load(fixture.store, &before);
    store_submit_commit(fixture.store, &commit);
    store_submit_load(fixture.store, &after);
    for (int i = 0; i < REQUEST_WAIT_MS && store_poll(fixture.store, 1) > 0; i++) {
    }
    cr_assert_eq(commit.status, STORE_DONE);
    cr_assert(before.status == STORE_DONE && before.version == 0);
    cr_assert(after.status == STORE_DONE && after.version == 1);
    close_fixture(&fixture);
}

/* Without the check. */

void contract_unchecked_commit_keeps_version_and_elements(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    const struct element_write element = {.id = span_of_text("a"), .value = span_of_text("v")};
    struct scene_commit first = commit_to(session, 1, &fixture.arena);
    first.elements = &element;
    first.element_count = 1;
    first.scene_element_count = 1;
    commit_done(&fixture, &first);

    const struct record_write record = record_of(&fixture.arena, "batch", 1, 1, false);
    struct scene_commit unchecked = commit_to(session, 77, &fixture.arena);
    unchecked.checked = false;
    unchecked.scene_element_count = 99;
    unchecked.records = &record;
    unchecked.record_count = 1;
    commit_done(&fixture, &unchecked);
    const struct scene_load load = load_scene(&fixture);
    cr_assert_eq(load.version, 1);
    cr_assert_eq(load.scene_element_count, 1);
    cr_assert_str_eq(token_text(&load.token), "t77");
    cr_assert(has_record(&fixture, "batch"));
    cr_assert(has_element(&fixture, "a"));
    close_fixture(&fixture);
}

static void commit_position(struct fixture *fixture, uint64_t version, bool checked, int64_t offset)
{
    const struct store_position position = {
        .name = span_of_text("t/0"), .offset = offset, .timestamp_ms = offset};
    struct scene_commit commit = commit_to(session, version, &fixture->arena);
    commit.checked = checked;
    commit.positions = &position;
    commit.position_count = 1;
    commit_done(fixture, &commit);
}

void contract_unchecked_commit_never_lowers_a_position(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    commit_position(&fixture, 1, false, 9);
    cr_assert_eq(load_position(&fixture, "t/0").offset, 9);
    commit_position(&fixture, 2, false, 8);
    cr_assert_eq(load_position(&fixture, "t/0").offset, 9);
    commit_position(&fixture, 3, false, 10);
    cr_assert_eq(load_position(&fixture, "t/0").offset, 10);

    struct scene_load load = load_scene(&fixture);
    const struct store_position lower = {.name = span_of_text("t/0"), .offset = 2};
    struct scene_commit checked = commit_to(session, 1, &fixture.arena);
    checked.expected_token = load.token;
    checked.positions = &lower;
    checked.position_count = 1;
    commit_done(&fixture, &checked);
    cr_assert_eq(load_position(&fixture, "t/0").offset, 2, "the topic was created again");
    close_fixture(&fixture);
}

void contract_unchecked_commit_checks_attempts(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    const struct record_write record = record_of(&fixture.arena, "batch", 1, 1, false);
    struct scene_commit commit = commit_to(session, 1, &fixture.arena);
    commit.checked = false;
    commit.records = &record;
    commit.record_count = 1;
    commit_done(&fixture, &commit);
    const struct span before = keep_dump(&fixture);
    commit.token = token_of("other");
    cr_assert_eq(run_commit(fixture.store, &commit), STORE_REFUSED);
    cr_assert(span_equal_text(before, dump(&fixture)));
    close_fixture(&fixture);
}
