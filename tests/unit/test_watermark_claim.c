/* Claims while Kafka does not answer about some partitions. This file defines what
 * worker/source*.c do, so the linker takes none of those from the library. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "store/memory_store.h"
#include "worker/log.h"
#include "worker/settings.h"
#include "worker/source_claim.h"
#include "worker/watermark.h"

enum { ASK_MS = 2000, ASKED_MAX = 64, COMMITTED = 10, LOG_END = 20 };

struct record_source {
    struct assignment assignment;
    uint64_t now_ms;
    bool has_leader[ASKED_MAX]; /* by partition */
    int asked[ASKED_MAX];       /* which, in order */
    size_t asked_count;
    bool must_abandon;
    int revoked_in_service; /* a partition; -1: none */
};

static struct record_source source;
static struct settings settings = {.on_lost_writes = LOST_WRITES_REPLAY};
static struct clock test_clock;
static struct progress progress;
static struct patience patience;
static struct stats stats;
static struct store *store;
static struct log *test_log;
static struct watermark *watermark;

/* --- worker/source.h, worker/source_claim.h --- */

void source_require_claims(struct record_source *of)
{
    (void)of;
}

struct assignment *source_assignment(struct record_source *of)
{
    return &of->assignment;
}

void source_service(struct record_source *of)
{
    if (of->revoked_in_service >= 0) {
        assignment_remove(&of->assignment,
                          assignment_find(&of->assignment, "ops", of->revoked_in_service));
        of->revoked_in_service = -1;
    }
}

bool source_has_claimable(struct record_source *of, uint64_t now_ms)
{
    return assignment_has_claimable(&of->assignment, now_ms);
}

bool source_ask_committed(struct record_source *of)
{
    (void)of;
    return true;
}

bool source_ask_log(struct record_source *of, const char *topic, int32_t number, int64_t *start,
                    int64_t *end)
{
    (void)topic;
    cr_assert_lt(of->asked_count, (size_t)ASKED_MAX);
    of->asked[of->asked_count++] = number;
    *start = 0;
    *end = LOG_END;
    of->now_ms += of->has_leader[number] ? 1 : ASK_MS;
    return of->has_leader[number];
}

bool source_start(struct record_source *of, struct assigned_partition *partition, int64_t offset)
{
    (void)of;
    (void)offset;
    partition->resting = false;
    return true;
}

void source_rest(struct record_source *of, struct assigned_partition *partition, uint64_t until_ms)
{
    (void)of;
    partition->resting = true;
    partition->rest_until_ms = until_ms;
}

/* --- */

static uint64_t now_ms(void *context)
{
    return ((struct record_source *)context)->now_ms;
}

static bool must_abandon(void *context)
{
    return ((struct record_source *)context)->must_abandon;
}

/* Partitions that Kafka has a committed offset of, and the store no entry: to be asked about. Those
 * of `fresh` have neither, and need no question. */
static void begin(int count, int fresh)
{
    const struct store_retention retention = {0};
    source.revoked_in_service = -1;
    source.now_ms = 1000000;
    test_clock = (struct clock){.monotonic_ms = now_ms, .wall_ms = now_ms, .context = &source};
    assignment_init(&source.assignment);
    for (int i = 0; i < count + fresh; i++) {
        cr_assert(assignment_add(&source.assignment, "ops", 0, i));
        struct assigned_partition *partition = assignment_find(&source.assignment, "ops", i);
        partition->resting = true;
        partition->committed = i < count ? COMMITTED : -1;
    }
    store = memory_store_create(&retention);
    test_log = log_create(LOG_ERROR, LOG_LOGFMT, "/dev/null");
    cr_assert(store != NULL && test_log != NULL && progress_init(&progress, &test_clock));
    patience = (struct patience){.clock = &test_clock,
                                 .source = &source,
                                 .progress = &progress,
                                 .must_abandon = must_abandon,
                                 .abandon_context = &source};
    const struct watermark_parts parts = {.settings = &settings,
                                          .clock = &test_clock,
                                          .log = test_log,
                                          .source = &source,
                                          .store = store,
                                          .stats = &stats,
                                          .patience = &patience,
                                          .owner = 7};
    watermark = watermark_create(&parts);
    cr_assert_not_null(watermark);
}

static void end(void)
{
    watermark_destroy(watermark);
    log_destroy(test_log);
    store_destroy(store);
    progress_deinit(&progress);
    assignment_deinit(&source.assignment);
}

TestSuite(watermark_claim, .fini = end);

static enum watermark_outcome tend(void)
{
    patience_begin(&patience);
    source.asked_count = 0;
    return watermark_tend(watermark);
}

static bool rests(int number)
{
    return assignment_find(&source.assignment, "ops", number)->resting;
}

Test(watermark_claim, partitions_without_a_leader_hold_a_cycle_up_once)
{
    begin(30, 2);
    const uint64_t before_ms = source.now_ms;
    cr_assert_eq(tend(), WATERMARK_GOOD);
    cr_expect_eq(source.asked_count, 1, "%zu were asked about", source.asked_count);
    cr_expect_leq(source.now_ms - before_ms, (uint64_t)ASK_MS);
    cr_expect_eq(progress_silence_ms(&progress), 0);
    cr_expect_eq(progress_activity_of(&progress), PROGRESS_BROKER_AWAY);
    cr_expect(!rests(30) && !rests(31), "what needs no question is claimed");
    cr_assert_eq(tend(), WATERMARK_GOOD);
    cr_expect_eq(source.asked_count, 0, "at once after it a cycle gets its turn");
}

Test(watermark_claim, a_partition_without_a_leader_does_not_keep_others_waiting)
{
    begin(6, 0);
    for (int i = 2; i < 6; i++) {
        source.has_leader[i] = true;
    }
    /* 0 and 1 have none: one question each, and all others have had theirs. */
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(tend(), WATERMARK_GOOD);
        source.now_ms += 200;
    }
    for (int i = 2; i < 6; i++) {
        cr_expect(!rests(i), "partition %d", i);
    }
    /* From then on they take turns, the claimed ones being left alone. */
    int asked[4];
    for (int i = 0; i < 4; i++) {
        source.now_ms += 5000;
        cr_assert_eq(tend(), WATERMARK_GOOD);
        cr_assert_eq(source.asked_count, 1);
        asked[i] = source.asked[0];
    }
    cr_expect(asked[0] != asked[1] && asked[0] == asked[2] && asked[1] == asked[3]);
    source.has_leader[0] = source.has_leader[1] = true;
    source.now_ms += 5000;
    cr_assert_eq(tend(), WATERMARK_GOOD);
    cr_expect(!rests(0) && !rests(1));
}

Test(watermark_claim, a_worker_that_is_told_to_ends_between_questions)
{
    begin(4, 0);
    for (int i = 0; i < 4; i++) {
        source.has_leader[i] = true;
    }
    source.must_abandon = true;
    cr_assert_eq(tend(), WATERMARK_ABANDONED);
    cr_expect_eq(source.asked_count, 1);
}

Test(watermark_claim, what_is_revoked_while_kafka_is_asked_is_not_claimed)
{
    begin(2, 0);
    source.has_leader[0] = source.has_leader[1] = true;
    source.revoked_in_service = 0;
    patience_begin(&patience);
    source.now_ms += PATIENCE_SERVICE_MS; /* the first question is followed by a service */
    cr_assert_eq(watermark_tend(watermark), WATERMARK_GOOD);
    cr_expect_null(assignment_find(&source.assignment, "ops", 0));
    cr_expect_not(rests(1));
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct watermark_entry entry = {.name = span_of_text("ops/0")};
    struct watermark_request request = {.entries = &entry, .count = 1, .arena = &arena};
    store_submit_watermark(store, &request);
    (void)store_poll(store, 0);
    cr_expect_eq(request.status, STORE_DONE);
    cr_expect(span_is_absent(entry.found));
    arena_deinit(&arena);
}
