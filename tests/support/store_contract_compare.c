#include "tests/support/store_contract.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "store/record_head.h"
#include "tests/support/store_contract_fixture.h"

enum {
    ELEMENT_NAMES = 12,
    BATCH_NAMES = 40,
    PARTITIONS = 3,
    ITEMS_MAX = 6,
    DROPS_OLD_AFTER_MS = 50,
    STALE_PERCENT = 10,
    MARK_BYTES_MAX = 24
};

/** The random requests of one comparison, and what a careful writer knows of the scene. */
struct world {
    struct fixture stores[2];
    uint64_t random;
    uint64_t serial; /* of tokens and values */
    uint64_t version;
    struct store_token token;
    int64_t time_ms;
    uint32_t attempts[BATCH_NAMES];         /* recorded last; 0: none, or forgotten meanwhile */
    char marks[PARTITIONS][MARK_BYTES_MAX]; /* of the watermark; empty: none */
};

static uint64_t next_random(struct world *world, uint64_t below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random % below;
}

static bool chance(struct world *world, unsigned percent)
{
    return next_random(world, 100) < percent;
}

/** The items of a commit, drawn once and given to both stores. */
struct draft {
    struct element_write elements[ITEMS_MAX];
    struct record_write records[ITEMS_MAX];
    struct store_position positions[PARTITIONS];
    struct scene_commit commit;
};

static void draw_elements(struct world *world, struct arena *arena, struct draft *draft)
{
    const size_t first = next_random(world, ELEMENT_NAMES);
    for (size_t i = 0; i < draft->commit.element_count; i++) {
        const enum element_write_kind kind = (enum element_write_kind)next_random(world, 3);
        draft->elements[i] = (struct element_write){
            .id = text_in(arena, "e%zu", (first + i) % ELEMENT_NAMES),
            .value = kind == ELEMENT_WRITE_TOMBSTONE
                         ? tombstone_value(arena)
                         : text_in(arena, "value %llu", (unsigned long long)world->serial),
            .kind = kind,
            .record_time_ms = world->time_ms - (int64_t)next_random(world, 20)};
    }
}

static void draw_records(struct world *world, struct arena *arena, struct draft *draft)
{
    const size_t first = next_random(world, BATCH_NAMES);
    for (size_t i = 0; i < draft->commit.record_count; i++) {
        char field[16];
        const size_t name = (first + i) % BATCH_NAMES;
        uint32_t attempt = world->attempts[name] + 1;
        if (chance(world, 5)) {
            attempt = 1 + (uint32_t)next_random(world, 3);
        }
        (void)snprintf(field, sizeof(field), "batch%zu c", name);
        draft->records[i] =
            record_of(arena, field, attempt, (int64_t)world->serial, chance(world, 30));
    }
}

/** Mostly what the watermark says. */
static struct span draw_mark(struct world *world, struct arena *arena, size_t partition)
{
    if (chance(world, 5)) {
        return text_in(arena, "wrong");
    }
    const char *const mark = world->marks[partition];
    return mark[0] != '\0' ? text_in(arena, "%s", mark) : (struct span){0};
}

static void draw_commit(struct world *world, struct arena *arena, struct draft *draft)
{
    world->serial++;
    world->time_ms += (int64_t)next_random(world, 10);
    const bool checked = !chance(world, 10);
    const bool stale = chance(world, STALE_PERCENT);
    char token[24];
    (void)snprintf(token, sizeof(token), "token%llu", (unsigned long long)world->serial);
    draft->commit = (struct scene_commit){
        .session_id = span_of_text(CONTRACT_SESSION),
        .checked = checked,
        .expected_version = world->version + (stale && chance(world, 50)),
        .expected_token = stale ? token_of("stale") : world->token,
        .version = world->version + next_random(world, 3),
        .token = token_of(token),
        .scene_element_count = next_random(world, 100),
        .updated_at_ms = world->time_ms,
        .elements = draft->elements,
        .element_count = checked ? next_random(world, ITEMS_MAX + 1) : 0,
        .records = draft->records,
        .record_count = next_random(world, 4),
        .positions = draft->positions,
        .position_count = next_random(world, PARTITIONS + 1),
        .settled_offsets = text_in(arena, "t/0=%llu x/0=5",
                                   (unsigned long long)(world->serial - next_random(world, 30))),
    };
    draw_elements(world, arena, draft);
    draw_records(world, arena, draft);
    for (size_t i = 0; i < draft->commit.position_count; i++) {
        draft->positions[i] =
            (struct store_position){.name = text_in(arena, "t/%zu", i),
                                    .offset = (int64_t)next_random(world, world->serial + 5),
                                    .timestamp_ms = world->time_ms};
        if (chance(world, 60)) {
            draft->positions[i].mark = draw_mark(world, arena, i);
        }
    }
}

/** Commits are refused alike, and leave the same behind. */
static enum store_status commit_both(struct world *world, const struct draft *draft, size_t step)
{
    struct scene_commit commits[] = {draft->commit, draft->commit};
    for (size_t i = 0; i < 2; i++) {
        commits[i].arena = &world->stores[i].arena;
        (void)run_commit(world->stores[i].store, &commits[i]);
    }
    cr_assert_eq(commits[0].status, commits[1].status, "step %zu: %d (%s), %d (%s)", step,
                 (int)commits[0].status, commits[0].error.message, (int)commits[1].status,
                 commits[1].error.message);
    if (commits[0].status == STORE_DONE) {
        cr_assert_eq(commits[0].dropped_count, commits[1].dropped_count, "step %zu", step);
        for (size_t i = 0; i < commits[0].dropped_count; i++) {
            cr_assert(span_equal(commits[0].dropped[i], commits[1].dropped[i]), "step %zu", step);
        }
    }
    cr_assert_str_eq(dump(&world->stores[0]), dump(&world->stores[1]), "step %zu", step);
    return commits[0].status;
}

/** Reads and writes of the watermark end alike and find the same, also where another primary took
 * over. */
static void run_watermark_on_both(struct world *world, size_t step)
{
    const size_t count = 1 + next_random(world, PARTITIONS);
    const bool is_write = chance(world, 60);
    const bool is_taken_over = chance(world, 5);
    struct watermark_entry entries[2][PARTITIONS];
    struct watermark_request requests[2];
    world->serial++;
    for (size_t j = 0; j < count; j++) {
        struct arena *const arena = &world->stores[0].arena;
        entries[0][j] = (struct watermark_entry){
            .name = text_in(arena, "t/%zu", j),
            .expected = draw_mark(world, arena, j),
            .value = text_in(arena, "%llu me", (unsigned long long)world->serial)};
        entries[1][j] = entries[0][j];
    }
    for (size_t i = 0; i < 2; i++) {
        struct fixture *const fixture = &world->stores[i];
        if (is_taken_over) {
            fixture->contract->change_history(fixture->contract->context, fixture->store);
        }
        requests[i] = (struct watermark_request){
            .entries = entries[i], .count = count, .is_write = is_write, .arena = &fixture->arena};
        (void)run_watermark(fixture->store, &requests[i]);
        await_ready(fixture->store);
    }
    cr_assert_eq(requests[0].status, requests[1].status, "step %zu: %d (%s), %d (%s)", step,
                 (int)requests[0].status, requests[0].error.message, (int)requests[1].status,
                 requests[1].error.message);
    for (size_t j = 0; j < count; j++) {
        const struct span found = entries[0][j].found;
        cr_assert(span_equal(found, entries[1][j].found) &&
                      span_is_absent(found) == span_is_absent(entries[1][j].found),
                  "step %zu, entry %zu", step, j);
        if (requests[0].status == STORE_DONE && is_write) {
            (void)snprintf(world->marks[j], MARK_BYTES_MAX, "%llu me",
                           (unsigned long long)world->serial);
        }
    }
    cr_assert_eq(store_epoch(world->stores[0].store), store_epoch(world->stores[1].store),
                 "step %zu", step);
}

/** Loads of everything give the same; the world learns what it may expect next. */
static void load_both(struct world *world, size_t step)
{
    struct scene_load loads[2];
    struct store_position positions[2][PARTITIONS];
    for (size_t i = 0; i < 2; i++) {
        struct arena *const arena = &world->stores[i].arena;
        struct span *const ids = arena_alloc_array(arena, ELEMENT_NAMES, sizeof(*ids));
        struct span *const fields = arena_alloc_array(arena, BATCH_NAMES, sizeof(*fields));
        for (size_t j = 0; j < ELEMENT_NAMES; j++) {
            ids[j] = text_in(arena, "e%zu", j);
        }
        for (size_t j = 0; j < BATCH_NAMES; j++) {
            fields[j] = text_in(arena, "batch%zu c", j);
        }
        for (size_t j = 0; j < PARTITIONS; j++) {
            positions[i][j] = (struct store_position){.name = text_in(arena, "t/%zu", j)};
        }
        loads[i] = (struct scene_load){.session_id = span_of_text(CONTRACT_SESSION),
                                       .element_ids = ids,
                                       .element_count = ELEMENT_NAMES,
                                       .record_fields = fields,
                                       .record_count = BATCH_NAMES,
                                       .positions = positions[i],
                                       .position_count = PARTITIONS,
                                       .arena = arena};
        cr_assert_eq(run_load(world->stores[i].store, &loads[i]), STORE_DONE, "step %zu: %s", step,
                     loads[i].error.message);
    }
    cr_assert_eq(loads[0].version, loads[1].version, "step %zu", step);
    cr_assert_eq(loads[0].scene_element_count, loads[1].scene_element_count, "step %zu", step);
    cr_assert(span_equal(span_make(loads[0].token.text, loads[0].token.size),
                         span_make(loads[1].token.text, loads[1].token.size)));
    for (size_t j = 0; j < ELEMENT_NAMES; j++) {
        cr_assert(span_equal(loads[0].element_values[j], loads[1].element_values[j]) &&
                      span_is_absent(loads[0].element_values[j]) ==
                          span_is_absent(loads[1].element_values[j]),
                  "step %zu, element %zu", step, j);
    }
    for (size_t j = 0; j < BATCH_NAMES; j++) {
        const struct span record = loads[0].record_values[j];
        cr_assert(span_equal(record, loads[1].record_values[j]), "step %zu, record %zu", step, j);
        world->attempts[j] = record_head_attempt(record);
    }
    for (size_t j = 0; j < PARTITIONS; j++) {
        cr_assert_eq(positions[0][j].known, positions[1][j].known, "step %zu", step);
        cr_assert_eq(positions[0][j].offset, positions[1][j].offset, "step %zu", step);
        cr_assert_eq(positions[0][j].timestamp_ms, positions[1][j].timestamp_ms, "step %zu", step);
    }
    world->version = loads[0].version;
    world->token = loads[0].token;
}

void contract_compare(const struct store_contract *first, const struct store_contract *second,
                      uint64_t seed, size_t steps)
{
    struct world world = {.random = seed * 2 + 1};
    struct store_retention retention = contract_retention();
    retention.dedupe_batches_max = (uint32_t)next_random(&world, 8);
    retention.dedupe_bytes_max = 100 + next_random(&world, 2000);
    retention.tombstones_max = 2 + (uint32_t)next_random(&world, 6);
    retention.tombstone_retention_ms = DROPS_OLD_AFTER_MS;
    world.stores[0] = open_fixture(first, retention);
    world.stores[1] = open_fixture(second, retention);
    cr_log_info("seed %llu", (unsigned long long)seed);
    size_t done = 0;
    for (size_t step = 0; step < steps; step++) {
        struct draft draft;
        arena_reset(&world.stores[0].arena);
        arena_reset(&world.stores[1].arena);
        struct arena arena;
        arena_init(&arena, 1 << 20);
        draw_commit(&world, &arena, &draft);
        done += commit_both(&world, &draft, step) == STORE_DONE;
        arena_deinit(&arena);
        load_both(&world, step);
        if (chance(&world, 30)) {
            run_watermark_on_both(&world, step);
        }
    }
    cr_assert_gt(done, steps / 2, "seed %llu: too few commits took effect to compare anything",
                 (unsigned long long)seed);
    close_fixture(&world.stores[0]);
    close_fixture(&world.stores[1]);
}
