#include "protocol/batch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/pack.h"
#include "tests/support/batch_check.h"
#include "tests/support/messages.h"

static struct batch_check check;

static void setup(void)
{
    batch_check_init(&check);
}

static void teardown(void)
{
    batch_check_deinit(&check);
}

TestSuite(batch_decode, .init = setup, .fini = teardown);
TestSuite(batch_encode, .init = setup, .fini = teardown);

#define OPERATION "{'op':'remove','id':'e1','timestamp':5}"

Test(batch_decode, reads_every_key)
{
    const struct batch batch = batch_accept_json(
        &check,
        "{'v':1,'session_id':'s-1','batch_id':'b:1','client_id':'\xc3\xa9ric',"
        "'strategy':'local_wins','operations':[" OPERATION ",{'op':'interaction','timestamp':6}]}");
    check_text(batch.session_id, "s-1");
    check_text(batch.batch_id, "b:1");
    check_text(batch.client_id, "\xc3\xa9ric");
    cr_assert_eq(batch.strategy, STRATEGY_LOCAL_WINS);
    cr_assert_eq(batch.operation_count, 2);
    cr_assert_eq(batch.operations[0].kind, OPERATION_REMOVE);
    cr_assert_eq(batch.operations[1].kind, OPERATION_INTERACTION);
    cr_assert_eq(batch.operations[1].index, 1);
    cr_assert(span_equal(batch.operations_raw,
                         message_of("[" OPERATION ",{'op':'interaction','timestamp':6}]")));
    cr_assert_null(batch.retry);
}

Test(batch_decode, fills_in_what_is_missing_or_nil)
{
    const char *const writings[] = {
        "{'operations':[],'session_id':'s'}",
        "{'v':null,'session_id':'s','batch_id':null,'client_id':null,'strategy':null,"
        "'operations':null,'retry':null}"};
    check.context.default_strategy = STRATEGY_REMOTE_WINS;
    for (size_t i = 0; i < 2; i++) {
        const struct batch batch = batch_accept_json(&check, writings[i]);
        cr_assert(span_is_absent(batch.batch_id));
        cr_assert(span_is_absent(batch.client_id));
        cr_assert_eq(batch.strategy, STRATEGY_REMOTE_WINS);
        cr_assert_eq(batch.operation_count, 0);
        cr_assert(span_equal(batch.operations_raw, message_of("[]")));
    }
}

Test(batch_decode, ignores_unknown_keys_whatever_they_hold)
{
    batch_accept_json(&check, "{'session_id':'s','operations':[],"
                              "'x':['hex:a1ff','hex:d40000','hex:82 01 01 01 02']}");
}

Test(batch_decode, takes_the_strategy_where_batches_may_name_one)
{
    const char *const json = "{'session_id':'s','operations':[],'strategy':'RemoteWins'}";
    cr_assert_eq(batch_accept_json(&check, json).strategy, STRATEGY_REMOTE_WINS);
    check.context.allow_batch_strategy = false;
    cr_assert_eq(batch_accept_json(&check, json).strategy, STRATEGY_LAST_WRITE_WINS);
}

Test(batch_decode, takes_merge_as_any_other_strategy)
{
    const char *const json = "{'session_id':'s','operations':[],'strategy':'merge'}";
    cr_assert_eq(batch_accept_json(&check, json).strategy, STRATEGY_MERGE);
    check.context.allow_batch_strategy = false;
    cr_assert_eq(batch_accept_json(&check, json).strategy, STRATEGY_LAST_WRITE_WINS);
}

Test(batch_decode, refuses_a_strategy_that_is_none_whoever_may_name_one)
{
    check.context.allow_batch_strategy = false;
    batch_refuse_json(&check, "{'session_id':'s','operations':[],'strategy':'newest'}",
                      ERROR_INVALID_VALUE);
    check_message_has(&check, "\"newest\"");
}

Test(batch_decode, a_broken_operation_leaves_the_others_alone)
{
    const struct batch batch =
        batch_accept_json(&check, "{'session_id':'s','operations':[1," OPERATION ",'hex:d40000']}");
    cr_assert_eq(batch.operation_count, 3);
    cr_assert_eq(batch.operations[0].kind, OPERATION_INVALID);
    cr_assert(batch.operations[0].well_formed);
    cr_assert_eq(batch.operations[1].kind, OPERATION_REMOVE);
    cr_assert_eq(batch.operations[2].kind, OPERATION_INVALID);
    cr_assert_not(batch.operations[2].well_formed);
}

struct refusal {
    enum error_code code;
    const char *json;
    const char *words;
};

/* Each with what its message must say. */
static const struct refusal refusals[] = {
    {ERROR_NOT_MESSAGEPACK, "'hex:'", "empty"},
    {ERROR_NOT_MESSAGEPACK, "'hex:c1'", ""},
    {ERROR_NOT_MESSAGEPACK, "'hex:8081'", ""},
    {ERROR_NOT_MESSAGEPACK, "'hex:d4724091a17601'", "useRecords: false"},
    {ERROR_NOT_A_MAP, "['s',[]]", "to_vec_named"},
    {ERROR_NOT_A_MAP, "'hex:d47240'", "useRecords: false"},
    {ERROR_NOT_A_MAP, "'hex:d40140'", "an extension type"},
    {ERROR_NOT_A_MAP, "7", "an integer"},
    {ERROR_DUPLICATE_KEY, "'hex:82a17801d9017802'", "\"x\""},
    {ERROR_UNSUPPORTED_VERSION, "{'v':2,'session_id':'s','operations':[]}", "2"},
    {ERROR_UNSUPPORTED_VERSION, "{'v':'1','session_id':'s','operations':[]}", "a str"},
    {ERROR_UNSUPPORTED_VERSION, "{'v':0,'session_id':'s','operations':[]}", "0"},
    {ERROR_WRONG_TYPE, "'hex:8101c0'", "an integer as a key"},
    {ERROR_WRONG_TYPE, "'hex:81a1ffc0'", "not valid UTF-8"},
    {ERROR_INVALID_VALUE, "{'session_id':'s','operations':[],'__proto__':1}", "__proto__"},
    {ERROR_MISSING_FIELD, "{'operations':[]}", "`session_id` is missing"},
    {ERROR_MISSING_FIELD, "{'session_id':null,'operations':[]}", "`session_id` is nil"},
    {ERROR_WRONG_TYPE, "{'session_id':7,'operations':[]}", "`session_id` must be a str"},
    {ERROR_WRONG_TYPE, "{'session_id':'bin:6162','operations':[]}", "a bin"},
    {ERROR_INVALID_VALUE, "{'session_id':'','operations':[]}", "0 bytes"},
    {ERROR_INVALID_VALUE, "{'session_id':'a.b','operations':[]}", "\"a.b\""},
    {ERROR_WRONG_TYPE, "{'session_id':'s','batch_id':7,'operations':[]}", "`batch_id`"},
    {ERROR_INVALID_VALUE, "{'session_id':'s','batch_id':'','operations':[]}", "`batch_id`"},
    {ERROR_INVALID_VALUE, "{'session_id':'s','batch_id':'a b','operations':[]}", "\"a b\""},
    {ERROR_INVALID_VALUE, "{'session_id':'s','batch_id':'bin:00','operations':[]}", "1 bytes"},
    {ERROR_WRONG_TYPE, "{'session_id':'s','client_id':[],'operations':[]}", "`client_id`"},
    {ERROR_INVALID_VALUE, "{'session_id':'s','client_id':'','operations':[]}", "`client_id`"},
    {ERROR_INVALID_VALUE, "{'session_id':'s','client_id':'hex:a1ff','operations':[]}", "UTF-8"},
    {ERROR_WRONG_TYPE, "{'session_id':'s','strategy':1,'operations':[]}", "`strategy`"},
    {ERROR_INVALID_VALUE, "{'session_id':'s','strategy':'x','operations':[]}", "remote_wins"},
    {ERROR_MISSING_FIELD, "{'session_id':'s'}", "`operations` is missing"},
    {ERROR_WRONG_TYPE, "{'session_id':'s','operations':{}}", "`operations` must be an array"},
    {ERROR_INVALID_VALUE, "{'session_id':'s','operations':[],'retry':{}}", "workers"},
};

Test(batch_decode, every_refusal_has_its_code_and_says_why)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        batch_refuse_json(&check, refusals[i].json, refusals[i].code);
        cr_assert_not_null(strstr(check.error.message, refusals[i].words),
                           "\"%s\" lacks \"%s\" (%s)", check.error.message, refusals[i].words,
                           refusals[i].json);
    }
}

/* Faults in the order of the checks. A message with two of them gives the earlier one's code. As
 * pairs of a key and a value; the ones that need more are made in fault_message(). */
struct fault {
    enum error_code code;
    const char *good, *bad; /* the key's pair */
};

static const struct fault key_faults[] = {
    {ERROR_UNSUPPORTED_VERSION, "a1 76 01", "a1 76 02"},
    {ERROR_INVALID_VALUE, "a1 78 01", "a9 5f5f70726f746f5f5f 01"},
    {ERROR_MISSING_FIELD, "aa 73657373696f6e5f6964 a1 73", "aa 73657373696f6e5f6964 c0"},
    {ERROR_WRONG_TYPE, "a8 62617463685f6964 a1 62", "a8 62617463685f6964 07"},
    {ERROR_INVALID_VALUE, "a9 636c69656e745f6964 a1 63", "a9 636c69656e745f6964 a0"},
    {ERROR_WRONG_TYPE, "a8 7374726174656779 a5 6d65726765", "a8 7374726174656779 91 01"},
    {ERROR_MISSING_FIELD, "aa 6f7065726174696f6e73 90", "a1 79 90"},
    {ERROR_INVALID_VALUE, "a5 7265747279 c0", "a5 7265747279 80"},
};
enum { KEY_FAULT_COUNT = sizeof key_faults / sizeof key_faults[0] };

static struct span message_with_faults(size_t first, size_t second)
{
    char hex[1024] = "88";
    for (size_t i = 0; i < KEY_FAULT_COUNT; i++) {
        const bool bad = i == first || i == second;
        strncat(hex, bad ? key_faults[i].bad : key_faults[i].good, sizeof hex - strlen(hex) - 1);
    }
    return bytes_of_hex(hex);
}

Test(batch_decode, of_two_faults_in_keys_the_earlier_check_gives_the_code)
{
    batch_accept(&check, message_with_faults(KEY_FAULT_COUNT, KEY_FAULT_COUNT));
    for (size_t first = 0; first < KEY_FAULT_COUNT; first++) {
        for (size_t second = first; second < KEY_FAULT_COUNT; second++) {
            batch_refuse(&check, message_with_faults(first, second), key_faults[first].code);
        }
    }
}

Test(batch_decode, checks_of_the_whole_message_come_in_their_order)
{
    check.limits.message_bytes_max = 40;
    check.limits.operations_max = 1;
    check.limits.depth_max = 2;
    /* Cut off and too large. */
    batch_refuse_json(&check, "['hex:c1','0123456789012345678901234567890123456789']",
                      ERROR_TOO_LARGE);
    /* Not well-formed, and no map either. */
    batch_refuse_json(&check, "['hex:c1']", ERROR_NOT_MESSAGEPACK);
    /* No map, and too deep. */
    batch_refuse_json(&check, "[[[[[]]]]]", ERROR_NOT_A_MAP);
    /* Too deep, and a repeated key. */
    batch_refuse_json(&check, "'hex:82 a17a 9191919190 a17a 00'", ERROR_TOO_DEEP);
    /* A repeated key, and an unknown version. */
    batch_refuse_json(&check, "'hex:82 a176 02 a176 02'", ERROR_DUPLICATE_KEY);
    /* A repeated key behind a key that is no str. */
    batch_refuse_json(&check, "'hex:83 01 02 a176 02 a176 02'", ERROR_DUPLICATE_KEY);
    /* `retry`, and too many operations. */
    batch_refuse_json(&check, "{'session_id':'s','operations':[1,2],'retry':1}",
                      ERROR_INVALID_VALUE);
    batch_refuse_json(&check, "{'session_id':'s','operations':[1,2]}", ERROR_TOO_MANY_OPERATIONS);
    check_message_has(&check, "2 operations, at most 1");
    batch_accept_json(&check, "{'session_id':'s','operations':[1]}");
}

Test(batch_decode, message_size_is_allowed_up_to_the_limit)
{
    const struct span message = message_of("{'session_id':'s','operations':[]}");
    check.limits.message_bytes_max = message.size;
    batch_accept(&check, message);
    check.limits.message_bytes_max = message.size - 1;
    batch_refuse(&check, message, ERROR_TOO_LARGE);
    check_message_has(&check, "limits.max_message_bytes");
}

Test(batch_decode, depth_counts_from_the_operations_map)
{
    check.limits.depth_max = 3;
    /* The operation's map is 1, its event's arrays 2 and 3. */
    const struct batch batch = batch_accept_json(
        &check, "{'session_id':'s','operations':[{'op':'interaction','timestamp':1,"
                "'event':[[]]}]}");
    cr_assert_eq(batch.operations[0].kind, OPERATION_INTERACTION);
    batch_refuse_json(&check,
                      "{'session_id':'s','operations':[{'op':'interaction','timestamp':1,"
                      "'event':[[[]]]}]}",
                      ERROR_TOO_DEEP);
    check_message_has(&check, "nested 6 deep, at most 5");
    check_message_has(&check, "limits.max_depth 3");
}

Test(batch_decode, says_only_what_it_knows_of_a_nesting_that_it_stops_to_follow)
{
    static uint8_t payload[1000];
    memset(payload, 0x91, sizeof payload);
    memcpy(payload, "\x81\xa1x", 3);
    payload[sizeof payload - 1] = 0xc0;
    batch_refuse(&check, span_make(payload, sizeof payload), ERROR_TOO_DEEP);
    check_message_has(&check, "nested at least ");
}

Test(batch_decode, repeated_keys_are_found_among_very_many)
{
    struct buffer message;
    buffer_init(&message, 1 << 20);
    const uint32_t extra = 20000;
    for (int repeated = 0; repeated < 2; repeated++) {
        buffer_clear(&message);
        pack_map(&message, extra + 2);
        for (uint32_t i = 0; i < extra; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%u", repeated && i == extra - 1 ? 7u : (unsigned)i);
            pack_text(&message, key);
            pack_nil(&message);
        }
        pack_text(&message, "session_id");
        pack_text(&message, "s");
        pack_text(&message, "operations");
        pack_array(&message, 0);
        if (repeated) {
            batch_refuse(&check, buffer_span(&message), ERROR_DUPLICATE_KEY);
            check_message_has(&check, "\"k7\"");
        } else {
            batch_accept(&check, buffer_span(&message));
        }
    }
    buffer_deinit(&message);
}

Test(batch_decode, refuses_a_message_cut_at_any_byte)
{
    const struct span whole = message_of(
        "{'v':1,'session_id':'scene-1','batch_id':'b','client_id':'c','strategy':'local_wins',"
        "'operations':[" OPERATION "," OPERATION "]}");
    batch_accept(&check, whole);
    for (size_t size = 0; size < whole.size; size++) {
        /* On the heap and no byte larger, so that reading past the cut is seen. */
        uint8_t *const cut = malloc(size > 0 ? size : 1);
        memcpy(cut, whole.data, size);
        const struct batch batch =
            batch_refuse(&check, span_make(cut, size), ERROR_NOT_MESSAGEPACK);
        cr_assert(span_is_absent(batch.session_id) || span_equal_text(batch.session_id, "scene-1"));
        free(cut);
    }
    batch_refuse(&check, (struct span){NULL, 0}, ERROR_NOT_MESSAGEPACK);
}

Test(batch_decode, memory_that_runs_out_is_not_the_batchs_fault)
{
    const struct span message =
        message_of("{'session_id':'s','operations':[" OPERATION "," OPERATION "]}");
    struct arena tight;
    for (size_t bytes_max = 0; bytes_max < sizeof(struct operation) * 2; bytes_max += 16) {
        struct batch batch;
        arena_init(&tight, bytes_max);
        cr_assert_not(batch_decode(message, &check.context, &tight, &batch, &check.error));
        cr_assert_eq(check.error.code, ERROR_OUT_OF_MEMORY);
        arena_deinit(&tight);
    }
}

#define RETRY                                                                                      \
    "{'attempt':2,'not_before':100,'arrival':50,'source':{'topic':'scene.ops','partition':1,"      \
    "'offset':9},'total':4,'indexes':[1,3],'synced_count':2,'clamped_count':0,'duration_ms':3,"    \
    "'attempt_versions':[7],'conflicts':[],'failed_operations':[]}"

Test(batch_decode, on_a_retry_topic_operations_keep_their_place)
{
    check.context.from_retry_topic = true;
    check.context.allow_batch_strategy = false;
    const struct batch batch = batch_accept_json(
        &check, "{'session_id':'s','strategy':'remote_wins','operations':[" OPERATION "," OPERATION
                "],'retry':" RETRY "}");
    cr_assert_eq(batch.operations[0].index, 1);
    cr_assert_eq(batch.operations[1].index, 3);
    cr_assert_eq(batch.retry->attempt, 2);
    /* The strategy of the first attempt stays, whatever the settings have become. */
    cr_assert_eq(batch.strategy, STRATEGY_REMOTE_WINS);
}

Test(batch_decode, on_a_retry_topic_the_section_must_be_there_and_right)
{
    check.context.from_retry_topic = true;
    batch_refuse_json(&check, "{'session_id':'s','operations':[]}", ERROR_INVALID_RETRY);
    check_message_has(&check, "`retry` is missing");
    batch_refuse_json(&check, "{'session_id':'s','operations':[],'retry':null}",
                      ERROR_INVALID_RETRY);
    batch_refuse_json(&check, "{'session_id':'s','operations':[],'retry':[]}", ERROR_INVALID_RETRY);
    batch_refuse_json(&check, "{'session_id':'s','operations':[],'retry':{}}", ERROR_INVALID_RETRY);
    batch_refuse_json(&check, "{'session_id':'s','operations':[],'retry':{'x':'hex:d40000'}}",
                      ERROR_INVALID_RETRY);
    batch_refuse_json(&check, "{'session_id':'s','operations':[" OPERATION "],'retry':" RETRY "}",
                      ERROR_INVALID_RETRY);
    check_message_has(&check, "2 indexes for 1 operations");
    /* Any other refusal keeps its own code. */
    batch_refuse_json(&check, "{'operations':[],'retry':" RETRY "}", ERROR_MISSING_FIELD);
}

Test(batch_decode, a_retry_section_may_nest_two_levels_deeper)
{
    check.context.from_retry_topic = true;
    check.limits.depth_max = 2;
#define RETRY_WITH_BODY(body)                                                                      \
    "{'session_id':'s','operations':[" OPERATION "],'retry':{'attempt':2,'not_before':100,"        \
    "'arrival':50,'source':{'topic':'t','partition':1,'offset':9},'total':2,'indexes':[0],"        \
    "'synced_count':0,'clamped_count':0,'duration_ms':3,'attempt_versions':[7],"                   \
    "'conflicts':[],'failed_operations':[{'index':1,'code':'element_removed',"                     \
    "'retryable':false,'operation':{'a':" body "}}]}}"
    batch_accept_json(&check, RETRY_WITH_BODY("[]"));
    batch_refuse_json(&check, RETRY_WITH_BODY("[[]]"), ERROR_TOO_DEEP);
#undef RETRY_WITH_BODY
}

Test(batch_encode, is_what_batch_decode_reads)
{
    check.context.from_retry_topic = true;
    const struct batch first = batch_accept_json(
        &check, "{'session_id':'s','batch_id':'b','client_id':'c','strategy':'local_wins',"
                "'operations':[" OPERATION "," OPERATION "],'retry':" RETRY "}");
    const struct span raws[2] = {first.operations[0].raw, first.operations[1].raw};
    const struct batch_parts parts = {.session_id = first.session_id,
                                      .batch_id = first.batch_id,
                                      .client_id = first.client_id,
                                      .strategy = first.strategy,
                                      .operations = raws,
                                      .operation_count = 2,
                                      .retry = first.retry};
    struct buffer out;
    buffer_init(&out, 4096);
    batch_encode(&parts, &out);
    cr_assert_not(out.failed);
    /* Canonical: the same keys in the same order. */
    const struct span expected =
        message_of("{'v':1,'session_id':'s','batch_id':'b','client_id':'c','strategy':'local_wins',"
                   "'operations':[" OPERATION "," OPERATION "],'retry':" RETRY "}");
    cr_assert(span_equal(buffer_span(&out), expected));
    batch_accept(&check, buffer_span(&out));
    buffer_deinit(&out);
}

Test(batch_encode, leaves_out_what_is_absent)
{
    const struct batch_parts parts = {.session_id = span_of_text("s"),
                                      .batch_id = span_of_text("b:dlq"),
                                      .strategy = STRATEGY_LAST_WRITE_WINS};
    struct buffer out;
    buffer_init(&out, 4096);
    batch_encode(&parts, &out);
    cr_assert(
        span_equal(buffer_span(&out), message_of("{'v':1,'session_id':'s','batch_id':'b:dlq',"
                                                 "'strategy':'last_write_wins','operations':[]}")));
    buffer_deinit(&out);
}

Test(batch_encode, failure_sticks)
{
    const struct batch_parts parts = {.session_id = span_of_text("s"),
                                      .batch_id = span_of_text("b")};
    struct buffer out;
    buffer_init(&out, 20);
    batch_encode(&parts, &out);
    cr_assert(out.failed);
    buffer_deinit(&out);
}

Test(batch_default_id, names_the_record_and_is_a_valid_batch_id)
{
    char id[BATCH_DEFAULT_ID_BYTES_MAX];
    const struct source source = {.topic = span_of_text("scene.ops"), .partition = 3, .offset = 42};
    size_t size = batch_default_id(&source, 1700000000000, id);
    check_text(span_make(id, size), "scene.ops/3/42@1700000000000");
    /* The longest there can be. */
    char topic[249];
    memset(topic, 't', sizeof topic);
    const struct source longest = {
        .topic = span_make(topic, sizeof topic), .partition = INT32_MAX, .offset = INT64_MAX};
    size = batch_default_id(&longest, INT64_MIN, id);
    cr_assert_eq(size, 249 + 1 + 10 + 1 + 19 + 1 + 20);
    cr_assert_eq(id[size - 1], '8');
}
