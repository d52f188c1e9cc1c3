#include "worker/json_print.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "protocol/utf8.h"
#include "tests/support/messages.h"
#include "worker/json_pack.h"

enum { BYTES_MAX = 1024 * 1024 };

static struct buffer text, packed;
static struct json_writer writer;

static void make(void)
{
    buffer_init(&text, BYTES_MAX);
    buffer_init(&packed, BYTES_MAX);
    writer = json_writer_of(&text, false);
}

static void destroy(void)
{
    buffer_deinit(&text);
    buffer_deinit(&packed);
}

TestSuite(json, .init = make, .fini = destroy);

static void assert_text(const char *expected)
{
    cr_assert_not(text.failed);
    struct span written = buffer_span(&text);
    cr_assert(span_equal_text(written, expected), "wrote %.*s, not %s", SPAN_ARGS(written),
              expected);
    buffer_clear(&text);
    writer = json_writer_of(&text, false);
}

static void pack(const char *json)
{
    struct json_pack_error error;
    buffer_clear(&packed);
    cr_assert(json_pack_text(span_of_text(json), &packed, &error), "%s: %s", json, error.message);
}

Test(json, writes_containers_with_their_commas)
{
    json_write_object_begin(&writer);
    json_write_key_text(&writer, "a");
    json_write_array_begin(&writer);
    json_write_array_begin(&writer);
    json_write_array_end(&writer);
    json_write_null(&writer);
    json_write_bool(&writer, true);
    json_write_bool(&writer, false);
    json_write_array_end(&writer);
    json_write_key_text(&writer, "b");
    json_write_object_begin(&writer);
    json_write_object_end(&writer);
    json_write_key_text(&writer, "c");
    json_write_text(&writer, "");
    json_write_object_end(&writer);
    assert_text("{\"a\":[[],null,true,false],\"b\":{},\"c\":\"\"}");
}

Test(json, indents_by_two_spaces_when_pretty)
{
    writer = json_writer_of(&text, true);
    json_write_object_begin(&writer);
    json_write_key_text(&writer, "a");
    json_write_array_begin(&writer);
    json_write_uint(&writer, 1);
    json_write_uint(&writer, 2);
    json_write_array_end(&writer);
    json_write_key_text(&writer, "b");
    json_write_object_begin(&writer);
    json_write_object_end(&writer);
    json_write_object_end(&writer);
    assert_text("{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

Test(json, writes_integers_with_all_digits)
{
    json_write_uint(&writer, UINT64_MAX);
    assert_text("18446744073709551615");
    json_write_int(&writer, INT64_MIN);
    assert_text("-9223372036854775808");
}

Test(json, writes_the_shortest_decimal_that_reads_back)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {100.0, "100.0"},
        {-250.0, "-250.0"},
        {1e22, "1e+22"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {5e-324, "5e-324"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {123456.75, "123456.75"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_write_double(&writer, cases[i].value);
        cr_expect_eq(strtod(cases[i].text, NULL), cases[i].value);
        assert_text(cases[i].text);
    }
}

Test(json, writes_null_for_what_json_cannot_say)
{
    json_write_double(&writer, (double)INFINITY);
    assert_text("null");
    json_write_double(&writer, (double)NAN);
    assert_text("null");
}

Test(json, escapes_what_would_break_a_line_or_a_terminal)
{
    json_write_str(&writer, span_make("\"\\\n\r\t\0\x1b\x7f", 8));
    assert_text("\"\\\"\\\\\\n\\r\\t\\u0000\\u001b\\u007f\"");
    json_write_text(&writer, "\xc2\x9b\xc2\xa0"); /* the C1 control CSI, a no-break space */
    assert_text("\"\\u009b\xc2\xa0\"");
    json_write_text(&writer, "z\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_text("\"z\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

Test(json, replaces_bytes_that_are_not_utf8)
{
    json_write_text(&writer, "a\xff\xc3z\xe2\x82");
    assert_text("\"a??z??\"");
    json_write_text(&writer, "\xed\xa0\x80"); /* a surrogate */
    assert_text("\"???\"");
}

Test(json, writes_base64_with_padding)
{
    static const char *const expected[] = {"\"base64:\"", "\"base64:Zg==\"", "\"base64:Zm8=\"",
                                           "\"base64:Zm9v\"", "\"base64:Zm9v/w==\""};
    for (size_t size = 0; size < sizeof expected / sizeof expected[0]; size++) {
        json_write_base64(&writer, "", span_make("foo\xff", size));
        assert_text(expected[size]);
    }
}

Test(json, packs_values_in_their_shortest_form)
{
    pack("{\"z\":[null,true,false,\"x\\u0000y\"],\"a\":-1}");
    cr_assert(
        span_equal(buffer_span(&packed), bytes_of_hex("82 a17a 94 c0 c3 c2 a3 780079 a161 ff")));
}

Test(json, packs_integers_as_integers_and_reals_as_float64)
{
    pack("[9007199254740993, -9223372036854775808, 9223372036854775807, 1.0, 1e2]");
    cr_assert(
        span_equal(buffer_span(&packed), bytes_of_hex("95 cf0020000000000001 d38000000000000000"
                                                      "cf7fffffffffffffff cb3ff0000000000000"
                                                      "cb4059000000000000")));
}

Test(json, reports_where_the_text_is_wrong)
{
    struct json_pack_error error;
    cr_assert_not(json_pack_text(span_of_text("{\"a\":\n [1,}"), &packed, &error));
    cr_assert_eq(error.line, 2);
    cr_assert_eq(error.column, 5);
    cr_assert_neq(error.message[0], '\0');
}

/* Found by tests/fuzz: a message quotes the text, which may be anything. */
Test(json, reports_in_one_printable_line)
{
    struct json_pack_error error;
    static const char control[] = "[1\x1b[31m]";
    cr_assert_not(json_pack_text(span_of_text(control), &packed, &error));
    cr_expect_not_null(strstr(error.message, "near '\\u001b'"), "%s", error.message);
    for (size_t letters = 100; letters < 200; letters++) { /* jansson cuts by bytes */
        char cut[256] = "\"";
        memset(cut + 1, 'a', letters);
        memcpy(cut + 1 + letters, "\xc3\xbc\xc3\xbc\xc3\xbc\n", 8);
        cr_assert_not(json_pack_text(span_of_text(cut), &packed, &error));
        cr_expect(utf8_is_valid(span_of_text(error.message)), "%zu", letters);
    }
}

Test(json, refuses_to_pack_what_is_not_one_value)
{
    static const char *const cases[] = {
        "", "{", "1 2", "{\"a\":1,\"a\":2}", "18446744073709551616", "1e999", "nil", "\"\xff\""};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_pack_error error;
        cr_expect_not(json_pack_text(span_of_text(cases[i]), &packed, &error), "%s", cases[i]);
    }
}

Test(json, fails_where_the_message_does_not_fit)
{
    struct json_pack_error error;
    struct buffer small;
    buffer_init(&small, 4);
    cr_assert(json_pack_text(span_of_text("[1,2,3]"), &small, &error));
    cr_assert_not(json_pack_text(span_of_text("1"), &small, &error));
    buffer_deinit(&small);
}

Test(json, prints_what_was_packed_as_it_was)
{
    static const char *const cases[] = {
        "{\"b\":1,\"a\":[],\"c\":{},\"d\":null}",
        "[0.5,-1,9007199254740993,\"\\\"\\n\",true,false]",
        "\"\"",
        "1.0",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pack(cases[i]);
        cr_assert(json_print(buffer_span(&packed), &writer));
        assert_text(cases[i]);
    }
}

Test(json, prints_bytes_as_uuid_or_base64)
{
    cr_assert(json_print(bytes_of_hex("c410 00112233445566778899aabbccddeeff"), &writer));
    assert_text("\"00112233-4455-6677-8899-aabbccddeeff\"");
    cr_assert(json_print(bytes_of_hex("c402 ff00"), &writer));
    assert_text("\"base64:/wA=\"");
    cr_assert(json_print(bytes_of_hex("d4 ff 07"), &writer));
    assert_text("\"ext:-1:base64:Bw==\"");
}

Test(json, prints_nothing_of_what_it_cannot)
{
    static const char *const cases[] = {
        "c1",       /* reserved */
        "c0 c0",    /* two values */
        "92 01",    /* cut off */
        "81 01 02", /* a key that is not a str */
        "92 a161 81 c0 02",
    };
    json_write_array_begin(&writer);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_not(json_print(bytes_of_hex(cases[i]), &writer), "%s", cases[i]);
    }
    json_write_array_end(&writer);
    assert_text("[]");
}

Test(json, prints_up_to_its_depth_and_not_deeper)
{
    for (size_t i = 0; i < JSON_PRINT_DEPTH_MAX; i++) {
        buffer_append(&packed, "\x91", 1);
    }
    buffer_append(&packed, "\x01", 1);
    cr_assert(json_print(buffer_span(&packed), &writer));
    cr_assert_eq(text.size, 2 * JSON_PRINT_DEPTH_MAX + 1);
    packed.data[packed.size - 1] = 0x91;
    buffer_append(&packed, "\x01", 1);
    cr_assert_not(json_print(buffer_span(&packed), &writer));
}
