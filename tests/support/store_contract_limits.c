#include "tests/support/store_contract.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/store_contract_fixture.h"

enum { MANY_ELEMENTS = 10000, MANY_RECORDS = 8000, MANY_POSITIONS = 4000 };

static const char session[] = CONTRACT_SESSION;

/* Tombstones. */

/** Removes the elements "e<first>" to "e<first + count - 1>" in one commit; each was removed at the
 * record time of its number. */
static struct scene_commit remove_elements(struct fixture *fixture, uint64_t version, int first,
                                           size_t count, int64_t updated_at_ms)
{
    struct element_write *const elements =
        arena_alloc_array(&fixture->arena, count, sizeof(*elements));
    for (size_t i = 0; i < count; i++) {
        elements[i] = (struct element_write){.id = text_in(&fixture->arena, "e%d", first + (int)i),
                                             .value = tombstone_value(&fixture->arena),
                                             .kind = ELEMENT_WRITE_TOMBSTONE,
                                             .record_time_ms = first + (int)i};
    }
    struct scene_commit commit = commit_to(session, version, &fixture->arena);
    commit.elements = elements;
    commit.element_count = count;
    commit.updated_at_ms = updated_at_ms;
    commit_done(fixture, &commit);
    return commit;
}

void contract_drops_old_tombstones_a_few_at_a_time(const struct store_contract *contract)
{
    struct store_retention retention = contract_retention();
    retention.tombstone_retention_ms = 1000;
    struct fixture fixture = open_fixture(contract, retention);
    struct scene_commit commit = remove_elements(&fixture, 1, 101, 40, 1100);
    cr_assert_eq(commit.dropped_count, 0, "none is 1000 ms old yet");

    commit = remove_elements(&fixture, 2, 500, 1, 1103);
    cr_assert_eq(commit.dropped_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct span id = text_in(&fixture.arena, "e%zu", 101 + i);
        cr_assert(span_equal(commit.dropped[i], id), "dropped %zu", i);
    }
    cr_assert(!has_element(&fixture, "e103"));
    cr_assert(has_element(&fixture, "e104"));

    commit = remove_elements(&fixture, 3, 501, 1, 1200);
    cr_assert_eq(commit.dropped_count, STORE_DROPPED_TOMBSTONES_MAX);
    commit = remove_elements(&fixture, 4, 502, 1, 1200);
    cr_assert_eq(commit.dropped_count, STORE_DROPPED_TOMBSTONES_MAX);
    commit = remove_elements(&fixture, 5, 503, 1, 1200);
    cr_assert_eq(commit.dropped_count, 40 - 3 - 2 * STORE_DROPPED_TOMBSTONES_MAX);
    cr_assert_eq(count_fields(dump(&fixture), "tombstones"), 4);
    cr_assert_eq(count_fields(dump(&fixture), "elements"), 4);
    close_fixture(&fixture);
}

void contract_drops_the_oldest_tombstones_beyond_the_maximum(const struct store_contract *contract)
{
    struct store_retention retention = contract_retention();
    retention.tombstones_max = 5;
    struct fixture fixture = open_fixture(contract, retention);
    struct scene_commit commit = remove_elements(&fixture, 1, 10, 5, 1);
    cr_assert_eq(commit.dropped_count, 0);
    commit = remove_elements(&fixture, 2, 20, 2, 1);
    cr_assert_eq(commit.dropped_count, 2);
    cr_assert(!has_element(&fixture, "e10"));
    cr_assert(!has_element(&fixture, "e11"));
    cr_assert(has_element(&fixture, "e12"));
    /* A tombstone that rises is the same one, at a later time. */
    commit = remove_elements(&fixture, 3, 12, 1, 1);
    cr_assert_eq(commit.dropped_count, 0);
    commit = remove_elements(&fixture, 4, 30, 1, 1);
    cr_assert_eq(commit.dropped_count, 1);
    cr_assert(span_equal_text(commit.dropped[0], "e12"));
    close_fixture(&fixture);
}

static void add_element(struct fixture *fixture, uint64_t version, const char *id,
                        struct span value, enum element_write_kind kind)
{
    const struct element_write element = {
        .id = span_of_text(id), .value = value, .kind = kind, .record_time_ms = 1};
    struct scene_commit commit = commit_to(session, version, &fixture->arena);
    commit.elements = &element;
    commit.element_count = 1;
    commit.updated_at_ms = 1;
    commit_done(fixture, &commit);
}

void contract_drops_no_present_element(const struct store_contract *contract)
{
    static const uint8_t present[] = {0x93, 0x01, 0x09, 0x81, 0xa1, 'x', 0xc0};
    struct store_retention retention = contract_retention();
    retention.tombstone_retention_ms = 10;
    struct fixture fixture = open_fixture(contract, retention);
    const struct span value = span_make(present, sizeof(present));
    const struct span tombstone = tombstone_value(&fixture.arena);
    add_element(&fixture, 1, "revived", tombstone, ELEMENT_WRITE_TOMBSTONE);
    add_element(&fixture, 2, "revived", value, ELEMENT_WRITE_REVIVED);
    cr_assert_eq(count_fields(dump(&fixture), "tombstones"), 0);
    /* Another program may bring an element back and leave the index as it is. */
    add_element(&fixture, 3, "indexed", tombstone, ELEMENT_WRITE_TOMBSTONE);
    add_element(&fixture, 4, "indexed", value, ELEMENT_WRITE_PRESENT);
    cr_assert_eq(count_fields(dump(&fixture), "tombstones"), 1);
    /* Bytes behind the tombstone: not what the worker writes. */
    static const uint8_t odd[] = {0x93, 0x01, 0x09, 0xc0, 0x00};
    add_element(&fixture, 5, "odd", span_make(odd, sizeof(odd)), ELEMENT_WRITE_TOMBSTONE);
    add_element(&fixture, 6, "gone", tombstone, ELEMENT_WRITE_TOMBSTONE);

    struct scene_commit commit = commit_to(session, 7, &fixture.arena);
    commit.updated_at_ms = 1000;
    commit_done(&fixture, &commit);
    cr_assert_eq(commit.dropped_count, 1);
    cr_assert(span_equal_text(commit.dropped[0], "gone"));
    cr_assert(has_element(&fixture, "revived"));
    cr_assert(has_element(&fixture, "indexed"));
    cr_assert(has_element(&fixture, "odd"));
    cr_assert_eq(count_fields(dump(&fixture), "tombstones"), 0);
    close_fixture(&fixture);
}

/* Sizes and wrong types. */

void contract_wrong_type_fails_that_scene_only(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    const struct span id = span_of_text("a");
    const struct element_write element = {.id = id, .value = span_of_text("v")};
    struct scene_commit commit = commit_to(session, 1, &fixture.arena);
    commit_done(&fixture, &commit);
    contract->break_elements(contract->context, fixture.store, span_of_text(session));

    struct scene_load load = {.session_id = span_of_text(session),
                              .element_ids = &id,
                              .element_count = 1,
                              .arena = &fixture.arena};
    cr_assert_eq(run_load(fixture.store, &load), STORE_FAILED);
    cr_assert_eq(load.error.code, ERROR_STORE_ERROR);
    cr_assert_not_null(strstr(load.error.message, "WRONGTYPE"), "%s", load.error.message);

    const struct record_write record = record_of(&fixture.arena, "batch", 1, 1, false);
    for (size_t element_count = 0; element_count < 2; element_count++) {
        struct scene_commit wrong = commit_to(session, 2, &fixture.arena);
        wrong.elements = &element;
        wrong.element_count = element_count;
        wrong.records = &record;
        wrong.record_count = 1;
        cr_assert_eq(run_commit(fixture.store, &wrong), STORE_FAILED);
        cr_assert_eq(wrong.error.code, ERROR_STORE_ERROR);
    }
    cr_assert_eq(load_scene(&fixture).version, 1, "half of a commit was written");
    cr_assert(!has_record(&fixture, "batch"), "half of a commit was written");

    struct scene_commit other = commit_to("scene-2", 1, &fixture.arena);
    other.elements = &element;
    other.element_count = 1;
    commit_done(&fixture, &other);
    cr_assert(store_is_ready(fixture.store));
    close_fixture(&fixture);
}

void contract_ten_thousand_elements_in_one_commit(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct element_write *const elements =
        arena_alloc_array(&fixture.arena, MANY_ELEMENTS, sizeof(*elements));
    struct span *const ids = arena_alloc_array(&fixture.arena, MANY_ELEMENTS, sizeof(*ids));
    for (int i = 0; i < MANY_ELEMENTS; i++) {
        ids[i] = text_in(&fixture.arena, "e%d", i);
        elements[i] = (struct element_write){.id = ids[i],
                                             .value = tombstone_value(&fixture.arena),
                                             .kind = ELEMENT_WRITE_TOMBSTONE,
                                             .record_time_ms = 1};
    }
    struct scene_commit commit = commit_to(session, 1, &fixture.arena);
    commit.elements = elements;
    commit.element_count = MANY_ELEMENTS;
    commit_done(&fixture, &commit);
    cr_assert_eq(count_fields(dump(&fixture), "tombstones"), MANY_ELEMENTS);
    for (int i = 0; i < MANY_ELEMENTS; i++) {
        elements[i].value = ids[i];
        elements[i].kind = ELEMENT_WRITE_REVIVED;
    }
    commit = commit_to(session, 2, &fixture.arena);
    commit.elements = elements;
    commit.element_count = MANY_ELEMENTS;
    commit_done(&fixture, &commit);
    cr_assert_eq(count_fields(dump(&fixture), "tombstones"), 0);

    struct scene_load load = {.session_id = span_of_text(session),
                              .element_ids = ids,
                              .element_count = MANY_ELEMENTS,
                              .arena = &fixture.arena};
    cr_assert_eq(run_load(fixture.store, &load), STORE_DONE, "%s", load.error.message);
    for (int i = 0; i < MANY_ELEMENTS; i++) {
        cr_assert(span_equal(load.element_values[i], ids[i]), "element %d", i);
    }
    close_fixture(&fixture);
}

static struct record_write many_record(struct arena *arena, int number, uint32_t attempt)
{
    char field[16];
    (void)snprintf(field, sizeof(field), "b%d", number);
    return record_of(arena, field, attempt, number, number % 3 == 0);
}

void contract_many_records_and_positions_in_one_commit(const struct store_contract *contract)
{
    struct store_retention retention = contract_retention();
    retention.dedupe_bytes_max = 1 << 30;
    struct fixture fixture = open_fixture(contract, retention);
    struct record_write *const records =
        arena_alloc_array(&fixture.arena, MANY_RECORDS, sizeof(*records));
    struct span *const fields = arena_alloc_array(&fixture.arena, MANY_RECORDS, sizeof(*fields));
    for (int i = 0; i < MANY_RECORDS; i++) {
        records[i] = many_record(&fixture.arena, i, 1);
        fields[i] = records[i].field;
    }
    struct store_position *const positions =
        arena_alloc_array(&fixture.arena, MANY_POSITIONS, sizeof(*positions));
    for (int i = 0; i < MANY_POSITIONS; i++) {
        positions[i].name = text_in(&fixture.arena, "t/%d", i);
        positions[i].offset = i;
    }
    struct scene_commit commit = commit_to(session, 1, &fixture.arena);
    commit.records = records;
    commit.record_count = MANY_RECORDS;
    commit.positions = positions;
    commit.position_count = MANY_POSITIONS;
    commit_done(&fixture, &commit);

    struct scene_load load = {.session_id = span_of_text(session),
                              .record_fields = fields,
                              .record_count = MANY_RECORDS,
                              .positions = positions,
                              .position_count = MANY_POSITIONS,
                              .arena = &fixture.arena};
    cr_assert_eq(run_load(fixture.store, &load), STORE_DONE, "%s", load.error.message);
    for (int i = 0; i < MANY_RECORDS; i++) {
        cr_assert(span_equal(load.record_values[i], records[i].value), "record %d", i);
    }
    for (int i = 0; i < MANY_POSITIONS; i++) {
        cr_assert(positions[i].known && positions[i].offset == i, "position %d", i);
    }
    /* All attempts are looked at, also those in the last of several groups. */
    struct scene_commit again = commit_to(session, 2, &fixture.arena);
    again.records = records;
    again.record_count = MANY_RECORDS;
    for (int i = 0; i < MANY_RECORDS; i++) {
        records[i] = many_record(&fixture.arena, i, 2);
    }
    records[MANY_RECORDS - 2] = many_record(&fixture.arena, MANY_RECORDS - 2, 3);
    cr_assert_eq(run_commit(fixture.store, &again), STORE_REFUSED);
    records[MANY_RECORDS - 2] = many_record(&fixture.arena, MANY_RECORDS - 2, 2);
    cr_assert_eq(run_commit(fixture.store, &again), STORE_DONE, "%s", again.error.message);
    close_fixture(&fixture);
}

void contract_load_fails_where_the_arena_is_full(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    static const uint8_t large[100000];
    const struct span id = span_of_text("a");
    const struct element_write element = {.id = id, .value = span_make(large, sizeof(large))};
    struct scene_commit commit = commit_to(session, 1, &fixture.arena);
    commit.elements = &element;
    commit.element_count = 1;
    commit_done(&fixture, &commit);

    struct arena small;
    arena_init(&small, sizeof(large) - 1);
    struct scene_load load = {.session_id = span_of_text(session),
                              .element_ids = &id,
                              .element_count = 1,
                              .arena = &small};
    cr_assert_eq(run_load(fixture.store, &load), STORE_FAILED);
    cr_assert_eq(load.error.code, ERROR_OUT_OF_MEMORY);
    arena_deinit(&small);
    cr_assert(has_element(&fixture, "a"), "the store went out of step");
    close_fixture(&fixture);
}
