/*
 * How the independent model (tests/model) reads bytes: MessagePack, and section 2 of protocol.md.
 */
#include "tests/model/model.h"

#include <criterion/criterion.h>

#include "tests/support/messages.h"

static struct model_settings settings;
static struct pool pool;

static void setup(void)
{
    settings = model_settings_default();
}

static void teardown(void)
{
    pool_free(&pool);
}

TestSuite(model_messages, .init = setup, .fini = teardown);

/* --- Messages --- */

static const char *code_of(const char *json)
{
    struct model_batch batch;
    model_batch_read(message_of(json), &settings, false, &pool, &batch);
    return batch.code == NULL ? "accepted" : batch.code;
}

Test(model_messages, refuses_batches_in_the_order_of_checks)
{
    settings.operations_max = 2;
    static const struct {
        const char *json, *code;
    } cases[] = {
        {"{'session_id':'s','operations':[]}", "accepted"},
        {"{'session_id':'s','operations':null,'v':1.0,'retry':null,'x':1}", "accepted"},
        {"'hex:c1'", "not_messagepack"},
        {"'hex:'", "not_messagepack"},
        {"'hex:8000'", "not_messagepack"},
        {"'hex:81a161'", "not_messagepack"},
        {"'hex:ddffffffff'", "not_messagepack"},
        {"[1]", "not_a_map"},
        {"'hex:82a17601a17601'", "duplicate_key"},
        {"{'v':2,'session_id':5}", "unsupported_version"},
        {"{'v':'1'}", "unsupported_version"},
        {"'hex:8101a0'", "wrong_type"},
        {"{'__proto__':1}", "invalid_value"},
        {"{}", "missing_field"},
        {"{'session_id':null}", "missing_field"},
        {"{'session_id':'bin:61'}", "wrong_type"},
        {"{'session_id':'a b'}", "invalid_value"},
        {"{'session_id':'s','batch_id':5}", "wrong_type"},
        {"{'session_id':'s','batch_id':'bin:00'}", "invalid_value"},
        {"{'session_id':'s','client_id':[]}", "wrong_type"},
        {"{'session_id':'s','client_id':''}", "invalid_value"},
        {"{'session_id':'s','strategy':'blend'}", "invalid_value"},
        {"{'session_id':'s'}", "missing_field"},
        {"{'session_id':'s','operations':{}}", "wrong_type"},
        {"{'session_id':'s','operations':[],'retry':{}}", "invalid_value"},
        {"{'session_id':'s','operations':[1,2,3]}", "too_many_operations"},
        {"{'session_id':'s','operations':[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]}",
         "accepted"},
        {"{'session_id':'s','operations':[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]}",
         "too_deep"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_str_eq(code_of(cases[i].json), cases[i].code, "%s", cases[i].json);
    }
    settings.message_bytes_max = 5;
    cr_assert_str_eq(code_of("{'session_id':'s','operations':[]}"), "too_large");
}

Test(model_messages, reads_who_a_damaged_batch_is_from)
{
    struct model_batch batch;
    const struct span whole = message_of(
        "{'session_id':'s','batch_id':'bin:00112233445566778899aabbccddeeff','client_id':'c',"
        "'operations':[1,2,3]}");
    model_batch_read(span_make(whole.data, whole.size - 1), &settings, false, &pool, &batch);
    cr_assert_str_eq(batch.code, "not_messagepack");
    cr_assert(span_equal_text(batch.session_id, "s"));
    cr_assert(span_equal_text(batch.batch_id, "00112233-4455-6677-8899-aabbccddeeff"));
    cr_assert(span_equal_text(batch.client_id, "c"));
    model_batch_read(message_of("{'v':2,'session_id':'a b','batch_id':7}"), &settings, false, &pool,
                     &batch);
    cr_assert(span_is_absent(batch.session_id) && span_is_absent(batch.batch_id));
}

Test(model_messages, decides_the_strategy)
{
    struct model_batch batch;
    const struct span message =
        message_of("{'session_id':'s','operations':[],'strategy':'RemoteWins'}");
    model_batch_read(message, &settings, false, &pool, &batch);
    cr_assert_eq(batch.strategy, MODEL_REMOTE_WINS);
    settings.allow_batch_strategy = false;
    settings.strategy = MODEL_LOCAL_WINS;
    model_batch_read(message, &settings, false, &pool, &batch);
    cr_assert_eq(batch.strategy, MODEL_LOCAL_WINS);
    model_batch_read(message, &settings, true, &pool, &batch);
    cr_assert_str_eq(batch.code, "invalid_retry");
}

/* --- Values --- */

Test(model_messages, reads_every_encoding)
{
    static const struct {
        const char *hex;
        enum value_type type;
        double number;
    } cases[] = {
        {"00", VALUE_NATURAL, 0},
        {"7f", VALUE_NATURAL, 127},
        {"e0", VALUE_NEGATIVE, -32},
        {"ff", VALUE_NEGATIVE, -1},
        {"ccff", VALUE_NATURAL, 255},
        {"cdffff", VALUE_NATURAL, 65535},
        {"ceffffffff", VALUE_NATURAL, 4294967295.0},
        {"cf0020000000000000", VALUE_NATURAL, 9007199254740992.0},
        {"d080", VALUE_NEGATIVE, -128},
        {"d07f", VALUE_NATURAL, 127},
        {"d18000", VALUE_NEGATIVE, -32768},
        {"d280000000", VALUE_NEGATIVE, -2147483648.0},
        {"d38000000000000000", VALUE_NEGATIVE, -9223372036854775808.0},
        {"ca3fc00000", VALUE_REAL, 1.5},
        {"cbbff8000000000000", VALUE_REAL, -1.5},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double number = 0;
        const struct value *const value = value_read(bytes_of_hex(cases[i].hex), &pool);
        cr_assert(value_is(value, cases[i].type), "%s", cases[i].hex);
        cr_assert(value_as_number(value, &number) && number == cases[i].number, "%s", cases[i].hex);
    }
    static const struct {
        const char *hex;
        enum value_type type;
        size_t size;
    } bodies[] = {
        {"a26162", VALUE_STR, 2},
        {"d9026162", VALUE_STR, 2},
        {"da00026162", VALUE_STR, 2},
        {"db000000026162", VALUE_STR, 2},
        {"c4026162", VALUE_BIN, 2},
        {"c500026162", VALUE_BIN, 2},
        {"c6000000026162", VALUE_BIN, 2},
        {"d40161", VALUE_EXTENSION, 2},
        {"d5016162", VALUE_EXTENSION, 3},
        {"c70201aabb", VALUE_EXTENSION, 3},
        {"c8000201aabb", VALUE_EXTENSION, 3},
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const struct value *const value = value_read(bytes_of_hex(bodies[i].hex), &pool);
        cr_assert(value_is(value, bodies[i].type), "%s", bodies[i].hex);
        cr_assert_eq(value->text.size, bodies[i].size, "%s", bodies[i].hex);
    }
    cr_assert_eq(value_read(bytes_of_hex("dc00020102"), &pool)->count, 2);
    cr_assert_eq(value_read(bytes_of_hex("df00000001a16101"), &pool)->count, 1);
}

Test(model_messages, refuses_what_is_cut_off_at_every_byte)
{
    const struct span whole =
        message_of("{'a':[1,2.5,'text',{'b':null}],'bin':'bin:0011','long':100000,'t':true}");
    for (size_t size = 0; size < whole.size; size++) {
        size_t measured;
        uint32_t depth;
        cr_assert_not(value_measure(span_make(whole.data, size), &measured, &depth));
        cr_assert_null(value_read(span_make(whole.data, size), &pool));
    }
    size_t measured;
    uint32_t depth;
    cr_assert(value_measure(whole, &measured, &depth));
    cr_assert_eq(measured, whole.size);
    cr_assert_eq(depth, 3);
}

Test(model_messages, reads_any_depth)
{
    static uint8_t nested[100000];
    memset(nested, 0x91, sizeof(nested));
    nested[sizeof(nested) - 1] = 0x01;
    size_t size;
    uint32_t depth;
    cr_assert(value_measure(span_make(nested, sizeof(nested)), &size, &depth));
    cr_assert_eq(depth, sizeof(nested) - 1);
    cr_assert_not_null(value_read(span_make(nested, sizeof(nested)), &pool));
}

Test(model_messages, tells_sound_maps_and_strings)
{
    cr_assert(value_is_sound(value_read(message_of("{'é':[{'a':1},{'a':1}]}"), &pool)));
    static const char *const unsound[] = {
        "d40001",   "8101a0",   "82a16101a16102", "81a95f5f70726f746f5f5f01",
        "91a1ff",   "91a2c080", "91a3eda080",     "91a4f4908080",
        "91a2e280", "81a1ff01",
    };
    for (size_t i = 0; i < sizeof(unsound) / sizeof(unsound[0]); i++) {
        const struct value *const value = value_read(bytes_of_hex(unsound[i]), &pool);
        cr_assert_not_null(value, "%s", unsound[i]);
        cr_assert_not(value_is_sound(value), "%s", unsound[i]);
    }
}

Test(model_messages, compares_bytes_of_what_was_received_and_the_sense_of_what_was_computed)
{
    char path[100];
    const struct value *const received = value_read(bytes_of_hex("81a161cc07"), &pool);
    cr_assert(value_is_same(received, value_read(bytes_of_hex("de0001a161cc07"), &pool), path,
                            sizeof(path)));
    cr_assert_not(
        value_is_same(received, value_read(bytes_of_hex("81a16107"), &pool), path, sizeof(path)));
    cr_assert_str_eq(path, "a");
    struct value *const computed = value_of_map(&pool);
    value_set_text(computed, "a", value_of_integer(&pool, 7), &pool);
    cr_assert(value_is_same(computed, received, path, sizeof(path)));
    cr_assert_not(value_is_same(computed, value_read(bytes_of_hex("81a161ca40e00000"), &pool), path,
                                sizeof(path)),
                  "an integer is written as one");
    struct value *const larger = value_copy(received, &pool);
    value_set_text(larger, "b", value_of_bool(&pool, true), &pool);
    cr_assert_not(value_is_same(larger, received, path, sizeof(path)));
    cr_assert_str_eq(path, "b");
    cr_assert_not(value_is_same(received, larger, path, sizeof(path)));
    cr_assert_str_eq(path, "b");
}
