#include "tests/support/store_contract.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/store_contract_fixture.h"

static const char session[] = CONTRACT_SESSION;

void contract_refuses_attempt_out_of_turn(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    struct arena *const arena = &fixture.arena;
    const struct {
        uint32_t attempt;
        bool pending;
        enum store_status status;
    } steps[] = {
        {2, true, STORE_REFUSED},  {1, true, STORE_DONE},     {1, true, STORE_REFUSED},
        {3, false, STORE_REFUSED}, {2, true, STORE_DONE},     {2, false, STORE_REFUSED},
        {3, false, STORE_DONE},    {1, false, STORE_REFUSED},
    };
    uint64_t version = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        const struct record_write record =
            record_of(arena, "batch", steps[i].attempt, 1, steps[i].pending);
        cr_assert_eq(commit_record(&fixture, version + 1, record, ""), steps[i].status, "step %zu",
                     i);
        version += steps[i].status == STORE_DONE;
    }
    close_fixture(&fixture);
}

void contract_pending_record_moves_when_settled(const struct store_contract *contract)
{
    struct fixture fixture = open_fixture(contract, contract_retention());
    const struct record_write pending = record_of(&fixture.arena, "batch", 1, 1, true);
    const struct record_write settled = record_of(&fixture.arena, "batch", 2, 1, false);
    cr_assert_eq(commit_record(&fixture, 1, pending, ""), STORE_DONE);
    cr_assert_eq(count_fields(dump(&fixture), "pending"), 1);
    cr_assert_eq(count_fields(dump(&fixture), "batches"), 0);
    cr_assert_eq(commit_record(&fixture, 2, settled, ""), STORE_DONE);
    cr_assert_eq(count_fields(dump(&fixture), "pending"), 0);
    cr_assert_eq(count_fields(dump(&fixture), "batches"), 1);
    cr_assert(
        span_equal(find_record(fixture.store, session, "batch", &fixture.arena), settled.value));
    close_fixture(&fixture);
}

/** Commits `count` more batches, "b<version>" each, delivered at the offset of their version. */
static void commit_batches(struct fixture *fixture, uint64_t *version, size_t count,
                           const char *settled_offsets)
{
    for (size_t i = 0; i < count; i++) {
        char field[32];
        *version += 1;
        (void)snprintf(field, sizeof(field), "b%llu", (unsigned long long)*version);
        const struct record_write record =
            record_of(&fixture->arena, field, 1, (int64_t)*version, false);
        cr_assert_eq(commit_record(fixture, *version, record, settled_offsets), STORE_DONE);
    }
}

void contract_keeps_the_newest_batches(const struct store_contract *contract)
{
    enum { BATCHES_MAX = 5 };
    struct store_retention retention = contract_retention();
    retention.dedupe_batches_max = BATCHES_MAX;
    struct fixture fixture = open_fixture(contract, retention);
    uint64_t version = 0;
    for (int round = 0; round < 23; round++) {
        commit_batches(&fixture, &version, 1, "t/0=1000");
        for (uint64_t i = 0; i < BATCHES_MAX && i < version; i++) {
            const struct span field =
                text_in(&fixture.arena, "b%llu%c", (unsigned long long)(version - i), 0);
            cr_assert(has_record(&fixture, (const char *)field.data), "%s of %llu is gone",
                      (const char *)field.data, (unsigned long long)version);
        }
        const size_t kept =
            count_fields(dump(&fixture), "batches") + count_fields(dump(&fixture), "batches.old");
        cr_assert_leq(kept, 2 * BATCHES_MAX);
    }
    cr_assert(!has_record(&fixture, "b1"));
    close_fixture(&fixture);
}

void contract_evicts_by_bytes(const struct store_contract *contract)
{
    struct store_retention retention = contract_retention();
    retention.dedupe_bytes_max = 600;
    struct fixture fixture = open_fixture(contract, retention);
    uint64_t version = 0;
    for (int round = 0; round < 100; round++) {
        commit_batches(&fixture, &version, 1, "t/0=1000");
        /* About 25 bytes each: at most 300 in each of two generations. */
        const size_t kept =
            count_fields(dump(&fixture), "batches") + count_fields(dump(&fixture), "batches.old");
        cr_assert_leq(kept, 30, "%zu records after %d", kept, round);
    }
    cr_assert(has_record(&fixture, "b100"));
    cr_assert(has_record(&fixture, "b95"));
    cr_assert(!has_record(&fixture, "b60"));
    close_fixture(&fixture);
}

void contract_keeps_unsettled_records(const struct store_contract *contract)
{
    struct store_retention retention = contract_retention();
    retention.dedupe_batches_max = 2;
    struct fixture fixture = open_fixture(contract, retention);
    uint64_t version = 0;
    /* Committed up to offset 3, exclusive: b1 and b2 are settled, b3 is not. */
    commit_batches(&fixture, &version, 30, "other/0=100 t/0=3 t/00=99");
    cr_assert(!has_record(&fixture, "b1"));
    cr_assert(!has_record(&fixture, "b2"));
    cr_assert(has_record(&fixture, "b3"));
    cr_assert(has_record(&fixture, "b30"));
    /* Without a word about the partition nothing goes. */
    commit_batches(&fixture, &version, 10, "t/1=1000");
    cr_assert(has_record(&fixture, "b3"));
    /* Settled, they go with the coming rotations. */
    commit_batches(&fixture, &version, 10, "t/0=1000");
    cr_assert(!has_record(&fixture, "b3"));
    cr_assert(!has_record(&fixture, "b40"));
    cr_assert(has_record(&fixture, "b50"));
    close_fixture(&fixture);
}

void contract_never_evicts_pending_records(const struct store_contract *contract)
{
    struct store_retention retention = contract_retention();
    retention.dedupe_batches_max = 1;
    struct fixture fixture = open_fixture(contract, retention);
    uint64_t version = 1;
    const struct record_write pending = record_of(&fixture.arena, "waiting", 1, 1, true);
    cr_assert_eq(commit_record(&fixture, version, pending, ""), STORE_DONE);
    commit_batches(&fixture, &version, 20, "t/0=1000");
    cr_assert(has_record(&fixture, "waiting"));
    const struct record_write next = record_of(&fixture.arena, "waiting", 2, 1, true);
    cr_assert_eq(commit_record(&fixture, version + 1, next, ""), STORE_DONE);
    close_fixture(&fixture);
}

void contract_without_dedupe_keeps_unsettled_records_only(const struct store_contract *contract)
{
    struct store_retention retention = contract_retention();
    retention.dedupe_batches_max = 0;
    struct fixture fixture = open_fixture(contract, retention);
    uint64_t version = 0;
    commit_batches(&fixture, &version, 5, "t/0=1");
    for (int i = 1; i <= 5; i++) {
        const struct span field = text_in(&fixture.arena, "b%d%c", i, 0);
        cr_assert(has_record(&fixture, (const char *)field.data), "b%d", i);
    }
    commit_batches(&fixture, &version, 3, "t/0=1000");
    cr_assert(!has_record(&fixture, "b5"));
    cr_assert(!has_record(&fixture, "b6"));
    cr_assert(has_record(&fixture, "b8"));
    close_fixture(&fixture);
}
