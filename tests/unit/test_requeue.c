#include "worker/requeue.h"

#include <criterion/criterion.h>

#include "store/record.h"
#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

static struct scene *scene;
static struct process_context context;
static struct error error;

static void setup(void)
{
    scene = scene_at_version(5);
    scene_with(scene, "old", 3, 500, "{'id':'old','kind':{'type':'T'},'n':1}");
    context = process_context_default();
}

static void teardown(void)
{
    scene_destroy(scene);
}

TestSuite(requeue, .init = setup, .fini = teardown);
TestSuite(dead_operations, .init = setup, .fini = teardown);

static struct span requeue_up_to(const struct sync_result *result, const struct batch *batch,
                                 size_t bytes_max, bool *fits)
{
    cr_assert(requeue_encode(result, batch, TEST_NOW_MS, bytes_max, test_arena(), test_scratch(),
                             fits, &error),
              "%s", error.message);
    return bytes_keep(buffer_span(test_scratch()));
}

/* The requeue. */

#define SETTLED_AND_PENDING                                                                        \
    BATCH(UPDATE("late", 1, 100), UPDATE("old", 2, 499), ADD("old", 3, 500), MALFORMED,            \
          UPDATE("late", 4, 2000000))

/* Its requeue, by the protocol's tables. */
#define OLD_LOCAL "'local':{'version':3,'timestamp':500,'removed':false}"
#define NO_LOCAL "'local':{'version':0,'timestamp':0,'removed':false}"
#define REQUEUE_SO_FAR                                                                             \
    "'attempt':2,'not_before':1000100,'arrival':1000000,"                                          \
    "'source':{'topic':'scene.ops','partition':3,'offset':7},'total':5,'indexes':[0,4],"           \
    "'synced_count':1,'clamped_count':1,'duration_ms':5,'attempt_versions':[6]"
#define REQUEUE_CONFLICTS                                                                          \
    "{'index':0,'reason':'ElementNotFound','resolution':'keep_local','resolved':false," NO_LOCAL   \
    "},{'index':1,'reason':{'StaleTimestamp':{'local':500,'remote':499}},"                         \
    "'resolution':'keep_local','resolved':true," OLD_LOCAL                                         \
    "},{'index':2,'reason':'ElementAlreadyExists','resolution':'keep_remote','resolved':"          \
    "true," OLD_LOCAL "},{'index':4,'reason':'ElementNotFound','resolution':'keep_local',"         \
    "'resolved':false," NO_LOCAL "}"
#define REQUEUE_FAILURES                                                                           \
    "{'index':1,'code':'stale_timestamp','error':'stale','retryable':false,"                       \
    "'operation':" UPDATE(                                                                         \
        "old", 2,                                                                                  \
        499) "},{'index':3,'code':'invalid_operation','error':'broken','retryable':false,"         \
             "'operation':null}"

Test(requeue, carries_what_is_pending_and_all_that_happened)
{
    struct batch batch = batch_of(SETTLED_AND_PENDING);
    struct sync_result result = batch_process(scene, &batch, &context);
    result.failures[1].message = span_of_text("stale");
    result.failures[2].message = span_of_text("broken");
    static const char expected[] =
        "{'v':1,'session_id':'s','batch_id':'b','client_id':'c','strategy':'last_write_wins',"
        "'operations':" OPERATIONS(
            UPDATE("late", 1, 100),
            UPDATE("late", 4, 2000000)) ",'retry':{" REQUEUE_SO_FAR
                                        ",'conflicts':[" REQUEUE_CONFLICTS
                                        "],'failed_operations':[" REQUEUE_FAILURES "]}}";
    cr_assert(span_equal(batch_requeue(&result, &batch), message_of(expected)));
}

Test(requeue, names_the_batch_that_had_no_name)
{
    struct batch batch = batch_of("{'session_id':'s','operations':[" UPDATE("late", 1, 100) "]}");
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch next = retry_of_bytes(batch_requeue(&result, &batch));
    cr_assert(span_equal_text(next.batch_id, "scene.ops/3/7@1000000"));
    cr_assert(span_is_absent(next.client_id));
}

Test(requeue, says_the_strategy_that_was_used)
{
    struct batch batch = batch_of(BATCH_BY("LocalWins", UPDATE("late", 1, 100)));
    struct sync_result result = batch_process(scene, &batch, &context);
    cr_assert_eq(retry_of_bytes(batch_requeue(&result, &batch)).strategy, STRATEGY_LOCAL_WINS);
}

Test(requeue, goes_on_from_attempt_to_attempt)
{
    struct batch first = batch_of(SETTLED_AND_PENDING);
    struct sync_result result = batch_process(scene, &first, &context);
    struct batch second = retry_of_bytes(batch_requeue(&result, &first));
    struct batch other = batch_of(BATCH(ADD("late", 9, 200)));
    (void)batch_process(scene, &other, &context);
    struct batch removal = batch_of(BATCH(REMOVE("late", 300)));
    (void)batch_process(scene, &removal, &context);

    /* The first is stale against the tombstone now, the other still waits. */
    result = batch_process(scene, &second, &context);
    struct batch third = retry_of_bytes(batch_requeue(&result, &second));
    cr_assert_eq(third.retry->attempt, 3);
    cr_assert_eq(third.operation_count, 1);
    cr_assert_eq(third.operations[0].index, 4);
    cr_assert(span_equal(third.operations[0].raw, message_of(UPDATE("late", 4, 2000000))));
    cr_assert_eq(third.retry->total, 5);
    cr_assert_eq(third.retry->failure_count, 3);
    cr_assert_eq(third.retry->failures[0].index, 0);
    cr_assert_eq(third.retry->failures[0].body.kind, BODY_PRESENT);
    cr_assert_eq(third.retry->attempt_version_count, 2);
    cr_assert_eq(third.retry->duration_ms, 10);
    cr_assert_eq(third.retry->clamped_count, 1);
    cr_assert_eq(third.retry->arrival_ms, TEST_NOW_MS);
    cr_assert_eq(third.retry->source.offset, 7);
}

Test(requeue, leaves_settled_bodies_out_where_they_do_not_fit)
{
    struct batch batch = batch_of(SETTLED_AND_PENDING);
    struct sync_result result = batch_process(scene, &batch, &context);
    size_t full_size = batch_requeue(&result, &batch).size;

    bool fits = false;
    struct span message = requeue_up_to(&result, &batch, full_size, &fits);
    cr_assert(fits);
    cr_assert_eq(message.size, full_size, "the limit itself is allowed");

    message = requeue_up_to(&result, &batch, full_size - 1, &fits);
    cr_assert(fits);
    struct batch next = retry_of_bytes(message);
    cr_assert_eq(next.operation_count, 2, "what is pending is all there");
    cr_assert_eq(next.retry->failure_count, 2);
    cr_assert_eq(next.retry->failures[0].body.kind, BODY_ABSENT);
    cr_assert_eq(next.retry->failures[0].code, ERROR_STALE_TIMESTAMP);
    cr_assert_eq(failure_at(&result, 1)->body.kind, BODY_PRESENT, "the result keeps its own");

    size_t small_size = message.size;
    (void)requeue_up_to(&result, &batch, small_size, &fits);
    cr_assert(fits);
    (void)requeue_up_to(&result, &batch, small_size - 1, &fits);
    cr_assert_not(fits);
}

/* A redelivery makes the same message from the record and the batch at hand. */
Test(requeue, is_made_again_from_the_record)
{
    struct batch batch = batch_of(SETTLED_AND_PENDING);
    struct sync_result result = batch_process(scene, &batch, &context);
    struct span first = batch_requeue(&result, &batch);
    static const uint32_t pending[] = {0, 4};
    struct batch_record original = {.attempt = 1,
                                    .delivery = context.source,
                                    .arrival_ms = TEST_NOW_MS,
                                    .pending_indexes = pending,
                                    .pending_count = 2,
                                    .result = result};
    buffer_clear(test_scratch());
    record_encode(&original, test_scratch());
    struct batch_record record;
    cr_assert(
        record_decode(bytes_keep(buffer_span(test_scratch())), test_arena(), &record, &error));
    record_refill_bodies(&record.result, &batch);
    cr_assert(span_equal(batch_requeue(&record.result, &batch), first));
}

Test(requeue, says_when_memory_runs_out)
{
    struct batch batch = batch_of(SETTLED_AND_PENDING);
    struct sync_result result = batch_process(scene, &batch, &context);
    size_t failures = 0;
    bool has_memory = false;
    for (size_t bytes_max = 0; !has_memory; bytes_max += 16) {
        struct arena small;
        arena_init(&small, bytes_max);
        bool fits = false;
        error.code = ERROR_NONE;
        has_memory = requeue_encode(&result, &batch, TEST_NOW_MS, 1 << 20, &small, test_scratch(),
                                    &fits, &error);
        cr_assert_eq(error.code, has_memory ? ERROR_NONE : ERROR_OUT_OF_MEMORY);
        arena_deinit(&small);
        failures += has_memory ? 0 : 1;
        cr_assert_lt(failures, 10000);
    }
    cr_assert_gt(failures, 2);
}

/* Dead letters of operations. */

static struct span dead_letter(const struct sync_result *result, const struct batch *batch,
                               struct dead_operations *dead)
{
    cr_assert(dead_operations_encode(result, batch, test_arena(), test_scratch(), dead, &error),
              "%s", error.message);
    return bytes_keep(buffer_span(test_scratch()));
}

Test(dead_operations, are_those_that_ran_out_of_retries)
{
    context.retries_max = 0;
    scene_with_tombstone(scene, "gone", 3, 500);
    struct batch batch = batch_of(BATCH(UPDATE("old", 1, 499), UPDATE("nobody", 2, 2000000),
                                        INVALID, REMOVE("gone", 1), UPDATE("gone", 3, 600),
                                        REMOVE("nobody", 4), ADD("a", 5, 6)));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct dead_operations dead;
    struct span message = dead_letter(&result, &batch, &dead);
    cr_assert_eq(dead.code, ERROR_RETRIES_EXHAUSTED);
    cr_assert_eq(dead.count, 3);
    cr_assert_eq(dead.indexes[0], 1);
    cr_assert_eq(dead.indexes[1], 4);
    cr_assert_eq(dead.indexes[2], 5);
    cr_assert(span_equal(dead.message, failure_at(&result, 1)->message));
    static const char expected[] =
        "{'v':1,'session_id':'s','batch_id':'b:dlq','client_id':'c','strategy':'last_write_wins',"
        "'operations':" OPERATIONS(UPDATE("nobody", 2, 2000000), UPDATE("gone", 3, 600),
                                   REMOVE("nobody", 4)) "}";
    cr_assert(span_equal(message, message_of(expected)), "timestamps are untouched");
}

Test(dead_operations, are_none_while_there_are_retries_left)
{
    struct batch batch = batch_of(BATCH(UPDATE("nobody", 1, 1), INVALID, UPDATE("old", 2, 1)));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct dead_operations dead;
    cr_assert_eq(dead_letter(&result, &batch, &dead).size, 0);
    cr_assert_eq(dead.count, 0);
}

Test(dead_operations, are_none_where_nothing_failed)
{
    struct batch batch = batch_of(BATCH(ADD("a", 1, 1)));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct dead_operations dead;
    (void)dead_letter(&result, &batch, &dead);
    cr_assert_eq(dead.count, 0);
}

Test(dead_operations, of_the_last_attempt_leave_out_what_was_settled_before)
{
    struct batch batch = batch_of(SETTLED_AND_PENDING);
    struct sync_result result = batch_process(scene, &batch, &context);
    context.retries_max = 1;
    batch = retry_of_bytes(batch_requeue(&result, &batch));
    result = batch_process(scene, &batch, &context);
    cr_assert_eq(result.failed_count, 4);
    struct dead_operations dead;
    struct batch again = batch_of_bytes(dead_letter(&result, &batch, &dead));
    cr_assert_eq(dead.count, 2);
    cr_assert_eq(dead.indexes[0], 0);
    cr_assert_eq(dead.indexes[1], 4);
    cr_assert_eq(again.operation_count, 2);
    cr_assert_null(again.retry);
}

Test(dead_operations, can_be_produced_to_the_ops_topic_again)
{
    context.retries_max = 0;
    struct batch batch = batch_of(BATCH(UPDATE("late", 8, 100), UPDATE("old", 9, 1)));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct dead_operations dead;
    struct span message = dead_letter(&result, &batch, &dead);
    struct batch other = batch_of(BATCH(ADD("late", 1, 50)));
    (void)batch_process(scene, &other, &context);
    struct batch again = batch_of_bytes(message);
    result = batch_process(scene, &again, &context);
    cr_assert(sync_result_is_success(&result));
    cr_assert_eq(element_number(scene_get(scene, "late"), "n"), 8);
    cr_assert(span_equal_text(result.batch_id, "b:dlq"));
}

Test(dead_operations, of_many_lost_races_ran_out_of_retries)
{
    struct error cause;
    error_set(&cause, ERROR_CONCURRENT_MODIFICATION, "concurrent modification: by a test");
    context.not_tried = &cause;
    context.retries_max = 0;
    struct batch batch = batch_of(BATCH(ADD("a", 1, 1), INVALID));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct dead_operations dead;
    (void)dead_letter(&result, &batch, &dead);
    cr_assert_eq(dead.count, 1);
    cr_assert_eq(dead.code, ERROR_RETRIES_EXHAUSTED);
}

/* Keeping local under last_write_wins has the same code, but waiting could not change it. */
Test(dead_operations, are_not_those_that_lost_a_conflict)
{
    context.retries_max = 0;
    struct batch batch =
        batch_of(BATCH_BY("local_wins", UPDATE_ON(1, "old", 1, 600), ADD("old", 1, 600)));
    struct sync_result result = batch_process(scene, &batch, &context);
    cr_assert_eq(failure_at(&result, 0)->code, ERROR_CONCURRENT_MODIFICATION);
    struct dead_operations dead;
    (void)dead_letter(&result, &batch, &dead);
    cr_assert_eq(dead.count, 0);
}

Test(dead_operations, are_all_that_the_store_refused)
{
    struct error cause;
    error_set(&cause, ERROR_STORE_ERROR, "WRONGTYPE, said the store");
    context.not_tried = &cause;
    struct batch batch = batch_of(BATCH(ADD("a", 1, 1), INTERACTION(1), UPDATE("b", 1, 1)));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct dead_operations dead;
    (void)dead_letter(&result, &batch, &dead);
    cr_assert_eq(dead.code, ERROR_STORE_ERROR);
    cr_assert_eq(dead.count, 2);
    cr_assert_eq(dead.indexes[1], 2);
    cr_assert(span_equal_text(dead.message, "WRONGTYPE, said the store"));
}

/* The store has something under "broken" that is no element, and nothing under "late". */
#define REFUSED_AND_PENDING BATCH(UPDATE("broken", 1, 100), UPDATE("late", 2, 100))

Test(dead_operations, of_two_attempts_have_two_names)
{
    context.retries_max = 1;
    scene_mark_unreadable(scene_without(scene, "broken"));
    struct batch batch = batch_of(REFUSED_AND_PENDING);
    struct sync_result result = batch_process(scene, &batch, &context);
    struct dead_operations dead;
    struct batch first = batch_of_bytes(dead_letter(&result, &batch, &dead));
    cr_assert_eq(dead.code, ERROR_STORE_ERROR);
    cr_assert_eq(dead.count, 1);
    cr_expect(span_equal_text(first.batch_id, "b:dlq-1"));

    batch = retry_of_bytes(batch_requeue(&result, &batch));
    result = batch_process(scene, &batch, &context);
    struct batch second = batch_of_bytes(dead_letter(&result, &batch, &dead));
    cr_assert_eq(dead.code, ERROR_RETRIES_EXHAUSTED);
    cr_assert_eq(dead.count, 1);
    cr_assert_eq(dead.indexes[0], 1);
    cr_expect(span_equal_text(second.batch_id, "b:dlq"));
}

Test(dead_operations, before_the_last_attempt_have_a_batch_id_that_is_valid)
{
    scene_mark_unreadable(scene_without(scene, "broken"));
    char id[320];
    memset(id, 'x', sizeof(id));
    struct batch batch = batch_of(REFUSED_AND_PENDING);
    batch.batch_id = span_make(id, sizeof(id));
    struct sync_result result = batch_process(scene, &batch, &context);
    result.attempts = 999;
    struct dead_operations dead;
    struct batch again = batch_of_bytes(dead_letter(&result, &batch, &dead));
    cr_assert_eq(again.batch_id.size, 318);
    cr_assert_eq(memcmp(again.batch_id.data, id, 310), 0);
    cr_assert_eq(memcmp(again.batch_id.data + 310, ":dlq-999", 8), 0);
}

Test(dead_operations, have_a_batch_id_that_is_cut_before_the_suffix)
{
    static const size_t sizes[] = {1, 309, 310, 311, 320};
    context.retries_max = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char id[320];
        memset(id, 'x', sizeof(id));
        struct batch batch = batch_of(BATCH(UPDATE("nobody", 1, 1)));
        batch.batch_id = span_make(id, sizes[i]);
        struct sync_result result = batch_process(scene, &batch, &context);
        struct dead_operations dead;
        struct batch again = batch_of_bytes(dead_letter(&result, &batch, &dead));
        size_t kept = sizes[i] < 310 ? sizes[i] : 310;
        cr_expect_eq(again.batch_id.size, kept + 4);
        cr_expect_eq(memcmp(again.batch_id.data, id, kept), 0);
        cr_expect_eq(memcmp(again.batch_id.data + kept, ":dlq", 4), 0);
    }
}
