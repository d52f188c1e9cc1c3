/*
 * Batches that nobody can apply: dead-lettered with their bytes, answered where there is a scene to
 * answer for, and never in the way of what comes behind them (protocol.md sections 2 and 7).
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/batches.h"
#include "tests/support/world.h"

static struct world *world;

static void end(void)
{
    world_destroy(world);
}

TestSuite(poison, .fini = end, .timeout = 120);

static struct span padded_batch(size_t bytes)
{
    char *const padding = malloc(bytes + 1);
    cr_assert_not_null(padding);
    memset(padding, 'x', bytes);
    padding[bytes] = '\0';
    const struct span message = message_of_format(
        "{'session_id':'s1','batch_id':'large','operations':[],'pad':'%s'}", padding);
    free(padding);
    return message;
}

struct poison {
    const char *code;
    struct span value;
    const char *session_id, *batch_id; /* of its result; NULL: none, or the default one */
};

enum { POISON_COUNT = 13, MESSAGE_BYTES_MAX = 2048 };

static void fill(struct poison *list)
{
    const struct poison all[POISON_COUNT] = {
        {"too_large", padded_batch(MESSAGE_BYTES_MAX), "s1", "large"},
        {"not_messagepack", bytes_of_hex("c1"), NULL, NULL},
        {"not_messagepack", span_make("", 0), NULL, NULL},
        {"not_messagepack", bytes_of_hex("80 80"), NULL, NULL},
        {"not_a_map", message_of("['s1',[]]"), NULL, NULL},
        {"too_deep",
         message_of("{'session_id':'s1','batch_id':'deep','operations':[{'op':'interaction',"
                    "'timestamp':1,'event':[[[[[[[]]]]]]]}]}"),
         "s1", "deep"},
        {"duplicate_key", bytes_of_hex("83 a176 01 a176 01 aa73657373696f6e5f6964 a27331"), "s1",
         NULL},
        {"unsupported_version",
         message_of("{'v':2,'session_id':'s1','batch_id':'v2','operations':[]}"), "s1", "v2"},
        {"missing_field", message_of("{'batch_id':'nobody','operations':[]}"), NULL, NULL},
        {"wrong_type", message_of("{'session_id':'s1','batch_id':'type','operations':{}}"), "s1",
         "type"},
        {"invalid_value", message_of("{'session_id':'no/slash','operations':[]}"), NULL, NULL},
        {"invalid_value",
         message_of("{'session_id':'s1','batch_id':'blend','strategy':'blend','operations':[]}"),
         "s1", "blend"},
        {"too_many_operations",
         sent_batch(
             "s1", "many",
             text_of_format("%s,%s,%s", op_add("a", 1, 1), op_add("b", 1, 1), op_add("c", 1, 1))),
         "s1", "many"},
    };
    memcpy(list, all, sizeof(all));
}

static void expect_dead(const struct kafka_record *dead, const struct poison *poison,
                        const char *source)
{
    cr_assert_str_eq(world_header(dead, "scenesync-error-code"), poison->code);
    cr_assert(span_equal(dead->value, poison->value), "%s: its exact bytes", poison->code);
    cr_assert(span_equal_text(dead->key, "the-key"));
    cr_assert_str_eq(world_header(dead, "trace"), "t-1", "the original headers");
    cr_assert_str_eq(world_header(dead, "scenesync-source"), source);
    cr_assert_gt(strlen(world_header(dead, "scenesync-error")), 10);
    cr_assert_gt(strtoull(world_header(dead, "scenesync-failed-at"), NULL, 10), 0);
    cr_assert_str_eq(world_header(dead, "scenesync-batch-id"), "");
}

static void expect_answer(const struct result_list *results, const struct poison *poison,
                          int64_t offset)
{
    const struct sync_result *answer = NULL;
    for (size_t i = 0; i < results->count; i++) {
        if (results->items[i].source.offset == offset) {
            answer = &results->items[i];
        }
    }
    if (poison->session_id == NULL) {
        cr_assert_null(answer, "%s: there is nobody to answer", poison->code);
        return;
    }
    cr_assert_not_null(answer, "%s at %lld: no result", poison->code, (long long)offset);
    cr_assert(answer->final && !sync_result_is_success(answer));
    cr_assert_str_eq(error_code_name(answer->error_code), poison->code);
    cr_assert(span_equal_text(answer->session_id, poison->session_id));
    cr_assert_gt(answer->error_message.size, 10);
    if (poison->batch_id != NULL) {
        cr_assert(span_equal_text(answer->batch_id, poison->batch_id));
    }
}

Test(poison, every_code_is_dead_lettered_and_answered_and_stops_nothing)
{
    world = world_create(1, 0);
    world_set(world, "limits.max_message_bytes=%d", MESSAGE_BYTES_MAX);
    world_set(world, "limits.max_operations=2");
    world_set(world, "limits.max_depth=6");
    struct poison list[POISON_COUNT];
    fill(list);
    const struct record_header trace = {"trace", span_make("t-1", 3)};
    for (size_t i = 0; i < POISON_COUNT; i++) {
        cr_assert_eq(kafka_broker_produce(world_broker(world), TOPIC_OPS, 0,
                                          span_of_text("the-key"), list[i].value, &trace, 1),
                     (int64_t)i);
    }
    world_send(world, 0, sent_batch("s1", "good", op_add("a", 1, 1)));
    world_start_worker(world);
    world_settle(world);

    const struct record_list dead = world_records(world, TOPIC_DEAD);
    const struct result_list results = world_results(world, NULL);
    cr_assert_eq(dead.count, POISON_COUNT);
    for (size_t i = 0; i < POISON_COUNT; i++) {
        expect_dead(&dead.items[i], &list[i], text_of_format("%s/0/%zu", TOPIC_OPS, i));
        expect_answer(&results, &list[i], (int64_t)i);
    }
    const struct sync_result good = world_result(world, "good");
    cr_assert(sync_result_is_success(&good), "the partition goes on");
    cr_assert_eq(world_scene(world, "s1").version, 1);
}

/* On the retry topics only what workers wrote counts, and elsewhere it must not appear. */
Test(poison, retry_section_in_the_wrong_place_or_forged)
{
    world = world_create(1, 1);
    const struct span plain = sent_batch("s1", "b1", op_add("a", 1, 1));
    const struct span forged = message_of_format(
        "{'session_id':'s1','batch_id':'b2','operations':[%s],'retry':{'attempt':2}}",
        op_add("b", 1, 1));
    (void)kafka_broker_produce(world_broker(world), TOPIC_RETRY_1, 0, span_of_text("s1"), plain,
                               NULL, 0);
    (void)kafka_broker_produce(world_broker(world), TOPIC_RETRY_1, 0, span_of_text("s1"), forged,
                               NULL, 0);
    world_send(world, 0, forged);
    world_start_worker(world);
    world_settle(world);

    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 3);
    size_t invalid_retry_count = 0;
    for (size_t i = 0; i < dead.count; i++) {
        const char *const code = world_header(&dead.items[i], "scenesync-error-code");
        const bool from_retry =
            strstr(world_header(&dead.items[i], "scenesync-source"), TOPIC_RETRY_1) != NULL;
        cr_assert_eq(strcmp(code, "invalid_retry") == 0, from_retry, "%s", code);
        invalid_retry_count += from_retry ? 1 : 0;
    }
    cr_assert_eq(invalid_retry_count, 2);
    cr_assert_eq(world_results(world, NULL).count, 1, "none for invalid_retry");
    cr_assert_eq(world_result(world, "b2").error_code, ERROR_INVALID_VALUE);
    cr_assert_eq(world_scene(world, "s1").version, 0);
}

static void expect_store_error(const char *batch_id)
{
    const struct sync_result result = world_result(world, batch_id);
    cr_assert(result.final);
    cr_assert_eq(result.failed_count, 2);
    cr_assert_eq(failure_at(&result, 0)->code, ERROR_STORE_ERROR);
    cr_assert_eq(failure_at(&result, 1)->code, ERROR_STORE_ERROR);
}

static void spoil_scenes(void)
{
    struct redis_server *const redis = world_redis(world);
    REDIS_RUN(redis, "SET", "scene:{elements}:elements", "mine");
    REDIS_RUN(redis, "SET", "scene:{meta}", "mine");
    REDIS_RUN(redis, "SET", "scene:{records}:batches", "mine");
}

/* Somebody else's data stands where a scene's should. Waiting would stop every other scene. */
Test(poison, scene_that_the_store_refuses_fails_alone)
{
    static const char *const spoiled[] = {"elements", "meta", "records"};
    enum { SPOILED_COUNT = sizeof(spoiled) / sizeof(spoiled[0]) };
    world = world_create(1, 1);
    spoil_scenes();
    const char *const two = ops(op_add("a", 1, 1000), op_move("b", 1, 1000));
    for (size_t i = 0; i < SPOILED_COUNT; i++) {
        world_send(world, 0, sent_batch(spoiled[i], spoiled[i], two));
    }
    world_send(world, 0, sent_batch("good", "good", op_add("a", 1, 1000)));
    world_send(world, 0, sent_batch("elements", "elements-2", two));
    world_start_worker(world);
    world_settle(world);

    for (size_t i = 0; i < SPOILED_COUNT; i++) {
        expect_store_error(spoiled[i]);
    }
    expect_store_error("elements-2");
    const struct sync_result good = world_result(world, "good");
    cr_assert(sync_result_is_success(&good));
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, SPOILED_COUNT + 1);
    for (size_t i = 0; i < dead.count; i++) {
        cr_assert_str_eq(world_header(&dead.items[i], "scenesync-error-code"), "store_error");
        cr_assert_str_eq(world_header(&dead.items[i], "scenesync-indexes"), "0,1");
    }
    static const char *const untouched[] = {"GET", "scene:{elements}:elements", NULL};
    cr_assert_str_eq(world_redis_command(world, untouched), "mine");
    cr_assert_eq(world_records(world, TOPIC_RETRY_1).count, 0);
}

/* What waits for its retry must not be taken for dealt with because nobody can look. */
Test(poison, retry_of_a_scene_that_is_unreadable_by_then_fails)
{
    world = world_create(1, 1);
    world_set(world, "retry.initial_delay_ms=2000");
    world_send(world, 0, sent_batch("s1", "b1", op_move("a", 1, 1000)));
    world_start_worker(world);
    const struct sync_result first = world_await_results(world, "b1", 1).items[0];
    cr_assert_eq(first.pending_count, 1);
    REDIS_RUN(world_redis(world), "HSET", "scene:{s1}", "version", "mine");
    world_settle(world);
    const struct sync_result last = world_await_results(world, "b1", 2).items[1];
    cr_assert(last.final);
    cr_assert_eq(failure_at(&last, 0)->code, ERROR_STORE_ERROR);
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 1);
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-error-code"), "store_error");
}

/* A version that was decided and never written is nobody's. */
Test(poison, failure_names_the_version_that_the_scene_had)
{
    world = world_create(1, 1);
    world_start_worker(world);
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    cr_assert_eq(world_await_results(world, "b1", 1).items[0].scene_version, 1);
    static const char *const removed[] = {"DEL", "scene:{s1}", NULL};
    cr_assert_str_eq(world_redis_command(world, removed), "1");
    REDIS_RUN(world_redis(world), "SET", "scene:{s1}", "mine");
    world_send(world, 0, sent_batch("s1", "b2", op_add("b", 1, 1000)));
    const struct sync_result result = world_await_results(world, "b2", 1).items[0];
    cr_assert_eq(failure_at(&result, 0)->code, ERROR_STORE_ERROR);
    cr_assert_eq(result.scene_version, 1);
}

/* Bytes that are no record are nobody's use of the name. */
Test(poison, record_that_is_unreadable_fails_its_batch_alone)
{
    world = world_create(1, 1);
    REDIS_RUN(world_redis(world), "HSET", "scene:{s1}:batches", "b1 ", "mine");
    world_send(world, 0, sent_batch("s1", "b1", op_add("a", 1, 1000)));
    world_send(world, 0, sent_batch("s2", "b2", op_add("a", 1, 1000)));
    world_start_worker(world);
    world_settle(world);
    const struct sync_result result = world_result(world, "b1");
    cr_assert_eq(failure_at(&result, 0)->code, ERROR_STORE_ERROR);
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 1);
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-error-code"), "store_error");
    const struct sync_result good = world_result(world, "b2");
    cr_assert(sync_result_is_success(&good));
}

/* One element that nobody can read is one operation's failure, not its scene's. */
Test(poison, element_that_is_unreadable_fails_alone)
{
    world = world_create(1, 1);
    REDIS_RUN(world_redis(world), "HSET", "scene:{s1}:elements", "a", "mine");
    world_send(world, 0, sent_batch("s1", "b1", ops(op_move("a", 1, 1000), op_add("b", 1, 1000))));
    world_start_worker(world);
    world_settle(world);
    const struct sync_result result = world_result(world, "b1");
    cr_assert_eq(result.synced_count, 1);
    cr_assert_eq(failure_at(&result, 0)->code, ERROR_STORE_ERROR);
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 1);
    cr_assert_str_eq(world_header(&dead.items[0], "scenesync-indexes"), "0");
    static const char *const untouched[] = {"HGET", "scene:{s1}:elements", "a", NULL};
    cr_assert_str_eq(world_redis_command(world, untouched), "mine");
    static const char *const added[] = {"HEXISTS", "scene:{s1}:elements", "b", NULL};
    cr_assert_str_eq(world_redis_command(world, added), "1");
}

static void expect_dead_operations(const struct kafka_record *dead, const char *batch_id,
                                   const char *code, const char *indexes)
{
    const struct batch batch = world_batch(world, dead->value, false);
    cr_assert(span_equal_text(batch.batch_id, batch_id), "%.*s", SPAN_ARGS(batch.batch_id));
    cr_assert_str_eq(world_header(dead, "scenesync-batch-id"), "b1");
    cr_assert_str_eq(world_header(dead, "scenesync-error-code"), code);
    cr_assert_str_eq(world_header(dead, "scenesync-indexes"), indexes);
}

/* What an operator does once both causes are gone: none of the two is taken for the other. */
Test(poison, dead_letters_of_two_attempts_can_both_be_produced_again)
{
    world = world_create(1, 1);
    REDIS_RUN(world_redis(world), "HSET", "scene:{s1}:elements", "a", "mine");
    world_send(world, 0, sent_batch("s1", "b1", ops(op_move("a", 5, 2000), op_move("b", 6, 2000))));
    world_start_worker(world);
    world_settle(world);
    const struct record_list dead = world_records(world, TOPIC_DEAD);
    cr_assert_eq(dead.count, 2);
    expect_dead_operations(&dead.items[0], "b1:dlq-1", "store_error", "0");
    expect_dead_operations(&dead.items[1], "b1:dlq", "retries_exhausted", "1");

    REDIS_RUN(world_redis(world), "HDEL", "scene:{s1}:elements", "a");
    world_send(world, 0, sent_batch("s1", "b2", ops(op_add("a", 1, 1000), op_add("b", 1, 1000))));
    world_send(world, 0, dead.items[0].value);
    world_send(world, 0, dead.items[1].value);
    world_settle(world);
    cr_assert_eq(world_records(world, TOPIC_DEAD).count, 2);
    const struct sync_result first = world_result(world, "b1:dlq-1");
    cr_assert(sync_result_is_success(&first));
    const struct sync_result second = world_result(world, "b1:dlq");
    cr_assert(sync_result_is_success(&second));
    const struct scene_view scene = world_scene(world, "s1");
    cr_assert_eq(scene_view_transform(&scene, "a", "x"), 5);
    cr_assert_eq(scene_view_transform(&scene, "b", "x"), 6);
}

/* An element that another program wrote as nothing but its document is version 0, time 0. */
Test(poison, bare_map_of_another_program_is_an_element)
{
    world = world_create(1, 1);
    REDIS_RUN(world_redis(world), "HSET", "scene:{s1}:elements", "a",
              "\x82\xa2id\xa1\x61\xa4kind\x81\xa4type\xa1t");
    world_send(world, 0, sent_batch("s1", "b1", op_move("a", 5, 1)));
    world_send(world, 0, sent_batch("s1", "b2", op_remove("a", 2)));
    world_start_worker(world);
    const struct sync_result moved = world_await_results(world, "b1", 1).items[0];
    world_settle(world);
    cr_assert(sync_result_is_success(&moved));
    cr_assert_eq(moved.conflict_count, 0);
    cr_assert_eq(moved.scene_version, 1);
    const struct sync_result removed = world_result(world, "b2");
    cr_assert(sync_result_is_success(&removed));
    cr_assert_eq(world_scene(world, "s1").element_count, 0);
}
