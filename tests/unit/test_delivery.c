#include "worker/delivery.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"

static struct settings settings;
static struct arena arena;
static struct record record;
static struct error error;

static void setup(void)
{
    cr_assert(settings_init(&settings));
    arena_init(&arena, (size_t)16 << 20);
    record = (struct record){
        .topic = span_of_text("scene.ops"),
        .partition = 3,
        .offset = 7,
        .timestamp_ms = 5000,
        .key = span_of_text("s"),
        .value = message_of(BATCH(ADD("a", 1, 100))),
        .received_wall_ms = 6000,
    };
}

static void teardown(void)
{
    arena_deinit(&arena);
    settings_deinit(&settings);
}

TestSuite(delivery, .init = setup, .fini = teardown);

static struct delivery decode(void)
{
    struct delivery delivery;
    cr_assert(delivery_decode(&record, &settings, &arena, &delivery, &error), "%s", error.message);
    return delivery;
}

Test(delivery, knows_the_batch_and_where_it_stands)
{
    struct delivery delivery = decode();
    cr_assert_eq(delivery.refusal.code, ERROR_NONE);
    cr_assert_eq(delivery.record, &record);
    cr_assert(span_equal_text(delivery.source.topic, "scene.ops"));
    cr_assert_eq(delivery.source.partition, 3);
    cr_assert_eq(delivery.source.offset, 7);
    cr_assert_eq(delivery.batch.operation_count, 1);
    cr_assert(span_equal_text(delivery.batch.session_id, "s"));
    cr_assert(span_equal_text(delivery.field, "b c"));
    cr_assert(span_equal_text(delivery.position_name, "scene.ops/3"));
    struct record_fingerprint expected =
        record_fingerprint_of(message_of("[" ADD("a", 1, 100) "]"));
    cr_assert_arr_eq(delivery.fingerprint.bytes, expected.bytes, RECORD_FINGERPRINT_BYTES);
    cr_assert_not(delivery.was_sent);
}

Test(delivery, arrival_is_the_earlier_of_record_and_clock_unless_the_topic_stamps)
{
    static const struct {
        int64_t timestamp_ms;
        bool log_append_time;
        uint64_t arrival_ms;
        int64_t record_time_ms;
    } rows[] = {
        {5000, true, 5000, 5000},  {7000, true, 7000, 7000},  /* whatever this clock says */
        {5000, false, 5000, 5000}, {7000, false, 6000, 7000}, /* a producer's clock runs ahead */
        {-1, false, 6000, 6000},   {-1, true, 6000, 6000},    {0, false, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        record.timestamp_ms = rows[i].timestamp_ms;
        record.log_append_time = rows[i].log_append_time;
        struct delivery delivery = decode();
        cr_expect_eq(delivery.arrival_ms, rows[i].arrival_ms, "row %zu", i);
        cr_expect_eq(delivery.record_time_ms, rows[i].record_time_ms, "row %zu", i);
    }
}

Test(delivery, nameless_batch_is_named_by_its_place)
{
    record.value = message_of("{'session_id':'s','operations':[]}");
    struct delivery delivery = decode();
    cr_assert(span_equal_text(delivery.batch.batch_id, "scene.ops/3/7@5000"));
    cr_assert(span_equal_text(delivery.field, "scene.ops/3/7@5000 "));
    record.timestamp_ms = -1;
    cr_assert(span_equal_text(decode().batch.batch_id, "scene.ops/3/7@-1"));
}

Test(delivery, default_strategy_comes_from_the_settings)
{
    settings.strategy = STRATEGY_LOCAL_WINS;
    record.value = message_of("{'session_id':'s','operations':[]}");
    cr_assert_eq(decode().batch.strategy, STRATEGY_LOCAL_WINS);
    record.value = message_of(BATCH_BY("remote_wins", ""));
    cr_assert_eq(decode().batch.strategy, STRATEGY_REMOTE_WINS);
    settings.allow_batch_strategy = false;
    cr_assert_eq(decode().batch.strategy, STRATEGY_LOCAL_WINS);
}

Test(delivery, without_dedupe_every_delivery_is_a_batch_of_its_own)
{
    settings.dedupe_batches_max = 0;
    cr_assert(span_equal_text(decode().field, "b scene.ops/3/7 c"));
}

/* The requeue of a batch from scene.ops/3 at offset 7, met on the first retry tier. */
static void arrive_as_retry(void)
{
    struct scene *scene = scene_at_version(0);
    struct process_context context = process_context_default();
    struct batch batch = batch_of(BATCH(UPDATE("nobody", 1, 1)));
    struct sync_result result = batch_process(scene, &batch, &context);
    struct span message = batch_requeue(&result, &batch);
    scene_destroy(scene);
    record.topic = span_of_text("scene.ops.retry-1");
    record.tier = 1;
    record.offset = 99;
    record.value = message;
}

Test(delivery, retry_keeps_the_arrival_and_the_identity_of_its_batch)
{
    arrive_as_retry();
    settings.dedupe_batches_max = 0;
    struct delivery delivery = decode();
    cr_assert_eq(delivery.refusal.code, ERROR_NONE, "%s", delivery.refusal.message);
    cr_assert_not_null(delivery.batch.retry);
    cr_assert_eq(delivery.arrival_ms, TEST_NOW_MS);
    cr_assert_eq(delivery.record_time_ms, 5000, "of this record");
    cr_assert_eq(delivery.source.offset, 99);
    cr_assert(span_equal_text(delivery.position_name, "scene.ops.retry-1/3"));
    cr_assert(span_equal_text(delivery.field, "b scene.ops/3/7 c"), "as its first delivery");
}

Test(delivery, retry_keeps_the_strategy_that_was_used)
{
    arrive_as_retry();
    settings.allow_batch_strategy = false;
    settings.strategy = STRATEGY_LOCAL_WINS;
    cr_assert_eq(decode().batch.strategy, STRATEGY_LAST_WRITE_WINS);
}

Test(delivery, retry_section_belongs_on_retry_topics)
{
    arrive_as_retry();
    record.tier = 0;
    cr_assert_eq(decode().refusal.code, ERROR_INVALID_VALUE);
    record.tier = 2;
    record.value = message_of(BATCH(""));
    cr_assert_eq(decode().refusal.code, ERROR_INVALID_RETRY);
}

Test(delivery, refusal_keeps_what_could_be_read)
{
    record.value = message_of("{'session_id':'s','batch_id':'b','client_id':'c','operations':5}");
    struct delivery delivery = decode();
    cr_assert_eq(delivery.refusal.code, ERROR_WRONG_TYPE);
    cr_assert_neq(delivery.refusal.message[0], '\0');
    cr_assert(span_equal_text(delivery.batch.session_id, "s"));
    cr_assert(span_equal_text(delivery.batch.batch_id, "b"));
    cr_assert(span_equal_text(delivery.batch.client_id, "c"));
    cr_assert_eq(delivery.arrival_ms, 5000);

    record.value = span_make("", 0);
    delivery = decode();
    cr_assert_eq(delivery.refusal.code, ERROR_NOT_MESSAGEPACK);
    cr_assert(span_is_absent(delivery.batch.session_id));

    settings.limits.message_bytes_max = 10;
    record.value = message_of(BATCH(""));
    cr_assert_eq(decode().refusal.code, ERROR_TOO_LARGE);
}

Test(delivery, key_should_be_the_session_id)
{
    struct delivery delivery = decode();
    cr_assert(delivery_key_matches(&delivery));
    record.key = span_of_text("t");
    cr_assert_not(delivery_key_matches(&delivery));
    record.key = (struct span){0};
    cr_assert_not(delivery_key_matches(&delivery));
}

Test(delivery, says_when_memory_runs_out)
{
    size_t failures = 0;
    for (size_t bytes_max = 0;; bytes_max += 8) {
        struct arena small;
        arena_init(&small, bytes_max);
        struct delivery delivery;
        error.code = ERROR_NONE;
        bool has_memory = delivery_decode(&record, &settings, &small, &delivery, &error);
        cr_assert_eq(error.code, has_memory ? ERROR_NONE : ERROR_OUT_OF_MEMORY);
        arena_deinit(&small);
        if (has_memory) {
            break;
        }
        failures++;
        cr_assert_lt(failures, 10000);
    }
    cr_assert_gt(failures, 3);
}
