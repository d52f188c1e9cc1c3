/*
 * Two versions of an element, field by field.
 */
#include <criterion/criterion.h>

#include "protocol/arena.h"
#include "tests/support/messages.h"
#include "tests/support/sent_batch.h"
#include "worker/json_print.h"
#include "worker/verify_diff.h"

enum { ARENA_BYTES_MAX = 16 << 20, TEXT_BYTES_MAX = 1 << 20 };

static struct arena arena;

static void begin(void)
{
    arena_init(&arena, ARENA_BYTES_MAX);
}

static void end(void)
{
    arena_deinit(&arena);
}

TestSuite(verify_diff, .init = begin, .fini = end);

static void add_side(struct buffer *text, struct span side)
{
    if (span_is_absent(side)) {
        buffer_append_format(text, "-");
        return;
    }
    struct json_writer writer = json_writer_of(text, false);
    cr_assert(json_print(side, &writer));
}

/* "<pointer>:<stored>><expected> " for each field. */
static const char *fields_text(const struct verify_fields *fields)
{
    struct buffer text;
    buffer_init(&text, TEXT_BYTES_MAX);
    for (size_t i = 0; i < fields->count && i < VERIFY_FIELDS_MAX; i++) {
        buffer_append_format(&text, "%.*s:", SPAN_ARGS(fields->items[i].name));
        add_side(&text, fields->items[i].stored);
        buffer_append_format(&text, ">");
        add_side(&text, fields->items[i].expected);
        buffer_append_format(&text, " ");
    }
    const char *const kept = text_of_format("%.*s", SPAN_ARGS(buffer_span(&text)));
    buffer_deinit(&text);
    return kept;
}

static const char *diff(const char *stored, const char *expected)
{
    struct verify_fields fields = {.arena = &arena};
    cr_assert(verify_fields_diff(&fields, message_of(stored), message_of(expected)));
    return fields_text(&fields);
}

Test(verify_diff, names_fields_by_pointer)
{
    cr_assert_str_eq(diff("{'a':1,'b':{'c':[1],'d':'x'}}", "{'a':2,'b':{'c':[1,2],'d':'x'}}"),
                     "/a:1>2 /b/c:[1]>[1,2] ");
    cr_assert_str_eq(diff("{'a':1,'new':{'x':1}}", "{'b':null,'a':1}"),
                     "/b:->null /new:{\"x\":1}>- ");
    cr_assert_str_eq(diff("{'a/b':{'~':1}}", "{'a/b':{'~':2}}"), "/a~1b/~0:1>2 ");
    cr_assert_str_eq(diff("{'a':{}}", "{'a':[]}"), "/a:{}>[] ");
    cr_assert_str_eq(diff("{'a':1}", "null"), ":{\"a\":1}>null ");
}

Test(verify_diff, meaning_counts_and_not_bytes)
{
    static const struct {
        const char *stored, *expected, *fields;
    } cases[] = {
        {"{'a':1,'b':2}", "{'b':2,'a':1}", ""},
        {"{'a':'hex:cf0000000000000001'}", "{'a':1}", ""},
        {"{'a':'hex:d30000000000000001'}", "{'a':1}", ""},
        {"{'a':'hex:ca3fc00000'}", "{'a':1.5}", ""},
        {"{'a':['hex:cd0001','hex:d90178']}", "{'a':[1,'x']}", ""},
        {"{'a':1}", "{'a':1.0}", "/a:1>1.0 "},
        {"{'a':-1}", "{'a':1}", "/a:-1>1 "},
        {"{'a':true}", "{'a':false}", "/a:true>false "},
        {"{'a':'bin:00'}", "{'a':'hex:a100'}", "/a:\"base64:AA==\">\"\\u0000\" "},
        {"{'a':[[1,{'b':2}]]}", "{'a':[[1,{'b':3}]]}", "/a:[[1,{\"b\":2}]]>[[1,{\"b\":3}]] "},
        {"{'a':[1,2]}", "{'a':[1,[2]]}", "/a:[1,2]>[1,[2]] "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_str_eq(diff(cases[i].stored, cases[i].expected), cases[i].fields, "%s, %s",
                         cases[i].stored, cases[i].expected);
    }
}

/* Large maps go through the key index. */
Test(verify_diff, many_fields_are_counted_and_the_first_are_kept)
{
    const char *stored = "{'z':0";
    const char *expected = "{'z':0";
    for (int i = 0; i < 40; i++) {
        stored = text_of_format("%s,'k%d':%d", stored, i, i);
        expected = text_of_format("%s,'k%d':%d", expected, i, i + 1);
    }
    struct verify_fields fields = {.arena = &arena};
    cr_assert(verify_fields_diff(&fields, message_of(text_of_format("%s}", stored)),
                                 message_of(text_of_format("%s}", expected))));
    cr_assert_eq(fields.count, 40);
    cr_assert(span_equal_text(fields.items[VERIFY_FIELDS_MAX - 1].name, "/k15"));
}

Test(verify_diff, a_pointer_beyond_its_room_is_cut)
{
    const char *stored = "1";
    const char *expected = "2";
    for (int i = 0; i < 30; i++) {
        stored = text_of_format("{'%060d':%s}", i, stored);
        expected = text_of_format("{'%060d':%s}", i, expected);
    }
    struct verify_fields fields = {.arena = &arena};
    cr_assert(verify_fields_diff(&fields, message_of(text_of_format("{'a':%s,'b':1}", stored)),
                                 message_of(text_of_format("{'a':%s,'b':2}", expected))));
    cr_assert_eq(fields.count, 2);
    cr_assert_leq(fields.items[0].name.size, 1024u);
    cr_assert(span_equal_text(fields.items[1].name, "/b"));
}

Test(verify_diff, numbers_beside_the_document)
{
    struct verify_fields fields = {.arena = &arena};
    cr_assert(verify_fields_compare(&fields, "version", 7, 7));
    cr_assert(verify_fields_compare(&fields, "timestamp", UINT64_MAX, 0));
    cr_assert_str_eq(fields_text(&fields), "timestamp:18446744073709551615>0 ");
}

Test(verify_diff, memory_that_runs_out_is_said)
{
    struct arena small;
    arena_init(&small, 8);
    struct verify_fields fields = {.arena = &small};
    cr_assert_not(
        verify_fields_diff(&fields, message_of("{'a':{'b':1}}"), message_of("{'a':{'b':2}}")));
    arena_deinit(&small);
}
