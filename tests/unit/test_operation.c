#include "protocol/operation.h"

#include <criterion/criterion.h>

#include "tests/support/messages.h"

static struct arena arena;
static struct limits limits;

static void setup(void)
{
    arena_init(&arena, (size_t)16 << 20);
    limits = limits_default();
}

static void teardown(void)
{
    arena_deinit(&arena);
}

TestSuite(operation, .init = setup, .fini = teardown);

static struct operation decode(struct span raw)
{
    struct operation operation;
    struct error error;
    cr_assert(operation_decode(raw, 7, &limits, &arena, &operation, &error));
    cr_assert_eq(operation.index, 7);
    cr_assert_eq(operation.raw.data, raw.data);
    cr_assert_eq(operation.raw.size, raw.size);
    return operation;
}

static struct operation decode_json(const char *json)
{
    return decode(message_of(json));
}

static void assert_text(struct span span, const char *expected)
{
    cr_assert(!span_is_absent(span) && span_equal_text(span, expected), "\"%.*s\" is not \"%s\"",
              SPAN_ARGS(span), expected);
}

/* That the operation is refused, and that the reason says what a person needs. */
static void assert_invalid(const char *json, const char *const words[], bool well_formed)
{
    const struct operation operation = decode_json(json);
    cr_assert_eq(operation.kind, OPERATION_INVALID, "accepted: %s", json);
    cr_assert_eq(operation.well_formed, well_formed, "%s", json);
    cr_assert_not(operation.has_timestamp || operation.has_base_version);
    cr_assert(span_is_absent(operation.id) && span_is_absent(operation.document));
    for (size_t i = 0; words[i] != NULL; i++) {
        cr_assert_not_null(strstr(operation.invalid_reason, words[i]), "\"%s\" lacks \"%s\" (%s)",
                           operation.invalid_reason, words[i], json);
    }
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Both spellings of the same four operations. */
static const char *const adds[] = {
    "{'op':'add','element':{'id':'e1','kind':{'type':'Text'}},'timestamp':5,'base_version':3}",
    "{'AddElement':{'element':{'id':'e1','kind':{'type':'Text'}},'timestamp':5,'base_version':3}}"};
static const char *const updates[] = {
    "{'op':'update','id':'e1','changes':{'selected':true},'timestamp':5}",
    "{'UpdateElement':{'id':'e1','changes':{'selected':true},'timestamp':5}}"};
static const char *const removes[] = {"{'op':'remove','id':'e1','timestamp':5}",
                                      "{'RemoveElement':{'id':'e1','timestamp':5}}"};
static const char *const interactions[] = {
    "{'op':'interaction','event':{'a':[1]},'timestamp':5}",
    "{'Interaction':{'event':{'a':[1]},'timestamp':5}}", "{'op':'interaction','timestamp':5}",
    "{'Interaction':{'timestamp':5}}", "{'op':'interaction','event':null,'timestamp':5}"};

Test(operation, decodes_an_add_in_both_spellings)
{
    for (size_t i = 0; i < 2; i++) {
        const struct operation operation = decode_json(adds[i]);
        cr_assert_eq(operation.kind, OPERATION_ADD, "%s", operation.invalid_reason);
        cr_assert(operation.well_formed && operation.has_timestamp && operation.has_base_version);
        cr_assert_eq(operation.timestamp_ms, 5);
        cr_assert_eq(operation.base_version, 3);
        assert_text(operation.id, "e1");
        cr_assert(span_equal(operation.document, message_of("{'id':'e1','kind':{'type':'Text'}}")));
    }
}

Test(operation, decodes_an_update_in_both_spellings)
{
    for (size_t i = 0; i < 2; i++) {
        const struct operation operation = decode_json(updates[i]);
        cr_assert_eq(operation.kind, OPERATION_UPDATE, "%s", operation.invalid_reason);
        cr_assert_not(operation.has_base_version);
        cr_assert_eq(operation.timestamp_ms, 5);
        assert_text(operation.id, "e1");
        cr_assert(span_equal(operation.document, message_of("{'selected':true}")));
    }
}

Test(operation, decodes_a_remove_in_both_spellings)
{
    for (size_t i = 0; i < 2; i++) {
        const struct operation operation = decode_json(removes[i]);
        cr_assert_eq(operation.kind, OPERATION_REMOVE, "%s", operation.invalid_reason);
        cr_assert_eq(operation.timestamp_ms, 5);
        assert_text(operation.id, "e1");
        cr_assert(span_is_absent(operation.document));
    }
}

Test(operation, decodes_an_interaction_with_any_event_or_none)
{
    for (size_t i = 0; i < sizeof interactions / sizeof interactions[0]; i++) {
        const struct operation operation = decode_json(interactions[i]);
        cr_assert_eq(operation.kind, OPERATION_INTERACTION, "%s", operation.invalid_reason);
        cr_assert_eq(operation.timestamp_ms, 5);
        cr_assert(span_is_absent(operation.id) && span_is_absent(operation.document));
    }
}

Test(operation, one_uuid_in_three_writings_is_one_id)
{
    const char *const expected = "0123abcd-4567-89ab-cdef-0123456789ab";
    const char *const writings[] = {"0123abcd-4567-89ab-cdef-0123456789ab",
                                    "0123ABCD-4567-89AB-CDEF-0123456789AB",
                                    "bin:0123abcd456789abcdef0123456789ab"};
    for (size_t i = 0; i < 3; i++) {
        const struct operation remove =
            decode(message_of_format("{'op':'remove','id':'%s','timestamp':1}", writings[i]));
        assert_text(remove.id, expected);
        const struct operation add = decode(message_of_format("{'op':'add','timestamp':1,'element':"
                                                              "{'id':'%s','kind':{'type':'t'}}}",
                                                              writings[i]));
        assert_text(add.id, expected);
    }
}

Test(operation, reads_numbers_that_are_integers_in_fact)
{
    cr_assert_eq(decode_json("{'op':'interaction','timestamp':1700000000000.75}").timestamp_ms,
                 1700000000000);
    cr_assert_eq(decode_json("{'op':'interaction','timestamp':5,'base_version':4.0}").base_version,
                 4);
    /* As 64 bits where 8 would do, and as a signed integer. */
    cr_assert_eq(
        decode_json("{'op':'interaction','timestamp':'hex:cf0000000000000009'}").timestamp_ms, 9);
    cr_assert_eq(decode_json("{'op':'interaction','timestamp':'hex:d009'}").timestamp_ms, 9);
    cr_assert_eq(
        decode_json("{'op':'interaction','timestamp':'hex:cfffffffffffffffff'}").timestamp_ms,
        UINT64_MAX);
}

Test(operation, nil_base_version_counts_as_absent)
{
    const struct operation operation =
        decode_json("{'op':'remove','id':'e','timestamp':5,'base_version':null}");
    cr_assert_eq(operation.kind, OPERATION_REMOVE);
    cr_assert_not(operation.has_base_version);
}

Test(operation, ignores_unknown_keys_beside_the_known_ones)
{
    cr_assert_eq(decode_json("{'op':'remove','id':'e','timestamp':5,'x':{'y':[1]}}").kind,
                 OPERATION_REMOVE);
    cr_assert_eq(decode_json("{'RemoveElement':{'id':'e','timestamp':5,'x':1},'y':2}").kind,
                 OPERATION_REMOVE);
}

Test(operation, keys_of_the_other_spelling_count_as_absent_where_nil)
{
    cr_assert_eq(decode_json("{'AddElement':null,'RemoveElement':{'id':'e','timestamp':5}}").kind,
                 OPERATION_REMOVE);
    cr_assert_eq(decode_json("{'op':'remove','AddElement':null,'id':'e','timestamp':5}").kind,
                 OPERATION_REMOVE);
}

Test(operation, refuses_more_or_less_than_one_spelling)
{
    assert_invalid("{'op':'remove','id':'e','timestamp':5,'RemoveElement':{'id':'e'}}",
                   WORDS("both spellings", "RemoveElement"), true);
    assert_invalid("{'AddElement':{},'RemoveElement':{}}", WORDS("2 of the keys"), true);
    assert_invalid("{}", WORDS("neither", "add, update, remove, interaction", "AddElement"), true);
    assert_invalid("{'id':'e','timestamp':5}", WORDS("neither", "Interaction"), true);
}

Test(operation, clocks_beside_an_outer_tag_do_not_count)
{
    assert_invalid("{'RemoveElement':{'id':'e'},'timestamp':5}", WORDS("`timestamp` is missing"),
                   true);
}

Test(operation, refuses_an_op_that_is_not_one_of_the_four)
{
    assert_invalid("{'op':'delete','id':'e','timestamp':5}",
                   WORDS("\"delete\"", "add, update, remove, interaction"), true);
    assert_invalid("{'op':'invalid','timestamp':5}", WORDS("\"invalid\""), true);
    assert_invalid("{'op':'Add','timestamp':5}", WORDS("\"Add\""), true);
    assert_invalid("{'op':3,'timestamp':5}", WORDS("`op` must be a str", "an integer"), true);
}

Test(operation, refuses_what_is_no_map_and_names_the_cure)
{
    assert_invalid("['add',{},5]", WORDS("an array", "to_vec_named"), true);
    assert_invalid("'add'", WORDS("must be a map", "a str"), true);
    assert_invalid("null", WORDS("must be a map", "nil"), true);
    assert_invalid("{'AddElement':[{},5]}", WORDS("`AddElement` must be a map", "an array"), true);
    assert_invalid("'hex:d47240'", WORDS("useRecords: false"), false);
}

Test(operation, refuses_missing_and_wrong_fields)
{
    assert_invalid("{'op':'remove','timestamp':5}", WORDS("`id` is missing"), true);
    assert_invalid("{'op':'remove','id':null,'timestamp':5}", WORDS("`id` is missing"), true);
    assert_invalid("{'op':'remove','id':'a b','timestamp':5}", WORDS("id"), true);
    assert_invalid("{'op':'remove','id':4,'timestamp':5}", WORDS("id", "an integer"), true);
    assert_invalid("{'op':'update','id':'e','timestamp':5}", WORDS("`changes` is missing"), true);
    assert_invalid("{'op':'update','id':'e','changes':[],'timestamp':5}",
                   WORDS("`changes` must be a map", "an array"), true);
    assert_invalid("{'op':'add','timestamp':5}", WORDS("`element` is missing"), true);
    assert_invalid("{'op':'add','element':'e','timestamp':5}", WORDS("`element` must be a map"),
                   true);
    assert_invalid("{'op':'add','element':{'kind':{'type':'t'}},'timestamp':5}", WORDS("id"), true);
    assert_invalid("{'op':'add','element':{'id':'e'},'timestamp':5}", WORDS("kind"), true);
}

Test(operation, refuses_broken_clocks)
{
    assert_invalid("{'op':'interaction'}", WORDS("`timestamp` is missing"), true);
    assert_invalid("{'op':'interaction','timestamp':null}", WORDS("`timestamp` is missing"), true);
    assert_invalid("{'op':'interaction','timestamp':'5'}", WORDS("`timestamp`", "a str"), true);
    assert_invalid("{'op':'interaction','timestamp':-5}", WORDS("`timestamp`", "not negative"),
                   true);
    assert_invalid("{'op':'interaction','timestamp':'hex:cb7ff8000000000000'}",
                   WORDS("`timestamp`"), true);
    assert_invalid("{'op':'interaction','timestamp':5,'base_version':-1}", WORDS("`base_version`"),
                   true);
    assert_invalid("{'op':'interaction','timestamp':5,'base_version':1.5}",
                   WORDS("`base_version`", "a float"), true);
}

Test(operation, what_breaks_the_rules_throughout_is_not_well_formed)
{
    const char *const broken[] = {
        /* a repeated key */
        "'hex:82 a26f70 ab696e746572616374696f6e a26f70 ab696e746572616374696f6e'",
        /* invalid UTF-8 in a str */
        "{'op':'interaction','timestamp':5,'event':'hex:a1ff'}",
        /* an extension type inside */
        "{'op':'interaction','timestamp':5,'event':'hex:d40000'}",
        /* a key that is no str */
        "{'op':'interaction','timestamp':5,'event':'hex:810102'}",
        "{'op':'interaction','timestamp':5,'event':{'__proto__':1}}",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_invalid(broken[i], WORDS(""), false);
    }
}

Test(operation, only_memory_makes_it_fail)
{
    struct arena tight;
    struct operation operation = {.index = 99};
    struct error error;
    arena_init(&tight, 8);
    cr_assert_not(operation_decode(message_of("[]"), 7, &limits, &tight, &operation, &error));
    cr_assert_eq(error.code, ERROR_OUT_OF_MEMORY);
    cr_assert_eq(operation.index, 99);
    arena_deinit(&tight);
}

Test(operation, kinds_have_names)
{
    cr_assert_str_eq(operation_kind_name(OPERATION_INVALID), "invalid");
    cr_assert_str_eq(operation_kind_name(OPERATION_ADD), "add");
    cr_assert_str_eq(operation_kind_name(OPERATION_UPDATE), "update");
    cr_assert_str_eq(operation_kind_name(OPERATION_REMOVE), "remove");
    cr_assert_str_eq(operation_kind_name(OPERATION_INTERACTION), "interaction");
}
