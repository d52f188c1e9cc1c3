#include "tests/support/store_contract_fixture.h"

#include <criterion/criterion.h>

enum { ARENA_BYTES_MAX = 64 << 20, DUMP_BYTES_MAX = 64 << 20 };

struct fixture open_fixture(const struct store_contract *contract, struct store_retention retention)
{
    struct fixture fixture = {.contract = contract};
    fixture.store = contract->create(contract->context, &retention);
    arena_init(&fixture.arena, ARENA_BYTES_MAX);
    buffer_init(&fixture.dumped, DUMP_BYTES_MAX);
    return fixture;
}

void close_fixture(struct fixture *fixture)
{
    store_destroy(fixture->store);
    arena_deinit(&fixture->arena);
    buffer_deinit(&fixture->dumped);
}

const char *dump(struct fixture *fixture)
{
    buffer_clear(&fixture->dumped);
    fixture->contract->dump(fixture->contract->context, fixture->store,
                            span_of_text(CONTRACT_SESSION), &fixture->dumped);
    buffer_append(&fixture->dumped, "", 1);
    cr_assert(!fixture->dumped.failed);
    return (const char *)fixture->dumped.data;
}

struct span keep_dump(struct fixture *fixture)
{
    const struct span kept = arena_copy(&fixture->arena, span_of_text(dump(fixture)));
    cr_assert_not_null(kept.data);
    return kept;
}

size_t count_fields(const char *dumped, const char *key)
{
    size_t count = 0;
    for (const char *line = dumped; *line != '\0'; line = strchr(line, '\n') + 1) {
        count += strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ' ';
    }
    return count;
}

void commit_done(struct fixture *fixture, struct scene_commit *commit)
{
    cr_assert_eq(run_commit(fixture->store, commit), STORE_DONE, "commit to version %llu: %d %s",
                 (unsigned long long)commit->version, (int)commit->status, commit->error.message);
}

struct scene_load load_scene(struct fixture *fixture)
{
    struct scene_load load = {.session_id = span_of_text(CONTRACT_SESSION),
                              .arena = &fixture->arena};
    cr_assert_eq(run_load(fixture->store, &load), STORE_DONE, "%s", load.error.message);
    return load;
}

struct store_position load_position(struct fixture *fixture, const char *name)
{
    struct store_position position = {.name = span_of_text(name)};
    struct scene_load load = {.session_id = span_of_text(CONTRACT_SESSION),
                              .positions = &position,
                              .position_count = 1,
                              .arena = &fixture->arena};
    cr_assert_eq(run_load(fixture->store, &load), STORE_DONE, "%s", load.error.message);
    return position;
}

bool has_record(struct fixture *fixture, const char *field)
{
    return !span_is_absent(find_record(fixture->store, CONTRACT_SESSION, field, &fixture->arena));
}

bool has_element(struct fixture *fixture, const char *id)
{
    return !span_is_absent(find_element(fixture->store, CONTRACT_SESSION, id, &fixture->arena));
}

enum store_status commit_record(struct fixture *fixture, uint64_t version,
                                struct record_write record, const char *settled_offsets)
{
    struct scene_commit commit = commit_to(CONTRACT_SESSION, version, &fixture->arena);
    commit.records = &record;
    commit.record_count = 1;
    commit.settled_offsets = span_of_text(settled_offsets);
    const enum store_status status = run_commit(fixture->store, &commit);
    cr_assert(status == STORE_DONE || status == STORE_REFUSED, "%s", commit.error.message);
    return status;
}

struct watermark_entry mark_entry(const char *name, const char *expected, const char *value)
{
    struct watermark_entry entry = {.name = span_of_text(name), .value = span_of_text(value)};
    if (expected != NULL) {
        entry.expected = span_of_text(expected);
    }
    return entry;
}

enum store_status write_marks(struct fixture *fixture, struct watermark_entry *entries,
                              size_t count)
{
    struct watermark_request request = {
        .entries = entries, .count = count, .is_write = true, .arena = &fixture->arena};
    const enum store_status status = run_watermark(fixture->store, &request);
    cr_assert_neq(status, STORE_FAILED, "%s", request.error.message);
    return status;
}

struct span read_mark(struct fixture *fixture, const char *name)
{
    struct watermark_entry entry = {.name = span_of_text(name)};
    struct watermark_request request = {.entries = &entry, .count = 1, .arena = &fixture->arena};
    cr_assert_eq(run_watermark(fixture->store, &request), STORE_DONE, "%s", request.error.message);
    return entry.found;
}

void expect_mark(struct fixture *fixture, const char *name, const char *expected)
{
    const struct span found = read_mark(fixture, name);
    if (expected == NULL) {
        cr_assert(span_is_absent(found), "%s is %.*s", name, SPAN_ARGS(found));
    } else {
        cr_assert(span_equal_text(found, expected), "%s is not %s", name, expected);
    }
}
