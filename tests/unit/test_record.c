#include "store/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

enum { ATTEMPT_ARRIVAL_MS = TEST_NOW_MS - 5 };

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

TestSuite(record, .init = setup, .fini = teardown);

static struct batch_record record_of(const struct sync_result *result, const struct batch *batch)
{
    static uint32_t indexes[64];
    struct batch_record record = {
        .attempt = result->attempts,
        .delivery = {.topic = span_of_text("scene.ops"), .partition = 3, .offset = 7},
        .fingerprint = record_fingerprint_of(batch->operations_raw),
        .arrival_ms = ATTEMPT_ARRIVAL_MS,
        .pending_indexes = indexes,
        .result = *result,
    };
    for (uint32_t i = 0; i < result->failure_entry_count; i++) {
        if (result->failures[i].pending) {
            indexes[record.pending_count++] = result->failures[i].index;
        }
    }
    return record;
}

static struct span encode(const struct batch_record *record)
{
    buffer_clear(test_scratch());
    (void)record_encode(record, test_scratch());
    cr_assert_not(test_scratch()->failed);
    return bytes_keep(buffer_span(test_scratch()));
}

static struct batch_record decode(struct span value)
{
    struct batch_record record;
    cr_assert(record_decode(value, test_arena(), &record, &error), "%s", error.message);
    return record;
}

static struct span result_bytes_up_to(const struct sync_result *result, size_t bytes_max)
{
    buffer_clear(test_scratch());
    sync_result_encode(result, BODIES_AS_THEY_ARE, bytes_max, test_scratch());
    return bytes_keep(buffer_span(test_scratch()));
}

/* The result that a redelivery publishes is the first one, byte for byte. */
static void expect_same_result(const struct sync_result *result, const struct batch *batch)
{
    struct batch_record original = record_of(result, batch);
    struct batch_record record = decode(encode(&original));
    record_refill_bodies(&record.result, batch);
    struct span first = result_bytes(result);
    cr_expect(span_equal(result_bytes(&record.result), first), "the results differ");
    for (size_t bytes_max = first.size; bytes_max > first.size / 2; bytes_max -= 16) {
        cr_expect(span_equal(result_bytes_up_to(&record.result, bytes_max),
                             result_bytes_up_to(result, bytes_max)),
                  "the results differ when cut to %zu bytes", bytes_max);
    }
}

#define MIXED                                                                                      \
    BATCH(ADD("a", 1, 100), UPDATE("old", 2, 499), ADD("old", 3, 500), UPDATE("late", 4, 100),     \
          MALFORMED, INVALID, INTERACTION(2000000), REMOVE("late", 99))

Test(record, gives_back_all_that_it_took)
{
    struct batch batch = batch_of(MIXED);
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch_record original = record_of(&result, &batch);
    struct batch_record record = decode(encode(&original));
    cr_assert_eq(record.attempt, 1);
    cr_assert(span_equal_text(record.delivery.topic, "scene.ops"));
    cr_assert_eq(record.delivery.partition, 3);
    cr_assert_eq(record.delivery.offset, 7);
    cr_assert_eq(record.arrival_ms, ATTEMPT_ARRIVAL_MS);
    cr_assert_arr_eq(record.fingerprint.bytes, original.fingerprint.bytes,
                     RECORD_FINGERPRINT_BYTES);
    cr_assert_eq(record.pending_count, 2);
    cr_assert_eq(record.pending_indexes[0], 3);
    cr_assert_eq(record.pending_indexes[1], 7);
    cr_assert_eq(record.result.pending_count, 2);
    cr_assert_eq(record.result.clamped_count, 1);
    cr_assert(failure_at(&record.result, 3)->pending);
    cr_assert_not(failure_at(&record.result, 5)->pending);
}

Test(record, first_line_is_for_the_commit_script)
{
    struct batch batch = batch_of(BATCH(""));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch_record record = record_of(&result, &batch);
    record.attempt = 3;
    record.delivery = (struct source){
        .topic = span_of_text("scene.ops.retry-2"), .partition = 11, .offset = 1234567890123};
    static const char line[] = "3 scene.ops.retry-2/11 1234567890123\n";
    struct span value = encode(&record);
    cr_assert_gt(value.size, sizeof(line));
    cr_assert_eq(memcmp(value.data, line, sizeof(line) - 1), 0);
    cr_assert_eq(decode(value).delivery.offset, 1234567890123);
}

Test(record, keeps_no_operation)
{
    struct batch batch = batch_of(
        BATCH("{'op':'update','id':'nobody','changes':{'x':'tell-tale'},'timestamp':1},"
              "{'op':'add','element':{'id':'old','kind':{'type':'tell-tale'}},'timestamp':600}"));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch_record record = record_of(&result, &batch);
    struct span value = encode(&record);
    for (size_t i = 0; i + 9 <= value.size; i++) {
        cr_assert_neq(memcmp(value.data + i, "tell-tale", 9), 0);
    }
    record = decode(value);
    cr_assert_eq(failure_at(&record.result, 0)->body.kind, BODY_MARKED);
}

Test(record, ends_with_the_published_result_where_that_has_no_entries)
{
    struct batch batch = batch_of(BATCH(ADD("a", 1, 100)));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch_record record = record_of(&result, &batch);
    buffer_clear(test_scratch());
    buffer_append(test_scratch(), "before", 6);
    size_t result_at = record_encode(&record, test_scratch());
    struct span all = bytes_keep(buffer_span(test_scratch()));
    cr_assert_eq(result.conflict_entry_count + result.failure_entry_count, 0);
    cr_assert(
        span_equal(span_make(all.data + result_at, all.size - result_at), result_bytes(&result)));
}

Test(record, refilled_result_is_the_first_one)
{
    static const char *const batches[] = {
        BATCH(""),
        BATCH(ADD("a", 1, 100)),
        BATCH(ADD("old", 1, 600), UPDATE("old", 2, 1), REMOVE("old", 700)),
        BATCH(UPDATE("nobody", 1, 1)),
        BATCH(MALFORMED, INVALID, MALFORMED),
        BATCH_BY("remote_wins", UPDATE("old", 1, 1), UPDATE_ON(1, "old", 2, 600)),
        BATCH_BY("local_wins", ADD("old", 1, 600)),
        "{'session_id':'s','operations':[" UPDATE("nobody", 1, 9000000) "]}",
        MIXED,
    };
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        struct batch batch = batch_of(batches[i]);
        struct sync_result result = batch_process(scene, &batch, &context);
        expect_same_result(&result, &batch);
    }
}

Test(record, refilled_result_of_a_retry_has_the_settled_failures_too)
{
    struct batch first = batch_of(MIXED);
    struct sync_result result = batch_process(scene, &first, &context);
    struct batch other = batch_of(BATCH(ADD("late", 1, 99)));
    (void)batch_process(scene, &other, &context);
    struct batch second = batch_requeued(&result, &first);
    result = batch_process(scene, &second, &context);
    cr_assert(result.final);
    cr_assert_eq(failure_at(&result, 1)->body.kind, BODY_PRESENT);
    expect_same_result(&result, &second);
}

Test(record, refilled_result_of_a_retry_without_settled_bodies_is_truncated_again)
{
    struct batch first = batch_of(MIXED);
    struct sync_result result = batch_process(scene, &first, &context);
    struct batch second = batch_requeued(&result, &first);
    for (uint32_t i = 0; i < second.retry->failure_count; i++) {
        second.retry->failures[i].body = (struct body){.kind = BODY_ABSENT};
    }
    result = batch_process(scene, &second, &context);
    cr_assert(result.truncated);
    cr_assert_not(result.final);
    expect_same_result(&result, &second);
}

/* A client's resend has all of the operations at hand, whatever attempt the record is of. */
Test(record, refilled_result_for_a_resend_is_the_latest)
{
    struct batch first = batch_of(MIXED);
    struct sync_result result = batch_process(scene, &first, &context);
    struct batch second = batch_requeued(&result, &first);
    result = batch_process(scene, &second, &context);
    struct batch_record original = record_of(&result, &second);
    struct batch_record record = decode(encode(&original));
    record_refill_bodies(&record.result, &first);
    cr_assert(span_equal(result_bytes(&record.result), result_bytes(&result)));
}

Test(record, body_that_cannot_be_found_is_left_out_and_said)
{
    struct batch batch = batch_of(BATCH(INVALID, UPDATE("nobody", 1, 1)));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch_record original = record_of(&result, &batch);
    struct batch_record record = decode(encode(&original));
    batch.operation_count = 1;
    record_refill_bodies(&record.result, &batch);
    cr_assert_eq(failure_at(&record.result, 0)->body.kind, BODY_PRESENT);
    cr_assert_eq(failure_at(&record.result, 1)->body.kind, BODY_ABSENT);
    cr_assert(record.result.truncated);
}

/* What others may have written. */

static void refuse(struct span value, const char *what)
{
    struct batch_record record = {.attempt = 77};
    cr_expect_not(record_decode(value, test_arena(), &record, &error), "%s was taken", what);
    cr_expect_eq(error.code, ERROR_STORE_ERROR);
    cr_expect_eq(record.attempt, 77, "outputs are written on success only");
}

Test(record, refuses_every_truncation)
{
    struct batch batch = batch_of(MIXED);
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch_record record = record_of(&result, &batch);
    struct span value = encode(&record);
    for (size_t size = 0; size < value.size; size++) {
        /* In memory of its own size, so that a read beyond the end is seen. */
        uint8_t *cut = malloc(size > 0 ? size : 1);
        cr_assert_not_null(cut);
        memcpy(cut, value.data, size);
        refuse(span_make(cut, size), "a record cut short");
        free(cut);
    }
}

Test(record, survives_every_changed_byte)
{
    static const uint8_t others[] = {0x00, 0x01, 0x7f, 0x80, 0x90, 0x9f, 0xa0,
                                     0xc0, 0xc3, 0xcf, 0xdc, 0xdf, 0xff, '0'};
    struct batch batch = batch_of(MIXED);
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch_record original = record_of(&result, &batch);
    struct span value = encode(&original);
    uint8_t *changed = malloc(value.size);
    cr_assert_not_null(changed);
    uint32_t taken = 0;
    for (size_t at = 0; at < value.size; at++) {
        memcpy(changed, value.data, value.size);
        for (size_t i = 0; i < sizeof(others); i++) {
            changed[at] = others[i];
            struct batch_record record;
            if (record_decode(span_make(changed, value.size), test_arena(), &record, &error)) {
                record_refill_bodies(&record.result, &batch);
                cr_assert_gt(result_bytes_up_to(&record.result, 0).size, 0);
                taken++;
            }
        }
    }
    free(changed);
    cr_assert_gt(taken, 0, "some bytes may be anything");
}

Test(record, refuses_what_is_no_record)
{
    static const char *const heads[] = {"",
                                        "\n",
                                        "1",
                                        "1 t/0 5",
                                        "0 t/0 5\n",
                                        "-1 t/0 5\n",
                                        " t/0 5\n",
                                        "1 t 5\n",
                                        "1 t/ 5\n",
                                        "1 t/0 \n",
                                        "1 t/0 5 \n",
                                        "1 t/0 -5\n",
                                        "1 t/x 5\n",
                                        "4294967296 t/0 5\n",
                                        "1 t/2147483648 5\n",
                                        "1 t/0 99999999999999999999\n"};
    struct batch batch = batch_of(BATCH(""));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch_record record = record_of(&result, &batch);
    struct span value = encode(&record);
    size_t head_size =
        (size_t)((const uint8_t *)memchr(value.data, '\n', value.size) - value.data) + 1;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        buffer_clear(test_scratch());
        buffer_append_span(test_scratch(), span_of_text(heads[i]));
        buffer_append(test_scratch(), value.data + head_size, value.size - head_size);
        refuse(bytes_keep(buffer_span(test_scratch())), heads[i]);
    }
    static const char *const bodies[] = {
        "{}",
        "[]",
        "['bin:00112233445566778899aabbccddeeff',1,[]]",
        "['bin:00112233445566778899aabbccddee',1,[],{}]",
        "['00112233445566778899aabbccddeeff',1,[],{}]",
        "['bin:00112233445566778899aabbccddeeff',-1,[],{}]",
        "['bin:00112233445566778899aabbccddeeff',1,{},{}]",
        "['bin:00112233445566778899aabbccddeeff',1,['x'],{}]",
        "['bin:00112233445566778899aabbccddeeff',1,[[]],{}]",
        "['bin:00112233445566778899aabbccddeeff',1,[4294967296],{}]",
        "['bin:00112233445566778899aabbccddeeff',1,[],[]]",
        "['bin:00112233445566778899aabbccddeeff',1,[],{'v':2}]"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        buffer_clear(test_scratch());
        buffer_append_span(test_scratch(), span_of_text("1 t/0 5\n"));
        buffer_append_span(test_scratch(), message_of(bodies[i]));
        refuse(bytes_keep(buffer_span(test_scratch())), bodies[i]);
    }
}

/* A requeue is made from the pending failures: they must be those that are listed. */
Test(record, refuses_pending_operations_that_do_not_agree)
{
    struct batch batch = batch_of(BATCH(UPDATE("x", 1, 1), UPDATE("y", 1, 1)));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch_record record = record_of(&result, &batch);
    static const uint32_t others[] = {0, 2, 3};
    record.pending_indexes = others;
    refuse(encode(&record), "another index");
    record = record_of(&result, &batch);
    record.pending_count = 1;
    refuse(encode(&record), "an index too few");
    record.pending_indexes = others;
    record.pending_count = 3;
    refuse(encode(&record), "an index too many");
    record = record_of(&result, &batch);
    record.result.pending_count = 1;
    refuse(encode(&record), "a count too low");
}

Test(record, says_when_memory_runs_out)
{
    struct batch batch = batch_of(MIXED);
    struct sync_result result = batch_process(scene, &batch, &context);
    struct batch_record original = record_of(&result, &batch);
    struct span value = encode(&original);
    size_t failures = 0;
    bool has_memory = false;
    for (size_t bytes_max = 0; !has_memory; bytes_max += 16) {
        struct arena small;
        arena_init(&small, bytes_max);
        struct batch_record record;
        error.code = ERROR_NONE;
        has_memory = record_decode(value, &small, &record, &error);
        cr_assert_eq(error.code, has_memory ? ERROR_NONE : ERROR_OUT_OF_MEMORY);
        arena_deinit(&small);
        failures += has_memory ? 0 : 1;
        cr_assert_lt(failures, 10000);
    }
    cr_assert_gt(failures, 2);
}

/* Identity. */

Test(record, fingerprint_tells_operations_apart)
{
    struct record_fingerprint one = record_fingerprint_of(message_of("[{'op':'remove'}]"));
    struct record_fingerprint same = record_fingerprint_of(message_of("[{'op':'remove'}]"));
    struct record_fingerprint other = record_fingerprint_of(message_of("[{'op':'removf'}]"));
    cr_assert_arr_eq(one.bytes, same.bytes, sizeof(one.bytes));
    cr_assert_arr_neq(one.bytes, other.bytes, sizeof(one.bytes));
}

Test(record, field_is_batch_id_and_client_id)
{
    struct batch batch = batch_of(BATCH(""));
    struct source source = {.topic = span_of_text("scene.ops"), .partition = 3, .offset = 7};
    cr_assert(span_equal_text(record_field(&batch, &source, false, test_arena()), "b c"));
    cr_assert(
        span_equal_text(record_field(&batch, &source, true, test_arena()), "b scene.ops/3/7 c"));
    batch.client_id = (struct span){0};
    cr_assert(span_equal_text(record_field(&batch, &source, false, test_arena()), "b "));
}

Test(record, longest_field_is_within_its_bound)
{
    char text[LIMITS_BATCH_ID_BYTES_MAX];
    memset(text, 'x', sizeof(text));
    struct batch batch = {.batch_id = span_make(text, LIMITS_BATCH_ID_BYTES_MAX),
                          .client_id = span_make(text, LIMITS_CLIENT_ID_BYTES_MAX)};
    struct source source = {
        .topic = span_make(text, 249), .partition = INT32_MAX, .offset = INT64_MAX};
    struct span field = record_field(&batch, &source, true, test_arena());
    cr_assert_eq(field.size, 320 + 1 + 249 + 1 + 10 + 1 + 19 + 1 + 64);
    cr_assert_leq(field.size, RECORD_FIELD_BYTES_MAX);
}
